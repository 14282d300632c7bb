//! Replies: those of the server with the id of the client's request, and those of the share itself.

use std::ops::Range;

use bytes::Bytes;

use crate::wire::{Reply, quote};

/// The end of a message, as QEMU ends it.
const LINE_END: &str = "\r\n";

/// Returns a message as it is sent to a client.
pub(super) fn message_line(mut text: String) -> Bytes {
    text.push_str(LINE_END);
    text.into()
}

/// Joins parts of a message, with room for a line end: a large reply is copied once.
fn joined(parts: &[&str]) -> String {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let mut text = String::with_capacity(len + LINE_END.len());
    parts.iter().for_each(|part| text.push_str(part));
    text
}

/// Returns a reply of the server with the `id` that the client sent, or without one.
pub(super) fn reply_with_id(reply: &Reply, id: Option<&str>) -> String {
    let text = reply.text();
    match (reply.id_range(), id) {
        (Some(range), Some(id)) => joined(&[&text[..range.start], id, &text[range.end..]]),
        (Some(range), None) => match member_range(text, &range) {
            Some(member) => joined(&[&text[..member.start], &text[member.end..]]),
            None => rebuilt(reply, None),
        },
        (None, id) => rebuilt(reply, id),
    }
}

/// Returns a successful reply of the share itself.
pub(super) fn empty_return(id: Option<&str>) -> String {
    format!("{{\"return\": {{}}{}}}", id_member(id))
}

/// Returns an error of the share itself.
pub(super) fn error(class: &str, desc: &str, id: Option<&str>) -> String {
    format!("{{\"error\": {{\"class\": \"{class}\", \"desc\": {}}}{}}}", quote(desc), id_member(id))
}

fn id_member(id: Option<&str>) -> String {
    id.map(|id| format!(", \"id\": {id}")).unwrap_or_default()
}

/// Returns a reply with the same result and no other members.
fn rebuilt(reply: &Reply, id: Option<&str>) -> String {
    let (key, value) = reply.member();
    format!("{{\"{key}\": {value}{}}}", id_member(id))
}

/// Returns the range of the member `id` with the given value, and of the comma that separates it from another.
fn member_range(text: &str, value: &Range<usize>) -> Option<Range<usize>> {
    let before = text[..value.start].trim_end().strip_suffix(':')?.trim_end().strip_suffix("\"id\"")?.trim_end();
    if let Some(before) = before.strip_suffix(',') {
        return Some(before.len()..value.end);
    }
    let after = text[value.end..].trim_start();
    let after = after.strip_prefix(',').map_or(after, str::trim_start);
    Some(before.len()..text.len() - after.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Message;

    fn with_id(text: &str, id: Option<&str>) -> String {
        match Message::parse(text.as_bytes().to_vec()) {
            Ok(Message::Reply(reply)) => reply_with_id(&reply, id),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn restores_the_id_and_leaves_the_rest_as_it_is() {
        for (text, id, expected) in [
            (r#"{"return": {"id": 7}, "id": 12345}"#, Some("[1]"), r#"{"return": {"id": 7}, "id": [1]}"#),
            (r#"{"return": {"a": 1.50}, "id": 12345}"#, None, r#"{"return": {"a": 1.50}}"#),
            (r#"{"id": 12345, "return": {}, "x": 1}"#, None, r#"{"return": {}, "x": 1}"#),
            (r#"{"id": 12345, "return": {}, "x": 1}"#, Some("null"), r#"{"id": null, "return": {}, "x": 1}"#),
            ("{\r\n    \"return\": {},\r\n    \"id\": 1\r\n}", None, "{\r\n    \"return\": {}\r\n}"),
            (r#"{"\u0069d": 1, "return": []}"#, None, r#"{"return": []}"#),
            (
                r#"{"error": {"class": "GenericError", "desc": "x"}}"#,
                Some("\"a\""),
                r#"{"error": {"class": "GenericError", "desc": "x"}, "id": "a"}"#,
            ),
        ] {
            assert_eq!(with_id(text, id), expected);
        }
        assert_eq!(empty_return(Some("1")), r#"{"return": {}, "id": 1}"#);
        assert_eq!(error("A", "b \"c\"", None), r#"{"error": {"class": "A", "desc": "b \"c\""}}"#);
    }
}
