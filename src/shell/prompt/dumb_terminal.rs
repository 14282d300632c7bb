//! Reading lines from a dumb terminal, such as one inside an editor: with only the terminal's own editing, and with
//! output on separate rows.

use std::io::{self, Write};
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::pipe;
use rustyline::ExternalPrinter;
use rustyline::error::ReadlineError;

/// A reader of lines that can be woken to show output.
#[derive(Debug)]
pub(super) struct DumbTerminalReader {
    wake_up: OwnedFd,
}

/// The printer that wakes a [`DumbTerminalReader`].
#[derive(Debug)]
pub(super) struct WakeUpPrinter(OwnedFd);

impl ExternalPrinter for WakeUpPrinter {
    /// Wakes the reader; the message does not matter.
    fn print(&mut self, _message: String) -> Result<(), ReadlineError> {
        rustix::io::write(&self.0, b"!").map(drop).map_err(|error| ReadlineError::Io(error.into()))
    }
}

impl DumbTerminalReader {
    /// Returns a reader and the printer that wakes it.
    pub(super) fn new() -> io::Result<(DumbTerminalReader, WakeUpPrinter)> {
        let (wake_up, printer) = pipe()?;
        Ok((DumbTerminalReader { wake_up }, WakeUpPrinter(printer)))
    }

    /// Shows the prompt and reads until `is_complete` accepts the text. `output` returns whole lines to show in the
    /// meantime.
    pub(super) fn read(
        &self,
        prompt: &str,
        output: &dyn Fn() -> String,
        is_complete: &dyn Fn(&str) -> bool,
    ) -> Result<String, ReadlineError> {
        let mut out = io::stdout();
        let mut typed = Vec::new();
        write!(out, "{}{prompt}", output())?;
        out.flush()?;
        loop {
            let (is_woken, has_input) = self.wait()?;
            if is_woken {
                // Takes all wake-ups at once, because one redraw shows everything.
                rustix::io::read(&self.wake_up, &mut [0; 16]).map_err(io::Error::from)?;
                let output = output();
                if !output.is_empty() {
                    write!(out, "\n{output}{prompt}")?;
                    out.flush()?;
                }
            }
            if has_input {
                let mut row = [0; 4096];
                // A terminal returns at most one row at a time.
                let len = match rustix::io::read(rustix::stdio::stdin(), &mut row) {
                    Err(rustix::io::Errno::INTR) => continue,
                    read => read.map_err(io::Error::from)?,
                };
                typed.extend_from_slice(&row[..len]);
                if len == 0 && typed.is_empty() {
                    return Err(ReadlineError::Eof);
                }
                if len == 0 || typed.ends_with(b"\n") {
                    let text = std::str::from_utf8(&typed).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
                    let text = text.trim_end_matches(['\n', '\r']);
                    if len == 0 || is_complete(text) {
                        return Ok(text.to_owned());
                    }
                }
            }
        }
    }

    /// Waits for a wake-up or input. Returns whether there is a wake-up, and whether there is input.
    fn wait(&self) -> io::Result<(bool, bool)> {
        let stdin = PollFd::from_borrowed_fd(rustix::stdio::stdin(), PollFlags::IN);
        let mut fds = [PollFd::new(&self.wake_up, PollFlags::IN), stdin];
        match poll(&mut fds, None) {
            Ok(_) => Ok((!fds[0].revents().is_empty(), !fds[1].revents().is_empty())),
            Err(rustix::io::Errno::INTR) => Ok((false, false)),
            Err(error) => Err(error.into()),
        }
    }
}
