//! Arguments as given: dotted keys as branches, values still untyped.

use std::collections::HashMap;

use crate::grammar::{Arg, DEPTH, Diagnostic, Json, JsonKind, Key, Member, Span, too_deep};

/// So many keys are looked through one by one; of more, the places are kept.
const FEW: usize = 16;

/// An object as given, key by key.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    entries: Vec<Entry>,
    /// Where each key stands among the entries, once they are not [`FEW`] any more.
    places: HashMap<String, usize>,
    /// It grew from dotted keys, whose numbers make arrays; an object written as JSON stays one.
    dotted: bool,
}

/// One key and what stands there.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) span: Span,
    pub(super) node: Node,
}

/// What stands at a key.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// The value of a `KEY=VALUE` word.
    Word(Arg),
    /// A value written as JSON.
    Json(Json),
    /// Further keys.
    Branch(Tree),
}

impl Node {
    /// The place to point at.
    pub(super) fn span(&self, key: Span) -> Span {
        match self {
            Node::Word(arg) => arg.word.value_span(),
            Node::Json(json) => json.span,
            Node::Branch(_) => key,
        }
    }
}

impl Tree {
    /// The tree of a JSON object's members, which further keys may add to.
    pub(super) fn of_members(members: Vec<Member>) -> Tree {
        let mut tree = Tree::default();
        for member in members {
            let node = match member.value {
                Json { kind: JsonKind::Object(members), .. } => Node::Branch(Tree::of_members(members)),
                value => Node::Json(value),
            };
            tree.push(Entry { name: member.key, span: member.key_span, node });
        }
        tree
    }

    /// Its keys in order.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Its keys in order, to keep.
    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    fn place(&self, name: &str) -> Option<usize> {
        match self.entries.len() {
            0..=FEW => self.entries.iter().position(|entry| entry.name == name),
            _ => self.places.get(name).copied(),
        }
    }

    /// Puts an entry behind all others; its key is not given yet.
    fn push(&mut self, entry: Entry) -> &mut Node {
        let at = self.entries.len();
        if at == FEW {
            let few = self.entries.iter().enumerate();
            self.places = few.map(|(at, entry)| (entry.name.clone(), at)).collect();
        }
        if at >= FEW {
            self.places.insert(entry.name.clone(), at);
        }
        self.entries.push(entry);
        &mut self.entries[at].node
    }

    /// What stands at this key; a branch without keys of its own is put there if nothing does.
    pub(super) fn node_or_branch(&mut self, name: &str, span: Span, dotted: bool) -> &mut Node {
        match self.place(name) {
            Some(at) => &mut self.entries[at].node,
            None => {
                let node = Node::Branch(Tree { dotted, ..Tree::default() });
                self.push(Entry { name: name.to_owned(), span, node })
            }
        }
    }

    /// What stands at this key, one level deep.
    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(self.place(name)?)
    }

    /// The keys below this one.
    pub(super) fn branch(&self, name: &str) -> Option<&Tree> {
        match &self.get(name)?.node {
            Node::Branch(tree) => Some(tree),
            _ => None,
        }
    }

    /// The plain text that stands at this key, if there is one: a word, or a JSON string.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match &self.get(name)?.node {
            Node::Word(arg) => Some(arg.word.value().to_owned()),
            Node::Json(json) => json.as_str(),
            Node::Branch(_) => None,
        }
    }

    /// Puts a word at its dotted key.
    pub(super) fn insert(&mut self, arg: &Arg) -> Result<(), Diagnostic> {
        let key = &arg.key;
        let mut tree = self;
        let (last, branches) = key.parts.split_last().ok_or_else(|| Diagnostic::new(key.span, "empty key"))?;
        if branches.len() >= DEPTH {
            return Err(Diagnostic::new(key.span, too_deep()));
        }
        for (depth, name) in branches.iter().enumerate() {
            match tree.node_or_branch(name, key.span, true) {
                Node::Branch(branch) => tree = branch,
                _ => return Err(below_a_value(key, depth)),
            }
        }
        match tree.get(last).map(|entry| &entry.node) {
            None => {
                tree.push(Entry { name: last.clone(), span: key.span, node: Node::Word(arg.clone()) });
                Ok(())
            }
            Some(Node::Branch(_)) => {
                let message = format!("`{0}` has keys below it already; it cannot have a value too", key.dotted());
                Err(Diagnostic::new(key.span, message))
            }
            Some(_) => Err(Diagnostic::new(key.span, format!("key `{}` is given twice", key.dotted()))),
        }
    }

    /// Whether the keys are the numbers of an array.
    pub(super) fn is_numbered(&self) -> bool {
        self.dotted && self.entries.first().is_some_and(|entry| is_index(&entry.name))
    }

    /// Numbered keys in order: every number from 0 up must be there once.
    pub(super) fn into_items(self) -> Result<Vec<Entry>, Diagnostic> {
        let len = self.entries.len();
        let mut items: Vec<Option<Entry>> = std::iter::repeat_with(|| None).take(len).collect();
        for entry in self.entries {
            if !is_index(&entry.name) {
                let message = format!("`{}` stands beside numbered parts: an array or an object?", entry.name);
                return Err(Diagnostic::new(entry.span, message));
            }
            let Some(index) = entry.name.parse::<usize>().ok().filter(|index| *index < len) else {
                let message =
                    format!("array index {} leaves a gap: {len} parts are numbered 0 to {}", entry.name, len - 1);
                return Err(Diagnostic::new(entry.span, message));
            };
            items[index] = Some(entry);
        }
        // As many names as places, none twice and none beyond the end: every place is taken.
        Ok(items.into_iter().flatten().collect())
    }
}

fn below_a_value(key: &Key, depth: usize) -> Diagnostic {
    let leaf = key.parts[..=depth].join(".");
    Diagnostic::new(key.span, format!("`{leaf}` has a value already; `{}` cannot go below it", key.dotted()))
}

fn is_index(name: &str) -> bool {
    name == "0" || (!name.is_empty() && !name.starts_with('0') && name.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::{Line, parse_line};

    #[test]
    fn keys_are_found_however_many_there_are() {
        for count in [1, FEW - 1, FEW, FEW + 1, 3 * FEW] {
            let keys: Vec<String> = (0..count).map(|n| format!("k{n}.x={n}")).collect();
            let Ok(Line::Command(command)) = parse_line(&format!("c {}", keys.join(" "))) else { panic!() };
            let mut tree = Tree::default();
            for arg in &command.args {
                tree.insert(arg).unwrap();
            }
            for n in 0..count {
                let below = tree.branch(&format!("k{n}")).unwrap();
                assert_eq!(below.text("x"), Some(n.to_string()));
            }
            assert!(tree.get("k").is_none());
            assert!(command.args.iter().all(|arg| tree.insert(arg).is_err()), "a key is given twice");
            assert_eq!(tree.clone().into_entries().len(), count);
        }
    }
}
