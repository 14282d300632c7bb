//! Paths into the return value of a command, all of whose variants are possible.

use super::model::{Builtin, Object, ObjectMember, Schema, Type, TypeId};
use super::suggest::did_you_mean;

/// The maximum nesting of variants and alternates that is searched. QEMU's types have one or two levels.
const MAX_LEVELS: usize = 8;

/// A part of a path that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownMember {
    pub name: String,
    /// The end of a sentence with the name that may be meant; may be empty.
    pub suggestion: String,
}

/// Returns the types that a value at `path` below a value of type `root` can have. A number in the path is the index of an
/// item; without one, the path goes through the items of an array. None are returned if it is not known.
pub fn types_at(schema: &Schema, root: TypeId, path: &[&str]) -> Result<Vec<TypeId>, UnknownMember> {
    let mut kinds = vec![root];
    for part in path {
        let is_index = part.parse::<usize>().is_ok();
        let mut next = Vec::new();
        let mut names = Vec::new();
        for kind in kinds {
            for reached in alternatives(schema, kind) {
                match schema.definition(reached) {
                    Type::Builtin(Builtin::Any) => return Ok(Vec::new()),
                    Type::Array(element) if is_index => next.push(*element),
                    Type::Array(element) => {
                        for item in alternatives(schema, *element) {
                            add_members(schema, item, part, &mut next, &mut names);
                        }
                    }
                    _ => add_members(schema, reached, part, &mut next, &mut names),
                }
            }
        }
        if next.is_empty() {
            let suggestion = did_you_mean(part, names);
            return Err(UnknownMember { name: (*part).to_owned(), suggestion });
        }
        kinds = next;
    }
    Ok(kinds)
}

/// Returns the members of the objects that a value at `path` below a value of type `root` can be or, if it is an array,
/// that its items can be.
pub fn members_at<'s>(schema: &'s Schema, root: TypeId, path: &[&str]) -> Vec<&'s ObjectMember> {
    let kinds = types_at(schema, root, path).unwrap_or_default();
    let items = |kind: TypeId| match schema.definition(kind) {
        Type::Array(element) => alternatives(schema, *element),
        _ => vec![kind],
    };
    let kinds = kinds.into_iter().flat_map(|kind| alternatives(schema, kind)).flat_map(items);
    kinds.flat_map(|kind| objects_of(schema, kind)).flat_map(|object| &object.members).collect()
}

/// Returns an object type and its variants, at all levels. A type that is not an object has no members.
fn objects_of(schema: &Schema, kind: TypeId) -> Vec<&Object> {
    let mut found = Vec::new();
    let mut objects = vec![(schema.object(kind), 0)];
    while let Some((object, level)) = objects.pop() {
        found.push(object);
        if level < MAX_LEVELS {
            objects.extend(object.variants.iter().rev().map(|(_, variant)| (schema.object(*variant), level + 1)));
        }
    }
    found
}

/// Returns a type, or those that an alternate includes.
fn alternatives(schema: &Schema, kind: TypeId) -> Vec<TypeId> {
    match schema.definition(kind) {
        Type::Alternate(kinds) => kinds.clone(),
        _ => vec![kind],
    }
}

/// Adds the types of the members with this name of an object type, and the names of all.
fn add_members<'s>(schema: &'s Schema, kind: TypeId, name: &str, found: &mut Vec<TypeId>, names: &mut Vec<&'s str>) {
    let members = objects_of(schema, kind).into_iter().flat_map(|object| &object.members);
    for member in members {
        names.push(&member.name);
        if member.name == name {
            found.push(member.kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"[
        {"name": "query", "meta-type": "command", "arg-type": "0", "ret-type": "[1]"},
        {"name": "ask", "meta-type": "command", "arg-type": "0", "ret-type": "any"},
        {"name": "0", "meta-type": "object", "members": []},
        {"name": "[1]", "meta-type": "array", "element-type": "1"},
        {"name": "1", "meta-type": "object", "tag": "status", "members": [{"name": "status", "type": "2"}],
         "variants": [{"case": "on", "type": "3"}]},
        {"name": "2", "meta-type": "enum", "values": ["on", "off"]},
        {"name": "3", "meta-type": "object", "members": [{"name": "inner", "type": "1"}, {"name": "size", "type": "int"}]},
        {"name": "int", "meta-type": "builtin", "json-type": "int"},
        {"name": "any", "meta-type": "builtin", "json-type": "value"}
    ]"#;

    #[test]
    fn paths_lead_through_arrays_and_variants() {
        let schema = Schema::parse(SCHEMA).unwrap();
        let types = |command: &str, path: &str| {
            let path: Vec<&str> = path.split('.').collect();
            types_at(&schema, schema.command(command).unwrap().returns, &path)
        };
        for path in ["status", "0.status", "inner.status", "3.inner.inner.status"] {
            let found = types("query", path).unwrap();
            assert!(matches!(schema.definition(found[0]), Type::Enum(_)), "{path}");
        }
        assert_eq!(types("ask", "a.b"), Ok(Vec::new()));
        let error = types("query", "0.inner.statsu").unwrap_err();
        assert_eq!((error.name.as_str(), error.suggestion.as_str()), ("statsu", "; did you mean `status`?"));
        assert_eq!(types("query", "status.x").unwrap_err().name, "x");
    }
}
