//! The messages of a session, as its consumer receives them.

use std::collections::VecDeque;
use std::fmt;

use crate::wire::{Event, Greeting, MessageError, Reply, preview};

/// The outcome of waiting for a message of a session.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Received {
    /// The reply to a request of this session.
    Reply {
        /// The number that [`Session::send`](super::Session::send) returned.
        id: u64,
        /// The reply.
        reply: Reply,
    },
    /// An event.
    Event(Event),
    /// Data that has no place in the protocol. The session continues.
    Unexpected(Unexpected),
    /// The deadline passed without a message.
    TimedOut,
    /// [`MessageQueue::interrupt`](super::MessageQueue::interrupt) was called.
    Interrupted,
    /// The other descriptor of [`Wait::Input`](super::Wait::Input) is readable, and no message is waiting.
    #[doc(hidden)]
    InputReady,
    /// The first greeting; negotiation consumes it.
    #[doc(hidden)]
    Greeting(Greeting),
    /// A reply that was dropped.
    #[doc(hidden)]
    DiscardedReply,
    /// Byte 0xFF; synchronising with a guest agent consumes it.
    #[doc(hidden)]
    SyncMarker,
}

/// Data from the server that has no place in the protocol.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Unexpected {
    /// A reply to no pending request, such as one that the server owed to an earlier client.
    Reply(Reply),
    /// A third or later greeting.
    Greeting,
    /// Bytes that are not JSON, or a JSON object that is not a QMP message.
    NotQmp(MessageError),
}

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unexpected::Reply(reply) => {
                write!(f, "the server sent a reply to no pending request: {}", preview(reply.text()))
            }
            Unexpected::Greeting => f.write_str("the server keeps sending greetings"),
            Unexpected::NotQmp(error) => error.fmt(f),
        }
    }
}

impl Received {
    /// Returns the approximate size of the message in memory, in bytes.
    fn mem_size(&self) -> usize {
        let heap = match self {
            Received::Reply { reply, .. } | Received::Unexpected(Unexpected::Reply(reply)) => reply.text().len(),
            Received::Event(event) => event.text().len() + event.name().len(),
            Received::Unexpected(Unexpected::NotQmp(error)) => error.reason.len() + error.preview.len(),
            _ => 0,
        };
        heap + size_of::<Received>()
    }
}

/// Messages set aside while one in particular is awaited, for the next `receive`. Bounded, because a server may never
/// stop sending.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// The messages, each with its place in the order of arrival over all sessions.
    messages: VecDeque<(u64, Received)>,
    bytes: usize,
}

impl Backlog {
    const MAX_BYTES: usize = 16 << 20;

    /// Appends a message. The backlog may exceed its bound by one message.
    pub(super) fn push(&mut self, place: u64, message: Received) {
        self.bytes += message.mem_size();
        self.messages.push_back((place, message));
    }

    pub(super) fn pop(&mut self) -> Option<(u64, Received)> {
        let (place, message) = self.messages.pop_front()?;
        self.bytes -= message.mem_size();
        Some((place, message))
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes > Backlog::MAX_BYTES
    }

    /// Returns the place of the next message.
    #[cfg(feature = "programs")]
    pub(super) fn next_place(&self) -> Option<u64> {
        self.messages.front().map(|(place, _)| *place)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}
