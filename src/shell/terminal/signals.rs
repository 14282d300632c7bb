//! Signals at a prompt: Ctrl-C between two prompts, and being told to stop or to end.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::{Handle, Signals};

use crate::session::MessageQueue;

use super::suspend::SuspendHandler;

/// Who is to be woken by Ctrl-C.
#[derive(Debug, Default, Clone)]
pub(crate) struct InterruptHandler {
    flag: Arc<AtomicBool>,
    inbox: Arc<Mutex<Option<Arc<MessageQueue>>>>,
    stops: SuspendHandler,
}

/// A watch over the signals that end a program without a prompt.
#[derive(Debug)]
pub struct TerminationHandler {
    handle: Handle,
    fired: Arc<AtomicBool>,
}

impl TerminationHandler {
    /// For a program that has something to put in order: `on_end` is run before a signal ends it.
    pub fn start(on_end: impl Fn() + Send + 'static) -> io::Result<TerminationHandler> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let handle = signals.handle();
        let fired = Arc::new(AtomicBool::new(false));
        let ours = Arc::clone(&fired);
        std::thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                ours.store(true, Ordering::SeqCst);
                on_end();
                std::process::exit(128 + signal);
            }
        });
        Ok(TerminationHandler { handle, fired })
    }

    /// Ends the watch. Where a signal is ending the program already, that goes before: this then never returns, so that
    /// what the signal brings about is not mistaken for the reason.
    pub fn end(self) {
        self.handle.close();
        while self.fired.load(Ordering::SeqCst) {
            std::thread::park();
        }
    }
}

/// Says a last word, where the terminal takes it at once: one that is held up would hold up the end.
fn say_to_terminal(word: &[u8]) {
    let out = rustix::stdio::stdout();
    let mut fds = [PollFd::new(&out, PollFlags::OUT)];
    if poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(1) {
        let _ = rustix::io::write(out, word);
    }
}

impl InterruptHandler {
    /// Starts watching for signals. `on_end` is run before the program ends because it was told to.
    pub(crate) fn watch(on_end: impl Fn() + Send + 'static) -> io::Result<InterruptHandler> {
        let interrupts = InterruptHandler::default();
        let ours = interrupts.clone();
        let terminal = tcgetattr(rustix::stdio::stdin()).ok();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGTSTP])?;
        std::thread::spawn(move || {
            for signal in signals.forever() {
                if signal == SIGINT {
                    ours.flag.store(true, Ordering::SeqCst);
                    if let Some(inbox) = &*ours.inbox.lock().unwrap_or_else(PoisonError::into_inner) {
                        inbox.interrupt();
                    }
                    continue;
                }
                if signal == SIGTSTP {
                    ours.stops.take(terminal.as_ref());
                    continue;
                }
                // The editor may have the terminal; leave it as it was found.
                if let Some(terminal) = &terminal {
                    let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, terminal);
                    say_to_terminal(b"\x1b[?2004l\r\n");
                }
                on_end();
                std::process::exit(128 + signal);
            }
        });
        Ok(interrupts)
    }

    /// The flag that Ctrl-C sets.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// What Ctrl-Z does.
    pub(crate) fn stops(&self) -> SuspendHandler {
        self.stops.clone()
    }

    /// Points Ctrl-C at the inbox that may be waited on, and forgets earlier ones.
    pub(crate) fn set_target(&self, inbox: Option<Arc<MessageQueue>>) {
        self.flag.store(false, Ordering::SeqCst);
        if let Some(inbox) = &inbox {
            inbox.clear_interrupt();
        }
        *self.inbox.lock().unwrap_or_else(PoisonError::into_inner) = inbox;
    }
}
