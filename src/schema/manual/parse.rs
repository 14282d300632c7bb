//! Parses the nodes of a page into entries. Owns the meaning of headings, terms and titles in both page layouts.
//!
//! Newer pages (QEMU 10.0) indent an entry under a term, `Command NAME (Since: 2.9)`, and its sections under terms of their
//! own. Older ones (QEMU 7.2) give each entry a heading, `NAME (Command)`, and each section a heading after it.

use super::entry::{Block, Entry, EntryKind, ListItem, Members};
use super::member::{from_bullet, from_term, join_first_paragraph};
use super::roff::{Mark, Node};
use super::text::Text;

/// The titles of lists of members.
const MEMBER_TITLES: &[&str] = &["Members", "Arguments", "Values", "Alternatives", "Features"];

/// The titles of other sections: as pages spell them, and as they are shown.
const SECTION_TITLES: &[(&str, &str)] = &[
    ("Return", "Returns"),
    ("Returns", "Returns"),
    ("Errors", "Errors"),
    ("Note", "Note"),
    ("Notes", "Notes"),
    ("Example", "Example"),
    ("Examples", "Examples"),
    ("TODO", "To do"),
    (SINCE, "Since"),
    (IF, "Condition"),
];

/// The titles of the sections of older pages that become fields of the entry.
const SINCE: &str = "Since";
const IF: &str = "If";

/// Returns the entries in the nodes of a page, in order.
pub(super) fn parse_entries(nodes: Vec<Node>) -> Vec<Entry> {
    let mut parser = Parser::default();
    let mut nodes = nodes.into_iter().peekable();
    while let Some(node) = nodes.next() {
        super::count_step();
        match node {
            Node::Heading(text) => {
                let is_table_title = matches!(nodes.peek(), Some(Node::Table(_)));
                parser.add_heading(text, is_table_title);
            }
            Node::Group(children) if children.iter().any(|child| entry_of_item(child).is_some()) => {
                children.into_iter().for_each(|child| parser.add_grouped(child));
            }
            node => parser.add_other(node),
        }
    }
    parser.finish();
    parser.entries
}

#[derive(Default)]
struct Parser {
    entries: Vec<Entry>,
    draft: Option<Draft>,
}

/// An entry whose nodes are being collected.
struct Draft {
    entry: Entry,
    nodes: Vec<Node>,
    /// Whether its sections have headings, as in older pages.
    is_flat: bool,
}

impl Parser {
    fn start(&mut self, entry: Entry, nodes: Vec<Node>, is_flat: bool) {
        self.finish();
        self.draft = Some(Draft { entry, nodes, is_flat });
    }

    fn finish(&mut self) {
        if let Some(draft) = self.draft.take() {
            let mut entry = draft.entry;
            entry.body = body(draft.nodes, &mut entry);
            self.entries.push(entry);
        }
    }

    /// Handles a heading. It begins an entry or, in older pages, a section of one. Any other heading begins a chapter and ends
    /// the current entry, unless it is the title of a table, which belongs to the entry in both layouts.
    fn add_heading(&mut self, text: Text, is_table_title: bool) {
        let plain = text.plain();
        if let Some(entry) = entry_of_heading(&plain) {
            self.start(entry, Vec::new(), true);
            return;
        }
        match &mut self.draft {
            Some(draft) if is_table_title || draft.is_flat && is_section_title(&plain) => {
                draft.nodes.push(Node::Heading(text))
            }
            _ => self.finish(),
        }
    }

    /// Handles a node in a group that contains an entry.
    fn add_grouped(&mut self, child: Node) {
        if let Some(entry) = entry_of_item(&child)
            && let Node::Item { body, .. } = child
        {
            self.start(entry, body, false);
        }
    }

    fn add_other(&mut self, node: Node) {
        if let Some(draft) = &mut self.draft
            && (draft.is_flat || matches!(node, Node::Table(_)))
        {
            draft.nodes.push(node);
        }
    }
}

fn is_section_title(heading: &str) -> bool {
    MEMBER_TITLES.contains(&heading) || SECTION_TITLES.iter().any(|(title, _)| *title == heading)
}

fn new_entry(kind: EntryKind, name: &str, since: Option<String>) -> Entry {
    Entry { kind, name: name.to_owned(), since, condition: None, body: Vec::new() }
}

/// Parses the heading of an entry in older pages: `NAME (Command)`.
fn entry_of_heading(heading: &str) -> Option<Entry> {
    let (name, kind) = heading.strip_suffix(')')?.rsplit_once(" (")?;
    let is_name = !name.is_empty() && !name.contains(' ');
    EntryKind::from_name(kind).filter(|_| is_name).map(|kind| new_entry(kind, name, None))
}

/// Parses the term of an entry in newer pages: `Command NAME (Since: X)`.
fn entry_of_item(node: &Node) -> Option<Entry> {
    let Node::Item { mark: Mark::Term(term), .. } = node else {
        return None;
    };
    let plain = term.plain();
    let (kind, rest) = plain.split_once(' ')?;
    let kind = EntryKind::from_name(kind)?;
    let (name, note) = rest.split_once(' ').unwrap_or((rest, ""));
    if name.is_empty() || !note.is_empty() && !note.starts_with('(') {
        return None;
    }
    let since = note.strip_prefix("(Since: ").map(|since| since.trim_end_matches(')').to_owned());
    Some(new_entry(kind, name, since))
}

