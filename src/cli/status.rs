//! Exit statuses, and the one place where errors become messages.

use std::io::Write;
use std::process::ExitCode;

use crate::shell::Ending;

/// What the program's end means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// All succeeded.
    Success = 0,
    /// A line failed.
    LineFailed = 1,
    /// Wrong usage.
    Usage = 2,
    /// Could not connect or negotiate.
    NotConnected = 3,
    /// The connection was lost before the script's end.
    Lost = 4,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> ExitCode {
        ExitCode::from(status as u8)
    }
}

/// An error on its way out, and the status it ends the program with.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: Status,
    pub(super) error: anyhow::Error,
}

impl Failure {
    /// `error` with its status.
    pub(super) fn new(status: Status, error: impl Into<anyhow::Error>) -> Failure {
        Failure {
            status,
            error: error.into(),
        }
    }
}

/// Ends a program: its error as a message on standard error, and its status.
pub(super) fn end(program: &str, result: Result<Status, Failure>) -> ExitCode {
    match result {
        Ok(status) => status.into(),
        Err(failure) => {
            // Standard error may be closed; the status says it all the same.
            let _ = writeln!(std::io::stderr(), "{program}: {}", message(&failure.error));
            failure.status.into()
        }
    }
}

/// An error and its causes, each said once: some say their cause themselves.
fn message(error: &anyhow::Error) -> String {
    error.chain().skip(1).fold(error.to_string(), |said, cause| {
        let cause = cause.to_string();
        if said.ends_with(&cause) {
            said
        } else {
            format!("{said}: {cause}")
        }
    })
}

/// The status of a script's end.
pub(super) fn of_ending(ending: Ending) -> Result<Status, Failure> {
    match ending {
        // Whoever read our output has enough of it.
        Ending::Succeeded | Ending::OutputClosed => Ok(Status::Success),
        Ending::Failed => Ok(Status::LineFailed),
        Ending::Lost => Ok(Status::Lost),
        Ending::Io(error) => Err(Failure::new(Status::LineFailed, error)),
    }
}
