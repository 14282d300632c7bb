//! Reads introspection, the reply to `query-qmp-schema`, into a [`Schema`].
//!
//! Introspection names types by meaningless numbers, which become [`TypeId`]s. Follows "Client JSON Protocol
//! introspection" of QEMU's QAPI documentation. It contains neither documentation nor value ranges.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Deref;

use serde::{Deserialize, Deserializer};

use super::model::{Builtin, CommandInfo, EnumValue, EventInfo, Object, ObjectMember, Schema, Type, TypeId};

/// An error in the reply to `query-qmp-schema`.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("cannot read the server's introspection: {0}")]
    Invalid(#[from] serde_json::Error),
    #[error("unknown type `{0}` in the server's introspection")]
    UnknownType(String),
    /// A type is recursive, or expands to too many types.
    #[error("a type in the server's introspection is recursive or too large")]
    Infinite,
}

/// A name: a slice of the reply, or an owned string.
trait Name<'a>: Deserialize<'a> + Borrow<str> + Deref<Target = str> + Into<String> + Clone + Default + Eq + Hash {}

/// Works for every reply whose names have no escapes, which is every reply seen so far.
impl<'a> Name<'a> for &'a str {}

/// Works for every reply.
impl Name<'_> for String {}

/// A command, an event or a type, as the server writes it.
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
    /// The values of an enumeration, the only list of them before QEMU 6.2.
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
    /// Whether there is a default, even if only `null`: the member is then optional.
    #[serde(default, deserialize_with = "is_present")]
    default: bool,
    #[serde(default)]
    features: Vec<String>,
}

fn is_present<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(from).map(|_| true)
}

impl Schema {
    /// Parses the return value of `query-qmp-schema`, JSON text.
    pub fn parse(raw: &str) -> Result<Schema, SchemaError> {
        match serde_json::from_str::<Vec<Entity<&str>>>(raw) {
            Ok(entities) => Schema::from_entities(entities),
            // A name with an escape cannot be a slice of the text.
            Err(_) => Schema::from_entities(serde_json::from_str::<Vec<Entity<String>>>(raw)?),
        }
    }

    fn from_entities<'a, N: Name<'a>>(entities: Vec<Entity<N>>) -> Result<Schema, SchemaError> {
        let mut ids: HashMap<N, TypeId> = HashMap::with_capacity(entities.len());
        for entity in entities.iter().filter(|entity| !matches!(&*entity.meta_type, "command" | "event")) {
            ids.insert(entity.name.clone(), TypeId::from_index(ids.len()));
        }
        let find = |name: &str| ids.get(name).copied().ok_or_else(|| SchemaError::UnknownType(name.to_owned()));
        let mut schema = Schema { types: Vec::with_capacity(ids.len()), ..Schema::default() };
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
        if !schema.is_finite() {
            return Err(SchemaError::Infinite);
        }
        schema.commands.sort_by(|a, b| a.name.cmp(&b.name));
        schema.events.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(schema)
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
                // A newer server may add types, which are then not checked.
                _ => Builtin::Any,
            }),
            "enum" => {
                // Since QEMU 6.2 the values are members too, with features.
                if self.members.is_empty() {
                    let values = self.values.into_iter();
                    Type::Enum(values.map(|name| EnumValue { name: name.into(), features: Vec::new() }).collect())
                } else {
                    let members = self.members.into_iter();
                    Type::Enum(
                        members
                            .map(|member| EnumValue { name: member.name.into(), features: member.features })
                            .collect(),
                    )
                }
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
                let variants = self.variants.into_iter().map(|variant| Ok((variant.case.into(), find(&variant.kind)?)));
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

    /// Entities of all kinds, and the values of an enumeration in the new and in the old form.
    const REPLY: &str = r#"[
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

    /// Escapes the last character of each string.
    fn escaped(raw: &str) -> String {
        let parts = raw.split('"').enumerate().map(|(index, part)| match part.char_indices().next_back() {
            Some((at, last)) if index % 2 == 1 => format!("{}\\u{:04x}", &part[..at], u32::from(last)),
            _ => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("\"")
    }

    #[test]
    fn reads_names_with_escapes() {
        let schema = Schema::parse(REPLY).unwrap();
        assert_eq!(schema.types.len(), 7);
        assert!(escaped(REPLY).contains(r#""set_lin\u006b""#));
        let from_escaped = Schema::parse(&escaped(REPLY)).unwrap();
        assert_eq!(format!("{from_escaped:?}"), format!("{schema:?}"));
    }
}
