//! The lenient reader of JSON: what it takes has a strict spelling, what is strict it takes, and a fault has a place.

use qmp_shell::grammar::{Json, JsonKind, MAX_DEPTH, parse_json};
use qmp_shell::wire::quote;

use serde_json::value::RawValue;

use super::{spans, strict};

/// The bytes are the text.
pub fn check(data: &[u8]) {
    let Some(text) = strict::text(data) else { return };
    let read = parse_json(text, 0);
    match &read {
        Err(fault) => spans::fault(text, fault),
        Ok((json, end)) => {
            assert!(text.is_char_boundary(*end) && json.span.end == *end);
            let mut spelled = String::new();
            spell(json, text, 0, &mut spelled);
            let raw = serde_json::from_str::<&RawValue>(&spelled);
            assert!(raw.is_ok(), "its strict spelling is not JSON: {spelled}");
            // What is strict already means the same to another reader.
            if let Some(other) = parse(&text[..*end]) {
                assert_eq!(parse(&spelled), Some(other), "it means something else");
            }
        }
    }
    if read.is_err()
        && let Some(value) = parse(text)
    {
        assert!(has_reason(text, &value), "JSON that it does not take");
    }
}

fn parse(text: &str) -> Option<serde_json::Value> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.disable_recursion_limit();
    let deep = text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count() > MAX_DEPTH;
    if deep {
        return None;
    }
    let value = serde::Deserialize::deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(value)
}

/// Strict JSON that is refused all the same: a key that is given twice, an integer that is too large, bare controls.
fn has_reason(text: &str, value: &serde_json::Value) -> bool {
    let twice = keys(value) < text.matches(':').count();
    let large = text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 18);
    twice || large
}

fn keys(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => items.iter().map(keys).sum(),
        serde_json::Value::Object(members) => members.len() + members.values().map(keys).sum::<usize>(),
        _ => 0,
    }
}

/// Spells it strictly; every value has its place inside what holds it, behind what stands before it.
fn spell(json: &Json, text: &str, from: usize, out: &mut String) {
    spans::inside(text, json.span);
    assert!(json.span.start >= from && json.span.end > json.span.start);
    let mut behind = json.span.start;
    match &json.kind {
        JsonKind::Null => out.push_str("null"),
        JsonKind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        JsonKind::Number(raw) | JsonKind::String(raw) => out.push_str(raw),
        JsonKind::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                spell(item, text, behind, out);
                behind = item.span.end;
            }
            out.push(']');
        }
        JsonKind::Object(members) => {
            out.push('{');
            for (at, member) in members.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                spans::inside(text, member.key_span);
                assert!(member.key_span.start >= behind);
                out.push_str(&quote(&member.key));
                out.push(':');
                spell(&member.value, text, member.key_span.end, out);
                behind = member.value.span.end;
            }
            out.push('}');
        }
    }
    assert!(behind <= json.span.end);
}
