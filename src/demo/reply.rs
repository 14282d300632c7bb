//! What the server says, spelled: greeting, reply, error, event; one message a line, with QEMU's spacing and CRLF.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Value, json};

use super::event::Event;
use super::failure::{Failure, Outcome};

/// The greeting.
pub fn greeting() -> String {
    let qemu = json!({"micro": 0, "minor": 0, "major": 10});
    line(spell(&json!({"QMP": {"version": {"qemu": qemu, "package": "demo"}, "capabilities": ["oob"]}})))
}

/// The reply to one command, with its id as the client spelled it.
pub fn reply(outcome: &Outcome, id: Option<&str>) -> String {
    let mut text = match outcome {
        Ok(value) => format!("{{\"return\": {}", spell(value)),
        Err(Failure { class, desc }) => {
            format!("{{\"error\": {}", spell(&json!({"class": class.name(), "desc": desc})))
        }
    };
    if let Some(id) = id {
        text.push_str(", \"id\": ");
        text.push_str(id);
    }
    text.push('}');
    line(text)
}

/// An event, stamped with the time given.
pub fn event(event: &Event, time: SystemTime) -> String {
    let stamp = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => json!({"seconds": since.as_secs(), "microseconds": since.subsec_micros()}),
        Err(_) => json!({"seconds": -1, "microseconds": -1}),
    };
    let mut message = json!({"timestamp": stamp, "event": event.kind.name});
    if let Some(data) = &event.data {
        message["data"] = data.clone();
    }
    line(spell(&message))
}

fn line(mut text: String) -> String {
    text.push_str("\r\n");
    text
}

/// JSON with a blank behind each comma and colon, as QEMU writes it.
fn spell(value: &Value) -> String {
    let mut out = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut out, Spaced)).expect("a value, which memory has room for");
    String::from_utf8(out).expect("JSON, which is UTF-8")
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::event::{SHUTDOWN, STOP};
    use super::super::failure::Class;
    use super::*;

    #[test]
    fn messages_look_as_those_of_qemu() {
        assert_eq!(
            greeting(),
            "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 0, \"major\": 10}, \"package\": \"demo\"}, \
             \"capabilities\": [\"oob\"]}}\r\n"
        );
        assert_eq!(reply(&Ok(json!([1, {"a": {}, "b": []}])), None), "{\"return\": [1, {\"a\": {}, \"b\": []}]}\r\n");
        assert_eq!(
            reply(&Err(Failure::of(Class::CommandNotFound, "no \"x\"")), Some("1.0")),
            "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no \\\"x\\\"\"}, \"id\": 1.0}\r\n"
        );
    }

    #[test]
    fn events_are_stamped() {
        let time = UNIX_EPOCH + Duration::from_micros(5_000_007);
        assert_eq!(
            event(&Event::bare(&STOP), time),
            "{\"timestamp\": {\"seconds\": 5, \"microseconds\": 7}, \"event\": \"STOP\"}\r\n"
        );
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert!(event(&Event::with(&SHUTDOWN, json!({"guest": true})), before).contains("\"seconds\": -1"));
    }
}
