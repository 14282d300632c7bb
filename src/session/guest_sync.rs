//! The handshake with a guest agent: no greeting, but a sync marker and a number that the agent returns.
//!
//! Byte 0xFF makes the agent discard an incomplete request of an earlier client. `guest-sync-delimited` then sends 0xFF
//! before its reply, which separates replies that the agent still owed to that client from replies to this one.

use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

use crate::wire::ReplyBody;

use super::error::ConnectError;
use super::negotiate::Handshake;
use super::opening::Awaited;
use super::received::{Received, Unexpected};
use super::session::Taken;

/// Sends the marker and a number, and drops everything that arrives before the agent returns the number.
pub(super) fn synchronise(handshake: &mut Handshake<'_, '_>) -> Result<(), ConnectError> {
    // An earlier client is unlikely to have used it, and every JSON parser keeps an integer of this size exact.
    let number = (RandomState::new().hash_one(Instant::now()) >> 12).to_string();
    let request = format!("{{\"execute\": \"guest-sync-delimited\", \"arguments\": {{\"id\": {number}}}}}\n");
    let sent = handshake.session.send_bytes(&[&[0xFF], request.as_bytes()].concat());
    sent.map_err(|reason| handshake.disconnected(reason))?;
    // The number is enough: an agent too old to send the marker still returns it.
    let is_synchronised = handshake.receive_until(Awaited::Synchronisation, |message| match message {
        Received::Unexpected(Unexpected::Reply(reply)) if reply.body() == ReplyBody::Return(&number) => {
            Taken::Done(true)
        }
        Received::Greeting(_) => Taken::Done(false),
        _ => Taken::Consumed,
    })?;
    handshake.session.honour_sync_markers(false);
    let address = handshake.address();
    match is_synchronised {
        Some(true) => Ok(()),
        Some(false) => Err(ConnectError::QmpMonitor(address)),
        None => Err(ConnectError::NoGuestAgent { address, seconds: handshake.timeout_seconds() }),
    }
}
