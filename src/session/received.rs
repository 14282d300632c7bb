//! What the consumer of a session gets.

use std::collections::VecDeque;

use crate::wire::{Incoming, MessageError};

/// What the consumer of a session gets.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Received {
    /// A message.
    Message(Incoming),
    /// A JSON object that is no message, or bytes that are no JSON.
    Junk(MessageError),
    /// Byte 0xFF: the peer's mark that what came before is to be forgotten.
    Mark,
    /// Nothing, by the deadline.
    TimedOut,
    /// Nothing: [`MessageQueue::interrupt`](super::MessageQueue::interrupt) was called.
    Interrupted,
    /// Nothing yet, but the other descriptor can be read: see [`Session::receive_or_input`](super::Session::receive_or_input).
    Input,
}

impl Received {
    /// About how many bytes of memory it takes up.
    pub(crate) fn mem_size(&self) -> usize {
        let text = match self {
            Received::Message(Incoming::Reply(reply)) => reply.text().len(),
            Received::Message(Incoming::Event(event)) => event.text().len() + event.name().len(),
            Received::Junk(junk) => junk.reason.len() + junk.preview.len(),
            _ => 0,
        };
        text + size_of::<Received>()
    }
}

/// Messages kept for whoever reads next, while somebody waits for one in particular. A server that talks on and on is not
/// waited for beyond 16 MiB.
#[derive(Debug, Default)]
pub struct Backlog {
    items: VecDeque<Received>,
    mem_size: usize,
}

impl Backlog {
    /// How many bytes of messages are kept.
    const ROOM: usize = 16 << 20;

    /// Keeps an item; says whether there is room for more.
    #[must_use]
    pub fn keep(&mut self, item: Received) -> bool {
        self.mem_size += item.mem_size();
        self.items.push_back(item);
        self.mem_size <= Backlog::ROOM
    }

    /// Whether nothing was kept.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// What was kept, in order of arrival.
    pub(super) fn into_items(self) -> VecDeque<Received> {
        self.items
    }
}
