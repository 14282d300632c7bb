//! Wakes the line editor when there is something to show above the line being typed.
//!
//! The editor's own way of printing from another thread holds one message, blocks, and may deliver it at the next
//! prompt. So nothing is ever printed that way: it serves as a bell that makes the editor redraw its line, and all that
//! has arrived is put in front of the prompt in that very redraw, by the thread that draws. What arrives is shown once,
//! in order, whatever the editor is doing.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Up a row and down again: a message that shows nothing, and ends its line so that the editor adds none. On the first
/// row of the screen there is no way up, and it ends a row too low, which the redraw that follows has to mend.
const WAKE_SEQUENCE: &str = "\x1b[A\n";

#[derive(Debug, Default)]
struct State {
    /// The editor has the terminal.
    editing: bool,
    /// Something came since the last redraw.
    news: bool,
    /// The bell was rung and not answered.
    rung: bool,
    /// The shell is leaving.
    over: bool,
}

/// The bell.
#[derive(Debug, Default, Clone)]
pub(crate) struct PromptWaker {
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl PromptWaker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.shared.1.notify_all();
    }

    /// Something is there to be shown. Called from any thread; never waits.
    pub(crate) fn ring(&self) {
        self.change(|state| state.news = true);
    }

    /// The editor takes, or gives back, the terminal.
    pub(crate) fn set_editing(&self, editing: bool) {
        self.change(|state| state.editing = editing);
    }

    /// A redraw is about to show all that is there.
    pub(crate) fn acknowledge(&self) {
        self.change(|state| {
            state.news = false;
            state.rung = false;
        });
    }

    /// Ends the bell's thread.
    pub(crate) fn end(&self) {
        self.change(|state| state.over = true);
    }

    /// Starts the thread that rings with the editor's printer. It may block in there; nobody waits for it.
    pub(crate) fn start(&self, mut printer: impl rustyline::ExternalPrinter + Send + 'static) {
        let waker = self.clone();
        std::thread::spawn(move || {
            loop {
                {
                    let mut state = waker.state();
                    while !(state.over || state.editing && state.news && !state.rung) {
                        state = waker.shared.1.wait(state).unwrap_or_else(PoisonError::into_inner);
                    }
                    if state.over {
                        return;
                    }
                    state.rung = true;
                }
                if printer.print(WAKE_SEQUENCE.to_owned()).is_err() {
                    return;
                }
            }
        });
    }
}
