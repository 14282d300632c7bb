//! Exit statuses, and the one place where errors become messages.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::render::sanitize;
use crate::shell::{LineOutcome, ScriptEnd};

/// The exit status of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Success = 0,
    Failed = 1,
    UsageError = 2,
    /// Connecting or negotiating failed.
    NotConnected = 3,
    /// The connection was lost.
    Disconnected = 4,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> ExitCode {
        ExitCode::from(status as u8)
    }
}

impl From<LineOutcome> for Status {
    fn from(outcome: LineOutcome) -> Status {
        match outcome {
            LineOutcome::Done | LineOutcome::Leave => Status::Success,
            LineOutcome::Failed => Status::Failed,
            LineOutcome::Disconnected => Status::Disconnected,
        }
    }
}

impl Status {
    /// Returns the status for the end of a script, or its error.
    pub(crate) fn from_script_end(end: ScriptEnd) -> Result<Status, Failure> {
        match end {
            // The reader of standard output needs no more.
            ScriptEnd::Succeeded | ScriptEnd::OutputClosed => Ok(Status::Success),
            ScriptEnd::Failed => Ok(Status::Failed),
            ScriptEnd::Disconnected => Ok(Status::Disconnected),
            ScriptEnd::Unreadable(path, error) => {
                let message = format!("cannot read the script `{}`", path.display());
                Err(Failure::new(Status::UsageError, anyhow::Error::new(error).context(message)))
            }
            ScriptEnd::Io(error) => Err(Failure::new(Status::Failed, error)),
        }
    }
}

/// An error that ends a program, and the exit status.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: Status,
    error: anyhow::Error,
}

impl Failure {
    pub(crate) fn new(status: Status, error: impl Into<anyhow::Error>) -> Failure {
        Failure { status, error: error.into() }
    }

    /// Returns a failure that has a message and no other cause.
    pub(crate) fn with_message(status: Status, message: impl Into<String>) -> Failure {
        Failure { status, error: anyhow::Error::msg(message.into()) }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::with_message(Status::UsageError, message)
    }

    pub(crate) fn not_connected(error: impl Into<anyhow::Error>) -> Failure {
        Failure::new(Status::NotConnected, error)
    }

    /// Returns the message, and each cause after it unless the message already ends with that cause, as the messages of
    /// this package's errors do.
    pub(crate) fn message(&self) -> String {
        let mut text = self.error.to_string();
        for cause in self.error.chain().skip(1).map(ToString::to_string) {
            if !text.ends_with(&cause) {
                text = format!("{text}: {cause}");
            }
        }
        text
    }
}

/// Reports the error of a program, if there is one, on standard error. Returns the exit code.
pub(super) fn end_program(program: &str, result: Result<Status, Failure>) -> ExitCode {
    match result {
        Ok(status) => status.into(),
        Err(failure) => {
            // Standard error may be closed; the exit status reports the failure all the same.
            let _ = writeln!(io::stderr(), "{program}: {}", sanitize(&failure.message()));
            failure.status.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::QemuStartError;

    #[test]
    fn reports_each_cause_once() {
        let source = || io::Error::other("no such thing");
        let own_error = QemuStartError::Start { program: "qemu".to_owned(), source: source() };
        let failure = Failure::not_connected(own_error);
        assert_eq!(failure.message(), "cannot run `qemu`: no such thing");
        let failure = Failure::new(Status::Failed, anyhow::Error::new(source()).context("cannot write `x`"));
        assert_eq!(failure.message(), "cannot write `x`: no such thing");
    }
}
