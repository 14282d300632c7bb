//! Help while a line is typed, at every position of the cursor: candidates with a valid place, a hint on one row, styles in
//! order.

use qmp_shell::assist::{Candidate, Completes, CompletionContext, complete, hint, token_styles};
use qmp_shell::grammar::{LineMode, Unclosed, parse_json, tokenize};
use unicode_width::UnicodeWidthStr;

use super::{assertions, introspection, spans};

/// Names of nodes, devices and files that need quoting.
const NAMES: &[&str] = &["disk0", "a b", "it's", "say \"x\"", "\\", "{x}", "[1", "é=ü", "#c", "$HOME", "a,b", "/x/y"];

/// The maximum number of positions that are checked in a line.
const MAX_POSITIONS: usize = 64;

/// The first byte of the input selects the language and whether a transaction is open; the rest is the line.
pub fn check(data: &[u8]) {
    let Some((choice, line)) = data.split_first() else { return };
    let Some(line) = assertions::text(line) else { return };
    let owned = |name: &&str| ((*name).to_owned(), "live".to_owned());
    let monitor = [("info".to_owned(), String::new()), ("device_add".to_owned(), "x".to_owned())];
    let known = CompletionContext {
        language: if choice & 1 == 0 { LineMode::Qmp } else { LineMode::Hmp },
        in_transaction: choice & 2 != 0,
        schema: (choice & 4 == 0).then(introspection::schema),
        live: &|_| NAMES.iter().map(owned).collect(),
        commands: &["query-status".to_owned()],
        monitor: &monitor,
        info: &monitor,
        metas: &[
            ("events", "", Completes::Events),
            ("fd", "", Completes::FileThenCommand),
            ("hmp", "", Completes::Monitor),
            ("set", "", Completes::Settings),
            ("source", "", Completes::Files),
            ("help", "", Completes::Topics),
            ("wait", "", Completes::EventNames),
            ("exit", "", Completes::Nothing),
        ],
        topics: &[("line", "")],
        settings: &[("pager", "", &["on", "off"])],
        events: &["STOP".to_owned()],
        files: &|typed| NAMES.iter().filter(|name| name.starts_with(typed)).map(|name| (*name).to_owned()).collect(),
    };
    check_styles(line, &known);
    let positions: Vec<usize> = line.char_indices().map(|(at, _)| at).chain([line.len()]).collect();
    let step = positions.len().div_ceil(MAX_POSITIONS);
    for position in positions.iter().rev().step_by(step) {
        let typed = &line[..*position];
        check_hint(typed, &known);
        let found = complete(typed, &known);
        assert!(found.start <= typed.len() && typed.is_char_boundary(found.start));
        for candidate in &found.candidates {
            assert!(!candidate.text.is_empty(), "an empty candidate");
            if known.language == LineMode::Qmp {
                check_candidate(typed, found.start, candidate);
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
    if candidate.about != "live" || is_dot_line(typed) || is_dot_line(last_row(typed)) {
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

fn check_hint(typed: &str, known: &CompletionContext<'_>) {
    const COLUMNS: usize = 40;
    let Some(hint) = hint(typed, known, COLUMNS) else { return };
    assert!(!hint.is_empty() && hint.width() <= COLUMNS, "a hint of {} columns", hint.width());
    assertions::has_no_controls(&hint);
    assert!(!hint.contains(['\n', '\t']));
}

fn check_styles(line: &str, known: &CompletionContext<'_>) {
    let styles = token_styles(line, known);
    styles.iter().for_each(|(span, _)| spans::inside(line, *span));
    spans::in_order(styles.iter().map(|(span, _)| *span));
}
