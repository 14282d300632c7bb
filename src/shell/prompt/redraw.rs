//! Distinguishes redraws that rustyline starts itself from those that the waker causes, and tracks whether the prompt
//! is on the first row of the screen.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::terminal::size::terminal_size;

/// The sequence that moves the cursor up one row, if the wake sequence found no row above and ended one row too low.
const CURSOR_UP: &str = "\x1b[A";

/// An observer of every call that rustyline makes to its helper.
#[derive(Debug, Default)]
pub(super) struct RedrawTracker {
    /// Whether the next redraw is the editor's own. Rustyline calls another method of the helper before each of its own
    /// redraws; a redraw without such a call was caused by the waker.
    is_own_redraw: Cell<bool>,
    /// Whether the last key changed the line.
    changed: Cell<bool>,
    /// The number of rows below the line that the editor counts.
    rows_below: Cell<usize>,
    first_row: FirstRow,
}

impl RedrawTracker {
    /// Notes a key, and whether it changes the line. Returns whether the editor should redraw. It redraws after such a key,
    /// and once more after the next one.
    pub(super) fn key_pressed(&self, changes_line: bool) -> bool {
        if changes_line | self.changed.replace(changes_line) {
            self.is_own_redraw.set(true);
        }
        changes_line
    }

    /// Notes that the line is being drawn, with or without output above it. Returns a correction to write first.
    pub(super) fn begin(&self, has_output: bool) -> &'static str {
        let is_woken = !self.is_own_redraw.replace(false);
        if !is_woken {
            self.rows_below.set(0);
        }
        let correction = if is_woken && self.first_row.holds_prompt() { CURSOR_UP } else { "" };
        if has_output {
            self.first_row.mark_left();
        }
        correction
    }

    /// Notes that rows are being drawn below the line.
    pub(super) fn rows_below_shown(&self, rows: usize) {
        self.rows_below.set(rows);
    }

    /// Returns what to draw instead of rows that are hidden: empty rows if the redraw is the waker's, for which the editor
    /// counts the rows that it drew last.
    pub(super) fn hidden_rows_below(&self) -> String {
        "\n".repeat(self.rows_below.get())
    }

    pub(super) fn first_row(&self) -> FirstRow {
        self.first_row.clone()
    }
}

/// A record of whether the prompt is on the first row: the screen was cleared, since then nothing has been shown above
/// the prompt, and the screen has the same size. Clones share the state.
#[derive(Debug, Default, Clone)]
pub(super) struct FirstRow(Arc<Mutex<Option<(usize, usize)>>>);

impl FirstRow {
    fn set(&self, size: Option<(usize, usize)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = size;
    }

    /// Notes that the screen is about to be cleared.
    pub(super) fn mark_cleared(&self) {
        self.set(Some(terminal_size()));
    }

    /// Notes that there is something above the prompt.
    pub(super) fn mark_left(&self) {
        self.set(None);
    }

    fn holds_prompt(&self) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) == Some(terminal_size())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The calls that rustyline 19 makes to its helper, in its order. `tests/all/editor_calls.rs` checks that order against
    /// the editor itself.
    struct FakeEditor {
        tracker: RedrawTracker,
        /// Whether `highlight_char` was true when the line was last drawn, so that it is drawn again.
        was_highlighted: bool,
    }

    impl FakeEditor {
        fn new() -> FakeEditor {
            FakeEditor { tracker: RedrawTracker::default(), was_highlighted: false }
        }

        /// A key that inserts a character.
        fn insert(&mut self) -> Option<&'static str> {
            self.key(true)
        }

        /// A key that moves the cursor.
        fn move_cursor(&mut self) -> Option<&'static str> {
            self.key(false)
        }

        fn key(&mut self, changes_line: bool) -> Option<&'static str> {
            let highlight = self.tracker.key_pressed(changes_line);
            let redraws = highlight || self.was_highlighted;
            self.was_highlighted = highlight;
            redraws.then(|| self.tracker.begin(false))
        }

        fn wake(&mut self, has_output: bool) -> &'static str {
            self.tracker.begin(has_output)
        }
    }

    #[test]
    fn corrects_only_redraws_of_the_waker_on_the_first_row() {
        let mut editor = FakeEditor::new();
        assert_eq!(editor.wake(false), "", "not on the first row");
        editor.tracker.first_row().mark_cleared();
        assert_eq!(editor.insert(), Some(""));
        assert_eq!(editor.move_cursor(), Some(""), "the second redraw after an insertion");
        assert_eq!(editor.move_cursor(), None);
        assert_eq!(editor.wake(false), CURSOR_UP);
        assert_eq!(editor.insert(), Some(""));
        assert_eq!(editor.wake(true), CURSOR_UP, "the output goes above the prompt");
        assert_eq!(editor.wake(false), "", "the prompt has left the first row");
    }

    #[test]
    fn hidden_rows_stay_empty_until_the_editor_redraws() {
        let mut editor = FakeEditor::new();
        editor.insert();
        editor.tracker.rows_below_shown(2);
        for _ in 0..2 {
            editor.wake(true);
            assert_eq!(editor.tracker.hidden_rows_below(), "\n\n");
        }
        editor.move_cursor();
        assert_eq!(editor.tracker.hidden_rows_below(), "");
        editor.wake(true);
        assert_eq!(editor.tracker.hidden_rows_below(), "");
    }
}
