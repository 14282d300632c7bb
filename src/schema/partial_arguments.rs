//! The arguments of an unfinished line: those that are given so far, and those that can still follow.

use crate::grammar::{Arg, Json, JsonKind, Span, Word, parse_json};

use super::arg_tree::{ArgTree, Node};
use super::level::ActiveMembers;
use super::model::{ObjectMember, Schema, TypeId};

/// The keys and values that are given so far. Skips what cannot be parsed yet.
#[derive(Debug, Clone, Default)]
pub struct PartialArguments {
    tree: ArgTree,
}

/// The members that an object can have.
#[derive(Debug, Clone, Default)]
pub struct Expected<'a> {
    /// All members, in the server's order.
    pub members: Vec<&'a ObjectMember>,
    /// The names of those that are given.
    pub given: Vec<String>,
    /// The names of those that select variants.
    pub tags: Vec<&'a str>,
}

/// The keys that can follow those that are given below a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Continuation {
    /// Only optional keys, or further items of an array.
    Optional,
    /// At least one required key.
    Required,
}

impl<'a> Expected<'a> {
    /// Returns all members, tags first.
    pub fn in_order(&self) -> Vec<&'a ObjectMember> {
        let is_tag = |member: &&ObjectMember| self.tags.contains(&member.name.as_str());
        let (mut first, then): (Vec<_>, Vec<_>) = self.members.iter().copied().partition(is_tag);
        first.extend(then);
        first
    }

    /// Returns the members that are not given yet: required ones first, and of these tags first.
    pub fn missing(&self) -> Vec<&'a ObjectMember> {
        let missing = self.in_order().into_iter().filter(|member| !self.given.contains(&member.name));
        let (mut first, then): (Vec<_>, Vec<_>) = missing.partition(|member| !member.optional);
        first.extend(then);
        first
    }
}

impl PartialArguments {
    /// Collects the arguments in `words`: a leading JSON object or a value of the key `positional`, and `KEY=VALUE`
    /// words. `text` is the line with the words.
    pub fn of_words(text: &str, words: &[Word], positional: Option<&str>) -> PartialArguments {
        let mut tree = ArgTree::default();
        for (index, word) in words.iter().enumerate() {
            if index == 0 && word.is_json() {
                if let Ok((Json { kind: JsonKind::Object(members), .. }, _)) = parse_json(text, word.span.start) {
                    tree = ArgTree::from_members(members);
                }
            } else if let Some(key) = positional.filter(|_| index == 0 && word.is_positional()) {
                let _ = tree.insert(&Arg::positional(key, word));
            } else if let Ok(arg) = Arg::parse(text, word) {
                // A key that conflicts with an earlier one is reported when the line is entered; until then the earlier
                // one counts.
                let _ = tree.insert(&arg);
            }
        }
        PartialArguments { tree }
    }

    /// Sets a key to a JSON value.
    pub fn set_json(&mut self, name: &str, value: Json) {
        *self.tree.node_or_insert_branch(name, Span::default(), false) = Node::Json(value);
    }

    /// Sets a key to a branch with these arguments.
    pub fn set_branch(&mut self, name: &str, below: PartialArguments) {
        *self.tree.node_or_insert_branch(name, Span::default(), false) = Node::Branch(below.tree);
    }

    /// Returns the type of the value at `path` below an object of type `root`. `None` if the path is not allowed.
    pub fn type_at(&self, schema: &Schema, root: TypeId, path: &[String]) -> Option<TypeId> {
        let mut tree = Some(&self.tree);
        let mut kind = root;
        for part in path {
            if let Ok(_index) = part.parse::<usize>()
                && let Some(element) = schema.element_within(kind)
            {
                kind = element;
            } else {
                let active = active_members(schema, schema.object_within(kind)?, tree);
                kind = active.members.iter().find(|member| member.name == *part)?.kind;
            }
            tree = tree.and_then(|tree| tree.branch(part));
        }
        Some(kind)
    }

