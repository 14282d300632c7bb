//! The shape of a page: paragraphs, items, indented groups, examples, tables, headings, out of the lines of a roff
//! file as rst2man writes it. Owns requests and nesting; what a heading or an item means is not known here.

use super::escape;
use super::table;
use super::text::Text;

/// How deep groups may nest; what is deeper stands with its surroundings.
const DEPTH: usize = 40;

/// What a page is made of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Node {
    Paragraph(Text),
    /// Lines that stay as they are.
    Verbatim(Vec<String>),
    Item {
        mark: Mark,
        body: Vec<Node>,
    },
    /// What is indented together.
    Group(Vec<Node>),
    Table(Vec<Vec<Text>>),
    Heading(Text),
}

/// What stands before an item.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Bullet,
    /// With its point: `1.`
    Number(String),
    /// Words on a line of their own, as a box has.
    Title(Text),
    /// What the item defines.
    Term(Text),
}

/// The page of `roff`: its header's arguments, and what it is made of.
pub(super) fn page(roff: &str) -> (Vec<String>, Vec<Node>) {
    let mut builder = Builder::default();
    let mut lines = roff.lines();
    while let Some(line) = lines.next() {
        super::tick();
        let Some((request, rest)) = request(line) else {
            match glued(line) {
                Some((words, rest)) => {
                    builder.words(words);
                    builder.request("INDENT", rest);
                }
                None => builder.words(line),
            }
            continue;
        };
        match request {
            "de" | "de1" | "am" | "ig" => drop(lines.by_ref().find(|line| line.trim_end() == "..")),
            "nf" | "EX" => builder.verbatim(taken_until(&mut lines, &["fi", "EE"])),
            "TS" => builder.add(Node::Table(table::rows(&taken_until(&mut lines, &["TE"])))),
            _ => builder.request(request, rest),
        }
    }
    builder.finish()
}

/// The request on a line, and what stands behind it.
fn request(line: &str) -> Option<(&str, &str)> {
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

/// A line of text with an `.INDENT` at its end: rst2man sometimes forgets to end the line between them.
fn glued(line: &str) -> Option<(&str, &str)> {
    const REQUEST: &str = ".INDENT ";
    let at = line.rfind(REQUEST)?;
    let rest = &line[at + REQUEST.len()..];
    (at > 0 && !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit() || c == '.')).then(|| (&line[..at], rest))
}

/// The lines before one of the requests `ends`.
fn taken_until<'a>(lines: &mut std::str::Lines<'a>, ends: &[&str]) -> Vec<&'a str> {
    lines
        .take_while(|line| {
            super::tick();
            !request(line).is_some_and(|(name, _)| ends.contains(&name))
        })
        .collect()
}

