//! Messages from the server, above all replies and events.
//!
//! Each message owns the received text and the ranges of its members in it, so that values reach the user as the server
//! wrote them. Follows the QEMU Machine Protocol Specification, sections "Protocol Specification"
//! ("Server Greeting", "Commands Responses", "Asynchronous events").

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::greeting::Greeting;
use super::recover::{escape_controls, replace_nan, synthetic_reply};
use super::text::preview;

/// A message from the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// The first message of a connection.
    Greeting(Greeting),
    /// The reply to one command.
    Reply(Reply),
    /// A notification that is not a reply.
    Event(Event),
}

/// The error for text that is not a QMP message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("the server sent an invalid QMP message ({reason}): {preview}")]
pub struct MessageError {
    /// Why it is invalid.
    pub reason: String,
    /// The beginning of the text, with control characters escaped.
    pub preview: String,
}

/// The time of an event by the server's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timestamp {
    /// Seconds since the Unix epoch; -1 if the server could not read its clock.
    pub seconds: i64,
    /// Microseconds within the second; -1 if the server could not read its clock.
    pub microseconds: i64,
}

/// A notification about a change in the server. Follows "Asynchronous events" of the specification.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    text: String,
    name: String,
    data: Option<Range<usize>>,
    timestamp: Option<Timestamp>,
}

/// The reply to one command. Follows "Commands Responses" of the specification.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    text: String,
    id: Option<Range<usize>>,
    body: Body,
}

#[derive(Debug, Clone, PartialEq)]
enum Body {
    Return(Range<usize>),
    Error { value: Range<usize>, class: String, desc: String },
}

/// The result in a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyBody<'a> {
    /// Success, with the return value as the server wrote it.
    Return(&'a str),
    /// Failure.
    Error {
        /// The error class, such as `GenericError`.
        class: &'a str,
        /// A human-readable description.
        desc: &'a str,
    },
}

/// The members of a message. Unknown ones are ignored, as the specification requires.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "return", borrow, default, deserialize_with = "present")]
    returned: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
    #[serde(default)]
    event: Option<String>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(rename = "QMP", borrow, default)]
    greeting: Option<&'a RawValue>,
}

/// Deserialises a member that is present, even if it is `null`, to `Some`.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// The members of a message, with the ranges of their values in its text.
#[derive(Default)]
struct Members {
    returned: Option<Range<usize>>,
    error: Option<Range<usize>>,
    event: Option<String>,
    data: Option<Range<usize>>,
    timestamp: Option<Timestamp>,
    id: Option<Range<usize>>,
    greeting: Option<Greeting>,
}

impl Members {
    fn parse(text: &str) -> Result<Members, serde_json::Error> {
        let envelope: Envelope<'_> = serde_json::from_str(text)?;
        let range_of = |raw: &RawValue| {
            let start = raw.get().as_ptr() as usize - text.as_ptr() as usize;
            start..start + raw.get().len()
        };
        Ok(Members {
            returned: envelope.returned.map(range_of),
            error: envelope.error.map(range_of),
            event: envelope.event,
            data: envelope.data.map(range_of),
            timestamp: envelope.timestamp.and_then(|raw| parse_timestamp(raw.get())),
            id: envelope.id.map(range_of),
            greeting: envelope.greeting.map(|raw| Greeting::parse(raw.get())),
        })
    }
}

impl Message {
    /// Parses one message.
    ///
    /// Some invalid JSON is accepted, so that the reply is not lost: bytes that are not UTF-8 become U+FFFD, control
    /// characters in strings are escaped, and numbers such as `nan` are kept as they are. Any other reply that is not valid
    /// JSON becomes an error of the class `InvalidReply`.
    ///
    /// # Errors
    ///
    /// If the text is neither a QMP message nor a broken reply.
    pub fn parse(bytes: Vec<u8>) -> Result<Message, MessageError> {
        let text =
            String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        let error = match Members::parse(&text) {
            Ok(members) => return Message::new(members, text),
            Err(error) => error,
        };
        let text = match escape_controls(&text) {
            Cow::Owned(escaped) => escaped,
            Cow::Borrowed(_) => text,
        };
        if let Ok(members) = Members::parse(&replace_nan(&text)) {
            return Message::new(members, text);
        }
        Message::replaced(&text, &error.to_string())
    }

    /// Returns the error of the class `InvalidReply` for a [`Frame::Broken`](super::Frame::Broken).
    ///
    /// # Errors
    ///
    /// If it is not the beginning of a reply.
    pub fn of_broken(bytes: &[u8], reason: &str) -> Result<Message, MessageError> {
        Message::replaced(&String::from_utf8_lossy(bytes), reason)
    }

    /// Returns an error in the place of a broken reply.
    fn replaced(text: &str, reason: &str) -> Result<Message, MessageError> {
        if let Some(text) = synthetic_reply(text, reason)
            && let Ok(members) = Members::parse(&text)
        {
            return Message::new(members, text);
        }
        Err(MessageError { reason: reason.to_owned(), preview: preview(text.trim_end()) })
    }

