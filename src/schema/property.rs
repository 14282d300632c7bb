//! The properties of QOM objects: their types by what QOM calls them, and what JSON a word becomes by that.

use crate::grammar::{Diagnostic, Json, Span, parse_json};
use crate::wire::quote;

use super::infer::scalar_by_form;
use super::introspection::Builtin;
use super::json_writer::{check_depth, write_json};
use super::request::on_deep_stack;
use super::scalar::{boolean, integer, number};
use super::type_check::expectation;

/// How deep a value stands in the request that sets it: in its arguments, in its own braces.
const VALUE: usize = 2;

/// The type that a property has, by what QOM calls it; `None` where the name says nothing to us.
pub fn builtin_of_property(kind: &str, description: Option<&str>) -> Option<Builtin> {
    // Before QEMU 10.0 a PCI address is called an integer, but what is taken is its text: `05.0`, or `10` for 0x10.
    if description.is_some_and(|words| words.starts_with("Slot and optional function number")) {
        return Some(Builtin::Str);
    }
    match kind {
        "str" | "string" => Some(Builtin::Str),
        "bool" | "boolean" => Some(Builtin::Bool),
        "double" | "number" => Some(Builtin::Number),
        "size" | "int" => Some(Builtin::Int),
        // What a link leads to is told by its path.
        name if name.starts_with("link<") => Some(Builtin::Str),
        name if name.starts_with("uint") || name.starts_with("int") => Some(Builtin::Int),
        _ => None,
    }
}

/// The JSON that `word` means as the value of a property of this type. A string is the word as it is; where the type is
/// something else or not known, what begins with a bracket is JSON; where it is not known, so is what begins with `"`,
/// and the rest is what it looks like. The error says what is expected.
pub fn property_value(word: &str, kind: Option<Builtin>) -> Result<String, String> {
    let typed = match kind {
        Some(Builtin::Str) => return Ok(quote(word)),
        _ if word.starts_with(['{', '[']) => return json(word),
        Some(Builtin::Bool) => boolean(word).map(|value| value.to_string()),
        Some(Builtin::Int) => integer(word)?,
        Some(Builtin::Number) => number(word)?,
        Some(Builtin::Null) => (word == "null").then(|| word.to_owned()),
        Some(Builtin::Any) | None if word.starts_with('"') => return json(word),
        Some(Builtin::Any) | None => return scalar_by_form(word).map(|value| text_of(&value)),
    };
    typed.ok_or_else(|| format!("it takes {}, not `{word}`", expectation(kind.unwrap_or(Builtin::Any))))
}

fn json(word: &str) -> Result<String, String> {
    let read = || {
        let (value, end) = parse_json(word, 0)?;
        let rest = word[end..].trim();
        if !rest.is_empty() {
            return Err(Diagnostic::new(Span::at(end), format!("nothing may follow it, but `{rest}` does")));
        }
        check_depth(&value, VALUE)?;
        Ok(text_of(&value))
    };
    on_deep_stack(word.len(), read).map_err(|fault| format!("in the JSON: {}", fault.message))
}

fn text_of(value: &Json) -> String {
    let mut text = String::new();
    write_json(value, &mut text, &mut Vec::new(), &mut |_, _, _| {});
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_becomes_what_the_property_takes() {
        for (kind, word, expected) in [
            ("string", "007", r#""007""#),
            ("str", "a \"b\"\n", r#""a \"b\"\n""#),
            ("link<iothread>", "/objects/io0", r#""/objects/io0""#),
            ("bool", "on", "true"),
            ("bool", "No", "false"),
            ("uint16", "0x5dc", "1500"),
            ("size", "1.5G", "1610612736"),
            ("int", "[1, 2]", "[1, 2]"),
            ("OnOffAuto", "on", r#""on""#),
            ("OnOffAuto", "", r#""""#),
            ("OnOffAuto", "\"5\"", r#""5""#),
            ("struct tm", "{'a': True, }", r#"{"a": true}"#),
            ("whatever", "12", "12"),
        ] {
            assert_eq!(property_value(word, builtin_of_property(kind, None)), Ok(expected.to_owned()), "{kind} {word}");
        }
        for (kind, word, message) in [
            ("bool", "maybe", "it takes true or false (on, off, yes, no), not `maybe`"),
            ("uint8", "1x", "it takes an integer (such as 4096, 0x1000 or 4k), not `1x`"),
            ("int", "1e99G", "it takes an integer (such as 4096, 0x1000 or 4k), not `1e99G`"),
            ("whatever", "{} {}", "in the JSON: nothing may follow it, but `{}` does"),
        ] {
            let error = property_value(word, builtin_of_property(kind, None)).unwrap_err();
            assert_eq!(error, message, "{kind} {word}");
        }
        assert!(property_value("[1", None).is_err());
        assert!(property_value(&"[".repeat(100_000), None).is_err());
    }

    #[test]
    fn a_pci_address_is_text_whatever_it_is_called() {
        let description = Some("Slot and optional function number, example: 06.0 or 06");
        assert_eq!(builtin_of_property("int32", description), Some(Builtin::Str));
        assert_eq!(builtin_of_property("int32", None), Some(Builtin::Int));
    }
}
