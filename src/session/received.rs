//! What the consumer of a session gets.

use crate::wire::{Incoming, MessageError};

/// What the consumer of a session gets.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// A message.
    Message(Incoming),
    /// A JSON object that is no message, or bytes that are no JSON.
    Junk(MessageError),
    /// Byte 0xFF: the peer's mark that what came before is to be forgotten.
    Mark,
    /// Nothing, by the deadline.
    TimedOut,
    /// Nothing: [`Inbox::interrupt`](super::Inbox::interrupt) was called.
    Interrupted,
    /// Nothing yet, but the other descriptor can be read: see [`Session::receive_or_input`](super::Session::receive_or_input).
    Input,
}
