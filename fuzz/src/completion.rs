//! Help with a line at every place of its cursor: candidates that fit where they stand, a hint on one row, token_styles in order.

use qmp_shell::assist::{
    Candidate, Completes, CompletionContext, DotCommandEntry, Name, NameKind, SettingEntry, complete_with, highlight,
    hint,
};
use qmp_shell::grammar::{LineMode, Unclosed, parse_json, tokenize};
use unicode_width::UnicodeWidthStr;

use super::{spans, strict, world};

/// Names as a server or a disk might have them.
const NAMES: &[&str] = &["disk0", "a b", "it's", "say \"x\"", "\\", "{x}", "[1", "é=ü", "#c", "$HOME", "a,b", "/x/y"];

/// Returns names of any kind, and files that begin with what is typed.
fn names(kind: &NameKind) -> Vec<Name> {
    let matches = |name: &&&str| !matches!(kind, NameKind::Files(typed) if !name.starts_with(typed));
    let description = if matches!(kind, NameKind::Files(_)) { "file" } else { "live" };
    NAMES.iter().filter(matches).map(|name| Name::new(*name, description)).collect()
}

/// So many places of a long line are looked at.
const PLACES: usize = 64;

/// The first byte chooses the language and whether a transaction is open; the rest is the line.
pub fn check(data: &[u8]) {
    let Some((choice, line)) = data.split_first() else { return };
    let Some(line) = strict::text(line) else { return };
    let hmp = ["info", "device_add"].map(|name| Name::new(name, "")).to_vec();
    let dot_commands = [
        ("events", Completes::EventFilter),
        ("fd", Completes::FileThenCommand),
        ("hmp", Completes::HmpLine),
        ("set", Completes::Settings),
        ("source", Completes::Files),
        ("help", Completes::Topics),
        ("wait", Completes::EventPattern),
        ("exit", Completes::Nothing),
    ];
    let dot_commands =
        dot_commands.map(|(name, completes)| DotCommandEntry { name, aliases: &[], summary: "", completes });
    let mut known = CompletionContext {
        language: if choice & 1 == 0 { LineMode::Qmp } else { LineMode::Hmp },
        in_transaction: choice & 2 != 0,
        schema: (choice & 4 == 0).then(world::schema),
        commands: vec!["query-status".to_owned()],
        hmp_commands: hmp.clone(),
        hmp_info: hmp,
        dot_commands: dot_commands.to_vec(),
        topics: vec![Name::new("line", "")],
        settings: vec![SettingEntry { name: "pager", help: "", values: vec!["on", "off"] }],
        events: vec!["STOP".to_owned()],
        ..CompletionContext::default()
    };
    check_looks(line, &known);
    let places: Vec<usize> = line.char_indices().map(|(at, _)| at).chain([line.len()]).collect();
    let step = places.len().div_ceil(PLACES);
    for place in places.iter().rev().step_by(step) {
        let typed = &line[..*place];
        check_hint(typed, &known);
        let found = complete_with(typed, &mut known, names);
        assert!(found.start <= typed.len() && typed.is_char_boundary(found.start));
        for candidate in &found.candidates {
            assert!(!candidate.text.is_empty(), "nothing is offered");
            if known.language == LineMode::Qmp {
                check_candidate(typed, found.start, candidate);
            }
        }
    }
}

fn last_row(text: &str) -> &str {
    text.rsplit_once('\n').map_or(text, |(_, last)| last)
}

/// A name that was offered is the name that is meant, once it stands in the line.
fn check_candidate(typed: &str, start: usize, candidate: &Candidate) {
    let is_of_shell = |line: &str| line.trim_start().starts_with('.');
    if candidate.description != "live" || is_of_shell(typed) || is_of_shell(last_row(typed)) {
        return;
    }
    let line = format!("{}{}", &typed[..start], candidate.text);
    let goes_on = candidate.text.ends_with('/');
    // Of several lines at once the last may be one by itself.
    let as_word = [line.as_str(), last_row(&line)].iter().filter_map(|line| tokenize(line).words.pop()).any(|word| {
        let value = word.value().trim_end_matches('/');
        // A name that is a number stands in JSON as it is.
        let as_number = word.open == Some(Unclosed::Bracket) && NAMES.contains(&candidate.text.as_str());
        NAMES.iter().any(|name| value.ends_with(name)) && (word.open.is_none() || goes_on) || as_number
    });
    let as_json = || {
        let closed = format!("{}{}", candidate.text, if goes_on { &candidate.text[..1] } else { "" });
        let text = parse_json(&closed, 0).ok().and_then(|(json, _)| json.as_str());
        text.is_some_and(|text| NAMES.contains(&text.trim_end_matches('/')))
    };
    assert!(as_word || as_json(), "{line:?} does not mean a name that was offered");
}

fn check_hint(typed: &str, known: &CompletionContext<'_>) {
    const ROOM: usize = 40;
    let Some(hint) = hint(typed, known, ROOM) else { return };
    assert!(!hint.is_empty() && hint.width() <= ROOM, "a hint of {} columns", hint.width());
    strict::harmless(&hint);
    assert!(!hint.contains(['\n', '\t']));
}

fn check_looks(line: &str, known: &CompletionContext<'_>) {
    let found = highlight(line, known);
    found.iter().for_each(|(span, _)| spans::inside(line, *span));
    spans::in_order(found.iter().map(|(span, _)| *span));
}
