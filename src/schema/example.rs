//! Examples of objects, for words where an object is expected.

use super::describe::may_be_empty;
use super::level::child_key;
use super::model::{Builtin, Object, ObjectMember, Schema, Type, TypeId};
use super::scalar::{boolean, integer, number};

/// The maximum nesting depth of an example.
const MAX_DEPTH: usize = 4;

/// The keys and values of an object, while they are collected.
#[derive(Clone)]
struct Example<'a> {
    schema: &'a Schema,
    /// The word that was given, until it has a place.
    word: Option<&'a str>,
    arguments: Vec<String>,
}

/// Returns the arguments for an object of this type at `path`: its required keys, with `word` where it fits, or else the
/// first part of a word such as `ctrl-alt-delete`.
pub(super) fn example_of_object(schema: &Schema, id: TypeId, path: &str, word: &str) -> String {
    let with = |word| {
        let mut example = Example { schema, word: Some(word), arguments: Vec::new() };
        example.add_object(schema.object(id), path, 0);
        example
    };
    let whole = with(word);
    let example = match (whole.word, word.split(['-', '+', ',']).next()) {
        (Some(_), Some(part)) => with(part),
        _ => whole,
    };
    example.arguments.join(" ")
}

/// Returns the only required member of an object type, if it is a string, a number, a boolean or an enumeration: a word
/// in the place of the object means its value.
pub(super) fn only_required_scalar(schema: &Schema, id: TypeId) -> Option<&ObjectMember> {
    let object = schema.object(id);
    let mut required = object.members.iter().filter(|member| !member.optional);
    let only = required.next().filter(|_| object.tag.is_none() && required.next().is_none())?;
    matches!(schema.definition(only.kind), Type::Builtin(_) | Type::Enum(_)).then_some(only)
}

/// Returns whether a word has the form of a value of this type.
pub fn word_fits(schema: &Schema, id: TypeId, word: &str) -> bool {
    match schema.definition(id) {
        Type::Builtin(Builtin::Str | Builtin::Any) => true,
        Type::Builtin(Builtin::Int) => integer(word).is_ok_and(|value| value.is_some()),
        Type::Builtin(Builtin::Number) => number(word).is_ok_and(|value| value.is_some()),
        Type::Builtin(Builtin::Bool) => boolean(word).is_some(),
        Type::Builtin(Builtin::Null) => word == "null",
        Type::Enum(values) => values.iter().any(|value| value.name == word),
        Type::Alternate(kinds) => kinds.iter().any(|kind| word_fits(schema, *kind, word)),
        Type::Array(_) | Type::Object(_) => false,
    }
}

impl Example<'_> {
    fn add_object(&mut self, object: &Object, path: &str, depth: usize) {
        let mut members: Vec<&ObjectMember> = object.members.iter().filter(|member| !member.optional).collect();
        if members.is_empty() {
            let fits = |member: &&ObjectMember| self.word.is_some_and(|word| word_fits(self.schema, member.kind, word));
            members.extend(object.members.iter().find(fits).or(object.members.first()));
        }
        for member in members {
            let key = child_key(path, &member.name);
            match object.tag_member() == Some(member) {
                true => self.add_variant(object, path, &key, depth),
                false => self.add_value(member.kind, &key, depth),
            }
        }
    }

    /// Adds a tag and the keys of the variant that the word names, or else of the shortest one in which it fits.
    fn add_variant(&mut self, object: &Object, path: &str, tag: &str, depth: usize) {
        let examples = object.variants.iter().map(|(case, variant)| {
            let mut example = self.clone();
            let is_named = example.word.take_if(|word| *word == case.as_str()).is_some();
            example.arguments.push(format!("{tag}={case}"));
            example.add_object(self.schema.object(*variant), path, depth);
            (!is_named, example.word.is_some(), example)
        });
        let best =
            examples.min_by_key(|(is_other, is_unused, example)| (*is_other, *is_unused, example.arguments.len()));
        if let Some((.., example)) = best {
            *self = example;
        }
    }

    fn add_value(&mut self, id: TypeId, key: &str, depth: usize) {
        match self.schema.definition(id) {
            Type::Object(_) if may_be_empty(self.schema, id) || depth == MAX_DEPTH => {
                self.arguments.push(format!("{key}={{}}"));
            }
            Type::Object(object) => self.add_object(object, key, depth + 1),
            Type::Array(element) if matches!(self.schema.definition(*element), Type::Object(_)) => {
                self.add_value(*element, &child_key(key, "0"), depth);
            }
            Type::Array(element) => self.add_value(*element, key, depth),
            _ => {
                let word = self.word.take_if(|word| word_fits(self.schema, id, word));
                self.arguments.push(format!("{key}={}", word.unwrap_or_else(|| any_word(self.schema, id))));
            }
        }
    }
}

/// Returns a word that is a value of this type.
fn any_word(schema: &Schema, id: TypeId) -> &str {
    match schema.definition(id) {
        Type::Builtin(Builtin::Int | Builtin::Number) => "1",
        Type::Builtin(Builtin::Bool) => "on",
        Type::Builtin(Builtin::Null) => "null",
        Type::Enum(values) => values.first().map_or("…", |value| value.name.as_str()),
        _ => "…",
    }
}
