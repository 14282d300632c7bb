//! File contents: the value of a property as the text of its file, and back.
//!
//! A string is written without quotes, any other value as JSON on one line, both with a newline at the end. Scripts can
//! therefore use `$(cat FILE)`, and can write back unchanged what they have read. Only an unset link is an empty file,
//! so that `test -s` detects it.

use serde_json::Value;

use crate::qom::property::{Property, PropertyKind};
use crate::wire::single_line;

/// Returns the content of a property's file.
pub(super) fn to_content(property: &Property, json: &str) -> Vec<u8> {
    if is_link_property(property) && json == "\"\"" {
        return Vec::new();
    }
    let mut content = decode_string(json).unwrap_or_else(|| single_line(json).into_owned());
    content.push('\n');
    content.into_bytes()
}

/// Returns whether a property is a link, set or not.
pub(super) fn is_link_property(property: &Property) -> bool {
    matches!(property.kind(), PropertyKind::Link(_))
}

/// Returns the path that a link property points to, if it is set.
pub(super) fn link_target(property: &Property, json: &str) -> Option<String> {
    decode_string(json).filter(|path| is_link_property(property) && path.starts_with('/'))
}

fn decode_string(json: &str) -> Option<String> {
    if !json.starts_with('"') {
        return None;
    }
    match serde_json::from_str(json) {
        Ok(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// Returns the text that was written to a file, without the final newline. `None` if it is not UTF-8.
pub(super) fn from_content(content: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(content).ok()?;
    Some(text.strip_suffix('\n').unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(type_name: &str) -> Property {
        Property { name: "p".to_owned(), type_name: type_name.to_owned(), description: None }
    }

    #[test]
    fn writes_strings_without_quotes_and_the_rest_as_json() {
        for (json, content) in [
            (r#""TCG""#, "TCG\n"),
            (r#""""#, "\n"),
            (r#""two\nlines \u00e9 \"q\"""#, "two\nlines é \"q\"\n"),
            ("true", "true\n"),
            ("18446744073709551615", "18446744073709551615\n"),
            ("1.50", "1.50\n"),
            ("null", "null\n"),
            ("{\"cpus\": 2,\r\n  \"cores\": [1, 2]}", "{\"cpus\": 2, \"cores\": [1, 2]}\n"),
            // A lone surrogate has no character.
            (r#""\ud800""#, "\"\\ud800\"\n"),
        ] {
            assert_eq!(String::from_utf8(to_content(&property("any"), json)).unwrap(), content);
        }
        assert_eq!(to_content(&property("link<bus>"), r#""""#), b"");
    }

    #[test]
    fn accepts_only_absolute_paths_as_link_targets() {
        let target = |type_name, json| link_target(&property(type_name), json);
        assert_eq!(target("link<bus>", r#""/machine/q35""#).as_deref(), Some("/machine/q35"));
        for (type_name, json) in [("link<bus>", r#""""#), ("link<bus>", r#""q35""#), ("string", r#""/machine""#)] {
            assert_eq!(target(type_name, json), None);
        }
    }

    #[test]
    fn removes_one_final_newline() {
        for (content, text) in [("1\n", "1"), ("1", "1"), ("a\n\n", "a\n"), ("\n", ""), ("", "")] {
            assert_eq!(from_content(content.as_bytes()), Some(text), "{content:?}");
        }
        assert_eq!(from_content(b"\xff\n"), None);
    }
}
