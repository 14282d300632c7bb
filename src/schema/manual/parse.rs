//! From the shape of a page to its entries, in both layouts. Owns what headings, terms and titles mean.
//!
//! Newer pages (10.0) indent an entry under a term, `Command NAME (Since: 2.9)`, and its parts under terms of their
//! own. Older ones (7.2) give each entry a heading, `NAME (Command)`, and each part another heading behind it.

use super::entry::{Block, Entry, EntryKind, ListItem, Members};
use super::member::{from_bullet, from_term, with_first};
use super::roff::{Mark, Node};
use super::text::Text;

/// The titles under which a page lists members.
const LISTS: &[&str] = &["Members", "Arguments", "Values", "Alternatives", "Features"];

/// The titles of an entry's other parts, as pages spell them, and as they are shown.
const PARTS: &[(&str, &str)] = &[
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

/// The parts of the older pages that become fields of the entry.
const SINCE: &str = "Since";
const IF: &str = "If";

/// The entries that a page's nodes describe, in their order.
pub(super) fn entries(nodes: Vec<Node>) -> Vec<Entry> {
    let mut reader = Reader::default();
    let mut nodes = nodes.into_iter().peekable();
    while let Some(node) = nodes.next() {
        super::tick();
        match node {
            Node::Heading(text) => {
                let titles_table = matches!(nodes.peek(), Some(Node::Table(_)));
                reader.heading(text, titles_table);
            }
            Node::Group(children) if children.iter().any(|child| entry_of_item(child).is_some()) => {
                children.into_iter().for_each(|child| reader.indented(child));
            }
            node => reader.other(node),
        }
    }
    reader.finish();
    reader.done
}

#[derive(Default)]
struct Reader {
    done: Vec<Entry>,
    draft: Option<Draft>,
}

/// An entry whose parts are being collected.
struct Draft {
    entry: Entry,
    nodes: Vec<Node>,
    /// Whether its parts stand behind it, under headings.
    flat: bool,
}

impl Reader {
    fn start(&mut self, entry: Entry, nodes: Vec<Node>, flat: bool) {
        self.finish();
        self.draft = Some(Draft { entry, nodes, flat });
    }

    fn finish(&mut self) {
        if let Some(draft) = self.draft.take() {
            let mut entry = draft.entry;
            entry.body = body(draft.nodes, &mut entry);
            self.done.push(entry);
        }
    }

    /// A heading begins an entry or, in the older pages, a part of one; any other begins a chapter, and no entry goes
    /// on in it. A table that belongs to an entry has a heading of its own in both layouts.
    fn heading(&mut self, text: Text, titles_table: bool) {
        let plain = text.plain();
        if let Some(entry) = entry_of_heading(&plain) {
            self.start(entry, Vec::new(), true);
            return;
        }
        match &mut self.draft {
            Some(draft) if titles_table || draft.flat && is_part(&plain) => draft.nodes.push(Node::Heading(text)),
            _ => self.finish(),
        }
    }

    /// What stands in a group that holds an entry.
    fn indented(&mut self, child: Node) {
        if let Some(entry) = entry_of_item(&child)
            && let Node::Item { body, .. } = child
        {
            self.start(entry, body, false);
        }
    }

    fn other(&mut self, node: Node) {
        if let Some(draft) = &mut self.draft
            && (draft.flat || matches!(node, Node::Table(_)))
        {
            draft.nodes.push(node);
        }
    }
}

fn is_part(heading: &str) -> bool {
    LISTS.contains(&heading) || PARTS.iter().any(|(title, _)| *title == heading)
}

fn bare(kind: EntryKind, name: &str, since: Option<String>) -> Entry {
    Entry { kind, name: name.to_owned(), since, condition: None, body: Vec::new() }
}

/// The entry of an older page's heading: `NAME (Command)`.
fn entry_of_heading(heading: &str) -> Option<Entry> {
    let (name, kind) = heading.strip_suffix(')')?.rsplit_once(" (")?;
    let known = !name.is_empty() && !name.contains(' ');
    EntryKind::named(kind).filter(|_| known).map(|kind| bare(kind, name, None))
}

/// The entry of a newer page's term: `Command NAME (Since: X)`.
fn entry_of_item(node: &Node) -> Option<Entry> {
    let Node::Item { mark: Mark::Term(term), .. } = node else {
        return None;
    };
    let plain = term.plain();
    let (kind, rest) = plain.split_once(' ')?;
    let kind = EntryKind::named(kind)?;
    let (name, behind) = rest.split_once(' ').unwrap_or((rest, ""));
    if name.is_empty() || !behind.is_empty() && !behind.starts_with('(') {
        return None;
    }
    let since = behind.strip_prefix("(Since: ").map(|since| since.trim_end_matches(')').to_owned());
    Some(bare(kind, name, since))
}

/// What `nodes` say of `entry`; what they say of its age and its conditions goes into the entry itself.
fn body(nodes: Vec<Node>, entry: &mut Entry) -> Vec<Block> {
    let mut body = Vec::new();
    let mut nodes = nodes.into_iter().peekable();
    let mut title = None;
    loop {
        let mut part = Vec::new();
        while let Some(node) = nodes.next_if(|node| !matches!(node, Node::Heading(_))) {
            part.push(node);
        }
        match title {
            None => body.extend(blocks(part)),
            Some(title) => add_part(&mut body, entry, title, part),
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

/// Adds what stands under a heading. The first paragraph on age or conditions is the entry's; what more is said of
/// them stays in the body.
fn add_part(body: &mut Vec<Block>, entry: &mut Entry, title: Text, mut nodes: Vec<Node>) {
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

/// What stands under a title: a list of members, or a section.
fn titled(title: &str, nodes: Vec<Node>) -> Vec<Block> {
    if LISTS.contains(&title) {
        return members(title, nodes);
    }
    let shown = match PARTS.iter().find(|(known, _)| *known == title) {
        Some((_, shown)) => (*shown).to_owned(),
        None => sentence_case(title.trim_end_matches(':')),
    };
    let body = blocks(nodes);
    if body.is_empty() {
        return Vec::new();
    }
    vec![Block::Section { title: shown, body }]
}

/// A title in capitals as a sentence has it; any other as it is.
fn sentence_case(title: &str) -> String {
    if title.chars().any(char::is_lowercase) {
        return title.to_owned();
    }
    let mut chars = title.chars();
    chars.next().into_iter().chain(chars.flat_map(char::to_lowercase)).collect()
}

/// A list of members, and behind it what stands among them.
fn members(title: &str, nodes: Vec<Node>) -> Vec<Block> {
    let mut items = Vec::new();
    let mut others = Vec::new();
    for node in opened(nodes) {
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

/// `nodes` with the groups among them opened.
fn opened(nodes: Vec<Node>) -> Vec<Node> {
    let mut flat = Vec::new();
    for node in nodes {
        super::tick();
        match node {
            Node::Group(children) => flat.extend(opened(children)),
            node => flat.push(node),
        }
    }
    flat
}

/// What nodes say, wherever they stand.
fn blocks(nodes: Vec<Node>) -> Vec<Block> {
    let mut found = Vec::new();
    let mut nodes = nodes.into_iter().peekable();
    while let Some(node) = nodes.next() {
        super::tick();
        match node {
            // A box: its title stands before it in bold, with a colon.
            Node::Paragraph(text)
                if text.is_bold() && text.plain().ends_with(':') && matches!(nodes.peek(), Some(Node::Group(_))) =>
            {
                if let Some(Node::Group(children)) = nodes.next() {
                    found.extend(titled(&text.plain(), opened(children)));
                }
            }
            Node::Paragraph(text) => found.push(Block::Paragraph(text)),
            Node::Verbatim(lines) => found.push(Block::Verbatim(lines)),
            Node::Table(rows) => found.push(Block::Table(rows)),
            Node::Heading(text) => found.push(Block::Paragraph(text)),
            Node::Group(children) if is_quote(&children) => found.push(Block::Quote(blocks(opened(children)))),
            Node::Group(children) => found.extend(blocks(children)),
            Node::Item { mark, body } => add_item(&mut found, mark, body),
        }
    }
    found
}

/// Whether a group holds prose alone, which then is set apart.
fn is_quote(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| match node {
        Node::Paragraph(_) => {
            super::tick();
            true
        }
        Node::Group(children) => is_quote(children),
        _ => false,
    })
}

/// Adds an item to what is found: to the list before it, if it goes on with one.
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
            if is_part(&plain) {
                found.extend(titled(&plain, body));
            } else {
                // Lines whose indentation the page's author did not mean as a list.
                found.extend(with_first(term, blocks(body)));
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
