//! The properties of QOM objects: their types, by the names that QOM gives the types, and the JSON that a word becomes.

use crate::grammar::{Diagnostic, Span, parse_json};
use crate::wire::quote;

use super::describe::describe_builtin;
use super::infer::infer_scalar;
use super::json_writer::{check_depth, minified_json};
use super::model::Builtin;
use super::request::on_deep_stack;
use super::scalar::{boolean, integer, number};

/// The nesting level of a value in the request that sets it: inside the request (level 1) and its arguments (level 2).
const VALUE_LEVEL: usize = 3;

/// Returns the type of a property by the name that QOM gives its type. `None` if the name says nothing about it.
pub fn builtin_of_property(kind: &str, description: Option<&str>) -> Option<Builtin> {
    // Before QEMU 10.0 a PCI address is called an integer, but its text is expected: `05.0`, or `10` for 0x10.
    if description.is_some_and(|text| text.starts_with("Slot and optional function number")) {
        return Some(Builtin::Str);
    }
    match kind {
        "str" | "string" => Some(Builtin::Str),
        "bool" | "boolean" => Some(Builtin::Bool),
        "double" | "number" => Some(Builtin::Number),
        "size" | "int" => Some(Builtin::Int),
        // The value of a link is a path.
        name if name.starts_with("link<") => Some(Builtin::Str),
        name if name.starts_with("uint") || name.starts_with("int") => Some(Builtin::Int),
        _ => None,
    }
}

/// Returns the JSON that `word` stands for as a value of a property of this type.
///
/// For a string, that is the word itself. For other types and for an unknown type, a word that begins with a bracket is
/// JSON. For an unknown type, a word that begins with `"` is JSON too; the type of other words is inferred. The error
/// says what was expected.
pub fn property_value(word: &str, kind: Option<Builtin>) -> Result<String, String> {
    let typed = match kind {
        Some(Builtin::Str) => return Ok(quote(word)),
        _ if word.starts_with(['{', '[']) => return json_value(word),
        Some(Builtin::Bool) => boolean(word).map(|value| value.to_string()),
        Some(Builtin::Int) => integer(word)?,
        Some(Builtin::Number) => number(word)?,
        Some(Builtin::Null) => (word == "null").then(|| word.to_owned()),
        Some(Builtin::Any) | None if word.starts_with('"') => return json_value(word),
        Some(Builtin::Any) | None => return infer_scalar(word).map(|value| minified_json(&value)),
    };
    typed.ok_or_else(|| format!("expected {}, found `{word}`", describe_builtin(kind.unwrap_or(Builtin::Any))))
}

fn json_value(word: &str) -> Result<String, String> {
    let parse = || {
        let (value, end) = parse_json(word, 0)?;
        let rest = word[end..].trim();
        if !rest.is_empty() {
            return Err(Diagnostic::new(Span::at(end), format!("unexpected text `{rest}` after the value")));
        }
        check_depth(&value, VALUE_LEVEL)?;
        Ok(minified_json(&value))
    };
    on_deep_stack(word.len(), parse).map_err(|diagnostic| format!("invalid JSON: {}", diagnostic.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_get_the_type_of_their_property() {
        for (kind, word, expected) in [
            ("string", "007", r#""007""#),
            ("str", "a \"b\"\n", r#""a \"b\"\n""#),
            ("link<iothread>", "/objects/io0", r#""/objects/io0""#),
            ("bool", "on", "true"),
            ("bool", "No", "false"),
            ("uint16", "0x5dc", "1500"),
            ("size", "1.5G", "1610612736"),
            ("int", "[1, 2]", "[1,2]"),
            ("OnOffAuto", "on", r#""on""#),
            ("OnOffAuto", "", r#""""#),
            ("OnOffAuto", "\"5\"", r#""5""#),
            ("struct tm", "{'a': True, }", r#"{"a":true}"#),
            ("whatever", "12", "12"),
        ] {
            assert_eq!(property_value(word, builtin_of_property(kind, None)), Ok(expected.to_owned()), "{kind} {word}");
        }
        for (kind, word, message) in [
            ("bool", "maybe", "expected true or false (on, off, yes, no), found `maybe`"),
            ("uint8", "1x", "expected an integer (such as 4096, 0x1000 or 4k), found `1x`"),
            ("int", "1e99G", "expected an integer (such as 4096, 0x1000 or 4k), found `1e99G`"),
            ("whatever", "{} {}", "invalid JSON: unexpected text `{}` after the value"),
        ] {
            let error = property_value(word, builtin_of_property(kind, None)).unwrap_err();
            assert_eq!(error, message, "{kind} {word}");
        }
        assert!(property_value("[1", None).is_err());
        assert!(property_value(&"[".repeat(100_000), None).is_err());
    }

    #[test]
    fn values_nest_as_deep_as_their_request_allows() {
        let nested = |depth: usize| property_value(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)), None);
        assert!(nested(1022).is_ok());
        assert_eq!(nested(1023), Err("invalid JSON: nested more than 1024 levels deep".to_owned()));
    }

    #[test]
    fn pci_addresses_are_strings_even_where_they_are_called_integers() {
        let description = Some("Slot and optional function number, example: 06.0 or 06");
        assert_eq!(builtin_of_property("int32", description), Some(Builtin::Str));
        assert_eq!(builtin_of_property("int32", None), Some(Builtin::Int));
    }
}
