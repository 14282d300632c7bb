//! The engine's talk with the server: a request out, messages in, in order of arrival.
//!
//! Every message that comes is taken here, whoever waits for whatever; the rest of the engine never reads a session.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crate::session::{Disconnected, Received};
use crate::wire::{Event, Incoming, Reply, Request, preview};

use super::{Engine, LineOutcome};
use crate::shell::connection::ConnectionError;
use crate::shell::output::{InputLine, Output, ReplyContext};
use crate::shell::server_info::ServerInfo;

/// How long showing what has arrived may keep the user waiting, and how much of it is shown at once: a terminal may be
/// slow.
const MOMENT: Duration = Duration::from_millis(100);
const SCREENFUL: usize = 64 << 10;

/// How many oddities of one server are mentioned.
const MAX_SERVER_WARNINGS: usize = 20;

/// How long a server is heard out at the end of a script.
const HEARING: Duration = Duration::from_secs(1);

impl Engine {
    /// Sends a request and waits for its reply. `Ok(None)`: there is none to show. `Err`: reported already.
    pub(crate) fn exchange(
        &mut self,
        request: &Request,
        descriptor: Option<BorrowedFd<'_>>,
        source: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<Option<Reply>, LineOutcome> {
        if self.mode.dry_run {
            out.would_send(&request.to_json(request.id.as_deref()));
            return Ok(None);
        }
        self.ensure_open(source, out)?;
        if self.settings.verbose {
            out.sending(&request.to_masked_json(request.id.as_deref()));
        }
        self.events.command_sent();
        self.server_info.forget_live();
        let session = self.connection.session().ok_or(LineOutcome::Disconnected)?;
        let sent = match descriptor {
            None => session.send(request),
            Some(fd) => session.send_with_descriptor(request, fd),
        };
        match sent.and_then(|id| self.await_reply(id, request, out)) {
            Ok(reply) => Ok(reply),
            Err(lost) => Err(self.lost_in_flight(&lost, request, source, out)),
        }
    }

    /// Opens the session if it is not open: at a prompt a lost one is opened again by the next command.
    fn ensure_open(&mut self, source: &InputLine<'_>, out: &mut dyn Output) -> Result<(), LineOutcome> {
        if self.connection.is_open() {
            return Ok(());
        }
        if !self.mode.interactive {
            out.failed("not connected", source, Some("NotSent"));
            return Err(LineOutcome::Failed);
        }
        self.reconnect(source, out)
    }

    /// Opens a session to the link's address.
    pub(crate) fn reconnect(&mut self, source: &InputLine<'_>, out: &mut dyn Output) -> Result<(), LineOutcome> {
        match self.connection.open(&mut |text| out.notice(text)) {
            Ok(_) => {
                self.quitting = false;
                self.cpu = None;
                self.oddities = 0;
                self.server_info = ServerInfo::default();
                self.manuals = None;
                let text = self.welcome();
                if self.mode.interactive {
                    self.connection.start_reader();
                    out.notice(&text);
                }
                Ok(())
            }
            // No class: `.connect` has no reply whose place would have to be filled.
            Err(error @ ConnectionError::Connect(_)) if self.mode.interactive => {
                out.failed(&format!("{error}. Nothing was sent."), source, None);
                Err(LineOutcome::Failed)
            }
            Err(error) => {
                out.failed(&error.to_string(), source, None);
                Err(LineOutcome::Failed)
            }
        }
    }

    /// Who is at the other end.
    pub fn welcome(&mut self) -> String {
        let place = self.connection.address().map(|address| format!(" at {address}")).unwrap_or_default();
        let guest = self.connection.options().guest_agent;
        let greeting = self.connection.session().and_then(|session| session.greeting());
        let who = match greeting.and_then(|greeting| greeting.version.as_ref()) {
            Some(version) => format!("QEMU {version}"),
            None if guest => "a guest agent".to_owned(),
            None => "a QMP server".to_owned(),
        };
        format!("Connected to {who}{place}.")
    }

    /// Takes messages in order until the reply to `id` comes. `Ok(None)`: the user gave up waiting.
    fn await_reply(&mut self, id: u64, request: &Request, out: &mut dyn Output) -> Result<Option<Reply>, Disconnected> {
        loop {
            let Some(session) = self.connection.session() else {
                return Err(Disconnected::Closed);
            };
            let item = match session.receive_framed()? {
                Some(item) => item,
                None => {
                    out.flush();
                    session.receive(None)?
                }
            };
            match item {
                // A reply without id answers what the server could not read: the oldest request in flight.
                Received::Message(Incoming::Reply(reply)) if reply.id().is_none() && self.cancelled.is_empty() => {
                    return Ok(Some(reply));
                }
                Received::Message(Incoming::Reply(reply)) if reply_id(&reply) == Some(id) => return Ok(Some(reply)),
                Received::Interrupted => {
                    self.cancelled.insert(id, request.clone());
                    out.notice(&format!(
                        "`{}` is still running in the server; its reply will be shown when it comes.",
                        request.command
                    ));
                    return Ok(None);
                }
                item => self.take_item(item, out),
            }
        }
    }

    /// Takes whatever has come by itself.
    fn take_item(&mut self, item: Received, out: &mut dyn Output) {
        match item {
            Received::Message(Incoming::Event(event)) => self.on_event(event, out),
            Received::Message(Incoming::Reply(reply)) => self.on_late_reply(&reply, out),
            Received::Message(Incoming::Greeting(_)) => {
                self.report_server_oddity("the server greets again and again", out)
            }
            Received::Junk(junk) => self.report_server_oddity(&junk.to_string(), out),
            Received::Mark | Received::TimedOut | Received::Interrupted | Received::Input => {}
        }
    }

    pub(crate) fn on_event(&mut self, event: Event, out: &mut dyn Output) {
        if self.settings.events.shows(event.name()) {
            out.event(&event);
        }
        self.events.push(event);
        // What lives in the server may have changed.
        self.server_info.forget_live();
    }

    fn on_late_reply(&mut self, reply: &Reply, out: &mut dyn Output) {
        let id = reply_id(reply);
        if id.is_some_and(|id| self.server_info.take_reply(id, reply)) {
            return;
        }
        let known = match id {
            Some(id) => self.cancelled.remove(&id),
            // Without an id it can only be the oldest that is still running.
            None => self.cancelled.keys().min().copied().and_then(|id| self.cancelled.remove(&id)),
        };
        match known {
            Some(request) => {
                let source = InputLine { text: "", script: None, number: 0 };
                out.answer(&ReplyContext { reply, request: &request, late: true, hint: None }, &source);
            }
            None => {
                let preview = preview(reply.text());
                self.report_server_oddity(
                    &format!("the server sent a reply to nothing that was asked: {preview}"),
                    out,
                );
            }
        }
    }

    /// Warns of a server's oddity. One that is full of them is not to drown everything else.
    fn report_server_oddity(&mut self, oddity: &str, out: &mut dyn Output) {
        self.oddities += 1;
        if self.oddities <= MAX_SERVER_WARNINGS {
            out.notice(&format!("warning: {oddity}"));
        }
        if self.oddities == MAX_SERVER_WARNINGS {
            out.notice("Of what else is odd about this server, no more will be said.");
        }
    }

    /// Shows what has arrived and waits for nothing. Says whether there is more to show: a server that never stops
    /// talking is left in mid sentence, so that the user gets a word in.
    pub fn drain(&mut self, out: &mut dyn Output) -> bool {
        let until = Instant::now() + MOMENT;
        let mut shown = 0;
        while shown < SCREENFUL && Instant::now() < until {
            let Some(session) = self.connection.session() else {
                return false;
            };
            match session.receive_framed() {
                Ok(Some(item)) => {
                    shown += self.length_on_screen(&item);
                    self.take_item(item, out);
                }
                Ok(None) => return false,
                Err(lost) => {
                    self.lost_while_idle(&lost, out);
                    return false;
                }
            }
        }
        true
    }

    /// About how much there is to be shown of an item.
    fn length_on_screen(&self, item: &Received) -> usize {
        match item {
            Received::Message(Incoming::Event(event)) if !self.settings.events.shows(event.name()) => 0,
            Received::Message(Incoming::Event(event)) => event.text().len(),
            // The answers to our own questions are not shown.
            Received::Message(Incoming::Reply(reply))
                if reply_id(reply).is_some_and(|id| self.cancelled.contains_key(&id)) =>
            {
                reply.text().len()
            }
            _ => 0,
        }
    }

    /// Shows all that the server has sent by now. That it has left, if it has, is not mentioned. One that never stops is
    /// stopped listening to.
    pub fn drain_until_quiet(&mut self, out: &mut dyn Output) {
        let until = Instant::now() + HEARING;
        while let Some(session) = self.connection.session()
            && Instant::now() < until
        {
            match session.receive_arrived() {
                Ok(Some(item)) => self.take_item(item, out),
                Ok(None) | Err(_) => break,
            }
        }
    }

    /// Waits for the next message, or for `input` to become readable, whichever is first; shows the message. `Ok` says
    /// whether input is there.
    pub fn wait_for_input(&mut self, input: BorrowedFd<'_>, out: &mut dyn Output) -> Result<bool, LineOutcome> {
        let Some(session) = self.connection.session() else {
            return Ok(true);
        };
        match session.receive_or_input(input, None) {
            Ok(Received::Input) => Ok(true),
            Ok(item) => {
                self.take_item(item, out);
                Ok(false)
            }
            Err(lost) => {
                self.lost_while_idle(&lost, out);
                Err(LineOutcome::Disconnected)
            }
        }
    }

    /// Waits for a message until `until`; shows it. `Ok(false)`: time is up, the user gave up, or nobody reads what
    /// is shown.
    pub(crate) fn wait_for_message(
        &mut self,
        until: Option<Instant>,
        out: &mut dyn Output,
    ) -> Result<bool, LineOutcome> {
        let Some(session) = self.connection.session() else {
            return Err(LineOutcome::Disconnected);
        };
        out.flush();
        if out.has_failed() {
            return Ok(false);
        }
        match session.receive(until) {
            Ok(Received::TimedOut | Received::Interrupted) => Ok(false),
            Ok(item) => {
                self.take_item(item, out);
                Ok(true)
            }
            Err(lost) => {
                self.lost_while_idle(&lost, out);
                Err(LineOutcome::Disconnected)
            }
        }
    }

    fn lost_while_idle(&mut self, lost: &Disconnected, out: &mut dyn Output) {
        self.connection.close();
        let running = self.forget_running();
        let what = capitalise(&lost.to_string());
        let next = self.reconnect_hint();
        out.notice(&format!("{what}.{running}{next}"));
    }

    /// What to expect after a lost connection, as a sentence.
    fn reconnect_hint(&self) -> String {
        match self.connection.qemu() {
            Some(qemu) => format!(" {}", qemu.describe_exit()),
            None if self.mode.interactive => " The next command connects again.".to_owned(),
            None => String::new(),
        }
    }

    /// Requests still running when the connection ended, as a sentence.
    fn forget_running(&mut self) -> String {
        let running: Vec<String> =
            self.cancelled.drain().map(|(_, request)| format!("`{}`", request.command)).collect();
        if running.is_empty() {
            return String::new();
        }
        format!(" Nobody can know whether {} was carried out.", running.join(", "))
    }

    fn lost_in_flight(
        &mut self,
        lost: &Disconnected,
        request: &Request,
        source: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> LineOutcome {
        self.connection.close();
        if request.command == "quit" || super::hmp::is_quit_request(request) {
            self.quitting = true;
            return LineOutcome::Leave;
        }
        self.cancelled.clear();
        let what = capitalise(&lost.to_string());
        let message =
            format!("{what} before `{}` was answered. Nobody can know whether it was carried out.", request.command);
        let next = self.reconnect_hint();
        out.failed(&format!("{message}{next}"), source, Some("ConnectionLost"));
        LineOutcome::Disconnected
    }
}

/// The session's own id of a request, as its reply carries it.
pub(crate) fn reply_id(reply: &Reply) -> Option<u64> {
    reply.id()?.parse().ok()
}

fn capitalise(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}
