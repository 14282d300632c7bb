//! Waking the line editor when there is output to show above the line being typed.
//!
//! The editor's own printer for other threads holds one message, blocks, and may deliver it at the next prompt.
//! Therefore nothing is printed through it. It only makes the editor redraw its line, and all waiting output is written
//! before the prompt as part of that redraw, by the thread that draws. Output thus appears once and in order, whatever
//! the editor is doing.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A message that shows nothing: up one row and down again. It ends with a line end, so that the editor adds none. On the
/// first row of the screen there is no row above, and it ends one row too low, which the next redraw corrects.
const WAKE_SEQUENCE: &str = "\x1b[A\n";

#[derive(Debug, Default)]
struct State {
    /// Whether the editor has the terminal.
    editing: bool,
    /// Whether output has arrived since the last redraw.
    has_output: bool,
    /// Whether a wake-up was sent that no redraw has acknowledged.
    sent: bool,
    /// Whether the prompt has ended.
    closed: bool,
}

/// A waker that makes the line editor redraw. Clones wake the same editor.
#[derive(Debug, Default, Clone)]
pub(crate) struct PromptWaker {
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl PromptWaker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, f: impl FnOnce(&mut State)) {
        f(&mut self.state());
        self.shared.1.notify_all();
    }

    /// Requests a redraw. May be called from any thread; never blocks.
    pub(crate) fn wake(&self) {
        self.change(|state| state.has_output = true);
    }

    /// Sets whether the editor has the terminal. Only then is it woken.
    pub(crate) fn set_editing(&self, editing: bool) {
        self.change(|state| state.editing = editing);
    }

    /// Notes that a redraw is about to show all output.
    pub(crate) fn acknowledge(&self) {
        self.change(|state| {
            state.has_output = false;
            state.sent = false;
        });
    }

    /// Ends the waker's thread.
    pub(crate) fn close(&self) {
        self.change(|state| state.closed = true);
    }

    /// Starts the thread that wakes the editor through its printer. The thread may block there; nothing waits for it.
    pub(crate) fn start(&self, mut printer: impl rustyline::ExternalPrinter + Send + 'static) {
        let waker = self.clone();
        std::thread::spawn(move || {
            while waker.wait_until_due() {
                if printer.print(WAKE_SEQUENCE.to_owned()).is_err() {
                    return;
                }
            }
        });
    }

    /// Waits until a wake-up is due, and marks it as sent. Returns false once the waker is closed.
    fn wait_until_due(&self) -> bool {
        let mut state = self.state();
        while !(state.closed || state.editing && state.has_output && !state.sent) {
            state = self.shared.1.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.sent = true;
        !state.closed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use super::*;

    /// A printer that reports each message to the test.
    struct Printer(Sender<String>);

    impl rustyline::ExternalPrinter for Printer {
        fn print(&mut self, message: String) -> rustyline::Result<()> {
            self.0.send(message).map_err(|_| rustyline::error::ReadlineError::Eof)
        }
    }

    fn started() -> (PromptWaker, Receiver<String>) {
        let (tx, messages) = channel();
        let waker = PromptWaker::default();
        waker.start(Printer(tx));
        (waker, messages)
    }

    fn is_woken(messages: &Receiver<String>) -> bool {
        match messages.recv_timeout(Duration::from_millis(100)) {
            Ok(message) => {
                assert_eq!(message, WAKE_SEQUENCE);
                true
            }
            Err(_) => false,
        }
    }

    #[test]
    fn wakes_once_until_the_redraw() {
        let (waker, messages) = started();
        waker.set_editing(true);
        waker.wake();
        waker.wake();
        assert!(is_woken(&messages));
        waker.wake();
        assert!(!is_woken(&messages), "one wake-up is on its way already");
        waker.acknowledge();
        assert!(!is_woken(&messages), "the redraw has shown everything");
        waker.wake();
        assert!(is_woken(&messages));
    }

    #[test]
    fn wakes_only_while_a_line_is_edited() {
        let (waker, messages) = started();
        waker.wake();
        assert!(!is_woken(&messages));
        waker.set_editing(true);
        assert!(is_woken(&messages), "output that arrived before the prompt is shown at it");
        waker.acknowledge();
        waker.set_editing(false);
        waker.wake();
        assert!(!is_woken(&messages));
    }

    #[test]
    fn closing_ends_the_thread() {
        let (waker, messages) = started();
        waker.set_editing(true);
        waker.close();
        assert_eq!(messages.recv_timeout(Duration::from_secs(5)), Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
    }
}
