//! The engine: whole lines in, effects out.
//!
//! Parses a line, sends what it means, waits for the reply and tells an [`Output`] all that happens meanwhile, in order
//! of arrival. Prompt and script feed the same engine. Knows nothing of argument parsing or of the terminal.

pub(crate) mod exchange;
pub(crate) mod hmp;
pub(crate) mod prepare;
pub(crate) mod transaction;

use std::collections::{HashMap, HashSet};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::grammar::{Diagnostic, Line, LineMode, Span, parse_line};
use crate::session::{Received, SharedLog};
use crate::wire::{Incoming, Request};

use super::commands::{self, Manuals};
use super::connection::Connection;
use super::engine::transaction::Transaction;
use super::events::log::EventLog;
use super::history::History;
use super::output::{InputLine, Output, ReplyContext};
use super::server_info::ServerInfo;
use super::settings::Settings;

/// How a line ended.
#[derive(Debug, Clone)]
pub enum LineOutcome {
    /// Well.
    Done,
    /// It failed, and was reported.
    Failed,
    /// The user wants to leave.
    Leave,
    /// The connection was lost, and that was reported.
    Disconnected,
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
    /// Errors come with advice, though the server has to be asked for it.
    pub suggests_corrections: bool,
}

/// The engine.
pub struct Engine {
    /// What `.set` sets.
    pub settings: Settings,
    pub(crate) connection: Connection,
    pub(crate) mode: Mode,
    pub(crate) language: LineMode,
    pub(crate) transaction: Option<Transaction>,
    pub(crate) events: EventLog,
    pub(crate) server_info: ServerInfo,
    /// The server's manual pages, once somebody has asked.
    pub(crate) manuals: Manuals,
    /// Warnings that were given once already.
    pub(crate) warned: HashSet<String>,
    pub(crate) log: SharedLog,
    pub(crate) histories: [History; 2],
    /// The CPU that HMP commands look at.
    pub(crate) cpu: Option<u64>,
    /// How deep `.source` is nested.
    pub(crate) depth: usize,
    /// Requests that the user gave up waiting for.
    pub(crate) cancelled: HashMap<u64, Request>,
    /// How many oddities of this server were met.
    pub(crate) oddities: usize,
    /// A line failed since this was last asked, be it deep in a sourced file.
    failed: bool,
    /// QEMU was told to end: the end of the connection is what was asked for.
    pub(crate) quitting: bool,
}

impl Engine {
    /// An engine over `connection`.
    pub fn new(connection: Connection, settings: Settings, mode: Mode, log: SharedLog) -> Engine {
        Engine {
            settings,
            connection,
            mode,
            language: LineMode::Qmp,
            transaction: None,
            events: EventLog::default(),
            server_info: ServerInfo::default(),
            manuals: None,
            warned: HashSet::new(),
            log,
            histories: [History::default(), History::default()],
            cpu: None,
            depth: 0,
            cancelled: HashMap::new(),
            oddities: 0,
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
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Closes the log; says so where something is missing in it.
    pub fn end_log(&mut self, out: &mut dyn Output) {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner).take();
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
    pub fn run_line(&mut self, source: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
        let verdict = self.run_any_line(source, out);
        self.failed |= matches!(verdict, LineOutcome::Failed);
        verdict
    }

    fn run_any_line(&mut self, source: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
        // Whoever read the line put this character where bytes were no UTF-8; to send it would be to send something else.
        if let Some(at) = source.text.find(char::REPLACEMENT_CHARACTER)
            && !source.text.trim_start().starts_with('#')
        {
            let span = Span::new(at, at + char::REPLACEMENT_CHARACTER.len_utf8());
            let fault = Diagnostic::new(span, "what stood here is not UTF-8");
            out.not_sent(&fault, source, self.language == LineMode::Qmp && self.transaction.is_none());
            return LineOutcome::Failed;
        }
        if self.language == LineMode::Hmp {
            return self.run_hmp_line(source, out);
        }
        let line = match self.transaction {
            Some(_) => return self.run_transaction_line(source, out),
            None => parse_line(source.text),
        };
        let prepared = match line {
            Ok(Line::Blank) => return LineOutcome::Done,
            Ok(Line::Dot(line)) => return commands::run(self, &line, source, out),
            Ok(Line::ShellEscape(command)) => return commands::run_system(self, &command, source, out),
            Ok(Line::Transaction(line)) => return self.open_transaction(line, source, out),
            Ok(Line::Json(json)) => self.prepare_json(&json, source, out),
            Ok(Line::Command(command)) => self.prepare(&command, source, out),
            Err(fault) => Err(fault),
        };
        match prepared {
            Ok(request) => self.perform(&request, source, out),
            Err(fault) => not_sent(&self.advised(fault, source.text), source, out),
        }
    }

    /// Sends a request, waits for its reply, and shows it.
    pub(crate) fn perform(&mut self, request: &Request, source: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
        let ends_qemu = request.command == "quit";
        if ends_qemu && !self.may_quit(out) {
            return LineOutcome::Done;
        }
        let answer = match self.exchange(request, None, source, out) {
            Ok(answer) => answer,
            Err(verdict) => return verdict,
        };
        let Some(reply) = answer else { return LineOutcome::Done };
        let hint = self.hint(request, &reply);
        out.answer(&ReplyContext { reply: &reply, request, late: false, hint }, source);
        if !reply.succeeded() {
            return LineOutcome::Failed;
        }
        if ends_qemu { self.after_quit(out) } else { LineOutcome::Done }
    }

    /// Asks, where there is somebody to ask, before QEMU is ended.
    pub(crate) fn may_quit(&mut self, out: &mut dyn Output) -> bool {
        if !self.mode.interactive || self.mode.dry_run || !self.settings.confirm {
            return true;
        }
        let leaving = match self.connection.qemu() {
            Some(_) => "so does leaving this shell, which started it",
            None => "Ctrl-D leaves only the shell",
        };
        out.confirm(&format!("`quit` ends QEMU and its machine at once; {leaving}.\nEnd QEMU?"))
    }

    /// Tells the QEMU that this program started to end, without asking. Any other is left alone.
    pub fn end_qemu(&mut self, out: &mut dyn Output) {
        let Some(qemu) = self.connection.started().cloned() else {
            return;
        };
        let is_here = self.connection.qemu().is_some();
        let told = match self.connection.session().filter(|_| is_here) {
            Some(session) => session.send(&Request::new("quit")).is_ok(),
            None => is_here && self.quitting,
        };
        if told {
            self.settings.events = super::events::filter::EventFilter::Nothing;
            self.after_quit(out);
        } else {
            qemu.end();
        }
    }

    /// What the server still says while it ends.
    pub(crate) fn after_quit(&mut self, out: &mut dyn Output) -> LineOutcome {
        if self.mode.dry_run {
            return LineOutcome::Done;
        }
        self.quitting = true;
        let patience = Instant::now() + Duration::from_secs(2);
        while let Some(session) = self.connection.session() {
            out.flush();
            match session.receive(Some(patience)) {
                Ok(Received::Message(Incoming::Event(event))) => self.on_event(event, out),
                Ok(Received::TimedOut) | Err(_) => self.connection.close(),
                Ok(_) => {}
            }
        }
        LineOutcome::Leave
    }
}

/// Reports a line that is wrong before anything is sent.
pub(crate) fn not_sent(fault: &Diagnostic, source: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
    out.not_sent(fault, source, true);
    LineOutcome::Failed
}
