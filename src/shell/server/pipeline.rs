//! Requests that were sent before the replies to earlier ones arrived.

use std::collections::BTreeMap;

use crate::wire::Reply;

/// The requests in flight behind the one whose reply is awaited, by id, each with its reply if that came early.
#[derive(Debug, Default)]
pub(crate) struct Pipeline {
    replies: BTreeMap<u64, Option<Reply>>,
}

impl Pipeline {
    /// Registers a request whose reply will be awaited later.
    pub(crate) fn register(&mut self, id: u64) {
        self.replies.insert(id, None);
    }

    /// Keeps a reply that came early. Returns the reply to a request that is not registered.
    pub(crate) fn keep_reply(&mut self, id: u64, reply: Reply) -> Option<Reply> {
        match self.replies.get_mut(&id) {
            Some(slot) => {
                *slot = Some(reply);
                None
            }
            None => Some(reply),
        }
    }

    /// Removes a request whose reply is awaited now. Returns the reply if it came early.
    pub(crate) fn take_reply(&mut self, id: u64) -> Option<Reply> {
        self.replies.remove(&id).flatten()
    }
}
