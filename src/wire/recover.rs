//! Recovers messages that are not quite JSON: a broken reply must still complete its command.

use std::borrow::Cow;

use super::text::{end_of_string, preview, quote};

/// Replaces `nan` and `inf`, in any spelling of C or Python, with numbers of the same length, so that indices stay
/// valid.
pub(super) fn replace_nan(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(&bytes, at + 1),
            b'-' | b'+' | b'a'..=b'z' | b'A'..=b'Z' => {
                let word = bytes[at..].iter().take_while(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'+'));
                let end = at + word.count();
                if is_not_finite(&bytes[at..end]) {
                    bytes[at..end].fill(b'1');
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    String::from_utf8(bytes).expect("only ASCII characters were replaced, by ASCII digits")
}

/// Escapes control characters in strings, where JSON does not allow them.
pub(super) fn escape_controls(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(len) = memchr::memchr(b'"', &bytes[at..]) {
        let (start, end) = (at + len, end_of_string(bytes, at + len + 1));
        for control in (start..end).filter(|index| bytes[*index] < 0x20) {
            out.push_str(&text[copied..control]);
            out.push_str(&format!("\\u{:04x}", bytes[control]));
            copied = control + 1;
        }
        at = end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// Returns valid JSON for `text`: the text itself, the text with control characters escaped, or a JSON string of it.
pub fn to_valid_json(text: &str) -> Cow<'_, str> {
    let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if is_json(text) {
        return Cow::Borrowed(text);
    }
    match escape_controls(text) {
        escaped if is_json(&escaped) => escaped,
        _ => Cow::Owned(quote(text)),
    }
}

fn is_not_finite(word: &[u8]) -> bool {
    let word = word.strip_prefix(b"-").or(word.strip_prefix(b"+")).unwrap_or(word);
    [b"nan".as_slice(), b"inf", b"infinity"].iter().any(|name| word.eq_ignore_ascii_case(name))
}

/// Returns an error reply in the place of the broken reply `text`, with its id if that is found. `None` if it is not a
/// reply.
pub(super) fn synthetic_reply(text: &str, reason: &str) -> Option<String> {
    let id = match find_id(text).or_else(|| id_at_end(text)) {
        Some(id) => format!(", \"id\": {id}"),
        None if begins_reply(text) => String::new(),
        None => return None,
    };
    let desc = format!("the reply is not valid JSON ({reason}): {}", preview(text.trim_end()));
    Some(format!("{{\"error\": {{\"class\": \"InvalidReply\", \"desc\": {}}}{id}}}", quote(&desc)))
}

fn begins_reply(text: &str) -> bool {
    let key = text.trim_start_matches('{').trim_start();
    key.starts_with("\"return\"") || key.starts_with("\"error\"")
}

/// Finds the number after `"id":` if nothing but the closing brace follows, whatever is before it.
fn id_at_end(text: &str) -> Option<u64> {
    let (_, rest) = text.rsplit_once("\"id\"")?;
    rest.trim().trim_end_matches('}').strip_prefix(':')?.trim().parse().ok()
}

/// Finds the number after `"id":` in the outermost object.
fn find_id(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let end = end_of_string(bytes, at + 1);
                if depth == 1
                    && &bytes[at..end] == b"\"id\""
                    && let Some(value) = text[end..].trim_start().strip_prefix(':')
                {
                    let value = value.trim_start();
                    let is_in_number = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-');
                    let len = value.find(|c| !is_in_number(c)).unwrap_or(value.len());
                    return value[..len].parse().ok();
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, proptest};

    #[test]
    fn replaces_nan_and_infinity_in_place() {
        for (text, replaced) in [
            ("[NaN, -nan,inf ,Infinity]", "[111, 1111,111 ,11111111]"),
            ("[\"nan\", \"a\\\" nan\", nano]", "[\"nan\", \"a\\\" nan\", nano]"),
        ] {
            assert_eq!(replace_nan(text), replaced);
        }
    }

    #[test]
    fn escapes_control_characters_in_strings() {
        for (text, escaped) in [
            ("{\"a\tb\\\"\u{1b}é\": 1,\n \"\0\": \"\n", "{\"a\\u0009b\\\"\\u001bé\": 1,\n \"\\u0000\": \"\\u000a"),
            ("{\"a\":\t\"\\u0009\x7f\"}", "{\"a\":\t\"\\u0009\x7f\"}"),
        ] {
            assert_eq!(escape_controls(text), escaped);
        }
    }

    #[test]
    fn finds_the_id_in_broken_json() {
        for (text, id) in [
            (r#"{"return": [1}, "id": 7}"#, Some(7)),
            (r#"{"id" : 7, "return": {"id": 8 9}}"#, Some(7)),
            (r#"{"return": {"id": 8 9}}"#, None),
            (r#"{"return": "id", "id": "7"}"#, None),
            (r#"{"return": [1}, "id": 7.5}"#, None),
            (r#"{"return": "\"#, None),
        ] {
            assert_eq!(find_id(text), id, "{text}");
        }
        assert_eq!(id_at_end("{\"return\": \"C:\\\", \"id\": 7 }\r"), Some(7));
        assert_eq!(id_at_end("{\"id\": 7, \"return\": \"C:\\\"}"), None);
    }

    proptest! {
        #[test]
        fn accepts_any_text(text in "[\\PC\\x00-\\x20\"{}\\[\\]:\\\\idnaf0-9]{0,40}") {
            prop_assert!(replace_nan(&text).len() == text.len());
            find_id(&text);
            escape_controls(&text);
        }
    }
}
