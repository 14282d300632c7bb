//! A property's value as what stands in its file, and back.
//!
//! A string is its own characters, anything else its JSON on one line; a line end closes both. So scripts read
//! `$(cat FILE)`, and what was read can be written back as it is. Only a link that leads nowhere is a file without any
//! content, so that `test -s` tells it.

use serde_json::Value;

use crate::qom::property::{Kind, Property};
use crate::wire::single_line;

/// What stands in the file of a property with this value.
pub(super) fn of_value(property: &Property, json: &str) -> Vec<u8> {
    if is_link(property) && json == "\"\"" {
        return Vec::new();
    }
    let mut content = string_of(json).unwrap_or_else(|| single_line(json).into_owned());
    content.push('\n');
    content.into_bytes()
}

/// Whether a property may lead to another object.
pub(super) fn is_link(property: &Property) -> bool {
    matches!(property.kind(), Kind::Link(_))
}

/// Where a property with this value leads to, if anywhere.
pub(super) fn target(property: &Property, json: &str) -> Option<String> {
    string_of(json).filter(|path| is_link(property) && path.starts_with('/'))
}

/// The string that a value is, if it is one.
fn string_of(json: &str) -> Option<String> {
    if !json.starts_with('"') {
        return None;
    }
    match serde_json::from_str(json) {
        Ok(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// The text that was written, without the line end that closes it; none where it is no text at all.
pub(super) fn to_text(content: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(content).ok()?;
    Some(text.strip_suffix('\n').unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(kind: &str) -> Property {
        Property { name: "p".to_owned(), type_name: kind.to_owned(), description: None }
    }

    #[test]
    fn strings_are_bare_and_the_rest_is_json() {
        for (json, content) in [
            (r#""TCG""#, "TCG\n"),
            (r#""""#, "\n"),
            (r#""two\nlines \u00e9 \"q\"""#, "two\nlines é \"q\"\n"),
            ("true", "true\n"),
            ("18446744073709551615", "18446744073709551615\n"),
            ("1.50", "1.50\n"),
            ("null", "null\n"),
            ("{\"cpus\": 2,\r\n  \"cores\": [1, 2]}", "{\"cpus\": 2, \"cores\": [1, 2]}\n"),
            // No character can stand for half of a pair.
            (r#""\ud800""#, "\"\\ud800\"\n"),
        ] {
            assert_eq!(String::from_utf8(of_value(&property("any"), json)).unwrap(), content);
        }
        assert_eq!(of_value(&property("link<bus>"), r#""""#), b"");
    }

    #[test]
    fn links_lead_to_absolute_paths_only() {
        let target = |kind, json| target(&property(kind), json);
        assert_eq!(target("link<bus>", r#""/machine/q35""#).as_deref(), Some("/machine/q35"));
        for (kind, json) in [("link<bus>", r#""""#), ("link<bus>", r#""q35""#), ("string", r#""/machine""#)] {
            assert_eq!(target(kind, json), None);
        }
    }

    #[test]
    fn one_line_end_closes_what_is_written() {
        for (content, text) in [("1\n", "1"), ("1", "1"), ("a\n\n", "a\n"), ("\n", ""), ("", "")] {
            assert_eq!(to_text(content.as_bytes()), Some(text), "{content:?}");
        }
        assert_eq!(to_text(b"\xff\n"), None);
    }
}
