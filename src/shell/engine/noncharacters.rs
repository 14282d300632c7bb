//! Noncharacters, which Unicode reserves for programs and QEMU rejects.

use crate::grammar::{Diagnostic, Span};
use crate::wire::Request;

/// Rejects a request with a noncharacter. The diagnostic points at it, or at its escape, in the line that was typed.
pub(super) fn reject_noncharacters(request: &Request, line: &str) -> Result<(), Diagnostic> {
    let Some(c) = request.arguments.as_deref().and_then(noncharacter) else { return Ok(()) };
    let mut units = [0; 2];
    let escape: String = c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect();
    // Escapes are ASCII, so offsets are the same in lower case.
    let raw = line.find(c).map(|start| Span::new(start, start + c.len_utf8()));
    let escaped = || line.to_ascii_lowercase().find(&escape).map(|start| Span::new(start, start + escape.len()));
    let span = raw.or_else(escaped).unwrap_or_default();
    let message = format!("invalid character U+{:04X}: QEMU rejects noncharacters", u32::from(c));
    Err(Diagnostic::new(span, message))
}

/// Returns the first noncharacter in JSON text, as it is or as an escape: U+FDD0 to U+FDEF, and the last two code points
/// of each plane. QEMU rejects the whole message that contains one, without telling which.
fn noncharacter(json: &str) -> Option<char> {
    let is_noncharacter = |c: &char| matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(*c) & 0xfffe == 0xfffe;
    let raw = json.chars().find(is_noncharacter);
    raw.or_else(|| escaped_chars(json).find(is_noncharacter))
}

/// Returns the characters that are written as `\uXXXX`, or as two of these.
fn escaped_chars(json: &str) -> impl Iterator<Item = char> {
    let mut units = Vec::new();
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let escape = &rest[at + 1..];
        let digits = escape.strip_prefix('u').and_then(|digits| digits.get(..4));
        units.extend(digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()));
        // The escaped character is skipped, since it may be a backslash.
        let len = escape.chars().next().map_or(0, char::len_utf8);
        rest = &escape[len..];
    }
    char::decode_utf16(units).filter_map(Result::ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_noncharacters_and_their_escapes() {
        for (json, found) in [
            (r#"{"a": "x"}"#, None),
            ("\"\u{fffd}\u{fdcf}\u{fdf0}\u{1fffd}\"", None),
            ("\"é\u{fffe}\"", Some('\u{fffe}')),
            ("\"\u{10ffff}\"", Some('\u{10ffff}')),
            ("\"\u{fdd0}\"", Some('\u{fdd0}')),
            (r#""\ufDeF""#, Some('\u{fdef}')),
            (r#""\ud83f\udffe""#, Some('\u{1fffe}')),
            (r#""\ud83f\udffd \\ufffe \ud800 \u00""#, None),
            (r#""\"#, None),
        ] {
            assert_eq!(noncharacter(json), found, "{json}");
        }
    }
}
