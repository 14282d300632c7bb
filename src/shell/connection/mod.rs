//! The link to the server: connecting, and connecting again.

pub(crate) mod child_qemu;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::client::open;
use crate::session::{Address, ConnectError, Listener, MessageQueue, Options, Session};

use super::connection::child_qemu::QemuProcess;

/// How the shell gets its session.
#[derive(Debug)]
pub struct Connection {
    address: Option<Address>,
    options: Options,
    listen: bool,
    session: Option<Session>,
    /// The QEMU that this program started.
    wrapped: Option<QemuProcess>,
    /// It is the one at the other end: there is nothing to connect to again.
    to_child: bool,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// No address is known.
    #[error("not connected; `.connect ADDRESS` connects")]
    NoAddress,
    /// The connection to the QEMU that this program started is gone for good.
    #[error("not connected, and there is no way back: {0}")]
    Ended(String),
    /// Connecting failed.
    #[error("{0}{hint}", hint = flag_hint(.0))]
    Connect(ConnectError),
}

impl From<ConnectError> for ConnectionError {
    fn from(error: ConnectError) -> Self {
        ConnectionError::Connect(error)
    }
}

/// The flag that may have been forgotten, or given in error.
fn flag_hint(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::NoGreeting { .. } => " (a guest agent sends no greeting: use -N)",
        ConnectError::NoGuestAgent { .. } => " (without -N for a QMP monitor)",
        _ => "",
    }
}

/// A wait that takes longer than this is spoken of.
const SHORT: Duration = Duration::from_secs(1);

fn open_with_progress(
    address: &Address,
    options: &Options,
    progress: &mut dyn FnMut(&str),
) -> Result<Session, ConnectError> {
    let Some(left) = options.wait.and_then(|wait| wait.checked_sub(SHORT)) else { return open(address, options) };
    match open(address, &Options { wait: Some(SHORT), ..options.clone() }) {
        Err(error) if error.may_pass() => {
            progress(&format!("Waiting for {address}."));
            open(address, &Options { wait: Some(left), ..options.clone() })
        }
        result => result,
    }
}

impl Connection {
    /// A link to `address`, not opened yet.
    pub fn new(address: Option<Address>, options: Options, listen: bool) -> Connection {
        Connection { address, options, listen, session: None, wrapped: None, to_child: false }
    }

    /// A link over the open session with a QEMU that this program started.
    pub fn wrapped(session: Session, options: Options, qemu: QemuProcess) -> Connection {
        Connection {
            address: None,
            options,
            listen: false,
            session: Some(session),
            wrapped: Some(qemu),
            to_child: true,
        }
    }

    /// The address, where there is one.
    pub fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }

    /// How sessions are opened.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// From now on, connecting is given up when this flag is set.
    pub fn give_up_on(&mut self, flag: Arc<AtomicBool>) {
        self.options.cancelled = flag;
    }

    /// Opens a session to the address; `progress` hears what a long wait is for.
    pub fn open(&mut self, progress: &mut dyn FnMut(&str)) -> Result<&mut Session, ConnectionError> {
        self.session = None;
        if let Some(qemu) = self.qemu() {
            return Err(ConnectionError::Ended(qemu.describe_exit()));
        }
        let address = self.address.as_ref().ok_or(ConnectionError::NoAddress)?;
        let session = if self.listen {
            let listener = Listener::bind(address)?;
            progress(&format!("Listening on {address} for the server to connect."));
            Session::accept(&listener, &self.options)?
        } else {
            open_with_progress(address, &self.options, progress)?
        };
        Ok(self.session.insert(session))
    }

    /// Points the link at another server, and closes the present session.
    pub fn set_address(&mut self, address: Address) {
        self.session = None;
        self.to_child = false;
        self.listen = false;
        self.address = Some(address);
    }

    /// The open session.
    pub fn session(&mut self) -> Option<&mut Session> {
        self.session.as_mut()
    }

    /// The QEMU at the other end, where this program started it.
    pub fn qemu(&self) -> Option<&QemuProcess> {
        self.wrapped.as_ref().filter(|_| self.to_child)
    }

    /// The QEMU that this program started, wherever the link leads.
    pub fn started(&self) -> Option<&QemuProcess> {
        self.wrapped.as_ref()
    }

    /// Whether a session is open.
    pub fn is_open(&self) -> bool {
        self.session.is_some()
    }

    /// Closes the session.
    pub fn close(&mut self) {
        self.session = None;
    }

    /// Starts reading in a thread; returns the inbox to watch.
    pub fn start_reader(&mut self) -> Option<Arc<MessageQueue>> {
        self.session.as_mut().map(Session::start_reader)
    }
}
