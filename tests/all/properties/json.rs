//! The lenient JSON parser: its values are valid JSON, it accepts valid JSON, and its errors have spans.

use qmp_shell::grammar::{Json, JsonKind, MAX_DEPTH, parse_json};
use qmp_shell::wire::quote;

use serde_json::value::RawValue;

use super::{assertions, spans};

/// The input is the text.
pub fn check(data: &[u8]) {
    let Some(text) = assertions::text(data) else { return };
    let result = parse_json(text, 0);
    match &result {
        Err(diagnostic) => spans::diagnostic(text, diagnostic),
        Ok((json, end)) => {
            assert!(text.is_char_boundary(*end) && json.span.end == *end);
            let mut written = String::new();
            write(json, text, 0, &mut written);
            let raw = serde_json::from_str::<&RawValue>(&written);
            assert!(raw.is_ok(), "not valid JSON: {written}");
            if let Some(value) = parse(&text[..*end]) {
                assert_eq!(parse(&written), Some(value), "another value than that of serde_json");
            }
        }
    }
    if result.is_err()
        && let Some(value) = parse(text)
    {
        assert!(is_rejected_on_purpose(text, &value), "valid JSON is rejected");
    }
}

fn parse(text: &str) -> Option<serde_json::Value> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.disable_recursion_limit();
    let is_too_deep = text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count() > MAX_DEPTH;
    if is_too_deep {
        return None;
    }
    let value = serde::Deserialize::deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(value)
}

/// Returns whether valid JSON may have a duplicate key or an integer that is too large.
fn is_rejected_on_purpose(text: &str, value: &serde_json::Value) -> bool {
    let has_duplicate_key = count_keys(value) < text.matches(':').count();
    let has_large_integer = text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 18);
    has_duplicate_key || has_large_integer
}

fn count_keys(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => items.iter().map(count_keys).sum(),
        serde_json::Value::Object(members) => members.len() + members.values().map(count_keys).sum::<usize>(),
        _ => 0,
    }
}

/// Writes valid JSON. Asserts that the span of every value is inside its container, and after the values before it.
fn write(json: &Json, text: &str, from: usize, out: &mut String) {
    spans::inside(text, json.span);
    assert!(json.span.start >= from && json.span.end > json.span.start);
    let mut previous_end = json.span.start;
    match &json.kind {
        JsonKind::Null => out.push_str("null"),
        JsonKind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        JsonKind::Number(raw) | JsonKind::String(raw) => out.push_str(raw),
        JsonKind::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write(item, text, previous_end, out);
                previous_end = item.span.end;
            }
            out.push(']');
        }
        JsonKind::Object(members) => {
            out.push('{');
            for (index, member) in members.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                spans::inside(text, member.key_span);
                assert!(member.key_span.start >= previous_end);
                out.push_str(&quote(&member.key));
                out.push(':');
                write(&member.value, text, member.key_span.end, out);
                previous_end = member.value.span.end;
            }
            out.push('}');
        }
    }
    assert!(previous_end <= json.span.end);
}
