//! Serialisation of greeting, replies and events: one per line, with QEMU's spacing and line ends.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Value, json};

use super::error::{CommandError, CommandResult};
use super::event::Event;

pub fn greeting() -> String {
    let qemu = json!({"micro": 0, "minor": 0, "major": 10});
    with_line_end(to_json(&json!({"QMP": {"version": {"qemu": qemu, "package": "demo"}, "capabilities": ["oob"]}})))
}

/// Returns the reply to a command. `id` is JSON text as the client wrote it.
pub fn reply(result: &CommandResult, id: Option<&str>) -> String {
    let mut text = match result {
        Ok(value) => format!("{{\"return\": {}", to_json(value)),
        Err(CommandError { class, desc }) => {
            format!("{{\"error\": {}", to_json(&json!({"class": class.name(), "desc": desc})))
        }
    };
    if let Some(id) = id {
        text.push_str(", \"id\": ");
        text.push_str(id);
    }
    text.push('}');
    with_line_end(text)
}

pub fn event(event: &Event, time: SystemTime) -> String {
    let timestamp = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => json!({"seconds": since.as_secs(), "microseconds": since.subsec_micros()}),
        Err(_) => json!({"seconds": -1, "microseconds": -1}),
    };
    let mut message = json!({"timestamp": timestamp, "event": event.event_type.name});
    if let Some(data) = &event.data {
        message["data"] = data.clone();
    }
    with_line_end(to_json(&message))
}

fn with_line_end(mut text: String) -> String {
    text.push_str("\r\n");
    text
}

/// Serialises with a space after each comma and colon, as QEMU does.
fn to_json(value: &Value) -> String {
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, QemuFormatter);
    value.serialize(&mut serializer).expect("writing to memory does not fail");
    String::from_utf8(out).expect("JSON is UTF-8")
}

struct QemuFormatter;

impl Formatter for QemuFormatter {
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

    use super::super::error::ErrorClass;
    use super::super::event::{SHUTDOWN, STOP};
    use super::*;

    #[test]
    fn formats_messages_as_qemu_does() {
        assert_eq!(
            greeting(),
            "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 0, \"major\": 10}, \"package\": \"demo\"}, \
             \"capabilities\": [\"oob\"]}}\r\n"
        );
        assert_eq!(reply(&Ok(json!([1, {"a": {}, "b": []}])), None), "{\"return\": [1, {\"a\": {}, \"b\": []}]}\r\n");
        assert_eq!(
            reply(&Err(CommandError::new(ErrorClass::CommandNotFound, "no \"x\"")), Some("1.0")),
            "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no \\\"x\\\"\"}, \"id\": 1.0}\r\n"
        );
    }

    #[test]
    fn adds_a_timestamp_to_events() {
        let time = UNIX_EPOCH + Duration::from_micros(5_000_007);
        assert_eq!(
            event(&Event::without_data(&STOP), time),
            "{\"timestamp\": {\"seconds\": 5, \"microseconds\": 7}, \"event\": \"STOP\"}\r\n"
        );
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert!(event(&Event::with_data(&SHUTDOWN, json!({"guest": true})), before).contains("\"seconds\": -1"));
    }
}
