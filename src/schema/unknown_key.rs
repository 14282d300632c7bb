//! The diagnosis of keys that an object does not have: misspellings, keys of another object, and keys of a variant whose
//! tag is missing.

use std::collections::HashSet;
use std::rc::Rc;

use crate::grammar::{Diagnostic, Span};

use super::arg_tree::{ArgTree, Entry};
use super::describe::{describe, one_of};
use super::level::{ActiveMembers, Level, child_key, key_in_levels};
use super::model::{Object, ObjectMember, Schema, TypeId};
use super::suggest::nearest;

/// The maximum depth below an object at which a key that it does not have is looked for. `backend.data.addr.data.path`
/// of `chardev-add` needs four.
const MAX_LEVELS_BELOW: usize = 4;

/// Keys that an object does not have.
pub(super) struct UnknownKeys<'t, 'a> {
    pub(super) schema: &'a Schema,
    /// The command as messages name it.
    pub(super) command: &'t str,
    pub(super) level: &'t Level<'a>,
    /// The objects that contain it, from the outside to the inside.
    pub(super) enclosing: &'t [Rc<Level<'a>>],
    /// The keys, at least one.
    pub(super) keys: &'t [&'t Entry],
    /// All that is given for the object.
    pub(super) tree: &'t ArgTree,
}

/// An object in which a key is looked for.
struct Place<'t> {
    path: String,
    kind: TypeId,
    /// All that is given for it.
    tree: Option<&'t ArgTree>,
}

impl<'t, 'a> UnknownKeys<'t, 'a> {
    /// Returns the error for the keys. `span` is that of the object, where a missing key is reported.
    pub(super) fn diagnose(&self, span: Span) -> Diagnostic {
        let missing = self.level.active.unselected.and_then(Object::tag_member).filter(|tag| !tag.optional);
        missing.and_then(|tag| self.missing_tag(tag, span)).unwrap_or_else(|| {
            let key = self.keys[0];
            match self.meant_key(&key.name) {
                Some(meant) => self.misspelled(key, &meant),
                None => self.unknown(key, &self.hint()),
            }
        })
    }

    /// Returns the error for keys that look unknown because a tag is missing. `None` if a key is more likely a
    /// misspelled member of every variant.
    fn missing_tag(&self, tag: &'a ObjectMember, span: Span) -> Option<Diagnostic> {
        let misspelled_tag = self.keys.iter().find(|key| nearest(&key.name, [tag.name.as_str()]).is_some());
        if let Some(key) = misspelled_tag {
            return Some(self.misspelled(key, &self.level.key(&tag.name)));
        }
        let variants = self.variants_with_keys();
        if variants.is_empty() && self.nearest_member(&self.keys[0].name).is_some() {
            return None;
        }
        let values = if variants.is_empty() { describe(self.schema, tag.kind) } else { one_of(variants.into_iter()) };
        Some(self.level.missing_key(self.command, tag, &values, span))
    }

