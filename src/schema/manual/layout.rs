//! Lays out entries as lines of a given width: prose wrapped, lists indented, examples unchanged. `render` adds the
//! colours.

mod fill;
mod members;

use std::collections::HashSet;

use unicode_width::UnicodeWidthStr;

use super::entry::{Block, Entry, EntryKind, ListItem};
use super::lookup::LookupResult;
use super::style::{Line, Role, Run};
use super::text::{Face, Text};
use super::{Manual, Member};

use fill::{Word, line_width, words};

/// The minimum width of the layout. On a narrower terminal, lines overflow.
const MIN_COLUMNS: usize = 24;

/// Titles that precede the first paragraph of their section.
const INLINE_TITLES: &[&str] = &["Note", "Caution", "Warning", "Important", "Tip", "Hint"];

impl Manual {
    /// Returns the heading of an entry: its name, kind and version.
    pub fn heading(&self, entry: &Entry) -> Line {
        let mut note = format!("  {}", entry.kind.noun());
        if let Some(since) = &entry.since {
            note.push_str(&format!(", since {since}"));
        }
        if let Some(condition) = &entry.condition {
            note.push_str(&format!(", if {condition}"));
        }
        vec![Run::new(Role::Name, &entry.name), Run::new(Role::Secondary, note)]
    }

    /// Lays out the documentation of an entry in lines of `width` columns; preformatted lines can be longer. The members of
    /// types that it includes unconditionally are listed with its own.
    pub fn layout<'a>(&'a self, entry: &'a Entry, width: usize) -> Vec<Line> {
        let mut layouter = Layouter::new(self, width);
        layouter.listed.insert(&entry.name);
        layouter.add_blocks(&entry.body, 0, Line::new(), true);
        layouter.lines
    }

    /// Lays out the documentation of a member with its type, and with the values of the type.
    pub fn layout_member<'a>(&'a self, result: LookupResult<'a>, width: usize) -> Vec<Line> {
        let mut layouter = Layouter::new(self, width);
        let header = members::header(result.member);
        let mut note = format!("of {}", result.entry.name);
        if let Some((tag, value)) = result.when {
            note.push_str(&format!(", when {tag} is {value}"));
        }
        if let Some(condition) = members::condition_note(result.member.condition.as_deref()) {
            note.push_str(&format!(" {condition}"));
        }
        layouter.add_line_with_note(header, 2, note);
        layouter.add_blocks(&result.member.body, 2, Line::new(), true);
        if let Some(entry) = self.type_of(result)
            && matches!(entry.kind, EntryKind::Enum | EntryKind::Alternate)
        {
            layouter.add_empty_line();
            layouter.lines.push(self.heading(entry));
            layouter.add_blocks(&entry.body, 2, Line::new(), true);
        }
        layouter.lines
    }
}

struct Layouter<'a> {
    manual: &'a Manual,
    width: usize,
    lines: Vec<Line>,
    /// The types whose members are already listed. A type can include itself, through other types or in the documentation
    /// of its members.
    listed: HashSet<&'a str>,
}

impl<'a> Layouter<'a> {
    fn new(manual: &'a Manual, width: usize) -> Layouter<'a> {
        Layouter { manual, width: width.max(MIN_COLUMNS), lines: Vec::new(), listed: HashSet::new() }
    }

    /// Adds an empty line, except at the beginning or after another one.
    fn add_empty_line(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(Line::new());
        }
    }

    /// Adds a line with a note after it, or below it at `indent` if that does not fit.
    fn add_line_with_note(&mut self, mut line: Line, indent: usize, note: String) {
        if line_width(&line) + 2 + note.width() <= self.width {
            line.push(Run::new(Role::Secondary, format!("  {note}")));
            self.lines.push(line);
        } else {
            self.lines.push(line);
            let words = note.split(' ').map(|word| vec![Run::new(Role::Secondary, word)]).collect();
            self.fill(words, indent, Line::new());
        }
    }

