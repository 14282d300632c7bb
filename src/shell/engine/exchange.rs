//! The engine's exchange with the server: sends requests, and handles messages in order of arrival.
//!
//! [`Engine::receive`] is the only place that handles messages, whatever the engine waits for.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crate::client::{REPLY_ANNOUNCEMENT_DELAY, job_of_event};
use crate::render::capitalise;
use crate::session::{Disconnected, Received, Wait};
use crate::wire::{Event, Reply, Request};

use super::super::line::{InputLine, LineOutcome};
use super::super::output::{Output, ReplyContext};
use super::noncharacters::reject_noncharacters;
use super::{Engine, not_sent};

/// The maximum time for which output of what has arrived may keep the user waiting.
const DRAIN_TIME_SLICE: Duration = Duration::from_millis(100);

/// The number of bytes that are shown in one slice. A terminal may be slow.
const DRAIN_SLICE_BYTES: usize = 64 << 10;

/// The maximum time for which [`Engine::drain_until_quiet`] receives.
const FINAL_DRAIN_TIME: Duration = Duration::from_secs(1);

/// The time within which the reader threads of several sessions pass on what has arrived at their sockets.
const READER_GRACE: Duration = Duration::from_millis(50);

/// The reason why a request has not been sent.
const UNANSWERED_BEFORE: &str = "the server has not replied to the request before it";

/// The maximum number of warnings about one server.
const MAX_SERVER_WARNINGS: usize = 20;

/// The reason why [`Engine::receive`] returned.
#[derive(Debug)]
pub(crate) enum StopReason {
    /// The awaited reply arrived.
    Reply(Reply),
    /// The caller has received enough.
    Enough,
    /// The wait is over.
    TimedOut,
    /// The user pressed Ctrl-C.
    Interrupted,
    /// The descriptor of [`Wait::Input`] is readable.
    InputReady,
    /// Output cannot be written; its reader may be gone.
    OutputFailed,
    Disconnected(Disconnected),
    NotConnected,
}

/// The outcome of [`Engine::exchange`].
#[derive(Debug)]
pub(crate) enum Exchanged {
    Reply(Reply),
    /// The user pressed Ctrl-C. If the request was sent, the reply is shown when it arrives.
    Interrupted,
    /// The request was shown instead of sent.
    DryRun,
}

/// The outcome of [`Engine::send`].
#[derive(Debug)]
pub(super) enum Sent {
    /// The reply will carry this id.
    InFlight(u64),
    /// The reply is known, so nothing was sent.
    Fulfilled(Reply),
}

impl Engine {
    /// Receives messages as long as `wait` says, and handles all except the reply to `awaited`. `is_enough` is called
    /// after each message, with the approximate number of bytes that were shown.
    pub(crate) fn receive(
        &mut self,
        awaited: Option<u64>,
        wait: Wait<'_>,
        out: &mut dyn Output,
        mut is_enough: impl FnMut(&mut Engine, usize) -> bool,
    ) -> StopReason {
        if self.has_several_servers() {
            return self.receive_from_all(awaited, wait, out, &mut is_enough);
        }
        let mut shown = 0;
        loop {
            let Some(server) = self.connection.server() else { return StopReason::NotConnected };
            if wait.is_over() {
                return StopReason::TimedOut;
            }
            let mut received = server.session.poll(Wait::Buffered);
            if let Ok(Received::TimedOut) = received
                && !matches!(wait, Wait::Buffered)
            {
                out.flush();
                // A command in flight must be waited for in any case.
                if awaited.is_none() && out.has_failed() {
                    return StopReason::OutputFailed;
                }
                received = server.session.poll(wait);
            }
            match received {
                Ok(Received::TimedOut) => return StopReason::TimedOut,
                Ok(Received::Interrupted) => return StopReason::Interrupted,
                Ok(Received::InputReady) => return StopReason::InputReady,
                Ok(Received::Reply { id, reply }) if awaited == Some(id) => return StopReason::Reply(reply),
                Ok(message) => shown += self.handle_message(message, out),
                Err(disconnected) => return StopReason::Disconnected(disconnected),
            }
            if is_enough(self, shown) {
                return StopReason::Enough;
            }
        }
    }