    /// Returns the members that an object at `path` below an object of type `root` can have.
    pub fn expected<'a>(&self, schema: &'a Schema, root: TypeId, path: &[String]) -> Option<Expected<'a>> {
        let object = schema.object_within(self.type_at(schema, root, path)?)?;
        let active = active_members(schema, object, self.tree_at(path));
        let tags = active.tags.iter().map(|tag| tag.name.as_str()).collect();
        Some(Expected { members: active.members, given: self.names_at(path), tags })
    }

    /// Returns the type of the items of the array at `path` below an object of type `root`.
    pub fn element_at(&self, schema: &Schema, root: TypeId, path: &[String]) -> Option<TypeId> {
        schema.element_within(self.type_at(schema, root, path)?)
    }

    /// Returns whether a value is given at `path` or above it, so that no key can be below.
    pub fn has_value(&self, path: &[String]) -> bool {
        let mut tree = &self.tree;
        for part in path {
            match tree.get(part).map(|entry| &entry.node) {
                Some(Node::Branch(branch)) => tree = branch,
                Some(_) => return true,
                None => return false,
            }
        }
        false
    }

    /// Returns the keys or indices that are given directly below `path`, in order.
    pub fn names_at(&self, path: &[String]) -> Vec<String> {
        self.tree_at(path).into_iter().flat_map(ArgTree::entries).map(|entry| entry.name.clone()).collect()
    }

    fn tree_at(&self, path: &[String]) -> Option<&ArgTree> {
        path.iter().try_fold(&self.tree, |tree, part| tree.branch(part))
    }

    /// Returns the arguments below a key.
    pub fn branch(&self, name: &str) -> PartialArguments {
        PartialArguments { tree: self.tree.branch(name).cloned().unwrap_or_default() }
    }

    /// Returns these arguments with the branch at `path` replaced with `below`.
    pub fn with_branch(&self, path: &[String], below: &PartialArguments) -> PartialArguments {
        let mut whole = self.clone();
        let mut tree = &mut whole.tree;
        for part in path {
            let node = tree.node_or_insert_branch(part, Span::default(), false);
            if !matches!(node, Node::Branch(_)) {
                *node = Node::Branch(ArgTree::default());
            }
            let Node::Branch(next) = node else { return whole };
            tree = next;
        }
        *tree = below.tree.clone();
        whole
    }

    /// Returns the kind of keys that can follow at `path` or below. `None` if `path` has no key, or nothing can follow it.
    pub fn continuation(&self, schema: &Schema, root: TypeId, path: &[String]) -> Option<Continuation> {
        continuation(schema, self.tree_at(path)?, self.type_at(schema, root, path))
    }

    /// Returns the text at `path`, if there is a word or a JSON string.
    pub fn text_at(&self, path: &[&str]) -> Option<String> {
        let (last, branches) = path.split_last()?;
        branches.iter().try_fold(&self.tree, |tree, part| tree.branch(part))?.text(last)
    }
}

fn active_members<'a>(schema: &'a Schema, object: TypeId, tree: Option<&ArgTree>) -> ActiveMembers<'a> {
    ActiveMembers::of(schema, object, &|tag| tree?.text(tag))
}

/// Implements [`PartialArguments::continuation`] for the keys in `tree`, whose value has the type `kind`.
fn continuation(schema: &Schema, tree: &ArgTree, kind: Option<TypeId>) -> Option<Continuation> {
    let object = kind.and_then(|kind| schema.object_within(kind));
    let element = kind.and_then(|kind| schema.element_within(kind));
    let members = object.map(|object| active_members(schema, object, Some(tree)).members);
    let kind_of = |name: &str| match element.filter(|_| name.parse::<usize>().is_ok()) {
        Some(element) => Some(element),
        None => members.iter().flatten().find(|member| member.name == name).map(|member| member.kind),
    };
    let branches = tree.entries().iter().filter_map(|entry| match &entry.node {
        Node::Branch(branch) => Some((branch, kind_of(&entry.name))),
        _ => None,
    });
    let below = branches.filter_map(|(branch, kind)| continuation(schema, branch, kind)).max();
    let here = match &members {
        Some(members) => {
            let missing = members.iter().filter(|member| tree.get(&member.name).is_none());
            let continuations = missing.map(|member| match member.optional {
                true => Continuation::Optional,
                false => Continuation::Required,
            });
            continuations.max()
        }
        // An array can always have another item.
        None => Some(Continuation::Optional),
    };
    below.max(here)
}
