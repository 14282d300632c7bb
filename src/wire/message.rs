//! What a server sends: greeting, reply, event.
//!
//! Each message owns its text as received and knows where its members stand in it, so that a value reaches the user
//! in the server's own spelling. Follows the QEMU Machine Protocol Specification, sections "Protocol Specification"
//! ("Server Greeting", "Commands Responses", "Asynchronous events").

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::recover::{escape_controls, replace_nan, synthetic_reply};
use super::text::preview;

/// One message from the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// The first message of a connection.
    Greeting(Greeting),
    /// The answer to one command.
    Reply(Reply),
    /// Something that happened by itself.
    Event(Event),
}

/// A JSON object that is no QMP message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("the server sent what is no QMP message ({reason}): {preview}")]
pub struct MessageError {
    /// What is wrong with it.
    pub reason: String,
    /// Its beginning, made printable.
    pub preview: String,
}

/// The version that a server announces in its greeting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Version {
    /// Major, minor and micro number, in the order in which versions compare: `numbers >= (8, 2, 0)`.
    pub numbers: (u64, u64, u64),
    /// What the packager added, often nothing.
    pub package: String,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, micro) = self.numbers;
        write!(f, "{major}.{minor}.{micro}")
    }
}

/// The server's greeting: the first thing that it says on a connection. Follows "Server Greeting" of the specification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Greeting {
    /// The version, where the greeting has one that can be read.
    pub version: Option<Version>,
    /// The capabilities on offer, such as `oob`.
    pub capabilities: Vec<String>,
}

/// When the server says that an event happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timestamp {
    /// Seconds since the epoch; -1 where the host's time could not be read.
    pub seconds: i64,
    /// Microseconds within the second; -1 likewise.
    pub microseconds: i64,
}

/// Something that happened in the server, said when it did. Follows "Asynchronous events" of the specification.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    text: String,
    name: String,
    data: Option<Range<usize>>,
    timestamp: Option<Timestamp>,
}

/// The answer to one command. Follows "Commands Responses" of the specification.
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

/// What a reply says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyBody<'a> {
    /// Success, with the return value as the server spelled it.
    Return(&'a str),
    /// Failure.
    Error {
        /// The error class, such as `GenericError`.
        class: &'a str,
        /// The server's sentence for people.
        desc: &'a str,
    },
}

/// The members a server's message may have. Unknown ones are passed over, as the specification asks.
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

/// `null` is a value like any other: a member that is there is `Some`.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// What a message holds, and where.
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
    fn of(text: &str) -> Result<Members, serde_json::Error> {
        let envelope: Envelope<'_> = serde_json::from_str(text)?;
        let place = |raw: &RawValue| {
            let start = raw.get().as_ptr() as usize - text.as_ptr() as usize;
            start..start + raw.get().len()
        };
        Ok(Members {
            returned: envelope.returned.map(place),
            error: envelope.error.map(place),
            event: envelope.event,
            data: envelope.data.map(place),
            timestamp: envelope.timestamp.and_then(|raw| timestamp(raw.get())),
            id: envelope.id.map(place),
            greeting: envelope.greeting.map(|raw| greeting(raw.get())),
        })
    }
}

impl Incoming {
    /// Reads one whole message. Bytes that are not UTF-8 become U+FFFD, so that a broken string costs no reply; nor does
    /// a number such as `nan`, which is shown as it came, or a bare control character in a string, which is shown as an
    /// escape. A reply past that is an error of the class `InvalidReply`.
    pub fn parse(bytes: Vec<u8>) -> Result<Incoming, MessageError> {
        let text =
            String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        let fault = match Members::of(&text) {
            Ok(members) => return Incoming::new(members, text),
            Err(fault) => fault,
        };
        let text = match escape_controls(&text) {
            Cow::Owned(escaped) => escaped,
            Cow::Borrowed(_) => text,
        };
        if let Ok(members) = Members::of(&replace_nan(&text)) {
            return Incoming::new(members, text);
        }
        if let Some(text) = synthetic_reply(&text, &fault)
            && let Ok(members) = Members::of(&text)
        {
            return Incoming::new(members, text);
        }
        Err(MessageError { reason: fault.to_string(), preview: preview(&text) })
    }

    fn new(members: Members, text: String) -> Result<Incoming, MessageError> {
        let id = members.id;
        if let Some(value) = members.returned {
            let body = Body::Return(value);
            return Ok(Incoming::Reply(Reply { id, body, text }));
        }
        if let Some(value) = members.error {
            let (class, desc) = error_parts(&text[value.clone()]);
            let body = Body::Error { value, class, desc };
            return Ok(Incoming::Reply(Reply { id, body, text }));
        }
        if let Some(name) = members.event {
            return Ok(Incoming::Event(Event { data: members.data, timestamp: members.timestamp, name, text }));
        }
        match members.greeting {
            Some(greeting) => Ok(Incoming::Greeting(greeting)),
            None => Err(MessageError {
                reason: "it has none of `return`, `error`, `event`, `QMP`".to_owned(),
                preview: preview(&text),
            }),
        }
    }
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

fn timestamp(raw: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Parts {
        seconds: i64,
        #[serde(default)]
        microseconds: i64,
    }
    let parts: Parts = serde_json::from_str(raw).ok()?;
    Some(Timestamp { seconds: parts.seconds, microseconds: parts.microseconds })
}

fn greeting(raw: &str) -> Greeting {
    // Read with tolerance: a newer server may say more, a broken one less, and neither hinders the session.
    let value: serde_json::Value = serde_json::from_str(raw).unwrap_or_default();
    let version = value.get("version").and_then(|version| {
        let qemu = version.get("qemu")?;
        let number = |key: &str| qemu.get(key)?.as_u64();
        Some(Version {
            numbers: (number("major")?, number("minor")?, number("micro")?),
            package: version.get("package").and_then(|p| p.as_str()).unwrap_or_default().to_owned(),
        })
    });
    let capabilities = value.get("capabilities").and_then(|list| list.as_array());
    let capabilities = capabilities.into_iter().flatten();
    let capabilities = capabilities.filter_map(|c| c.as_str().map(str::to_owned)).collect();
    Greeting { version, capabilities }
}

impl Greeting {
    /// Whether the server offers out-of-band execution.
    pub fn offers_oob(&self) -> bool {
        self.capabilities.iter().any(|c| c == "oob")
    }
}

impl Event {
    /// The event's name, such as `STOP`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The event's data as the server spelled it; `None` where it carries none.
    pub fn data(&self) -> Option<&str> {
        self.data.clone().map(|range| &self.text[range])
    }

