//! Reads an item of a list of members: its name, type and conditions, in both layouts of the pages.

use super::entry::{Block, Include, Item, Member};
use super::text::{Face, Text};

/// The words of the newer pages for what nobody described.
const NOTHING_SAID: &str = "Not documented";

/// An item of the newer pages: one paragraph that names a member and says what it is, and what follows it.
///
/// ```text
/// NAME (TYPE, optional) -- words
/// The members of TYPE.
/// When TAG is VALUE: The members of TYPE.
/// ```
pub(super) fn from_bullet(mut body: Vec<Block>) -> Item {
    if !matches!(body.first(), Some(Block::Paragraph(_))) {
        return Item::Other(body);
    }
    match body.remove(0) {
        Block::Paragraph(text) => from_paragraph(text, body),
        _ => Item::Other(body),
    }
}

fn from_paragraph(text: Text, body: Vec<Block>) -> Item {
    let (plain, condition) = without_condition(&text.plain());
    if let Some(item) = include(&plain, condition.clone()) {
        return item;
    }
    let name = match text.spans().first() {
        Some(span) if span.face == Face::Bold => span.text.clone(),
        _ => return Item::Other(on_top(text, body)),
    };
    let rest = plain.get(name.len()..).unwrap_or_default();
    let (inside, behind) = match rest.strip_prefix(" (").and_then(|rest| closing(rest).map(|end| (rest, end))) {
        Some((rest, end)) => (&rest[..end], &rest[end + 1..]),
        None => ("", rest),
    };
    let said = match behind.strip_prefix(" -- ") {
        Some(said) => text.behind(plain.len() - said.len()),
        None if behind.trim().is_empty() || behind.trim() == "--" => Text::default(),
        None => return Item::Other(on_top(text, body)),
    };
    let said = if said.plain() == NOTHING_SAID { Text::default() } else { said };
    let (type_text, optional) = match inside.strip_suffix("optional") {
        Some(before) => (before.trim_end().trim_end_matches(','), true),
        None => (inside, false),
    };
    Item::Member(Member { name, type_text: type_text.to_owned(), optional, condition, body: on_top(said, body) })
}

/// An item of the older pages: a term, and what is said of it.
///
/// ```text
/// NAME: TYPE (optional) (If: CONDITION)
/// The members of TYPE when TAG is "VALUE" (If: CONDITION)
/// ```
pub(super) fn from_term(term: &Text, mut body: Vec<Block>) -> Item {
    let (plain, condition) = without_condition(&term.plain());
    if body.is_empty()
        && let Some(item) = include(&plain, condition.clone())
    {
        return item;
    }
    if matches!(body.as_slice(), [Block::Paragraph(text)] if text.plain() == NOTHING_SAID) {
        body.clear();
    }
    let (rest, optional) = match plain.strip_suffix(" (optional)") {
        Some(rest) => (rest, true),
        None => (plain.as_str(), false),
    };
    let (name, type_text) = rest.split_once(": ").unwrap_or((rest, ""));
    if name.is_empty() || name.contains(' ') {
        return Item::Other(with_first(term.clone(), body));
    }
    Item::Member(Member {
        name: name.to_owned(),
        type_text: match type_text.strip_prefix("array of ") {
            Some(of) => format!("[{of}]"),
            None => type_text.to_owned(),
        },
        optional,
        condition,
        body,
    })
}

/// `body` behind a paragraph of `text`.
fn on_top(text: Text, mut body: Vec<Block>) -> Vec<Block> {
    if !text.is_empty() {
        body.insert(0, Block::Paragraph(text));
    }
    body
}

/// `body` behind a paragraph of `text`, which joins the first paragraph there.
pub(super) fn with_first(mut text: Text, mut body: Vec<Block>) -> Vec<Block> {
    if text.is_empty() {
        return body;
    }
    if matches!(body.first(), Some(Block::Paragraph(_)))
        && let Block::Paragraph(more) = body.remove(0)
    {
        text.append(more);
    }
    body.insert(0, Block::Paragraph(text));
    body
}

