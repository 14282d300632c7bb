//! The terminal between two prompts.
//!
//! While a command runs, what is typed ahead is for the next prompt: it is neither shown amid the output nor read line
//! by line, which would swallow a Ctrl-D. Ctrl-C still reaches the program as a signal. Whoever needs the terminal as
//! it was found (a question, a pager, a command of the system's shell) gets it so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

/// A terminal kept quiet. It is given back as it was found when this is dropped.
#[derive(Debug)]
pub(crate) struct NoEchoGuard {
    found: Termios,
    quiet: Termios,
    /// Set while somebody else has the terminal.
    lent: Arc<AtomicBool>,
}

impl NoEchoGuard {
    /// Makes the terminal on standard input quiet; `None` where there is none. `lent` is set while it is lent.
    pub(crate) fn begin(lent: Arc<AtomicBool>) -> Option<NoEchoGuard> {
        let found = tcgetattr(rustix::stdio::stdin()).ok()?;
        let mut quiet = found.clone();
        quiet.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        set(&quiet);
        Some(NoEchoGuard { found, quiet, lent })
    }

    /// Runs `work` with the terminal as it was found.
    pub(crate) fn with_terminal_released<T>(&self, work: impl FnOnce() -> T) -> T {
        self.lent.store(true, Ordering::SeqCst);
        set(&self.found);
        let result = work();
        set(&self.quiet);
        self.lent.store(false, Ordering::SeqCst);
        result
    }
}

impl Drop for NoEchoGuard {
    fn drop(&mut self) {
        set(&self.found);
    }
}

fn set(modes: &Termios) {
    // It was a terminal a moment ago; one that has gone needs no modes.
    let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, modes);
}
