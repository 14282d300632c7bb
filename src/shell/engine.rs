//! The engine: whole lines in, effects out.
//!
//! Parses a line, sends what it means, waits for the reply and tells an [`Output`] all that happens meanwhile, in order
//! of arrival. Prompt and script feed the same engine. Knows nothing of argument parsing or of the terminal.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::grammar::{Diagnostic, Line, LineMode, Span, parse_line};
use crate::schema::{nearest, request_of_command, request_of_json};
use crate::session::{Lost, Received, SharedTranscript};
use crate::wire::{Event, Incoming, Reply, ReplyBody, Request};

use super::history::History;
use super::link::{Link, LinkError};
use super::meta;
use super::names::Names;
use super::output::{Answer, Output, Source};
use super::recent::Recent;
use super::settings::Settings;
use super::transaction::Transaction;

/// How long showing what has arrived may keep the user waiting.
const MOMENT: Duration = Duration::from_millis(100);

/// How a line ended.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Well.
    Done,
    /// It failed, and was reported.
    Failed,
    /// The user wants to leave.
    Leave,
    /// The connection was lost, and that was reported.
    Lost,
}

/// What the engine is told once and for all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mode {
    /// A person is at a prompt: questions may be asked, and a lost connection is opened again by the next command.
    pub interactive: bool,
    /// Nothing is sent; what would be is shown.
    pub dry_run: bool,
    /// Never ask the server what it knows.
    pub no_schema: bool,
}

/// The engine.
pub struct Engine {
    /// What `.set` sets.
    pub settings: Settings,
    pub(super) link: Link,
    pub(super) mode: Mode,
    pub(super) language: LineMode,
    pub(super) transaction: Option<Transaction>,
    pub(super) recent: Recent,
    pub(super) names: Names,
    pub(super) transcript: SharedTranscript,
    pub(super) histories: [History; 2],
    /// The CPU that HMP commands look at.
    pub(super) cpu: Option<u64>,
    /// How deep `.source` is nested.
    pub(super) depth: usize,
    /// Requests that the user gave up waiting for.
    abandoned: HashMap<u64, Request>,
    /// A line failed since this was last asked, be it deep in a sourced file.
    failed: bool,
    /// QEMU was told to end: the end of the connection is what was asked for.
    quitting: bool,
}

impl Engine {
    /// An engine over `link`.
    pub fn new(link: Link, settings: Settings, mode: Mode, transcript: SharedTranscript) -> Engine {
        Engine {
            settings,
            link,
            mode,
            language: LineMode::Qmp,
            transaction: None,
            recent: Recent::default(),
            names: Names::default(),
            transcript,
            histories: [History::default(), History::default()],
            cpu: None,
            depth: 0,
            abandoned: HashMap::new(),
            failed: false,
            quitting: false,
        }
    }

    /// Which language lines are in.
    pub fn language(&self) -> LineMode {
        self.language
    }

    /// Switches the language.
    pub fn set_language(&mut self, language: LineMode) {
        self.language = language;
        self.transaction = None;
    }

    /// Whether a transaction block is open.
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// Drops an open transaction block, unsent; says whether there was one.
    pub fn abandon_transaction(&mut self) -> bool {
        self.transaction.take().is_some()
    }

    /// The link to the server.
    pub fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// Closes the log; says so where something is missing in it.
    pub fn end_log(&mut self, out: &mut dyn Output) {
        let log = self.transcript.lock().unwrap_or_else(PoisonError::into_inner).take();
        if log.is_some_and(|log| log.has_failed()) {
            out.notice("warning: some lines could not be written to the log");
        }
    }

    /// Whether QEMU was told to end.
    pub fn is_quitting(&self) -> bool {
        self.quitting
    }

    /// The history of the present language.
    pub fn history(&mut self) -> &mut History {
        &mut self.histories[self.language as usize]
    }

    /// Whether a line has failed since this was last asked; lines of sourced files count.
    pub fn take_failed(&mut self) -> bool {
        std::mem::take(&mut self.failed)
    }

    /// Carries out one whole line.
    pub fn run_line(&mut self, source: &Source<'_>, out: &mut dyn Output) -> Verdict {
        let verdict = self.run_any_line(source, out);
        self.failed |= matches!(verdict, Verdict::Failed);
        verdict
    }

