//! Parses roff, as rst2man writes it, into nodes: paragraphs, items, indented groups, examples, tables, headings.
//!
//! Owns requests and nesting. Must not know what a heading or an item means, which `parse` decides.

use super::escape;
use super::table;
use super::text::Text;

/// The maximum nesting of groups. Deeper groups are merged into the one around them.
const MAX_GROUP_DEPTH: usize = 40;

/// A part of a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Node {
    Paragraph(Text),
    /// Preformatted lines.
    Verbatim(Vec<String>),
    Item {
        mark: Mark,
        body: Vec<Node>,
    },
    /// Nodes that are indented together.
    Group(Vec<Node>),
    Table(Vec<Vec<Text>>),
    Heading(Text),
}

/// The mark of an item.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Bullet,
    /// With its full stop: `1.`
    Number(String),
    /// Text on a line of its own, such as the title of a box.
    Title(Text),
    /// The term that the item defines.
    Term(Text),
}

/// Parses a page; returns the arguments of its header, and its nodes.
pub(super) fn parse_page(roff: &str) -> (Vec<String>, Vec<Node>) {
    let mut builder = Builder::default();
    let mut lines = roff.lines();
    while let Some(line) = lines.next() {
        super::count_step();
        let Some((request, rest)) = parse_request(line) else {
            match split_glued_indent(line) {
                Some((text, rest)) => {
                    builder.add_text(text);
                    builder.handle_request("INDENT", rest);
                }
                None => builder.add_text(line),
            }
            continue;
        };
        match request {
            "de" | "de1" | "am" | "ig" => drop(lines.by_ref().find(|line| line.trim_end() == "..")),
            "nf" | "EX" => builder.add_verbatim(take_until(&mut lines, &["fi", "EE"])),
            "TS" => builder.add(Node::Table(table::parse_rows(&take_until(&mut lines, &["TE"])))),
            _ => builder.handle_request(request, rest),
        }
    }
    builder.finish()
}

/// Parses a request; returns its name, and the text after it.
fn parse_request(line: &str) -> Option<(&str, &str)> {
    let rest = match line.strip_prefix('.') {
        Some(rest) => rest.trim_start(),
        None => line.strip_prefix('\'').filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))?,
    };
    if rest.starts_with("\\\"") {
        return Some(("", ""));
    }
    let end = rest.find([' ', '\t']).unwrap_or(rest.len());
    Some((&rest[..end], rest[end..].trim()))
}

/// Splits a line of text from an `.INDENT` at its end. Some versions of rst2man omit the line end between them.
fn split_glued_indent(line: &str) -> Option<(&str, &str)> {
    const REQUEST: &str = ".INDENT ";
    let at = line.rfind(REQUEST)?;
    let rest = &line[at + REQUEST.len()..];
    (at > 0 && !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit() || c == '.')).then(|| (&line[..at], rest))
}

/// Takes the lines before one of the requests `ends`, and skips that request.
fn take_until<'a>(lines: &mut std::str::Lines<'a>, ends: &[&str]) -> Vec<&'a str> {
    lines
        .take_while(|line| {
            super::count_step();
            !parse_request(line).is_some_and(|(name, _)| ends.contains(&name))
        })
        .collect()
}

/// Splits the arguments of a request: words, or text in quotes.
fn split_arguments(rest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = rest.trim_start();
    while !rest.is_empty() {
        let (word, tail) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once([' ', '\t']).unwrap_or((rest, "")),
        };
        found.push(word.to_owned());
        rest = tail.trim_start();
    }
    found
}

/// A group under construction, and its open item.
#[derive(Default)]
struct OpenGroup {
    nodes: Vec<Node>,
    item: Option<(Mark, Vec<Node>)>,
}

impl OpenGroup {
    fn add(&mut self, node: Node) {
        match &mut self.item {
            Some((_, body)) => body.push(node),
            None => self.nodes.push(node),
        }
    }

    fn close_item(&mut self) {
        if let Some((mark, body)) = self.item.take() {
            self.nodes.push(Node::Item { mark, body });
        }
    }
}

#[derive(Default)]
struct Builder {
    /// The page itself.
    root: OpenGroup,
    /// The open groups, innermost last.
    groups: Vec<OpenGroup>,
    /// The number of open groups beyond [`MAX_GROUP_DEPTH`].
    excess_groups: usize,
    /// The lines of the current paragraph.
    paragraph: String,
    /// Whether the next line is an item's term.
    expects_term: bool,
    /// The arguments of the page header.
    header: Vec<String>,
}

impl Builder {
    fn innermost(&mut self) -> &mut OpenGroup {
        self.groups.last_mut().unwrap_or(&mut self.root)
    }

    fn end_paragraph(&mut self) {
        let text = escape::unescape_text(&std::mem::take(&mut self.paragraph));
        if !text.is_empty() {
            self.innermost().add(Node::Paragraph(text));
        }
    }

