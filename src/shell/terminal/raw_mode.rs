//! The terminal's mode between two prompts.
//!
//! While a command runs, typed-ahead input is for the next prompt: it must be neither echoed into the output nor read
//! line by line, which would lose a Ctrl-D. Ctrl-C still arrives as a signal, but must not discard what is on its way to the
//! terminal: a reply may just have been printed. A question, a pager or a shell escape gets the terminal in its original
//! mode.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

/// A guard that keeps the terminal without echo and without line buffering. Dropping it restores the original mode.
#[derive(Debug)]
pub(crate) struct NoEchoGuard {
    original: Termios,
    no_echo: Termios,
    /// Set while another program has the terminal.
    released: Arc<AtomicBool>,
}

impl NoEchoGuard {
    /// Changes the mode of the terminal on standard input. `None` if there is no terminal. `released` is set while the
    /// terminal has its original mode.
    pub(crate) fn enable(released: Arc<AtomicBool>) -> Option<NoEchoGuard> {
        let original = tcgetattr(rustix::stdio::stdin()).ok()?;
        let mut no_echo = original.clone();
        no_echo.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        no_echo.local_modes.insert(LocalModes::NOFLSH);
        no_echo.special_codes[SpecialCodeIndex::VMIN] = 1;
        no_echo.special_codes[SpecialCodeIndex::VTIME] = 0;
        set_mode(&no_echo);
        Some(NoEchoGuard { original, no_echo, released })
    }

    /// Calls `f` with the terminal in its original mode.
    pub(crate) fn with_original_mode<T>(&self, f: impl FnOnce() -> T) -> T {
        self.with_mode(&self.original, f)
    }

    /// Calls `f`, which reads a line that is not echoed.
    pub(crate) fn with_hidden_line<T>(&self, f: impl FnOnce() -> T) -> T {
        let mut hidden = self.original.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ICANON | LocalModes::ECHONL);
        self.with_mode(&hidden, f)
    }

    fn with_mode<T>(&self, mode: &Termios, f: impl FnOnce() -> T) -> T {
        self.released.store(true, Ordering::SeqCst);
        set_mode(mode);
        let result = f();
        set_mode(&self.no_echo);
        self.released.store(false, Ordering::SeqCst);
        result
    }
}

impl Drop for NoEchoGuard {
    fn drop(&mut self) {
        set_mode(&self.original);
    }
}

fn set_mode(mode: &Termios) {
    // Fails only if the terminal is gone, which needs no mode.
    let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, mode);
}
