//! What can go wrong with a call, and with listening. Each error carries what was sent and what came.

use crate::session::Disconnected;
use crate::wire::{Reply, ReplyBody, Request};

/// Why a command has no result.
///
/// ```
/// use qmp_shell::{Client, Empty, ExecuteError};
/// use serde_json::json;
///
/// let qemu = Client::connect("demo:")?;
/// let error = qemu.execute::<Empty>("device_del", json!({"id": "net7"})).unwrap_err();
///
/// // What came: a class for programs, a sentence for people.
/// assert_eq!(error.class(), Some("DeviceNotFound"));
/// println!("{}", error.desc().unwrap());
/// // What was sent.
/// assert_eq!(error.request().unwrap().command, "device_del");
/// // Whether it is safe to send it again.
/// assert!(!error.may_have_run());
///
/// qemu.close();
/// let error = qemu.execute::<Empty>("stop", ()).unwrap_err();
/// assert!(matches!(error, ExecuteError::NotSent { .. }));
/// assert_eq!(error.to_string(), "`stop` was not sent: this side closed the connection");
/// # Ok::<(), qmp_shell::ConnectError>(())
/// ```
///
/// The message never shows arguments; the request, whose arguments [`Debug`](std::fmt::Debug) shows without secrets, is
/// in [`ExecuteError::request`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// The arguments cannot be said in JSON, are no object, or are nested deeper than servers read. Nothing was sent.
    #[error("the arguments of `{command}` are no JSON object: {reason}")]
    Arguments {
        /// The command.
        command: String,
        /// What is wrong.
        reason: String,
    },
    /// The server answered with an error.
    #[error("`{}`: {}", .request.command, sentence(.reply))]
    Refused {
        /// What was sent.
        request: Box<Request>,
        /// What came.
        reply: Box<Reply>,
    },
    /// A descriptor was to be passed along, which only a Unix socket does, and a command's stream not. Nothing was sent.
    #[error("`{}` was not sent: descriptors pass over a Unix socket only", .request.command)]
    NoDescriptors {
        /// What would have been sent.
        request: Box<Request>,
    },
    /// Nothing was sent: the connection had ended before, or the operating system took none of it.
    #[error("`{}` was not sent: {lost}", .request.command)]
    NotSent {
        /// What would have been sent.
        request: Box<Request>,
        /// How the connection ended.
        lost: Disconnected,
    },
    /// The connection ended after some or all of the command was sent, and before it was answered. Nobody can know whether it
    /// was carried out.
    #[error("{lost} before `{}` was answered; nobody can know whether it was carried out", .request.command)]
    Unanswered {
        /// What was sent.
        request: Box<Request>,
        /// How the connection ended.
        lost: Disconnected,
    },
    /// The command was carried out, but what it returned does not fit the type that was asked for.
    #[error("what `{}` returned does not fit: {source}", .request.command)]
    Return {
        /// What was sent.
        request: Box<Request>,
        /// What came.
        reply: Box<Reply>,
        /// Where it does not fit.
        source: serde_json::Error,
    },
}

fn sentence(reply: &Reply) -> String {
    match reply.body() {
        ReplyBody::Error { class, desc } => format!("{class}: {desc}"),
        ReplyBody::Return(_) => "it succeeded".to_owned(),
    }
}

impl ExecuteError {
    /// What was sent, or would have been; `None` for [`ExecuteError::Arguments`].
    pub fn request(&self) -> Option<&Request> {
        match self {
            ExecuteError::Arguments { .. } => None,
            ExecuteError::Refused { request, .. }
            | ExecuteError::NoDescriptors { request }
            | ExecuteError::NotSent { request, .. }
            | ExecuteError::Unanswered { request, .. }
            | ExecuteError::Return { request, .. } => Some(request),
        }
    }

    /// What came: the server's error, or the return value that did not fit. `None` where nothing came.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            ExecuteError::Refused { reply, .. } | ExecuteError::Return { reply, .. } => Some(reply),
            _ => None,
        }
    }

    /// The class of the server's error, such as `GenericError` or `CommandNotFound`; `None` where it sent none.
    pub fn class(&self) -> Option<&str> {
        match self.reply()?.body() {
            ReplyBody::Error { class, .. } => Some(class),
            ReplyBody::Return(_) => None,
        }
    }

    /// The server's sentence for people; `None` where it sent no error.
    pub fn desc(&self) -> Option<&str> {
        match self.reply()?.body() {
            ReplyBody::Error { desc, .. } => Some(desc),
            ReplyBody::Return(_) => None,
        }
    }

    /// Whether the command may have been carried out all the same. Where it may not, it can be sent again.
    pub fn may_have_run(&self) -> bool {
        matches!(self, ExecuteError::Unanswered { .. } | ExecuteError::Return { .. })
    }
}

/// Why no more events come.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The connection has ended. All events that came before were handed out.
    #[error("{0}")]
    Disconnected(#[from] Disconnected),
    /// The filter panicked, so this listener was cut off.
    #[error("the filter of this listener panicked; there are no more events for it")]
    Filter,
    /// 64 MiB of events waited to be taken, so this listener was cut off. Events are missing from here on.
    #[error("more than 64 MiB of events waited to be taken; those after them are lost to this listener")]
    Overflow,
}
