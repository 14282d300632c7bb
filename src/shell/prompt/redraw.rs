//! Distinguishes redraws that rustyline starts itself from those that the waker causes, and tracks whether the prompt
//! stands on the first row of the screen.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::terminal::size::terminal_size;

/// Moves the cursor up one row, where the wake sequence found no row above and ended one row too low.
const CURSOR_UP: &str = "\x1b[A";

/// Observes every call that rustyline makes to its helper.
#[derive(Debug, Default)]
pub(super) struct RedrawTracker {
    /// The next redraw is the editor's own. Rustyline calls another method of the helper before each redraw of its own; a
    /// redraw without such a call was caused by the waker.
    expected: Cell<bool>,
    /// The last key changed the line.
    changed: Cell<bool>,
    first_row: FirstRow,
}

impl RedrawTracker {
    /// Notes a key, and whether it changes the line. Returns whether the editor should redraw. It redraws after such a key,
    /// and once more after the next one.
    pub(super) fn key_pressed(&self, changes_line: bool) -> bool {
        if changes_line | self.changed.replace(changes_line) {
            self.expected.set(true);
        }
        changes_line
    }

    /// Notes that a list is shown below the line, and the line is redrawn below the list.
    pub(super) fn list_shown(&self) {
        self.expected.set(true);
        self.first_row.leave();
    }

    /// Notes that the line is being drawn, with or without output above it. Returns a correction to write before that.
    pub(super) fn begin(&self, has_output: bool) -> &'static str {
        let is_woken = !self.expected.replace(false);
        let correction = if is_woken && self.first_row.is_at() { CURSOR_UP } else { "" };
        if has_output {
            self.first_row.leave();
        }
        correction
    }

    pub(super) fn first_row(&self) -> FirstRow {
        self.first_row.clone()
    }
}

/// Whether the prompt stands on the first row: the screen was cleared, nothing was shown above the prompt since, and the
/// screen has the same size. Clones share the state.
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

    /// Notes that something stands above the prompt.
    pub(super) fn leave(&self) {
        self.set(None);
    }

    fn is_at(&self) -> bool {
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
        /// The line was drawn with `highlight_char` true the last time, so it is drawn again.
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

        fn list(&mut self) -> &'static str {
            self.tracker.list_shown();
            self.tracker.begin(false)
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
    fn a_list_moves_the_prompt_from_the_first_row() {
        let mut editor = FakeEditor::new();
        editor.tracker.first_row().mark_cleared();
        assert_eq!(editor.list(), "");
        assert_eq!(editor.wake(false), "");
    }
}