    fn new(members: Members, text: String) -> Result<Message, MessageError> {
        let id = members.id;
        if let Some(value) = members.returned {
            let body = Body::Return(value);
            return Ok(Message::Reply(Reply { id, body, text }));
        }
        if let Some(value) = members.error {
            let (class, desc) = error_parts(&text[value.clone()]);
            let body = Body::Error { value, class, desc };
            return Ok(Message::Reply(Reply { id, body, text }));
        }
        if let Some(name) = members.event {
            let (text, data) = with_unquoted_data(text, members.data);
            return Ok(Message::Event(Event { data, timestamp: members.timestamp, name, text }));
        }
        match members.greeting {
            Some(greeting) => Ok(Message::Greeting(greeting)),
            None => Err(MessageError {
                reason: "missing `return`, `error`, `event` or `QMP`".to_owned(),
                preview: preview(&text),
            }),
        }
    }
}

/// The number of brackets in the data of an event up to which it may be a string. QEMU's messages nest less deeply.
const MAX_QUOTED_BRACKETS: usize = 1024;

/// Returns an event's text with the object that its data is. libvirt's proxy sends it as a string that contains the object.
fn with_unquoted_data(mut text: String, data: Option<Range<usize>>) -> (String, Option<Range<usize>>) {
    let Some(range) = data.clone().filter(|range| text[range.clone()].starts_with('"')) else { return (text, data) };
    let Ok(object) = serde_json::from_str::<String>(&text[range.clone()]) else { return (text, data) };
    let brackets = object.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count();
    let is_object = object.starts_with('{')
        && brackets <= MAX_QUOTED_BRACKETS
        && serde_json::from_str::<&RawValue>(&object).is_ok_and(|raw| raw.get().len() == object.len());
    if !is_object {
        return (text, data);
    }
    let unquoted = range.start..range.start + object.len();
    text.replace_range(range, &object);
    (text, Some(unquoted))
}

fn error_parts(raw: &str) -> (String, String) {
    #[derive(Deserialize)]
    struct Parts {
        class: Option<String>,
        desc: Option<String>,
    }
    match serde_json::from_str::<Parts>(raw) {
        Ok(parts) => (
            parts.class.unwrap_or_else(|| "GenericError".to_owned()),
            parts.desc.unwrap_or_else(|| "(no description)".to_owned()),
        ),
        Err(_) => ("GenericError".to_owned(), raw.to_owned()),
    }
}

fn parse_timestamp(raw: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Parts {
        seconds: i64,
        #[serde(default)]
        microseconds: i64,
    }
    let parts: Parts = serde_json::from_str(raw).ok()?;
    Some(Timestamp { seconds: parts.seconds, microseconds: parts.microseconds })
}

impl Event {
    /// Returns the event's name, such as `STOP`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the event's data, JSON as the server wrote it. `None` if it has no data.
    pub fn data(&self) -> Option<&str> {
        self.data.clone().map(|range| &self.text[range])
    }

