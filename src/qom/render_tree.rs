//! Rendering of object trees: as lines, or as one JSON document.

use std::cmp::Ordering;
use std::io::{self, Write};

use serde::de::IgnoredAny;

use crate::render::{JsonStyle, Palette, printable, write_json};
use crate::wire::quote;

use super::property::PropertyKind;
use super::tree::{Member, Node, NodeState, PropertyValue, Tree};

/// The characters that a tree is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeGlyphs {
    branch: &'static str,
    last_branch: &'static str,
    bar: &'static str,
    blank: &'static str,
    link_arrow: &'static str,
    ellipsis: &'static str,
}

impl TreeGlyphs {
    pub const UNICODE: TreeGlyphs =
        TreeGlyphs {
            branch: "├── ", last_branch: "└── ", bar: "│   ", blank: "    ", link_arrow: "→", ellipsis: "…"
        };
    pub const ASCII: TreeGlyphs = TreeGlyphs {
        branch: "|-- ",
        last_branch: "`-- ",
        bar: "|   ",
        blank: "    ",
        link_arrow: "->",
        ellipsis: "...",
    };
}

/// The text in place of the target of an unset link.
const UNSET_LINK: &str = "nowhere";

/// Writes a tree as lines. Members are sorted by name, properties before children.
pub fn write_tree(tree: &Tree, glyphs: &TreeGlyphs, palette: &Palette, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = TreeWriter { tree, glyphs, palette, out };
    let root = tree.root();
    writer.write_object(&root.path, root)?;
    writer.write_members(root, "")
}

struct TreeWriter<'a> {
    tree: &'a Tree,
    glyphs: &'a TreeGlyphs,
    palette: &'a Palette,
    out: &'a mut dyn Write,
}

impl TreeWriter<'_> {
    /// Writes the line of an object: name, type, and the reason if it could not be listed.
    fn write_object(&mut self, name: &str, node: &Node) -> io::Result<()> {
        let name = self.palette.paint(&self.palette.name, &printable(name));
        let type_name = self.type_in_parentheses(&node.type_name);
        match &node.state {
            NodeState::Read(_) => writeln!(self.out, "{name}{type_name}"),
            NodeState::Unread => writeln!(self.out, "{name}{type_name} {}", self.glyphs.ellipsis),
            NodeState::Failed(reason) => writeln!(self.out, "{name}: {}{type_name}", self.unreadable_text(reason)),
        }
    }

    fn write_members(&mut self, node: &Node, indent: &str) -> io::Result<()> {
        let members = sorted_members(node);
        let count = members.len();
        for (index, member) in members.into_iter().enumerate() {
            let is_last = index + 1 == count;
            let branch = if is_last { self.glyphs.last_branch } else { self.glyphs.branch };
            write!(self.out, "{}", self.palette.paint(&self.palette.dim, &format!("{indent}{branch}")))?;
            match member {
                Member::Child(name, index) => {
                    let child = self.tree.node(*index);
                    self.write_object(&format!("{name}/"), child)?;
                    let continuation = if is_last { self.glyphs.blank } else { self.glyphs.bar };
                    self.write_members(child, &format!("{indent}{continuation}"))?;
                }
                Member::Property(property, value) => {
                    self.write_property(&property.name, property.kind(), value)?;
                }
            }
        }
        Ok(())
    }

    fn write_property(&mut self, name: &str, kind: PropertyKind<'_>, value: &PropertyValue) -> io::Result<()> {
        let name = self.palette.paint(&self.palette.key, &printable(name));
        let (prefix, type_name) = match kind {
            PropertyKind::Link(inner) => (format!("@{name} {} ", self.glyphs.link_arrow), inner),
            PropertyKind::Value(inner) | PropertyKind::Child(inner) => (format!("{name}: "), inner),
        };
        write!(self.out, "{prefix}")?;
        match value {
            Err(reason) => write!(self.out, "{}", self.unreadable_text(reason))?,
            Ok(json) => match (kind, serde_json::from_str::<String>(json)) {
                (PropertyKind::Link(_), Ok(target)) if target.is_empty() => {
                    write!(self.out, "{}", self.palette.paint(&self.palette.dim, UNSET_LINK))?;
                }
                (PropertyKind::Link(_), Ok(target)) => write!(self.out, "{}", printable(&target))?,
                _ => write_json(json, JsonStyle::Line, self.palette, true, self.out)?,
            },
        }
        writeln!(self.out, "{}", self.type_in_parentheses(type_name))
    }

    fn type_in_parentheses(&self, type_name: &str) -> String {
        if type_name.is_empty() {
            return String::new();
        }
        self.palette.paint(&self.palette.dim, &format!(" ({})", printable(type_name)))
    }

    fn unreadable_text(&self, reason: &str) -> String {
        self.palette.paint(&self.palette.error, &format!("unreadable: {}", printable(reason)))
    }
}

