//! The properties of QOM objects: their types, by the names that QOM gives the types, and the JSON that a word becomes.

use crate::grammar::{Diagnostic, Json, Span, parse_json};
use crate::wire::quote;

use super::describe::describe_builtin;
use super::infer::infer_scalar;
use super::json_writer::{check_depth, minified_json};
use super::model::Builtin;
use super::request::on_deep_stack;
use super::type_check::builtin_value;

/// The nesting level of a value in the request that sets it: inside the request (level 1) and its arguments (level 2).
const VALUE_LEVEL: usize = 3;

/// The type of a property, as far as QOM's name for it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyType {
    Builtin(Builtin),
    /// A type that QAPI defines, such as `PCIELinkSpeed`: an enumeration, whose values may look like numbers, or a type
    /// whose values are written as JSON.
    Qapi,
    /// A type whose name does not tell.
    Unknown,
}

impl PropertyType {
    /// Returns the type by the name and the description that QOM gives it.
    pub fn of(kind: &str, description: Option<&str>) -> PropertyType {
        // Before QEMU 10.0 a PCI address is called an integer, but its text is expected: `05.0`, or `10` for 0x10.
        if description.is_some_and(|text| text.starts_with("Slot and optional function number")) {
            return PropertyType::Builtin(Builtin::Str);
        }
        match kind {
            "str" | "string" => PropertyType::Builtin(Builtin::Str),
            "bool" | "boolean" => PropertyType::Builtin(Builtin::Bool),
            "double" | "number" => PropertyType::Builtin(Builtin::Number),
            "size" | "int" => PropertyType::Builtin(Builtin::Int),
            // The value of a link is a path.
            name if name.starts_with("link<") => PropertyType::Builtin(Builtin::Str),
            name if name.starts_with("uint") || name.starts_with("int") => PropertyType::Builtin(Builtin::Int),
            // QAPI's types begin with a capital, and of QOM's own only `QemuUUID`, a string.
            name if name.starts_with(|c: char| c.is_ascii_uppercase()) => PropertyType::Qapi,
            _ => PropertyType::Unknown,
        }
    }
}

/// Returns the JSON that `word` stands for as a value of a property of this type.
///
/// For a string, that is the word itself. For other types, a word that begins with a bracket is JSON. For those that are
/// not builtin, a word that begins with `"` is JSON too. Other words are strings for a QAPI type; for an unknown one their
/// type is inferred. The error says what was expected.
pub fn property_value(word: &str, kind: PropertyType) -> Result<String, String> {
    let (typed, builtin) = match kind {
        PropertyType::Builtin(Builtin::Str) => return Ok(quote(word)),
        _ if word.starts_with(['{', '[']) => return json_value(word),
        PropertyType::Builtin(builtin) => (builtin_value(word, builtin)?, builtin),
        PropertyType::Qapi | PropertyType::Unknown if word.starts_with('"') => return json_value(word),
        PropertyType::Qapi => return Ok(quote(word)),
        PropertyType::Unknown => return infer_scalar(word).map(|value| minified_json(&value)),
    };
    let typed = typed.map(|kind| minified_json(&Json { span: Span::default(), kind }));
    typed.ok_or_else(|| format!("expected {}, found `{word}`", describe_builtin(builtin)))
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
            ("PCIELinkSpeed", "16", r#""16""#),
            ("IOThreadVirtQueueMappingList", "[{'iothread': 'i'}]", r#"[{"iothread":"i"}]"#),
            ("OnOffAuto", "", r#""""#),
            ("OnOffAuto", "\"5\"", r#""5""#),
            ("struct tm", "{'a': True, }", r#"{"a":true}"#),
            ("whatever", "12", "12"),
        ] {
            assert_eq!(property_value(word, PropertyType::of(kind, None)), Ok(expected.to_owned()), "{kind} {word}");
        }
        for (kind, word, message) in [
            ("bool", "maybe", "expected true or false (on, off, yes, no), found `maybe`"),
            ("uint8", "1x", "expected an integer (such as 4096, 0x1000 or 4k), found `1x`"),
            ("int", "1e99G", "expected an integer (such as 4096, 0x1000 or 4k), found `1e99G`"),
            ("whatever", "{} {}", "invalid JSON: unexpected text `{}` after the value"),
        ] {
            let error = property_value(word, PropertyType::of(kind, None)).unwrap_err();
            assert_eq!(error, message, "{kind} {word}");
        }
        assert!(property_value("[1", PropertyType::Unknown).is_err());
        assert!(property_value(&"[".repeat(100_000), PropertyType::Unknown).is_err());
    }

    #[test]
    fn values_nest_as_deep_as_their_request_allows() {
        let nested = |depth: usize| {
            property_value(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)), PropertyType::Unknown)
        };
        assert!(nested(1022).is_ok());
        assert_eq!(nested(1023), Err("invalid JSON: nested more than 1024 levels deep".to_owned()));
    }

    #[test]
    fn pci_addresses_are_strings_even_where_they_are_called_integers() {
        let description = Some("Slot and optional function number, example: 06.0 or 06");
        assert_eq!(PropertyType::of("int32", description), PropertyType::Builtin(Builtin::Str));
        assert_eq!(PropertyType::of("int32", None), PropertyType::Builtin(Builtin::Int));
    }
}
