//! Lines from a terminal that can little, such as one inside an editor: no editing but the terminal's own, and what
//! arrives meanwhile stands on rows of its own.

use std::io::{self, Write};
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::pipe;
use rustyline::ExternalPrinter;
use rustyline::error::ReadlineError;

/// Reads lines, and is woken when there is something to show.
#[derive(Debug)]
pub(crate) struct DumbTerminalReader {
    woken: OwnedFd,
}

/// Wakes whoever reads.
#[derive(Debug)]
pub(crate) struct Waker(OwnedFd);

impl ExternalPrinter for Waker {
    /// What is said is of no interest.
    fn print(&mut self, _message: String) -> Result<(), ReadlineError> {
        rustix::io::write(&self.0, b"!").map(drop).map_err(|error| ReadlineError::Io(error.into()))
    }
}

impl DumbTerminalReader {
    /// A reader, and what wakes it.
    pub(crate) fn new() -> io::Result<(DumbTerminalReader, Waker)> {
        let (woken, waker) = pipe()?;
        Ok((DumbTerminalReader { woken }, Waker(waker)))
    }

    /// Shows the prompt and reads until `is_whole`. `news` is what is to be shown by then, each line ended.
    pub(crate) fn read(
        &self,
        prompt: &str,
        news: &dyn Fn() -> String,
        is_whole: &dyn Fn(&str) -> bool,
    ) -> Result<String, ReadlineError> {
        let mut out = io::stdout();
        let mut typed = Vec::new();
        write!(out, "{}{prompt}", news())?;
        out.flush()?;
        loop {
            let (is_woken, is_typed) = self.wait()?;
            if is_woken {
                // One is enough; each redraw shows all there is.
                rustix::io::read(&self.woken, &mut [0; 16]).map_err(io::Error::from)?;
                let news = news();
                if !news.is_empty() {
                    write!(out, "\n{news}{prompt}")?;
                    out.flush()?;
                }
            }
            if is_typed {
                let mut row = [0; 4096];
                // A terminal gives no more than a row at a time, so nothing is kept from who reads next.
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
                    if len == 0 || is_whole(text) {
                        return Ok(text.to_owned());
                    }
                }
            }
        }
    }

    /// Waits until there is something to do: whether we are woken, and whether something is typed.
    fn wait(&self) -> io::Result<(bool, bool)> {
        let stdin = PollFd::from_borrowed_fd(rustix::stdio::stdin(), PollFlags::IN);
        let mut fds = [PollFd::new(&self.woken, PollFlags::IN), stdin];
        match poll(&mut fds, None) {
            Ok(_) => Ok((!fds[0].revents().is_empty(), !fds[1].revents().is_empty())),
            Err(rustix::io::Errno::INTR) => Ok((false, false)),
            Err(error) => Err(error.into()),
        }
    }
}
