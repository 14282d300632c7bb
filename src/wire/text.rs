//! Whitespace and quoting in JSON text: rewriting that keeps the spelling of every number, string and key.

use std::borrow::Cow;

/// Puts JSON text on one line: removes line ends and the indentation after them. Strings of valid JSON contain neither.
pub fn single_line(json: &str) -> Cow<'_, str> {
    if memchr::memchr2(b'\n', b'\r', json.as_bytes()).is_none() {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    for line in json.split(['\n', '\r']) {
        let line = line.trim_matches([' ', '\t']);
        // A line that ends after `"key":` is separated from its value by one space; brackets need none.
        if out.ends_with([',', ':']) && !line.is_empty() {
            out.push(' ');
        }
        out.push_str(line);
    }
    Cow::Owned(out)
}

/// Removes the whitespace between the tokens of JSON text.
pub(super) fn minified(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let mut out = String::new();
    let (mut copied, mut at) = (0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at + 1),
            b' ' | b'\t' | b'\n' | b'\r' => {
                out.push_str(&json[copied..at]);
                at += 1;
                copied = at;
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(&json[copied..]);
    Cow::Owned(out)
}

/// Puts one space after each comma and colon of JSON text that has no whitespace there.
pub(crate) fn spaced(json: &str) -> String {
    let bytes = json.as_bytes();
    let mut out = String::with_capacity(json.len() + json.len() / 8);
    let (mut copied, mut at) = (0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at + 1),
            b',' | b':' => {
                at += 1;
                out.push_str(&json[copied..at]);
                copied = at;
                if bytes.get(at).is_some_and(|next| !next.is_ascii_whitespace()) {
                    out.push(' ');
                }
            }
            _ => at += 1,
        }
    }
    out.push_str(&json[copied..]);
    out
}

/// The end of a string is searched byte by byte this far: most strings are shorter, and starting memchr takes longer
/// than scanning them.
pub(super) const SHORT_STRING_BYTES: usize = 24;

/// Returns the index after the closing quote of the string whose content begins at `at`, or the length of the text if the
/// string is not closed.
pub(crate) fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\');
    while let Some(rest) = bytes.get(at..) {
        let near = &rest[..rest.len().min(SHORT_STRING_BYTES)];
        let far = || memchr::memchr2(b'"', b'\\', &rest[near.len()..]).map(|len| near.len() + len);
        let Some(len) = near.iter().position(ends).or_else(far) else { break };
        at += len;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// Quotes a Rust string as a JSON string.
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

/// Decodes a JSON string, quotes included. `None` if an escape in it is not valid.
pub(crate) fn unquote(string: &str) -> Option<Cow<'_, str>> {
    match string.contains('\\') {
        true => serde_json::from_str(string).ok().map(Cow::Owned),
        false => Some(Cow::Borrowed(string.trim_matches('"'))),
    }
}

/// Returns the first 80 characters of received text for an error message: on one line, control characters escaped.
pub fn preview(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    escaped(text.chars().take(MAX_CHARS))
}

/// Returns text with control characters escaped.
pub(crate) fn escape_unprintable(text: &str) -> String {
    escaped(text.chars())
}

fn escaped(chars: impl Iterator<Item = char>) -> String {
    let mut out = String::new();
    for c in chars {
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
    fn single_line_keeps_every_token() {
        assert_eq!(single_line("{\"a\": 1e3}"), "{\"a\": 1e3}");
        assert_eq!(
            single_line("{\r\n    \"a\":\n 1.0,\r\n    \"b\": [\r\n        \"x  y\\n\"\r\n    ]\r\n}"),
            "{\"a\": 1.0, \"b\": [\"x  y\\n\"]}"
        );
    }

    #[test]
    fn whitespace_in_strings_is_kept() {
        for (text, minified, spaced) in [
            (
                "{\"a b\": [1, {\"c\\\" \": \" \\\\\"}],\n \"d\" : null }",
                "{\"a b\":[1,{\"c\\\" \":\" \\\\\"}],\"d\":null}",
                "{\"a b\": [1, {\"c\\\" \": \" \\\\\"}], \"d\": null}",
            ),
            ("{}", "{}", "{}"),
            ("  [ ]\t", "[]", "[]"),
            ("[\"a,b:c\", 1]", "[\"a,b:c\",1]", "[\"a,b:c\", 1]"),
            ("\"not closed, ", "\"not closed, ", "\"not closed, "),
            ("\"\\", "\"\\", "\"\\"),
        ] {
            assert_eq!(super::minified(text), minified);
            assert_eq!(super::spaced(minified), spaced);
            assert_eq!(super::spaced(spaced), spaced);
        }
    }

    #[test]
    fn previews_are_printable_and_short() {
        assert_eq!(preview("{\"é\": 'x\\'}\r\n"), "{\"é\": 'x\\'}\\r\\n");
        assert_eq!(preview("\u{1b}[2J\u{9b}\u{202e}"), "\\u{1b}[2J\\u{9b}\\u{202e}");
        assert_eq!(preview(&"é".repeat(100)).chars().count(), 80);
    }

    #[test]
    fn quoted_text_reads_back_as_the_same_text() {
        for text in ["", "plain", "q\"b\\s\n\t\u{1}\u{7f}é漢"] {
            assert_eq!(serde_json::from_str::<String>(&quote(text)).unwrap(), text);
        }
    }
}
