//! The line that shows an operation under way.

use std::borrow::Cow;
use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use crate::monitor::size_text;

use super::super::operation::{RestKind, State};
use super::meter::Meter;

/// The widths of the parts of a line; those of bar and sparkline are the least.
const PER_CENT_COLUMNS: usize = 5;
const RATE_COLUMNS: usize = 10;
const TIME_LEFT_COLUMNS: usize = 12;
const MIN_BAR_COLUMNS: usize = 8;
const MIN_SPARKLINE_COLUMNS: usize = 6;

/// The widths beyond which bar and sparkline do not grow.
const MAX_BAR_COLUMNS: usize = 30;
const MAX_SPARKLINE_COLUMNS: usize = 24;

/// The number of characters of a name, or of what is said of it, in a line of words.
const MAX_WORDS_CHARS: usize = 200;

/// The blanks between two parts.
const GAP: &str = "  ";

/// The statuses in which an operation does its work; others are named.
const WORKING_STATUSES: &[&str] = &["active", "postcopy-active", "running"];

/// Returns the line for a terminal of `columns` columns: name, bar, per cent, rate, time left and the latest rates, as far as
/// they are known and fit. `name_columns` is the width of the longest name.
pub(super) fn live_line(name: &str, name_columns: usize, state: &State, meter: &Meter, columns: usize) -> String {
    let padding = " ".repeat(name_columns.saturating_sub(name.width()));
    let mut line = format!("{name}{padding}");
    let mut left = columns.saturating_sub(1 + line.width());
    let mut take = |columns: usize| {
        let fits = left >= GAP.len() + columns;
        left -= if fits { GAP.len() + columns } else { 0 };
        fits
    };
    let mut parts = Vec::new();
    let per_cent = state.per_cent().filter(|_| take(PER_CENT_COLUMNS));
    let status = status_text(state);
    if let Some(status) = &status {
        // It is cut at the end of the line.
        take(status.width());
    }
    let rate = status.is_none().then(|| rate_text(state, meter)).flatten().filter(|_| take(RATE_COLUMNS));
    let time_left = rate.is_some().then(|| time_left_text(state, meter)).filter(|_| take(TIME_LEFT_COLUMNS));
    let has_bar = per_cent.is_some() && take(MIN_BAR_COLUMNS);
    let has_sparkline = rate.is_some() && take(MIN_SPARKLINE_COLUMNS);
    if let Some(per_cent) = per_cent.filter(|_| has_bar) {
        let more = left.min(MAX_BAR_COLUMNS - MIN_BAR_COLUMNS);
        left -= more;
        parts.push(bar(per_cent, MIN_BAR_COLUMNS + more));
    }
    parts.extend(per_cent.map(|per_cent| format!("{per_cent:>3} %")));
    parts.extend(status);
    parts.extend(rate.map(|rate| format!("{rate:>RATE_COLUMNS$}")));
    parts.extend(time_left.map(|time| format!("{time:>TIME_LEFT_COLUMNS$}")));
    if has_sparkline {
        parts.push(meter.sparkline((MIN_SPARKLINE_COLUMNS + left).min(MAX_SPARKLINE_COLUMNS)));
    }
    for part in parts {
        line.push_str(GAP);
        line.push_str(&part);
    }
    line.truncate(line.trim_end().len());
    line
}

/// Returns the same in words, for a place where lines are not replaced.
pub(super) fn progress_words(name: &str, state: &State, meter: &Meter) -> String {
    let mut parts = Vec::new();
    parts.extend(state.per_cent().map(|per_cent| format!("{per_cent} %")));
    match status_text(state) {
        Some(status) => parts.push(status),
        None => {
            parts.extend(rate_text(state, meter));
            let time_left = time_left_text(state, meter);
            parts.extend(Some(time_left).filter(|text| !text.is_empty()));
        }
    }
    if parts.is_empty() {
        parts.push(state.status.clone());
    }
    format!("{}: {}", shortened(name), shortened(&parts.join(", ")))
}

/// Returns the beginning of a text of the server that is too long for a line.
fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_WORDS_CHARS) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Returns a bar of which `per_cent` are full.
fn bar(per_cent: u8, columns: usize) -> String {
    let full = columns * usize::from(per_cent) / 100;
    "█".repeat(full) + &"░".repeat(columns - full)
}

