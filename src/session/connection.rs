//! The two halves of a connection: one sends requests, the other splits the incoming bytes into messages.
//!
//! The halves may be used from two threads at once. Dropping either ends the connection.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::wire::{Frame, Framer, Limits, Message, MessageError, Request, preview};

use super::error::Disconnected;
use super::log::{Direction, Origin, ServerName, SharedLog, record};
use super::pending::StreamItem;
use super::redaction::SentSecrets;
use super::server_process::ServerProcess;
use super::socket::{READ_LIMIT, Socket, WhileBlocked, wait_readable};

/// The limit of a wait for a message.
#[derive(Debug, Clone, Copy)]
pub enum Wait<'a> {
    /// Not at all, and without a system call: only messages read earlier.
    Buffered,
    /// Not at all, but including what has arrived at the socket.
    Arrived,
    /// Until this instant. After it, no message is returned even if one has arrived: a server that never stops sending
    /// must not delay its client.
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
    Item(StreamItem),
    TimedOut,
    Interrupted,
    /// The descriptor of [`Wait::Input`] is readable.
    InputReady,
}

/// The half that sends requests.
#[derive(Debug)]
pub(crate) struct SendHalf {
    pub(super) socket: Arc<Socket>,
    log: SharedLog,
    pub(super) server_name: ServerName,
    secrets: Arc<SentSecrets>,
    /// Dropped with the connection.
    process: Option<ServerProcess>,
}

/// The error for a request that was not sent, or only partly.
#[derive(Debug)]
pub(crate) struct Unsent {
    pub(crate) disconnected: Disconnected,
    /// Whether a part of it was sent, so that the server may have executed it.
    pub(crate) is_partly_sent: bool,
}

/// The half that receives messages.
#[derive(Debug)]
pub(crate) struct ReceiveHalf {
    pub(super) socket: Arc<Socket>,
    pub(super) framer: Framer,
    log: SharedLog,
    server_name: ServerName,
    secrets: Arc<SentSecrets>,
    /// The number of items since the last message.
    consecutive_junk: usize,
    /// The time since when nothing has followed a line end that cuts off a message.
    stalled_since: Option<Instant>,
    /// Whether reads can be limited; `None` before the first attempt.
    limits_reads: Option<bool>,
}

/// The time within which a server that sends line ends where JSON has none continues after one. Then the message is given
/// up.
const CUT_OFF_GRACE: Duration = Duration::from_secs(1);

/// The number of items without a message after which reading stops. A single stray line is skipped.
const MAX_CONSECUTIVE_JUNK: usize = 100;

/// Splits a connected socket into its halves.
pub(super) fn split(
    socket: Socket,
    process: Option<ServerProcess>,
    limits: Limits,
    log: SharedLog,
    name: Option<String>,
) -> (SendHalf, ReceiveHalf) {
    let socket = Arc::new(socket);
    let secrets = Arc::new(SentSecrets::default());
    let server_name: ServerName = Arc::new(name.map_or_else(OnceLock::new, OnceLock::from));
    let input = ReceiveHalf {
        socket: Arc::clone(&socket),
        framer: Framer::new(limits),
        log: Arc::clone(&log),
        server_name: Arc::clone(&server_name),
        secrets: Arc::clone(&secrets),
        consecutive_junk: 0,
        stalled_since: None,
        limits_reads: None,
    };
    (SendHalf { socket, log, server_name, secrets, process }, input)
}

impl SendHalf {
    /// Sends a request with `id`, and with `fd` attached if it is given. Blocks while the peer does not read.
    pub(crate) fn send(&mut self, id: u64, request: &Request, fd: Option<BorrowedFd<'_>>) -> Result<(), Unsent> {
        self.send_with(id, request, fd, WhileBlocked::Wait)
    }

    /// Sends a request as [`SendHalf::send`] does, but does `while_blocked` while the peer does not read.
    pub(super) fn send_with(
        &mut self,
        id: u64,
        request: &Request,
        fd: Option<BorrowedFd<'_>>,
        while_blocked: WhileBlocked<'_>,
    ) -> Result<(), Unsent> {
        self.secrets.remember(id, request);
        let id = id.to_string();
        if self.log.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            let origin = Origin { server: self.server_name.get().map(String::as_str), is_query: request.is_query };
            record(&self.log, Direction::Sent, origin, &request.to_masked_json(Some(&id)));
        }
        let line = request.to_line(&id);
        let mut unsent = line.as_bytes();
        let sent = self.socket.send_with_fd(&mut unsent, fd, while_blocked);
        sent.map_err(|error| {
            let is_partly_sent = unsent.len() < line.len();
            if is_partly_sent {
                // The server would read the next request as the rest of this one.
                self.socket.shut_down();
            }
            Unsent { disconnected: error.into(), is_partly_sent }
        })
    }

    /// Returns whether file descriptors can be passed to the server: over a Unix socket whose peer is not a child of
    /// this process.
    pub(crate) fn can_pass_fds(&self) -> bool {
        self.process.is_none() && self.socket.is_unix()
    }

    /// Returns the server's process, if it is on this machine and the connection is not through a child of this process.
    pub(crate) fn peer_process(&self) -> Option<Pid> {
        self.socket.peer_process().filter(|_| self.process.is_none())
    }

    /// Returns a handle that ends the connection from any thread, even while another one is sending.
    pub(crate) fn closer(&self) -> Closer {
        Closer(Arc::clone(&self.socket))
    }
}

/// A handle that ends a connection in both directions, so that its reader sees the end too.
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

