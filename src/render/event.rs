//! Prints an event on one line.

use chrono::{DateTime, Local, TimeZone};

use crate::wire::{Event, Timestamp};

use super::json::{JsonStyle, write_json};
use super::palette::Palette;
use super::sanitize::printable;

/// Returns `12:01:02.345 STOP {…}`: the local time, the name and the data, without a line end.
pub fn event_line(event: &Event, palette: &Palette) -> String {
    let time = event.timestamp().map_or_else(|| NO_TIME.to_owned(), local_time);
    let mut out =
        format!("{} {}", palette.paint(&palette.dim, &time), palette.paint(&palette.name, &printable(event.name())));
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
        assert_eq!(event_line(&event, &Palette::default()), "--:--:--.--- A\\x1bB {\"x\": \"\\u0007\"}");
    }

    #[test]
    fn prints_milliseconds() {
        let text = local_time(Timestamp { seconds: 1_700_000_000, microseconds: 345_678 });
        assert!(text.ends_with(".345") && text.len() == 12, "{text}");
    }
}
