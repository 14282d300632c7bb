//! The objects that the arguments of a command consist of, and the members that each can have.

use std::rc::Rc;

use crate::grammar::{Diagnostic, Span};

use super::arg_tree::ArgTree;
use super::model::{Object, ObjectMember, Schema, TypeId};

/// The members of an object type that apply to a value: its own, and those of the variants that its tags select.
pub(super) struct ActiveMembers<'a> {
    pub(super) members: Vec<&'a ObjectMember>,
    /// The tags, given or not.
    pub(super) tags: Vec<&'a ObjectMember>,
    /// The selections: a tag and its value.
    selected: Vec<(&'a str, String)>,
    /// The object type whose tag is not given, so that the members of its variants are not among the others.
    pub(super) unselected: Option<&'a Object>,
}

impl<'a> ActiveMembers<'a> {
    /// Finds the members of the object type `id`. `text` returns the text that is given for a tag.
    pub(super) fn of(schema: &'a Schema, id: TypeId, text: &dyn Fn(&str) -> Option<String>) -> ActiveMembers<'a> {
        let mut active =
            ActiveMembers { members: Vec::new(), tags: Vec::new(), selected: Vec::new(), unselected: None };
        active.add(schema, schema.object(id), text);
        active
    }

    fn add(&mut self, schema: &'a Schema, object: &'a Object, text: &dyn Fn(&str) -> Option<String>) {
        self.members.extend(&object.members);
        let Some(tag) = object.tag_member() else { return };
        self.tags.push(tag);
        let Some(value) = text(&tag.name) else {
            self.unselected = Some(object);
            return;
        };
        let variant = object.variants.iter().find(|(case, _)| *case == value);
        self.selected.push((&tag.name, value));
        if let Some((_, variant)) = variant {
            self.add(schema, schema.object(*variant), text);
        }
    }
}

/// An object among the arguments of a command: the arguments themselves, or one that they contain.
pub(super) struct Level<'a> {
    /// The key of the object; empty for the arguments themselves.
    pub(super) path: String,
    pub(super) active: ActiveMembers<'a>,
    /// The names that are given.
    given: Vec<String>,
}

impl<'a> Level<'a> {
    pub(super) fn of(schema: &'a Schema, id: TypeId, tree: &ArgTree, path: &str) -> Level<'a> {
        Level {
            path: path.to_owned(),
            active: ActiveMembers::of(schema, id, &|tag| tree.text(tag)),
            given: tree.entries().iter().map(|entry| entry.name.clone()).collect(),
        }
    }

    /// Returns whether the object is the arguments themselves.
    pub(super) fn is_top(&self) -> bool {
        self.path.is_empty()
    }

    /// Returns the whole key of a member, as a user types it.
    pub(super) fn key(&self, name: &str) -> String {
        child_key(&self.path, name)
    }

    /// Returns the command and the selected variants, as messages name them: "`blockdev-add` with driver=qcow2".
    pub(super) fn subject(&self, command: &str) -> String {
        let selected = self.active.selected.iter();
        let selected: Vec<String> = selected.map(|(tag, value)| format!("{}={value}", self.key(tag))).collect();
        match selected.is_empty() {
            true => command.to_owned(),
            false => format!("{command} with {}", selected.join(" ")),
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<&'a ObjectMember> {
        self.active.members.iter().find(|member| member.name == name).copied()
    }

    pub(super) fn tags(&self) -> impl Iterator<Item = &'a ObjectMember> {
        self.active.tags.iter().copied()
    }

    /// Returns the members that are not given.
    pub(super) fn unused(&self) -> impl Iterator<Item = &'a ObjectMember> {
        self.active.members.iter().copied().filter(|member| !self.given.contains(&member.name))
    }

    /// Returns the required members that are not given.
    pub(super) fn missing(&self) -> impl Iterator<Item = &'a ObjectMember> {
        self.unused().filter(|member| !member.optional)
    }

    /// Returns the error for a member that is not given. `values` describes the values that it takes.
    pub(super) fn missing_key(&self, command: &str, member: &ObjectMember, values: &str, span: Span) -> Diagnostic {
        let (key, subject) = (self.key(&member.name), self.subject(command));
        Diagnostic::unfinished(span, format!("missing key `{key}` for {subject} ({values})"))
    }
}

/// Returns the key that has this name in the innermost of these objects that can have it.
pub(super) fn key_in_levels(levels: &[Rc<Level<'_>>], name: &str) -> Option<String> {
    let level = levels.iter().rev().find(|level| level.unused().any(|member| member.name == name))?;
    Some(level.key(name))
}

/// Returns the key of a member of the object at `path`.
pub(super) fn child_key(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
