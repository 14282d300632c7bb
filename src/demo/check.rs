//! Values against types: whether arguments are what a command declares. Knows types and JSON, no command.

use serde_json::{Map, Value};

use super::failure::Failure;
use super::types::{Alternate, Object, Type};

/// Whether `arguments` are a value of the object type.
pub fn arguments(object: &Object, arguments: &Map<String, Value>) -> Result<(), Failure> {
    members(object, arguments, "")
}

/// Whether `value` is of type `ty`; `path` names it in the failure.
pub fn value(ty: Type, value: &Value, path: &str) -> Result<(), Failure> {
    match ty {
        Type::Any => Ok(()),
        Type::Str => demand(value.is_string(), path, "a string"),
        Type::Int => demand(value.is_i64() || value.is_u64(), path, "a whole number within 64 bits"),
        Type::Bool => demand(value.is_boolean(), path, "true or false"),
        Type::Null => demand(value.is_null(), path, "null"),
        Type::Enum(words) => match value.as_str() {
            Some(word) if words.values.contains(&word) => Ok(()),
            Some(word) => {
                let known = words.values.join(", ");
                Err(Failure::new(format!("argument '{path}' cannot be '{word}'; it is one of: {known}")))
            }
            None => demand(false, path, "a string"),
        },
        Type::Array(element) => match value.as_array() {
            Some(list) => (list.iter().enumerate())
                .try_for_each(|(index, item)| self::value(*element, item, &join(path, &index.to_string()))),
            None => demand(false, path, "an array"),
        },
        Type::Object(object) => match value.as_object() {
            Some(map) => members(object, map, path),
            None => demand(false, path, "an object"),
        },
        Type::Alternate(alternate) => match branch(alternate, value) {
            Some(ty) => self::value(ty, value, path),
            None => demand(false, path, "of one of the types that it may have"),
        },
    }
}

fn members(object: &Object, map: &Map<String, Value>, path: &str) -> Result<(), Failure> {
    let tag = object.union.as_ref().and_then(|union| map.get(union.tag)).and_then(Value::as_str);
    let variant = tag.and_then(|tag| object.variant(tag));
    for part in [Some(object), variant].into_iter().flatten() {
        for member in part.members {
            let path = join(path, member.name);
            match map.get(member.name) {
                Some(found) => value(member.ty, found, &path)?,
                None if member.optional => {}
                None => return Err(Failure::new(format!("argument '{path}' is missing"))),
            }
        }
    }
    let strange = map.keys().find(|key| !object.open && object.member(key, tag).is_none());
    match strange {
        Some(key) => Err(Failure::new(format!("argument '{}' is not known here", join(path, key)))),
        None => Ok(()),
    }
}

/// The branch of an alternate that a value's JSON type selects.
fn branch(alternate: &Alternate, value: &Value) -> Option<Type> {
    let suits = |ty: &&Type| match ty {
        Type::Str | Type::Enum(_) => value.is_string(),
        Type::Int => value.is_number(),
        Type::Bool => value.is_boolean(),
        Type::Null => value.is_null(),
        Type::Object(_) => value.is_object(),
        Type::Array(_) => value.is_array(),
        Type::Any | Type::Alternate(_) => true,
    };
    alternate.branches.iter().find(suits).copied()
}

fn demand(holds: bool, path: &str, what: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(format!("argument '{path}' must be {what}"))) }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::types::{Enum, Member, Union, object, opt, req};
    use super::*;

    static KIND: Enum = Enum { name: "Kind", values: &["plain", "sized"] };
    static SIZED: Object = object("Sized", &[req("size", Type::Int)]);
    static REF: Alternate = Alternate { name: "Ref", branches: &[Type::Str, Type::Object(&SHAPE)] };
    static MEMBERS: &[Member] =
        &[req("kind", Type::Enum(&KIND)), opt("inner", Type::Alternate(&REF)), opt("list", Type::Array(&Type::Bool))];
    static SHAPE: Object = Object {
        name: "Shape",
        members: MEMBERS,
        union: Some(Union { tag: "kind", variants: &[("sized", &SIZED)] }),
        open: false,
    };

    fn check(input: Value) -> String {
        value(Type::Object(&SHAPE), &input, "").err().map_or("ok".to_owned(), |failure| failure.desc)
    }

    #[test]
    fn what_fits_passes() {
        for input in [
            json!({"kind": "plain"}),
            json!({"kind": "sized", "size": u64::MAX, "inner": "n", "list": [true]}),
            json!({"kind": "plain", "inner": {"kind": "sized", "size": -1}}),
        ] {
            assert_eq!(check(input), "ok");
        }
    }

    #[test]
    fn failures_name_the_place() {
        for (input, expected) in [
            (json!({}), "argument 'kind' is missing"),
            (json!({"kind": 1}), "argument 'kind' must be a string"),
            (json!({"kind": "x"}), "argument 'kind' cannot be 'x'; it is one of: plain, sized"),
            (json!({"kind": "sized"}), "argument 'size' is missing"),
            (json!({"kind": "plain", "size": 1}), "argument 'size' is not known here"),
            (json!({"kind": "sized", "size": 1e3}), "argument 'size' must be a whole number within 64 bits"),
            (json!({"kind": "plain", "list": [true, 0]}), "argument 'list.1' must be true or false"),
            (json!({"kind": "plain", "inner": {"kind": "plain", "a": 0}}), "argument 'inner.a' is not known here"),
            (json!({"kind": "plain", "inner": 5}), "argument 'inner' must be of one of the types that it may have"),
        ] {
            assert_eq!(check(input), expected);
        }
    }
}
