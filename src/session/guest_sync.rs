//! The guest agent's manner of beginning: no greeting, but a mark and a number that comes back.
//!
//! Byte 0xFF makes the agent forget half a request that an earlier client may have left behind.
//! `guest-sync-delimited` then puts 0xFF before its answer, so that what the agent still had to say to that client can
//! be told from what it says to us.

use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

use crate::wire::{Incoming, ReplyBody};

use super::address::Address;
use super::error::ConnectError;
use super::negotiate::{Options, next_message};
use super::received::Received;
use super::session::Session;

/// Whether the agent answered by `until`. Everything it said before the answer is dropped.
pub(super) fn synchronise(
    session: &mut Session,
    address: &Address,
    options: &Options,
    until: Instant,
) -> Result<bool, ConnectError> {
    // Any number that no earlier client is likely to have used, within the integers that every JSON reader keeps.
    let number = (RandomState::new().hash_one(until) >> 12).to_string();
    let request = format!("{{\"execute\": \"guest-sync-delimited\", \"arguments\": {{\"id\": {number}}}}}\n");
    let sent = session.send_bytes(&[&[0xFF], request.as_bytes()].concat());
    sent.map_err(|lost| ConnectError::Disconnected { address: address.clone(), lost })?;
    let mut marked = false;
    loop {
        match next_message(session, address, options, until)? {
            Received::Mark => marked = true,
            Received::Message(Incoming::Reply(reply)) if marked && reply.body() == ReplyBody::Return(&number) => {
                return Ok(true);
            }
            // An agent that cannot delimit (older than its own protocol asks) still sends the number.
            Received::Message(Incoming::Reply(reply)) if reply.body() == ReplyBody::Return(&number) => {
                return Ok(true);
            }
            Received::TimedOut => return Ok(false),
            _ => marked = false,
        }
    }
}
