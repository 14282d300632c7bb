//! Small rewritings of JSON text that leave every number, string and key as it is spelled.

use std::borrow::Cow;

/// JSON text on one line: line ends and the indentation that follows them are taken out, outside strings (inside, JSON
/// has none). Text that is on one line already is returned as it is.
pub fn compact(text: &str) -> Cow<'_, str> {
    if memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for line in text.split(['\n', '\r']) {
        let line = line.trim_matches([' ', '\t']);
        // `{"a":` and the value on its next line stay apart by one blank; brackets need none.
        if out.ends_with([',', ':']) && !line.is_empty() {
            out.push(' ');
        }
        out.push_str(line);
    }
    Cow::Owned(out)
}

/// JSON text without any white space between its tokens.
pub(super) fn minified(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    let bytes = text.as_bytes();
    let (mut start, mut at) = (0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at + 1),
            b' ' | b'\t' | b'\n' | b'\r' => {
                out.push_str(&text[start..at]);
                at += 1;
                start = at;
            }
            _ => at += 1,
        }
    }
    out.push_str(&text[start..]);
    out
}

/// How far the end of a string is looked for byte by byte: most are short, and a search that goes many bytes at a time
/// takes longer to begin than they are.
pub(super) const NEAR: usize = 24;

/// Where the string that begins before `at` ends: behind its closing quote, or with the text.
pub(crate) fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    let is_hit = |byte: &u8| matches!(byte, b'"' | b'\\');
    while let Some(rest) = bytes.get(at..) {
        let near = &rest[..rest.len().min(NEAR)];
        let far = || memchr::memchr2(b'"', b'\\', &rest[near.len()..]).map(|len| near.len() + len);
        let Some(len) = near.iter().position(is_hit).or_else(far) else { break };
        at += len;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// A Rust string as a JSON string, quotes included.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The beginning of what somebody sent, for a message to a person: one line, nothing in it that a terminal obeys.
pub fn preview(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(80) {
        match c {
            '"' | '\'' | '\\' => out.push(c),
            c => out.extend(c.escape_debug()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compacting_keeps_every_spelling() {
        assert_eq!(compact("{\"a\": 1e3}"), "{\"a\": 1e3}");
        assert_eq!(
            compact("{\r\n    \"a\":\n 1.0,\r\n    \"b\": [\r\n        \"x  y\\n\"\r\n    ]\r\n}"),
            "{\"a\": 1.0, \"b\": [\"x  y\\n\"]}"
        );
    }

    #[test]
    fn squeezing_leaves_strings_alone() {
        for (text, minified) in [
            (
                "{\"a b\": [1, {\"c\\\" \": \" \\\\\"}],\n \"d\" : null }",
                "{\"a b\":[1,{\"c\\\" \":\" \\\\\"}],\"d\":null}",
            ),
            ("{}", "{}"),
            ("  [ ]\t", "[]"),
            ("\"not closed  ", "\"not closed  "),
            ("\"\\", "\"\\"),
        ] {
            assert_eq!(super::minified(text), minified);
        }
    }

    #[test]
    fn samples_are_harmless_and_as_short_as_they_are_legible() {
        assert_eq!(preview("{\"é\": 'x\\'}\r\n"), "{\"é\": 'x\\'}\\r\\n");
        assert_eq!(preview("\u{1b}[2J\u{9b}\u{202e}"), "\\u{1b}[2J\\u{9b}\\u{202e}");
        assert_eq!(preview(&"é".repeat(100)).chars().count(), 80);
    }

    #[test]
    fn quoted_text_is_json_of_the_same_text() {
        for text in ["", "plain", "q\"b\\s\n\t\u{1}\u{7f}é漢"] {
            assert_eq!(serde_json::from_str::<String>(&quote(text)).unwrap(), text);
        }
    }
}
