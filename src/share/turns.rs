//! The order in which clients take turns.

use std::collections::VecDeque;

use super::client::{Access, ClientId};

/// The clients that wait for a turn. Those that may execute all commands have every other turn, so that those that may
/// only ask do not delay them, however many there are.
#[derive(Debug, Default)]
pub(super) struct Turns {
    full: VecDeque<ClientId>,
    read_only: VecDeque<ClientId>,
    /// Whether the last request was one of a client that may execute all commands.
    full_had_last: bool,
}

impl Turns {
    /// Adds a client after those of the same access.
    pub(super) fn push(&mut self, client: ClientId, access: Access) {
        self.queue(access).push_back(client);
    }

    /// Removes and returns the client of this access whose turn it is.
    pub(super) fn pop(&mut self, access: Access) -> Option<ClientId> {
        self.queue(access).pop_front()
    }

    /// Returns the order in which clients are asked for their next request.
    pub(super) fn order(&self) -> [Access; 2] {
        match self.full_had_last {
            true => [Access::ReadOnly, Access::Full],
            false => [Access::Full, Access::ReadOnly],
        }
    }

    /// Notes that a client of this access had its turn.
    pub(super) fn note_sent(&mut self, access: Access) {
        self.full_had_last = access == Access::Full;
    }

    pub(super) fn remove(&mut self, client: ClientId) {
        self.full.retain(|waiting| *waiting != client);
        self.read_only.retain(|waiting| *waiting != client);
    }

    pub(super) fn len(&mut self, access: Access) -> usize {
        self.queue(access).len()
    }

    fn queue(&mut self, access: Access) -> &mut VecDeque<ClientId> {
        match access {
            Access::Full => &mut self.full,
            Access::ReadOnly => &mut self.read_only,
        }
    }
}
