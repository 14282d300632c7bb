//! One property of an object, as the server lists it.

use serde::{Deserialize, Serialize};

use crate::schema::{Builtin, builtin_of_property};

/// A property: also each child is one, and each link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    /// Its name, unique in its object.
    pub name: String,
    /// Its type as QOM calls it: `bool`, `uint32`, `child<container>`, `link<iothread>`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What it is for, where QOM says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What stands in a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// An object of this type that lives here.
    Child(&'a str),
    /// The path of an object of this type that lives elsewhere, or nothing.
    Link(&'a str),
    /// A value of this type.
    Value(&'a str),
}

impl Property {
    /// What stands in it.
    pub fn kind(&self) -> Kind<'_> {
        let inner = |before| self.type_name.strip_prefix(before)?.strip_suffix('>');
        match (inner("child<"), inner("link<")) {
            (Some(of), _) => Kind::Child(of),
            (_, Some(of)) => Kind::Link(of),
            _ => Kind::Value(&self.type_name),
        }
    }

    /// The type that its values have on the wire, where the name tells it.
    pub(super) fn builtin(&self) -> Option<Builtin> {
        builtin_of_property(&self.type_name, self.description.as_deref())
    }
}
