//! What a server says of itself, as lookups: commands, events and their types.
//!
//! Read once from the answer to `query-qmp-schema`. The names that types have there are numbers without meaning; here
//! a type is a [`TypeId`], and nothing shows it. Follows "Client JSON Protocol introspection" of QEMU's QAPI
//! documentation. The answer has neither prose nor ranges.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Deref;

use serde::{Deserialize, Deserializer};

use super::extent::is_finite;

/// A type, by its place in the [`Schema`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TypeId(u32);

impl TypeId {
    /// Its place among the types of its schema.
    pub(super) fn place(self) -> usize {
        self.0 as usize
    }
}

/// Everything a server said of itself.
#[derive(Debug, Default)]
pub struct Schema {
    commands: Vec<CommandInfo>,
    events: Vec<EventInfo>,
    types: Vec<Type>,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandInfo {
    /// Its name.
    pub name: String,
    /// The type of its arguments, always an object.
    pub arguments: TypeId,
    /// The type of its return value.
    pub returns: TypeId,
    /// Whether it can be executed out of band.
    pub allow_oob: bool,
    /// Its features.
    pub features: Vec<String>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventInfo {
    /// Its name.
    pub name: String,
    /// The type of its data, always an object.
    pub data: TypeId,
    /// Its features.
    pub features: Vec<String>,
}

/// A type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// A type of JSON's own.
    Builtin(Builtin),
    /// One of these strings.
    Enum(Vec<EnumValue>),
    /// An array of one type.
    Array(TypeId),
    /// An object.
    Object(Object),
    /// A value of one of these types, told apart by their JSON form.
    Alternate(Vec<TypeId>),
}

/// The types of JSON's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// A string.
    Str,
    /// An integer of at most 64 bits.
    Int,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
    /// Any value at all.
    Any,
}

/// One value of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumValue {
    /// The string.
    pub name: String,
    /// Its features.
    pub features: Vec<String>,
}

/// An object type: members, and perhaps further members that depend on one of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Object {
    /// The members that every value has or may have.
    pub members: Vec<ObjectMember>,
    /// The member whose value chooses the variant, by its place in `members`.
    pub tag: Option<usize>,
    /// The variants: the tag's value, and an object type with the members that come with it. A value of the tag that
    /// is not here brings none.
    pub variants: Vec<(String, TypeId)>,
}

/// One member of an object type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMember {
    /// The key.
    pub name: String,
    /// The type of the value.
    pub kind: TypeId,
    /// Whether it may be left out.
    pub optional: bool,
    /// Its features.
    pub features: Vec<String>,
}

/// Why an answer to `query-qmp-schema` could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It has not the form.
    #[error("the server's introspection cannot be read: {0}")]
    Form(#[from] serde_json::Error),
    /// It names a type that it does not describe.
    #[error("the server's introspection names a type `{0}` that it does not describe")]
    NoSuchType(String),
    /// It describes a type by itself, or by more than anybody could be told.
    #[error("the server's introspection has types without end")]
    Endless,
}

/// A name in the server's answer: a part of that text, or a string of its own.
trait Name<'a>: Deserialize<'a> + Borrow<str> + Deref<Target = str> + Into<String> + Clone + Default + Eq + Hash {}

/// What nearly every answer can be read with.
impl<'a> Name<'a> for &'a str {}

/// For an answer that spells a name with an escape.
impl Name<'_> for String {}

/// One entity, as the server spells it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Entity<N> {
    name: N,
    meta_type: N,
    #[serde(default)]
    json_type: Option<N>,
    #[serde(default)]
    element_type: Option<N>,
    #[serde(default)]
    arg_type: Option<N>,
    #[serde(default)]
    ret_type: Option<N>,
    #[serde(default)]
    allow_oob: bool,
    #[serde(default)]
    tag: Option<N>,
    #[serde(default)]
    variants: Vec<Variant<N>>,
    #[serde(default)]
    members: Vec<EntityMember<N>>,
    /// How servers before 6.2 spelled the members of an enumeration.
    #[serde(default)]
    values: Vec<N>,
    #[serde(default)]
    features: Vec<String>,
}

