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
        let mut shown = 0;
        loop {
            if wait.is_over() {
                return StopReason::TimedOut;
            }
            signal.clear();
            self.multiplex_all();
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
            let Some(server) = engine.connection.server().filter(|server| !server.is_multiplexed) else { return };
            server.is_multiplexed = true;
            server.session.start_reader().set_signal(&signal);
        });
    }

    /// Returns whether the user has interrupted the wait for any server.
    fn take_interrupts(&mut self) -> bool {
        let taken: Vec<bool> = self.start_readers().iter().map(|queue| queue.take_interrupt()).collect();
        taken.contains(&true)
    }

    /// Returns the server whose next message arrived first.
    fn next_source(&mut self) -> Option<Source> {
        let current = self.servers.current;
        let mut first: Option<(u64, usize)> = None;
        self.with_each_server(|engine| {
            let next = engine.connection.session().and_then(|session| session.next_arrival());
            if let Some(place) = next.filter(|place| first.is_none_or(|(earliest, _)| *place < earliest)) {
                first = Some((place, engine.servers.current));
            }
        });
        let (_, index) = first?;
        Some(if index == current { Source::Current } else { Source::Other(index) })
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
