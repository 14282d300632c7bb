//! The inherited standard streams, and writing to them.

use std::io::{self, Write};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::shell::ScriptEnd;

use super::exit_status::{Failure, Status};

/// Puts standard input, output and error into blocking mode. A program that shares them, such as a build server, may
/// have set `O_NONBLOCK`; output that is written faster than it is read would then be lost.
pub(super) fn make_blocking() {
    for stream in [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()] {
        // Closed streams have no flags.
        if let Ok(flags) = fcntl_getfl(stream)
            && flags.contains(OFlags::NONBLOCK)
        {
            let _ = fcntl_setfl(stream, flags - OFlags::NONBLOCK);
        }
    }
}

/// Writes `text` to standard output. A reader that has closed it is not an error.
pub(super) fn print(text: impl AsRef<[u8]>) -> Result<Status, Failure> {
    finish_printing(io::stdout().write_all(text.as_ref()))
}

/// Flushes standard output after something was `written` to it. A reader that has closed it is not an error.
pub(super) fn finish_printing(written: io::Result<()>) -> Result<Status, Failure> {
    match written.and_then(|()| io::stdout().flush()) {
        Ok(()) => Ok(Status::Success),
        Err(error) => Status::from_script_end(ScriptEnd::from_write_error(error)),
    }
}

/// Writes a line to standard error. A failure to write there cannot be reported anywhere.
pub(super) fn report(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
