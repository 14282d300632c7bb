//! The reference manual that is installed with QEMU: what a command, an event or a type is for, in its own words.
//!
//! Introspection says what may be sent; only the manual pages say what it does. A page is read from roff text into
//! [`Entry`]s, which are found by name, by member and by the words in them, and set to a width as styled lines.
//! Reading never fails: what is not understood is passed over. Both layouts are known, that of QEMU 7.2 and that of
//! 10.0. Files are read in [`disk`] alone; the terminal is `render`'s.

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
pub use lookup::Found;
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
    /// Reads a page. What is no page has no entries.
    pub fn parse(roff: &str) -> Manual {
        let (header, nodes) = roff::page(roff);
        let entries = parse::entries(nodes);
        let mut by_name = HashMap::with_capacity(entries.len());
        for (at, entry) in entries.iter().enumerate() {
            by_name.entry(entry.name.clone()).or_insert(at);
        }
        Manual { version: header.into_iter().nth(3).filter(|version| !version.is_empty()), entries, by_name }
    }

    /// The version of QEMU that the page came with: `10.0.2`.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Its entries, in the page's order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of that name, spelled exactly so.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(*self.by_name.get(name)?)
    }
}

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Counts a step of the reader, for the test that their number grows as the page does.
#[inline]
fn tick() {
    #[cfg(test)]
    STEPS.set(STEPS.get() + 1);
}

#[cfg(test)]
mod tests;
