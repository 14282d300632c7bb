//! The line of the terminal that shows the progress of a long operation, until other output takes its place.

use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthChar;

/// The sequence that returns to the beginning of the line and clears it.
const CLEAR_LINE: &str = "\r\x1b[K";

/// The minimum time between two lines of progress on a terminal that cannot replace a line.
const LINE_INTERVAL: Duration = Duration::from_secs(2);

/// Returns whether the terminal can replace a line that was shown.
pub(super) fn can_replace_lines() -> bool {
    !matches!(std::env::var("TERM").as_deref(), Err(_) | Ok("" | "dumb" | "cons25" | "emacs"))
}

/// The state of the progress line.
#[derive(Debug, Default)]
pub(super) struct ProgressLine {
    is_shown: bool,
    last_line: Option<Instant>,
}

impl ProgressLine {
    /// Returns the output that replaces the progress shown before with `text`, cut to the width of the terminal.
    pub(super) fn replace_with(&mut self, text: &str, columns: usize) -> String {
        let mut output = self.take_clearing().to_owned();
        self.is_shown = !text.is_empty();
        let mut room = columns.saturating_sub(1);
        for c in text.chars().filter(|c| !c.is_control()) {
            let width = c.width().unwrap_or(0);
            if width > room {
                break;
            }
            room -= width;
            output.push(c);
        }
        output
    }

    /// Returns the output that removes the progress, before other output.
    pub(super) fn take_clearing(&mut self) -> &'static str {
        if std::mem::take(&mut self.is_shown) { CLEAR_LINE } else { "" }
    }

    /// Returns whether it is time for another line of progress.
    pub(super) fn is_due(&mut self) -> bool {
        let is_due = self.last_line.is_none_or(|last| last.elapsed() >= LINE_INTERVAL);
        if is_due {
            self.last_line = Some(Instant::now());
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_removes_progress() {
        let mut line = ProgressLine::default();
        assert_eq!(line.take_clearing(), "");
        assert_eq!(line.replace_with("10 %", 80), "10 %");
        assert_eq!(line.replace_with("20 %\n", 4), "\r\x1b[K20 ");
        assert_eq!(line.take_clearing(), CLEAR_LINE);
        assert_eq!(line.replace_with("", 80), "");
    }

    #[test]
    fn lines_of_progress_are_rare() {
        let mut line = ProgressLine::default();
        assert!(line.is_due());
        assert!(!line.is_due());
    }
}
