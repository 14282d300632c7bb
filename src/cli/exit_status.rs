//! Exit statuses, and the one place where errors become messages.

use std::io::Write;
use std::process::ExitCode;

use crate::render::sanitize;
use crate::shell::ScriptEnd;

/// What the program's end means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// All succeeded.
    Success = 0,
    /// A line failed.
    LineFailed = 1,
    /// Wrong usage.
    Usage = 2,
    /// Could not connect or negotiate.
    NotConnected = 3,
    /// The connection was lost before the script's end.
    Disconnected = 4,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> ExitCode {
        ExitCode::from(status as u8)
    }
}

/// An error on its way out, and the status it ends the program with.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: Status,
    pub(crate) error: anyhow::Error,
}

impl Failure {
    /// `error` with its status.
    pub(crate) fn new(status: Status, error: impl Into<anyhow::Error>) -> Failure {
        Failure { status, error: error.into() }
    }
}

/// Ends a program: its error as a message on standard error, and its status.
pub(crate) fn end(program: &str, result: Result<Status, Failure>) -> ExitCode {
    match result {
        Ok(status) => status.into(),
        Err(failure) => {
            // Standard error may be closed; the status says it all the same.
            let message = message_of(&failure.error);
            let _ = writeln!(std::io::stderr(), "{program}: {}", sanitize(&message));
            failure.status.into()
        }
    }
}

/// An error with its causes, each said once: the messages of our own errors end in their cause already.
pub(crate) fn message_of(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// The status of a script's end.
pub(crate) fn of_ending(ending: ScriptEnd) -> Result<Status, Failure> {
    match ending {
        // Whoever read our output has enough of it.
        ScriptEnd::Succeeded | ScriptEnd::OutputClosed => Ok(Status::Success),
        ScriptEnd::Failed => Ok(Status::LineFailed),
        ScriptEnd::Disconnected => Ok(Status::Disconnected),
        ScriptEnd::Unreadable(path, error) => {
            let message = format!("cannot read the script `{}`", path.display());
            Err(Failure::new(Status::Usage, anyhow::Error::new(error).context(message)))
        }
        ScriptEnd::Io(error) => Err(Failure::new(Status::LineFailed, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::QemuStartError;
    use std::io;

    #[test]
    fn a_cause_is_said_once() {
        let source = || io::Error::other("no such thing");
        let ours = QemuStartError::Start { program: "qemu".to_owned(), source: source() };
        assert_eq!(message_of(&anyhow::Error::new(ours)), "cannot run `qemu`: no such thing");
        let wrapped = anyhow::Error::new(source()).context("cannot write `x`");
        assert_eq!(message_of(&wrapped), "cannot write `x`: no such thing");
    }
}
