//! What is given so far on an unfinished line, and what its place still expects.

use crate::grammar::{Arg, Json, JsonKind, Span, Word, parse_arg, parse_json};

use super::arg_tree::{Node, Tree};
use super::introspection::{ObjectMember, Schema, Type, TypeId};
use super::type_check::Members;

/// The keys and values given so far. Built with tolerance: what cannot be read yet is passed over.
#[derive(Debug, Clone, Default)]
pub struct PartialArguments {
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

impl PartialArguments {
    /// What these words give: a leading JSON object, and `KEY=VALUE` words. `text` is the line that they stand in.
    pub fn of_words(text: &str, words: &[Word]) -> PartialArguments {
        let mut given = PartialArguments::default();
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

    /// Puts a JSON value at a key, in the place of what is there.
    pub fn put(&mut self, name: &str, value: Json) {
        *self.tree.node_or_branch(name, Span::default(), false) = Node::Json(value);
    }

    /// Puts what `below` gives below a key, in the place of what is there.
    pub fn put_below(&mut self, name: &str, below: PartialArguments) {
        *self.tree.node_or_branch(name, Span::default(), false) = Node::Branch(below.tree);
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
        let given = tree.map(|tree| tree.entries().iter().map(|entry| entry.name.clone()).collect());
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

    /// The keys or numbers given right below `path`, in order.
    pub fn names_at(&self, path: &[String]) -> Vec<String> {
        let names = self.tree_at(path).map(|tree| tree.entries().iter().map(|entry| entry.name.clone()).collect());
        names.unwrap_or_default()
    }

    fn tree_at(&self, path: &[String]) -> Option<&Tree> {
        path.iter().try_fold(&self.tree, |tree, part| tree.branch(part))
    }

    /// What is given below a key.
    pub fn below(&self, name: &str) -> PartialArguments {
        PartialArguments { tree: self.tree.branch(name).cloned().unwrap_or_default() }
    }

    /// This, and at `path` what `below` gives.
    pub fn with(&self, path: &[String], below: &PartialArguments) -> PartialArguments {
        let mut whole = self.clone();
        let mut tree = &mut whole.tree;
        for part in path {
            let node = tree.node_or_branch(part, Span::default(), false);
            if !matches!(node, Node::Branch(_)) {
                *node = Node::Branch(Tree::default());
            }
            let Node::Branch(next) = node else { return whole };
            tree = next;
        }
        *tree = below.tree.clone();
        whole
    }

    /// Whether more may be given below the dotted keys at `path`, and whether it must.
    pub fn unfinished(&self, schema: &Schema, root: TypeId, path: &[String]) -> Option<bool> {
        unfinished(schema, self.tree_at(path)?, self.type_at(schema, root, path))
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

/// As [`PartialArguments::unfinished`], of the keys in `tree`, where a value of type `kind` stands.
fn unfinished(schema: &Schema, tree: &Tree, kind: Option<TypeId>) -> Option<bool> {
    let object = kind.and_then(|kind| object_of(schema, kind));
    let element = kind.and_then(|kind| array_of(schema, kind));
    let members = object.map(|object| Members::of(schema, object, &|tag| tree.text(tag)).members);
    let kind_of = |name: &str| match element.filter(|_| name.parse::<usize>().is_ok()) {
        Some(element) => Some(element),
        None => members.iter().flatten().find(|member| member.name == name).map(|member| member.kind),
    };
    let branches = tree.entries().iter().filter_map(|entry| match &entry.node {
        Node::Branch(below) => Some((below, kind_of(&entry.name))),
        _ => None,
    });
    let below = branches.filter_map(|(below, kind)| unfinished(schema, below, kind)).max();
    let here = match &members {
        Some(members) => {
            let missing = members.iter().filter(|member| tree.get(&member.name).is_none());
            missing.map(|member| !member.optional).max()
        }
        // An array goes on for ever.
        None => Some(false),
    };
    below.max(here)
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
