//! Errors of connecting, and the reasons why a connection ends.

use std::io;
use std::sync::Arc;

use crate::wire::FrameError;

use super::address::{Address, AddressError};

/// The error of opening a session. Each message tells the user what happened and, if possible, what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The text is not an address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// There is no file at the path.
    #[error("there is no socket at `{0}`; a QEMU started with `-qmp unix:{0},server=on,wait=off` creates one")]
    NoSuchSocket(String),
    /// The file at the path is not a socket.
    #[error("`{0}` is not a socket")]
    NotASocket(String),
    /// Nothing listens at the address.
    #[error("nothing is listening on `{0}`; the server has exited or listens elsewhere")]
    Refused(Address),
    /// Another failure of the operating system.
    #[error("cannot connect to `{address}`: {reason}")]
    Io {
        /// The server's address.
        address: Address,
        /// The error of the operating system.
        reason: io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`: {reason}")]
    Listen {
        /// The address to listen on.
        address: Address,
        /// The error of the operating system, or of the address.
        reason: io::Error,
    },
    /// The host name has no address.
    #[error("cannot find host `{host}`: {reason}")]
    Host {
        /// The host name.
        host: String,
        /// The resolver's error.
        reason: io::Error,
    },
    /// The connection was not established in time.
    #[error("no connection to `{address}` within {seconds} s")]
    Timeout {
        /// The server's address.
        address: Address,
        /// The timeout.
        seconds: f64,
    },
    /// The listener's queue stayed full.
    #[error(
        "no connection to `{address}` within {seconds} s: other clients are already waiting for it; a monitor serves one \
         client at a time"
    )]
    Busy {
        /// The server's address.
        address: Address,
        /// The timeout.
        seconds: f64,
    },
    /// The descriptor of an address `fd:N` is not a socket that this process inherited.
    #[error("file descriptor {0} is not an inherited socket")]
    InvalidFd(i32),
    /// The command of an `exec:` address cannot be split into words or started.
    #[error("cannot run `{command}`: {reason}")]
    Exec {
        /// The command, without what comes after its first word if it contains a secret.
        command: String,
        /// The reason.
        reason: String,
    },
    /// The program that leads to the server, `ssh` or libvirt's proxy, failed.
    #[error("cannot connect to `{address}`: {reason}")]
    Gateway {
        /// The server's address.
        address: Address,
        /// The reason, from the program's own messages where it gave one.
        reason: String,
        /// Whether another attempt may succeed, because the server may not be there yet.
        is_transient: bool,
    },
    /// The server accepted the connection, but sent no greeting: another client may hold the monitor, or it is a guest
    /// agent, which does not greet.
    #[error(
        "connected to `{address}`, but no greeting came within {seconds} s; a monitor serves one client at a time, \
         so another may hold it"
    )]
    NoGreeting {
        /// The server's address.
        address: Address,
        /// The timeout.
        seconds: f64,
    },
    /// The server is a human monitor.
    #[error("`{0}` is a human monitor (HMP) socket; QMP needs `-qmp …` or `-mon …,mode=control`")]
    HumanMonitor(Address),
    /// A guest agent was expected, but the server sent the greeting of a QMP monitor.
    #[error("`{0}` is a QMP monitor, not a guest agent")]
    QmpMonitor(Address),
    /// The server speaks another protocol.
    #[error("the server at `{address}` does not speak QMP; it sent: {preview}")]
    NotQmp {
        /// The server's address.
        address: Address,
        /// The beginning of what it sent, made printable.
        preview: String,
    },
    /// The server refused the capabilities negotiation.
    #[error("the server refused the capabilities negotiation: {0}")]
    Negotiation(String),
    /// The server sent a greeting, but did not answer the capabilities negotiation in time.
    #[error("`{address}` sent a greeting, but did not answer the capabilities negotiation within {seconds} s")]
    NoNegotiation {
        /// The server's address.
        address: Address,
        /// The timeout.
        seconds: f64,
    },
    /// The server keeps sending data, and neither greets nor negotiates.
    #[error("`{0}` keeps sending data, but does not complete the negotiation")]
    NoHandshake(Address),
    /// No guest agent answered: it may not be running, or the server is a monitor.
    #[error("connected to `{address}`, but no guest agent answered within {seconds} s; is it running in the guest?")]
    NoGuestAgent {
        /// The agent's address.
        address: Address,
        /// The timeout.
        seconds: f64,
    },
    /// Connecting was cancelled.
    #[error("connecting to `{0}` was cancelled")]
    Cancelled(Address),
    /// The connection ended before the session was open.
    #[error("the connection to `{address}` ended before negotiation was complete: {reason}")]
    Disconnected {
        /// The server's address.
        address: Address,
        /// Why it ended.
        reason: Disconnected,
    },
}

impl ConnectError {
    /// Returns whether another attempt may succeed: the server is not there yet, or is just starting.
    #[doc(hidden)]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            ConnectError::NoSuchSocket(_)
                | ConnectError::Refused(_)
                | ConnectError::Timeout { .. }
                | ConnectError::Busy { .. }
                | ConnectError::Disconnected { .. }
                | ConnectError::Gateway { is_transient: true, .. }
        )
    }
}

/// The reason for the end of a connection.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Disconnected {
    /// The server closed it.
    #[error("the server closed the connection")]
    Closed,
    /// This process closed it.
    #[error("this side closed the connection")]
    ClosedHere,
    /// The server closed it in the middle of a message.
    #[error("the server closed the connection in the middle of a message")]
    MidMessage,
    /// The server kept sending data without a QMP message in it.
    #[error("the server sent only data that is not QMP")]
    InvalidStream,
    /// The operating system reported an error.
    #[error("{0}")]
    Io(Arc<io::Error>),
    /// A message exceeded the [limits](crate::Limits).
    #[error("{0}")]
    Frame(#[from] FrameError),
}

impl From<io::Error> for Disconnected {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A server that exits with unread input resets the connection; for the user it has closed it.
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected => {
                Disconnected::Closed
            }
            _ => Disconnected::Io(Arc::new(error)),
        }
    }
}
