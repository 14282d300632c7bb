//! A command in flight.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::session::Disconnected;
use crate::wire::{Reply, ReplyBody, Request};

use super::error::ExecuteError;

/// The reply to a request, or the reason why there is none.
pub(super) type Outcome = Result<Reply, Disconnected>;

/// A function that returns whether to give up a wait.
pub(crate) type IsCancelled<'a> = &'a dyn Fn() -> bool;

/// The time between two calls of an [`IsCancelled`].
pub(super) const CANCEL_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The time after which the programs announce the wait for a reply.
#[cfg(feature = "programs")]
pub(crate) const REPLY_ANNOUNCEMENT_DELAY: Duration = Duration::from_secs(5);

/// A command in flight; see [`Client::start`](super::Client::start).
///
/// ```
/// # let qemu = qmp_shell::Client::connect("demo:")?;
/// use qmp_shell::Request;
/// use serde_json::{Value, json};
///
/// // Several objects, queried together.
/// let paths = ["/", "/machine", "/objects"];
/// let pending = paths.map(|path| {
///     let arguments = json!({"path": path, "property": "type"});
///     qemu.start(Request::new("qom-get").with_arguments(arguments.to_string()))
/// });
/// for (path, pending) in paths.into_iter().zip(pending) {
///     let kind: Value = pending?.wait()?;
///     println!("{path} is of type {kind}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// If this is dropped, the server still executes the command, and the reply is ignored.
#[derive(Debug)]
#[must_use = "a dropped `Pending` ignores the reply"]
pub struct Pending {
    pub(super) request: Box<Request>,
    pub(super) outcome: Receiver<Outcome>,
}

impl Pending {
    /// Returns the request that was sent.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Waits for the reply. An error reply is `Ok`; only the end of the connection is an `Err`,
    /// [`ExecuteError::Unanswered`].
    pub fn reply(self) -> Result<Reply, ExecuteError> {
        self.outcome().map_err(|disconnected| ExecuteError::Unanswered { request: self.request, disconnected })
    }

    fn outcome(&self) -> Outcome {
        // The reader thread sends the reason before it ends.
        self.outcome.recv().unwrap_or(Err(Disconnected::Closed))
    }

    /// Waits up to `timeout` for the reply. After the timeout, the inner `Err` returns the command, which is still in
    /// flight.
    ///
    /// ```
    /// # let qemu = qmp_shell::Client::connect("demo:")?;
    /// use std::time::Duration;
    /// use qmp_shell::Request;
    ///
    /// let mut pending = qemu.start(Request::new("query-block"))?;
    /// let reply = loop {
    ///     match pending.reply_within(Duration::from_millis(100))? {
    ///         Ok(reply) => break reply,
    ///         Err(in_flight) => pending = in_flight,
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
            Ok(Err(disconnected)) => Err(ExecuteError::Unanswered { request: self.request, disconnected }),
            Err(RecvTimeoutError::Disconnected) => {
                Err(ExecuteError::Unanswered { request: self.request, disconnected: Disconnected::Closed })
            }
        }
    }

    /// Waits for the reply as [`Pending::reply`] does. `Ok(None)` if `is_cancelled`, which is called again and again, returns
    /// true before it comes.
    #[cfg(feature = "programs")]
    pub(crate) fn reply_unless(mut self, is_cancelled: IsCancelled<'_>) -> Result<Option<Reply>, ExecuteError> {
        loop {
            match self.reply_within(CANCEL_POLL_INTERVAL)? {
                Ok(reply) => return Ok(Some(reply)),
                Err(_) if is_cancelled() => return Ok(None),
                Err(in_flight) => self = in_flight,
            }
        }
    }

    /// Waits for the return value, as a `T`. Fails as [`Client::execute`](super::Client::execute) does.
    pub fn wait<T: DeserializeOwned>(self) -> Result<T, ExecuteError> {
        let outcome = self.outcome();
        match outcome {
            Ok(reply) => parse_return(self.request, reply),
            Err(disconnected) => Err(ExecuteError::Unanswered { request: self.request, disconnected }),
        }
    }
}

/// Returns the return value in the reply to `request`, as a `T`.
pub(crate) fn parse_return<T: DeserializeOwned>(request: Box<Request>, reply: Reply) -> Result<T, ExecuteError> {
    let reply = Box::new(reply);
    match reply.body() {
        ReplyBody::Error { .. } => Err(ExecuteError::Refused { request, reply }),
        ReplyBody::Return(raw) => match serde_json::from_str(raw) {
            Ok(value) => Ok(value),
            Err(source) => Err(ExecuteError::Return { request, reply, source }),
        },
    }
}
