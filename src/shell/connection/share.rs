//! Sharing the shell's own connection: a thread takes it over and serves other clients too, and the shell becomes its
//! first client.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::session::{
    Address, ConnectError, Disconnected, Options, Session, SharedLog, SharedSocket, SharedSocketError,
    SharedSocketOptions,
};
use crate::share::{Access, Change, Sharer, Stop};

use super::super::server::share::MonitorShare;
use super::Connection;

/// The permissions of the sockets: their owner only.
const SOCKET_OPTIONS: SharedSocketOptions = SharedSocketOptions { mode: 0o600, group: None };

/// The time within which the server must answer queries in flight, and the one that hands the connection over.
const HANDOVER_TIMEOUT: Duration = Duration::from_secs(10);

/// The time between two looks at whether the queries in flight are answered.
const IDLE_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The reason why a connection cannot be shared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MonitorShareError {
    #[error("not connected")]
    NotConnected,
    #[error("a guest agent cannot be shared")]
    GuestAgent,
    #[error("commands are still running; try again once they are answered")]
    Busy,
    #[error("the server does not answer within {} s", HANDOVER_TIMEOUT.as_secs())]
    NoAnswer,
    #[error(transparent)]
    Socket(#[from] SharedSocketError),
    #[error(transparent)]
    Disconnected(#[from] Disconnected),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("cannot share: {0}")]
    Io(#[from] io::Error),
}

impl Connection {
    /// Returns the sockets on which the connection is shared.
    pub(crate) fn shared_sockets(&self) -> &[(Address, Access)] {
        let share = self.server.as_ref().and_then(|server| server.share.as_ref());
        share.map_or(&[], |share| &share.sockets)
    }

    /// Shares the connection on a socket. After an error, it is as it was, unless it has ended.
    pub(crate) fn share(&mut self, address: Address, access: Access) -> Result<(), MonitorShareError> {
        let server = self.server.as_mut().ok_or(MonitorShareError::NotConnected)?;
        if server.is_guest_agent {
            return Err(MonitorShareError::GuestAgent);
        }
        let socket = SharedSocket::bind(&address, SOCKET_OPTIONS)?;
        if server.share.is_none() {
            let deadline = Instant::now() + HANDOVER_TIMEOUT;
            // A prompt may be waiting for the introspection.
            while !server.session.is_idle() && server.interrupted_commands.is_empty() && Instant::now() < deadline {
                server.finish_queries();
                // At the end of the connection that returns at once.
                std::thread::sleep(IDLE_POLL_INTERVAL);
            }
            if !server.session.is_idle() {
                return Err(MonitorShareError::Busy);
            }
            if !server.session.stop_reader(deadline)? {
                return Err(MonitorShareError::NoAnswer);
            }
            self.hand_over()?;
        }
        let server = self.server.as_mut().ok_or(MonitorShareError::NotConnected)?;
        if let Some(share) = &mut server.share {
            share.announce(Change::Add(socket, access))?;
            share.sockets.push((address, access));
        }
        Ok(())
    }

    /// Disconnects all other clients, and removes the sockets.
    pub(crate) fn unshare(&mut self) {
        if let Some(share) = self.server.as_mut().and_then(|server| server.share.as_mut()) {
            // Fails if the connection has ended, and the sockets with it.
            let _ = share.announce(Change::Unshare);
            share.sockets.clear();
        }
    }

    /// Hands the session, which has no reader thread, to a thread that serves it, and connects to that instead.
    fn hand_over(&mut self) -> Result<(), MonitorShareError> {
        let (ours, theirs) = UnixStream::pair()?;
        let (stop, control, changes) = Stop::with_changes()?;
        let mut server = self.server.take().ok_or(MonitorShareError::NotConnected)?;
        let kept = server.session.take_backlog();
        let session = server.session;
        let mut sharer = Sharer::new(Vec::new(), SharedLog::default(), false).with_owner(theirs.into());
        let serve = move || {
            // The shell notices the end by its own connection.
            let _ = sharer.serve(session, &stop, &mut |_| {});
        };
        let thread = std::thread::Builder::new().name("share".to_owned()).spawn(serve)?;
        let address = self.target.as_ref().map_or(Address::Demo, |target| target.address.clone());
        let options = Options {
            log: self.options.log.clone(),
            limits: self.options.limits,
            server_name: self.options.server_name.clone(),
            ..Options::default()
        };
        server.session = Session::over(ours.into(), &address, &options)?;
        server.session.take_turns();
        server.session.take_backlog_of(kept);
        server.share = Some(MonitorShare::new(control.into(), changes, thread));
        self.server = Some(server);
        Ok(())
    }
}