#[derive(Deserialize)]
struct Variant<N> {
    case: N,
    #[serde(rename = "type")]
    kind: N,
}

#[derive(Deserialize)]
struct EntityMember<N> {
    #[serde(default)]
    name: N,
    #[serde(rename = "type", default)]
    kind: N,
    /// Present, even as `null`, where the member is optional.
    #[serde(default, deserialize_with = "is_present")]
    default: bool,
    #[serde(default)]
    features: Vec<String>,
}

fn is_present<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(from).map(|_| true)
}

impl Schema {
    /// Reads the return value of `query-qmp-schema`, as JSON text.
    pub fn parse(raw: &str) -> Result<Schema, SchemaError> {
        match serde_json::from_str::<Vec<Entity<&str>>>(raw) {
            Ok(entities) => Schema::of(entities),
            // A name with an escape is no part of the text. No server is known to spell one so.
            Err(_) => Schema::of(serde_json::from_str::<Vec<Entity<String>>>(raw)?),
        }
    }

    fn of<'a, N: Name<'a>>(entities: Vec<Entity<N>>) -> Result<Schema, SchemaError> {
        let mut places: HashMap<N, TypeId> = HashMap::with_capacity(entities.len());
        for entity in entities.iter().filter(|entity| !matches!(&*entity.meta_type, "command" | "event")) {
            let place = TypeId(u32::try_from(places.len()).unwrap_or(u32::MAX));
            places.insert(entity.name.clone(), place);
        }
        let find = |name: &str| places.get(name).copied().ok_or_else(|| SchemaError::NoSuchType(name.to_owned()));
        let mut schema = Schema { types: Vec::with_capacity(places.len()), ..Schema::default() };
        for entity in entities {
            match &*entity.meta_type {
                "command" => schema.commands.push(CommandInfo {
                    name: entity.name.into(),
                    arguments: find(&entity.arg_type.unwrap_or_default())?,
                    returns: find(&entity.ret_type.unwrap_or_default())?,
                    allow_oob: entity.allow_oob,
                    features: entity.features,
                }),
                "event" => schema.events.push(EventInfo {
                    name: entity.name.into(),
                    data: find(&entity.arg_type.unwrap_or_default())?,
                    features: entity.features,
                }),
                _ => schema.types.push(entity.into_type(&find)?),
            }
        }
        if !is_finite(&schema.types) {
            return Err(SchemaError::Endless);
        }
        schema.commands.sort_by(|a, b| a.name.cmp(&b.name));
        schema.events.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(schema)
    }

    /// All commands, by name.
    pub fn commands(&self) -> &[CommandInfo] {
        &self.commands
    }

    /// All events, by name.
    pub fn events(&self) -> &[EventInfo] {
        &self.events
    }

    /// The command of this name.
    pub fn command(&self, name: &str) -> Option<&CommandInfo> {
        let at = self.commands.binary_search_by(|command| command.name.as_str().cmp(name)).ok()?;
        self.commands.get(at)
    }

    /// The event of this name.
    pub fn event(&self, name: &str) -> Option<&EventInfo> {
        let at = self.events.binary_search_by(|event| event.name.as_str().cmp(name)).ok()?;
        self.events.get(at)
    }

    /// The type at this place.
    pub fn kind(&self, id: TypeId) -> &Type {
        // Every id was checked when the schema was read, and ids are not made elsewhere.
        &self.types[id.place()]
    }

    /// The object type at this place; an empty one where it is of another kind.
    pub fn object(&self, id: TypeId) -> &Object {
        static EMPTY: Object = Object { members: Vec::new(), tag: None, variants: Vec::new() };
        match self.kind(id) {
            Type::Object(object) => object,
            _ => &EMPTY,
        }
    }
}

