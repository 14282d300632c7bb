//! What a server says of itself, as lookups: commands, events and their types.
//!
//! Read once from the answer to `query-qmp-schema`. The names that types have there are numbers without meaning; here
//! a type is a [`TypeId`], and nothing shows it. Follows "Client JSON Protocol introspection" of QEMU's QAPI
//! documentation. The answer has neither prose nor ranges.

use std::collections::HashMap;

use serde::Deserialize;

use super::extent::all_can_be_told;

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

/// One entity, as the server spells it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Entity<'a> {
    name: &'a str,
    meta_type: &'a str,
    #[serde(default)]
    json_type: Option<&'a str>,
    #[serde(default)]
    element_type: Option<&'a str>,
    #[serde(default)]
    arg_type: Option<&'a str>,
    #[serde(default)]
    ret_type: Option<&'a str>,
    #[serde(default)]
    allow_oob: bool,
    #[serde(default)]
    tag: Option<&'a str>,
    #[serde(default, borrow)]
    variants: Vec<Variant<'a>>,
    #[serde(default, borrow)]
    members: Vec<EntityMember<'a>>,
    /// How servers before 6.2 spelled the members of an enumeration.
    #[serde(default, borrow)]
    values: Vec<&'a str>,
    #[serde(default)]
    features: Vec<String>,
}

#[derive(Deserialize)]
struct Variant<'a> {
    case: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
}

#[derive(Deserialize)]
struct EntityMember<'a> {
    #[serde(default)]
    name: &'a str,
    #[serde(rename = "type", default)]
    kind: &'a str,
    /// Present, even as `null`, where the member is optional.
    #[serde(default, deserialize_with = "is_present")]
    default: bool,
    #[serde(default)]
    features: Vec<String>,
}

fn is_present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(from).map(|_| true)
}

impl Schema {
    /// Reads the return value of `query-qmp-schema`, as JSON text.
    pub fn parse(raw: &str) -> Result<Schema, SchemaError> {
        let entities: Vec<Entity<'_>> = serde_json::from_str(raw)?;
        let mut places: HashMap<&str, TypeId> = HashMap::with_capacity(entities.len());
        for entity in entities.iter().filter(|entity| !matches!(entity.meta_type, "command" | "event")) {
            let place = TypeId(u32::try_from(places.len()).unwrap_or(u32::MAX));
            places.insert(entity.name, place);
        }
        let find = |name: &str| places.get(name).copied().ok_or_else(|| SchemaError::NoSuchType(name.to_owned()));
        let mut schema = Schema { types: Vec::with_capacity(places.len()), ..Schema::default() };
        for entity in entities {
            match entity.meta_type {
                "command" => schema.commands.push(CommandInfo {
                    name: entity.name.to_owned(),
                    arguments: find(entity.arg_type.unwrap_or_default())?,
                    returns: find(entity.ret_type.unwrap_or_default())?,
                    allow_oob: entity.allow_oob,
                    features: entity.features,
                }),
                "event" => schema.events.push(EventInfo {
                    name: entity.name.to_owned(),
                    data: find(entity.arg_type.unwrap_or_default())?,
                    features: entity.features,
                }),
                _ => schema.types.push(entity.into_type(&find)?),
            }
        }
        if !all_can_be_told(&schema.types) {
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

impl Entity<'_> {
    fn into_type(self, find: &impl Fn(&str) -> Result<TypeId, SchemaError>) -> Result<Type, SchemaError> {
        Ok(match self.meta_type {
            "builtin" => Type::Builtin(match self.json_type.unwrap_or_default() {
                "string" => Builtin::Str,
                "int" => Builtin::Int,
                "number" => Builtin::Number,
                "boolean" => Builtin::Bool,
                "null" => Builtin::Null,
                // What a newer server may add is not ours to judge.
                _ => Builtin::Any,
            }),
            "enum" => {
                let named =
                    self.members.into_iter().map(|m| EnumValue { name: m.name.to_owned(), features: m.features });
                let mut values: Vec<EnumValue> = named.collect();
                if values.is_empty() {
                    let plain = self.values.iter();
                    values = plain.map(|v| EnumValue { name: (*v).to_owned(), features: Vec::new() }).collect();
                }
                Type::Enum(values)
            }
            "array" => Type::Array(find(self.element_type.unwrap_or_default())?),
            "object" => {
                let tag = self.tag.and_then(|tag| self.members.iter().position(|member| member.name == tag));
                let members = self.members.into_iter().map(|member| {
                    Ok(ObjectMember {
                        name: member.name.to_owned(),
                        kind: find(member.kind)?,
                        optional: member.default,
                        features: member.features,
                    })
                });
                let members = members.collect::<Result<_, SchemaError>>()?;
                let variants = self.variants.iter().map(|v| Ok((v.case.to_owned(), find(v.kind)?)));
                Type::Object(Object { members, tag, variants: variants.collect::<Result<_, SchemaError>>()? })
            }
            "alternate" => {
                let kinds = self.members.iter().map(|member| find(member.kind));
                Type::Alternate(kinds.collect::<Result<_, SchemaError>>()?)
            }
            _ => Type::Builtin(Builtin::Any),
        })
    }
}
