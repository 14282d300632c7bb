//! The part of an object tree that has been read.

use std::collections::HashSet;

use crate::wire::quote;

use super::path::join;
use super::property::{Property, PropertyKind};

/// An object and everything below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The root comes first, and each object after its parent.
    nodes: Vec<Node>,
}

/// One object of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub path: String,
    /// Empty if not known.
    pub type_name: String,
    /// The number of levels below the root.
    pub level: usize,
    pub state: NodeState,
}

/// The members of an object, or the reason why there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeState {
    /// The members in the server's order.
    Read(Vec<Member>),
    /// Not requested from the server.
    Unread,
    /// The server's reason why the object cannot be listed.
    Failed(String),
}

/// A child or a property of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// The child's name and its index among the nodes.
    Child(String, usize),
    Property(Property, PropertyValue),
}

impl Member {
    pub fn name(&self) -> &str {
        match self {
            Member::Child(name, _) => name,
            Member::Property(property, _) => &property.name,
        }
    }
}

/// A value, as the JSON text that the server wrote, or the server's reason why it cannot be read.
pub type PropertyValue = Result<String, String>;

/// The members found by [`Tree::set_members`] that must be read next.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    /// Indices of the children.
    pub(crate) children: Vec<usize>,
    /// Indices of members of the object whose values are missing.
    pub(crate) values: Vec<usize>,
}

impl Tree {
    /// Creates a tree with a single unread object.
    pub(crate) fn new(path: &str) -> Tree {
        let root = Node { path: path.to_owned(), type_name: String::new(), level: 0, state: NodeState::Unread };
        Tree { nodes: vec![root] }
    }

    pub fn root(&self) -> &Node {
        &self.nodes[0]
    }

    /// Returns the object that [`Member::Child`] refers to.
    pub fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    /// Sets the members of an object to the listed properties. A property comes with its value if that is known.
    pub(crate) fn set_members(&mut self, index: usize, listed: Vec<(Property, Option<PropertyValue>)>) -> Unread {
        let (path, level) = (self.nodes[index].path.clone(), self.nodes[index].level + 1);
        let mut unread = Unread::default();
        let mut members = Vec::with_capacity(listed.len());
        let mut names = HashSet::new();
        for (property, value) in listed {
            // The same path is the same object or value.
            if !names.insert(property.name.clone()) {
                continue;
            }
            match (property.kind(), value) {
                (PropertyKind::Child(type_name), _) => {
                    let child = self.nodes.len();
                    let (path, type_name) = (join(&path, &property.name), type_name.to_owned());
                    self.nodes.push(Node { path, type_name, level, state: NodeState::Unread });
                    unread.children.push(child);
                    members.push(Member::Child(property.name, child));
                }
                (_, Some(value)) => members.push(Member::Property(property, value)),
                // The parent's `child<…>` property gives the value, which saves a request for each object.
                (_, None) if property.name == "type" && !self.nodes[index].type_name.is_empty() => {
                    let value = Ok(quote(&self.nodes[index].type_name));
                    members.push(Member::Property(property, value));
                }
                (_, None) => {
                    unread.values.push(members.len());
                    members.push(Member::Property(property, Ok("null".to_owned())));
                }
            }
        }
        self.nodes[index].state = NodeState::Read(members);
        self.read_type_property(index);
        unread
    }

    /// Records why an object could not be listed.
    pub(crate) fn set_failed(&mut self, index: usize, reason: String) {
        self.nodes[index].state = NodeState::Failed(reason);
    }

    /// Returns the name of a member, or an empty string if the object has not been read.
    pub(crate) fn member_name(&self, index: usize, member: usize) -> &str {
        match &self.nodes[index].state {
            NodeState::Read(members) => members[member].name(),
            NodeState::Unread | NodeState::Failed(_) => "",
        }
    }

    /// Sets the value of a property.
    pub(crate) fn set_value(&mut self, index: usize, member: usize, new: PropertyValue) {
        if let NodeState::Read(members) = &mut self.nodes[index].state
            && let Some(Member::Property(_, value)) = members.get_mut(member)
        {
            *value = new;
        }
        self.read_type_property(index);
    }

    /// Takes the type of an object from its property `type`, unless it is known from the `child<…>` property of its
    /// parent.
    fn read_type_property(&mut self, index: usize) {
        if !self.nodes[index].type_name.is_empty() {
            return;
        }
        let NodeState::Read(members) = &self.nodes[index].state else { return };
        let type_name = members.iter().find_map(|member| match member {
            Member::Property(property, Ok(value)) if property.name == "type" => serde_json::from_str(value).ok(),
            _ => None,
        });
        self.nodes[index].type_name = type_name.unwrap_or_default();
    }
}