    /// Adds blocks at `indent`. `first` precedes them, on the same line if the first block is a paragraph. Empty lines
    /// separate blocks, but precede a list only if `is_loose`.
    fn add_blocks(&mut self, blocks: &'a [Block], indent: usize, mut first: Line, is_loose: bool) {
        for (index, block) in blocks.iter().enumerate() {
            let is_tight = matches!(block, Block::List(_)) && !is_loose;
            if index > 0 && !is_tight {
                self.add_empty_line();
            }
            if !first.is_empty() && !matches!(block, Block::Paragraph(_)) {
                self.lines.push(std::mem::take(&mut first));
            }
            match block {
                Block::Paragraph(text) => self.add_paragraph(text, indent, std::mem::take(&mut first)),
                Block::Members(members) => {
                    self.add_title(&members.title, indent);
                    self.add_members(&members.items, indent + 2);
                }
                Block::Section { title, body } => self.add_section(title, body, indent),
                Block::List(items) => self.add_list(items, indent),
                Block::Verbatim(lines) => self.add_verbatim(lines, indent + 2),
                Block::Table(rows) => self.add_table(rows, indent),
                Block::Quote(body) => self.add_blocks(body, indent + 4, Line::new(), false),
            }
        }
        if !first.is_empty() {
            self.lines.push(first);
        }
    }

    fn add_title(&mut self, title: &str, indent: usize) {
        self.lines.push(indented(indent, Run::new(Role::Heading, title)));
    }

    fn add_section(&mut self, title: &str, body: &'a [Block], indent: usize) {
        if INLINE_TITLES.contains(&title) && matches!(body.first(), Some(Block::Paragraph(_))) {
            let first = indented(indent, Run::new(Role::Heading, format!("{title}: ")));
            self.add_blocks(body, indent + 2, first, false);
            return;
        }
        self.add_title(title, indent);
        // Preformatted lines are indented anyway.
        let deeper = if matches!(body.first(), Some(Block::Verbatim(_))) { indent } else { indent + 2 };
        self.add_blocks(body, deeper, Line::new(), false);
    }

    fn add_paragraph(&mut self, text: &Text, indent: usize, first: Line) {
        self.fill(words(text, role_of), indent, first);
    }

    fn fill(&mut self, words: Vec<Word>, indent: usize, first: Line) {
        fill::fill(&mut self.lines, words, indent, first, self.width);
    }

    fn add_list(&mut self, items: &'a [ListItem], indent: usize) {
        for item in items {
            let first = indented(indent, Run::new(Role::Secondary, format!("{} ", item.mark)));
            self.add_blocks(&item.body, indent + item.mark.width() + 1, first, false);
        }
    }

    /// Adds preformatted lines. An arrow in an example shows which side sends its line and the lines after it.
    fn add_verbatim(&mut self, lines: &[String], indent: usize) {
        let mut role = Role::Sent;
        for line in lines {
            let trimmed = line.trim_start();
            if trimmed.starts_with("<-") {
                role = Role::Received;
            } else if trimmed.starts_with("->") {
                role = Role::Sent;
            }
            self.lines.push(if line.is_empty() { Line::new() } else { indented(indent, Run::new(role, line)) });
        }
    }

    /// Adds a table whose columns are as wide as their widest cell.
    fn add_table(&mut self, rows: &[Vec<Text>], indent: usize) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let column_width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.plain().width()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(column_width).collect();
        for (index, row) in rows.iter().enumerate() {
            let role = if index == 0 { Role::Heading } else { Role::Plain };
            let mut text = " ".repeat(indent + 2);
            for (cell, width) in row.iter().zip(&widths) {
                let cell = cell.plain();
                text.push_str(&cell);
                text.push_str(&" ".repeat(width - cell.width() + 2));
            }
            self.lines.push(vec![Run::new(role, text.trim_end())]);
        }
    }
}

fn indented(indent: usize, run: Run) -> Line {
    match indent {
        0 => vec![run],
        _ => vec![Run::new(Role::Plain, " ".repeat(indent)), run],
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
