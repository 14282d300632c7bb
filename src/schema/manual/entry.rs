//! An entry of a manual page: a command, an event or a type, and what the page says of it.

use super::text::Text;

/// What an entry describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A command.
    Command,
    /// An event.
    Event,
    /// A type of objects; in the newest pages also `Struct` and `Union`.
    Object,
    /// A type of named values.
    Enum,
    /// A type that takes several forms.
    Alternate,
}

impl EntryKind {
    /// The kind of that name in a page.
    pub(super) fn named(name: &str) -> Option<EntryKind> {
        Some(match name {
            "Command" => EntryKind::Command,
            "Event" => EntryKind::Event,
            "Object" | "Struct" | "Union" => EntryKind::Object,
            "Enum" => EntryKind::Enum,
            "Alternate" => EntryKind::Alternate,
            _ => return None,
        })
    }

    /// Its name within a sentence.
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

/// A command, an event or a type, as a page describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// Its name, as the protocol or the schema spells it.
    pub name: String,
    /// The version that brought it: `2.9`, seldom with more words.
    pub since: Option<String>,
    /// Which options of the build it depends on: `CONFIG_LINUX`.
    pub condition: Option<String>,
    /// What is said of it.
    pub body: Vec<Block>,
}

/// A part of what is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Prose.
    Paragraph(Text),
    /// Arguments, members, values, alternatives or features.
    Members(Members),
    /// What stands under a title: returns, errors, notes, examples.
    Section {
        /// Its title, without a colon: `Returns`, `Example`, `Note`.
        title: String,
        /// What stands under it.
        body: Vec<Block>,
    },
    /// A list in the prose.
    List(Vec<ListItem>),
    /// Lines that stay as they are, mostly an exchange of messages.
    Verbatim(Vec<String>),
    /// A table; its first row is the head.
    Table(Vec<Vec<Text>>),
    /// What is set apart by indentation.
    Quote(Vec<Block>),
}

/// An item of a list in the prose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListItem {
    /// `•`, or a number with its point.
    pub mark: String,
    /// What it says.
    pub body: Vec<Block>,
}

/// A list of arguments, members, values, alternatives or features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// Which of these it is: `Arguments`.
    pub title: String,
    /// In the page's order.
    pub items: Vec<Item>,
}

/// One of [`Members`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Something with a name.
    Member(Member),
    /// The members of another type.
    Include(Include),
    /// Words that have neither form.
    Other(Vec<Block>),
}

/// An argument, a member, a value, an alternative or a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its type, `[T]` for a list; empty for values and features.
    pub type_text: String,
    /// Whether it may be left out.
    pub optional: bool,
    /// Which options of the build it depends on.
    pub condition: Option<String>,
    /// What is said of it; empty where the page only names it.
    pub body: Vec<Block>,
}

/// That the members of another type belong here too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// The name of the type.
    pub of: String,
    /// The member and the value that it depends on, if it does.
    pub when: Option<(String, String)>,
    /// Which options of the build it depends on.
    pub condition: Option<String>,
}

impl Entry {
    /// Its lists of members that belong to the message or the type; features are no part of it.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.body
            .iter()
            .filter_map(|block| match block {
                Block::Members(members) if members.title != "Features" => Some(&members.items),
                _ => None,
            })
            .flatten()
    }

    /// The first sentence that says what it is; empty where nothing does. That it is unstable is said of many, and
    /// tells nothing of this one.
    pub fn summary(&self) -> String {
        let first = self.body.iter().find_map(|block| match block {
            Block::Paragraph(text) => Some(text.plain()).filter(|words| !words.ends_with("unstable/experimental.")),
            _ => None,
        });
        let first = first.unwrap_or_default();
        super::search::sentences(&first).next().map(str::to_owned).unwrap_or_default()
    }

    /// Everything that it shows line by line.
    pub fn verbatim(&self) -> Vec<&[String]> {
        let mut found = Vec::new();
        walk(&self.body, &mut |block| {
            if let Block::Verbatim(lines) = block {
                found.push(lines.as_slice());
            }
        });
        found
    }

    /// The requests in its examples: what stands behind each `->`, until its brackets are closed or the next arrow
    /// comes. The lines of one request are joined by line ends.
    pub fn examples(&self) -> Vec<String> {
        self.verbatim().into_iter().flat_map(requests).collect()
    }
}

/// Shows `blocks`, and all those within them, to `see`.
pub(super) fn walk<'a>(blocks: &'a [Block], see: &mut impl FnMut(&'a Block)) {
    for block in blocks {
        see(block);
        match block {
            Block::Section { body, .. } | Block::Quote(body) => walk(body, see),
            Block::List(items) => items.iter().for_each(|item| walk(&item.body, see)),
            Block::Members(members) => {
                for item in &members.items {
                    match item {
                        Item::Member(member) => walk(&member.body, see),
                        Item::Other(body) => walk(body, see),
                        Item::Include(_) => {}
                    }
                }
            }
            Block::Paragraph(_) | Block::Verbatim(_) | Block::Table(_) => {}
        }
    }
}

/// The requests in the lines of an example.
fn requests(lines: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<(String, Brackets)> = None;
    for line in lines {
        let trimmed = line.trim_start();
        let start = trimmed.strip_prefix("->");
        if start.is_some() || trimmed.starts_with("<-") {
            found.extend(open.take().map(|(text, _)| text));
        }
        let part = match (&mut open, start) {
            (_, Some(rest)) => {
                open = Some((String::new(), Brackets::default()));
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
            brackets.read(part);
            if brackets.closed {
                found.extend(open.take().map(|(text, _)| text));
            }
        }
    }
    found.extend(open.map(|(text, _)| text));
    found.retain(|text| !text.trim().is_empty());
    found
}

/// Whether the brackets of a JSON text are closed, read a piece at a time.
#[derive(Default)]
struct Brackets {
    depth: usize,
    in_string: bool,
    escaped: bool,
    closed: bool,
}

impl Brackets {
    fn read(&mut self, text: &str) {
        for byte in text.bytes() {
            super::tick();
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.closed |= self.depth == 0;
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
    fn requests_are_found_among_replies() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        for (example, expected) in [
            ("-> { \"a\": 1 }\n<- { \"b\": 2 }", &["{ \"a\": 1 }"][..]),
            ("-> { \"a\":\n     { \"]\": \"}\" } }\nand more\n<- {}", &["{ \"a\":\n     { \"]\": \"}\" } }"]),
            ("-> { \"a\"\n<- {}\n  -> { }", &["{ \"a\"", "{ }"]),
            ("-> { \"torn\n\n", &["{ \"torn\n"]),
            ("text\n<- {}", &[]),
        ] {
            assert_eq!(requests(&lines(example)), expected, "{example}");
        }
    }
}
