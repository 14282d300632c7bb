//! Errors of calls and of listening. Each carries what was sent and what was received.

use std::fmt;

use crate::session::Disconnected;
use crate::wire::{Reply, ReplyBody, Request, Revealed};

/// The error of a command that returned no result.
///
/// ```
/// use qmp_shell::{Client, Empty, ExecuteError};
/// use serde_json::json;
///
/// let qemu = Client::connect("demo:")?;
/// let error = qemu.execute::<Empty>("device_del", json!({"id": "net7"})).unwrap_err();
///
/// // The server's error: a class for programs, a description for humans.
/// assert_eq!(error.class(), Some("DeviceNotFound"));
/// println!("{}", error.desc().unwrap());
/// // The request that was sent.
/// assert_eq!(error.request().unwrap().command, "device_del");
/// // Whether sending it again could execute it twice.
/// assert!(!error.may_have_run());
///
/// qemu.close();
/// let error = qemu.execute::<Empty>("stop", ()).unwrap_err();
/// assert!(matches!(error, ExecuteError::NotSent { .. }));
/// assert_eq!(error.to_string(), "`stop` was not sent: this side closed the connection");
/// # Ok::<(), qmp_shell::ConnectError>(())
/// ```
///
/// The message never shows arguments. [`ExecuteError::request`] has the request. [`Debug`](std::fmt::Debug) output shows the
/// message and the request, without secrets.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// The arguments cannot be written as JSON, are not an object, or are nested deeper than servers read. Nothing was
    /// sent.
    #[error("arguments of `{command}` must be a JSON object: {reason}")]
    Arguments {
        /// The command's name.
        command: String,
        /// The reason.
        reason: String,
    },
    /// The server replied with an error.
    #[error("`{}`: {}", .request.command, description(.request, .reply))]
    Refused {
        /// The request.
        request: Box<Request>,
        /// The reply.
        reply: Box<Reply>,
    },
    /// File descriptors can be passed only over a Unix socket whose peer is not a child of this process. Nothing was
    /// sent.
    #[error("`{}` was not sent: file descriptors can be passed only over a Unix socket", .request.command)]
    CannotPassFd {
        /// The request.
        request: Box<Request>,
    },
    /// Nothing was sent, because the connection had ended.
    #[error("`{}` was not sent: {disconnected}", .request.command)]
    NotSent {
        /// The request.
        request: Box<Request>,
        /// Why the connection ended.
        disconnected: Disconnected,
    },
    /// The connection ended before the reply, after all or part of the request was sent. The server may or may not have
    /// executed it.
    #[error("{disconnected} before `{}` was answered; it may or may not have been executed", .request.command)]
    Unanswered {
        /// The request.
        request: Box<Request>,
        /// Why the connection ended.
        disconnected: Disconnected,
    },
    /// The command was executed, but its return value is not of the requested type.
    #[error("the return value of `{}` is not of the requested type{}", .request.command, type_error(.request, .source))]
    Return {
        /// The request.
        request: Box<Request>,
        /// The reply.
        reply: Box<Reply>,
        /// The deserialisation error.
        source: serde_json::Error,
    },
}

fn description(request: &Request, reply: &Reply) -> String {
    match reply.body() {
        ReplyBody::Error { class, desc } => format!("{class}: {}", request.without_secrets(desc)),
        ReplyBody::Return(_) => "it succeeded".to_owned(),
    }
}

/// Returns the reason why a value is not of the requested type, unless it could show a secret value.
fn type_error(request: &Request, error: &serde_json::Error) -> String {
    match request.revealed() {
        Revealed::Nothing => format!(": {}", request.without_secrets(&error.to_string())),
        _ => String::new(),
    }
}

/// Shows no reply, which may contain a secret that was sent or asked for.
impl fmt::Debug for ExecuteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecuteError")
            .field("message", &format_args!("{self}"))
            .field("request", &self.request())
            .finish_non_exhaustive()
    }
}

