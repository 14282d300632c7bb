//! Looks up the members of an entry: its own, and those of the types that it includes.

use std::collections::{HashSet, VecDeque};

use super::Manual;
use super::entry::{Entry, Item, Member};

/// A member, and the entry that documents it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookupResult<'a> {
    /// The entry that was searched, or a type that it includes.
    pub entry: &'a Entry,
    pub member: &'a Member,
    /// For the member of a variant: the tag and its value.
    pub when: Option<(&'a str, &'a str)>,
}

impl Manual {
    /// Returns the members of `entry`: its own, then those of the types that it includes, nearest first. The members of a
    /// type that is included for several values are returned for the first of them.
    pub fn members<'a>(&'a self, entry: &'a Entry) -> Vec<LookupResult<'a>> {
        let mut results = Vec::new();
        let mut seen = HashSet::from([entry.name.as_str()]);
        let mut queue = VecDeque::from([(entry, None)]);
        while let Some((entry, when)) = queue.pop_front() {
            for item in entry.items() {
                match item {
                    Item::Member(member) => results.push(LookupResult { entry, member, when }),
                    Item::Include(include) => {
                        if let Some(included) = self.entry(&include.type_name)
                            && seen.insert(&included.name)
                        {
                            let own = include.when.as_ref().map(|(tag, value)| (tag.as_str(), value.as_str()));
                            queue.push_back((included, own.or(when)));
                        }
                    }
                    Item::Other(_) => {}
                }
            }
        }
        results
    }

    /// Returns the member at a dotted path, such as `driver` or `file.filename`, that begins at the entry `name`. Each part
    /// is a member of the type of the part before it. Array indices are skipped.
    pub fn member(&self, name: &str, path: &str) -> Option<LookupResult<'_>> {
        let mut entry = self.entry(name)?;
        let mut result = None;
        for part in path.split('.') {
            if result.is_some() && part.parse::<usize>().is_ok() {
                continue;
            }
            if let Some(parent) = result {
                entry = self.type_of(parent)?;
            }
            result = Some(self.member_named(entry, part)?);
        }
        result
    }

    /// Returns the member of `entry` with this name; for an alternate, also a member of one of its alternatives.
    fn member_named<'a>(&'a self, entry: &'a Entry, name: &str) -> Option<LookupResult<'a>> {
        let members = self.members(entry);
        let has_name = |result: &LookupResult<'a>| result.member.name == name;
        members.iter().copied().find(has_name).or_else(|| {
            members
                .iter()
                .filter(|_| entry.kind == super::EntryKind::Alternate)
                .filter_map(|alternative| self.type_of(*alternative))
                .find_map(|entry| self.members(entry).into_iter().find(has_name))
        })
    }

    /// Returns the entry of a member's type; for an array, of its element type.
    pub fn type_of(&self, result: LookupResult<'_>) -> Option<&Entry> {
        self.entry(result.member.type_text.trim_matches(['[', ']']))
    }
}
