//! Searches entries by the words in them.

use super::Manual;
use super::entry::{Block, Entry, EntryKind, Item, visit_blocks};
use super::text::sentences;

/// An entry that contains the word of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit<'a> {
    pub entry: &'a Entry,
    /// The sentence with the word, preceded by the name of the member that it describes, if any. If only the entry's
    /// name contains the word, the entry's summary.
    pub sentence: String,
}

/// The half ranks by which types come later: the type `MirrorSyncMode` after the command `drive-mirror`.
const TYPE_PENALTY: usize = 3;

/// The rank of a hit by where the word was found, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    WholeName,
    NameStart,
    Name,
    Summary,
    Member,
    Prose,
}

impl Manual {
    /// Returns the entries whose name, members or prose contain `word`, ignoring case and the difference between `_` and
    /// `-`. They are sorted by rank. Commands and events come before types whose rank is a little better.
    pub fn search(&self, word: &str) -> Vec<Hit<'_>> {
        let word = folded(word.trim());
        if word.is_empty() {
            return Vec::new();
        }
        let mut hits: Vec<(Rank, Hit<'_>)> = self.entries().iter().filter_map(|entry| hit(entry, &word)).collect();
        hits.sort_by_key(|(rank, hit)| {
            let is_type = !matches!(hit.entry.kind, EntryKind::Command | EntryKind::Event);
            2 * (*rank as usize) + if is_type { TYPE_PENALTY } else { 0 }
        });
        hits.into_iter().map(|(_, hit)| hit).collect()
    }
}

/// Returns `text` in lower case, with hyphens instead of underscores.
fn folded(text: &str) -> String {
    text.to_lowercase().replace('_', "-")
}

fn hit<'a>(entry: &'a Entry, word: &str) -> Option<(Rank, Hit<'a>)> {
    let summary = entry.summary();
    let name = folded(&entry.name);
    let rank = match name.find(word) {
        Some(0) if name.len() == word.len() => Some(Rank::WholeName),
        Some(0) => Some(Rank::NameStart),
        Some(_) => Some(Rank::Name),
        None if folded(&summary).contains(word) => Some(Rank::Summary),
        None => None,
    };
    if let Some(rank) = rank {
        return Some((rank, Hit { entry, sentence: summary }));
    }
    entry.items().find_map(|item| member_hit(entry, item, word)).or_else(|| {
        let sentence = first_sentence_with(&entry.body, word)?;
        Some((Rank::Prose, Hit { entry, sentence }))
    })
}

/// Returns the hit for a member that has `word` in its name or its documentation.
fn member_hit<'a>(entry: &'a Entry, item: &'a Item, word: &str) -> Option<(Rank, Hit<'a>)> {
    let Item::Member(member) = item else {
        return None;
    };
    let is_in_name = folded(&member.name).contains(word);
    let sentence = match first_sentence_with(&member.body, word) {
        None if is_in_name => first_sentence_with(&member.body, "").unwrap_or_default(),
        sentence => sentence?,
    };
    let rank = if is_in_name { Rank::Member } else { Rank::Prose };
    let sentence = match sentence.as_str() {
        "" => member.name.clone(),
        sentence => format!("{}: {sentence}", member.name),
    };
    Some((rank, Hit { entry, sentence }))
}

/// Returns the first sentence in `blocks` that contains `word`.
fn first_sentence_with(blocks: &[Block], word: &str) -> Option<String> {
    let mut first = None;
    visit_blocks(blocks, &mut |block| {
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
