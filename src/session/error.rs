//! Why there is no connection, or no longer.

use std::io;
use std::sync::Arc;

use crate::wire::FrameError;

use super::address::{Address, AddressError};

/// Why a session could not be opened. Each message is one or two sentences for a person.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The text is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Nothing at the path.
    #[error("there is no socket at `{0}`; a QEMU started with `-qmp unix:{0},server=on,wait=off` makes one")]
    NoSuchSocket(String),
    /// A path to something else.
    #[error("`{0}` is no socket")]
    NotASocket(String),
    /// A socket without a listener.
    #[error("nobody listens on `{0}`: the server has ended, or listens elsewhere")]
    Refused(Address),
    /// Any other failure of the operating system.
    #[error("cannot connect to `{address}`: {reason}")]
    Io {
        /// Where to.
        address: Address,
        /// What the system said.
        reason: io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`: {reason}")]
    Listen {
        /// Where.
        address: Address,
        /// What the system said.
        reason: io::Error,
    },
    /// A host name without an address.
    #[error("cannot find host `{host}`: {reason}")]
    Host {
        /// The name.
        host: String,
        /// What the resolver said.
        reason: io::Error,
    },
    /// No connection in time.
    #[error("no connection to `{address}` within {seconds} s")]
    Timeout {
        /// Where to.
        address: Address,
        /// How long was waited.
        seconds: f64,
    },
    /// The listener's queue stayed full.
    #[error(
        "no connection to `{address}` within {seconds} s: others are waiting for it already; a monitor serves one client \
         at a time"
    )]
    Crowded {
        /// Where to.
        address: Address,
        /// How long was waited.
        seconds: f64,
    },
    /// `fd:N` that cannot serve.
    #[error("descriptor {0} is no socket that this program inherited")]
    BadDescriptor(i32),
    /// `exec:` with a command that cannot be split or started.
    #[error("cannot run `{command}`: {reason}")]
    Exec {
        /// The command as given.
        command: String,
        /// Why not.
        reason: String,
    },
    /// Connected, and then silence: another client may hold the monitor, or it is a guest agent, which does not greet.
    #[error(
        "connected to `{address}`, but no greeting came within {seconds} s; a monitor serves one client at a time, \
         so another may hold it"
    )]
    NoGreeting {
        /// Where to.
        address: Address,
        /// How long was waited.
        seconds: f64,
    },
    /// The human monitor answered.
    #[error("`{0}` is a human monitor (HMP) socket; QMP needs `-qmp …` or `-mon …,mode=control`")]
    HumanMonitor(Address),
    /// Something else answered.
    #[error("what listens on `{address}` does not speak QMP; it sent: {preview}")]
    NotQmp {
        /// Where to.
        address: Address,
        /// What came, made printable.
        preview: String,
    },
    /// The server refused to leave negotiation.
    #[error("the server refused the capabilities negotiation: {0}")]
    Negotiation(String),
    /// The server greeted, and then silence.
    #[error("`{address}` greeted, but did not answer the capabilities negotiation within {seconds} s")]
    NoNegotiation {
        /// Where to.
        address: Address,
        /// How long was waited.
        seconds: f64,
    },
    /// The server talks and does not listen.
    #[error("`{0}` talks on and on without beginning a session")]
    NoHandshake(Address),
    /// The guest agent did not answer: it may not run, or it is a monitor, which is no agent.
    #[error("connected to `{address}`, but no guest agent answered within {seconds} s; is it running in the guest?")]
    NoGuestAgent {
        /// Where to.
        address: Address,
        /// How long was waited.
        seconds: f64,
    },
    /// Somebody did not want to wait any longer.
    #[error("connecting to `{0}` was given up")]
    Cancelled(Address),
    /// The connection ended while it was being set up.
    #[error("the connection to `{address}` ended before the session began: {lost}")]
    Disconnected {
        /// Where to.
        address: Address,
        /// How it ended.
        lost: Disconnected,
    },
}

impl ConnectError {
    /// Whether another try may do better: the server is not there yet, or is just starting.
    #[doc(hidden)]
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            ConnectError::NoSuchSocket(_)
                | ConnectError::Refused(_)
                | ConnectError::Timeout { .. }
                | ConnectError::Crowded { .. }
                | ConnectError::Disconnected { .. }
        )
    }
}

/// How a connection ended.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Disconnected {
    /// The server closed it.
    #[error("the server closed the connection")]
    Closed,
    /// This side closed it.
    #[error("this side closed the connection")]
    ClosedHere,
    /// The server closed it in the middle of a message.
    #[error("the server closed the connection in the middle of a message")]
    MidMessage,
    /// The server went on and on, and none of it was a message.
    #[error("the server sends nothing but what is no QMP message")]
    InvalidStream,
    /// The operating system reported an error.
    #[error("{0}")]
    Io(Arc<io::Error>),
    /// The stream cannot be framed.
    #[error("{0}")]
    Frame(#[from] FrameError),
}

impl From<io::Error> for Disconnected {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A server that ends with unread input resets the connection: an end like any other.
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected => {
                Disconnected::Closed
            }
            _ => Disconnected::Io(Arc::new(error)),
        }
    }
}
