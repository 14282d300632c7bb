//! The two halves of a connection: one sends requests, the other cuts the incoming bytes into messages.
//!
//! The halves may be used from two threads at once. Dropping either ends the connection.

use std::hash::{BuildHasher, RandomState};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use crate::wire::{Frame, Framer, Incoming, Limits, MessageError, Request, preview};

use super::connect::ExecProcess;
use super::error::Disconnected;
use super::log::{Direction, SharedLog, record};
use super::pending::Inbound;
use super::redaction::SentSecrets;
use super::socket::{Socket, WhileBlocked, wait_readable};

/// The limit of a wait for a message.
#[derive(Debug, Clone, Copy)]
pub enum Wait<'a> {
    /// Not at all, and without a system call: only messages read earlier.
    Buffered,
    /// Not at all, but including what has arrived at the socket.
    Arrived,
    /// Until this instant. Once it has passed there is no message, whatever has arrived: a server that never stops
    /// sending must not delay its client.
    Until(Instant),
    /// Without a limit.
    Forever,
    /// Until a message arrives or this descriptor becomes readable. With a reader thread, does not wait.
    Input(BorrowedFd<'a>),
}

impl Wait<'_> {
    pub(super) fn blocks(&self) -> bool {
        matches!(self, Wait::Until(_) | Wait::Forever)
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Wait::Until(deadline) if Instant::now() >= *deadline)
    }
}

impl From<Option<Instant>> for Wait<'_> {
    fn from(deadline: Option<Instant>) -> Self {
        deadline.map_or(Wait::Forever, Wait::Until)
    }
}

/// The outcome of waiting for an item.
#[derive(Debug)]
pub(super) enum Polled {
    Item(Inbound),
    TimedOut,
    Interrupted,
    /// The descriptor of [`Wait::Input`] is readable.
    InputReady,
}

/// Sends requests, each under an id of its own.
#[derive(Debug)]
pub(crate) struct SendHalf {
    pub(super) socket: Arc<Socket>,
    last_id: u64,
    log: SharedLog,
    secrets: Arc<SentSecrets>,
    /// Dropped with the connection.
    process: Option<ExecProcess>,
}

/// A request that was not sent, or not whole.
#[derive(Debug)]
pub(crate) struct Unsent {
    pub(crate) disconnected: Disconnected,
    /// A part of it was sent: the server may have executed it.
    pub(crate) in_part: bool,
}

/// Receives messages.
#[derive(Debug)]
pub(crate) struct ReceiveHalf {
    pub(super) socket: Arc<Socket>,
    pub(super) framer: Framer,
    log: SharedLog,
    secrets: Arc<SentSecrets>,
    /// Items since the last message.
    consecutive_junk: usize,
}

/// After this many items without a message, the stream is given up. A single stray line is skipped.
const MAX_CONSECUTIVE_JUNK: usize = 100;

/// Splits a connected socket into its halves.
pub(super) fn split(
    socket: Socket,
    process: Option<ExecProcess>,
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
        consecutive_junk: 0,
    };
    (SendHalf { socket, last_id: first_id(), log, secrets, process }, input)
}

/// Returns where the ids of a session begin. QEMU sends a reply that its last client did not wait for to the next client,
/// so two sessions should not use the same ids. They are short because some servers read slowly.
fn first_id() -> u64 {
    10_000 + RandomState::new().hash_one(std::process::id()) % 80_000
}

impl SendHalf {
    /// Returns an id that no request of this session had.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Sends a request under `id`, with a file descriptor attached where one is given. Blocks while the peer does not
    /// read.
    pub(crate) fn send(&mut self, id: u64, request: &Request, fd: Option<BorrowedFd<'_>>) -> Result<(), Unsent> {
        self.send_with(id, request, fd, WhileBlocked::Wait)
    }