/// Returns the body of `entry`. The version and the conditions are not part of it, but set in the entry.
fn body(nodes: Vec<Node>, entry: &mut Entry) -> Vec<Block> {
    let mut body = Vec::new();
    let mut nodes = nodes.into_iter().peekable();
    let mut title = None;
    loop {
        let mut section = Vec::new();
        while let Some(node) = nodes.next_if(|node| !matches!(node, Node::Heading(_))) {
            section.push(node);
        }
        match title {
            None => body.extend(blocks(section)),
            Some(title) => add_section(&mut body, entry, title, section),
        }
        match nodes.next() {
            Some(Node::Heading(text)) => title = Some(text),
            _ => break,
        }
    }
    if let Some(Block::Paragraph(text)) = body.first()
        && let Some(condition) = text.plain().strip_prefix("Availability: ")
    {
        entry.condition = Some(condition.to_owned());
        body.remove(0);
    }
    body
}

/// Adds the section under a heading. The first paragraph about version or conditions is set in the entry; the others stay in
/// the body.
fn add_section(body: &mut Vec<Block>, entry: &mut Entry, title: Text, mut nodes: Vec<Node>) {
    let plain = title.plain();
    let field = match plain.as_str() {
        SINCE => Some(&mut entry.since),
        IF => Some(&mut entry.condition),
        _ => None,
    };
    if let Some(field) = field
        && let Some(Node::Paragraph(text)) = nodes.first()
    {
        *field = Some(text.plain());
        nodes.remove(0);
    }
    body.extend(titled(&plain, nodes));
}

/// Returns the list of members or the section under a title.
fn titled(title: &str, nodes: Vec<Node>) -> Vec<Block> {
    if MEMBER_TITLES.contains(&title) {
        return members(title, nodes);
    }
    let shown = match SECTION_TITLES.iter().find(|(known, _)| *known == title) {
        Some((_, shown)) => (*shown).to_owned(),
        None => sentence_case(title.trim_end_matches(':')),
    };
    let body = blocks(nodes);
    if body.is_empty() {
        return Vec::new();
    }
    vec![Block::Section { title: shown, body }]
}

/// Returns a title in capitals in sentence case, and any other title unchanged.
fn sentence_case(title: &str) -> String {
    if title.chars().any(char::is_lowercase) {
        return title.to_owned();
    }
    let mut chars = title.chars();
    chars.next().into_iter().chain(chars.flat_map(char::to_lowercase)).collect()
}

/// Returns a list of members, and after it the nodes among them that are not items.
fn members(title: &str, nodes: Vec<Node>) -> Vec<Block> {
    let mut items = Vec::new();
    let mut others = Vec::new();
    for node in without_groups(nodes) {
        match node {
            Node::Item { mark: Mark::Term(term), body } => items.push(from_term(&term, blocks(body))),
            Node::Item { mark: Mark::Bullet, body } => items.push(from_bullet(blocks(body))),
            other => others.push(other),
        }
    }
    let mut found = Vec::new();
    if !items.is_empty() {
        found.push(Block::Members(Members { title: title.to_owned(), items }));
    }
    found.extend(blocks(others));
    found
}

/// Replaces groups with their children.
fn without_groups(nodes: Vec<Node>) -> Vec<Node> {
    let mut flat = Vec::new();
    for node in nodes {
        super::count_step();
        match node {
            Node::Group(children) => flat.extend(without_groups(children)),
            node => flat.push(node),
        }
    }
    flat
}

/// Converts nodes to blocks.
fn blocks(nodes: Vec<Node>) -> Vec<Block> {
    let mut found = Vec::new();
    let mut nodes = nodes.into_iter().peekable();
    while let Some(node) = nodes.next() {
        super::count_step();
        match node {
            // The title of a box: bold, with a colon.
            Node::Paragraph(text)
                if text.is_bold() && text.plain().ends_with(':') && matches!(nodes.peek(), Some(Node::Group(_))) =>
            {
                if let Some(Node::Group(children)) = nodes.next() {
                    found.extend(titled(&text.plain(), without_groups(children)));
                }
            }
            Node::Paragraph(text) => found.push(Block::Paragraph(text)),
            Node::Verbatim(lines) => found.push(Block::Verbatim(lines)),
            Node::Table(rows) => found.push(Block::Table(rows)),
            Node::Heading(text) => found.push(Block::Paragraph(text)),
            Node::Group(children) if is_quote(&children) => found.push(Block::Quote(blocks(without_groups(children)))),
            Node::Group(children) => found.extend(blocks(children)),
            Node::Item { mark, body } => add_item(&mut found, mark, body),
        }
    }
    found
}

/// Returns whether a group contains only paragraphs.
fn is_quote(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| match node {
        Node::Paragraph(_) => {
            super::count_step();
            true
        }
        Node::Group(children) => is_quote(children),
        _ => false,
    })
}

/// Adds an item, to the list before it if there is one.
fn add_item(found: &mut Vec<Block>, mark: Mark, body: Vec<Node>) {
    let mark = match mark {
        Mark::Bullet => "•".to_owned(),
        Mark::Number(number) => number,
        Mark::Title(title) => {
            found.extend(titled(&title.plain(), body));
            return;
        }
        Mark::Term(term) => {
            let plain = term.plain();
            if is_section_title(&plain) {
                found.extend(titled(&plain, body));
            } else {
                // Indented text that is a definition list by accident.
                found.extend(join_first_paragraph(term, blocks(body)));
            }
            return;
        }
    };
    let item = ListItem { mark, body: blocks(body) };
    match found.last_mut() {
        Some(Block::List(items)) => items.push(item),
        _ => found.push(Block::List(vec![item])),
    }
}

#[cfg(test)]
pub(super) mod tests;