    /// The event's data as a `T`; an event without data is taken for one with `{}`.
    pub fn data_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.data().unwrap_or("{}"))
    }

    /// When the server says it happened.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }

    /// The whole message as received.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Reply {
    /// What the reply says.
    pub fn body(&self) -> ReplyBody<'_> {
        match &self.body {
            Body::Return(range) => ReplyBody::Return(&self.text[range.clone()]),
            Body::Error { class, desc, .. } => ReplyBody::Error { class, desc },
        }
    }

    /// The reply's `id` as the server spelled it: the number that the command was sent under. None in the reply to what
    /// the server could not read.
    pub fn id(&self) -> Option<&str> {
        self.id.clone().map(|range| &self.text[range])
    }

    /// Whether the command succeeded.
    pub fn succeeded(&self) -> bool {
        matches!(self.body, Body::Return(_))
    }

    /// The member that says it: its key, `return` or `error`, and its value as the server spelled it.
    #[doc(hidden)]
    pub fn member(&self) -> (&'static str, &str) {
        match &self.body {
            Body::Return(range) => ("return", &self.text[range.clone()]),
            Body::Error { value, .. } => ("error", &self.text[value.clone()]),
        }
    }

    /// The whole message as received.
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Incoming {
        Incoming::parse(text.as_bytes().to_vec()).unwrap()
    }

    fn reply(text: &str) -> Reply {
        match parse(text) {
            Incoming::Reply(reply) => reply,
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
    fn errors_have_class_and_description() {
        let reply = reply(r#"{"error": {"class": "CommandNotFound", "desc": "no \"x\""}}"#);
        assert_eq!(reply.body(), ReplyBody::Error { class: "CommandNotFound", desc: "no \"x\"" });
        assert_eq!(reply.id(), None);
    }

    #[test]
    fn events_may_lack_data_and_time() {
        let Incoming::Event(event) =
            parse(r#"{"timestamp": {"seconds": -1, "microseconds": -1}, "event": "STOP", "new": 1}"#)
        else {
            panic!()
        };
        assert_eq!((event.name(), event.data()), ("STOP", None));
        assert_eq!(event.timestamp(), Some(Timestamp { seconds: -1, microseconds: -1 }));
    }

    #[test]
    fn greetings_are_read_with_tolerance() {
        let Incoming::Greeting(greeting) = parse(
            r#"{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": "p"}, "capabilities": ["oob", 5]}}"#,
        ) else {
            panic!()
        };
        assert_eq!(greeting.version.as_ref().unwrap().to_string(), "10.0.2");
        assert!(greeting.offers_oob());
        assert_eq!(parse(r#"{"QMP": []}"#), Incoming::Greeting(Greeting::default()));
    }

    #[test]
    fn what_is_no_message_says_so() {
        for text in ["{}", "{\"return\": 1]", "{\"a\" 1}", "{\"return\": NaM}"] {
            assert!(Incoming::parse(text.as_bytes().to_vec()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_that_is_none_is_shown_as_it_came() {
        for value in ["[NaN]", "-inf", "{\"rate\": -nan, \"x\": inf}"] {
            let reply = reply(&format!("{{\"return\": {value}, \"id\": 7}}"));
            assert_eq!((reply.body(), reply.id()), (ReplyBody::Return(value), Some("7")));
        }
    }

    #[test]
    fn a_bare_control_character_is_an_escape() {
        let reply = reply("{\"return\": [\"a\tb\", nan], \"id\": 7}");
        assert_eq!((reply.body(), reply.id()), (ReplyBody::Return("[\"a\\u0009b\", nan]"), Some("7")));
    }

    #[test]
    fn a_reply_that_is_not_json_is_an_error_under_its_id() {
        let reply = reply("{\"return\": [1}, \"id\": 7}");
        let ReplyBody::Error { class, desc } = reply.body() else { panic!() };
        assert_eq!((class, reply.id()), ("InvalidReply", Some("7")));
        assert!(desc.ends_with("): {\"return\": [1}, \"id\": 7}"), "{desc}");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        let bytes = b"{\"return\": \"a\xC3(\"}".to_vec();
        let Incoming::Reply(reply) = Incoming::parse(bytes).unwrap() else { panic!() };
        assert_eq!(reply.body(), ReplyBody::Return("\"a\u{FFFD}(\""));
    }
}
