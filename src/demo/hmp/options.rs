//! The option strings of the human monitor, `driver,key=value,…`, as arguments of QMP with values of the right types.
//!
//! A value that does not fit its type stays a string: the command's own check finds the words for what is wrong.

use serde_json::{Map, Value};

use crate::demo::catalog;
use crate::demo::commands::OBJECT_OPTIONS;
use crate::demo::properties;
use crate::demo::types::Type;

/// The arguments of `device_add`.
pub fn device(text: &str) -> Map<String, Value> {
    parse(text, "driver", |driver, key| {
        let entry = catalog::find(driver)?;
        entry.properties().find(|property| property.name == key).map(|property| properties::type_of(property.kind))
    })
}

/// The arguments of `object-add`.
pub fn object(text: &str) -> Map<String, Value> {
    parse(text, "qom-type", |typename, key| OBJECT_OPTIONS.member(key, Some(typename)).map(|member| member.ty))
}

/// Reads the pairs. A first word without `=` is the value of `first`; any other word alone switches something on.
fn parse(text: &str, first: &str, type_of: impl Fn(&str, &str) -> Option<Type>) -> Map<String, Value> {
    let pairs: Vec<(&str, &str)> = (text.split(',').enumerate())
        .filter(|(_, part)| !part.is_empty())
        .map(|(index, part)| match part.split_once('=') {
            Some(pair) => pair,
            None if index == 0 => (first, part),
            None => (part, "on"),
        })
        .collect();
    let kind = pairs.iter().find(|(key, _)| *key == first).map_or("", |(_, value)| value);
    let typed = |(key, value): (&str, &str)| match type_of(kind, key) {
        Some(Type::Bool) => flag(value),
        Some(Type::Int) => number(value),
        _ => None,
    };
    pairs.iter().map(|pair| (pair.0.to_owned(), typed(*pair).unwrap_or_else(|| pair.1.into()))).collect()
}

fn flag(text: &str) -> Option<Value> {
    match text {
        "on" | "yes" | "true" => Some(true.into()),
        "off" | "no" | "false" => Some(false.into()),
        _ => None,
    }
}

/// A whole number, perhaps with a suffix of size, perhaps in hexadecimal.
fn number(text: &str) -> Option<Value> {
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
    fn values_get_the_types_of_their_properties() {
        assert_eq!(
            Value::Object(device("virtio-net-pci,id=1,mq=on,packed,bootindex=-1,vectors=0x10,serial=7")),
            json!({
                "driver": "virtio-net-pci", "id": "1", "mq": true, "packed": true, "bootindex": -1, "vectors": 16,
                "serial": "7",
            })
        );
        assert_eq!(
            Value::Object(object("id=m,qom-type=memory-backend-ram,size=4G,merge=off")),
            json!({"id": "m", "qom-type": "memory-backend-ram", "size": 4_u64 << 30, "merge": false})
        );
    }

    #[test]
    fn what_does_not_fit_stays_text() {
        assert_eq!(
            Value::Object(device("virtio-net-pci,mq=perhaps,speed=99999999999999T")),
            json!({
                "driver": "virtio-net-pci", "mq": "perhaps", "speed": "99999999999999T",
            })
        );
        assert_eq!(Value::Object(device("nope,x=1,")), json!({"driver": "nope", "x": "1"}));
        assert_eq!(Value::Object(object("")), json!({}));
    }
}
