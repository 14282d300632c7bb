//! Parsing of HMP option strings, `driver,key=value,…`, into QMP arguments with typed values.
//!
//! A value that is invalid for its type stays a string, and the QMP command reports the error.

use serde_json::{Map, Value};

use crate::demo::commands::OBJECT_OPTIONS;
use crate::demo::properties::value_type;
use crate::demo::qapi::Type;
use crate::demo::qom_types::find_type;

/// Returns the arguments of `device_add`.
pub fn device_add_arguments(text: &str) -> Map<String, Value> {
    parse_options(text, "driver", |driver, key| {
        let mut properties = find_type(driver)?.properties();
        properties.find(|property| property.name == key).map(|property| value_type(property.type_name))
    })
}

/// Returns the arguments of `object-add`.
pub fn object_add_arguments(text: &str) -> Map<String, Value> {
    parse_options(text, "qom-type", |type_name, key| {
        OBJECT_OPTIONS.member(key, Some(type_name)).map(|member| member.ty)
    })
}

/// Parses the pairs. A first part without `=` is the value of `first_key`. Any other part without `=` is a key, which
/// is set to `on`.
fn parse_options(text: &str, first_key: &str, type_of: impl Fn(&str, &str) -> Option<Type>) -> Map<String, Value> {
    let pairs: Vec<(&str, &str)> = (text.split(',').enumerate())
        .filter(|(_, part)| !part.is_empty())
        .map(|(index, part)| match part.split_once('=') {
            Some(pair) => pair,
            None if index == 0 => (first_key, part),
            None => (part, "on"),
        })
        .collect();
    let type_name = pairs.iter().find(|(key, _)| *key == first_key).map_or("", |(_, value)| value);
    let typed = |(key, value): (&str, &str)| match type_of(type_name, key) {
        Some(Type::Bool) => parse_bool(value),
        Some(Type::Int) => parse_int(value),
        _ => None,
    };
    pairs.iter().map(|pair| (pair.0.to_owned(), typed(*pair).unwrap_or_else(|| pair.1.into()))).collect()
}

fn parse_bool(text: &str) -> Option<Value> {
    match text {
        "on" | "yes" | "true" => Some(true.into()),
        "off" | "no" | "false" => Some(false.into()),
        _ => None,
    }
}

/// Parses an integer in hexadecimal, or in decimal with an optional size suffix.
fn parse_int(text: &str) -> Option<Value> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Value::from);
    }
    if let Ok(number) = text.parse::<i64>() {
        return Some(number.into());
    }
    let shift = match text.chars().last()? {
        'k' | 'K' => 10,
        'M' => 20,
        'G' => 30,
        'T' => 40,
        _ => return text.parse::<u64>().ok().map(Value::from),
    };
    let number = text.get(..text.len() - 1)?.parse::<u64>().ok()?;
    number.checked_mul(1 << shift).map(Value::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_values_by_their_properties() {
        assert_eq!(
            Value::Object(device_add_arguments("virtio-net-pci,id=1,mq=on,packed,bootindex=-1,vectors=0x10,serial=7")),
            json!({
                "driver": "virtio-net-pci", "id": "1", "mq": true, "packed": true, "bootindex": -1, "vectors": 16,
                "serial": "7",
            })
        );
        assert_eq!(
            Value::Object(object_add_arguments("id=m,qom-type=memory-backend-ram,size=4G,merge=off")),
            json!({"id": "m", "qom-type": "memory-backend-ram", "size": 4_u64 << 30, "merge": false})
        );
    }

    #[test]
    fn keeps_invalid_values_as_strings() {
        assert_eq!(
            Value::Object(device_add_arguments("virtio-net-pci,mq=perhaps,speed=99999999999999T")),
            json!({
                "driver": "virtio-net-pci", "mq": "perhaps", "speed": "99999999999999T",
            })
        );
        assert_eq!(Value::Object(device_add_arguments("nope,x=1,")), json!({"driver": "nope", "x": "1"}));
        assert_eq!(Value::Object(object_add_arguments("")), json!({}));
    }
}