    fn run_any_line(&mut self, source: &Source<'_>, out: &mut dyn Output) -> Verdict {
        // Whoever read the line put this character where bytes were no UTF-8; to send it would be to send something else.
        if let Some(at) = source.text.find(char::REPLACEMENT_CHARACTER)
            && !source.text.trim_start().starts_with('#')
        {
            let span = Span::new(at, at + char::REPLACEMENT_CHARACTER.len_utf8());
            let fault = Diagnostic::new(span, "what stood here is not UTF-8");
            out.not_sent(
                &fault,
                source,
                self.language == LineMode::Qmp && self.transaction.is_none(),
            );
            return Verdict::Failed;
        }
        if self.language == LineMode::Hmp {
            return self.run_hmp_line(source, out);
        }
        let line = match self.transaction {
            Some(_) => return self.run_transaction_line(source, out),
            None => parse_line(source.text),
        };
        let request = match line {
            Ok(Line::Blank) => return Verdict::Done,
            Ok(Line::Meta(line)) => return meta::run(self, &line, source, out),
            Ok(Line::System(command)) => return meta::run_system(self, &command, source, out),
            Ok(Line::Transaction(line)) => return self.open_transaction(line, source, out),
            Ok(Line::Json(json)) => request_of_json(&json, &crate::schema::Knowledge::none()).map(|p| p.request),
            Ok(Line::Command(command)) => request_of_command(&command, &crate::schema::Knowledge::none()).map(|p| p.request),
            Err(fault) => Err(fault),
        };
        match request {
            Ok(request) => self.perform(&request, source, out),
            Err(fault) => not_sent(&fault, source, out),
        }
    }

    /// Sends a request, waits for its reply, and shows it.
    pub(super) fn perform(&mut self, request: &Request, source: &Source<'_>, out: &mut dyn Output) -> Verdict {
        let ends_qemu = request.command == "quit";
        if ends_qemu && !self.may_quit(out) {
            return Verdict::Done;
        }
        let answer = match self.exchange(request, None, source, out) {
            Ok(answer) => answer,
            Err(verdict) => return verdict,
        };
        let Some(reply) = answer else { return Verdict::Done };
        let hint = self.hint(request, &reply);
        out.answer(
            &Answer {
                reply: &reply,
                request,
                late: false,
                hint,
            },
            source,
        );
        if !reply.succeeded() {
            return Verdict::Failed;
        }
        if ends_qemu { self.after_quit(out) } else { Verdict::Done }
    }

    /// Asks, where there is somebody to ask, before QEMU is ended.
    pub(super) fn may_quit(&mut self, out: &mut dyn Output) -> bool {
        if !self.mode.interactive || self.mode.dry_run || !self.settings.confirm {
            return true;
        }
        let leaving = match self.link.qemu() {
            Some(_) => "so does leaving this shell, which started it",
            None => "Ctrl-D leaves only the shell",
        };
        out.confirm(&format!(
            "`quit` ends QEMU and its machine at once; {leaving}.\nEnd QEMU?"
        ))
    }

    /// Tells the QEMU that this program started to end, without asking. Any other is left alone.
    pub fn end_qemu(&mut self, out: &mut dyn Output) {
        let Some(qemu) = self.link.started().cloned() else {
            return;
        };
        let is_here = self.link.qemu().is_some();
        let told = match self.link.session().filter(|_| is_here) {
            Some(session) => session.send(&Request::new("quit")).is_ok(),
            None => is_here && self.quitting,
        };
        if told {
            self.settings.events = super::filter::EventFilter::Nothing;
            self.after_quit(out);
        } else {
            qemu.end();
        }
    }

    /// What the server still says while it ends.
    pub(super) fn after_quit(&mut self, out: &mut dyn Output) -> Verdict {
        if self.mode.dry_run {
            return Verdict::Done;
        }
        self.quitting = true;
        let patience = Instant::now() + Duration::from_secs(2);
        while let Some(session) = self.link.session() {
            out.flush();
            match session.receive(Some(patience)) {
                Ok(Received::Message(Incoming::Event(event))) => self.on_event(event, out),
                Ok(Received::TimedOut) | Err(_) => self.link.close(),
                Ok(_) => {}
            }
        }
        Verdict::Leave
    }