    /// Adds a node that is not a paragraph, unless it is empty.
    fn add(&mut self, node: Node) {
        self.end_paragraph();
        self.expects_term = false;
        let is_empty = match &node {
            Node::Verbatim(lines) => lines.is_empty(),
            Node::Table(rows) => rows.is_empty(),
            _ => false,
        };
        if !is_empty {
            self.innermost().add(node);
        }
    }

    fn start_item(&mut self, mark: Mark) {
        self.end_paragraph();
        let group = self.innermost();
        group.close_item();
        group.item = Some((mark, Vec::new()));
    }

    /// Adds a line of text, or the text after a request for a face.
    fn add_text(&mut self, raw: &str) {
        if std::mem::take(&mut self.expects_term) {
            self.start_item(Mark::Term(escape::unescape_text(raw)));
        } else if raw.trim().is_empty() {
            self.end_paragraph();
        } else {
            self.paragraph.push_str(raw);
            self.paragraph.push('\n');
        }
    }

    fn add_verbatim(&mut self, lines: Vec<&str>) {
        let texts: Vec<String> = lines
            .iter()
            .filter(|line| parse_request(line).is_none())
            .map(|line| expand_tabs(escape::unescape_line(line).trim_end()))
            .collect();
        self.add(Node::Verbatim(dedent(texts)));
    }

    fn handle_request(&mut self, name: &str, rest: &str) {
        match name {
            "B" | "I" | "BR" | "RB" | "IR" | "RI" | "BI" | "IB" | "SM" | "SB" | "R" => self.add_text(rest),
            "TP" => {
                self.end_paragraph();
                self.expects_term = true;
                return;
            }
            "IP" => match split_arguments(rest).first().map(String::as_str) {
                None | Some("") => self.end_paragraph(),
                Some("\\(bu" | "\\[bu]" | "•" | "\\-" | "*") => self.start_item(Mark::Bullet),
                Some(mark) => {
                    let mark = escape::unescape_text(mark);
                    let plain = mark.plain();
                    self.start_item(if is_number(&plain) { Mark::Number(plain) } else { Mark::Title(mark) });
                }
            },
            "INDENT" | "RS" => {
                self.end_paragraph();
                if self.groups.len() < MAX_GROUP_DEPTH {
                    self.groups.push(OpenGroup::default());
                } else {
                    self.excess_groups += 1;
                }
            }
            "UNINDENT" | "RE" => {
                self.end_paragraph();
                if self.excess_groups > 0 {
                    self.excess_groups -= 1;
                } else {
                    self.close_group();
                }
            }
            "SH" | "SS" => {
                self.close_all();
                self.root.add(Node::Heading(escape::unescape_text(rest.trim_matches('"'))));
            }
            "TH" => self.header = split_arguments(rest),
            "sp" | "PP" | "P" | "LP" | "br" => self.end_paragraph(),
            // Requests that set registers, margins or faces contain no text.
            _ => return,
        }
        self.expects_term = false;
    }

    fn close_group(&mut self) {
        let Some(mut group) = self.groups.pop() else {
            return;
        };
        group.close_item();
        if !group.nodes.is_empty() {
            self.innermost().add(Node::Group(group.nodes));
        }
    }

    fn close_all(&mut self) {
        self.end_paragraph();
        self.excess_groups = 0;
        while !self.groups.is_empty() {
            self.close_group();
        }
        self.root.close_item();
    }

    fn finish(mut self) -> (Vec<String>, Vec<Node>) {
        self.close_all();
        (self.header, self.root.nodes)
    }
}

/// Returns whether a mark is a number: `1.`, `12)`, `a.`
fn is_number(mark: &str) -> bool {
    mark.strip_suffix(['.', ')']).is_some_and(|number| {
        let number = number.trim_start_matches('(');
        number.chars().all(|c| c.is_ascii_digit()) && !number.is_empty()
            || number.len() == 1 && number.chars().all(|c| c.is_ascii_alphabetic())
    })
}

/// Replaces each tab with spaces up to the next multiple of eight columns.
fn expand_tabs(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for (index, part) in line.split('\t').enumerate() {
        if index > 0 {
            text.push(' ');
            while !text.len().is_multiple_of(8) {
                text.push(' ');
            }
        }
        text.push_str(part);
    }
    text
}

/// Removes the indentation that all lines have in common, and empty lines at both ends.
fn dedent(mut lines: Vec<String>) -> Vec<String> {
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    let empty = lines.iter().take_while(|line| line.is_empty()).count();
    lines.drain(..empty);
    let indent = |line: &String| line.len() - line.trim_start_matches(' ').len();
    let common = lines.iter().filter(|line| !line.is_empty()).map(indent).min();
    for line in &mut lines {
        line.drain(..common.unwrap_or(0).min(line.len()));
    }
    lines
}

#[cfg(test)]
mod tests;
