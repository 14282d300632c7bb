//! The pager: what is longer than the screen goes through it, as in git.

use std::io::{self, IsTerminal, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::terminal::size;
use crate::shell::settings::default_pager;

/// Whether a text does not fit on the screen at once.
pub(crate) fn is_long(text: &str) -> bool {
    let (columns, rows) = size();
    text.lines().map(|line| 1 + line.chars().count().saturating_sub(1) / columns).sum::<usize>() >= rows
}

/// Writes a text to standard output: at a terminal through the pager, where it is longer than the screen.
pub fn show_text(text: &str) -> io::Result<()> {
    let out = io::stdout();
    if out.is_terminal() && is_long(text) {
        // Ctrl-C is for the pager, which is to give the terminal back in order.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::new(AtomicBool::new(false)));
        if let Some(mut pager) = Pager::start(&default_pager()) {
            // A pager that was left early closes its input; that is no failure.
            let _ = pager.write_all(text.as_bytes());
            return Ok(());
        }
    }
    let mut out = out.lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A running pager. Dropping it waits until the user has left it.
pub(crate) struct Pager {
    child: Child,
    input: Option<ChildStdin>,
}

impl Pager {
    /// Starts `command`; `None` where it cannot be started.
    pub(crate) fn start(command: &str) -> Option<Pager> {
        let words = shlex::split(command)?;
        let (program, arguments) = words.split_first()?;
        let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).spawn().ok()?;
        let input = child.stdin.take();
        Some(Pager { child, input })
    }
}

impl Write for Pager {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.input {
            Some(input) => input.write(bytes),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.input.as_mut().map_or(Ok(()), ChildStdin::flush)
    }
}

impl Drop for Pager {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}