impl ExecuteError {
    /// Returns the request, sent or not; `None` for [`ExecuteError::Arguments`].
    pub fn request(&self) -> Option<&Request> {
        match self {
            ExecuteError::Arguments { .. } => None,
            ExecuteError::Refused { request, .. }
            | ExecuteError::CannotPassFd { request }
            | ExecuteError::NotSent { request, .. }
            | ExecuteError::Unanswered { request, .. }
            | ExecuteError::Return { request, .. } => Some(request),
        }
    }

    /// Returns the reply: an error, or a return value of another type. `None` if there was no reply.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            ExecuteError::Refused { reply, .. } | ExecuteError::Return { reply, .. } => Some(reply),
            _ => None,
        }
    }

    /// Returns the class of the server's error, such as `GenericError` or `CommandNotFound`.
    pub fn class(&self) -> Option<&str> {
        match self.reply()?.body() {
            ReplyBody::Error { class, .. } => Some(class),
            ReplyBody::Return(_) => None,
        }
    }

    /// Returns the server's human-readable description of its error.
    pub fn desc(&self) -> Option<&str> {
        match self.reply()?.body() {
            ReplyBody::Error { desc, .. } => Some(desc),
            ReplyBody::Return(_) => None,
        }
    }

    /// Returns whether the command may have been executed despite the error. If not, it is safe to send it again.
    pub fn may_have_run(&self) -> bool {
        matches!(self, ExecuteError::Unanswered { .. } | ExecuteError::Return { .. })
    }
}

/// The reason why a job did not end well, as far as is known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The server does not list the job, and this client has seen no event of its end.
    #[error("unknown job `{id}`")]
    Unknown {
        /// The job's id.
        id: String,
    },
    /// The job failed.
    #[error("job `{id}` failed: {}", .reason.as_deref().unwrap_or("the server has not told why"))]
    Failed {
        /// The job's id.
        id: String,
        /// The server's reason. `None` if the job was dismissed before it could be read, and no event told.
        reason: Option<String>,
    },
    /// The job was cancelled.
    #[error("job `{id}` was cancelled")]
    Cancelled {
        /// The job's id.
        id: String,
    },
    /// The job has not ended in time. It goes on.
    #[error("job `{id}` has not ended in time{}", status_in_words(.status.as_ref()))]
    TimedOut {
        /// The job's id.
        id: String,
        /// The job's status; `None` if the server did not answer.
        status: Option<String>,
    },
    /// The server could not be asked.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
}

/// The reason why a migration did not end well, as far as is known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// No migration has been started.
    #[error("no migration has been started")]
    NotStarted,
    /// The migration failed.
    #[error("the migration failed: {}", .reason.as_deref().unwrap_or("the server has not told why"))]
    Failed {
        /// The server's reason, if it told one.
        reason: Option<String>,
    },
    /// The migration was cancelled.
    #[error("the migration was cancelled")]
    Cancelled,
    /// The migration has not ended in time. It goes on.
    #[error("the migration has not ended in time{}", status_in_words(.status.as_ref()))]
    TimedOut {
        /// The migration's status; `None` if the server did not answer.
        status: Option<String>,
    },
    /// The server could not be asked.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
}

/// Returns the end of a sentence about the status of something that has not ended.
fn status_in_words(status: Option<&String>) -> String {
    match status {
        Some(status) => format!("; it is {status}"),
        None => "; the server does not answer".to_owned(),
    }
}

/// The reason why a listener receives no more events.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The connection has ended. All events that were received before have been returned.
    #[error("{0}")]
    Disconnected(#[from] Disconnected),
    /// The filter panicked, so this listener was disconnected.
    #[error("the filter of this listener panicked; it receives no more events")]
    FilterPanicked,
    /// More than 64 MiB of events were queued, so this listener was disconnected. Later events are lost.
    #[error("more than 64 MiB of events were queued; this listener receives no more events")]
    Overflow,
}
