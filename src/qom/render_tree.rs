//! A tree of objects as text: lines for people, or one JSON document.

use std::cmp::Ordering;
use std::io::{self, Write};

use serde::de::IgnoredAny;

use crate::render::{JsonStyle, Palette, printable, write_json};
use crate::wire::quote;

use super::property::Kind;
use super::tree::{Member, Node, State, Tree, Value};

/// What a tree is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeGlyphs {
    branch: &'static str,
    last: &'static str,
    bar: &'static str,
    blank: &'static str,
    arrow: &'static str,
    more: &'static str,
}

impl TreeGlyphs {
    /// For a terminal that shows Unicode.
    pub const UNICODE: TreeGlyphs =
        TreeGlyphs {
            branch: "├── ", last: "└── ", bar: "│   ", blank: "    ", arrow: "→", more: "…"
        };
    /// For one that may not.
    pub const ASCII: TreeGlyphs =
        TreeGlyphs { branch: "|-- ", last: "`-- ", bar: "|   ", blank: "    ", arrow: "->", more: "..." };
}

/// Stands for the target of a link that leads to nothing.
const NOWHERE: &str = "nowhere";

/// Writes a tree as lines, members sorted by name: properties first, then the objects below.
pub fn write_tree(tree: &Tree, strokes: &TreeGlyphs, palette: &Palette, out: &mut dyn Write) -> io::Result<()> {
    let mut drawing = Drawing { tree, strokes, palette, out };
    let root = tree.root();
    drawing.title(&root.path, root)?;
    drawing.members(root, "")
}

struct Drawing<'a> {
    tree: &'a Tree,
    strokes: &'a TreeGlyphs,
    palette: &'a Palette,
    out: &'a mut dyn Write,
}

impl Drawing<'_> {
    /// An object: what it is called, its type, and what became of it where it is not opened.
    fn title(&mut self, name: &str, node: &Node) -> io::Result<()> {
        let name = self.palette.paint(&self.palette.name, &printable(name));
        let type_name = self.in_brackets(&node.type_name);
        match &node.state {
            State::Open(_) => writeln!(self.out, "{name}{type_name}"),
            State::Closed => writeln!(self.out, "{name}{type_name} {}", self.strokes.more),
            State::Failed(reason) => writeln!(self.out, "{name}: {}{type_name}", self.unreadable(reason)),
        }
    }

    fn members(&mut self, node: &Node, indent: &str) -> io::Result<()> {
        let members = sorted(node);
        let count = members.len();
        for (index, member) in members.into_iter().enumerate() {
            let is_last = index + 1 == count;
            let stroke = if is_last { self.strokes.last } else { self.strokes.branch };
            write!(self.out, "{}", self.palette.paint(&self.palette.dim, &format!("{indent}{stroke}")))?;
            match member {
                Member::Child(name, at) => {
                    let child = self.tree.node(*at);
                    self.title(&format!("{name}/"), child)?;
                    let below = if is_last { self.strokes.blank } else { self.strokes.bar };
                    self.members(child, &format!("{indent}{below}"))?;
                }
                Member::Property(property, value) => {
                    self.property(&property.name, property.kind(), value)?;
                }
            }
        }
        Ok(())
    }

    fn property(&mut self, name: &str, kind: Kind<'_>, value: &Value) -> io::Result<()> {
        let name = self.palette.paint(&self.palette.key, &printable(name));
        let (lead, type_name) = match kind {
            Kind::Link(of) => (format!("@{name} {} ", self.strokes.arrow), of),
            Kind::Value(of) | Kind::Child(of) => (format!("{name}: "), of),
        };
        write!(self.out, "{lead}")?;
        match value {
            Err(reason) => write!(self.out, "{}", self.unreadable(reason))?,
            Ok(raw) => match (kind, serde_json::from_str::<String>(raw)) {
                (Kind::Link(_), Ok(target)) if target.is_empty() => {
                    write!(self.out, "{}", self.palette.paint(&self.palette.dim, NOWHERE))?;
                }
                (Kind::Link(_), Ok(target)) => write!(self.out, "{}", printable(&target))?,
                _ => write_json(raw, JsonStyle::Line, self.palette, true, self.out)?,
            },
        }
        writeln!(self.out, "{}", self.in_brackets(type_name))
    }

    fn in_brackets(&self, type_name: &str) -> String {
        if type_name.is_empty() {
            return String::new();
        }
        self.palette.paint(&self.palette.dim, &format!(" ({})", printable(type_name)))
    }

    fn unreadable(&self, reason: &str) -> String {
        self.palette.paint(&self.palette.error, &format!("unreadable: {}", printable(reason)))
    }
}

/// Writes a tree as one JSON document: each object with its `path`, its `type`, its `properties` by name, each with `type`
/// and `value` (or `error`), and its `children` by name. An object that was not opened has neither.
pub fn write_tree_json(tree: &Tree, out: &mut String) {
    node_json(tree, tree.root(), out);
}

