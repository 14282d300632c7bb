//! The state of one client: what it sent, what it may do, and what it has not received yet.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use bytes::Bytes;

use super::output::Output;
use super::reply::message_line;
use super::request::{ClientRequest, MAX_REQUEST_BYTES, RequestReader};

/// The number of a client. Numbers are not used again.
pub(crate) type ClientId = u64;

/// The maximum number of in-band requests of one client that are read and not sent to the server. An out-of-band request
/// overtakes those, as it overtakes the eight that QEMU reads ahead.
const MAX_QUEUED: usize = 8;

/// The maximum number of in-band requests of one client that are read and not answered.
const MAX_SLOTS: usize = 2 * MAX_QUEUED;

/// The maximum number of out-of-band requests of one client in flight.
const MAX_OOB_IN_FLIGHT: usize = 8;

/// The maximum number of in-band requests of one client in flight if there are others. Fewer than the server takes, so
/// that another client waits for these at most.
const MAX_IN_FLIGHT: usize = 4;

/// The length of a reply in bytes above which only one request of its client is in flight at a time, so that unread
/// replies do not add up.
const LARGE_REPLY_BYTES: usize = 1 << 20;

/// The maximum length of a request of a read-only client in bytes. No command that only asks needs more.
const MAX_READ_ONLY_REQUEST_BYTES: usize = 64 << 10;

/// The commands that a client may execute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// All commands.
    Full,
    /// Those that only ask.
    ReadOnly,
}

/// Bytes from a client that are not read as requests yet, and the descriptors that came with the first of them.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) bytes: Vec<u8>,
    pub(super) at: usize,
    pub(super) fds: Vec<OwnedFd>,
}

/// The place of an in-band reply, which keeps the share's own replies in the order of the requests.
#[derive(Debug)]
pub(super) enum Slot {
    /// The request waits for its turn.
    Queued(QueuedRequest),
    /// The request was sent to the server, and has this number there.
    InFlight(u64),
    Ready(Bytes),
}

/// A request that waits for its turn.
#[derive(Debug)]
pub(super) struct QueuedRequest {
    pub(super) request: ClientRequest,
    /// The descriptors that the command takes.
    pub(super) fds: Vec<OwnedFd>,
}

/// One client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) access: Access,
    pub(super) is_negotiated: bool,
    /// Whether it enabled out-of-band execution.
    pub(super) has_oob: bool,
    pub(super) reader: RequestReader,
    pub(super) input: Option<Input>,
    /// Descriptors for a later command that takes some.
    pub(super) fds: Vec<OwnedFd>,
    pub(super) slots: VecDeque<Slot>,
    pub(super) queued: usize,
    pub(super) in_flight: usize,
    pub(super) oob_in_flight: usize,
    /// Whether it is in the list of those that wait for a turn.
    pub(super) waits_for_turn: bool,
    has_large_replies: bool,
    pub(super) output: Output,
    /// Whether it sends nothing more.
    pub(super) has_ended: bool,
    /// Whether nothing more of it is read, and it is closed after its output is sent.
    pub(super) is_closing: bool,
}

impl Client {
    pub(super) fn new(access: Access) -> Client {
        let max_bytes = match access {
            Access::Full => MAX_REQUEST_BYTES,
            Access::ReadOnly => MAX_READ_ONLY_REQUEST_BYTES,
        };
        Client {
            access,
            is_negotiated: false,
            has_oob: false,
            reader: RequestReader::new(max_bytes),
            input: None,
            fds: Vec::new(),
            slots: VecDeque::new(),
            queued: 0,
            in_flight: 0,
            oob_in_flight: 0,
            waits_for_turn: false,
            has_large_replies: false,
            output: Output::default(),
            has_ended: false,
            is_closing: false,
        }
    }

    /// Returns whether no more requests are read for now.
    pub(super) fn is_held_back(&self) -> bool {
        self.is_closing
            || self.queued >= MAX_QUEUED
            || self.slots.len() >= MAX_SLOTS
            || self.oob_in_flight >= MAX_OOB_IN_FLIGHT
            || self.output.is_high()
    }

    /// Returns whether its next queued request may be sent to the server.
    pub(super) fn may_send(&self, fd_is_in_flight: bool, is_alone: bool) -> bool {
        let max_in_flight = match (self.has_large_replies, is_alone) {
            (true, _) => 1,
            (_, true) => usize::MAX,
            (_, false) => MAX_IN_FLIGHT,
        };
        let next_has_fds = || self.next_queued().is_some_and(|queued| !queued.fds.is_empty());
        self.queued > 0
            && self.in_flight < max_in_flight
            && !self.output.is_high()
            && !(fd_is_in_flight && next_has_fds())
    }

    fn next_queued(&self) -> Option<&QueuedRequest> {
        self.slots.iter().find_map(|slot| match slot {
            Slot::Queued(queued) => Some(queued),
            _ => None,
        })
    }

    /// Takes the next queued request, which gets this number at the server.
    pub(super) fn take_queued(&mut self, number: u64) -> Option<QueuedRequest> {
        let slot = self.slots.iter_mut().find(|slot| matches!(slot, Slot::Queued(_)))?;
        let Slot::Queued(queued) = std::mem::replace(slot, Slot::InFlight(number)) else { return None };
        self.queued -= 1;
        self.in_flight += 1;
        Some(queued)
    }

    /// Adds the reply to the request with this number, in the order in which the server replies.
    pub(super) fn complete(&mut self, number: u64, reply: String) {
        self.in_flight -= 1;
        self.has_large_replies = reply.len() > LARGE_REPLY_BYTES;
        self.slots.retain(|slot| !matches!(slot, Slot::InFlight(sent) if *sent == number));
        self.output.push(message_line(reply));
        self.emit_ready();
    }

    /// Adds a reply after those to all earlier in-band requests.
    pub(super) fn reply_in_order(&mut self, reply: String) {
        self.slots.push_back(Slot::Ready(message_line(reply)));
        self.emit_ready();
    }

    fn emit_ready(&mut self) {
        while let Some(Slot::Ready(reply)) = self.slots.pop_front_if(|slot| matches!(slot, Slot::Ready(_))) {
            self.output.push(reply);
        }
    }

    /// Returns whether it is served completely, and its connection can be closed.
    pub(super) fn is_done(&self) -> bool {
        let is_answered = self.slots.is_empty() && self.oob_in_flight == 0 && self.input.is_none();
        self.output.is_empty() && (self.has_ended && is_answered || self.is_closing && self.slots.is_empty())
    }
}
