//! Several requests at once: the next ones are sent while the replies to the first ones are on their way.

use std::collections::VecDeque;

use crate::wire::{Reply, Request};

use super::super::line::{InputLine, LineOutcome};
use super::super::output::Output;
use super::Engine;
use super::exchange::{Exchanged, Sent};

/// The maximum number of requests in flight. QEMU stops reading at eight.
const MAX_IN_FLIGHT: usize = 8;

impl Engine {
    /// Sends requests that change nothing, and returns their replies in the same order. `None` means that the user
    /// pressed Ctrl-C, and `Err` that the connection ended; both were reported.
    pub(super) fn transact_all(
        &mut self,
        requests: &[Request],
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<Option<Vec<Reply>>, LineOutcome> {
        let mut unsent = requests.iter();
        let mut pipeline = VecDeque::new();
        let mut replies = Vec::with_capacity(requests.len());
        loop {
            while pipeline.len() < MAX_IN_FLIGHT
                && let Some(request) = unsent.next()
            {
                let sent = self.send(request, None, line, out)?;
                if let Sent::InFlight(id) = sent
                    && let Some(server) = self.connection.server()
                {
                    server.pipeline.register(id);
                }
                pipeline.push_back((request, sent));
            }
            let reply = match pipeline.pop_front() {
                None => return Ok(Some(replies)),
                Some((_, Sent::Fulfilled(reply))) => reply,
                Some((request, Sent::InFlight(id))) => match self.await_pipelined_reply(id, request, line, out)? {
                    Exchanged::Reply(reply) => reply,
                    Exchanged::Interrupted | Exchanged::DryRun => {
                        self.abandon(pipeline);
                        return Ok(None);
                    }
                },
            };
            replies.push(reply);
        }
    }

    fn await_pipelined_reply(
        &mut self,
        id: u64,
        request: &Request,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<Exchanged, LineOutcome> {
        match self.connection.server().and_then(|server| server.pipeline.take_reply(id)) {
            Some(reply) => Ok(Exchanged::Reply(reply)),
            None => self.await_reply(id, request, line, out),
        }
    }

    /// Drops the replies to requests whose results are not needed any more.
    fn abandon(&mut self, pipeline: VecDeque<(&Request, Sent)>) {
        let Some(server) = self.connection.server() else { return };
        for (_, sent) in pipeline {
            if let Sent::InFlight(id) = sent
                && server.pipeline.take_reply(id).is_none()
            {
                server.session.discard_reply(id);
            }
        }
    }
}
