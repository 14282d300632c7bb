//! The connection to the server: its address, the open session, and the QEMU that the shell started.

pub(crate) mod child_qemu;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::client::open;
use crate::session::{Address, ConnectError, Listener, MessageQueue, Options, Session};

use super::server::Server;
use child_qemu::QemuProcess;

/// The time after which a wait for the server is announced.
const PROGRESS_NOTICE_DELAY: Duration = Duration::from_secs(1);

/// The address of the server, and the server while it is connected.
#[derive(Debug)]
pub struct Connection {
    address: Option<Address>,
    options: Options,
    /// Whether the server connects to this process.
    listen: bool,
    server: Option<Server>,
    /// The CPU that HMP lines refer to; a new session has none.
    pub(crate) hmp_cpu: Option<u64>,
    /// The QEMU that this program started.
    child: Option<QemuProcess>,
    /// Whether the connection is to that QEMU: it cannot be opened again.
    is_to_child: bool,
}

/// The reason why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    #[error("not connected; `.connect ADDRESS` connects")]
    NoAddress,
    /// The connection to the QEMU that this program started has ended.
    #[error("not connected; {0}")]
    ChildExited(String),
    #[error("{0}{hint}", hint = option_hint(.0))]
    Connect(ConnectError),
}

impl From<ConnectError> for ConnectionError {
    fn from(error: ConnectError) -> Self {
        ConnectionError::Connect(error)
    }
}

/// Suggests the option that may be missing or wrong.
fn option_hint(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::NoGreeting { .. } => " (a guest agent sends no greeting: use -N)",
        ConnectError::NoGuestAgent { .. } => " (for a QMP monitor, leave out -N)",
        _ => "",
    }
}

/// Opens a session, and announces a long wait.
fn open_with_progress(
    address: &Address,
    options: &Options,
    progress: &mut dyn FnMut(&str),
) -> Result<Session, ConnectError> {
    let Some(rest) = options.wait.and_then(|wait| wait.checked_sub(PROGRESS_NOTICE_DELAY)) else {
        return open(address, options);
    };
    match open(address, &Options { wait: Some(PROGRESS_NOTICE_DELAY), ..options.clone() }) {
        Err(error) if error.is_transient() => {
            progress(&format!("Waiting for {address}."));
            open(address, &Options { wait: Some(rest), ..options.clone() })
        }
        result => result,
    }
}

impl Connection {
    /// Returns a connection to `address` that is not open yet.
    pub fn new(address: Option<Address>, options: Options, listen: bool) -> Connection {
        Connection { address, options, listen, server: None, hmp_cpu: None, child: None, is_to_child: false }
    }

    /// Returns the open connection to a QEMU that this program started.
    pub fn to_child(session: Session, options: Options, child: QemuProcess) -> Connection {
        let server = Server::new(session, options.guest_agent);
        Connection {
            address: None,
            options,
            listen: false,
            server: Some(server),
            hmp_cpu: None,
            child: Some(child),
            is_to_child: true,
        }
    }

    pub(crate) fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }

    pub(crate) fn is_guest_agent(&self) -> bool {
        self.options.guest_agent
    }

    /// Sets the flag that cancels connecting.
    pub(crate) fn set_cancel_flag(&mut self, flag: Arc<AtomicBool>) {
        self.options.cancelled = flag;
    }

    /// Opens a session with the server at the address. Calls `progress` with the reason for a long wait.
    pub fn open(&mut self, progress: &mut dyn FnMut(&str)) -> Result<&mut Session, ConnectionError> {
        self.server = None;
        self.hmp_cpu = None;
        if let Some(child) = self.connected_child() {
            return Err(ConnectionError::ChildExited(child.describe_exit()));
        }
        let address = self.address.as_ref().ok_or(ConnectionError::NoAddress)?;
        let session = if self.listen {
            let listener = Listener::bind(address)?;
            progress(&format!("Listening on {address} for the server to connect."));
            Session::accept(&listener, &self.options)?
        } else {
            open_with_progress(address, &self.options, progress)?
        };
        Ok(&mut self.server.insert(Server::new(session, self.options.guest_agent)).session)
    }

    /// Sets another address, and closes the session.
    pub(crate) fn set_address(&mut self, address: Address) {
        self.server = None;
        self.is_to_child = false;
        self.listen = false;
        self.address = Some(address);
    }

    /// Returns the connected server.
    pub(crate) fn server(&mut self) -> Option<&mut Server> {
        self.server.as_mut()
    }

    /// Returns the open session.
    pub fn session(&mut self) -> Option<&mut Session> {
        self.server.as_mut().map(|server| &mut server.session)
    }

    /// Returns the QEMU that this program started, if the connection is to it.
    pub(crate) fn connected_child(&self) -> Option<&QemuProcess> {
        self.child.as_ref().filter(|_| self.is_to_child)
    }

    /// Returns the QEMU that this program started, whatever server the connection is to.
    pub(crate) fn child(&self) -> Option<&QemuProcess> {
        self.child.as_ref()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.server.is_some()
    }

    /// Closes the session. Returns the server, which knows the commands in flight.
    pub(crate) fn close(&mut self) -> Option<Server> {
        self.server.take()
    }

    /// Starts the session's reader thread and returns its queue.
    pub(crate) fn start_reader(&mut self) -> Option<Arc<MessageQueue>> {
        self.session().map(Session::start_reader)
    }
}