impl<'a, N: Name<'a>> Entity<N> {
    fn into_type(self, find: &impl Fn(&str) -> Result<TypeId, SchemaError>) -> Result<Type, SchemaError> {
        Ok(match &*self.meta_type {
            "builtin" => Type::Builtin(match &*self.json_type.unwrap_or_default() {
                "string" => Builtin::Str,
                "int" => Builtin::Int,
                "number" => Builtin::Number,
                "boolean" => Builtin::Bool,
                "null" => Builtin::Null,
                // What a newer server may add is not ours to judge.
                _ => Builtin::Any,
            }),
            "enum" => {
                let named = self.members.into_iter().map(|m| EnumValue { name: m.name.into(), features: m.features });
                let mut values: Vec<EnumValue> = named.collect();
                if values.is_empty() {
                    let plain = self.values.into_iter();
                    values = plain.map(|v| EnumValue { name: v.into(), features: Vec::new() }).collect();
                }
                Type::Enum(values)
            }
            "array" => Type::Array(find(&self.element_type.unwrap_or_default())?),
            "object" => {
                let tag = self.tag.and_then(|tag| self.members.iter().position(|member| member.name == tag));
                let members = self.members.into_iter().map(|member| {
                    Ok(ObjectMember {
                        name: member.name.into(),
                        kind: find(&member.kind)?,
                        optional: member.default,
                        features: member.features,
                    })
                });
                let members = members.collect::<Result<_, SchemaError>>()?;
                let variants = self.variants.into_iter().map(|v| Ok((v.case.into(), find(&v.kind)?)));
                Type::Object(Object { members, tag, variants: variants.collect::<Result<_, SchemaError>>()? })
            }
            "alternate" => {
                let kinds = self.members.iter().map(|member| find(&member.kind));
                Type::Alternate(kinds.collect::<Result<_, SchemaError>>()?)
            }
            _ => Type::Builtin(Builtin::Any),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All kinds of entities, spelled as servers do, and the members of an enumeration as old ones did.
    const ANSWER: &str = r#"[
        {"name": "set_link", "meta-type": "command", "arg-type": "0", "ret-type": "1", "features": ["unstable"]},
        {"name": "STOP", "meta-type": "event", "arg-type": "1"},
        {"name": "0", "meta-type": "object", "tag": "type", "variants": [{"case": "nic", "type": "1"}],
            "members": [{"name": "type", "type": "2"}, {"name": "up", "type": "4", "default": null}]},
        {"name": "1", "meta-type": "object", "members": []},
        {"name": "2", "meta-type": "enum", "values": ["nic", "user"]},
        {"name": "3", "meta-type": "enum", "members": [{"name": "nic"}, {"name": "user"}]},
        {"name": "4", "meta-type": "builtin", "json-type": "boolean"},
        {"name": "[4]", "meta-type": "array", "element-type": "4"},
        {"name": "6", "meta-type": "alternate", "members": [{"type": "4"}, {"type": "[4]"}]}
    ]"#;

    /// The same JSON with an escape for the last character of each string.
    fn escaped(raw: &str) -> String {
        let parts = raw.split('"').enumerate().map(|(index, part)| match part.char_indices().next_back() {
            Some((at, last)) if index % 2 == 1 => format!("{}\\u{:04x}", &part[..at], u32::from(last)),
            _ => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("\"")
    }

    #[test]
    fn a_name_may_be_spelled_with_escapes() {
        let plain = Schema::parse(ANSWER).unwrap();
        assert_eq!(plain.types.len(), 7);
        assert!(escaped(ANSWER).contains(r#""set_lin\u006b""#));
        let spelled = Schema::parse(&escaped(ANSWER)).unwrap();
        assert_eq!(format!("{spelled:?}"), format!("{plain:?}"));
    }
}
