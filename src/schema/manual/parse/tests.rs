//! Tests with a small page in each layout.

use crate::schema::manual::{Block, EntryKind, Item, Manual, Text};

/// A page in the layout of QEMU 10.0.
pub(in super::super) const NEWER: &str = include_str!("newer.7");

/// The same entries in the layout of QEMU 7.2.
pub(in super::super) const OLDER: &str = include_str!("older.7");

/// Returns a short form of an entry's body.
fn summary(blocks: &[Block]) -> String {
    let blocks: Vec<String> = blocks.iter().map(block).collect();
    blocks.join(" / ")
}

fn block(block: &Block) -> String {
    match block {
        Block::Paragraph(text) => text.plain(),
        Block::Members(members) => {
            let items: Vec<String> = members.items.iter().map(item).collect();
            format!("{}[{}]", members.title, items.join("; "))
        }
        Block::Section { title, body } => format!("{title}({})", summary(body)),
        Block::List(items) => {
            let items: Vec<String> = items.iter().map(|item| item.mark.clone() + &summary(&item.body)).collect();
            items.join(" ")
        }
        Block::Verbatim(lines) => format!("{} lines", lines.len()),
        Block::Table(rows) => {
            let rows: Vec<String> =
                rows.iter().map(|row| row.iter().map(Text::plain).collect::<Vec<_>>().join("|")).collect();
            rows.join(" ")
        }
        Block::Quote(body) => format!("\"{}\"", summary(body)),
    }
}

fn item(item: &Item) -> String {
    match item {
        Item::Member(member) => {
            let optional = if member.optional { "?" } else { "" };
            let condition = member.condition.as_deref().map(|c| format!("@{c}")).unwrap_or_default();
            format!("{}:{}{optional}{condition} {}", member.name, member.type_text, summary(&member.body))
        }
        Item::Include(include) => {
            let when = include.when.as_ref().map(|(tag, value)| format!(" {tag}={value}"));
            let condition = include.condition.as_deref().map(|c| format!("@{c}")).unwrap_or_default();
            format!("+{}{}{condition}", include.type_name, when.unwrap_or_default())
        }
        Item::Other(body) => summary(body),
    }
}

/// An entry: kind, name, since, condition, body.
type Expected<'a> = (EntryKind, &'a str, Option<&'a str>, Option<&'a str>, &'a str);

#[track_caller]
fn check(page: &str, expected: &[Expected<'_>]) {
    let manual = Manual::parse(page);
    let found: Vec<_> = manual
        .entries()
        .iter()
        .map(|entry| {
            let body = summary(&entry.body);
            (entry.kind, entry.name.clone(), entry.since.clone(), entry.condition.clone(), body)
        })
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(kind, name, since, condition, body)| {
            let owned = |text: &Option<&str>| text.map(str::to_owned);
            (*kind, (*name).to_owned(), owned(since), owned(condition), (*body).to_owned())
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn parses_the_newer_layout() {
    check(
        NEWER,
        &[
            (
                EntryKind::Command,
                "thing-add",
                Some("2.9"),
                Some("CONFIG_THING"),
                "Adds a thing. See THING_GONE. / \
                 Arguments[id:string what to call it. / More of it: / •short •unique; +ThingOptions] / \
                 Features[unstable: It is new.] / Returns([ThingKind] -- all kinds) / \
                 Errors(•If there is no room, NoRoom) / Note(Mind the id.) / Example(3 lines)",
            ),
            (EntryKind::Event, "THING_GONE", Some("2.10; sometimes later"), None, "Says that a thing is gone."),
            (
                EntryKind::Object,
                "ThingOptions",
                None,
                Some("CONFIG_A or CONFIG_B"),
                "Members[kind:ThingKind? of which kind; +ThingRound kind=round]",
            ),
            (EntryKind::Enum, "ThingKind", Some("2.9"), None, "Values[round: has no corners; square: ; flat: ]"),
            (
                EntryKind::Object,
                "ThingRound",
                Some("2.9"),
                None,
                "A round one. / Members[radius:int from the middle] / Which go together(a|b yes|no)",
            ),
        ],
    );
}

#[test]
fn parses_the_older_layout() {
    check(
        OLDER,
        &[
            (
                EntryKind::Command,
                "thing-add",
                Some("2.9"),
                Some("CONFIG_THING"),
                "Adds a thing. See THING_GONE. / \
                 Arguments[id:string what to call it. / More of it: / •short •unique; +ThingOptions] / \
                 Features[unstable: It is new.] / Returns(list of ThingKind / •If there is no room, NoRoom) / \
                 Note(Mind the id.) / Example(3 lines)",
            ),
            (EntryKind::Event, "THING_GONE", Some("2.10"), None, "Says that a thing is gone. / Since(sometimes later)"),
            (
                EntryKind::Object,
                "ThingOptions",
                None,
                Some("CONFIG_A or CONFIG_B"),
                "Members[kind:ThingKind? of which kind; +ThingRound kind=round@CONFIG_ROUND] / More depends on the kind.",
            ),
            (
                EntryKind::Enum,
                "ThingKind",
                Some("2.9"),
                None,
                "Values[round: has no corners; square: ; flat:@CONFIG_FLAT ]",
            ),
            (
                EntryKind::Object,
                "ThingRound",
                Some("2.9"),
                None,
                "A round one. / Members[radius:int from the middle, which is / where all meet] / \
                 Which go together(a|b yes|no)",
            ),
        ],
    );
}