    /// Sends a request and waits for its reply. `Ok(None)`: there is none to show. `Err`: reported already.
    pub(super) fn exchange(
        &mut self,
        request: &Request,
        descriptor: Option<std::os::fd::BorrowedFd<'_>>,
        source: &Source<'_>,
        out: &mut dyn Output,
    ) -> Result<Option<Reply>, Verdict> {
        if self.mode.dry_run {
            out.would_send(&request.to_json(request.id.as_deref()));
            return Ok(None);
        }
        self.ensure_open(source, out)?;
        if self.settings.verbose {
            out.sending(&request.to_masked_json(request.id.as_deref()));
        }
        self.recent.command_sent();
        let session = self.link.session().ok_or(Verdict::Lost)?;
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
    fn ensure_open(&mut self, source: &Source<'_>, out: &mut dyn Output) -> Result<(), Verdict> {
        if self.link.is_open() {
            return Ok(());
        }
        if !self.mode.interactive {
            out.failed("not connected", source, Some("NotSent"));
            return Err(Verdict::Failed);
        }
        self.reconnect(source, out)
    }

    /// Opens a session to the link's address.
    pub(super) fn reconnect(&mut self, source: &Source<'_>, out: &mut dyn Output) -> Result<(), Verdict> {
        match self.link.open(&mut |text| out.notice(text)) {
            Ok(_) => {
                self.quitting = false;
                self.cpu = None;
                self.names = Names::default();
                let text = self.welcome();
                if self.mode.interactive {
                    self.link.start_reader();
                    out.notice(&text);
                }
                Ok(())
            }
            // No class: `.connect` has no reply whose place would have to be filled.
            Err(error @ LinkError::Connect(_)) if self.mode.interactive => {
                out.failed(&format!("{error}. Nothing was sent."), source, None);
                Err(Verdict::Failed)
            }
            Err(error) => {
                out.failed(&error.to_string(), source, None);
                Err(Verdict::Failed)
            }
        }
    }

    /// Who is at the other end.
    pub fn welcome(&mut self) -> String {
        let place = self
            .link
            .address()
            .map(|address| format!(" at {address}"))
            .unwrap_or_default();
        let guest = self.link.options().guest_agent;
        let greeting = self.link.session().and_then(|session| session.greeting());
        let who = match greeting.and_then(|greeting| greeting.version.as_ref()) {
            Some(version) => format!("QEMU {version}"),
            None if guest => "a guest agent".to_owned(),
            None => "a QMP server".to_owned(),
        };
        format!("Connected to {who}{place}.")
    }

    /// Takes messages in order until the reply to `id` comes. `Ok(None)`: the user gave up waiting.
    fn await_reply(&mut self, id: u64, request: &Request, out: &mut dyn Output) -> Result<Option<Reply>, Lost> {
        loop {
            let Some(session) = self.link.session() else {
                return Err(Lost::Closed);
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
                Received::Message(Incoming::Reply(reply)) if reply.id().is_none() && self.abandoned.is_empty() => {
                    return Ok(Some(reply));
                }
                Received::Message(Incoming::Reply(reply)) if reply_id(&reply) == Some(id) => return Ok(Some(reply)),
                Received::Interrupted => {
                    self.abandoned.insert(id, request.clone());
                    out.notice(&format!(
                        // Behind the `^C` that the terminal shows.
                        "\n`{}` is still running in the server; its reply will be shown when it comes.",
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
            Received::Message(Incoming::Greeting(_)) => out.notice("warning: the server sent a second greeting"),
            Received::Junk(junk) => out.notice(&format!("warning: {junk}")),
            Received::Mark | Received::TimedOut | Received::Interrupted | Received::Input => {}
        }
    }

    fn on_event(&mut self, event: Event, out: &mut dyn Output) {
        if self.settings.events.shows(event.name()) {
            out.event(&event);
        }
        self.recent.push(event);
    }

    fn on_late_reply(&mut self, reply: &Reply, out: &mut dyn Output) {
        let id = reply_id(reply);
        if id.is_some_and(|id| self.names.take_reply(id, reply)) {
            return;
        }
        let known = match id {
            Some(id) => self.abandoned.remove(&id),
            // Without an id it can only be the oldest that is still running.
            None => self
                .abandoned
                .keys()
                .min()
                .copied()
                .and_then(|id| self.abandoned.remove(&id)),
        };
        match known {
            Some(request) => {
                let source = Source {
                    text: "",
                    script: None,
                    number: 0,
                };
                let hint = self.hint(&request, reply);
                out.answer(
                    &Answer {
                        reply,
                        request: &request,
                        late: true,
                        hint,
                    },
                    &source,
                );
            }
            None => out.notice(&format!(
                "warning: the server sent a reply to nothing that was asked: {}",
                reply.text()
            )),
        }
    }

    /// Shows what has arrived and waits for nothing. Says whether there is more to show: a server that never stops
    /// talking is left in mid sentence, so that the user gets a word in.
    pub fn drain(&mut self, out: &mut dyn Output) -> bool {
        let until = Instant::now() + MOMENT;
        while Instant::now() < until {
            let Some(session) = self.link.session() else {
                return false;
            };
            match session.receive_framed() {
                Ok(Some(item)) => self.take_item(item, out),
                Ok(None) => return false,
                Err(lost) => {
                    self.lost_while_idle(&lost, out);
                    return false;
                }
            }
        }
        true
    }

    /// Shows all that the server has sent by now. That it has left, if it has, is not mentioned.
    pub fn take_rest(&mut self, out: &mut dyn Output) {
        while let Some(session) = self.link.session() {
            match session.receive(Some(std::time::Instant::now())) {
                Ok(Received::TimedOut | Received::Interrupted) | Err(_) => break,
                Ok(item) => self.take_item(item, out),
            }
        }
    }

    /// Asks the server for its names in the background, unless that was done or is not wanted.
    pub fn ask_names(&mut self) {
        if self.mode.no_schema || self.mode.dry_run {
            return;
        }
        let guest_agent = self.link.options().guest_agent;
        let hmp = self.language == LineMode::Hmp;
        if let Some(session) = self.link.session() {
            // A session that is at its end will be found so by the next to read from it.
            let _ = self.names.ask_commands(session, guest_agent);
            if hmp {
                let _ = self.names.ask_monitor(session);
            }
        }
    }

    /// Waits until `until` for the names that completing `line` needs.
    pub fn learn_names_for(&mut self, line: &str, until: Instant) {
        let own = line.trim_start().starts_with('.');
        let monitor = line.trim_start().starts_with(".hmp") || self.language == LineMode::Hmp && !own;
        self.learn_names(monitor, until);
    }

    /// Waits until `until` for the names that completion needs.
    fn learn_names(&mut self, monitor: bool, until: Instant) {
        self.ask_names();
        if let Some(session) = self.link.session()
            && monitor
            && !self.mode.no_schema
        {
            let _ = self.names.ask_monitor(session);
        }
        let mut aside = Vec::new();
        while self.names.is_waiting()
            && let Some(session) = self.link.session()
        {
            match session.receive(Some(until)) {
                Ok(Received::Message(Incoming::Reply(reply)))
                    if reply_id(&reply).is_some_and(|id| self.names.take_reply(id, &reply)) => {}
                Ok(Received::TimedOut | Received::Interrupted) | Err(_) => break,
                // Everything else is for the next redraw to show.
                Ok(item) => aside.push(item),
            }
        }
        if let Some(session) = self.link.session() {
            session.put_back(aside);
        }
    }

    /// Waits for the next message, or for `input` to become readable, whichever is first; shows the message. `Ok` says
    /// whether input is there.
    pub fn wait_for_input(
        &mut self,
        input: std::os::fd::BorrowedFd<'_>,
        out: &mut dyn Output,
    ) -> Result<bool, Verdict> {
        let Some(session) = self.link.session() else {
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
                Err(Verdict::Lost)
            }
        }
    }

    /// Waits for a message until `until`; shows it. `Ok(false)`: time is up, the user gave up, or nobody reads what
    /// is shown.
    pub(super) fn wait_for_message(&mut self, until: Option<Instant>, out: &mut dyn Output) -> Result<bool, Verdict> {
        let Some(session) = self.link.session() else {
            return Err(Verdict::Lost);
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
                Err(Verdict::Lost)
            }
        }
    }

    fn lost_while_idle(&mut self, lost: &Lost, out: &mut dyn Output) {
        self.link.close();
        let running = self.forget_running();
        let what = capitalise(&lost.to_string());
        let next = self.prospects();
        out.notice(&format!("{what}.{running}{next}"));
    }

    /// What to expect after a lost connection, as a sentence.
    fn prospects(&self) -> String {
        match self.link.qemu() {
            Some(qemu) => format!(" {}", qemu.fate()),
            None if self.mode.interactive => " The next command connects again.".to_owned(),
            None => String::new(),
        }
    }

    /// Requests still running when the connection ended, as a sentence.
    fn forget_running(&mut self) -> String {
        let running: Vec<String> = self
            .abandoned
            .drain()
            .map(|(_, request)| format!("`{}`", request.command))
            .collect();
        if running.is_empty() {
            return String::new();
        }
        format!(" Nobody can know whether {} was carried out.", running.join(", "))
    }

    fn lost_in_flight(&mut self, lost: &Lost, request: &Request, source: &Source<'_>, out: &mut dyn Output) -> Verdict {
        self.link.close();
        if request.command == "quit" || super::hmp::is_quit_request(request) {
            self.quitting = true;
            return Verdict::Leave;
        }
        self.abandoned.clear();
        let what = capitalise(&lost.to_string());
        let message = format!(
            "{what} before `{}` was answered. Nobody can know whether it was carried out.",
            request.command
        );
        let next = self.prospects();
        out.failed(&format!("{message}{next}"), source, Some("ConnectionLost"));
        Verdict::Lost
    }

    /// Advice where we know more than the server says.
    fn hint(&self, request: &Request, reply: &Reply) -> Option<String> {
        match reply.body() {
            ReplyBody::Error {
                class: "CommandNotFound",
                ..
            } => {
                let name = nearest(&request.command, self.names.commands().iter().map(String::as_str))?;
                Some(format!("did you mean `{name}`?"))
            }
            _ => None,
        }
    }
}

/// Reports a line that is wrong before anything is sent.
pub(super) fn not_sent(fault: &Diagnostic, source: &Source<'_>, out: &mut dyn Output) -> Verdict {
    out.not_sent(fault, source, true);
    Verdict::Failed
}

fn reply_id(reply: &Reply) -> Option<u64> {
    reply.id()?.parse().ok()
}

fn capitalise(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}
