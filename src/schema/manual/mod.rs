//! The reference manual that is installed with QEMU: documentation of commands, events and types.
//!
//! Introspection lists what can be sent; only the manual pages say what it does. A page is parsed from roff text into
//! [`Entry`]s, which are found by name, by member and by words, and laid out as styled lines. Parsing never fails: it
//! skips what it does not understand. Knows the page layouts of QEMU 7.2 and of QEMU 10.0. Only [`man_path`] reads
//! files. Must not know about the terminal.

mod entry;
mod escape;
mod layout;
mod lookup;
pub mod man_path;
mod member;
mod parse;
mod roff;
mod search;
mod style;
mod table;
mod text;

use std::collections::HashMap;

pub use entry::{Block, Entry, EntryKind, Include, Item, ListItem, Member, Members};
pub use lookup::LookupResult;
pub use search::Hit;
pub use style::{Line, Role, Run};
pub use text::{Face, Span, Text};

/// A page of the reference manual.
#[derive(Debug, Clone, Default)]
pub struct Manual {
    version: Option<String>,
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
}

impl Manual {
    /// Parses a page. Text that is not a page has no entries.
    pub fn parse(roff: &str) -> Manual {
        let (header, nodes) = roff::parse_page(roff);
        let entries = parse::parse_entries(nodes);
        let mut by_name = HashMap::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            by_name.entry(entry.name.clone()).or_insert(index);
        }
        Manual { version: header.into_iter().nth(3).filter(|version| !version.is_empty()), entries, by_name }
    }

    /// Returns the version of QEMU that the page belongs to, such as `10.0.2`.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Returns the entries in the page's order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the first entry with exactly this name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(*self.by_name.get(name)?)
    }
}

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Counts a step of the parser, for the test that the number of steps grows linearly.
#[inline]
fn count_step() {
    #[cfg(test)]
    STEPS.set(STEPS.get() + 1);
}

#[cfg(test)]
mod tests;
