//! Parses an item of a list of members: its name, type and conditions, in both page layouts.

use super::entry::{Block, Include, Item, Member};
use super::text::{Face, Text};

/// The text of pages about members without documentation.
const NOT_DOCUMENTED: &str = "Not documented";

/// Parses an item of the newer pages: a paragraph with the name, type and documentation of a member, and what follows it.
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
    let (plain, condition) = split_condition(&text.plain());
    if let Some(item) = parse_include(&plain, condition.clone()) {
        return item;
    }
    let name = match text.spans().first() {
        Some(span) if span.face == Face::Bold => span.text.clone(),
        _ => return Item::Other(prepend_paragraph(text, body)),
    };
    let rest = plain.get(name.len()..).unwrap_or_default();
    let (in_parentheses, after) =
        match rest.strip_prefix(" (").and_then(|rest| closing_parenthesis(rest).map(|end| (rest, end))) {
            Some((rest, end)) => (&rest[..end], &rest[end + 1..]),
            None => ("", rest),
        };
    let documentation = match after.strip_prefix(" -- ") {
        Some(documentation) => text.after(plain.len() - documentation.len()),
        None if after.trim().is_empty() || after.trim() == "--" => Text::default(),
        None => return Item::Other(prepend_paragraph(text, body)),
    };
    let documentation = if documentation.plain() == NOT_DOCUMENTED { Text::default() } else { documentation };
    let (type_text, optional) = match in_parentheses.strip_suffix("optional") {
        Some(before) => (before.trim_end().trim_end_matches(','), true),
        None => (in_parentheses, false),
    };
    let body = prepend_paragraph(documentation, body);
    Item::Member(Member { name, type_text: type_text.to_owned(), optional, condition, body })
}

/// Parses an item of the older pages: a term, and its documentation.
///
/// ```text
/// NAME: TYPE (optional) (If: CONDITION)
/// The members of TYPE when TAG is "VALUE" (If: CONDITION)
/// ```
pub(super) fn from_term(term: &Text, mut body: Vec<Block>) -> Item {
    let (plain, condition) = split_condition(&term.plain());
    if body.is_empty()
        && let Some(item) = parse_include(&plain, condition.clone())
    {
        return item;
    }
    if matches!(body.as_slice(), [Block::Paragraph(text)] if text.plain() == NOT_DOCUMENTED) {
        body.clear();
    }
    let (rest, optional) = match plain.strip_suffix(" (optional)") {
        Some(rest) => (rest, true),
        None => (plain.as_str(), false),
    };
    let (name, type_text) = rest.split_once(": ").unwrap_or((rest, ""));
    if name.is_empty() || name.contains(' ') {
        return Item::Other(join_first_paragraph(term.clone(), body));
    }
    Item::Member(Member {
        name: name.to_owned(),
        type_text: match type_text.strip_prefix("array of ") {
            Some(element) => format!("[{element}]"),
            None => type_text.to_owned(),
        },
        optional,
        condition,
        body,
    })
}

/// Puts `text` as a paragraph of its own before `body`.
fn prepend_paragraph(text: Text, mut body: Vec<Block>) -> Vec<Block> {
    if !text.is_empty() {
        body.insert(0, Block::Paragraph(text));
    }
    body
}

/// Puts `text` before `body`, in the first paragraph if `body` begins with one.
pub(super) fn join_first_paragraph(mut text: Text, mut body: Vec<Block>) -> Vec<Block> {
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

/// Parses a reference to the members of another type.
fn parse_include(plain: &str, condition: Option<String>) -> Option<Item> {
    const MEMBERS: &str = "The members of ";
    let plain = plain.trim_end_matches('.');
    let (type_name, when) = match plain.strip_prefix(MEMBERS) {
        Some(rest) => match rest.split_once(" when ") {
            Some((type_name, when)) => (type_name, Some(when.split_once(" is ")?)),
            None => (rest, None),
        },
        None => {
            let (when, members) = plain.strip_prefix("When ")?.split_once(": ")?;
            (members.strip_prefix(MEMBERS)?, Some(when.split_once(" is ")?))
        }
    };
    if type_name.contains(' ') {
        return None;
    }
    Some(Item::Include(Include {
        type_name: type_name.to_owned(),
        when: when.map(|(tag, value)| (tag.to_owned(), value.trim_matches('"').to_owned())),
        condition,
    }))
}

/// Splits off a condition ` (If: …)` at the end.
fn split_condition(plain: &str) -> (String, Option<String>) {
    match plain.strip_suffix(')').and_then(|rest| rest.rsplit_once(" (If: ")) {
        Some((rest, condition)) => (rest.to_owned(), Some(condition.trim().to_owned())),
        None => (plain.to_owned(), None),
    }
}

/// Finds the parenthesis that closes one opened before `text`.
fn closing_parenthesis(text: &str) -> Option<usize> {
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
    use super::super::escape::unescape_text as text;
    use super::*;

    /// Returns a short form of an item.
    fn summary(item: &Item) -> String {
        match item {
            Item::Member(member) => format!(
                "{}|{}{}|{}|{}",
                member.name,
                member.type_text,
                if member.optional { "?" } else { "" },
                member.condition.as_deref().unwrap_or_default(),
                documentation(&member.body)
            ),
            Item::Include(include) => format!("{include:?}"),
            Item::Other(body) => format!("other {}", documentation(body)),
        }
    }

    fn documentation(body: &[Block]) -> String {
        match body {
            [] => String::new(),
            [Block::Paragraph(text)] => text.plain(),
            _ => "more".to_owned(),
        }
    }

    #[test]
    fn parses_bullets_of_newer_pages() {
        for (raw, expected) in [
            ("\\fBa\\-b\\fP (\\fBstring\\fP) \\-\\- words", "a-b|string||words"),
            ("\\fBa\\fP (\\fB[\\fP\\fI\\%T\\fP\\fB]\\fP, \\fIoptional\\fP) \\-\\- w", "a|[T]?||w"),
            ("\\fBon\\fP \\-\\- words (if so)", "on|||words (if so)"),
            ("\\fBon\\fP \\-\\- Not documented", "on|||"),
            ("\\fBa\\fP (\\fBint\\fP)", "a|int||"),
            ("words \\fBa\\fP", "other words a"),
            ("\\fBa\\fP and words", "other a and words"),
        ] {
            assert_eq!(summary(&from_bullet(vec![Block::Paragraph(text(raw))])), expected, "{raw}");
        }
    }

    #[test]
    fn parses_terms_of_older_pages() {
        for (raw, expected) in [
            ("\\fBa\\-b\\fP: \\fBstring\\fP (optional)", "a-b|string?||w"),
            ("\\fBa\\fP: \\fBarray of T\\fP (\\fBIf: \\fP\\fBCONFIG_X\\fP)", "a|[T]|CONFIG_X|w"),
            ("\\fBon\\fP", "on|||w"),
            ("two words", "other two words w"),
        ] {
            let body = vec![Block::Paragraph(text("w"))];
            assert_eq!(summary(&from_term(&text(raw), body)), expected, "{raw}");
        }
    }

    #[test]
    fn parses_includes_of_both_layouts() {
        let include = |when: Option<(&str, &str)>, condition: Option<&str>| {
            Item::Include(Include {
                type_name: "T".to_owned(),
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
