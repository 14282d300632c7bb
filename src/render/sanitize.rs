//! Makes text harmless to a terminal.

use std::borrow::Cow;

/// Whether a character does something to a terminal instead of showing.
fn is_control(c: char) -> bool {
    // The others reorder the text around them: what is shown would not be what is there.
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether all of `text` shows, on one line.
pub fn is_printable(text: &str) -> bool {
    !text.chars().any(is_control)
}

/// `text` without what would do something to a terminal; line ends and tabs stay. For where there is no room to spell it
/// out: none of it has a width.
pub fn without_controls(text: &str) -> Cow<'_, str> {
    let acts = |c: char| is_control(c) && c != '\n' && c != '\t';
    if text.contains(acts) { Cow::Owned(text.replace(acts, "")) } else { Cow::Borrowed(text) }
}

/// `text` with every control character but line end and tab spelled out: ESC becomes `\x1b`.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| is_control(c) && c != '\n' && c != '\t') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c if !is_control(c) => out.push(c),
            c if u32::from(c) < 0x100 => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(out)
}

/// As [`sanitize`], for text that has to stay on its line: line ends and tabs are spelled out too.
pub fn printable(text: &str) -> Cow<'_, str> {
    match sanitize(text) {
        clean if !clean.contains(['\n', '\t']) => clean,
        clean => Cow::Owned(clean.replace('\n', "\\n").replace('\t', "\\t")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_terminal_is_left() {
        assert_eq!(sanitize("plain é\n\tx"), "plain é\n\tx");
        assert_eq!(sanitize("\x1b[2J\x07\u{9b}5n\x7f\r"), "\\x1b[2J\\x07\\x9b5n\\x7f\\x0d");
        assert_eq!(sanitize("a\u{202e}b\u{61c}"), "a\\u{202e}b\\u{61c}");
        assert_eq!(printable("a\nb\x1b"), "a\\nb\\x1b");
        assert_eq!(without_controls("a\n\tb\x07\u{202e}c"), "a\n\tbc");
        assert!(is_printable("a é漢") && !is_printable("a\n") && !is_printable("\u{9b}"));
    }
}