/// The reference to another type's members that a text is.
fn include(plain: &str, condition: Option<String>) -> Option<Item> {
    const MEMBERS: &str = "The members of ";
    let plain = plain.trim_end_matches('.');
    let (of, when) = match plain.strip_prefix(MEMBERS) {
        Some(rest) => match rest.split_once(" when ") {
            Some((of, when)) => (of, Some(when.split_once(" is ")?)),
            None => (rest, None),
        },
        None => {
            let (when, of) = plain.strip_prefix("When ")?.split_once(": ")?;
            (of.strip_prefix(MEMBERS)?, Some(when.split_once(" is ")?))
        }
    };
    if of.contains(' ') {
        return None;
    }
    Some(Item::Include(Include {
        of: of.to_owned(),
        when: when.map(|(tag, value)| (tag.to_owned(), value.trim_matches('"').to_owned())),
        condition,
    }))
}

/// A text without the ` (If: …)` at its end, and what stands in it.
fn without_condition(plain: &str) -> (String, Option<String>) {
    match plain.strip_suffix(')').and_then(|rest| rest.rsplit_once(" (If: ")) {
        Some((rest, condition)) => (rest.to_owned(), Some(condition.trim().to_owned())),
        None => (plain.to_owned(), None),
    }
}

/// Where the bracket that is open before `text` is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 0 => return Some(at),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::escape::text;
    use super::*;

    /// An item in a few words.
    fn shown(item: &Item) -> String {
        match item {
            Item::Member(member) => format!(
                "{}|{}{}|{}|{}",
                member.name,
                member.type_text,
                if member.optional { "?" } else { "" },
                member.condition.as_deref().unwrap_or_default(),
                words(&member.body)
            ),
            Item::Include(include) => format!("{include:?}"),
            Item::Other(body) => format!("other {}", words(body)),
        }
    }

    fn words(body: &[Block]) -> String {
        match body {
            [] => String::new(),
            [Block::Paragraph(text)] => text.plain(),
            _ => "more".to_owned(),
        }
    }

    #[test]
    fn bullets_of_the_newer_pages_are_read() {
        for (raw, expected) in [
            ("\\fBa\\-b\\fP (\\fBstring\\fP) \\-\\- words", "a-b|string||words"),
            ("\\fBa\\fP (\\fB[\\fP\\fI\\%T\\fP\\fB]\\fP, \\fIoptional\\fP) \\-\\- w", "a|[T]?||w"),
            ("\\fBon\\fP \\-\\- words (if so)", "on|||words (if so)"),
            ("\\fBon\\fP \\-\\- Not documented", "on|||"),
            ("\\fBa\\fP (\\fBint\\fP)", "a|int||"),
            ("words \\fBa\\fP", "other words a"),
            ("\\fBa\\fP and words", "other a and words"),
        ] {
            assert_eq!(shown(&from_bullet(vec![Block::Paragraph(text(raw))])), expected, "{raw}");
        }
    }

    #[test]
    fn terms_of_the_older_pages_are_read() {
        for (raw, expected) in [
            ("\\fBa\\-b\\fP: \\fBstring\\fP (optional)", "a-b|string?||w"),
            ("\\fBa\\fP: \\fBarray of T\\fP (\\fBIf: \\fP\\fBCONFIG_X\\fP)", "a|[T]|CONFIG_X|w"),
            ("\\fBon\\fP", "on|||w"),
            ("two words", "other two words w"),
        ] {
            let body = vec![Block::Paragraph(text("w"))];
            assert_eq!(shown(&from_term(&text(raw), body)), expected, "{raw}");
        }
    }

    #[test]
    fn other_types_members_are_known_in_both() {
        let include = |when: Option<(&str, &str)>, condition: Option<&str>| {
            Item::Include(Include {
                of: "T".to_owned(),
                when: when.map(|(tag, value)| (tag.to_owned(), value.to_owned())),
                condition: condition.map(str::to_owned),
            })
        };
        let newer = |raw: &str| from_bullet(vec![Block::Paragraph(text(raw))]);
        let older = |raw: &str| from_term(&text(raw), Vec::new());
        assert_eq!(newer("The members of \\fI\\%T\\fP\\&."), include(None, None));
        assert_eq!(
            newer("When \\fBk\\fP is \\fBv\\-w\\fP: The members of \\fI\\%T\\fP\\&."),
            include(Some(("k", "v-w")), None)
        );
        assert_eq!(older("The members of \\fBT\\fP"), include(None, None));
        assert_eq!(
            older("The members of \\fBT\\fP when \\fBk\\fP is \\fB\\(dqv\\(dq\\fP (\\fBIf: \\fP\\fBC\\fP)"),
            include(Some(("k", "v")), Some("C"))
        );
    }
}
