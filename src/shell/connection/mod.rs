//! The connection to the server: its address, the open session, and the QEMU that the shell started.

pub(crate) mod child_qemu;
pub(crate) mod name;
pub(crate) mod share;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::client::open_with_progress;
use crate::session::{Address, ConnectError, Listener, MessageQueue, Options, Session};
use crate::wire::Request;

use super::server::{ConnectionRecord, Server};
use super::terminal::signals::remove_socket_files_at_end;
use child_qemu::QemuProcess;

/// The address of a server, and the kind of server that is expected there.
#[derive(Debug, Clone)]
struct Target {
    address: Address,
    /// Whether the server connects to this process.
    listen: bool,
    is_guest_agent: bool,
}

/// A server that the shell talks to, while it is connected, and the target to connect to.
#[derive(Debug)]
pub struct Connection {
    /// `None` if the server is the QEMU that this program started: a connection to that cannot be opened again.
    target: Option<Target>,
    /// The target before the current one, for `.connect -`.
    former_target: Option<Target>,
    options: Options,
    server: Option<Server>,
    /// The record of the session that is open, or else of the last one.
    pub(crate) record: ConnectionRecord,
    /// The QEMU that this program started.
    child: Option<QemuProcess>,
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
    /// The signal that serves several connections cannot be created.
    #[error("cannot wait for several servers: {0}")]
    Signal(std::io::Error),
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
        ConnectError::QmpMonitor(_) => " (leave out -N)",
        _ => "",
    }
}

impl Target {
    /// Opens a session. Calls `progress` with a sentence about each long wait.
    fn connect(&self, options: &Options, progress: &mut dyn FnMut(&str)) -> Result<Server, ConnectError> {
        let address = &self.address;
        let options = Options { guest_agent: self.is_guest_agent, ..options.clone() };
        let mut session = if self.listen {
            remove_socket_files_at_end();
            let listener = Listener::bind(address)?;
            progress(&format!("Listening on {address} for the server to connect."));
            Session::accept_with_progress(&listener, &options, progress)?
        } else {
            open_with_progress(address, &options, progress)?
        };
        session.take_turns();
        Ok(Server::new(session, self.is_guest_agent))
    }

    /// Returns whether both addresses lead to the same server, as far as their text and the file system tell.
    fn is_at(&self, address: &Address) -> bool {
        let canonical = |address: &Address| match address {
            Address::Unix(path) => path.canonicalize().ok(),
            _ => None,
        };
        self.address == *address || canonical(address).is_some_and(|path| canonical(&self.address) == Some(path))
    }
}

impl Connection {
    /// Returns a connection to `address` that is not open yet.
    pub fn new(address: Option<Address>, options: Options, listen: bool) -> Connection {
        let is_guest_agent = options.guest_agent;
        let target = address.map(|address| Target { address, listen, is_guest_agent });
        let record = ConnectionRecord::default();
        Connection { target, former_target: None, options, server: None, record, child: None }
    }

    /// Returns the open connection to a QEMU that this program started.
    pub fn to_child(session: Session, options: Options, child: QemuProcess) -> Connection {
        let server = Some(Server::new(session, options.guest_agent));
        Connection { server, child: Some(child), ..Connection::new(None, options, false) }
    }

    pub(crate) fn address(&self) -> Option<&Address> {
        self.target.as_ref().map(|target| &target.address)
    }

    pub(crate) fn is_guest_agent(&self) -> bool {
        match (&self.server, &self.target) {
            (Some(server), _) => server.is_guest_agent,
            (None, Some(target)) => target.is_guest_agent,
            (None, None) => self.options.guest_agent,
        }
    }

    /// Sets the flag that cancels connecting.
    pub(crate) fn set_cancel_flag(&mut self, flag: Arc<AtomicBool>) {
        self.options.cancelled = flag;
    }

