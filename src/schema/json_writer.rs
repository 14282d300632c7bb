//! Arguments as they go on the wire: strict JSON on one line.

use crate::grammar::{DEPTH, Diagnostic, Json, JsonKind, too_deep};
use crate::wire::quote;

/// Refuses `json`, which is to stand `level` deep in its message, where the server would: what it cannot read it answers
/// with errors that say neither which request nor how many of them there will be.
pub(super) fn check_depth(json: &Json, level: usize) -> Result<(), Diagnostic> {
    match &json.kind {
        JsonKind::Array(_) | JsonKind::Object(_) if level > DEPTH => Err(Diagnostic::new(json.span, too_deep())),
        JsonKind::Array(items) => items.iter().try_for_each(|item| check_depth(item, level + 1)),
        JsonKind::Object(members) => members.iter().try_for_each(|member| check_depth(&member.value, level + 1)),
        _ => Ok(()),
    }
}

/// Writes `json` as strict JSON on one line. `watch` hears of each member's and item's value.
pub(super) fn write_json(json: &Json, out: &mut String, path: &mut Vec<String>, watch: &mut ValueVisitor<'_>) {
    match &json.kind {
        JsonKind::Null => out.push_str("null"),
        JsonKind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        JsonKind::Number(raw) | JsonKind::String(raw) => out.push_str(raw),
        JsonKind::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                path.push(index.to_string());
                let start = out.len();
                write_json(item, out, path, watch);
                watch(path, item, start..out.len());
                path.pop();
            }
            out.push(']');
        }
        JsonKind::Object(members) => {
            out.push('{');
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                out.push_str(&quote(&member.key));
                out.push_str(": ");
                path.push(member.key.clone());
                let start = out.len();
                write_json(&member.value, out, path, watch);
                watch(path, &member.value, start..out.len());
                path.pop();
            }
            out.push('}');
        }
    }
}

/// Hears of each member and item that is written: its path, its value, and where that stands.
pub(super) type ValueVisitor<'a> = dyn FnMut(&[String], &Json, std::ops::Range<usize>) + 'a;
