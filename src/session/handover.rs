//! Handing a connection over from a session to another reader and back: its reader thread stops, and the connection goes on.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::wire::Request;

use super::channel::Channel;
use super::connection::Wait;
use super::error::Disconnected;
use super::options::from_now;
use super::received::{Backlog, Received};
use super::session::{Reader, Session, Source};

/// The time between two looks at whether the reader thread has left.
const READER_POLL_INTERVAL: Duration = Duration::from_millis(5);

impl Session {
    /// Returns whether every request is answered.
    pub(crate) fn is_idle(&self) -> bool {
        self.router.pending.values().next().is_none()
    }

    /// Stops the reader thread, if there is one, and keeps the connection. Sends a query for that, whose reply wakes the
    /// thread. Returns false if the server does not answer by `deadline`; the thread then goes on.
    pub(crate) fn stop_reader(&mut self, deadline: Instant) -> Result<bool, Disconnected> {
        let Source::Threaded(Reader { queue, .. }) = &self.source else { return Ok(true) };
        let queue = Arc::clone(queue);
        queue.set_leaving(true);
        let query = self.send(&Request::new("query-version"))?;
        self.discard_reply(query);
        while !self.has_reader_left() {
            let is_over = Instant::now() >= deadline;
            if is_over {
                queue.set_leaving(false);
                if !self.has_reader_left() {
                    return Ok(false);
                }
            }
            self.keep_messages(Wait::Until(from_now(READER_POLL_INTERVAL)))?;
        }
        self.keep_messages(Wait::Buffered)?;
        if let Source::Threaded(reader) = &mut self.source
            && let Some(thread) = reader.thread.take()
        {
            let Ok(Some(input)) = thread.join() else { return Err(Disconnected::Closed) };
            self.source = Source::Direct(Box::new(input));
        }
        while self.awaits_discarded_reply() && Instant::now() < deadline {
            self.keep_messages(Wait::Until(from_now(READER_POLL_INTERVAL)))?;
        }
        Ok(true)
    }

    fn has_reader_left(&self) -> bool {
        match &self.source {
            Source::Threaded(reader) => reader.thread.as_ref().is_none_or(JoinHandle::is_finished),
            Source::Direct(_) => true,
        }
    }

    /// Receives messages until none comes within `wait`, and keeps them for the next
    /// `receive`.
    fn keep_messages(&mut self, wait: Wait<'_>) -> Result<(), Disconnected> {
        loop {
            match self.poll_source(wait)? {
                Received::TimedOut | Received::Interrupted | Received::InputReady => return Ok(()),
                Received::DiscardedReply => {}
                message => self.backlog.push(self.last_place, message),
            }
        }
    }

    /// Moves the messages that `other` keeps for its next `receive` to this session.
    pub(crate) fn take_backlog_of(&mut self, mut other: Backlog) {
        while let Some((place, message)) = other.pop() {
            self.backlog.push(place, message);
        }
    }

    /// Returns and removes the messages that are kept for the next `receive`.
    pub(crate) fn take_backlog(&mut self) -> Backlog {
        std::mem::take(&mut self.backlog)
    }

    /// Turns a session that has no reader thread, and was negotiated, into a channel.
    pub(crate) fn into_channel(self) -> Option<Channel> {
        match (self.source, self.greeting) {
            (Source::Direct(input), Some(greeting)) => {
                Some(Channel::new(self.out, input, self.backlog, greeting, self.router.into_ids()))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Address, Options};
    use crate::test_server::start_peer;

    fn soon() -> Instant {
        from_now(Duration::from_secs(20))
    }

    #[test]
    fn the_reader_thread_stops_and_no_message_is_lost() {
        let (socket, _script) = start_peer(|peer| {
            peer.negotiate();
            peer.send_event("ONE");
            let id = peer.expect_command("query-version");
            peer.send_event("TWO");
            peer.reply(&id, "{}");
            peer.answer("next", "{}");
        });
        let mut session = Session::over(socket.into(), &Address::Demo, &Options::default()).unwrap();
        session.start_reader();
        assert!(session.is_idle() && session.stop_reader(soon()).unwrap() && session.is_idle());
        for name in ["ONE", "TWO"] {
            assert!(matches!(session.receive(Some(soon())), Ok(Received::Event(event)) if event.name() == name));
        }
        let id = session.send(&Request::new("next")).unwrap();
        assert!(matches!(session.receive(Some(soon())), Ok(Received::Reply { id: answered, .. }) if answered == id));
        assert!(session.into_channel().is_some());
    }

    #[test]
    fn the_reader_thread_goes_on_if_the_server_does_not_answer() {
        let (socket, _script) = start_peer(|peer| {
            peer.negotiate();
            let id = peer.expect_command("query-version");
            peer.expect_command("next");
            peer.reply(&id, "{}");
            peer.send_event("LATE");
        });
        let mut session = Session::over(socket.into(), &Address::Demo, &Options::default()).unwrap();
        session.start_reader();
        assert!(!session.stop_reader(from_now(Duration::from_millis(50))).unwrap());
        session.send(&Request::new("next")).unwrap();
        assert!(matches!(session.receive(Some(soon())), Ok(Received::Event(event)) if event.name() == "LATE"));
    }
}
