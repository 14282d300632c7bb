//! Being stopped by Ctrl-Z: whoever takes the terminal over gets it as it was found.
//!
//! Some shells put the terminal in order themselves when a job stops, others trust the job with it. So the signal is
//! caught, the terminal is given back, and only then does the program stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rustix::process::{Pid, Signal, getpgid, getpgrp, getppid, getsid, kill_current_process_group};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use signal_hook::consts::SIGSTOP;
use signal_hook::low_level::raise;

/// Stops the program, and knows when that was done.
#[derive(Debug, Default, Clone)]
pub(crate) struct SuspendHandler {
    /// How many signals were taken.
    taken: Arc<(Mutex<u64>, Condvar)>,
    /// Somebody else has the terminal: a pager, a command of the system's shell. They see to it.
    lent: Arc<AtomicBool>,
}

impl SuspendHandler {
    /// What is set while somebody else has the terminal.
    pub(crate) fn lent(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.lent)
    }

    /// The signal has come: stops with the terminal's modes as they were `found`, and goes on with those of now.
    pub(crate) fn take(&self, found: Option<&Termios>) {
        let stdin = rustix::stdio::stdin();
        if is_waited_for() {
            let ours = tcgetattr(stdin).ok().filter(|_| !self.lent.load(Ordering::SeqCst));
            if let (Some(found), Some(_)) = (found, &ours) {
                let _ = tcsetattr(stdin, OptionalActions::Now, found);
            }
            // To this thread, so that it is stopped when this returns. Cannot fail.
            let _ = raise(SIGSTOP);
            // In the background the terminal is not ours to set.
            if let Some(ours) = ours.filter(|_| tcgetpgrp(stdin).is_ok_and(|group| group == getpgrp())) {
                let _ = tcsetattr(stdin, OptionalActions::Now, &ours);
            }
        }
        *self.taken.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.taken.1.notify_all();
    }

    /// Ctrl-Z in the editor, for which it is a key: stops all who are in the foreground, and returns when they go on.
    pub(crate) fn suspend(&self) {
        let mut taken = self.taken.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *taken;
        let stdout = rustix::stdio::stdout();
        let _ = rustix::io::write(stdout, b"\x1b[?2004l");
        if kill_current_process_group(Signal::TSTP).is_ok() {
            while *taken == before {
                taken = self.taken.1.wait(taken).unwrap_or_else(PoisonError::into_inner);
            }
        }
        let _ = rustix::io::write(stdout, b"\x1b[?2004h");
    }
}

/// Whether there is a shell to wake us again: in the terminal's session, somebody above our process group. Where there
/// is none, Ctrl-Z does nothing, as the system itself has it.
fn is_waited_for() -> bool {
    let (group, session) = (getpgrp(), getsid(None).ok());
    let mut above = getppid();
    while let Some(pid) = above {
        if getsid(Some(pid)).ok() != session {
            return false;
        }
        if getpgid(Some(pid)).ok() != Some(group) {
            return true;
        }
        above = parent(pid);
    }
    false
}

/// The parent of a process.
fn parent(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // A program's name, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    Pid::from_raw(fields.split_whitespace().nth(1)?.parse().ok()?)
}
