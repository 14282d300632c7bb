//! Sets an entry to a width: prose filled, lists hanging, examples as they are. Owns the page's look; which colour a
//! role has is `render`'s.

mod fill;
mod members;

use std::collections::HashSet;

use super::entry::{Block, Entry, EntryKind, ListItem};
use super::lookup::Found;
use super::style::{Line, Role, Run, run};
use super::text::{Face, Text};
use super::{Manual, Member};

use fill::{Word, width, words};

/// Narrower than this nothing is set; it runs over instead.
const NARROWEST: usize = 24;

/// Titles that stand in the line of what they begin.
const RUN_IN: &[&str] = &["Note", "Caution", "Warning", "Important", "Tip", "Hint"];

impl Manual {
    /// The line above an entry: its name, what it is, since when.
    pub fn heading(&self, entry: &Entry) -> Line {
        let mut aside = format!("  {}", entry.kind.noun());
        if let Some(since) = &entry.since {
            aside.push_str(&format!(", since {since}"));
        }
        if let Some(condition) = &entry.condition {
            aside.push_str(&format!(", if {condition}"));
        }
        vec![run(Role::Name, &entry.name), run(Role::Secondary, aside)]
    }

    /// What is said of an entry, in lines of `width` columns; lines of examples may be longer. The members of a type
    /// that it takes in as a whole are listed with its own.
    pub fn set<'a>(&'a self, entry: &'a Entry, width: usize) -> Vec<Line> {
        let mut setter = Layouter::new(self, width);
        setter.listed.insert(&entry.name);
        setter.blocks(&entry.body, 0, Line::new(), true);
        setter.lines
    }

    /// What is said of a member, with its type, and with that type's values where it has such.
    pub fn set_member<'a>(&'a self, found: Found<'a>, width: usize) -> Vec<Line> {
        let mut setter = Layouter::new(self, width);
        let head = members::header(found.member);
        let mut aside = format!("of {}", found.entry.name);
        if let Some((tag, value)) = found.when {
            aside.push_str(&format!(", when {tag} is {value}"));
        }
        if let Some(condition) = members::condition(found.member) {
            aside.push_str(&format!(" {condition}"));
        }
        setter.with_aside(head, 2, aside);
        setter.blocks(&found.member.body, 2, Line::new(), true);
        if let Some(of) = self.type_of(found)
            && matches!(of.kind, EntryKind::Enum | EntryKind::Alternate)
        {
            setter.blank();
            setter.lines.push(self.heading(of));
            setter.blocks(&of.body, 2, Line::new(), true);
        }
        setter.lines
    }
}

struct Layouter<'a> {
    manual: &'a Manual,
    width: usize,
    lines: Vec<Line>,
    /// The types whose members are listed already: a page may have a type take in itself, by way of others or of what
    /// is said of its members.
    listed: HashSet<&'a str>,
}

impl<'a> Layouter<'a> {
    fn new(manual: &'a Manual, width: usize) -> Layouter<'a> {
        Layouter { manual, width: width.max(NARROWEST), lines: Vec::new(), listed: HashSet::new() }
    }

    /// An empty line, unless there is one or nothing stands before it.
    fn blank(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(Line::new());
        }
    }

    /// A line with something said beside it; where that does not fit, it goes below, behind `indent` blanks.
    fn with_aside(&mut self, mut line: Line, indent: usize, aside: String) {
        if line.iter().map(|run| width(&run.text)).sum::<usize>() + 2 + width(&aside) <= self.width {
            line.push(run(Role::Secondary, format!("  {aside}")));
            self.lines.push(line);
        } else {
            self.lines.push(line);
            let words = aside.split(' ').map(|word| vec![run(Role::Secondary, word)]).collect();
            self.fill(words, indent, Line::new());
        }
    }