    /// Deserialises the event's data; `{}` if it has no data.
    pub fn data_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.data().unwrap_or("{}"))
    }

    /// Returns the time of the event. `None` if the message has no valid timestamp.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }

    /// Returns the whole message as received.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Reply {
    /// Creates a successful reply without an id. `value` is JSON text.
    #[doc(hidden)]
    pub fn returning(value: &str) -> Reply {
        let prefix = "{\"return\": ";
        let body = Body::Return(prefix.len()..prefix.len() + value.len());
        Reply { id: None, body, text: format!("{prefix}{value}}}") }
    }

    /// Returns the result.
    pub fn body(&self) -> ReplyBody<'_> {
        match &self.body {
            Body::Return(range) => ReplyBody::Return(&self.text[range.clone()]),
            Body::Error { class, desc, .. } => ReplyBody::Error { class, desc },
        }
    }

    /// Returns the `id` as the server wrote it: the number that was sent with the command. `None` if the server could
    /// not parse the request.
    pub fn id(&self) -> Option<&str> {
        self.id.clone().map(|range| &self.text[range])
    }

    /// Returns the range of the id in the message.
    #[cfg(feature = "programs")]
    pub(crate) fn id_range(&self) -> Option<Range<usize>> {
        self.id.clone()
    }

    /// Returns whether the command succeeded.
    pub fn succeeded(&self) -> bool {
        matches!(self.body, Body::Return(_))
    }

    /// Returns the member with the result: its key, `return` or `error`, and its value as the server wrote it.
    #[doc(hidden)]
    pub fn member(&self) -> (&'static str, &str) {
        match &self.body {
            Body::Return(range) => ("return", &self.text[range.clone()]),
            Body::Error { value, .. } => ("error", &self.text[value.clone()]),
        }
    }

    /// Returns the whole message as received.
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Message {
        Message::parse(text.as_bytes().to_vec()).unwrap()
    }

    fn reply(text: &str) -> Reply {
        match parse(text) {
            Message::Reply(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_keep_the_servers_spelling() {
        let reply = reply(r#"{"return": {"b": 18446744073709551615, "a": 1.50, "c": 1e3}, "id": 7}"#);
        assert_eq!(reply.body(), ReplyBody::Return(r#"{"b": 18446744073709551615, "a": 1.50, "c": 1e3}"#));
        assert_eq!(reply.id(), Some("7"));
    }

    #[test]
    fn null_is_a_return_value() {
        assert_eq!(reply(r#"{"return": null, "id": null}"#).body(), ReplyBody::Return("null"));
        assert_eq!(reply(r#"{"return": null, "id": null}"#).id(), Some("null"));
    }

    #[test]
    fn parses_errors() {
        let reply = reply(r#"{"error": {"class": "CommandNotFound", "desc": "no \"x\""}}"#);
        assert_eq!(reply.body(), ReplyBody::Error { class: "CommandNotFound", desc: "no \"x\"" });
        assert_eq!(reply.id(), None);
    }

    #[test]
    fn parses_events_without_data_and_time() {
        let Message::Event(event) =
            parse(r#"{"timestamp": {"seconds": -1, "microseconds": -1}, "event": "STOP", "new": 1}"#)
        else {
            panic!()
        };
        assert_eq!((event.name(), event.data()), ("STOP", None));
        assert_eq!(event.timestamp(), Some(Timestamp { seconds: -1, microseconds: -1 }));
    }

    #[test]
    fn unquotes_the_data_of_an_event() {
        let data_of = |data: &str| match parse(&format!(r#"{{"event": "E", "data": {data}, "timestamp": 1}}"#)) {
            Message::Event(event) => (event.data().unwrap().to_owned(), event.text().to_owned()),
            other => panic!("{other:?}"),
        };
        let (data, text) = data_of(r#""{\"guest\":false,\"reason\":\"a\\\"b\"}""#);
        assert_eq!(data, r#"{"guest":false,"reason":"a\"b"}"#);
        assert_eq!(text, format!(r#"{{"event": "E", "data": {data}, "timestamp": 1}}"#));
        let deep = format!("\"{}{}\"", "{\\\"a\\\":".repeat(1100), "}".repeat(1100));
        for other in [r#""text""#, r#""{""#, r#""{} ""#, r#""[1]""#, r#"{"a": "{}"}"#, &deep] {
            assert_eq!(data_of(other).0, other);
        }
    }

    #[test]
    fn rejects_text_that_is_not_a_message() {
        for text in ["{}", "{\"event\": 1]", "{\"a\" 1}", "{\"data\": NaM}"] {
            assert!(Message::parse(text.as_bytes().to_vec()).is_err(), "{text}");
        }
    }

    #[test]
    fn keeps_nan_and_infinity() {
        for value in ["[NaN]", "-inf", "{\"rate\": -nan, \"x\": inf}"] {
            let reply = reply(&format!("{{\"return\": {value}, \"id\": 7}}"));
            assert_eq!((reply.body(), reply.id()), (ReplyBody::Return(value), Some("7")));
        }
    }

    #[test]
    fn escapes_control_characters() {
        let reply = reply("{\"return\": [\"a\tb\", nan], \"id\": 7}");
        assert_eq!((reply.body(), reply.id()), (ReplyBody::Return("[\"a\\u0009b\", nan]"), Some("7")));
    }

    #[test]
    fn broken_replies_become_errors_under_their_id() {
        let reply = reply("{\"return\": [1}, \"id\": 7}");
        let ReplyBody::Error { class, desc } = reply.body() else { panic!() };
        assert_eq!((class, reply.id()), ("InvalidReply", Some("7")));
        assert!(desc.ends_with("): {\"return\": [1}, \"id\": 7}"), "{desc}");

        let Ok(Message::Reply(reply)) = Message::of_broken(b"{\"return\": \"C:\\\", \"id\": 7}\r", "why") else {
            panic!()
        };
        let ReplyBody::Error { class, desc } = reply.body() else { panic!() };
        assert_eq!((class, reply.id()), ("InvalidReply", Some("7")));
        assert!(desc.contains("(why)"), "{desc}");
        for (text, id) in
            [("{\"return\": NaM}", None), ("{\"error\": ]}", None), ("{\"id\": 7, \"return\": x}", Some("7"))]
        {
            let Message::Reply(reply) = parse(text) else { panic!() };
            assert_eq!(reply.id(), id, "{text}");
        }
        assert!(Message::of_broken(b"{\"event\": \"A", "why").is_err());
    }

    #[test]
    fn replaces_bytes_that_are_not_utf8() {
        let bytes = b"{\"return\": \"a\xC3(\"}".to_vec();
        let Message::Reply(reply) = Message::parse(bytes).unwrap() else { panic!() };
        assert_eq!(reply.body(), ReplyBody::Return("\"a\u{FFFD}(\""));
    }
}
