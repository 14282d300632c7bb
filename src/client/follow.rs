//! Following an operation of the server to its end, whatever it is.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::wire::{Event, Request};

use super::client::Client;
use super::error::ExecuteError;
use super::events::Events;
use super::pending::parse_return;

/// Returns `done` of `total` in per cent. `None` if there is no total.
pub(crate) fn per_cent(done: u64, total: u64) -> Option<u8> {
    let per_cent = (u128::from(done) * 100).checked_div(u128::from(total))?;
    u8::try_from(per_cent.min(100)).ok()
}

/// An operation of the server that is looked at again and again: after each event about it, and at intervals.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) client: Client,
    interval: Duration,
    changes: Events,
    /// The end of the wait, if it has one.
    pub(super) deadline: Option<Instant>,
    has_begun: bool,
    has_ended: bool,
}

impl Follower {
    /// Follows an operation whose changes have the events that pass `is_change`.
    pub(super) fn new(
        client: &Client,
        interval: Duration,
        is_change: impl Fn(&Event) -> bool + Send + Sync + 'static,
    ) -> Follower {
        let changes = client.listen(is_change);
        Follower { client: client.clone(), interval, changes, deadline: None, has_begun: false, has_ended: false }
    }

    /// Returns the next result of `look`, after a pause if there was one before. `look` returns `None` at the end of the
    /// operation; after that and after an error, nothing is left.
    pub(super) fn next<T, E>(&mut self, look: impl FnOnce(&Follower) -> Result<Option<T>, E>) -> Option<Result<T, E>> {
        if self.has_ended {
            return None;
        }
        if std::mem::replace(&mut self.has_begun, true) {
            self.pause();
        }
        let item = look(self).transpose();
        self.has_ended = !matches!(item, Some(Ok(_)));
        item
    }

    /// Waits for the next change, the interval or the deadline.
    fn pause(&mut self) {
        let left = self.deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
        // At the end of the connection, the next query fails.
        let mut event = self.changes.wait(self.interval.min(left));
        while matches!(event, Ok(Some(_))) {
            event = self.changes.wait(Duration::ZERO);
        }
    }

    /// Returns the return value of a query. `None` if the server does not answer by the deadline.
    pub(super) fn query(&self, command: &str) -> Result<Option<Value>, ExecuteError> {
        let request = Request::new(command);
        let Some(deadline) = self.deadline else { return self.client.start(request)?.wait().map(Some) };
        let left = || deadline.saturating_duration_since(Instant::now()).max(MIN_REPLY_TIME);
        let Ok(pending) = self.client.start_within(request, left())? else { return Ok(None) };
        let request = Box::new(pending.request().clone());
        match pending.reply_within(left())? {
            Ok(reply) => parse_return(request, reply).map(Some),
            Err(_in_flight) => Ok(None),
        }
    }

    /// Returns whether the deadline is over.
    pub(super) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// The time that the server has to answer, even if less is left until the deadline.
const MIN_REPLY_TIME: Duration = Duration::from_secs(1);