    /// Sends a request as [`SendHalf::send`] does, and does something else while the peer does not read.
    pub(super) fn send_with(
        &mut self,
        id: u64,
        request: &Request,
        fd: Option<BorrowedFd<'_>>,
        while_blocked: WhileBlocked<'_>,
    ) -> Result<(), Unsent> {
        let id = id.to_string();
        if self.log.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            record(&self.log, Direction::Sent, &request.to_masked_json(Some(&id)));
        }
        self.secrets.remember(request);
        let line = request.to_line(&id);
        let mut unsent = line.as_bytes();
        let sent = self.socket.send_with_fd(&mut unsent, fd, while_blocked);
        sent.map_err(|error| {
            let in_part = unsent.len() < line.len();
            if in_part {
                // The server would read the next request as the rest of this one.
                self.socket.shut_down();
            }
            Unsent { disconnected: error.into(), in_part }
        })
    }

    /// Whether file descriptors can be passed to the server: over a Unix socket that does not lead to a process of ours.
    pub(crate) fn passes_descriptors(&self) -> bool {
        self.process.is_none() && self.socket.is_unix()
    }

    /// Returns a handle that ends the connection from any thread, also while another one sends.
    pub(crate) fn closer(&self) -> Closer {
        Closer(Arc::clone(&self.socket))
    }
}

/// Ends a connection in both directions, so that its reader sees the end too.
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

/// Shuts the socket down, so that the peer does not block in writing to a reader that is gone.
impl Drop for ReceiveHalf {
    fn drop(&mut self) {
        self.socket.shut_down();
    }
}

impl ReceiveHalf {
    /// Receives the next item, waiting for it as long as `wait` says.
    pub(super) fn poll(&mut self, wait: Wait<'_>) -> Result<Polled, Disconnected> {
        loop {
            // Checked each time: a server may send without end and never complete a message.
            if wait.is_over() {
                return Ok(Polled::TimedOut);
            }
            if let Some(item) = self.next_framed()? {
                return Ok(Polled::Item(item));
            }
            let socket = self.socket.as_fd();
            let ready = match wait {
                Wait::Buffered => false,
                Wait::Arrived => wait_readable(&[socket], Some(Instant::now()))?[0],
                Wait::Until(deadline) => wait_readable(&[socket], Some(deadline))?[0],
                Wait::Forever => true,
                // Input first: messages are read before the next command is sent, and a script that has ended has not
                // lost a connection that ends at the same time.
                Wait::Input(input) if wait_readable(&[socket, input], None)?[1] => return Ok(Polled::InputReady),
                Wait::Input(_) => true,
            };
            if !ready {
                return Ok(Polled::TimedOut);
            }
            self.fill()?;
        }
    }

    /// Receives the next item; blocks until it is there.
    pub(crate) fn receive(&mut self) -> Result<Inbound, Disconnected> {
        loop {
            if let Polled::Item(item) = self.poll(Wait::Forever)? {
                return Ok(item);
            }
        }
    }

    /// Returns the next item that is complete already.
    fn next_framed(&mut self) -> Result<Option<Inbound>, Disconnected> {
        let Some(frame) = self.framer.next_frame()? else {
            return Ok(None);
        };
        let item = match frame {
            Frame::SyncMarker => Inbound::SyncMarker,
            Frame::Junk(bytes) => Inbound::NotQmp(MessageError {
                reason: "not a JSON object".to_owned(),
                preview: preview(String::from_utf8_lossy(&bytes).trim_end()),
            }),
            Frame::Message(bytes) => {
                if self.log.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
                    let text = self.secrets.hide_in(String::from_utf8_lossy(&bytes));
                    record(&self.log, Direction::Received, &text);
                }
                Incoming::parse(bytes).map_or_else(Inbound::NotQmp, Inbound::Message)
            }
        };
        // Before a guest agent is synchronised with, anything may come; its time-out limits that.
        let is_junk = !matches!(item, Inbound::Message(_)) && !self.framer.honors_sync_markers();
        self.consecutive_junk = if is_junk { self.consecutive_junk + 1 } else { 0 };
        if self.consecutive_junk > MAX_CONSECUTIVE_JUNK {
            return Err(Disconnected::InvalidStream);
        }
        Ok(Some(item))
    }

    /// Reads what has arrived; blocks until the first byte.
    fn fill(&mut self) -> Result<(), Disconnected> {
        let socket = &self.socket;
        match self.framer.fill(|buf| socket.receive(buf))? {
            0 if self.framer.partial_message().is_empty() => Err(Disconnected::Closed),
            0 => Err(Disconnected::MidMessage),
            _ => Ok(()),
        }
    }
}
