//! What can be saved of a message that is not quite JSON.
//!
//! A reply that cannot be read must still end the wait of the command it answers.

use std::borrow::Cow;

use super::text::{end_of_string, preview, quote};

/// `text` with `nan` and `inf`, in any spelling that C or Python gives them, replaced by a number of the same length. Places
/// in it are places in `text`.
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
                    // One number as long as the word: a shorter one would not take all of the word's place.
                    bytes[at..end].fill(b'1');
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    String::from_utf8(bytes).expect("text in which only ASCII was exchanged for ASCII")
}

/// `text` with bare control characters in strings, which JSON does not have there, written as escapes.
pub(super) fn escape_controls(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(len) = memchr::memchr(b'"', &bytes[at..]) {
        let (start, end) = (at + len, end_of_string(bytes, at + len + 1));
        for control in (start..end).filter(|place| bytes[*place] < 0x20) {
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

/// `text` as it is where it is JSON; with its bare control characters escaped where that makes it JSON; else as a JSON string.
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

/// A reply to put in the place of `text`, which is past mending: an error that says so, under the id that `text` bears.
/// `None` where it bears no number for an id.
pub(super) fn synthetic_reply(text: &str, fault: &serde_json::Error) -> Option<String> {
    let id = number_of_id(text)?;
    let desc = format!("the reply is not JSON ({fault}): {}", preview(text));
    Some(format!("{{\"error\": {{\"class\": \"InvalidReply\", \"desc\": {}}}, \"id\": {id}}}", quote(&desc)))
}

/// The number behind an outermost `"id":`.
fn number_of_id(text: &str) -> Option<u64> {
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
                    let len = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
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
    fn numbers_that_are_none_are_mended_in_place() {
        for (text, mended) in [
            ("[NaN, -nan,inf ,Infinity]", "[111, 1111,111 ,11111111]"),
            ("[\"nan\", \"a\\\" nan\", nano]", "[\"nan\", \"a\\\" nan\", nano]"),
        ] {
            assert_eq!(replace_nan(text), mended);
        }
    }

    #[test]
    fn bare_controls_in_strings_are_escaped() {
        for (text, escaped) in [
            ("{\"a\tb\\\"\u{1b}é\": 1,\n \"\0\": \"\n", "{\"a\\u0009b\\\"\\u001bé\": 1,\n \"\\u0000\": \"\\u000a"),
            ("{\"a\":\t\"\\u0009\x7f\"}", "{\"a\":\t\"\\u0009\x7f\"}"),
        ] {
            assert_eq!(escape_controls(text), escaped);
        }
    }

    #[test]
    fn the_id_is_found_in_a_ruin() {
        for (text, id) in [
            (r#"{"return": [1}, "id": 7}"#, Some(7)),
            (r#"{"id" : 7, "return": {"id": 8 9}}"#, Some(7)),
            (r#"{"return": {"id": 8 9}}"#, None),
            (r#"{"return": "id", "id": "7"}"#, None),
            (r#"{"return": "\"#, None),
        ] {
            assert_eq!(number_of_id(text), id, "{text}");
        }
    }

    proptest! {
        /// Any text at all is looked at without harm.
        #[test]
        fn any_text_is_mended_to_its_own_length(text in "[\\PC\\x00-\\x20\"{}\\[\\]:\\\\idnaf0-9]{0,40}") {
            prop_assert!(replace_nan(&text).len() == text.len());
            number_of_id(&text);
            escape_controls(&text);
        }
    }
}