    /// Returns the values of the missing tag whose variants have all the keys.
    fn variants_with_keys(&self) -> Vec<&'a str> {
        let variants = self.level.active.unselected.iter().flat_map(|object| &object.variants);
        let has_keys = |kind: TypeId| {
            let members = &self.schema.object(kind).members;
            self.keys.iter().all(|key| members.iter().any(|member| member.name == key.name))
        };
        variants.filter(|(_, kind)| has_keys(*kind)).map(|(case, _)| case.as_str()).collect()
    }

    fn unknown(&self, key: &Entry, hint: &str) -> Diagnostic {
        let message =
            format!("unknown key `{}` for {}{hint}", self.level.key(&key.name), self.level.subject(self.command));
        Diagnostic::new(key.span, message)
    }

    /// Returns the error for a key in place of which another one was probably meant: `meant` is its whole key.
    fn misspelled(&self, key: &Entry, meant: &str) -> Diagnostic {
        // The span is that of the whole key, of its last part, or of a string in JSON.
        let replacement = match key.span.range().len() {
            len if len == self.level.key(&key.name).len() => Some(meant),
            len if len == key.name.len() => meant.strip_prefix(&self.level.key("")),
            _ => None,
        };
        self.unknown(key, &format!("; did you mean `{meant}`?")).with_replacement(replacement)
    }

    /// Returns the whole key that was probably meant by `name`.
    fn meant_key(&self, name: &str) -> Option<String> {
        let elsewhere = key_in_levels(self.enclosing, name).or_else(|| self.key_below(name));
        elsewhere.or_else(|| self.nearest_member(name).map(|near| self.level.key(near)))
    }

    /// Returns a hint for an unknown key: the keys that are needed.
    fn hint(&self) -> String {
        if self.level.active.members.is_empty() {
            return "; it takes no keys".to_owned();
        }
        let missing: Vec<String> =
            self.level.missing().map(|member| format!("`{}`", self.level.key(&member.name))).collect();
        if !missing.is_empty() {
            return format!("; it needs {}", missing.join(", "));
        }
        let mut unused = self.level.unused();
        match (unused.next(), unused.next()) {
            (Some(only), None) => format!("; the only other key is `{}`", self.level.key(&only.name)),
            _ => String::new(),
        }
    }

    /// Returns the member nearest to a name, preferably one that is not given.
    fn nearest_member(&self, name: &str) -> Option<&'a str> {
        let names = |members: &mut dyn Iterator<Item = &'a ObjectMember>| {
            nearest(name, members.map(|member| member.name.as_str()))
        };
        names(&mut self.level.unused()).or_else(|| names(&mut self.level.active.members.iter().copied()))
    }

    /// Returns the key with this name in an object below that is given or required: at the least depth, and a required key
    /// if there is one.
    fn key_below(&self, name: &str) -> Option<String> {
        let members = self.level.active.members.iter().copied();
        let mut places = self.places(members, &self.level.path, Some(self.tree));
        // Types nest in themselves by many keys. Where nothing is given, all places of a type are alike.
        let mut seen = HashSet::new();
        for _ in 0..MAX_LEVELS_BELOW {
            let (mut below, mut optional) = (Vec::new(), None);
            for place in places {
                if place.tree.is_none() && !seen.insert(place.kind) {
                    continue;
                }
                let text = |tag: &str| place.tree?.text(tag);
                let active = ActiveMembers::of(self.schema, place.kind, &text);
                // The variant that has the key may not be selected yet.
                let variants = active.unselected.iter().flat_map(|object| &object.variants);
                let variants = variants.flat_map(|(_, kind)| &self.schema.object(*kind).members);
                let members: Vec<&ObjectMember> = active.members.iter().copied().chain(variants).collect();
                let is_given = place.tree.is_some_and(|tree| tree.get(name).is_some());
                match members.iter().find(|member| member.name == name && !is_given) {
                    Some(member) if !member.optional => return Some(child_key(&place.path, name)),
                    Some(_) => optional = optional.or_else(|| Some(child_key(&place.path, name))),
                    None => {}
                }
                below.extend(self.places(members.into_iter(), &place.path, place.tree));
            }
            if optional.is_some() {
                return optional;
            }
            places = below;
        }
        None
    }

    /// Returns the objects that are given or required below the object at `path`, those that are given first.
    fn places(
        &self,
        members: impl Iterator<Item = &'a ObjectMember>,
        path: &str,
        tree: Option<&'t ArgTree>,
    ) -> Vec<Place<'t>> {
        let mut places: Vec<Place<'t>> = members
            .filter_map(|member| {
                let given = tree.and_then(|tree| tree.get(&member.name));
                let branch = tree.and_then(|tree| tree.branch(&member.name));
                let is_possible = if given.is_some() { branch.is_some() } else { !member.optional };
                is_possible.then(|| self.place(member.kind, child_key(path, &member.name), branch)).flatten()
            })
            .collect();
        places.sort_by_key(|place| place.tree.is_none());
        places
    }

    /// Returns the object that a value of this type is, or the first one of an array.
    fn place(&self, kind: TypeId, path: String, tree: Option<&'t ArgTree>) -> Option<Place<'t>> {
        match (self.schema.object_within(kind), self.schema.element_within(kind)) {
            (Some(kind), _) => Some(Place { path, kind, tree }),
            (None, Some(element)) => {
                let kind = self.schema.object_within(element)?;
                Some(Place { path: child_key(&path, "0"), kind, tree: tree.and_then(|tree| tree.branch("0")) })
            }
            (None, None) => None,
        }
    }
}
