//! The engine: sends commands, and reports to an [`Output`] everything that happens in the meantime, in order of
//! arrival.
//!
//! The prompt and scripts use the same engine. It must not know about command-line options, dot commands or the
//! terminal.
//!
//! A command passes through these functions:
//!
//! ```text
//! run_command, run_json     take a parsed line, and open the connection if necessary
//!   prepare, prepare_json   build the request, checked against the server's introspection
//!   perform                 asks before `quit`, and shows the reply
//!     exchange              sends the request, and waits for its reply
//!       receive             handles everything that arrives in the meantime
//! ```

mod connecting;
pub(crate) mod exchange;
mod failures;
pub(crate) mod hmp;
mod multiplex;
mod noncharacters;
mod own_monitor;
mod prepare;
mod quit;
pub(crate) mod servers;
#[cfg(test)]
mod tests;
mod transaction;
mod value_hint;

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crate::assist::{Name, NameKind};
use crate::grammar::{Command, Diagnostic, JsonRequest, Language};
use crate::session::{SharedLog, end_log};
use crate::wire::Request;

use super::aliases::Aliases;
use super::connection::Connection;
use super::history::History;
use super::hmp::{has_succeeded, is_quit};
use super::line::{InputLine, LineOutcome};
use super::output::tail::LastReply;
use super::output::{Output, ReplyContext};
use super::server::Server;
use super::settings::Settings;
use exchange::Exchanged;
use servers::Servers;
use transaction::Transaction;

/// The time limit of [`EngineOptions::query_timeout`] where no user can press Ctrl-C. QEMU takes about 50 ms to produce its
/// introspection, but a busy one may take longer to begin.
pub const SCRIPT_QUERY_TIMEOUT: Duration = Duration::from_secs(60);

/// Properties of an engine that do not change.
#[derive(Debug, Clone, Copy, Default)]
pub struct EngineOptions {
    /// Whether the user is at a prompt: questions may be asked, and the next command opens a lost connection again.
    pub interactive: bool,
    /// Whether requests are shown instead of sent.
    pub dry_run: bool,
    /// The time limit for answers to queries that give a line its meaning; `None` waits until Ctrl-C.
    pub query_timeout: Option<Duration>,
    /// Whether the server is never queried for introspection and names.
    pub no_schema: bool,
    /// Whether errors come with suggestions even if the server must be queried for them.
    pub suggests_corrections: bool,
}

/// The state of the shell, apart from its input and output.
pub struct Engine {
    /// The settings of `.set`.
    pub settings: Settings,
    pub(crate) options: EngineOptions,
    /// The connection to the current server.
    pub(crate) connection: Connection,
    /// The other servers, if there are several.
    pub(crate) servers: Servers,
    /// The aliases of `.alias`.
    pub(crate) aliases: Aliases,
    pub(crate) log: SharedLog,
    /// The nesting depth of `.source`.
    pub(crate) source_depth: usize,
    /// Whether the line of an alias is running, in which no alias is expanded again.
    pub(crate) runs_alias: bool,
    /// The text that the prompt should open in the user's editor.
    pub(crate) line_to_edit: Option<String>,
    /// Whether the user has been told how settings are kept.
    pub(crate) knows_rc_file: bool,
    language: Language,
    histories: [History; 2],
    transaction: Option<Transaction>,
    /// The request of the line before, if that was not written as JSON.
    typed_request: Option<Request>,
    /// The last reply of a command that succeeded.
    pub(crate) last_reply: Option<LastReply>,
    /// Whether a line failed, including lines of nested `.source` files. Cleared by [`Engine::take_failed`].
    failed: bool,
    /// Whether messages are received without a line that waits for them.
    is_idle: bool,
    /// Whether a line is being repeated by `.watch`.
    pub(crate) is_watching: bool,
    /// Whether failures that events report are explained at a prompt.
    pub(crate) explains_failures: bool,
    /// Events that are not shown, because the shell itself causes them.
    hidden_events: &'static [&'static str],
    /// The job whose events are not shown, because the user did not start it.
    hidden_job: Option<String>,
}

impl Engine {
    pub fn new(connection: Connection, settings: Settings, options: EngineOptions, log: SharedLog) -> Engine {
        Engine {
            settings,
            options,
            connection,
            servers: Servers::default(),
            aliases: Aliases::default(),
            log,
            source_depth: 0,
            runs_alias: false,
            line_to_edit: None,
            knows_rc_file: false,
            language: Language::Qmp,
            histories: [History::default(), History::default()],
            transaction: None,
            typed_request: None,
            last_reply: None,
            failed: false,
            is_idle: false,
            is_watching: false,
            explains_failures: true,
            hidden_events: &[],
            hidden_job: None,
        }
    }

