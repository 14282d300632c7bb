//! What is known of the line editor's redraws: which are its own doing, and which the bell's; and whether the prompt
//! stands on the first row of the screen.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};

use crate::shell::output::terminal;

/// What mends, in the redraw that follows the bell's message, that there was no row to go up to.
const CURSOR_UP: &str = "\x1b[A";

/// Told of all that the editor asks its helper.
#[derive(Debug, Default)]
pub(crate) struct RedrawTracker {
    /// The next redraw is the editor's own doing. Before any of those it asks for something else first; only the bell
    /// makes it redraw out of the blue.
    expected: Cell<bool>,
    /// The last key did more than to move the cursor.
    changed: Cell<bool>,
    top: FirstRow,
}

impl RedrawTracker {
    /// A key was pressed that changes the line, or moves the cursor alone. Where this is true the editor draws the line
    /// anew, and once more the next time that it is not: so it is known of every redraw that is to come.
    pub(crate) fn after_key(&self, changes: bool) -> bool {
        if changes | self.changed.replace(changes) {
            self.expected.set(true);
        }
        changes
    }

    /// A list is written under the line, and the line is then drawn below it.
    pub(crate) fn after_list(&self) {
        self.expected.set(true);
        self.top.leave();
    }

    /// The line is being drawn, with this above it; returns what goes before that.
    pub(crate) fn begin(&self, news: &str) -> &'static str {
        let rung = !self.expected.replace(false);
        let lead = if rung && self.top.is_reached() { CURSOR_UP } else { "" };
        if !news.is_empty() {
            self.top.leave();
        }
        lead
    }

    /// Where the prompt stands.
    pub(crate) fn top(&self) -> FirstRow {
        self.top.clone()
    }
}

/// Whether the prompt stands on the first row of the screen: since that was cleared nothing was shown, and it has the
/// same size still.
#[derive(Debug, Default, Clone)]
pub(crate) struct FirstRow(Arc<Mutex<Option<(usize, usize)>>>);

impl FirstRow {
    fn set(&self, size: Option<(usize, usize)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = size;
    }

    /// The screen is about to be cleared.
    pub(crate) fn mark_cleared(&self) {
        self.set(Some(terminal::size()));
    }

    /// Something stands above the prompt.
    pub(crate) fn leave(&self) {
        self.set(None);
    }

    fn is_reached(&self) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) == Some(terminal::size())
    }
}
