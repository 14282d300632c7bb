//! A whole tree of objects with their values, as it was read.

use crate::wire::quote;

use super::path::join;
use super::property::{Kind, Property};

/// Objects with their properties, in the order in which the server told of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The first is where the tree begins; each stands behind the one that holds it.
    nodes: Vec<Node>,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its path.
    pub path: String,
    /// The type of the object; empty where it is not known.
    pub type_name: String,
    /// How many levels below the first it is.
    pub level: usize,
    /// What it consists of.
    pub state: State,
}

/// What is known of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its members, in the server's order.
    Open(Vec<Member>),
    /// It was not asked for.
    Closed,
    /// Why it could not be listed.
    Failed(String),
}

/// What an object holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// The object of this name, by its place among the nodes.
    Child(String, usize),
    /// A property, and its value.
    Property(Property, Value),
}

impl Member {
    /// Its name, unique in its object.
    pub fn name(&self) -> &str {
        match self {
            Member::Child(name, _) => name,
            Member::Property(property, _) => &property.name,
        }
    }
}

/// A value as JSON text in the server's spelling, or why it could not be read.
pub type Value = Result<String, String>;

impl Tree {
    /// A tree of one object, of which nothing is known.
    pub(super) fn begin(path: &str) -> Tree {
        let root = Node { path: path.to_owned(), type_name: String::new(), level: 0, state: State::Closed };
        Tree { nodes: vec![root] }
    }

    /// Where the tree begins.
    pub fn root(&self) -> &Node {
        &self.nodes[0]
    }

    /// The object at this place.
    pub fn node(&self, at: usize) -> &Node {
        &self.nodes[at]
    }

    /// The object at `at` has these properties, with those values that are known already. Returns the places of the
    /// objects in it, and of the values that are still to be read.
    pub(super) fn open(&mut self, at: usize, listed: Vec<(Property, Option<Value>)>) -> (Vec<usize>, Vec<usize>) {
        let (path, level) = (self.nodes[at].path.clone(), self.nodes[at].level + 1);
        let (mut children, mut unread) = (Vec::new(), Vec::new());
        let mut members = Vec::with_capacity(listed.len());
        for (property, value) in listed {
            match (property.kind(), value) {
                (Kind::Child(of), _) => {
                    let place = self.nodes.len();
                    let path = join(&path, &property.name);
                    self.nodes.push(Node { path, type_name: of.to_owned(), level, state: State::Closed });
                    children.push(place);
                    members.push(Member::Child(property.name, place));
                }
                (_, Some(value)) => members.push(Member::Property(property, value)),
                // The property that held the object has told its type.
                (_, None) if property.name == "type" && !self.nodes[at].type_name.is_empty() => {
                    let value = Ok(quote(&self.nodes[at].type_name));
                    members.push(Member::Property(property, value));
                }
                (_, None) => {
                    unread.push(members.len());
                    members.push(Member::Property(property, Ok("null".to_owned())));
                }
            }
        }
        self.nodes[at].state = State::Open(members);
        if self.nodes[at].type_name.is_empty() {
            self.learn_type(at);
        }
        (children, unread)
    }

    /// The object at `at` could not be listed.
    pub(super) fn fail(&mut self, at: usize, reason: String) {
        self.nodes[at].state = State::Failed(reason);
    }

    /// The name of the member `member` of the object at `at`.
    pub(super) fn name_of(&self, at: usize, member: usize) -> &str {
        match &self.nodes[at].state {
            State::Open(members) => members[member].name(),
            State::Closed | State::Failed(_) => "",
        }
    }

    /// The value of a property was read.
    pub(super) fn put(&mut self, at: usize, member: usize, read: Value) {
        if let State::Open(members) = &mut self.nodes[at].state
            && let Some(Member::Property(_, value)) = members.get_mut(member)
        {
            *value = read;
        }
        if self.nodes[at].type_name.is_empty() {
            self.learn_type(at);
        }
    }

    /// The object that nothing holds tells its type itself.
    fn learn_type(&mut self, at: usize) {
        let State::Open(members) = &self.nodes[at].state else { return };
        let text = members.iter().find_map(|member| match member {
            Member::Property(property, Ok(value)) if property.name == "type" => serde_json::from_str(value).ok(),
            _ => None,
        });
        self.nodes[at].type_name = text.unwrap_or_default();
    }
}
