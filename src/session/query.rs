//! Queries that a program sends for itself between the messages of a session.

use std::time::Instant;

use crate::wire::{Reply, Request};

use super::error::Disconnected;
use super::received::Received;
use super::session::{ReplyUse, Session, Taken, Waited};

impl Session {
    /// Sends a request and waits for its reply until `deadline`. Other messages are kept for the next `receive`. A reply that
    /// arrives after the wait is dropped.
    pub(crate) fn query(
        &mut self,
        request: &Request,
        deadline: Option<Instant>,
    ) -> Result<Waited<Reply>, Disconnected> {
        let query = self.send(request)?;
        let waited = self.receive_until(deadline, |received| match received {
            Received::Reply { id, reply } if id == query => Taken::Done(reply),
            other => Taken::Kept(other),
        })?;
        if !matches!(waited, Waited::Done(_)) {
            self.discard_reply(query);
        }
        Ok(waited)
    }

    /// Drops the reply to the request `id` when it arrives.
    pub(crate) fn discard_reply(&mut self, id: u64) {
        if let Some(reply_use) = self.router.pending.get_mut(id) {
            *reply_use = ReplyUse::Discard;
        }
    }

    /// Returns whether a reply that will be dropped has not arrived yet.
    pub(crate) fn awaits_discarded_reply(&self) -> bool {
        self.router.pending.values().any(|reply_use| *reply_use == ReplyUse::Discard)
    }
}
