//! Help while a line is typed, at every position of the cursor: candidates with a valid place, a hint on one row, styles in
//! order.

use qmp_shell::assist::{
    Candidate, Completes, CompletionContext, DotCommandEntry, Name, NameKind, SettingEntry, complete_loosely,
    complete_with, highlight, hint,
};
use qmp_shell::grammar::{DotTail, Language, Unclosed, parse_json, tokenize};
use unicode_width::UnicodeWidthStr;

use super::{assertions, introspection, spans};

/// Names of nodes, devices and files that need quoting.
const NAMES: &[&str] = &["disk0", "a b", "it's", "say \"x\"", "\\", "{x}", "[1", "é=ü", "#c", "$HOME", "a,b", "/x/y"];

/// Returns names of any kind, and files that begin with what is typed.
fn names(kind: &NameKind) -> Vec<Name> {
    let matches = |name: &&&str| !matches!(kind, NameKind::Files(typed) if !name.starts_with(typed));
    let description = if matches!(kind, NameKind::Files(_)) { "file" } else { "live" };
    NAMES.iter().filter(matches).map(|name| Name::new(*name, description)).collect()
}

/// The maximum number of positions that are checked in a line.
const MAX_POSITIONS: usize = 64;

/// The first byte of the input selects the language and whether a transaction is open; the rest is the line.
pub fn check(data: &[u8]) {
    let Some((choice, line)) = data.split_first() else { return };
    let Some(line) = assertions::text(line) else { return };
    let hmp = ["info", "device_add"].map(|name| Name::new(name, "")).to_vec();
    let dot_commands = [
        ("events", Completes::EventFilter),
        ("fd", Completes::FileThenCommand(&[("read-only", "")])),
        ("hmp", Completes::HmpLine),
        ("set", Completes::Settings),
        ("source", Completes::Files),
        ("help", Completes::Topics),
        ("wait", Completes::Wait),
        ("exit", Completes::Nothing),
    ];
    let dot_commands = dot_commands.map(|(name, completes)| DotCommandEntry {
        name,
        aliases: &[],
        summary: "",
        completes,
        tail: DotTail::Words,
    });
    let mut context = CompletionContext {
        language: if choice & 1 == 0 { Language::Qmp } else { Language::Hmp },
        in_transaction: choice & 2 != 0,
        schema: (choice & 4 == 0).then(introspection::schema),
        commands: vec!["query-status".to_owned()],
        hmp_commands: hmp.clone(),
        hmp_info: hmp,
        dot_commands: dot_commands.to_vec(),
        topics: vec![Name::new("line", "")],
        settings: vec![SettingEntry { name: "pager", help: "", values: vec![("on", ""), ("off", "")] }],
        events: vec!["STOP".to_owned()],
        ..CompletionContext::default()
    };
    check_styles(line, &context);
    let positions: Vec<usize> = line.char_indices().map(|(at, _)| at).chain([line.len()]).collect();
    let step = positions.len().div_ceil(MAX_POSITIONS);
    for position in positions.iter().rev().step_by(step) {
        let typed = &line[..*position];
        check_hint(typed, &context);
        for found in [complete_with(typed, &mut context, names), complete_loosely(typed, &mut context, names)] {
            assert!(found.start <= typed.len() && typed.is_char_boundary(found.start));
            for candidate in &found.candidates {
                assert!(!candidate.text.is_empty(), "an empty candidate");
                if context.language == Language::Qmp {
                    check_candidate(typed, found.start, candidate);
                }
            }
        }
    }
}

fn last_row(text: &str) -> &str {
    text.rsplit_once('\n').map_or(text, |(_, last)| last)
}

/// Asserts that a candidate, once it is in the line, is the name that it was offered for.
fn check_candidate(typed: &str, start: usize, candidate: &Candidate) {
    let is_dot_line = |line: &str| line.trim_start().starts_with('.');
    if candidate.description != "live" || is_dot_line(typed) || is_dot_line(last_row(typed)) {
        return;
    }
    let line = format!("{}{}", &typed[..start], candidate.text);
    let is_folder = candidate.text.ends_with('/');
    // The last row can be a line of its own.
    let as_word = [line.as_str(), last_row(&line)].iter().filter_map(|line| tokenize(line).words.pop()).any(|word| {
        let value = word.value().trim_end_matches('/');
        // In JSON a name that is a number is not quoted.
        let as_number = word.open == Some(Unclosed::Bracket) && NAMES.contains(&candidate.text.as_str());
        NAMES.iter().any(|name| value.ends_with(name)) && (word.open.is_none() || is_folder) || as_number
    });
    let as_json = || {
        let closed = format!("{}{}", candidate.text, if is_folder { &candidate.text[..1] } else { "" });
        let text = parse_json(&closed, 0).ok().and_then(|(json, _)| json.as_str());
        text.is_some_and(|text| NAMES.contains(&text.trim_end_matches('/')))
    };
    assert!(as_word || as_json(), "{line:?} does not contain a name that was offered");
}

fn check_hint(typed: &str, context: &CompletionContext<'_>) {
    const COLUMNS: usize = 40;
    let Some(hint) = hint(typed, context, COLUMNS).map(|hint| hint.text) else { return };
    assert!(!hint.is_empty() && hint.width() <= COLUMNS, "a hint of {} columns", hint.width());
    assertions::has_no_controls(&hint);
    assert!(!hint.contains(['\n', '\t']));
}

fn check_styles(line: &str, context: &CompletionContext<'_>) {
    let styles = highlight(line, context);
    styles.iter().for_each(|(span, _)| spans::inside(line, *span));
    spans::in_order(styles.iter().map(|(span, _)| *span));
}
