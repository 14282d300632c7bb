//! The arguments of a command as a tree: dotted keys are branches, values are still untyped.

use std::collections::HashMap;

use crate::grammar::{Arg, Diagnostic, Json, JsonKind, Key, MAX_DEPTH, Member, Span, too_deep};

/// The number of keys up to which they are searched one by one; more are indexed.
const MAX_UNINDEXED_KEYS: usize = 16;

/// An object that was given key by key.
#[derive(Debug, Clone, Default)]
pub(super) struct ArgTree {
    entries: Vec<Entry>,
    /// The index in `entries` of each key, if there are more than [`MAX_UNINDEXED_KEYS`].
    indices: HashMap<String, usize>,
    /// Whether it was made from dotted keys. Numeric keys then make it an array; an object written as JSON stays an
    /// object.
    is_dotted: bool,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) span: Span,
    pub(super) node: Node,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    /// The value of a `KEY=VALUE` word.
    Word(Arg),
    /// A value written as JSON.
    Json(Json),
    /// Further keys.
    Branch(ArgTree),
}

impl Node {
    /// Returns the span to point at. `key` is the span of the key above the node.
    pub(super) fn span(&self, key: Span) -> Span {
        match self {
            Node::Word(arg) => arg.word.value_span(),
            Node::Json(json) => json.span,
            Node::Branch(_) => key,
        }
    }
}

/// Converts a JSON object to a tree, so that the same code types all objects.
impl From<Json> for Node {
    fn from(json: Json) -> Node {
        match json.kind {
            JsonKind::Object(members) => Node::Branch(ArgTree::from_members(members)),
            kind => Node::Json(Json { span: json.span, kind }),
        }
    }
}

impl ArgTree {
    /// Creates a tree from a JSON object's members.
    pub(super) fn from_members(members: Vec<Member>) -> ArgTree {
        let mut tree = ArgTree::default();
        for member in members {
            tree.push(Entry { name: member.key, span: member.key_span, node: Node::from(member.value) });
        }
        tree
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        match self.entries.len() {
            0..=MAX_UNINDEXED_KEYS => self.entries.iter().position(|entry| entry.name == name),
            _ => self.indices.get(name).copied(),
        }
    }

    /// Appends an entry whose key is new.
    fn push(&mut self, entry: Entry) -> &mut Node {
        let index = self.entries.len();
        if index == MAX_UNINDEXED_KEYS {
            let indexed = self.entries.iter().enumerate();
            self.indices = indexed.map(|(index, entry)| (entry.name.clone(), index)).collect();
        }
        if index >= MAX_UNINDEXED_KEYS {
            self.indices.insert(entry.name.clone(), index);
        }
        self.entries.push(entry);
        &mut self.entries[index].node
    }

    /// Returns the node at a key, after inserting an empty branch if the key is new.
    pub(super) fn node_or_insert_branch(&mut self, name: &str, span: Span, is_dotted: bool) -> &mut Node {
        match self.index_of(name) {
            Some(index) => &mut self.entries[index].node,
            None => {
                let node = Node::Branch(ArgTree { is_dotted, ..ArgTree::default() });
                self.push(Entry { name: name.to_owned(), span, node })
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(self.index_of(name)?)
    }

    /// Returns the keys below a key.
    pub(super) fn branch(&self, name: &str) -> Option<&ArgTree> {
        match &self.get(name)?.node {
            Node::Branch(tree) => Some(tree),
            _ => None,
        }
    }

    /// Returns the text at a key: that of a word, or of a JSON string.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match &self.get(name)?.node {
            Node::Word(arg) => Some(arg.word.value().to_owned()),
            Node::Json(json) => json.as_str(),
            Node::Branch(_) => None,
        }
    }

    /// Inserts a `KEY=VALUE` word at its dotted key.
    pub(super) fn insert(&mut self, arg: &Arg) -> Result<(), Diagnostic> {
        let key = &arg.key;
        let mut tree = self;
        let (last, branches) = key.parts.split_last().ok_or_else(|| Diagnostic::new(key.span, "empty key"))?;
        if branches.len() >= MAX_DEPTH {
            return Err(Diagnostic::new(key.span, too_deep()));
        }
        for (depth, name) in branches.iter().enumerate() {
            match tree.node_or_insert_branch(name, key.span, true) {
                Node::Branch(branch) => tree = branch,
                _ => return Err(below_value(key, depth)),
            }
        }
        match tree.get(last).map(|entry| &entry.node) {
            None => {
                tree.push(Entry { name: last.clone(), span: key.span, node: Node::Word(arg.clone()) });
                Ok(())
            }
            Some(Node::Branch(_)) => {
                let message = format!("`{0}` cannot have a value; there are already keys below it", key.dotted());
                Err(Diagnostic::new(key.span, message))
            }
            Some(_) => Err(Diagnostic::new(key.span, format!("duplicate key `{}`", key.dotted()))),
        }
    }

    /// Returns whether the keys are the indices of an array.
    pub(super) fn is_array(&self) -> bool {
        self.is_dotted && self.entries.first().is_some_and(|entry| is_index(&entry.name))
    }

    /// Returns the items of an array in order. Each index from 0 up must occur once.
    pub(super) fn into_items(self) -> Result<Vec<Entry>, Diagnostic> {
        let len = self.entries.len();
        let mut items: Vec<Option<Entry>> = std::iter::repeat_with(|| None).take(len).collect();
        for entry in self.entries {
            if !is_index(&entry.name) {
                let message =
                    format!("expected an array index, found `{}`; do not mix numbered and named parts", entry.name);
                return Err(Diagnostic::new(entry.span, message));
            }
            let Some(index) = entry.name.parse::<usize>().ok().filter(|index| *index < len) else {
                let expected = match len {
                    1 => "the only item has index 0".to_owned(),
                    len => format!("{len} items have indices 0 to {}", len - 1),
                };
                let message = format!("array index {} leaves a gap; {expected}", entry.name);
                return Err(Diagnostic::new(entry.span, message));
            };
            items[index] = Some(entry);
        }
        // There are `len` distinct indices below `len`, so every item is set.
        Ok(items.into_iter().flatten().collect())
    }
}

fn below_value(key: &Key, depth: usize) -> Diagnostic {
    let parent = key.parts[..=depth].join(".");
    Diagnostic::new(key.span, format!("`{}` cannot be set; `{parent}` already has a value", key.dotted()))
}

fn is_index(name: &str) -> bool {
    name == "0" || (!name.is_empty() && !name.starts_with('0') && name.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::{Line, parse_line};

    #[test]
    fn finds_keys_in_small_and_large_trees() {
        for count in [1, MAX_UNINDEXED_KEYS - 1, MAX_UNINDEXED_KEYS, MAX_UNINDEXED_KEYS + 1, 3 * MAX_UNINDEXED_KEYS] {
            let keys: Vec<String> = (0..count).map(|n| format!("k{n}.x={n}")).collect();
            let Ok(Line::Command(command)) = parse_line(&format!("c {}", keys.join(" "))) else { panic!() };
            let mut tree = ArgTree::default();
            for arg in &command.args {
                tree.insert(arg).unwrap();
            }
            for n in 0..count {
                let branch = tree.branch(&format!("k{n}")).unwrap();
                assert_eq!(branch.text("x"), Some(n.to_string()));
            }
            assert!(tree.get("k").is_none());
            assert!(command.args.iter().all(|arg| tree.insert(arg).is_err()), "duplicate keys are rejected");
            assert_eq!(tree.clone().into_entries().len(), count);
        }
    }
}