    /// Returns the current language of lines.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Switches the language, and drops an open transaction block.
    pub fn set_language(&mut self, language: Language) {
        self.language = language;
        self.transaction = None;
    }

    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Returns the server if it may be queried for introspection and names.
    pub(crate) fn queryable_server(&mut self) -> Option<&mut Server> {
        match self.options.no_schema {
            true => None,
            false => self.connection.server(),
        }
    }

    /// Returns live names of the server if it may be queried, as [`Server::live_names`] does. They come from QMP alone if
    /// the shell's own monitor answers HMP lines.
    pub(crate) fn live_names(&mut self, kind: &NameKind, deadline: Instant) -> Vec<Name> {
        let asks_monitor = !self.uses_own_monitor();
        self.queryable_server().map(|server| server.live_names(kind, asks_monitor, deadline)).unwrap_or_default()
    }

    /// Loads the history files.
    pub(crate) fn load_histories(&mut self) {
        self.histories = [History::load(Language::Qmp), History::load(Language::Hmp)];
    }

    /// Returns the history of the current language.
    pub fn history(&mut self) -> &mut History {
        self.history_of(self.language)
    }

    pub(crate) fn history_of(&mut self, language: Language) -> &mut History {
        &mut self.histories[language as usize]
    }

    /// Notes the outcome of a line.
    pub(crate) fn note_outcome(&mut self, outcome: LineOutcome) {
        self.failed |= outcome == LineOutcome::Failed;
    }

    /// Returns whether a line has failed since the last call, including lines of sourced files.
    pub(crate) fn take_failed(&mut self) -> bool {
        std::mem::take(&mut self.failed)
    }

    /// Closes the log, and reports whether lines are missing from it.
    pub fn end_log(&mut self, out: &mut dyn Output) {
        close_log(&self.log, out);
    }

    /// Executes a command with `KEY=VALUE` words.
    pub(crate) fn run_command(
        &mut self,
        command: &Command,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<LineOutcome, Diagnostic> {
        if let Err(outcome) = self.ensure_open(line, out) {
            return Ok(outcome);
        }
        let request = self.prepare(command, line, out)?;
        Ok(self.perform(&request, None, line, out))
    }

    /// Executes a request written as JSON.
    pub(crate) fn run_json(
        &mut self,
        json: &JsonRequest,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<LineOutcome, Diagnostic> {
        if let Err(outcome) = self.ensure_open(line, out) {
            return Ok(outcome);
        }
        let request = self.prepare_json(json, line, out)?;
        if json.has_arrow && self.typed_request.take().is_some_and(|typed| is_echo(&request, &typed)) {
            out.show_warning("the echo of the line before was not sent again", line);
            return Ok(LineOutcome::Done);
        }
        let outcome = self.perform(&request, None, line, out);
        self.typed_request = None;
        Ok(outcome)
    }

    /// Notes that a line is about to run that is not the echo of the line before.
    pub(crate) fn forget_typed_request(&mut self) {
        self.typed_request = None;
    }

    /// Sends a request, with a file descriptor if there is one, waits for its reply, and shows the reply.
    pub(crate) fn perform(
        &mut self,
        request: &Request,
        fd: Option<BorrowedFd<'_>>,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> LineOutcome {
        self.typed_request = Some(request.clone());
        let ends_qemu = is_quit(request);
        if ends_qemu && !self.confirm_quit(out) {
            return LineOutcome::Done;
        }
        let reply = match self.exchange(request, fd, line, out) {
            Ok(Exchanged::Reply(reply)) => reply,
            Ok(Exchanged::Interrupted | Exchanged::DryRun) => return LineOutcome::Done,
            Err(outcome) => return outcome,
        };
        let hint = self.error_hint(request, &reply);
        out.show_reply(&ReplyContext { reply: &reply, request, late: false, hint }, line);
        let has_succeeded = has_succeeded(request, &reply);
        if has_succeeded {
            self.last_reply = Some(LastReply::Reply { command: request.command.clone(), reply });
        }
        match has_succeeded {
            true if ends_qemu => self.after_quit(out),
            succeeded => LineOutcome::of(succeeded),
        }
    }
}

/// Returns whether `request` is the echo of a typed one, as a verbose shell shows it: secrets may be masked.
fn is_echo(request: &Request, typed: &Request) -> bool {
    request == typed || request.to_json(request.id.as_deref()) == typed.to_masked_json(typed.id.as_deref())
}

/// The warning about a log that is incomplete.
pub const MISSING_LINES: &str = "warning: some lines could not be written to the log";

/// Closes a log, and reports whether lines are missing from it.
pub fn close_log(log: &SharedLog, out: &mut dyn Output) {
    if end_log(log) {
        out.show_notice(MISSING_LINES);
    }
}

/// Reports a line that was not sent.
pub(crate) fn not_sent(diagnostic: &Diagnostic, line: &InputLine<'_>, out: &mut dyn Output) -> LineOutcome {
    out.report_not_sent(diagnostic, line, true);
    LineOutcome::Failed
}
