//! From a connected socket to an open session: greeting and capabilities.
//!
//! Follows the QEMU Machine Protocol Specification, "Server Greeting" and "Capabilities Negotiation".

use std::time::Instant;

use crate::wire::{Reply, ReplyBody, Request, preview};

use super::address::Address;
use super::connect::{Connected, connect_socket};
use super::error::{ConnectError, Disconnected};
use super::guest_sync;
use super::options::{CANCEL_POLL_INTERVAL, Options, from_now};
use super::pending::capabilities_request;
use super::received::{Received, Unexpected};
use super::session::{Session, Taken, Waited};

/// Of an incomplete message, how many bytes at most are looked at to tell what the server speaks.
const MAX_INSPECTED_BYTES: usize = 400;

/// Connects to `address` and negotiates.
pub fn connect(address: &Address, options: &Options) -> Result<Session, ConnectError> {
    let retry_until = options.wait.map(from_now);
    loop {
        let connected = connect_socket(address, options, retry_until)?;
        match (negotiate(connected, address, options), retry_until) {
            // A server that is starting or stopping may close the connection; while waiting for it, try again.
            (Err(ConnectError::Disconnected { .. }), Some(until)) if Instant::now() < until => {
                std::thread::sleep(CANCEL_POLL_INTERVAL);
            }
            (result, _) => return result,
        }
    }
}

/// Negotiates over a connected socket. `address` names the server in messages.
pub(super) fn negotiate(connected: Connected, address: &Address, options: &Options) -> Result<Session, ConnectError> {
    let Connected { socket, process } = connected;
    let session = Session::new(socket, process, options.limits, options.log.clone());
    let mut handshake = Handshake { session, address, options, deadline: from_now(options.timeout) };
    handshake.session.honor_sync_markers(options.guest_agent);
    if options.guest_agent {
        guest_sync::synchronise(&mut handshake)?;
    } else {
        handshake.greeting()?;
        handshake.capabilities()?;
    }
    Ok(handshake.session)
}

/// A session that is being opened.
pub(super) struct Handshake<'a> {
    pub(super) session: Session,
    pub(super) address: &'a Address,
    options: &'a Options,
    deadline: Instant,
}

impl Handshake<'_> {
    /// Receives messages until `take` is done with one. `None` at the deadline.
    pub(super) fn receive_until<T>(
        &mut self,
        mut take: impl FnMut(Received) -> Taken<T>,
    ) -> Result<Option<T>, ConnectError> {
        loop {
            self.options.check_cancelled(self.address)?;
            let poll_until = from_now(CANCEL_POLL_INTERVAL).min(self.deadline);
            match self.session.receive_until(Some(poll_until), &mut take) {
                Ok(Waited::Done(value)) => return Ok(Some(value)),
                Ok(Waited::Flooded) => return Err(ConnectError::NoHandshake(self.address.clone())),
                Ok(_) if poll_until < self.deadline => {}
                Ok(_) => return Ok(None),
                Err(disconnected) => return Err(self.disconnected(disconnected)),
            }
        }
    }

    pub(super) fn disconnected(&self, reason: Disconnected) -> ConnectError {
        ConnectError::Disconnected { address: self.address.clone(), reason }
    }

    pub(super) fn timeout_seconds(&self) -> f64 {
        self.options.timeout.as_secs_f64()
    }

    fn greeting(&mut self) -> Result<(), ConnectError> {
        let mut stale = None;
        let greeting = self.receive_until(|message| match message {
            Received::Greeting(greeting) => Taken::Done(Ok(greeting)),
            // QEMU sends a reply that its last client did not wait for to the next client, before the greeting.
            Received::Unexpected(Unexpected::Reply(reply)) => {
                stale = Some(preview(reply.text()));
                Taken::Consumed
            }
            Received::Unexpected(Unexpected::NotQmp(error)) => Taken::Done(Err(error.preview)),
            message @ Received::Event(_) => Taken::Kept(message),
            _ => Taken::Consumed,
        })?;
        match greeting {
            Some(Ok(greeting)) => self.session.greeting = Some(greeting),
            Some(Err(preview)) => return Err(self.not_qmp(preview)),
            None => return Err(self.no_greeting(stale)),
        }
        Ok(())
    }

    /// Returns the error of a server that sent no greeting in time: perhaps it speaks another protocol.
    fn no_greeting(&self, stale: Option<String>) -> ConnectError {
        let incomplete = self.session.incomplete();
        let incomplete = &incomplete[..incomplete.len().min(MAX_INSPECTED_BYTES)];
        match stale {
            Some(stale) => self.not_qmp(stale),
            None if !incomplete.is_empty() && !self.session.has_backlog() => {
                self.not_qmp(preview(&String::from_utf8_lossy(incomplete)))
            }
            None => ConnectError::NoGreeting { address: self.address.clone(), seconds: self.timeout_seconds() },
        }
    }

    fn not_qmp(&self, preview: String) -> ConnectError {
        match is_human_monitor(&preview) {
            true => ConnectError::HumanMonitor(self.address.clone()),
            false => ConnectError::NotQmp { address: self.address.clone(), preview },
        }
    }

    fn capabilities(&mut self) -> Result<(), ConnectError> {
        let greeting = self.session.greeting();
        let request = greeting.map_or_else(|| Request::new("qmp_capabilities"), capabilities_request);
        let request_id = self.session.send(&request).map_err(|reason| self.disconnected(reason))?;
        let reply: Option<Reply> = self.receive_until(|message| match message {
            Received::Reply { id, reply } if id == request_id => Taken::Done(reply),
            Received::SyncMarker => Taken::Consumed,
            message => Taken::Kept(message),
        })?;
        let Some(reply) = reply else {
            let (address, seconds) = (self.address.clone(), self.timeout_seconds());
            return Err(ConnectError::NoNegotiation { address, seconds });
        };
        match reply.body() {
            ReplyBody::Return(_) => Ok(()),
            ReplyBody::Error { desc, .. } => Err(ConnectError::Negotiation(desc.to_owned())),
        }
    }
}

/// Whether this is the banner of QEMU's human monitor, perhaps after a telnet negotiation.
fn is_human_monitor(preview: &str) -> bool {
    preview.contains("(qemu)") || preview.contains("QEMU") && preview.contains("monitor")
}
