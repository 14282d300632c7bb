//! Layouts that several commands share, and access to the members of replies.

use serde_json::Value;

/// Returns a string member, or an empty string.
pub(crate) fn string<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Returns an integer member, or 0.
pub(crate) fn integer(object: &Value, key: &str) -> i64 {
    object.get(key).and_then(Value::as_i64).unwrap_or_default()
}

/// Returns whether a member is true.
pub(crate) fn is_true(object: &Value, key: &str) -> bool {
    object.get(key).and_then(Value::as_bool).unwrap_or_default()
}

/// Returns the items of an array, or none for any other value.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
