//! The needs of a command: its server and its user, and the ways in which it fails.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::schema::Schema;
use crate::wire::Request;

use super::jobs::poll_job;

/// The QMP server that a command of the monitor uses, and the user who waits for it.
///
/// Queries are kept apart from requests that act, so that a line can be explained without executing it. The methods that
/// have a body are those of a server without descriptors or introspection, and of a program without a user.
pub(crate) trait QmpServer {
    /// Sends a request that changes nothing, and returns its return value.
    fn query(&mut self, request: &Request) -> Result<Value, Failure>;

    /// Sends requests that change nothing. Returns their return values or errors in the same order.
    fn query_all(&mut self, requests: &[Request]) -> Result<Vec<Result<Value, ServerError>>, Failure> {
        let reply = |request: &Request| match self.query(request) {
            Ok(value) => Ok(Ok(value)),
            Err(Failure::Error(error)) => Ok(Err(error)),
            Err(failure) => Err(failure),
        };
        requests.iter().map(reply).collect()
    }

    /// Sends a request that may change something, and returns its return value.
    fn execute(&mut self, request: &Request) -> Result<Value, Failure>;

    /// Does the same, without showing the events of these names that arrive before the reply.
    fn execute_quietly(&mut self, request: &Request, _events: &'static [&'static str]) -> Result<Value, Failure> {
        self.execute(request)
    }

    /// Sends a request with a file descriptor, which the server duplicates (`getfd`, `add-fd`).
    fn execute_with_fd(&mut self, request: &Request, _fd: BorrowedFd<'_>) -> Result<Value, Failure> {
        self.execute(request)
    }

    /// Returns whether the server can receive file descriptors: only over a Unix socket.
    fn can_receive_fds(&mut self) -> bool {
        false
    }

    /// Returns the server's introspection, if it has any.
    fn schema(&mut self) -> Option<Arc<Schema>> {
        None
    }

    /// Returns whether the server has a QMP command. True without introspection.
    fn has_command(&mut self, name: &str) -> bool {
        self.schema().is_none_or(|schema| schema.command(name).is_some())
    }

    /// Returns the major and the minor number of the server's version. `None` if it is not told.
    fn version(&mut self) -> Result<Option<(u64, u64)>, Failure> {
        let reply = self.query(&Request::new("query-version"))?;
        let number = |part: &str| reply["qemu"][part].as_u64();
        Ok(number("major").zip(number("minor")))
    }

    /// Waits before the server is asked again. Events are shown in the meantime, and Ctrl-C ends the wait with
    /// [`Failure::Interrupted`].
    fn pause(&mut self, duration: Duration) -> Result<(), Failure>;

    /// Waits until a job has a status, or has concluded, and returns it as `query-jobs` does. A job that concludes must
    /// not dismiss itself.
    fn wait_for_job(&mut self, id: &str, status: &str) -> Result<Value, Failure> {
        poll_job(self, id, status)
    }

    /// Hides the events of a job that the user did not start, until this is called again. `None` shows those of all jobs.
    fn hide_job(&mut self, _id: Option<&str>) {}

    /// Shows the progress of a long operation, in place of the progress shown before. Scripts do not show it.
    fn show_progress(&mut self, _text: &str) {}

    /// Shows a sentence apart from the command's text.
    fn show_notice(&mut self, _text: &str) {}

    /// Asks the user for a secret, which is not echoed. `None` if there is no user to ask.
    fn ask_for_secret(&mut self, _prompt: &str) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    /// Returns the lines of the monitor that the user has entered, oldest first.
    fn history(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// An error reply of the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ServerError {
    pub(crate) class: String,
    pub(crate) desc: String,
}

/// The reason why a command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server refused a request. QEMU's own monitor prints `Error: DESC`.
    Error(ServerError),
    /// The command's text, lines with their ends, which tells what is wrong.
    Text(String),
    /// The user pressed Ctrl-C. The shell has told what is still under way in the server.
    Interrupted,
    /// There is no reply, and the shell has reported why.
    Ended,
}

impl Failure {
    /// Returns a failure with the text `Error: DESC`.
    pub(crate) fn error(desc: impl Into<String>) -> Failure {
        Failure::Error(ServerError { class: "GenericError".to_owned(), desc: desc.into() })
    }

    /// Returns a failure with a text of one line, which ends without a line end.
    pub(crate) fn line(text: impl Into<String>) -> Failure {
        Failure::Text(text.into() + "\n")
    }

    /// Returns a failure of a command's arguments without a reason, which points to the help.
    pub(crate) fn wrong_usage(command: &str) -> Failure {
        Failure::line(format!("Try \"help {command}\" for more information"))
    }

    /// Replaces the message of an error of the server, if `translate` returns another one.
    pub(crate) fn map_error(self, translate: impl FnOnce(&str) -> Option<String>) -> Failure {
        match self {
            Failure::Error(ServerError { class, desc }) => {
                let desc = translate(&desc).unwrap_or(desc);
                Failure::Error(ServerError { class, desc })
            }
            failure => failure,
        }
    }

    /// Returns the failure without the prefix `Error: `, which QEMU's own monitor leaves out for some commands.
    pub(crate) fn without_prefix(self) -> Failure {
        match self {
            Failure::Error(error) => Failure::line(error.desc),
            failure => failure,
        }
    }

    /// Returns the value that the server refused because it is not in an enumeration.
    pub(crate) fn refused_value(&self) -> Option<&str> {
        let Failure::Error(error) = self else { return None };
        let (_, value) = error.desc.split_once("does not accept value '")?;
        value.strip_suffix('\'')
    }

    /// Rewords the refusal of a value that is not in an enumeration. QEMU's own monitor parses some enumerations itself.
    pub(crate) fn with_reworded_value(self) -> Failure {
        match self.refused_value() {
            Some(value) => Failure::error(format!("invalid parameter value: {value}")),
            None => self,
        }
    }

    /// Returns the failure as an error of the server. A text becomes the description of one.
    pub(crate) fn into_error(self) -> ServerError {
        match self {
            Failure::Error(error) => error,
            failure => ServerError { class: "GenericError".to_owned(), desc: failure.text().trim_end().to_owned() },
        }
    }

    /// Returns the text that the monitor prints, with its line ends; empty if the shell has reported the failure.
    pub(crate) fn text(&self) -> String {
        match self {
            Failure::Error(error) => format!("Error: {}\n", error.desc),
            Failure::Text(text) => text.clone(),
            Failure::Interrupted | Failure::Ended => String::new(),
        }
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Failure {
        Failure::Error(error)
    }
}
