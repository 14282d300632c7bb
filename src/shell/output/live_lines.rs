//! The last lines of the terminal, which show something that changes until other output takes their place.

use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthChar;

/// The sequence that returns to the beginning of the line and clears it.
const CLEAR_LINE: &str = "\r\x1b[K";

/// The sequences that clear the rest of a line, and all that follows the cursor.
const CLEAR_TO_LINE_END: &str = "\x1b[K";
const CLEAR_TO_SCREEN_END: &str = "\x1b[J";

/// The sequence that ends all colours.
const RESET: &str = "\x1b[0m";

/// The minimum time between two lines of progress on a terminal that cannot replace a line.
const LINE_INTERVAL: Duration = Duration::from_secs(2);

/// Returns whether the terminal can replace a line that was shown.
pub(super) fn can_replace_lines() -> bool {
    !matches!(std::env::var("TERM").as_deref(), Err(_) | Ok("" | "dumb" | "cons25" | "emacs"))
}

/// The state of the lines.
#[derive(Debug, Default)]
pub(super) struct LiveLines {
    /// The widths of the lines that are shown.
    widths: Vec<usize>,
    last_line: Option<Instant>,
}

impl LiveLines {
    /// Returns the output that replaces the lines shown before with `lines`, cut to `columns` and `rows`. Control characters
    /// are left out, except escape codes for colours.
    pub(super) fn replace_with(&mut self, lines: &[String], columns: usize, rows: usize) -> String {
        let rows_before = self.rows(columns);
        let cut: Vec<(String, usize)> =
            lines.iter().take(rows.saturating_sub(1).max(1)).map(|line| cut(line, columns.saturating_sub(1))).collect();
        if cut.is_empty() {
            return self.take_clearing(columns);
        }
        let is_wrapped = rows_before > self.widths.len();
        let mut output = match (is_wrapped, rows_before) {
            // The terminal has become narrower, so the rows do not correspond to lines any more.
            (true, _) => self.take_clearing(columns),
            (false, 0) => String::new(),
            (false, rows) => to_first_row(rows),
        };
        for (index, (line, _)) in cut.iter().enumerate() {
            output.push_str(if index > 0 { "\n" } else { "" });
            output.push_str(line);
            let is_last = index + 1 == cut.len();
            // Written over the old text and cleared afterwards, so that it does not flicker.
            output.push_str(match rows_before {
                0 => "",
                _ if is_last => CLEAR_TO_SCREEN_END,
                _ => CLEAR_TO_LINE_END,
            });
        }
        self.widths = cut.into_iter().map(|(_, width)| width).collect();
        output
    }

    /// Returns the output that removes the lines, before other output, from a terminal of `columns` columns.
    pub(super) fn take_clearing(&mut self, columns: usize) -> String {
        let rows = self.rows(columns);
        self.widths.clear();
        match rows {
            0 => String::new(),
            1 => CLEAR_LINE.to_owned(),
            rows => to_first_row(rows) + CLEAR_TO_SCREEN_END,
        }
    }

    /// Makes the lines ordinary output. Returns whether there were any.
    pub(super) fn keep(&mut self) -> bool {
        !std::mem::take(&mut self.widths).is_empty()
    }

    /// Returns the number of rows that the lines take: more than one each if the terminal has become narrower.
    fn rows(&self, columns: usize) -> usize {
        self.widths.iter().map(|width| width.div_ceil(columns.max(1)).max(1)).sum()
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

/// Returns the output that moves the cursor from the last of `rows` rows to the beginning of the first.
fn to_first_row(rows: usize) -> String {
    match rows {
        0 | 1 => "\r".to_owned(),
        rows => format!("\r\x1b[{}A", rows - 1),
    }
}

/// Returns the part of a line that fits in `columns`, and its width.
fn cut(line: &str, columns: usize) -> (String, usize) {
    let (mut output, mut width) = (String::with_capacity(line.len()), 0);
    let mut rest = line;
    let mut is_colored = false;
    while let Some(c) = rest.chars().next() {
        if let Some(len) = color_code_len(rest) {
            output.push_str(&rest[..len]);
            rest = &rest[len..];
            is_colored = true;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if c.is_control() {
            continue;
        }
        let columns_of_char = c.width().unwrap_or(0);
        if width + columns_of_char > columns {
            break;
        }
        width += columns_of_char;
        output.push(c);
    }
    if is_colored {
        output.push_str(RESET);
    }
    (output, width)
}

/// Returns the length of the escape code for colours that `text` begins with.
pub(crate) fn color_code_len(text: &str) -> Option<usize> {
    let code = text.strip_prefix("\x1b[")?;
    let end = code.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    code[end..].starts_with('m').then_some(2 + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn replaces_and_removes_a_line() {
        let mut live = LiveLines::default();
        assert_eq!(live.take_clearing(80), "");
        assert_eq!(live.replace_with(&lines("10 %"), 80, 24), "10 %");
        assert_eq!(live.replace_with(&["20 %\n".to_owned()], 4, 24), "\r20 \x1b[J");
        assert_eq!(live.take_clearing(80), CLEAR_LINE);
        assert_eq!(live.replace_with(&[], 80, 24), "");
    }

    #[test]
    fn replaces_and_removes_several_lines() {
        let mut live = LiveLines::default();
        assert_eq!(live.replace_with(&lines("a\nb\nc"), 80, 24), "a\nb\nc");
        assert_eq!(live.replace_with(&lines("d\ne"), 80, 24), "\r\x1b[2Ad\x1b[K\ne\x1b[J");
        assert_eq!(
            live.replace_with(&lines("1\n2\n3\n4"), 80, 4),
            "\r\x1b[1A1\x1b[K\n2\x1b[K\n3\x1b[J",
            "not the screen"
        );
        assert_eq!(live.take_clearing(80), "\r\x1b[2A\x1b[J");
        assert!(!live.keep());
        live.replace_with(&lines("a\nb"), 80, 24);
        assert!(live.keep());
        assert_eq!(live.take_clearing(80), "");
    }

    #[test]
    fn a_narrower_terminal_has_wrapped_the_lines() {
        let mut live = LiveLines::default();
        live.replace_with(&["x".repeat(30), "y".to_owned()], 80, 24);
        assert_eq!(live.replace_with(&lines("z"), 20, 24), "\r\x1b[2A\x1b[Jz\x1b[J");
    }

    #[test]
    fn colours_take_no_columns() {
        let line = "\x1b[1;31mab\x1b[0mcd\x1b[2J".to_owned();
        assert_eq!(LiveLines::default().replace_with(&[line], 4, 24), "\x1b[1;31mab\x1b[0mc\x1b[0m");
        assert_eq!(LiveLines::default().replace_with(&["\x1b[2Jé🙂".to_owned()], 80, 24), "[2Jé🙂");
        assert_eq!(LiveLines::default().replace_with(&["🙂🙂".to_owned()], 4, 24), "🙂");
    }

    #[test]
    fn lines_of_progress_are_rare() {
        let mut live = LiveLines::default();
        assert!(live.is_due());
        assert!(!live.is_due());
    }
}
