//! Removes or escapes the characters that a terminal would interpret instead of showing them.

use std::borrow::Cow;

/// Returns whether a terminal interprets a character instead of showing it.
fn is_control(c: char) -> bool {
    // Bidirectional controls reorder the text around them, so that it is not shown as it is.
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns whether a character is a control character other than a line end or tab.
fn is_unsafe(c: char) -> bool {
    is_control(c) && c != '\n' && c != '\t'
}

/// Returns whether all of `text` can be shown on one line.
pub fn is_printable(text: &str) -> bool {
    !text.chars().any(is_control)
}

/// Removes control characters except line ends and tabs. Unlike [`sanitize`], it does not change the width of the text.
pub fn without_controls(text: &str) -> Cow<'_, str> {
    if text.contains(is_unsafe) { Cow::Owned(text.replace(is_unsafe, "")) } else { Cow::Borrowed(text) }
}

/// Escapes control characters except line ends and tabs: ESC becomes `\x1b`.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !is_unsafe(c) => out.push(c),
            c if u32::from(c) < 0x100 => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(out)
}

/// Escapes all control characters, line ends and tabs included, so that the text stays on one line.
pub fn printable(text: &str) -> Cow<'_, str> {
    match sanitize(text) {
        clean if !clean.contains(['\n', '\t']) => clean,
        clean => Cow::Owned(clean.replace('\n', "\\n").replace('\t', "\\t")),
    }
}

/// Escapes all control characters in JSON text, as JSON does in strings.
pub(super) fn escape_json(json: &str) -> Cow<'_, str> {
    if is_printable(json) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match c {
            // All of these have at most four digits.
            c if is_control(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Returns a text with its first letter in upper case, as a sentence begins.
pub fn capitalise(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_removes_control_characters() {
        assert_eq!(sanitize("plain é\n\tx"), "plain é\n\tx");
        assert_eq!(sanitize("\x1b[2J\x07\u{9b}5n\x7f\r"), "\\x1b[2J\\x07\\x9b5n\\x7f\\x0d");
        assert_eq!(sanitize("a\u{202e}b\u{61c}"), "a\\u{202e}b\\u{61c}");
        assert_eq!(printable("a\nb\x1b"), "a\\nb\\x1b");
        assert_eq!(escape_json("\"a\n\u{9b}\u{202e}é\""), "\"a\\u000a\\u009b\\u202eé\"");
        assert_eq!(without_controls("a\n\tb\x07\u{202e}c"), "a\n\tbc");
        assert!(is_printable("a é漢") && !is_printable("a\n") && !is_printable("\u{9b}"));
    }
}
