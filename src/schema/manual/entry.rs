//! The entries of a manual page: commands, events and types with their documentation.

use super::text::{Text, sentences};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    Command,
    Event,
    /// `Object`; in the newest pages also `Struct` and `Union`.
    Object,
    Enum,
    Alternate,
}

impl EntryKind {
    /// Returns the kind with this name in a page.
    pub(super) fn from_name(name: &str) -> Option<EntryKind> {
        Some(match name {
            "Command" => EntryKind::Command,
            "Event" => EntryKind::Event,
            "Object" | "Struct" | "Union" => EntryKind::Object,
            "Enum" => EntryKind::Enum,
            "Alternate" => EntryKind::Alternate,
            _ => return None,
        })
    }

    /// Returns the name of the kind for use in a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            EntryKind::Command => "command",
            EntryKind::Event => "event",
            EntryKind::Object => "object",
            EntryKind::Enum => "enum",
            EntryKind::Alternate => "alternate",
        }
    }
}

/// A command, an event or a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub kind: EntryKind,
    pub name: String,
    /// The version that introduced it: `2.9`, rarely with more words.
    pub since: Option<String>,
    /// The build options that it depends on: `CONFIG_LINUX`.
    pub condition: Option<String>,
    pub body: Vec<Block>,
}

/// A part of the documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    Paragraph(Text),
    /// Arguments, members, values, alternatives or features.
    Members(Members),
    /// Returns, errors, notes, examples.
    Section {
        /// Without a colon: `Returns`, `Example`, `Note`.
        title: String,
        body: Vec<Block>,
    },
    /// A list in the prose.
    List(Vec<ListItem>),
    /// Preformatted lines, mostly an exchange of messages.
    Verbatim(Vec<String>),
    /// Rows of cells; the first row is the head.
    Table(Vec<Vec<Text>>),
    /// Indented prose.
    Quote(Vec<Block>),
}

/// An item of a list in the prose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListItem {
    /// `•`, or a number with its full stop.
    pub mark: String,
    pub body: Vec<Block>,
}

/// A list of arguments, members, values, alternatives or features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// The kind of list: `Arguments`.
    pub title: String,
    /// In the page's order.
    pub items: Vec<Item>,
}

/// An item of [`Members`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Member(Member),
    Include(Include),
    /// Text in neither form.
    Other(Vec<Block>),
}

/// An argument, a member, a value, an alternative or a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    /// `[T]` for an array; empty for values and features.
    pub type_text: String,
    pub optional: bool,
    /// The build options that it depends on.
    pub condition: Option<String>,
    /// Empty if the page only names it.
    pub body: Vec<Block>,
}

/// A reference to another type whose members belong to this list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    pub type_name: String,
    /// For a variant: the tag and its value.
    pub when: Option<(String, String)>,
    /// The build options that it depends on.
    pub condition: Option<String>,
}

impl Entry {
    /// Returns the items of its lists of members, except features.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.body
            .iter()
            .filter_map(|block| match block {
                Block::Members(members) if members.title != "Features" => Some(&members.items),
                _ => None,
            })
            .flatten()
    }

    /// Returns the first sentence of the first paragraph, or an empty string. Skips the paragraph in many entries which
    /// says that they are unstable.
    pub fn summary(&self) -> String {
        let first = self.body.iter().find_map(|block| match block {
            Block::Paragraph(text) => Some(text.plain()).filter(|plain| !plain.ends_with("unstable/experimental.")),
            _ => None,
        });
        let first = first.unwrap_or_default();
        sentences(&first).next().map(str::to_owned).unwrap_or_default()
    }

    /// Returns all preformatted blocks, as lines.
    pub fn verbatim(&self) -> Vec<&[String]> {
        let mut found = Vec::new();
        visit_blocks(&self.body, &mut |block| {
            if let Block::Verbatim(lines) = block {
                found.push(lines.as_slice());
            }
        });
        found
    }

    /// Returns the requests in its examples: the text after each `->`, until its brackets are closed or the next arrow
    /// begins. A request can have several lines.
    pub fn examples(&self) -> Vec<String> {
        self.verbatim().into_iter().flat_map(requests_in_example).collect()
    }
}

/// Calls `f` for each block and for the blocks inside it.
pub(super) fn visit_blocks<'a>(blocks: &'a [Block], f: &mut impl FnMut(&'a Block)) {
    for block in blocks {
        f(block);
        match block {
            Block::Section { body, .. } | Block::Quote(body) => visit_blocks(body, f),
            Block::List(items) => items.iter().for_each(|item| visit_blocks(&item.body, f)),
            Block::Members(members) => {
                for item in &members.items {
                    match item {
                        Item::Member(member) => visit_blocks(&member.body, f),
                        Item::Other(body) => visit_blocks(body, f),
                        Item::Include(_) => {}
                    }
                }
            }
            Block::Paragraph(_) | Block::Verbatim(_) | Block::Table(_) => {}
        }
    }
}

fn requests_in_example(lines: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<(String, BracketCounter)> = None;
    for line in lines {
        let trimmed = line.trim_start();
        let start = trimmed.strip_prefix("->");
        if start.is_some() || trimmed.starts_with("<-") {
            found.extend(open.take().map(|(text, _)| text));
        }
        let part = match (&mut open, start) {
            (_, Some(rest)) => {
                open = Some((String::new(), BracketCounter::default()));
                rest.trim()
            }
            (Some(_), None) => line.trim_end(),
            (None, None) => continue,
        };
        if let Some((text, brackets)) = &mut open {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(part);
            brackets.count(part);
            if brackets.all_closed {
                found.extend(open.take().map(|(text, _)| text));
            }
        }
    }
    found.extend(open.map(|(text, _)| text));
    found.retain(|text| !text.trim().is_empty());
    found
}

/// Counts the brackets of a JSON text, line by line.
#[derive(Default)]
struct BracketCounter {
    depth: usize,
    in_string: bool,
    escaped: bool,
    all_closed: bool,
}

impl BracketCounter {
    fn count(&mut self, text: &str) {
        for byte in text.bytes() {
            super::count_step();
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.all_closed |= self.depth == 0;
                }
                _ => {}
            }
        }
        self.in_string = false;
        self.escaped = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_requests_among_replies() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        for (example, expected) in [
            ("-> { \"a\": 1 }\n<- { \"b\": 2 }", &["{ \"a\": 1 }"][..]),
            ("-> { \"a\":\n     { \"]\": \"}\" } }\nand more\n<- {}", &["{ \"a\":\n     { \"]\": \"}\" } }"]),
            ("-> { \"a\"\n<- {}\n  -> { }", &["{ \"a\"", "{ }"]),
            ("-> { \"torn\n\n", &["{ \"torn\n"]),
            ("text\n<- {}", &[]),
        ] {
            assert_eq!(requests_in_example(&lines(example)), expected, "{example}");
        }
    }
}