/// Writes a tree as one JSON document. An object has the members `path`, `type`, `properties` and `children`. A property
/// has `type`, and `value` or `error`. An unread object has no `properties` and `children`, and a failed one has `error`
/// instead of them.
pub fn write_tree_json(tree: &Tree, out: &mut String) {
    write_node_json(tree, tree.root(), out);
}

fn write_node_json(tree: &Tree, node: &Node, out: &mut String) {
    out.push_str("{\"path\": ");
    out.push_str(&quote(&node.path));
    out.push_str(", \"type\": ");
    out.push_str(&quote(&node.type_name));
    match &node.state {
        NodeState::Unread => {}
        NodeState::Failed(reason) => {
            out.push_str(", \"error\": ");
            out.push_str(&quote(reason));
        }
        NodeState::Read(_) => {
            let (properties, children): (Vec<_>, Vec<_>) =
                sorted_members(node).into_iter().partition(|member| matches!(member, Member::Property(..)));
            out.push_str(", \"properties\": ");
            write_members_json(tree, &properties, out);
            out.push_str(", \"children\": ");
            write_members_json(tree, &children, out);
        }
    }
    out.push('}');
}

fn write_members_json(tree: &Tree, members: &[&Member], out: &mut String) {
    out.push('{');
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        out.push_str(&quote(member.name()));
        out.push_str(": ");
        match member {
            Member::Child(_, index) => write_node_json(tree, tree.node(*index), out),
            Member::Property(property, value) => {
                out.push_str("{\"type\": ");
                out.push_str(&quote(&property.type_name));
                let (key, text) = match value {
                    Ok(json) if serde_json::from_str::<IgnoredAny>(json).is_ok() => ("value", json.clone()),
                    // QEMU writes some numbers as `inf`, which would make the whole document invalid.
                    Ok(text) => ("error", quote(&format!("the server sent `{text}`, which is not JSON"))),
                    Err(reason) => ("error", quote(reason)),
                };
                out.push_str(&format!(", \"{key}\": {text}"));
                out.push('}');
            }
        }
    }
    out.push('}');
}

/// Returns the members of an object sorted by name, children after properties.
fn sorted_members(node: &Node) -> Vec<&Member> {
    let NodeState::Read(members) = &node.state else { return Vec::new() };
    let mut members: Vec<&Member> = members.iter().collect();
    let is_child = |member: &Member| matches!(member, Member::Child(..));
    members.sort_by(|a, b| is_child(a).cmp(&is_child(b)).then_with(|| natural_cmp(a.name(), b.name())));
    members
}

/// Compares names so that `device[2]` comes before `device[10]`.
pub fn natural_cmp(a: &str, b: &str) -> Ordering {
    let (mut a_rest, mut b_rest) = (a.as_bytes(), b.as_bytes());
    loop {
        match (a_rest, b_rest) {
            ([], []) => return a.cmp(b),
            ([], _) => return Ordering::Less,
            (_, []) => return Ordering::Greater,
            ([x, ..], [y, ..]) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (a_number, b_number);
                (a_number, a_rest) = split_number(a_rest);
                (b_number, b_rest) = split_number(b_rest);
                // Leading zeros are removed, so the longer number is greater.
                match a_number.len().cmp(&b_number.len()).then_with(|| a_number.cmp(b_number)) {
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

/// Splits off the leading digits, without leading zeros, from the rest of the text.
fn split_number(text: &[u8]) -> (&[u8], &[u8]) {
    let zeros = text.iter().take_while(|byte| **byte == b'0').count();
    let digits = text[zeros..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    (&text[zeros..zeros + digits], &text[zeros + digits..])
}

#[cfg(test)]
mod tests {
    use super::super::property::Property;
    use super::*;

    #[test]
    fn sorts_names_by_their_numbers() {
        let mut names = ["b", "device[10]", "device[2]", "a", "device[02]", "device", "device[1]x", "device[1]"];
        names.sort_by(|a, b| natural_cmp(a, b));
        assert_eq!(names, ["a", "b", "device", "device[1]", "device[1]x", "device[02]", "device[2]", "device[10]"]);
    }

    #[test]
    fn keeps_the_document_valid_if_a_value_is_not_json() {
        let property =
            |name: &str| Property { name: name.to_owned(), type_name: "double".to_owned(), description: None };
        let mut tree = Tree::new("/a");
        tree.set_members(
            0,
            vec![(property("odd"), Some(Ok("inf".to_owned()))), (property("one"), Some(Ok("1.50".to_owned())))],
        );
        let mut text = String::new();
        write_tree_json(&tree, &mut text);
        assert_eq!(
            text,
            r#"{"path": "/a", "type": "", "properties": {"odd": {"type": "double", "error": "the server sent `inf`, which is not JSON"}, "one": {"type": "double", "value": 1.50}}, "children": {}}"#
        );
        let mut drawn = Vec::new();
        write_tree(&tree, &TreeGlyphs::ASCII, &Palette::default(), &mut drawn).unwrap();
        assert_eq!(String::from_utf8(drawn).unwrap(), "/a\n|-- odd: inf (double)\n`-- one: 1.50 (double)\n");
    }
}
