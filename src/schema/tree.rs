//! Arguments as given: dotted keys as branches, values still untyped.

use crate::grammar::{Arg, DEPTH, Diagnostic, Json, JsonKind, Key, Member, Span, too_deep};

/// An object as given, key by key.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    pub(super) entries: Vec<Entry>,
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
        let entries = members.into_iter().map(|member| {
            let node = match member.value {
                Json { kind: JsonKind::Object(members), .. } => Node::Branch(Tree::of_members(members)),
                value => Node::Json(value),
            };
            Entry { name: member.key, span: member.key_span, node }
        });
        Tree { entries: entries.collect(), dotted: false }
    }

    /// What stands at this key, one level deep.
    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
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
            let at = tree.entries.iter().position(|entry| entry.name == *name);
            let at = at.unwrap_or_else(|| {
                let node = Node::Branch(Tree { dotted: true, ..Tree::default() });
                tree.entries.push(Entry { name: name.clone(), span: key.span, node });
                tree.entries.len() - 1
            });
            match &mut tree.entries[at].node {
                Node::Branch(branch) => tree = branch,
                _ => return Err(below_a_value(key, depth)),
            }
        }
        match tree.get(last).map(|entry| &entry.node) {
            None => {
                tree.entries.push(Entry { name: last.clone(), span: key.span, node: Node::Word(arg.clone()) });
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
