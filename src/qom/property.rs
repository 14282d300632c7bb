//! One property of an object, as `qom-list` describes it.

use serde::{Deserialize, Serialize};

use crate::schema::PropertyType;

/// A property. Children and links of an object are properties too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    /// Unique within the object.
    pub name: String,
    /// QOM's name of the type: `bool`, `uint32`, `child<container>`, `link<iothread>`.
    #[serde(rename = "type")]
    pub type_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The kind of a property, with the type name inside its `child<…>` or `link<…>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyKind<'a> {
    /// An object that is part of this one.
    Child(&'a str),
    /// The path of another object; empty if the link is unset.
    Link(&'a str),
    Value(&'a str),
}

impl Property {
    pub fn kind(&self) -> PropertyKind<'_> {
        let inner = |prefix| self.type_name.strip_prefix(prefix)?.strip_suffix('>');
        match (inner("child<"), inner("link<")) {
            (Some(type_name), _) => PropertyKind::Child(type_name),
            (_, Some(type_name)) => PropertyKind::Link(type_name),
            _ => PropertyKind::Value(&self.type_name),
        }
    }

    /// Returns the type of the values, as far as its name tells.
    pub(super) fn value_type(&self) -> PropertyType {
        PropertyType::of(&self.type_name, self.description.as_deref())
    }
}
