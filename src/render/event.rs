//! An event on one line, and whether it reports a failure.

use std::borrow::Cow;

use chrono::{DateTime, Local, TimeZone};

use serde_json::{Map, Value};

use crate::wire::{Event, Timestamp};

use super::json::{JsonStyle, write_json};
use super::palette::Palette;
use super::sanitize::printable;

/// Parts of the names of events that always report failures.
const FAILURE_NAMES: &[&str] = &["CORRUPTED", "CRASH", "ERROR", "FAILURE", "PANIC", "REPORT_BAD"];

/// Members of an event's data, with the values that report a failure.
const FAILURE_MEMBERS: &[(&str, &[&str])] =
    &[("device-state", &["error"]), ("reason", &["error"]), ("status", &["aborting", "failed"])];

/// Returns whether an event reports a failure, such as that of a job.
pub fn is_failure(event: &Event) -> bool {
    if FAILURE_NAMES.iter().any(|part| event.name().contains(part)) {
        return true;
    }
    let Ok(data) = event.data_as::<Map<String, Value>>() else { return false };
    let has_value = |(member, values): &(&str, &[&str])| {
        data.get(*member).and_then(Value::as_str).is_some_and(|value| values.contains(&value))
    };
    data.get("error").is_some_and(|error| !error.is_null()) || FAILURE_MEMBERS.iter().any(has_value)
}

/// Returns the palette for an event: failures look like errors.
pub fn event_palette<'p>(event: &Event, palette: &'p Palette) -> Cow<'p, Palette> {
    match palette.is_colored() && is_failure(event) {
        true => Cow::Owned(palette.for_failures()),
        false => Cow::Borrowed(palette),
    }
}

/// Returns `12:01:02.345 STOP {…}`: the local time, the name and the data, without a line end. The name of the server, if
/// there are several, comes before that of the event: `12:01:02.345 dst: STOP`.
pub fn event_line(event: &Event, server: Option<&str>, palette: &Palette) -> String {
    let palette = &*event_palette(event, palette);
    let time = event.timestamp().map_or_else(|| NO_TIME.to_owned(), local_time);
    let server = server.map(|name| format!("{}: ", printable(name))).unwrap_or_default();
    let (time, name) = (palette.paint(&palette.dim, &time), palette.paint(&palette.name, &printable(event.name())));
    let mut out = format!("{time} {server}{name}");
    if let Some(data) = event.data() {
        let mut text = Vec::new();
        // Writing to memory cannot fail.
        let _ = write_json(data, JsonStyle::Line, palette, true, &mut text);
        out.push(' ');
        out.push_str(&String::from_utf8_lossy(&text));
    }
    out
}

/// The replacement for a time that is unknown.
const NO_TIME: &str = "--:--:--.---";

/// Returns the local time of day with milliseconds. The time is unknown if the server could not read its clock, which
/// negative seconds mean.
pub fn local_time(timestamp: Timestamp) -> String {
    let nanos = u32::try_from(timestamp.microseconds.clamp(0, 999_999) * 1000).unwrap_or(0);
    let time: Option<DateTime<Local>> = Local.timestamp_opt(timestamp.seconds, nanos).single();
    match time {
        Some(time) if timestamp.seconds >= 0 => time.format("%H:%M:%S%.3f").to_string(),
        _ => NO_TIME.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Message;

    #[test]
    fn prints_one_line_without_control_characters() {
        let raw = r#"{"timestamp": {"seconds": -1, "microseconds": -1}, "event": "A\u001bB", "data": {"x":
            "\u0007"}}"#;
        let Ok(Message::Event(event)) = Message::parse(raw.as_bytes().to_vec()) else { panic!() };
        assert_eq!(
            event_line(&event, Some("dst"), &Palette::default()),
            "--:--:--.--- dst: A\\x1bB {\"x\": \"\\u0007\"}"
        );
    }

    fn event(name: &str, data: &str) -> Event {
        match Message::parse(format!("{{\"event\": \"{name}\", \"data\": {data}}}").into_bytes()) {
            Ok(Message::Event(event)) => event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn failures_look_like_errors() {
        for (name, data) in [
            ("BLOCK_JOB_ERROR", r#"{"device": "j", "action": "report"}"#),
            ("BLOCK_JOB_COMPLETED", r#"{"device": "j", "error": "Input/output error"}"#),
            ("JOB_STATUS_CHANGE", r#"{"id": "j", "status": "aborting"}"#),
            ("MIGRATION", r#"{"status": "failed"}"#),
            ("BLOCK_IO_ERROR", "{}"),
            ("DEVICE_UNPLUG_GUEST_ERROR", "{}"),
            ("MEM_UNPLUG_ERROR", "{}"),
            ("GUEST_PANICKED", "{}"),
            ("QUORUM_FAILURE", "{}"),
            ("DUMP_COMPLETED", r#"{"result": {"status": "failed"}, "error": "no space"}"#),
            ("COLO_EXIT", r#"{"mode": "primary", "reason": "error"}"#),
        ] {
            let line = event_line(&event(name, data), None, &Palette::new(true));
            assert!(is_failure(&event(name, data)) && line.contains(&format!("\x1b[1;31m{name}")), "{line}");
            assert!(!line.contains("\x1b[32m"), "{line}");
        }
        for (name, data) in [
            ("BLOCK_JOB_COMPLETED", r#"{"device": "error", "len": 5, "error": null}"#),
            ("JOB_STATUS_CHANGE", r#"{"id": "failed", "status": "ready"}"#),
            ("MIGRATION", r#"{"status": "completed"}"#),
            ("STOP", "[]"),
        ] {
            assert!(!is_failure(&event(name, data)), "{name}");
        }
    }

    #[test]
    fn prints_milliseconds() {
        let text = local_time(Timestamp { seconds: 1_700_000_000, microseconds: 345_678 });
        assert!(text.ends_with(".345") && text.len() == 12, "{text}");
    }
}
