//! Checks of JSON values against QAPI types. Must not know about commands.

use serde_json::{Map, Value};

use super::error::CommandError;
use super::qapi::{Alternate, Object, Type};

/// Checks arguments against the declaration of a command.
pub fn check_arguments(object: &Object, arguments: &Map<String, Value>) -> Result<(), CommandError> {
    check_members(object, arguments, "")
}

/// Checks a value against a type. `path` names the value in the error.
pub fn check_value(ty: Type, value: &Value, path: &str) -> Result<(), CommandError> {
    match ty {
        Type::Any => Ok(()),
        Type::Str => expect(value.is_string(), path, "a string"),
        Type::Int => expect(value.is_i64() || value.is_u64(), path, "a 64-bit integer"),
        Type::Bool => expect(value.is_boolean(), path, "a boolean"),
        Type::Null => expect(value.is_null(), path, "null"),
        Type::Enum(declared) => match value.as_str() {
            Some(word) if declared.values.contains(&word) => Ok(()),
            Some(word) => {
                let expected = declared.values.join(", ");
                let desc = format!("invalid value '{word}' of argument '{path}'; expected one of: {expected}");
                Err(CommandError::generic(desc))
            }
            None => expect(false, path, "a string"),
        },
        Type::Array(element) => match value.as_array() {
            Some(list) => (list.iter().enumerate())
                .try_for_each(|(index, item)| check_value(*element, item, &join(path, &index.to_string()))),
            None => expect(false, path, "an array"),
        },
        Type::Object(object) => match value.as_object() {
            Some(map) => check_members(object, map, path),
            None => expect(false, path, "an object"),
        },
        Type::Alternate(alternate) => match branch(alternate, value) {
            Some(ty) => check_value(ty, value, path),
            None => Err(CommandError::generic(format!("argument '{path}' has the wrong type"))),
        },
    }
}

fn check_members(object: &Object, map: &Map<String, Value>, path: &str) -> Result<(), CommandError> {
    let tag = object.union.as_ref().and_then(|union| map.get(union.tag)).and_then(Value::as_str);
    let variant = tag.and_then(|tag| object.variant(tag));
    for part in [Some(object), variant].into_iter().flatten() {
        for member in part.members {
            let path = join(path, member.name);
            match map.get(member.name) {
                Some(value) => check_value(member.ty, value, &path)?,
                None if member.optional => {}
                None => return Err(CommandError::generic(format!("missing argument '{path}'"))),
            }
        }
    }
    if object.accepts_undeclared {
        return Ok(());
    }
    match map.keys().find(|key| object.member(key, tag).is_none()) {
        Some(key) => Err(CommandError::generic(format!("unknown argument '{}'", join(path, key)))),
        None => Ok(()),
    }
}

/// Returns the branch of an alternate that the JSON type of a value selects.
fn branch(alternate: &Alternate, value: &Value) -> Option<Type> {
    let accepts = |ty: &&Type| match ty {
        Type::Str | Type::Enum(_) => value.is_string(),
        Type::Int => value.is_number(),
        Type::Bool => value.is_boolean(),
        Type::Null => value.is_null(),
        Type::Object(_) => value.is_object(),
        Type::Array(_) => value.is_array(),
        Type::Any | Type::Alternate(_) => true,
    };
    alternate.branches.iter().find(accepts).copied()
}

fn expect(is_valid: bool, path: &str, expected: &str) -> Result<(), CommandError> {
    if is_valid { Ok(()) } else { Err(CommandError::generic(format!("argument '{path}' must be {expected}"))) }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::qapi::{Enum, Member, object, optional, required, union};
    use super::*;

    static KIND: Enum = Enum { name: "Kind", values: &["plain", "sized"] };
    static SIZED: Object = object("Sized", &[required("size", Type::Int)]);
    static REF: Alternate = Alternate { name: "Ref", branches: &[Type::Str, Type::Object(&SHAPE)] };
    static MEMBERS: &[Member] = &[
        required("kind", Type::Enum(&KIND)),
        optional("inner", Type::Alternate(&REF)),
        optional("list", Type::Array(&Type::Bool)),
    ];
    static SHAPE: Object = union("Shape", MEMBERS, "kind", &[("sized", &SIZED)]);

    fn error(input: Value) -> String {
        check_value(Type::Object(&SHAPE), &input, "").err().map_or("ok".to_owned(), |error| error.desc)
    }

    #[test]
    fn accepts_valid_values() {
        for input in [
            json!({"kind": "plain"}),
            json!({"kind": "sized", "size": u64::MAX, "inner": "n", "list": [true]}),
            json!({"kind": "plain", "inner": {"kind": "sized", "size": -1}}),
        ] {
            assert_eq!(error(input), "ok");
        }
    }

    #[test]
    fn names_the_argument_in_errors() {
        for (input, expected) in [
            (json!({}), "missing argument 'kind'"),
            (json!({"kind": 1}), "argument 'kind' must be a string"),
            (json!({"kind": "x"}), "invalid value 'x' of argument 'kind'; expected one of: plain, sized"),
            (json!({"kind": "sized"}), "missing argument 'size'"),
            (json!({"kind": "plain", "size": 1}), "unknown argument 'size'"),
            (json!({"kind": "sized", "size": 1e3}), "argument 'size' must be a 64-bit integer"),
            (json!({"kind": "plain", "list": [true, 0]}), "argument 'list.1' must be a boolean"),
            (json!({"kind": "plain", "inner": {"kind": "plain", "a": 0}}), "unknown argument 'inner.a'"),
            (json!({"kind": "plain", "inner": 5}), "argument 'inner' has the wrong type"),
        ] {
            assert_eq!(error(input), expected);
        }
    }
}
