//! The types that completion takes and returns.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::grammar::{DotTail, Language, SplitRules};
use crate::schema::Schema;
use crate::schema::manual::Manual;

use super::matching::Matching;
use super::name_kind::NameKind;

/// The information that completion, hints and highlighting use besides the line itself.
#[derive(Debug, Default)]
pub struct CompletionContext<'a> {
    pub language: Language,
    /// Whether the line is in a transaction block.
    pub in_transaction: bool,
    pub schema: Option<&'a Schema>,
    /// The manual, whose sentences describe commands.
    pub manual: Option<&'a Manual>,
    /// Whether lines that contradict introspection are accepted.
    pub accepts_invalid: bool,
    /// The names that have been fetched from the running server or the file system.
    pub names: Names,
    /// QMP commands, for a server without introspection.
    pub commands: Vec<String>,
    /// Commands of the human monitor.
    pub hmp_commands: Vec<Name>,
    /// Subcommands of the human monitor's `info`.
    pub hmp_info: Vec<Name>,
    pub dot_commands: Vec<DotCommandEntry>,
    /// Help topics that are not commands.
    pub topics: Vec<Name>,
    pub settings: Vec<SettingEntry>,
    /// The user's own commands, with their lines.
    pub aliases: Vec<Name>,
    /// The servers, if there are several, with their addresses.
    pub servers: Vec<Name>,
    /// Names of events received so far.
    pub events: Vec<String>,
    /// The command whose reply a filter without a command takes.
    pub last_command: Option<String>,
}

impl CompletionContext<'_> {
    /// Calls `f` with the rules by which lines are split. After a `|` in a line for the human monitor, every word counts
    /// as a program.
    pub(super) fn with_split_rules<T>(&self, f: impl FnOnce(&SplitRules<'_>) -> T) -> T {
        let dot_tail = |name: &str| self.dot_command(name).map_or(DotTail::Words, |command| command.tail);
        f(&SplitRules { language: self.language, dot_tail: &dot_tail, is_program: &|_| true })
    }

    /// Returns the dot command with this name, or else the only one whose name begins like this.
    pub(super) fn dot_command(&self, name: &str) -> Option<&DotCommandEntry> {
        let exact = |entry: &&DotCommandEntry| entry.name == name || entry.aliases.contains(&name);
        self.dot_commands.iter().find(exact).or_else(|| {
            let mut similar = self.dot_commands.iter().filter(|entry| !name.is_empty() && entry.name.starts_with(name));
            similar.next().filter(|_| similar.next().is_none())
        })
    }
}

/// The properties of a dot command that completion needs.
#[derive(Debug, Clone)]
pub struct DotCommandEntry {
    /// The name without its dot.
    pub name: &'static str,
    /// Other names, which are not offered.
    pub aliases: &'static [&'static str],
    pub summary: &'static str,
    pub completes: Completes,
    /// The meaning of `|`, `>` and `;` after it.
    pub tail: DotTail,
}

/// A setting of `.set`.
#[derive(Debug, Clone)]
pub struct SettingEntry {
    pub name: &'static str,
    pub help: &'static str,
    /// Values to offer, with their descriptions.
    pub values: Vec<(&'static str, &'static str)>,
}

/// The completion of a dot command's arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completes {
    Nothing,
    Files,
    /// The address of a server: one that runs on this machine, or a socket.
    Addresses,
    /// A file, perhaps after one of these words, then a QMP command.
    FileThenCommand(&'static [(&'static str, &'static str)]),
    /// The forms of `.events`, then event names.
    EventFilter,
    /// An event, then the keys and values of its data; or a job or the migration.
    Wait,
    /// Jobs, `migration` and `all`.
    JobsAndMigration,
    /// A line for the human monitor.
    HmpLine,
    /// A line for either monitor.
    AnyLine,
    /// A line of the current language, or a dot command, perhaps after a number.
    Line,
    /// A command and conditions on what it returns, among them words with these keys, or a filter.
    Question(&'static [(&'static str, &'static str)]),
    /// A name of `.alias`.
    Aliases,
    /// A setting, then its values.
    Settings,
    Topics,
    /// The name of a server.
    Servers,
    /// One of these topics of `.show`, then its argument.
    Views(&'static [(&'static str, &'static str)]),
}

/// A name and a short description, which may be empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    pub text: String,
    pub description: String,
}

impl Name {
    pub fn new(text: impl Into<String>, description: impl Into<String>) -> Name {
        Name { text: text.into(), description: description.into() }
    }
}

/// The names that have been fetched, by kind.
#[derive(Debug, Clone, Default)]
pub struct Names {
    by_kind: HashMap<NameKind, Vec<Name>>,
}

impl Names {
    pub fn insert(&mut self, kind: NameKind, names: Vec<Name>) {
        self.by_kind.insert(kind, names);
    }
}

/// A lookup of names that records the kinds that have not been fetched.
pub(super) struct Lookup<'a> {
    /// The way in which offered names match what is typed.
    pub(super) matching: Matching,
    names: &'a Names,
    missing: RefCell<Vec<NameKind>>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(names: &'a Names, matching: Matching) -> Lookup<'a> {
        Lookup { matching, names, missing: RefCell::default() }
    }

    /// Returns the names of a kind. If they have not been fetched, records the kind and returns none.
    pub(super) fn get(&self, kind: &NameKind) -> &'a [Name] {
        match self.names.by_kind.get(kind) {
            Some(names) => names,
            None => {
                let mut missing = self.missing.borrow_mut();
                if !missing.contains(kind) {
                    missing.push(kind.clone());
                }
                &[]
            }
        }
    }

    pub(super) fn into_missing(self) -> Vec<NameKind> {
        self.missing.into_inner()
    }
}

/// One candidate of a completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The text that replaces the one being completed.
    pub text: String,
    /// May be empty.
    pub description: String,
}

impl Candidate {
    pub(super) fn new(text: impl Into<String>, description: impl Into<String>) -> Candidate {
        Candidate { text: text.into(), description: description.into() }
    }
}

/// The candidates at the end of a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completion {
    /// The byte offset of the text that a candidate replaces; that text ends at the cursor.
    pub start: usize,
    pub candidates: Vec<Candidate>,
    /// Kinds of names that were looked up but are not in the context. With them, there may be more candidates.
    pub missing: Vec<NameKind>,
}

impl Completion {
    /// Offers those of `names` that match `typed`, in place of the text from `start` on.
    pub(super) fn of_names<'n>(
        typed: &str,
        matching: Matching,
        start: usize,
        names: impl IntoIterator<Item = (&'n str, &'n str)>,
    ) -> Completion {
        let matching = names.into_iter().filter(|(name, _)| matching.accepts(name, typed));
        let candidates = matching.map(|(name, description)| Candidate::new(name, description)).collect();
        Completion { start, candidates, missing: Vec::new() }
    }
}
