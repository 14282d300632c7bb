//! Signal handling: Ctrl-C, Ctrl-Z and termination.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::{Handle, Signals};

use crate::platform::ignores_signal;
use crate::session::{MessageQueue, remove_owned_files};

use super::suspend::SuspendHandler;

/// The sequence that switches off bracketed paste and goes to the next line, for a prompt that a signal ends.
const LEAVE_PROMPT: &[u8] = b"\x1b[?2004l\r\n";

/// Returns the signals that end a program and leave it time to clean up: not a SIGHUP that the program was started to
/// ignore, as by `nohup`.
pub fn termination_signals() -> Vec<i32> {
    let mut signals = vec![SIGINT, SIGTERM];
    if !ignores_signal(SIGHUP) {
        signals.push(SIGHUP);
    }
    signals
}

/// Whether a handler ends the program at a signal.
static IS_HANDLED: AtomicBool = AtomicBool::new(false);

/// The handler of a program that listens and has no other one, until a prompt starts its own.
static SOCKET_FILE_HANDLER: Mutex<Option<TerminationHandler>> = Mutex::new(None);

/// Lets a program that has no handler remove the files of its listening sockets before a signal ends it: a script, or one
/// that waits for the connection of its first prompt.
pub(crate) fn remove_socket_files_at_end() {
    if !IS_HANDLED.load(Ordering::SeqCst) {
        // Without a handler, the files stay; the next program that listens there replaces them.
        let handler = TerminationHandler::start(|| ()).ok();
        *SOCKET_FILE_HANDLER.lock().unwrap_or_else(PoisonError::into_inner) = handler;
    }
}

/// A handler of the signals to a program at a prompt. Clones share the state.
#[derive(Debug, Default, Clone)]
pub(crate) struct InterruptHandler {
    /// The flag that Ctrl-C sets.
    interrupted: Arc<AtomicBool>,
    /// The queues that Ctrl-C interrupts.
    targets: Arc<Mutex<Vec<Arc<MessageQueue>>>>,
    suspend: SuspendHandler,
}

/// A handler of the signals that end a program without a prompt.
#[derive(Debug)]
pub struct TerminationHandler {
    handle: Handle,
    fired: Arc<AtomicBool>,
}

impl TerminationHandler {
    /// Calls `on_end` and removes the files of this process before a signal ends the program.
    pub fn start(on_end: impl Fn() + Send + 'static) -> io::Result<TerminationHandler> {
        let mut signals = Signals::new(termination_signals())?;
        IS_HANDLED.store(true, Ordering::SeqCst);
        let handle = signals.handle();
        let fired = Arc::new(AtomicBool::new(false));
        let set_fired = Arc::clone(&fired);
        std::thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                set_fired.store(true, Ordering::SeqCst);
                on_end();
                remove_owned_files();
                std::process::exit(128 + signal);
            }
        });
        Ok(TerminationHandler { handle, fired })
    }

    /// Stops handling signals. Never returns if a signal is already ending the program, so that the consequences of the
    /// signal are not reported as the reason.
    pub fn stop(self) {
        self.handle.close();
        IS_HANDLED.store(false, Ordering::SeqCst);
        while self.fired.load(Ordering::SeqCst) {
            std::thread::park();
        }
    }
}

/// Writes to the terminal unless that would block: a terminal whose output is not read must not delay the end.
fn write_unless_blocked(bytes: &[u8]) {
    let out = rustix::stdio::stdout();
    let mut fds = [PollFd::new(&out, PollFlags::OUT)];
    if poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(1) {
        let _ = rustix::io::write(out, bytes);
    }
}

impl InterruptHandler {
    /// Starts handling signals. Calls `on_end` and removes the files of this process before a signal ends the program.
    pub(crate) fn start(on_end: impl Fn() + Send + 'static) -> io::Result<InterruptHandler> {
        let handler = InterruptHandler::default();
        let shared = handler.clone();
        let original = tcgetattr(rustix::stdio::stdin()).ok();
        let mut signals = Signals::new(termination_signals().into_iter().chain([SIGTSTP]))?;
        if let Some(former) = SOCKET_FILE_HANDLER.lock().unwrap_or_else(PoisonError::into_inner).take() {
            former.stop();
        }
        IS_HANDLED.store(true, Ordering::SeqCst);
        std::thread::spawn(move || {
            for signal in signals.forever() {
                match signal {
                    SIGINT => shared.interrupt(),
                    SIGTSTP => shared.suspend.suspend_self(original.as_ref()),
                    _ => {
                        // The editor may have changed the terminal's mode.
                        if let Some(original) = &original {
                            let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, original);
                            write_unless_blocked(LEAVE_PROMPT);
                        }
                        on_end();
                        remove_owned_files();
                        std::process::exit(128 + signal);
                    }
                }
            }
        });
        Ok(handler)
    }

    fn interrupt(&self) {
        self.interrupted.store(true, Ordering::SeqCst);
        for queue in &*self.targets.lock().unwrap_or_else(PoisonError::into_inner) {
            queue.interrupt();
        }
    }

    /// Returns the flag that Ctrl-C sets.
    pub(crate) fn interrupted(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.interrupted)
    }

    pub(crate) fn suspend_handler(&self) -> SuspendHandler {
        self.suspend.clone()
    }

    /// Sets the queues that Ctrl-C interrupts, and discards earlier interrupts.
    pub(crate) fn set_targets(&self, queues: Vec<Arc<MessageQueue>>) {
        self.interrupted.store(false, Ordering::SeqCst);
        for queue in &queues {
            queue.clear_interrupt();
        }
        *self.targets.lock().unwrap_or_else(PoisonError::into_inner) = queues;
    }
}
