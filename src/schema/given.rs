//! What is given so far on an unfinished line, and what its place still expects.

use crate::grammar::{Arg, Json, JsonKind, Word, parse_arg, parse_json};

use super::introspection::{ObjectMember, Schema, Type, TypeId};
use super::tree::{Entry, Node, Tree};
use super::typing::Members;

/// The keys and values given so far. Built with tolerance: what cannot be read yet is passed over.
#[derive(Debug, Clone, Default)]
pub struct Given {
    tree: Tree,
}

/// The members that a place expects.
#[derive(Debug, Clone, Default)]
pub struct Expected<'a> {
    /// All members that may stand there, in the server's order.
    pub members: Vec<&'a ObjectMember>,
    /// The names of those that are given.
    pub given: Vec<String>,
    /// The names of those that choose variants.
    pub tags: Vec<&'a str>,
}

impl<'a> Expected<'a> {
    /// All members, those that choose variants first.
    pub fn in_order(&self) -> Vec<&'a ObjectMember> {
        let is_tag = |member: &&ObjectMember| self.tags.contains(&member.name.as_str());
        let (mut first, then): (Vec<_>, Vec<_>) = self.members.iter().copied().partition(is_tag);
        first.extend(then);
        first
    }

    /// Members not given yet, required ones first, the tag before all.
    pub fn missing(&self) -> Vec<&'a ObjectMember> {
        let open = self.in_order().into_iter().filter(|member| !self.given.contains(&member.name));
        let (mut first, then): (Vec<_>, Vec<_>) = open.partition(|member| !member.optional);
        first.extend(then);
        first
    }
}

impl Given {
    /// What these words give: a leading JSON object, and `KEY=VALUE` words. `text` is the line that they stand in.
    pub fn of_words(text: &str, words: &[Word]) -> Given {
        let mut given = Given::default();
        for (index, word) in words.iter().enumerate() {
            if index == 0 && word.equals.is_none() && word.bracket == Some(word.span.start) {
                if let Ok((Json { kind: JsonKind::Object(members), .. }, _)) = parse_json(text, word.span.start) {
                    given.tree = Tree::of_members(members);
                }
            } else if let Ok(arg) = parse_arg(text, word) {
                given.add(&arg);
            }
        }
        given
    }

    fn add(&mut self, arg: &Arg) {
        // A key that contradicts an earlier one is an error for later; for now the earlier one counts.
        let _ = self.tree.insert(arg);
    }

    /// Puts a JSON value at a path, making objects and arrays on the way.
    pub fn put(&mut self, path: &[String], value: Option<Json>) {
        let Some((last, branches)) = path.split_last() else { return };
        let mut tree = &mut self.tree;
        for name in branches {
            let at = tree.entries.iter().position(|entry| entry.name == *name).unwrap_or_else(|| {
                tree.entries.push(branch(name));
                tree.entries.len() - 1
            });
            let node = &mut tree.entries[at].node;
            if !matches!(node, Node::Branch(_)) {
                *node = Node::Branch(Tree::default());
            }
            let Node::Branch(next) = node else { return };
            tree = next;
        }
        let mut entry = branch(last);
        if let Some(json) = value {
            entry.node = Node::Json(json);
        }
        tree.entries.retain(|entry| entry.name != *last);
        tree.entries.push(entry);
    }

    /// The type of what stands at `path` below an object of type `root`; `None` where nothing may.
    pub fn type_at(&self, schema: &Schema, root: TypeId, path: &[String]) -> Option<TypeId> {
        let mut tree = Some(&self.tree);
        let mut kind = root;
        for part in path {
            if let Ok(_index) = part.parse::<usize>()
                && let Some(element) = array_of(schema, kind)
            {
                kind = element;
            } else {
                let object = object_of(schema, kind)?;
                let members = Members::of(schema, object, &|tag| tree.and_then(|tree| tree.text(tag)));
                kind = members.members.iter().find(|member| member.name == *part)?.kind;
            }
            tree = tree.and_then(|tree| tree.branch(part));
        }
        Some(kind)
    }

    /// The members that an object at `path` below an object of type `root` expects.
    pub fn expected<'a>(&self, schema: &'a Schema, root: TypeId, path: &[String]) -> Option<Expected<'a>> {
        let object = object_of(schema, self.type_at(schema, root, path)?)?;
        let mut tree = Some(&self.tree);
        for part in path {
            tree = tree.and_then(|tree| tree.branch(part));
        }
        let members = Members::of(schema, object, &|tag| tree.and_then(|tree| tree.text(tag)));
        let given = tree.map(|tree| tree.entries.iter().map(|entry| entry.name.clone()).collect());
        Some(Expected { members: members.members, given: given.unwrap_or_default(), tags: members.tags })
    }

    /// The type of the items of the array at `path` below an object of type `root`.
    pub fn element_at(&self, schema: &Schema, root: TypeId, path: &[String]) -> Option<TypeId> {
        array_of(schema, self.type_at(schema, root, path)?)
    }

    /// Whether a value is given at `path`, or on the way there: no key can stand below.
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

    /// Whether keys below `path` are given.
    pub fn has_keys(&self, path: &[String]) -> bool {
        self.tree_at(path).is_some()
    }

    /// The keys or numbers given right below `path`, in order.
    pub fn names_at(&self, path: &[String]) -> Vec<String> {
        let names = self.tree_at(path).map(|tree| tree.entries.iter().map(|entry| entry.name.clone()).collect());
        names.unwrap_or_default()
    }

    fn tree_at(&self, path: &[String]) -> Option<&Tree> {
        path.iter().try_fold(&self.tree, |tree, part| tree.branch(part))
    }

    /// What is given below a key.
    pub fn below(&self, name: &str) -> Given {
        Given { tree: self.tree.branch(name).cloned().unwrap_or_default() }
    }

    /// This, and at `path` what `below` gives.
    pub fn with(&self, path: &[String], below: &Given) -> Given {
        let mut whole = self.clone();
        whole.put(path, None);
        let mut tree = &mut whole.tree;
        for part in path {
            let Some(Entry { node: Node::Branch(next), .. }) = tree.entries.iter_mut().find(|e| e.name == *part) else {
                return whole;
            };
            tree = next;
        }
        *tree = below.tree.clone();
        whole
    }

    /// The text given at a path, if it is one.
    pub fn text_at(&self, path: &[&str]) -> Option<String> {
        let (last, branches) = path.split_last()?;
        let mut tree = &self.tree;
        for part in branches {
            tree = tree.branch(part)?;
        }
        tree.text(last)
    }
}

fn branch(name: &str) -> Entry {
    Entry { name: name.to_owned(), span: crate::grammar::Span::default(), node: Node::Branch(Tree::default()) }
}

/// The object type among what a type may be.
fn object_of(schema: &Schema, kind: TypeId) -> Option<TypeId> {
    match schema.kind(kind) {
        Type::Object(_) => Some(kind),
        Type::Alternate(kinds) => kinds.iter().copied().find(|kind| matches!(schema.kind(*kind), Type::Object(_))),
        _ => None,
    }
}

/// The element type of the array among what a type may be.
fn array_of(schema: &Schema, kind: TypeId) -> Option<TypeId> {
    match schema.kind(kind) {
        Type::Array(element) => Some(*element),
        Type::Alternate(kinds) => kinds.iter().find_map(|kind| match schema.kind(*kind) {
            Type::Array(element) => Some(*element),
            _ => None,
        }),
        _ => None,
    }
}
