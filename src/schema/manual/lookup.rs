//! Finds the members of an entry, its own and those of the types that it takes in.

use std::collections::{HashSet, VecDeque};

use super::Manual;
use super::entry::{Entry, Item, Member};

/// A member, and where it is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// The entry that describes it; not the one that was asked about, where that takes in the members of another.
    pub entry: &'a Entry,
    /// The member.
    pub member: &'a Member,
    /// The member and the value that it depends on, if it does.
    pub when: Option<(&'a str, &'a str)>,
}

impl Manual {
    /// The members of `entry`: first its own, then those of the types that it takes in, nearest first. Where it takes
    /// one in for several values, they are listed for the first of these.
    pub fn members<'a>(&'a self, entry: &'a Entry) -> Vec<Found<'a>> {
        let mut found = Vec::new();
        let mut seen = HashSet::from([entry.name.as_str()]);
        let mut waiting = VecDeque::from([(entry, None)]);
        while let Some((entry, when)) = waiting.pop_front() {
            for item in entry.items() {
                match item {
                    Item::Member(member) => found.push(Found { entry, member, when }),
                    Item::Include(include) => {
                        if let Some(of) = self.entry(&include.of)
                            && seen.insert(&of.name)
                        {
                            let own = include.when.as_ref().map(|(tag, value)| (tag.as_str(), value.as_str()));
                            waiting.push_back((of, own.or(when)));
                        }
                    }
                    Item::Other(_) => {}
                }
            }
        }
        found
    }

    /// The member at the end of `path`, as `driver` or `file.filename`, which begins at the entry `name`. Each step but
    /// the last leads on through its member's type; the numbers that count elements of a list are passed over.
    pub fn member(&self, name: &str, path: &str) -> Option<Found<'_>> {
        let mut entry = self.entry(name)?;
        let mut last = None;
        for step in path.split('.') {
            if last.is_some() && step.parse::<usize>().is_ok() {
                continue;
            }
            if let Some(found) = last.take() {
                entry = self.type_of(found)?;
            }
            last = Some(self.step(entry, step)?);
        }
        last
    }

    /// The member of that name of `entry`; of an alternate, that of one of its forms.
    fn step<'a>(&'a self, entry: &'a Entry, name: &str) -> Option<Found<'a>> {
        let members = self.members(entry);
        let named = |found: &Found<'a>| found.member.name == name;
        members.iter().copied().find(named).or_else(|| {
            members
                .iter()
                .filter(|_| entry.kind == super::EntryKind::Alternate)
                .filter_map(|form| self.type_of(*form))
                .find_map(|of| self.members(of).into_iter().find(named))
        })
    }

    /// The entry of a member's type, that of the elements for a list.
    pub fn type_of(&self, found: Found<'_>) -> Option<&Entry> {
        self.entry(found.member.type_text.trim_matches(['[', ']']))
    }
}