/// Shuts the socket down, so that the peer does not block while it writes to a reader that is gone.
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
            let give_up = self.time_to_give_up();
            if give_up.is_some_and(|time| time <= Instant::now()) {
                let frame = self.framer.take_cut_off();
                return self.item(frame).map(Polled::Item);
            }
            let socket = self.socket.as_fd();
            let ready = match wait {
                Wait::Buffered => false,
                Wait::Arrived => wait_readable(&[socket], Some(Instant::now()))?[0],
                Wait::Until(deadline) if give_up.is_none() && deadline > Instant::now() + READ_LIMIT => {
                    self.fill_limited()?;
                    continue;
                }
                Wait::Until(deadline) => {
                    wait_readable(&[socket], Some(give_up.map_or(deadline, |time| time.min(deadline))))?[0]
                }
                Wait::Forever if give_up.is_some() => wait_readable(&[socket], give_up)?[0],
                Wait::Forever => true,
                Wait::Input(input) => match wait_readable(&[socket, input], give_up)?[..] {
                    // Input comes first, so that a script that has ended does not report a connection that is lost at
                    // the same time. Messages are read anyway before the next command is sent.
                    [_, true] => return Ok(Polled::InputReady),
                    [ready, _] => ready,
                    _ => false,
                },
            };
            if !ready && give_up.is_some() && !matches!(wait, Wait::Buffered | Wait::Arrived) {
                continue;
            }
            if !ready {
                return Ok(Polled::TimedOut);
            }
            self.fill()?;
        }
    }

    /// Receives the next item; blocks until it has arrived.
    pub(crate) fn receive(&mut self) -> Result<StreamItem, Disconnected> {
        loop {
            if let Polled::Item(item) = self.poll(Wait::Forever)? {
                return Ok(item);
            }
        }
    }

    /// Returns whether a message may be broken at the end of what has arrived.
    #[cfg(feature = "programs")]
    pub(super) fn is_cut_off(&self) -> bool {
        self.framer.is_cut_off()
    }

    /// Returns the next item, if it is complete.
    fn next_framed(&mut self) -> Result<Option<StreamItem>, Disconnected> {
        match self.framer.next_frame()? {
            Some(frame) => self.item(frame).map(Some),
            None => Ok(None),
        }
    }

    /// Returns the time after which a message that is cut off at the end of what has arrived is given up.
    fn time_to_give_up(&mut self) -> Option<Instant> {
        if !self.framer.is_cut_off() {
            self.stalled_since = None;
            return None;
        }
        Some(*self.stalled_since.get_or_insert_with(Instant::now) + CUT_OFF_GRACE)
    }

    fn item(&mut self, frame: Frame) -> Result<StreamItem, Disconnected> {
        let item = match frame {
            Frame::SyncMarker => StreamItem::SyncMarker,
            Frame::Junk(bytes) => StreamItem::NotQmp(MessageError {
                reason: "not a JSON object".to_owned(),
                preview: preview(String::from_utf8_lossy(&bytes).trim_end()),
            }),
            Frame::Message(bytes) => {
                self.record(&bytes);
                Message::parse(bytes).map_or_else(StreamItem::NotQmp, StreamItem::Message)
            }
            Frame::Broken(bytes, reason) => {
                self.record(&bytes);
                Message::of_broken(&bytes, reason).map_or_else(StreamItem::NotQmp, StreamItem::Message)
            }
        };
        // A guest agent may send anything before it is synchronised; the timeout limits that.
        let is_junk = !matches!(item, StreamItem::Message(_)) && !self.framer.honours_sync_markers();
        self.consecutive_junk = if is_junk { self.consecutive_junk + 1 } else { 0 };
        if self.consecutive_junk > MAX_CONSECUTIVE_JUNK {
            return Err(Disconnected::InvalidStream);
        }
        Ok(item)
    }

    /// Records a message in the log, if there is one.
    fn record(&self, message: &[u8]) {
        if self.log.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            let text = self.secrets.redact(String::from_utf8_lossy(message));
            let origin = Origin { server: self.server_name.get().map(String::as_str), is_query: false };
            record(&self.log, Direction::Received, origin, &text);
        }
    }

    /// Reads what has arrived; blocks until there is at least one byte.
    fn fill(&mut self) -> Result<(), Disconnected> {
        let socket = Arc::clone(&self.socket);
        self.fill_with(|buf| socket.receive(buf).map(Some))
    }

    /// Reads what has arrived; blocks until there is at least one byte, or for [`READ_LIMIT`].
    fn fill_limited(&mut self) -> Result<(), Disconnected> {
        let socket = Arc::clone(&self.socket);
        match *self.limits_reads.get_or_insert_with(|| socket.limit_reads()) {
            true => self.fill_with(|buf| socket.receive_limited(buf)),
            false => match wait_readable(&[socket.as_fd()], Some(Instant::now() + READ_LIMIT))?[0] {
                true => self.fill(),
                false => Ok(()),
            },
        }
    }

    /// Reads with `receive`, which returns `None` if nothing has arrived.
    fn fill_with(
        &mut self,
        receive: impl FnOnce(&mut Vec<u8>) -> io::Result<Option<usize>>,
    ) -> Result<(), Disconnected> {
        let mut has_timed_out = false;
        let read = self.framer.fill(|buf| {
            let len = receive(buf)?;
            has_timed_out = len.is_none();
            Ok::<_, io::Error>(len.unwrap_or_default())
        })?;
        if has_timed_out {
            return Ok(());
        }
        self.stalled_since = None;
        match read {
            0 if self.framer.partial_message().is_empty() => Err(Disconnected::Closed),
            0 => Err(Disconnected::MidMessage),
            _ => Ok(()),
        }
    }
}
