//! Suspending the program with Ctrl-Z: restores the terminal's original mode before the process stops, and sets the
//! prompt's mode again when it continues.
//!
//! Some shells restore the terminal themselves when a job stops; others rely on the job. Therefore SIGTSTP is caught
//! and the mode is restored before the process stops itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rustix::process::{Signal, getpgid, getpgrp, getppid, getsid, kill_current_process_group};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use signal_hook::consts::SIGSTOP;
use signal_hook::low_level::raise;

use crate::platform::parent_of;

/// The sequences that switch bracketed paste off and on, as in the line editor.
const BRACKETED_PASTE_OFF: &[u8] = b"\x1b[?2004l";
const BRACKETED_PASTE_ON: &[u8] = b"\x1b[?2004h";

/// A handler of SIGTSTP, for which the editor can wait.
#[derive(Debug, Default, Clone)]
pub(crate) struct SuspendHandler {
    /// The number of signals handled.
    handled: Arc<(Mutex<u64>, Condvar)>,
    /// Whether another program (a pager, a shell escape) has the terminal, and restores it itself.
    released: Arc<AtomicBool>,
}

impl SuspendHandler {
    /// Returns the flag to set while another program has the terminal.
    pub(crate) fn released(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.released)
    }

    /// Handles SIGTSTP: stops the process with the terminal in its `original` mode, and then restores the current mode.
    pub(crate) fn suspend_self(&self, original: Option<&Termios>) {
        let stdin = rustix::stdio::stdin();
        if can_be_resumed() {
            let present = tcgetattr(stdin).ok().filter(|_| !self.released.load(Ordering::SeqCst));
            if let (Some(original), Some(_)) = (original, &present) {
                let _ = tcsetattr(stdin, OptionalActions::Now, original);
            }
            // Signals this thread, so that the process has stopped when this returns. Cannot fail.
            let _ = raise(SIGSTOP);
            // A process in the background must not set the terminal's mode.
            if let Some(present) = present.filter(|_| tcgetpgrp(stdin).is_ok_and(|group| group == getpgrp())) {
                let _ = tcsetattr(stdin, OptionalActions::Now, &present);
            }
        }
        *self.handled.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.handled.1.notify_all();
    }

    /// Suspends the whole foreground process group, for Ctrl-Z as a key of the editor. Returns when it continues.
    pub(crate) fn suspend_group(&self) {
        let mut handled = self.handled.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *handled;
        let stdout = rustix::stdio::stdout();
        let _ = rustix::io::write(stdout, BRACKETED_PASTE_OFF);
        if kill_current_process_group(Signal::TSTP).is_ok() {
            while *handled == before {
                handled = self.handled.1.wait(handled).unwrap_or_else(PoisonError::into_inner);
            }
        }
        let _ = rustix::io::write(stdout, BRACKETED_PASTE_ON);
    }
}

/// Returns whether a shell can resume the process: an ancestor in the terminal's session, outside this process group.
/// Without one, the system ignores Ctrl-Z, and so does this program.
fn can_be_resumed() -> bool {
    let (group, session) = (getpgrp(), getsid(None).ok());
    let mut ancestor = getppid();
    while let Some(pid) = ancestor {
        if getsid(Some(pid)).ok() != session {
            return false;
        }
        if getpgid(Some(pid)).ok() != Some(group) {
            return true;
        }
        ancestor = parent_of(pid);
    }
    false
}