    /// Sends a request and waits for its reply. `Err` means that there was no reply, and that the failure was reported.
    pub(crate) fn exchange(
        &mut self,
        request: &Request,
        fd: Option<BorrowedFd<'_>>,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<Exchanged, LineOutcome> {
        if let Err(diagnostic) = reject_noncharacters(request, line.text) {
            return Err(not_sent(&diagnostic, line, out));
        }
        if self.options.dry_run {
            out.show_unsent_request(&request.to_json(request.id.as_deref()));
            return Ok(Exchanged::DryRun);
        }
        self.transact(request, fd, line, out)
    }

    /// Sends a request, even in a dry run, and waits for its reply.
    pub(super) fn transact(
        &mut self,
        request: &Request,
        fd: Option<BorrowedFd<'_>>,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<Exchanged, LineOutcome> {
        match self.send(request, fd, line, out)? {
            Sent::Fulfilled(reply) => Ok(Exchanged::Reply(reply)),
            Sent::InFlight(id) => self.await_reply(id, request, line, out),
        }
    }

    /// Sends a request. `Err` means that the connection has ended, and that this was reported.
    pub(super) fn send(
        &mut self,
        request: &Request,
        fd: Option<BorrowedFd<'_>>,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<Sent, LineOutcome> {
        let verbose = self.settings.verbose;
        let Some(server) = self.connection.server() else {
            // The request was built for the server whose connection has ended, so another one must not get it.
            let message = format!("the connection ended before `{}` was sent", request.command);
            out.report_failure(&message, line, Some("NotSent"));
            return Err(LineOutcome::Disconnected);
        };
        if let Some(reply) = server.fulfilled(request) {
            return Ok(Sent::Fulfilled(reply));
        }
        if verbose {
            out.show_request(&request.to_masked_json(request.id.as_deref()));
        }
        server.forget_live_names();
        let sent = match fd {
            None => server.session.send(request),
            Some(fd) => server.session.send_with_fd(request, fd),
        };
        self.connection.record.events.command_sent();
        self.connection.record.has_sent_command = true;
        match sent {
            Ok(id) => Ok(Sent::InFlight(id)),
            Err(disconnected) => Err(self.disconnected_in_flight(&disconnected, request, line, out)),
        }
    }

