//! Finds entries by the words in them.

use super::Manual;
use super::entry::{Block, Entry, EntryKind, Item, walk};

/// An entry in which a word was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// The sentence that has the word, behind the name of the member that it is about, if it is about one; where only
    /// the entry's name has it, the entry's first sentence.
    pub sentence: String,
}

/// Where a word was found, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    WholeName,
    NameStart,
    Name,
    Summary,
    Member,
    Prose,
}

impl Manual {
    /// The entries whose name, members or prose have `word`, in either case; `_` is as good as `-`. Those with it in
    /// their name come first, then those with it in their first sentence; of entries as good as each other commands and
    /// events stand before types, and else they keep the page's order.
    pub fn search(&self, word: &str) -> Vec<Hit<'_>> {
        let word = folded(word.trim());
        if word.is_empty() {
            return Vec::new();
        }
        let mut hits: Vec<(Place, Hit<'_>)> = self.entries().iter().filter_map(|entry| hit(entry, &word)).collect();
        hits.sort_by_key(|(place, hit)| {
            let is_type = !matches!(hit.entry.kind, EntryKind::Command | EntryKind::Event);
            (*place, is_type)
        });
        hits.into_iter().map(|(_, hit)| hit).collect()
    }
}

/// Case and the two dashes do not matter.
fn folded(text: &str) -> String {
    text.to_lowercase().replace('_', "-")
}

fn hit<'a>(entry: &'a Entry, word: &str) -> Option<(Place, Hit<'a>)> {
    let summary = entry.summary();
    let name = folded(&entry.name);
    let place = match name.find(word) {
        Some(0) if name.len() == word.len() => Some(Place::WholeName),
        Some(0) => Some(Place::NameStart),
        Some(_) => Some(Place::Name),
        None if folded(&summary).contains(word) => Some(Place::Summary),
        None => None,
    };
    if let Some(place) = place {
        return Some((place, Hit { entry, sentence: summary }));
    }
    entry.items().find_map(|item| in_member(entry, item, word)).or_else(|| {
        let sentence = first_with(&entry.body, word)?;
        Some((Place::Prose, Hit { entry, sentence }))
    })
}

/// The member that has `word` in its name or in what is said of it; its name comes before the sentence.
fn in_member<'a>(entry: &'a Entry, item: &'a Item, word: &str) -> Option<(Place, Hit<'a>)> {
    let Item::Member(member) = item else {
        return None;
    };
    let by_name = folded(&member.name).contains(word);
    let sentence = match first_with(&member.body, word) {
        None if by_name => first_with(&member.body, "").unwrap_or_default(),
        sentence => sentence?,
    };
    let place = if by_name { Place::Member } else { Place::Prose };
    let sentence = match sentence.as_str() {
        "" => member.name.clone(),
        sentence => format!("{}: {sentence}", member.name),
    };
    Some((place, Hit { entry, sentence }))
}

/// The first sentence in `blocks` that has `word`.
fn first_with(blocks: &[Block], word: &str) -> Option<String> {
    let mut first = None;
    walk(blocks, &mut |block| {
        if let Block::Paragraph(text) = block
            && first.is_none()
        {
            let plain = text.plain();
            let mut sentences = sentences(&plain);
            first = sentences.find(|sentence| folded(sentence).contains(word)).map(str::to_owned);
        }
    });
    first
}

/// The sentences of a paragraph: one ends at a point that a blank and a capital follow.
pub(super) fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest
            .match_indices(['.', '!', '?'])
            .map(|(at, _)| at + 1)
            .find(|at| {
                let mut behind = rest[*at..].chars();
                behind.next() == Some(' ') && behind.next().is_some_and(|c| !c.is_lowercase())
            })
            .unwrap_or(rest.len());
        let sentence = &rest[..end];
        rest = rest[end..].trim_start();
        Some(sentence)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_a_capital_follows() {
        let found: Vec<&str> = sentences("One, e.g. this. Two 1.5 times! Three").collect();
        assert_eq!(found, ["One, e.g. this.", "Two 1.5 times!", "Three"]);
        assert_eq!(sentences("").count(), 0);
    }
}
