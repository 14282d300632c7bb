//! String tokens of clients as JSON strings that every server reads.

/// Appends a string token, which has double or single quotes, as a JSON string. Escapes keep their spelling. An error
/// tells why QEMU would refuse the string.
pub(super) fn push_json_string(token: &[u8], out: &mut String) -> Result<(), &'static str> {
    let quote = token[0];
    let content = std::str::from_utf8(&token[1..token.len() - 1]).map_err(|_| "invalid UTF-8 in a string")?;
    out.reserve(token.len());
    out.push('"');
    let mut rest = content;
    while let Some(at) = rest.find(['\\', '"']) {
        push_text(&rest[..at], out)?;
        let escaped = rest[at + 1..].chars().next().filter(|_| rest[at..].starts_with('\\'));
        rest = match escaped {
            None => {
                debug_assert_eq!(quote, b'\'');
                out.push_str("\\\"");
                &rest[at + 1..]
            }
            Some('\'') => {
                out.push('\'');
                &rest[at + 2..]
            }
            Some('u') => {
                let (len, escape) = unicode_escape(&rest[at..])?;
                out.push_str(escape);
                &rest[at + len..]
            }
            Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => {
                out.push_str(&rest[at..at + 2]);
                &rest[at + 2..]
            }
            Some(_) => return Err("invalid escape in a string"),
        };
    }
    push_text(rest, out)?;
    out.push('"');
    Ok(())
}

/// Appends text without escapes.
fn push_text(text: &str, out: &mut String) -> Result<(), &'static str> {
    // Noncharacters have at least three bytes, and most strings are ASCII.
    if !text.is_ascii() && text.chars().any(is_noncharacter) {
        return Err("a noncharacter in a string");
    }
    out.push_str(text);
    Ok(())
}

/// Returns the escape `\uXXXX` at the start of `text`, or two that form a character, and its length.
fn unicode_escape(text: &str) -> Result<(usize, &str), &'static str> {
    const INVALID: &str = "invalid Unicode escape in a string";
    const LEN: usize = "\\uXXXX".len();
    let unit_at = |at: usize| -> Option<u16> {
        let digits = text.get(at..at + LEN)?.strip_prefix("\\u")?;
        digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
    };
    let first = unit_at(0).ok_or(INVALID)?;
    let (units, len) = match first {
        0xD800..=0xDBFF => (vec![first, unit_at(LEN).ok_or(INVALID)?], 2 * LEN),
        _ => (vec![first], LEN),
    };
    match char::decode_utf16(units).collect::<Result<Vec<char>, _>>().as_deref() {
        Ok([c]) if !is_noncharacter(*c) => Ok((len, &text[..len])),
        _ => Err(INVALID),
    }
}

/// Returns whether QEMU refuses a message with this character.
fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xFFFE == 0xFFFE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json_string(token: &[u8]) -> Result<String, &'static str> {
        let mut out = String::new();
        push_json_string(token, &mut out).map(|()| out)
    }

    #[test]
    fn converts_quotes_and_keeps_escapes() {
        for (token, expected) in [
            ("\"\"", "\"\""),
            (r#""a\n\u00e9\uD83D\ude00 \"é'""#, r#""a\n\u00e9\uD83D\ude00 \"é'""#),
            (r#"'it\'s "so" \"'"#, r#""it's \"so\" \"""#),
            (r#""it\'s""#, r#""it's""#),
            (r#""\u0000\\""#, r#""\u0000\\""#),
        ] {
            let converted = json_string(token.as_bytes()).unwrap();
            assert_eq!(converted, expected);
            serde_json::from_str::<String>(&converted).unwrap();
        }
    }

    #[test]
    fn rejects_what_qemu_rejects() {
        for token in [
            &b"\"\xc3\""[..],
            b"\"\\x41\"",
            b"\"\\u12\"",
            b"\"\\u+123\"",
            b"\"\\ud800\"",
            b"\"\\ud800\\u0041\"",
            b"\"\\udc00\"",
            b"\"\\ufffe\"",
            "\"\u{fdd0}\"".as_bytes(),
            b"\"\\\xc3\xa9\"",
        ] {
            assert!(json_string(token).is_err(), "{}", token.escape_ascii());
        }
    }
}
