//! The arguments object under construction: dotted keys become branches, numbered parts become arrays.

use crate::grammar::{DEPTH, Diagnostic, Json, JsonKind, Key, Member, Span, too_deep};
use crate::wire::quote;

/// An object that grows key by key.
#[derive(Debug, Default)]
pub(super) struct Tree {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    span: Span,
    node: Node,
}

#[derive(Debug)]
enum Node {
    Leaf(Json),
    Branch(Tree),
}

impl Tree {
    /// The tree of a JSON object's members, which further keys may add to.
    pub(super) fn of_members(members: Vec<Member>) -> Tree {
        let entries = members.into_iter().map(|member| {
            let node = match member.value {
                Json {
                    kind: JsonKind::Object(members),
                    ..
                } => Node::Branch(Tree::of_members(members)),
                value => Node::Leaf(value),
            };
            Entry {
                name: member.key,
                span: member.key_span,
                node,
            }
        });
        Tree {
            entries: entries.collect(),
        }
    }

    /// Puts `value` at the dotted `key`.
    pub(super) fn insert(&mut self, key: &Key, value: Json) -> Result<(), Diagnostic> {
        let mut tree = self;
        let (last, branches) = key
            .parts
            .split_last()
            .ok_or_else(|| Diagnostic::new(key.span, "empty key"))?;
        if branches.len() >= DEPTH {
            return Err(Diagnostic::new(key.span, too_deep()));
        }
        for (depth, name) in branches.iter().enumerate() {
            let at = tree.entries.iter().position(|entry| entry.name == *name);
            let at = at.unwrap_or_else(|| {
                let node = Node::Branch(Tree::default());
                tree.entries.push(Entry {
                    name: name.clone(),
                    span: key.span,
                    node,
                });
                tree.entries.len() - 1
            });
            match &mut tree.entries[at].node {
                Node::Branch(branch) => tree = branch,
                Node::Leaf(_) => {
                    let leaf = key.parts[..=depth].join(".");
                    let message = format!("`{leaf}` has a value already; `{}` cannot go below it", key.dotted());
                    return Err(Diagnostic::new(key.span, message));
                }
            }
        }
        match tree.entries.iter().find(|entry| entry.name == *last) {
            None => {
                tree.entries.push(Entry {
                    name: last.clone(),
                    span: key.span,
                    node: Node::Leaf(value),
                });
                Ok(())
            }
            Some(Entry {
                node: Node::Leaf(_), ..
            }) => Err(Diagnostic::new(
                key.span,
                format!("key `{}` is given twice", key.dotted()),
            )),
            Some(Entry {
                node: Node::Branch(_), ..
            }) => {
                let message = format!(
                    "`{0}` has keys below it already; it cannot have a value too",
                    key.dotted()
                );
                Err(Diagnostic::new(key.span, message))
            }
        }
    }

    /// The finished object.
    pub(super) fn into_json(self, span: Span) -> Result<Json, Diagnostic> {
        let mut members = Vec::with_capacity(self.entries.len());
        for entry in self.entries {
            let value = entry.node.into_json(entry.span)?;
            members.push(Member {
                key: entry.name,
                key_span: entry.span,
                value,
            });
        }
        Ok(Json {
            span,
            kind: JsonKind::Object(members),
        })
    }
}

impl Node {
    fn into_json(self, span: Span) -> Result<Json, Diagnostic> {
        match self {
            Node::Leaf(json) => Ok(json),
            Node::Branch(tree) if tree.looks_like_array() => tree.into_array(span),
            Node::Branch(tree) => tree.into_json(span),
        }
    }
}

impl Tree {
    fn looks_like_array(&self) -> bool {
        self.entries.first().is_some_and(|entry| is_index(&entry.name))
    }

    /// Numbered parts as an array: every number from 0 up must be there, in any order.
    fn into_array(self, span: Span) -> Result<Json, Diagnostic> {
        let len = self.entries.len();
        let mut items: Vec<Option<Json>> = std::iter::repeat_with(|| None).take(len).collect();
        for entry in self.entries {
            if !is_index(&entry.name) {
                let message = format!("`{}` stands beside numbered parts: an array or an object?", entry.name);
                return Err(Diagnostic::new(entry.span, message));
            }
            let index = entry.name.parse::<usize>().ok().filter(|index| *index < len);
            let Some(index) = index else {
                let message = format!(
                    "array index {} leaves a gap: {len} parts are numbered 0 to {}",
                    entry.name,
                    len - 1
                );
                return Err(Diagnostic::new(entry.span, message));
            };
            items[index] = Some(entry.node.into_json(entry.span)?);
        }
        // As many names as places, none twice and none beyond the end: every place is taken.
        Ok(Json {
            span,
            kind: JsonKind::Array(items.into_iter().flatten().collect()),
        })
    }
}

fn is_index(name: &str) -> bool {
    name == "0" || (!name.starts_with('0') && name.bytes().all(|b| b.is_ascii_digit()))
}

/// Refuses `json`, which is to stand `level` deep in its message, where the server would: what it cannot read it answers
/// with errors that say neither which request nor how many of them there will be.
pub(super) fn check_depth(json: &Json, level: usize) -> Result<(), Diagnostic> {
    match &json.kind {
        JsonKind::Array(_) | JsonKind::Object(_) if level > DEPTH => Err(Diagnostic::new(json.span, too_deep())),
        JsonKind::Array(items) => items.iter().try_for_each(|item| check_depth(item, level + 1)),
        JsonKind::Object(members) => members
            .iter()
            .try_for_each(|member| check_depth(&member.value, level + 1)),
        _ => Ok(()),
    }
}

/// Writes `json` as strict JSON on one line. `watch` hears the path and the byte range of each member's value.
pub(super) fn write_json(json: &Json, out: &mut String, path: &mut Vec<String>, watch: &mut Watch<'_>) {
    match &json.kind {
        JsonKind::Null => out.push_str("null"),
        JsonKind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        JsonKind::Number(raw) | JsonKind::String(raw) => out.push_str(raw),
        JsonKind::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                path.push(index.to_string());
                write_json(item, out, path, watch);
                path.pop();
            }
            out.push(']');
        }
        JsonKind::Object(members) => {
            out.push('{');
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                out.push_str(&quote(&member.key));
                out.push_str(": ");
                path.push(member.key.clone());
                let start = out.len();
                write_json(&member.value, out, path, watch);
                watch(path, start..out.len());
                path.pop();
            }
            out.push('}');
        }
    }
}

/// Hears of each member that is written: its path and where its value stands.
pub(super) type Watch<'a> = dyn FnMut(&[String], std::ops::Range<usize>) + 'a;