    /// Sets blocks behind `indent` columns. `first` stands before the first of them, in its line if it is prose.
    /// Among those of an entry, `loose`, an empty line is set between any two; within a list only before prose.
    fn blocks(&mut self, blocks: &'a [Block], indent: usize, mut first: Line, loose: bool) {
        for (at, block) in blocks.iter().enumerate() {
            let tight = matches!(block, Block::List(_)) && !loose;
            if at > 0 && !tight {
                self.blank();
            }
            if !first.is_empty() && !matches!(block, Block::Paragraph(_)) {
                self.lines.push(std::mem::take(&mut first));
            }
            match block {
                Block::Paragraph(text) => self.paragraph(text, indent, std::mem::take(&mut first)),
                Block::Members(members) => {
                    self.title(&members.title, indent);
                    self.members(&members.items, indent + 2);
                }
                Block::Section { title, body } => self.section(title, body, indent),
                Block::List(items) => self.list(items, indent),
                Block::Verbatim(lines) => self.verbatim(lines, indent + 2),
                Block::Table(rows) => self.table(rows, indent),
                Block::Quote(body) => self.blocks(body, indent + 4, Line::new(), false),
            }
        }
        if !first.is_empty() {
            self.lines.push(first);
        }
    }

    fn title(&mut self, title: &str, indent: usize) {
        self.lines.push(indented(indent, run(Role::Heading, title)));
    }

    fn section(&mut self, title: &str, body: &'a [Block], indent: usize) {
        if RUN_IN.contains(&title) && matches!(body.first(), Some(Block::Paragraph(_))) {
            let first = indented(indent, run(Role::Heading, format!("{title}: ")));
            self.blocks(body, indent + 2, first, false);
            return;
        }
        self.title(title, indent);
        // What stays as it is comes with an indentation of its own.
        let deeper = if matches!(body.first(), Some(Block::Verbatim(_))) { indent } else { indent + 2 };
        self.blocks(body, deeper, Line::new(), false);
    }

    /// Fills a paragraph behind `indent` columns; `first` stands before its first word.
    fn paragraph(&mut self, text: &Text, indent: usize, first: Line) {
        self.fill(words(text, role_of), indent, first);
    }

    fn fill(&mut self, words: Vec<Word>, indent: usize, first: Line) {
        let room = self.width;
        fill::fill(&mut self.lines, words, indent, first, room);
    }

    fn list(&mut self, items: &'a [ListItem], indent: usize) {
        for item in items {
            let first = indented(indent, run(Role::Secondary, format!("{} ", item.mark)));
            self.blocks(&item.body, indent + width(&item.mark) + 1, first, false);
        }
    }

    /// Lines as they are; those that the server sends stand back.
    fn verbatim(&mut self, lines: &[String], indent: usize) {
        let mut role = Role::Sent;
        for line in lines {
            let words = line.trim_start();
            if words.starts_with("<-") {
                role = Role::Received;
            } else if words.starts_with("->") {
                role = Role::Sent;
            }
            self.lines.push(if line.is_empty() { Line::new() } else { indented(indent, run(role, line)) });
        }
    }

    /// A table in columns as wide as their widest cell.
    fn table(&mut self, rows: &[Vec<Text>], indent: usize) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| width(&cell.plain())).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(widest).collect();
        for (at, row) in rows.iter().enumerate() {
            let role = if at == 0 { Role::Heading } else { Role::Plain };
            let mut text = " ".repeat(indent + 2);
            for (cell, room) in row.iter().zip(&widths) {
                let cell = cell.plain();
                text.push_str(&cell);
                text.push_str(&" ".repeat(room - width(&cell) + 2));
            }
            self.lines.push(vec![run(role, text.trim_end())]);
        }
    }
}

/// A line of one run behind blanks.
fn indented(indent: usize, text: Run) -> Line {
    match indent {
        0 => vec![text],
        _ => vec![run(Role::Plain, " ".repeat(indent)), text],
    }
}

fn role_of(face: Face) -> Role {
    match face {
        Face::Plain => Role::Plain,
        Face::Bold => Role::Strong,
        Face::Italic => Role::Reference,
    }
}

#[cfg(test)]
mod tests;