    /// Opens a session with the server at the address, and first closes the one that is open. Calls `progress` with
    /// a sentence about each long wait.
    pub fn open(&mut self, progress: &mut dyn FnMut(&str)) -> Result<&mut Session, ConnectionError> {
        // A monitor serves one client at a time.
        self.close();
        let Some(target) = &self.target else {
            let child = self.connected_child();
            return Err(
                child.map_or(ConnectionError::NoAddress, |child| ConnectionError::ChildExited(child.describe_exit()))
            );
        };
        let server = target.connect(&self.options, progress)?;
        self.record = ConnectionRecord::default();
        Ok(&mut self.server.insert(server).session)
    }

    /// Opens a session with the server at `address`, and takes it in place of the one that was open, which is returned.
    /// After an error, everything is as it was, unless `address` is that of the current server.
    pub(crate) fn switch(
        &mut self,
        address: Address,
        is_guest_agent: bool,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Option<Server>, ConnectionError> {
        if self.target.as_ref().is_some_and(|target| target.is_at(&address)) {
            self.close();
        }
        let mut target = Target { address, listen: false, is_guest_agent };
        let server = match target.connect(&self.options, progress) {
            Err(ConnectError::QmpMonitor(_)) => {
                target.is_guest_agent = false;
                target.connect(&self.options, progress)?
            }
            result => result?,
        };
        self.former_target = self.target.replace(target).or(self.former_target.take());
        self.record = ConnectionRecord::default();
        Ok(self.server.replace(server))
    }

    /// Returns the address of the server before the current one, and whether that is a guest agent.
    pub(crate) fn former_address(&self) -> Option<(Address, bool)> {
        self.former_target.as_ref().map(|target| (target.address.clone(), target.is_guest_agent))
    }

    /// Returns a connection to another server with the same options, which is not open yet.
    pub(crate) fn to_other(&self, address: Address, is_guest_agent: bool) -> Connection {
        let options = Options { guest_agent: is_guest_agent, server_name: None, ..self.options.clone() };
        Connection::new(Some(address), options, false)
    }

    /// Returns the name that the user gave the server, or that it got because there are several.
    pub(crate) fn name(&self) -> Option<&str> {
        self.options.server_name.as_deref()
    }

    /// Names the server, in messages and in the log.
    pub fn set_name(&mut self, name: String) {
        if let Some(server) = &mut self.server {
            server.session.set_server_name(&name);
        }
        self.options.server_name = Some(name);
    }

    /// Sets another address, without connecting to it.
    pub(crate) fn set_address(&mut self, address: Address, is_guest_agent: bool) {
        self.close();
        self.target = Some(Target { address, listen: false, is_guest_agent });
    }

    /// Returns the connected server.
    pub(crate) fn server(&mut self) -> Option<&mut Server> {
        self.server.as_mut()
    }

    /// Returns the open session.
    pub fn session(&mut self) -> Option<&mut Session> {
        self.server.as_mut().map(|server| &mut server.session)
    }

    /// Returns the place of the next message in the order of arrival over all servers, if one has arrived.
    pub(crate) fn next_arrival(&self) -> Option<u64> {
        self.server.as_ref()?.session.next_arrival()
    }

    /// Returns whether the user has interrupted a wait for this server since the last call.
    pub(crate) fn take_interrupt(&self) -> bool {
        self.server.as_ref().is_some_and(|server| server.session.take_interrupt())
    }

    /// Returns the QEMU that this program started, if the connection is to it.
    pub(crate) fn connected_child(&self) -> Option<&QemuProcess> {
        self.child.as_ref().filter(|_| self.target.is_none())
    }

    /// Returns the QEMU that this program started, whatever server the connection is to.
    pub(crate) fn child(&self) -> Option<&QemuProcess> {
        self.child.as_ref()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.server.is_some()
    }

    /// Closes the session. Returns the commands in flight that the user stopped waiting for.
    pub(crate) fn close(&mut self) -> Vec<Request> {
        let Some(server) = self.server.take() else { return Vec::new() };
        server.interrupted_commands.into_values().collect()
    }

    /// Starts the session's reader thread and returns its queue.
    pub(crate) fn start_reader(&mut self) -> Option<Arc<MessageQueue>> {
        self.session().map(Session::start_reader)
    }
}
