//! The two halves of a connection: one sends requests, the other cuts what arrives into messages.
//!
//! They may be used from two threads at once. When either half goes, the connection ends.

use std::hash::{BuildHasher, RandomState};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use crate::wire::{Frame, Framer, Incoming, Limits, MessageError, Request, preview};

use super::connect::PeerProcess;
use super::error::Disconnected;
use super::log::{Direction, SharedLog, record};
use super::received::Received;
use super::redaction::SentSecrets;
use super::socket::{Socket, WhileBlocked, wait};

/// Sends requests, each under an id of its own.
#[derive(Debug)]
pub(crate) struct SendHalf {
    pub(super) socket: Arc<Socket>,
    last_id: u64,
    log: SharedLog,
    secrets: Arc<SentSecrets>,
    /// Ended with the connection.
    peer: Option<PeerProcess>,
}

/// A request that could not be sent whole.
#[derive(Debug)]
pub(crate) struct Unsent {
    pub(crate) lost: Disconnected,
    /// Some of it was: the server may have made sense of that.
    pub(crate) in_part: bool,
}

/// Receives messages.
#[derive(Debug)]
pub(crate) struct ReceiveHalf {
    pub(super) socket: Arc<Socket>,
    pub(super) framer: Framer,
    log: SharedLog,
    secrets: Arc<SentSecrets>,
    /// How many items in a row were no message.
    nonsense: usize,
}

/// What came without a message among it, after which none is expected any more. A server's odd line is passed over; one
/// that never says anything else would be passed over for ever.
const MAX_CONSECUTIVE_JUNK: usize = 100;

/// Both halves of a connection.
pub(super) fn halves(
    socket: Socket,
    peer: Option<PeerProcess>,
    limits: Limits,
    log: SharedLog,
) -> (SendHalf, ReceiveHalf) {
    let socket = Arc::new(socket);
    let secrets = Arc::new(SentSecrets::default());
    let input = ReceiveHalf {
        socket: Arc::clone(&socket),
        framer: Framer::new(limits),
        log: Arc::clone(&log),
        secrets: Arc::clone(&secrets),
        nonsense: 0,
    };
    (SendHalf { socket, last_id: first_id(), log, secrets, peer }, input)
}

/// Whether a deadline has passed.
pub(super) fn is_past(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() >= until)
}

/// Where the ids of a session begin. A server that serves one client at a time may hand an answer that the last one did
/// not wait for to the next; so no two sessions number alike. Short, because a server may read slowly.
fn first_id() -> u64 {
    10_000 + RandomState::new().hash_one(std::process::id()) % 80_000
}

impl SendHalf {
    /// An id that no request of this session had.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Sends a request under `id`, with a descriptor attached where one is given.
    pub(crate) fn send(&mut self, id: u64, request: &Request, fd: Option<BorrowedFd<'_>>) -> Result<(), Unsent> {
        self.send_with(id, request, fd, WhileBlocked::Wait)
    }

    /// As [`SendHalf::send`], with something to do while the server takes nothing.
    pub(super) fn send_with(
        &mut self,
        id: u64,
        request: &Request,
        fd: Option<BorrowedFd<'_>>,
        meanwhile: WhileBlocked<'_>,
    ) -> Result<(), Unsent> {
        let id = id.to_string();
        if self.log.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            record(&self.log, Direction::Sent, &request.to_masked_json(Some(&id)));
        }
        self.secrets.remember(request);
        let line = request.to_line(&id);
        let mut rest = line.as_bytes();
        let sent = self.socket.send_with_fd(&mut rest, fd, meanwhile);
        sent.map_err(|error| {
            let in_part = rest.len() < line.len();
            if in_part {
                // What was said cannot be taken back, and whatever followed would be read as the rest of it.
                self.socket.shut_down();
            }
            Unsent { lost: error.into(), in_part }
        })
    }

    /// Whether descriptors can be passed to the server: over a Unix socket, but not through a process of ours.
    pub(crate) fn passes_descriptors(&self) -> bool {
        self.peer.is_none() && self.socket.is_unix()
    }

    /// What ends the connection from any thread, also while one sends.
    pub(crate) fn closer(&self) -> Closer {
        Closer(Arc::clone(&self.socket))
    }
}

/// Ends a connection, in both directions: a reader of ours sees its end too.
#[derive(Debug)]
pub(crate) struct Closer(Arc<Socket>);

impl Closer {
    pub(crate) fn close(&self) {
        self.0.shut_down();
    }
}

impl Drop for SendHalf {
    fn drop(&mut self) {
        self.socket.shut_down();
    }
}

/// Whom nobody reads from any more would be stuck in what it has to say.
impl Drop for ReceiveHalf {
    fn drop(&mut self) {
        self.socket.shut_down();
    }
}

impl ReceiveHalf {
    /// The next item; waits for it until `until`, for ever where that is `None`.
    pub(crate) fn receive(&mut self, until: Option<Instant>) -> Result<Received, Disconnected> {
        loop {
            if let Some(item) = self.next_framed()? {
                return Ok(item);
            }
            // The clock is asked too: a server may send without end and never send anything whole.
            if is_past(until) || until.is_some() && !wait(&[self.socket.as_fd()], until)?[0] {
                return Ok(Received::TimedOut);
            }
            self.fill()?;
        }
    }

    /// The next item that is whole already.
    pub(super) fn next_framed(&mut self) -> Result<Option<Received>, Disconnected> {
        let Some(frame) = self.framer.next_frame()? else {
            return Ok(None);
        };
        let item = match frame {
            Frame::SyncMarker => Received::Mark,
            Frame::Junk(bytes) => {
                let junk = MessageError {
                    reason: "it is no JSON object".to_owned(),
                    preview: preview(&String::from_utf8_lossy(&bytes)),
                };
                Received::Junk(junk)
            }
            Frame::Message(bytes) => {
                if self.log.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
                    let text = self.secrets.hide_in(String::from_utf8_lossy(&bytes));
                    record(&self.log, Direction::Received, &text);
                }
                Incoming::parse(bytes).map_or_else(Received::Junk, Received::Message)
            }
        };
        // While a guest agent is synchronised with, anything may lie on the line; its time-out is limit enough.
        let counts = !matches!(item, Received::Message(_)) && !self.framer.honors_sync_markers();
        self.nonsense = if counts { self.nonsense + 1 } else { 0 };
        if self.nonsense > MAX_CONSECUTIVE_JUNK {
            return Err(Disconnected::InvalidStream);
        }
        Ok(Some(item))
    }

    /// Reads what has arrived; waits for the first byte.
    pub(super) fn fill(&mut self) -> Result<(), Disconnected> {
        let socket = &self.socket;
        match self.framer.fill(|buf| socket.receive(buf))? {
            0 if self.framer.partial_message().is_empty() => Err(Disconnected::Closed),
            0 => Err(Disconnected::MidMessage),
            _ => Ok(()),
        }
    }
}