fn node_json(tree: &Tree, node: &Node, out: &mut String) {
    out.push_str("{\"path\": ");
    out.push_str(&quote(&node.path));
    out.push_str(", \"type\": ");
    out.push_str(&quote(&node.type_name));
    match &node.state {
        State::Closed => {}
        State::Failed(reason) => {
            out.push_str(", \"error\": ");
            out.push_str(&quote(reason));
        }
        State::Open(_) => {
            let (properties, children): (Vec<_>, Vec<_>) =
                sorted(node).into_iter().partition(|member| matches!(member, Member::Property(..)));
            out.push_str(", \"properties\": ");
            members_json(tree, &properties, out);
            out.push_str(", \"children\": ");
            members_json(tree, &children, out);
        }
    }
    out.push('}');
}

fn members_json(tree: &Tree, members: &[&Member], out: &mut String) {
    out.push('{');
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        out.push_str(&quote(member.name()));
        out.push_str(": ");
        match member {
            Member::Child(_, at) => node_json(tree, tree.node(*at), out),
            Member::Property(property, value) => {
                out.push_str("{\"type\": ");
                out.push_str(&quote(&property.type_name));
                let (key, text) = match value {
                    Ok(raw) if serde_json::from_str::<IgnoredAny>(raw).is_ok() => ("value", raw.clone()),
                    // A server may say `inf`, which would spoil the whole document.
                    Ok(raw) => ("error", quote(&format!("the server says `{raw}`, which is no JSON"))),
                    Err(reason) => ("error", quote(reason)),
                };
                out.push_str(&format!(", \"{key}\": {text}"));
                out.push('}');
            }
        }
    }
    out.push('}');
}

/// The members of an object by name, objects behind all else.
fn sorted(node: &Node) -> Vec<&Member> {
    let State::Open(members) = &node.state else { return Vec::new() };
    let mut members: Vec<&Member> = members.iter().collect();
    let is_child = |member: &Member| matches!(member, Member::Child(..));
    members.sort_by(|a, b| is_child(a).cmp(&is_child(b)).then_with(|| natural_cmp(a.name(), b.name())));
    members
}

/// The order of names in which `device[2]` stands before `device[10]`.
pub fn natural_cmp(a: &str, b: &str) -> Ordering {
    let (mut a_rest, mut b_rest) = (a.as_bytes(), b.as_bytes());
    loop {
        match (a_rest, b_rest) {
            ([], []) => return a.cmp(b),
            ([], _) => return Ordering::Less,
            (_, []) => return Ordering::Greater,
            ([x, ..], [y, ..]) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (x, y);
                (x, a_rest) = number(a_rest);
                (y, b_rest) = number(b_rest);
                // Without leading zeros, the longer one is greater.
                match x.len().cmp(&y.len()).then_with(|| x.cmp(y)) {
                    Ordering::Equal => {}
                    unequal => return unequal,
                }
            }
            ([x, a_more @ ..], [y, b_more @ ..]) => match x.cmp(y) {
                Ordering::Equal => (a_rest, b_rest) = (a_more, b_more),
                unequal => return unequal,
            },
        }
    }
}

/// The digits that a text begins with, leading zeros apart, and what is behind them.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let zeros = text.iter().take_while(|byte| **byte == b'0').count();
    let digits = text[zeros..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    (&text[zeros..zeros + digits], &text[zeros + digits..])
}

#[cfg(test)]
mod tests {
    use super::super::property::Property;
    use super::*;

    #[test]
    fn names_stand_in_the_order_of_their_numbers() {
        let mut names = ["b", "device[10]", "device[2]", "a", "device[02]", "device", "device[1]x", "device[1]"];
        names.sort_by(|a, b| natural_cmp(a, b));
        assert_eq!(names, ["a", "b", "device", "device[1]", "device[1]x", "device[02]", "device[2]", "device[10]"]);
    }

    #[test]
    fn a_value_that_is_no_json_does_not_spoil_the_document() {
        let property =
            |name: &str| Property { name: name.to_owned(), type_name: "double".to_owned(), description: None };
        let mut tree = Tree::begin("/a");
        tree.open(
            0,
            vec![(property("odd"), Some(Ok("inf".to_owned()))), (property("one"), Some(Ok("1.50".to_owned())))],
        );
        let mut text = String::new();
        write_tree_json(&tree, &mut text);
        assert_eq!(
            text,
            r#"{"path": "/a", "type": "", "properties": {"odd": {"type": "double", "error": "the server says `inf`, which is no JSON"}, "one": {"type": "double", "value": 1.50}}, "children": {}}"#
        );
        let mut drawn = Vec::new();
        write_tree(&tree, &TreeGlyphs::ASCII, &Palette::default(), &mut drawn).unwrap();
        assert_eq!(String::from_utf8(drawn).unwrap(), "/a\n|-- odd: inf (double)\n`-- one: 1.50 (double)\n");
    }
}
