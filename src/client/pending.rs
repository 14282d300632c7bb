//! A command that is under way.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::session::Disconnected;
use crate::wire::{Reply, ReplyBody, Request};

use super::error::ExecuteError;

/// What comes of a request.
pub(super) type Outcome = Result<Reply, Disconnected>;

/// A command that was sent and not yet waited for; see [`Client::begin`](super::Client::begin).
///
/// ```
/// # let qemu = qmp_shell::Client::connect("demo:")?;
/// use qmp_shell::Request;
/// use serde_json::{Value, json};
///
/// // Several objects, asked for together.
/// let paths = ["/", "/machine", "/objects"];
/// let begun = paths.map(|path| {
///     let arguments = json!({"path": path, "property": "type"});
///     qemu.begin(Request::new("qom-get").with_arguments(arguments.to_string()))
/// });
/// for (path, pending) in paths.into_iter().zip(begun) {
///     let kind: Value = pending?.wait()?;
///     println!("{path} is of the type {kind}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Dropped, the command goes on in the server, and its reply is passed over when it comes.
#[derive(Debug)]
#[must_use = "the reply is passed over unless it is waited for"]
pub struct Pending {
    pub(super) request: Box<Request>,
    pub(super) outcome: Receiver<Outcome>,
}

impl Pending {
    /// What was sent.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Waits for the reply, which may be an error of the server's: that one is no `Err`. Only the end of the connection is:
    /// [`ExecuteError::Unanswered`].
    pub fn reply(self) -> Result<Reply, ExecuteError> {
        self.outcome().map_err(|lost| ExecuteError::Unanswered { request: self.request, lost })
    }

    fn outcome(&self) -> Outcome {
        // The thread that hands out replies says how the connection ended before it goes.
        self.outcome.recv().unwrap_or(Err(Disconnected::Closed))
    }

    /// Waits for the reply for so long; the inner `Err` is the command again, still under way, where there is none by
    /// then.
    ///
    /// ```
    /// # let qemu = qmp_shell::Client::connect("demo:")?;
    /// use std::time::Duration;
    /// use qmp_shell::Request;
    ///
    /// let mut pending = qemu.begin(Request::new("query-block"))?;
    /// let reply = loop {
    ///     match pending.reply_within(Duration::from_millis(100))? {
    ///         Ok(reply) => break reply,
    ///         Err(still) => pending = still,
    ///     }
    ///     println!("not yet");
    /// };
    /// assert!(reply.succeeded());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reply_within(self, timeout: Duration) -> Result<Result<Reply, Pending>, ExecuteError> {
        match self.outcome.recv_timeout(timeout) {
            Ok(Ok(reply)) => Ok(Ok(reply)),
            Err(RecvTimeoutError::Timeout) => Ok(Err(self)),
            Ok(Err(lost)) => Err(ExecuteError::Unanswered { request: self.request, lost }),
            Err(RecvTimeoutError::Disconnected) => {
                Err(ExecuteError::Unanswered { request: self.request, lost: Disconnected::Closed })
            }
        }
    }

    /// Waits for what the command returns, as a `T`. Fails as [`Client::execute`](super::Client::execute) does.
    pub fn wait<T: DeserializeOwned>(self) -> Result<T, ExecuteError> {
        let outcome = self.outcome();
        let request = self.request;
        let reply = match outcome {
            Ok(reply) => Box::new(reply),
            Err(lost) => return Err(ExecuteError::Unanswered { request, lost }),
        };
        match reply.body() {
            ReplyBody::Error { .. } => Err(ExecuteError::Refused { request, reply }),
            ReplyBody::Return(raw) => match serde_json::from_str(raw) {
                Ok(value) => Ok(value),
                Err(source) => Err(ExecuteError::Return { request, reply, source }),
            },
        }
    }
}
