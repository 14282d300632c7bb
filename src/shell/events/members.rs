//! Members of JSON values by their paths, compared with values that are typed as text.

use serde_json::Value;

use crate::grammar::parse_number;

/// Returns the value at a path of members and indices.
pub(crate) fn member_at<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, part| match part.parse::<usize>() {
        Ok(index) if value.is_array() => value.get(index),
        _ => value.get(part),
    })
}

/// Returns whether a value is the one that is typed as `text`: numbers may have another spelling, and `on` and `off` are
/// booleans.
pub(crate) fn is_typed_as(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string == text,
        Value::Bool(true) => matches!(text, "true" | "on"),
        Value::Bool(false) => matches!(text, "false" | "off"),
        Value::Number(number) => {
            let number = number.to_string();
            number == text || parse_number(text).is_ok_and(|typed| typed.is_some_and(|typed| typed == number))
        }
        // The JSON texts may differ in their blanks.
        _ => serde_json::from_str::<Value>(text).is_ok_and(|typed| typed == *value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn compares_values_with_typed_text() {
        for (value, text) in [
            (json!("1"), "1"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(255), "0xff"),
            (json!(true), "on"),
            (json!(false), "false"),
            (json!(null), "null"),
            (json!([1, {"a": 2}]), "[1,{\"a\": 2}]"),
        ] {
            assert!(is_typed_as(&value, text), "{value} {text}");
            assert!(!is_typed_as(&value, "x"), "{value}");
        }
        let value = json!([{"a": {"b": [5]}, "0": 6}]);
        let at = |path: &str| member_at(&value, &path.split('.').map(str::to_owned).collect::<Vec<_>>()).cloned();
        assert_eq!((at("0.a.b.0"), at("0.0"), at("1"), at("a")), (Some(json!(5)), Some(json!(6)), None, None));
    }
}
