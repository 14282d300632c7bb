//! Queries that a program sends for itself between the messages of a session, and how they share it with commands.

use std::time::Instant;

use crate::wire::{Reply, Request};

use super::error::Disconnected;
use super::opening::ANNOUNCEMENT_DELAY;
use super::options::from_now;
use super::received::Received;
use super::session::{ReplyUse, Session, Taken, Waited};

impl Session {
    /// Sends a request of the program's own, which the message log marks as such. Returns its number.
    pub(crate) fn send_query(&mut self, request: &Request) -> Result<u64, Disconnected> {
        self.send(&Request { is_query: true, ..request.clone() })
    }

    /// Sends a request and waits for its reply until `deadline`. Other messages are kept for the next `receive`. A reply that
    /// arrives after the wait is dropped. `on_long_wait` is called with a sentence if the wait becomes long.
    pub(crate) fn query(
        &mut self,
        request: &Request,
        deadline: Option<Instant>,
        on_long_wait: &mut dyn FnMut(&str),
    ) -> Result<Waited<Reply>, Disconnected> {
        let query = self.send_query(request)?;
        let mut take = |received| match received {
            Received::Reply { id, reply } if id == query => Taken::Done(reply),
            other => Taken::Kept(other),
        };
        let announce_at = from_now(ANNOUNCEMENT_DELAY);
        let first_deadline = deadline.map_or(announce_at, |deadline| deadline.min(announce_at));
        let mut waited = self.receive_until(Some(first_deadline), &mut take)?;
        if matches!(waited, Waited::TimedOut) && deadline != Some(first_deadline) {
            on_long_wait(&format!("Waiting for the reply to `{}`.", request.command));
            waited = self.receive_until(deadline, &mut take)?;
        }
        if !matches!(waited, Waited::Done(_)) {
            self.discard_reply(query);
        }
        Ok(waited)
    }

    /// Has each request wait until those before are answered, except for out-of-band ones. A server that takes one request
    /// at a time may not say so, and would be jammed by a command that the user enters while a query is unanswered. Other
    /// servers execute requests in order, so that this delays nothing.
    pub(crate) fn take_turns(&mut self) {
        self.takes_turns = true;
    }

    /// Returns whether the request `id` still waits for its turn.
    pub(crate) fn is_queued(&self, id: u64) -> bool {
        self.queued.iter().any(|queued| queued.registered.number == id)
    }

    /// Notes that the consumer stops waiting for the reply to the request `id`, which is delivered when it arrives. A request
    /// that still waits for its turn is not sent. Returns whether the request was sent.
    pub(crate) fn stop_waiting_for(&mut self, id: u64) -> bool {
        let was_sent = !self.withdraw(id);
        if let Some(reply_use) = self.router.pending.get_mut(id) {
            *reply_use = ReplyUse::DeliverLate;
        }
        // At the end of the connection this fails, and the next read reports it.
        let _ = self.transmit_queued();
        was_sent
    }

    /// Drops the request `id` if it still waits for its turn. Returns whether it did.
    fn withdraw(&mut self, id: u64) -> bool {
        let is_queued = self.is_queued(id);
        if is_queued {
            self.queued.retain(|queued| queued.registered.number != id);
            self.router.pending.cancel(id);
        }
        is_queued
    }

    /// Drops the reply to the request `id` when it arrives.
    pub(crate) fn discard_reply(&mut self, id: u64) {
        if self.withdraw(id) {
            return;
        }
        if let Some(reply_use) = self.router.pending.get_mut(id) {
            *reply_use = ReplyUse::Discard;
        }
    }

    /// Returns whether a reply that will be dropped has not arrived yet.
    pub(crate) fn awaits_discarded_reply(&self) -> bool {
        self.router.pending.values().any(|reply_use| *reply_use == ReplyUse::Discard)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::session::{Address, Options};
    use crate::test_server::{Peer, Script, start_peer};

    fn session_taking_turns(script: impl FnOnce(&mut Peer) + Send + 'static) -> (Session, Script) {
        let (socket, script) = start_peer(script);
        let mut session = Session::over(socket.into(), &Address::Demo, &Options::default()).unwrap();
        session.take_turns();
        (session, script)
    }

    #[test]
    fn a_request_waits_for_its_turn_unless_it_is_out_of_band() {
        let (answer_tx, answer_rx) = channel();
        let (mut session, _script) = session_taking_turns(move |peer| {
            peer.negotiate();
            let first = peer.expect_command("first");
            let oob = peer.read_request().unwrap();
            assert_eq!(oob["exec-oob"], "oob");
            peer.reply(&oob["id"].to_string(), "{}");
            answer_rx.recv().unwrap();
            peer.reply(&first, "{}");
            peer.answer("second", "{}");
        });
        let first = session.send(&Request::new("first")).unwrap();
        let second = session.send(&Request::new("second")).unwrap();
        let mut oob = Request::new("oob");
        oob.oob = true;
        let oob = session.send(&oob).unwrap();
        assert!(!session.is_queued(first) && session.is_queued(second) && !session.is_queued(oob));
        assert!(matches!(session.receive(None), Ok(Received::Reply { id, .. }) if id == oob));
        assert!(session.is_queued(second));
        answer_tx.send(()).unwrap();
        for expected in [first, second] {
            assert!(matches!(session.receive(None), Ok(Received::Reply { id, .. }) if id == expected));
        }
    }

    #[test]
    fn no_request_waits_for_a_reply_that_is_not_awaited_any_more() {
        let (mut session, _script) = session_taking_turns(|peer| {
            peer.negotiate();
            // Never answered, as a command that ends the guest.
            peer.expect_command("first");
            peer.answer("third", "{}");
        });
        let first = session.send(&Request::new("first")).unwrap();
        let second = session.send(&Request::new("second")).unwrap();
        let third = session.send(&Request::new("third")).unwrap();
        assert!(!session.stop_waiting_for(second), "it was not sent");
        assert!(session.stop_waiting_for(first));
        assert!(matches!(session.receive(None), Ok(Received::Reply { id, .. }) if id == third));
    }
}
