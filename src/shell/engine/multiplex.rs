//! Receiving from several servers at once, in order of arrival.

use crate::session::{Received, Wait, Woken};

use super::super::output::Output;
use super::Engine;
use super::exchange::StopReason;

/// The source of the next message.
enum Source {
    Current,
    Other(usize),
}

impl Engine {
    /// Receives messages as [`Engine::receive`] does, for the current server, and handles those of the others as they arrive.
    pub(super) fn receive_from_all(
        &mut self,
        awaited: Option<u64>,
        wait: Wait<'_>,
        out: &mut dyn Output,
        is_enough: &mut dyn FnMut(&mut Engine, usize) -> bool,
    ) -> StopReason {
        let Some(signal) = self.servers.signal.clone() else { return StopReason::NotConnected };
        self.label(self.is_idle, out);
        self.multiplex_all();
        let mut shown = 0;
        let mut is_cleared = false;
        loop {
            if wait.is_over() {
                return StopReason::TimedOut;
            }
            if matches!(wait, Wait::Until(_) | Wait::Forever) && self.take_interrupts() {
                return StopReason::Interrupted;
            }
            match self.next_source() {
                Some(Source::Other(index)) => shown += self.handle_other(index, out),
                Some(Source::Current) => {
                    let Some(server) = self.connection.server() else { return StopReason::NotConnected };
                    match server.session.poll(Wait::Buffered) {
                        Ok(Received::Reply { id, reply }) if awaited == Some(id) => return StopReason::Reply(reply),
                        Ok(message) => shown += self.handle_message(message, out),
                        Err(disconnected) => return StopReason::Disconnected(disconnected),
                    }
                }
                None if matches!(wait, Wait::Buffered | Wait::Arrived) => return StopReason::TimedOut,
                // What arrives from now on raises the signal; what has arrived in the meantime is looked for again.
                None if !is_cleared => {
                    signal.clear();
                    is_cleared = true;
                    continue;
                }
                // A script waits for its next line even if this server is gone.
                None if !self.connection.is_open() && !matches!(wait, Wait::Input(_)) => {
                    return StopReason::NotConnected;
                }
                None => {
                    out.flush();
                    if awaited.is_none() && out.has_failed() {
                        return StopReason::OutputFailed;
                    }
                    match signal.wait(wait) {
                        Ok(Woken::Raised) => {}
                        Ok(Woken::TimedOut) => return StopReason::TimedOut,
                        Ok(Woken::InputReady) => return StopReason::InputReady,
                        Err(error) => return StopReason::Disconnected(error.into()),
                    }
                    is_cleared = false;
                    continue;
                }
            }
            if is_enough(self, shown) {
                return StopReason::Enough;
            }
        }
    }

    /// Has the sessions of all servers raise the signal. Sessions may have been opened since the last call.
    pub(super) fn multiplex_all(&mut self) {
        let Some(signal) = self.servers.signal.clone() else { return };
        self.with_each_server(|engine| {
            if let Some(session) = engine.connection.session() {
                session.start_reader().set_signal(&signal);
            }
        });
    }

    /// Returns whether the user has interrupted the wait for any server.
    fn take_interrupts(&mut self) -> bool {
        // All are taken, since one Ctrl-C interrupts all queues.
        self.connections().filter(|connection| connection.take_interrupt()).count() > 0
    }

    /// Returns the server whose next message arrived first.
    fn next_source(&self) -> Option<Source> {
        let arrivals = self.connections().enumerate();
        let next = arrivals.filter_map(|(index, connection)| Some((connection.next_arrival()?, index))).min();
        let (_, index) = next?;
        Some(if index == self.servers.current { Source::Current } else { Source::Other(index) })
    }

    /// Handles the next message of a server that is not the current one. Returns the approximate number of bytes that were
    /// shown.
    fn handle_other(&mut self, index: usize, out: &mut dyn Output) -> usize {
        let current = self.servers.current;
        // These are about the server of the line.
        let hidden_events = std::mem::take(&mut self.hidden_events);
        let hidden_job = self.hidden_job.take();
        self.use_server(index);
        self.label(true, out);
        let shown = match self.connection.session().map(|session| session.poll(Wait::Buffered)) {
            Some(Ok(message)) => self.handle_message(message, out),
            Some(Err(disconnected)) => {
                self.disconnected_while_idle(&disconnected, out);
                0
            }
            None => 0,
        };
        self.use_server(current);
        self.label(self.is_idle, out);
        (self.hidden_events, self.hidden_job) = (hidden_events, hidden_job);
        shown
    }
}