/// The arguments of a request: words, or what stands in quotes.
fn arguments(rest: &str) -> Vec<String> {
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

/// A group under construction, and the item that is open in it.
#[derive(Default)]
struct Frame {
    nodes: Vec<Node>,
    item: Option<(Mark, Vec<Node>)>,
}

impl Frame {
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
    /// The page's own level.
    root: Frame,
    /// The groups that are open, the innermost last.
    open: Vec<Frame>,
    /// Groups opened beyond [`DEPTH`].
    deeper: usize,
    /// The lines of the paragraph that is going on.
    paragraph: String,
    /// Whether the next line is an item's term.
    term: bool,
    header: Vec<String>,
}

impl Builder {
    fn top(&mut self) -> &mut Frame {
        self.open.last_mut().unwrap_or(&mut self.root)
    }

    /// Ends the paragraph that is going on.
    fn flush(&mut self) {
        let text = escape::text(&std::mem::take(&mut self.paragraph));
        if !text.is_empty() {
            self.top().add(Node::Paragraph(text));
        }
    }

    /// Adds what is no paragraph, unless there is nothing in it.
    fn add(&mut self, node: Node) {
        self.flush();
        self.term = false;
        let is_empty = match &node {
            Node::Verbatim(lines) => lines.is_empty(),
            Node::Table(rows) => rows.is_empty(),
            _ => false,
        };
        if !is_empty {
            self.top().add(node);
        }
    }

    fn start_item(&mut self, mark: Mark) {
        self.flush();
        let frame = self.top();
        frame.close_item();
        frame.item = Some((mark, Vec::new()));
    }

    /// A line of text, or of what stands behind a request for a face.
    fn words(&mut self, raw: &str) {
        if std::mem::take(&mut self.term) {
            self.start_item(Mark::Term(escape::text(raw)));
        } else if raw.trim().is_empty() {
            self.flush();
        } else {
            self.paragraph.push_str(raw);
            self.paragraph.push('\n');
        }
    }

    fn verbatim(&mut self, lines: Vec<&str>) {
        let texts: Vec<String> = lines
            .iter()
            .filter(|line| request(line).is_none())
            .map(|line| untabbed(escape::line(line).trim_end()))
            .collect();
        self.add(Node::Verbatim(flush_left(texts)));
    }

    fn request(&mut self, name: &str, rest: &str) {
        match name {
            "B" | "I" | "BR" | "RB" | "IR" | "RI" | "BI" | "IB" | "SM" | "SB" | "R" => self.words(rest),
            "TP" => {
                self.flush();
                self.term = true;
                return;
            }
            "IP" => match arguments(rest).first().map(String::as_str) {
                None | Some("") => self.flush(),
                Some("\\(bu" | "\\[bu]" | "•" | "\\-" | "*") => self.start_item(Mark::Bullet),
                Some(mark) => {
                    let mark = escape::text(mark);
                    let plain = mark.plain();
                    self.start_item(if is_number(&plain) { Mark::Number(plain) } else { Mark::Title(mark) });
                }
            },
            "INDENT" | "RS" => {
                self.flush();
                if self.open.len() < DEPTH {
                    self.open.push(Frame::default());
                } else {
                    self.deeper += 1;
                }
            }
            "UNINDENT" | "RE" => {
                self.flush();
                if self.deeper > 0 {
                    self.deeper -= 1;
                } else {
                    self.close_group();
                }
            }
            "SH" | "SS" => {
                self.close_all();
                self.root.add(Node::Heading(escape::text(rest.trim_matches('"'))));
            }
            "TH" => self.header = arguments(rest),
            "sp" | "PP" | "P" | "LP" | "br" => self.flush(),
            // Requests that set registers, margins, faces: nothing of them is text.
            _ => return,
        }
        self.term = false;
    }

    fn close_group(&mut self) {
        let Some(mut frame) = self.open.pop() else {
            return;
        };
        frame.close_item();
        if !frame.nodes.is_empty() {
            self.top().add(Node::Group(frame.nodes));
        }
    }

    fn close_all(&mut self) {
        self.flush();
        self.deeper = 0;
        while !self.open.is_empty() {
            self.close_group();
        }
        self.root.close_item();
    }

    fn finish(mut self) -> (Vec<String>, Vec<Node>) {
        self.close_all();
        (self.header, self.root.nodes)
    }
}

/// Whether a mark numbers an item: `1.`, `12)`, `a.`
fn is_number(mark: &str) -> bool {
    mark.strip_suffix(['.', ')']).is_some_and(|number| {
        let number = number.trim_start_matches('(');
        number.chars().all(|c| c.is_ascii_digit()) && !number.is_empty()
            || number.len() == 1 && number.chars().all(|c| c.is_ascii_alphabetic())
    })
}

/// A line with blanks to the next eighth column for each tab.
fn untabbed(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for (at, part) in line.split('\t').enumerate() {
        if at > 0 {
            text.push(' ');
            while !text.len().is_multiple_of(8) {
                text.push(' ');
            }
        }
        text.push_str(part);
    }
    text
}

/// The lines without the indentation that all of them have, and without empty ones at either end.
fn flush_left(mut lines: Vec<String>) -> Vec<String> {
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    let empty = lines.iter().take_while(|line| line.is_empty()).count();
    lines.drain(..empty);
    let blanks = |line: &String| line.len() - line.trim_start_matches(' ').len();
    let common = lines.iter().filter(|line| !line.is_empty()).map(blanks).min();
    for line in &mut lines {
        line.drain(..common.unwrap_or(0).min(line.len()));
    }
    lines
}

#[cfg(test)]
mod tests;
