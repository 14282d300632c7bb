//! Types in words, for messages, help and hints.

use super::model::{Builtin, Schema, Type, TypeId};

/// Returns a description of the values of a builtin type, with an article.
pub(super) fn describe_builtin(kind: Builtin) -> &'static str {
    match kind {
        Builtin::Str => "a string",
        Builtin::Int => "an integer (such as 4096, 0x1000 or 4k)",
        Builtin::Number => "a number",
        Builtin::Bool => "true or false (on, off, yes, no)",
        Builtin::Null => "null",
        Builtin::Any => "any value",
    }
}

/// Returns a description of the values of a type, with an article.
pub(super) fn describe(schema: &Schema, id: TypeId) -> String {
    match schema.definition(id) {
        Type::Builtin(kind) => describe_builtin(*kind).to_owned(),
        Type::Enum(values) => one_of(values.iter().map(|value| value.name.as_str())),
        Type::Array(element) => match schema.definition(*element) {
            Type::Object(_) => "an array of objects".to_owned(),
            _ => format!("an array of {}", type_label(schema, *element)),
        },
        Type::Object(_) => "an object".to_owned(),
        Type::Alternate(kinds) => describe_alternate(schema, kinds),
    }
}

/// Returns a description of a choice of values: `one of a, b`.
pub(super) fn one_of<'a>(values: impl Iterator<Item = &'a str>) -> String {
    const MAX_VALUES: usize = 8;
    let values: Vec<&str> = values.collect();
    let shown = values[..values.len().min(MAX_VALUES)].join(", ");
    match values.len() {
        1 => shown,
        2..=MAX_VALUES => format!("one of {shown}"),
        _ => format!("one of {shown}, …"),
    }
}

/// Returns a description of the values of an alternate, with articles.
pub(super) fn describe_alternate(schema: &Schema, kinds: &[TypeId]) -> String {
    let mut kinds: Vec<String> = kinds.iter().map(|kind| describe(schema, *kind)).collect();
    match kinds.pop() {
        Some(last) if !kinds.is_empty() => format!("{} or {last}", kinds.join(", ")),
        last => last.unwrap_or_default(),
    }
}

/// Returns whether a type is an object without required members, so that no dotted key below it is needed.
pub fn may_be_empty(schema: &Schema, id: TypeId) -> bool {
    match schema.definition(id) {
        Type::Object(object) => object.members.iter().all(|member| member.optional),
        _ => false,
    }
}

/// Returns the name of a type for help and hints: `int`, `[str]`.
pub fn type_label(schema: &Schema, id: TypeId) -> String {
    match schema.definition(id) {
        Type::Builtin(Builtin::Str) => "str".to_owned(),
        Type::Builtin(Builtin::Int) => "int".to_owned(),
        Type::Builtin(Builtin::Number) => "number".to_owned(),
        Type::Builtin(Builtin::Bool) => "bool".to_owned(),
        Type::Builtin(Builtin::Null) => "null".to_owned(),
        Type::Builtin(Builtin::Any) => "any".to_owned(),
        Type::Enum(_) => "enum".to_owned(),
        Type::Array(element) => format!("[{}]", type_label(schema, *element)),
        Type::Object(_) => "object".to_owned(),
        Type::Alternate(kinds) => kinds.iter().map(|kind| type_label(schema, *kind)).collect::<Vec<_>>().join(" or "),
    }
}