/// Returns the status, unless the operation is just at work, and the command that it needs.
fn status_text(state: &State) -> Option<String> {
    match &state.rest {
        Some(rest) if rest.kind == RestKind::Paused => Some(format!("{}; `{}` resumes it", state.status, rest.command)),
        Some(_) => Some(state.status.clone()),
        None => (!WORKING_STATUSES.contains(&state.status.as_str())).then(|| state.status.clone()),
    }
}

/// Returns the rate, if it can be measured in bytes.
fn rate_text(state: &State, meter: &Meter) -> Option<String> {
    let rate = meter.rate().filter(|_| state.is_in_bytes)?;
    Some(format!("{}/s", size_text(rate as u64)))
}

/// Returns the time left; empty if it is unknown.
fn time_left_text(state: &State, meter: &Meter) -> String {
    let time = state.total.and_then(|total| meter.time_left(total));
    time.map(|time| format!("{} left", time_text(time))).unwrap_or_default()
}

/// Returns a time as `m:ss` or `h:mm:ss`.
fn time_text(time: Duration) -> String {
    let seconds = time.as_secs_f64().ceil() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        1..100 => format!("{hours}:{minutes:02}:{seconds:02}"),
        _ => "over 4 days".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::commands::operation::Rests;
    use std::time::Instant;

    const RESTS: Rests = &[("paused", RestKind::Paused, "job-resume id=j0"), ("ready", RestKind::Finished, "x")];

    fn state(status: &str) -> State {
        let state = State::new("backup", status, RESTS);
        State { done: Some(30 << 20), total: Some(100 << 20), is_in_bytes: true, ..state }
    }

    fn meter() -> Meter {
        let start = Instant::now();
        let mut meter = Meter::default();
        for second in 0..4 {
            meter.add(start + Duration::from_secs(second), second * (10 << 20));
        }
        meter
    }

    #[test]
    fn a_line_keeps_to_its_columns() {
        let line = |columns| live_line("j0 (backup)", 11, &state("running"), &meter(), columns);
        assert_eq!(line(90), "j0 (backup)  █████████░░░░░░░░░░░░░░░░░░░░░   30 %    10 MiB/s     0:07 left  ███");
        assert_eq!(line(70), "j0 (backup)  ████░░░░░░░░░░░   30 %    10 MiB/s     0:07 left  ███");
        assert_eq!(line(60), "j0 (backup)  ███░░░░░░░░░░   30 %    10 MiB/s     0:07 left");
        assert_eq!(line(40), "j0 (backup)   30 %    10 MiB/s  ███");
        assert_eq!(line(20), "j0 (backup)   30 %");
        assert_eq!(line(5), "j0 (backup)");
        for columns in 20..200 {
            assert!(line(columns).width() < columns, "{columns}: {}", line(columns));
        }
    }

    #[test]
    fn a_status_that_lasts_is_named() {
        let line = |state: &State| live_line("j0", 4, state, &meter(), 60);
        assert_eq!(line(&state("ready")), "j0    █████████░░░░░░░░░░░░░░░░░░░░░   30 %  ready");
        assert!(line(&state("paused")).ends_with("30 %  paused; `job-resume id=j0` resumes it"));
        let unknown = State { total: None, done: None, ..state("setup") };
        assert_eq!(line(&unknown), "j0    setup");
        let other_unit = State { is_in_bytes: false, ..state("running") };
        assert!(!line(&other_unit).contains("/s"));
    }

    #[test]
    fn words_have_the_same() {
        let words = |state: &State| progress_words("j0 (backup)", state, &meter());
        assert_eq!(words(&state("running")), "j0 (backup): 30 %, 10 MiB/s, 0:07 left");
        assert_eq!(words(&state("ready")), "j0 (backup): 30 %, ready");
        let unknown = State { total: None, ..state("active") };
        assert_eq!(progress_words("migration", &unknown, &Meter::default()), "migration: active");
    }

    #[test]
    fn tells_times() {
        for (seconds, text) in [(0, "0:00"), (61, "1:01"), (3661, "1:01:01"), (1 << 40, "over 4 days")] {
            assert_eq!(time_text(Duration::from_secs(seconds)), text);
        }
    }
}