    /// Waits for the reply to a request that was sent.
    pub(super) fn await_reply(
        &mut self,
        id: u64,
        request: &Request,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<Exchanged, LineOutcome> {
        match self.receive_reply(id, &request.command, out) {
            StopReason::Reply(reply) => Ok(Exchanged::Reply(reply)),
            StopReason::Interrupted => {
                let command = &request.command;
                let server = self.connection.server();
                let was_sent = server.is_none_or(|server| server.stop_waiting_for(id, request));
                out.show_notice(&match was_sent {
                    true => format!("`{command}` is still running in the server; its reply is shown when it arrives."),
                    false => format!("`{command}` was not sent: {UNANSWERED_BEFORE}."),
                });
                Ok(Exchanged::Interrupted)
            }
            StopReason::Disconnected(disconnected) if self.is_queued(id) => {
                self.connection.close();
                let reason = capitalise(&disconnected.to_string());
                let hint = self.reconnect_hint();
                let message = format!("{reason} before `{}` was sent.{hint}", request.command);
                out.report_failure(&message, line, Some("NotSent"));
                Err(LineOutcome::Disconnected)
            }
            StopReason::Disconnected(disconnected) => {
                Err(self.disconnected_in_flight(&disconnected, request, line, out))
            }
            _ => Err(self.disconnected_in_flight(&Disconnected::Closed, request, line, out)),
        }
    }

    /// Receives messages until the reply to a command arrives. Announces a long wait.
    fn receive_reply(&mut self, id: u64, command: &str, out: &mut dyn Output) -> StopReason {
        let announce_at = Instant::now() + REPLY_ANNOUNCEMENT_DELAY;
        match self.receive(Some(id), Wait::Until(announce_at), out, |_, _| false) {
            StopReason::TimedOut => {}
            stop => return stop,
        }
        let hint = if self.options.interactive { "; Ctrl-C stops waiting" } else { "" };
        out.show_notice(&match self.is_queued(id) {
            true => format!("Waiting to send `{command}`, because {UNANSWERED_BEFORE}{hint}."),
            false => format!("Waiting for the reply to `{command}`{hint}."),
        });
        self.receive(Some(id), Wait::Forever, out, |_, _| false)
    }

    /// Returns whether a request has not been sent, because the one before is unanswered.
    fn is_queued(&mut self, id: u64) -> bool {
        self.connection.server().is_some_and(|server| server.session.is_queued(id))
    }

    /// Sends a query of the shell's own, and waits for its reply. Unlike a command of the user, it does not end what
    /// counts as the latest events.
    pub(crate) fn query(
        &mut self,
        request: &Request,
        wait: Wait<'_>,
        out: &mut dyn Output,
    ) -> Result<Reply, StopReason> {
        let server = self.connection.server().ok_or(StopReason::NotConnected)?;
        let id = server.session.send_query(request).map_err(StopReason::Disconnected)?;
        match self.receive(Some(id), wait, out, |_, _| false) {
            StopReason::Reply(reply) => Ok(reply),
            stop => {
                if let Some(server) = self.connection.server() {
                    server.session.discard_reply(id);
                }
                Err(stop)
            }
        }
    }

    /// Handles a message that is not the awaited reply. Returns the approximate number of bytes that were shown.
    pub(super) fn handle_message(&mut self, message: Received, out: &mut dyn Output) -> usize {
        match message {
            Received::Event(event) => self.handle_event(event, out),
            Received::Reply { id, reply } => self.handle_late_reply(id, &reply, out),
            Received::Unexpected(unexpected) => {
                self.warn_of_unexpected_data(&unexpected.to_string(), out);
                0
            }
            _ => 0,
        }
    }

    fn handle_event(&mut self, event: Event, out: &mut dyn Output) -> usize {
        let is_of_hidden_job = self.hidden_job.is_some() && job_of_event(&event) == self.hidden_job;
        let is_hidden = is_of_hidden_job || self.hidden_events.contains(&event.name());
        let is_shown = !is_hidden && self.settings.events.shows(event.name());
        let shown = if is_shown { event.text().len() } else { 0 };
        if is_shown {
            out.show_event(&event);
        }
        if let Some(server) = self.connection.server() {
            server.info.note_event(event.name());
        }
        self.connection.record.events.push(event);
        if is_shown {
            self.ask_for_reason(out);
        }
        if let Some(server) = self.connection.server() {
            server.forget_live_names();
        }
        shown
    }

    /// Handles the reply to a query, or to a command that the user stopped waiting for.
    fn handle_late_reply(&mut self, id: u64, reply: &Reply, out: &mut dyn Output) -> usize {
        let Some(server) = self.connection.server() else { return 0 };
        if server.info.take_reply(id, reply) {
            // The introspection may have arrived.
            self.announce_monitor(out);
            return 0;
        }
        if self.explain_failure(id, reply, out) {
            return reply.text().len();
        }
        let Some(server) = self.connection.server() else { return 0 };
        let Some(request) = server.interrupted_commands.remove(&id) else { return 0 };
        let context = ReplyContext { reply, request: &request, late: true, hint: None };
        out.show_reply(&context, &InputLine::none());
        reply.text().len()
    }

    /// Warns about unexpected data from the server, at most [`MAX_SERVER_WARNINGS`] times.
    fn warn_of_unexpected_data(&mut self, unexpected: &str, out: &mut dyn Output) {
        let Some(server) = self.connection.server() else { return };
        server.unexpected_count += 1;
        if server.unexpected_count <= MAX_SERVER_WARNINGS {
            out.show_notice(&format!("warning: {unexpected}"));
        }
        if server.unexpected_count == MAX_SERVER_WARNINGS {
            out.show_notice("Further warnings about this server are suppressed.");
        }
    }

    /// Shows what has arrived, without waiting. Returns whether there is more: it stops after a time slice, so that a
    /// server that never stops sending cannot lock the user out.
    pub(crate) fn drain(&mut self, out: &mut dyn Output) -> bool {
        let deadline = Instant::now() + DRAIN_TIME_SLICE;
        let is_enough = |_: &mut Engine, shown| shown >= DRAIN_SLICE_BYTES || Instant::now() >= deadline;
        self.is_idle = true;
        let stop = self.receive(None, Wait::Buffered, out, is_enough);
        self.is_idle = false;
        let has_more = match stop {
            StopReason::Enough => true,
            StopReason::Disconnected(disconnected) => {
                self.disconnected_while_idle(&disconnected, out);
                self.has_several_servers()
            }
            _ => false,
        };
        self.label(false, out);
        has_more
    }

    /// Shows everything that the server has sent so far. Does not report a disconnect. Stops after
    /// [`FINAL_DRAIN_TIME`].
    pub(crate) fn drain_until_quiet(&mut self, out: &mut dyn Output) {
        let deadline = Instant::now() + FINAL_DRAIN_TIME;
        if self.has_several_servers() {
            // What has arrived at the sockets is still on its way through the reader threads.
            let quiet_at = Instant::now() + READER_GRACE;
            let _ = self.receive(None, Wait::Until(quiet_at), out, |_, _| false);
        }
        let _ = self.receive(None, Wait::Arrived, out, |_, _| Instant::now() >= deadline);
    }

    /// Waits until `input` is readable, and shows messages in the meantime. `Ok(false)` means that output cannot be
    /// written.
    pub(crate) fn wait_for_input(&mut self, input: BorrowedFd<'_>, out: &mut dyn Output) -> Result<bool, LineOutcome> {
        // `receive` does this only with a connection.
        out.flush();
        loop {
            return match self.receive(None, Wait::Input(input), out, |_, _| false) {
                StopReason::OutputFailed => Ok(false),
                // The caller waits for the input itself, by reading it.
                StopReason::NotConnected => Ok(!out.has_failed()),
                StopReason::Disconnected(disconnected) => {
                    self.disconnected_while_idle(&disconnected, out);
                    if self.has_other_connection() {
                        continue;
                    }
                    Err(LineOutcome::Disconnected)
                }
                _ => Ok(true),
            };
        }
    }

    /// Returns whether a command was sent over this connection.
    pub fn has_sent_command(&self) -> bool {
        self.connection.record.has_sent_command
    }

    /// Receives messages until `deadline`. `Err` means that the connection has ended, which was reported.
    pub fn wait_until(&mut self, deadline: Instant, out: &mut dyn Output) -> Result<(), LineOutcome> {
        match self.receive(None, Wait::Until(deadline), out, |_, _| false) {
            StopReason::Disconnected(disconnected) => {
                self.disconnected_while_idle(&disconnected, out);
                Err(LineOutcome::Disconnected)
            }
            StopReason::NotConnected => Err(LineOutcome::Disconnected),
            _ => Ok(()),
        }
    }

    /// Waits for the replies to queries before the session is closed.
    pub(crate) fn finish_queries(&mut self) {
        if let Some(server) = self.connection.server() {
            server.finish_queries();
        }
    }

    /// Waits for the replies of all servers to queries before the sessions are closed.
    pub(crate) fn finish_all_queries(&mut self) {
        self.with_each_server(Engine::finish_queries);
    }
}
