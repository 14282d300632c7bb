//! Writes JSON values as strict JSON text, in the form in which it is sent.

use crate::grammar::{Diagnostic, Json, JsonKind, MAX_DEPTH, too_deep};
use crate::wire::quote;

/// Rejects a value at nesting level `level` of its message that makes the message too deep. QEMU answers such a message
/// with several errors without an id.
pub(super) fn check_depth(json: &Json, level: usize) -> Result<(), Diagnostic> {
    match &json.kind {
        JsonKind::Array(_) | JsonKind::Object(_) if level > MAX_DEPTH => Err(Diagnostic::new(json.span, too_deep())),
        JsonKind::Array(items) => items.iter().try_for_each(|item| check_depth(item, level + 1)),
        JsonKind::Object(members) => members.iter().try_for_each(|member| check_depth(&member.value, level + 1)),
        _ => Ok(()),
    }
}

/// Returns `json` as text without whitespace.
pub(super) fn minified_json(json: &Json) -> String {
    let mut out = String::new();
    write(json, &mut out);
    out
}

fn write(json: &Json, out: &mut String) {
    match &json.kind {
        JsonKind::Null => out.push_str("null"),
        JsonKind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        JsonKind::Number(raw) | JsonKind::String(raw) => out.push_str(raw),
        JsonKind::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        JsonKind::Object(members) => {
            out.push('{');
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&quote(&member.key));
                out.push(':');
                write(&member.value, out);
            }
            out.push('}');
        }
    }
}
