//! The shell's own human monitor: HMP lines that become QMP requests of the engine.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::assist::Name;
use crate::grammar::Language;
use crate::monitor::{self, Explanation, Failure, QmpServer, ServerError, Step};
use crate::schema::Schema;
use crate::session::Wait;
use crate::wire::{HMP_COMMAND, MAX_VALUE_MEMORY, Reply, ReplyBody, Request, parse_value, value_memory};

use super::super::line::{InputLine, LineOutcome};
use super::super::output::Output;
use super::super::settings::MonitorChoice;
use super::Engine;
use super::exchange::{Exchanged, StopReason};
use super::noncharacters::reject_noncharacters;

impl Engine {
    /// Returns whether the shell's own monitor answers HMP lines.
    pub(crate) fn uses_own_monitor(&mut self) -> bool {
        match self.settings.monitor {
            MonitorChoice::Own => true,
            MonitorChoice::Server => false,
            MonitorChoice::Auto => self.connection.server().is_some_and(|server| {
                let schema = server.info.schema();
                server.lacks_human_monitor || schema.is_some_and(|schema| schema.command(HMP_COMMAND).is_none())
            }),
        }
    }

    /// Says at a prompt in HMP mode that the shell's own monitor answers, once for each connection, as soon as that is
    /// known.
    pub(crate) fn announce_monitor(&mut self, out: &mut dyn Output) {
        let is_due = self.options.interactive && self.language() == Language::Hmp && self.uses_own_monitor();
        if is_due && !std::mem::replace(&mut self.connection.record.is_monitor_announced, true) {
            out.show_notice("The shell's own monitor answers HMP lines, over QMP alone; `help` lists its commands.");
        }
    }

    /// Returns the HMP commands and the subcommands of `info`, with their help, as far as they are known.
    pub(crate) fn hmp_names(&mut self) -> (Vec<Name>, Vec<Name>) {
        if self.uses_own_monitor() {
            let schema = self.connection.server().and_then(|server| server.info.schema());
            let named = |names: Vec<(String, &str)>| names.iter().map(|(name, help)| Name::new(name, *help)).collect();
            let (commands, info_commands) = monitor::command_names(schema.as_deref());
            return (named(commands), named(info_commands));
        }
        let info = self.connection.server().map(|server| &server.info);
        info.map(|info| (info.hmp_commands().to_vec(), info.hmp_info().to_vec())).unwrap_or_default()
    }

    /// Notes that the server has no human monitor, if that is what the reply says. Returns whether it does.
    pub(super) fn note_missing_monitor(&mut self, reply: &Reply) -> bool {
        let is_missing = matches!(reply.body(), ReplyBody::Error { class, .. } if class == "CommandNotFound");
        if let Some(server) = self.connection.server() {
            server.lacks_human_monitor |= is_missing && !server.is_guest_agent;
        }
        is_missing
    }

    /// Executes an HMP line in the shell's own monitor. Returns its text, whether it succeeded, and the outcome.
    pub(super) fn run_own_monitor(
        &mut self,
        hmp_line: &str,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<(String, LineOutcome), LineOutcome> {
        if self.options.dry_run {
            let explanation = self.explain_hmp(hmp_line, line, out)?;
            for step in &explanation.steps {
                if let Step::Request(request) = step {
                    out.show_unsent_request(&request.to_json(None));
                }
            }
            return Ok(match explanation.result {
                Err(failure) if explanation.steps.is_empty() => (failure.text(), LineOutcome::Failed),
                _ => (String::new(), LineOutcome::Done),
            });
        }
        let mut state = std::mem::take(&mut self.connection.record.monitor);
        let events_before = self.connection.record.events.total;
        let mut server = EngineServer { engine: self, line, out, ended: None, value_memory: 0 };
        let result = monitor::run_line(hmp_line, &mut server, &mut state);
        let ended = server.ended;
        out.show_progress("");
        self.connection.record.monitor = state;
        // All events since the first request count for `.wait`.
        self.connection.record.events.count_from(events_before);
        match result {
            Ok(text) => Ok((text, LineOutcome::Done)),
            Err(failure) => match ended {
                Some(outcome) => Err(outcome),
                None => Ok((failure.text(), LineOutcome::Failed)),
            },
        }
    }
}

impl Engine {
    /// Explains an HMP line, without executing it.
    pub(crate) fn explain_hmp(
        &mut self,
        hmp_line: &str,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<Explanation, LineOutcome> {
        let state = self.connection.record.monitor.clone();
        self.with_qmp_server(line, out, |server| monitor::explain_line(hmp_line, server, &state))
    }

    /// Calls `f` with the server. Returns its result, or the outcome of the line if it ended without a reply.
    pub(crate) fn with_qmp_server<T>(
        &mut self,
        line: &InputLine<'_>,
        out: &mut dyn Output,
        f: impl FnOnce(&mut dyn QmpServer) -> T,
    ) -> Result<T, LineOutcome> {
        let mut server = EngineServer { engine: self, line, out, ended: None, value_memory: 0 };
        let result = f(&mut server);
        server.ended.map_or(Ok(result), Err)
    }
}

/// The server that the engine is connected to, as the monitor sees it.
struct EngineServer<'a> {
    engine: &'a mut Engine,
    line: &'a InputLine<'a>,
    out: &'a mut dyn Output,
    /// The outcome of a line that ended without a reply, once it did.
    ended: Option<LineOutcome>,
    /// The memory that the return values take since the last pause.
    value_memory: usize,
}

impl EngineServer<'_> {
    fn exchange(&mut self, request: &Request, fd: Option<BorrowedFd<'_>>) -> Result<Value, Failure> {
        self.check(request)?;
        match self.engine.transact(request, fd, self.line, self.out) {
            Ok(Exchanged::Reply(reply)) => {
                self.count(&reply)?;
                Ok(return_value(request, &reply)?)
            }
            Ok(Exchanged::Interrupted | Exchanged::DryRun) => Err(self.end(LineOutcome::Done, Failure::Interrupted)),
            Err(outcome) => Err(self.end(outcome, Failure::Ended)),
        }
    }

    /// Counts the memory that the values of a reply take. Fails if it is too much.
    fn count(&mut self, reply: &Reply) -> Result<(), Failure> {
        self.value_memory = self.value_memory.saturating_add(value_memory(reply.text()));
        if self.value_memory > MAX_VALUE_MEMORY {
            let limit = MAX_VALUE_MEMORY >> 20;
            return Err(Failure::line(format!("The server's replies would take more than {limit} MiB of memory.")));
        }
        Ok(())
    }

    /// Reports a request that cannot be sent.
    fn check(&mut self, request: &Request) -> Result<(), Failure> {
        reject_noncharacters(request, self.line.text).map_err(|diagnostic| {
            let outcome = super::not_sent(&diagnostic, self.line, self.out);
            self.end(outcome, Failure::Ended)
        })
    }

    /// Records the outcome of a line that ends without a reply. Returns `failure`.
    fn end(&mut self, outcome: LineOutcome, failure: Failure) -> Failure {
        self.ended = Some(outcome);
        failure
    }
}

impl QmpServer for EngineServer<'_> {
    fn query(&mut self, request: &Request) -> Result<Value, Failure> {
        self.exchange(request, None)
    }

    fn execute(&mut self, request: &Request) -> Result<Value, Failure> {
        self.exchange(request, None)
    }

    fn execute_quietly(&mut self, request: &Request, events: &'static [&'static str]) -> Result<Value, Failure> {
        self.engine.hidden_events = events;
        let result = self.exchange(request, None);
        self.engine.hidden_events = &[];
        result
    }

    fn execute_with_fd(&mut self, request: &Request, fd: BorrowedFd<'_>) -> Result<Value, Failure> {
        self.exchange(request, Some(fd))
    }

    fn can_receive_fds(&mut self) -> bool {
        self.engine.connection.session().is_some_and(|session| session.can_pass_fds())
    }

    fn schema(&mut self) -> Option<Arc<Schema>> {
        self.engine.wait_for_schema(self.out).unwrap_or_default()
    }

    /// The greeting tells the version; an agent has none.
    fn version(&mut self) -> Result<Option<(u64, u64)>, Failure> {
        let greeting = self.engine.connection.session().and_then(|session| session.greeting());
        let version = greeting.and_then(|greeting| greeting.version.as_ref());
        Ok(version.map(|version| (version.numbers.0, version.numbers.1)))
    }

    fn pause(&mut self, duration: Duration) -> Result<(), Failure> {
        self.value_memory = 0;
        let wait = Wait::Until(Instant::now() + duration);
        match self.engine.receive(None, wait, self.out, |_, _| false) {
            StopReason::Interrupted => Err(self.end(LineOutcome::Done, Failure::Interrupted)),
            StopReason::Disconnected(disconnected) => {
                self.engine.disconnected_while_idle(&disconnected, self.out);
                Err(self.end(LineOutcome::Disconnected, Failure::Ended))
            }
            _ => Ok(()),
        }
    }

    fn hide_job(&mut self, id: Option<&str>) {
        self.engine.hidden_job = id.map(str::to_owned);
    }

    fn show_progress(&mut self, text: &str) {
        self.out.show_progress(text);
    }

    fn show_notice(&mut self, text: &str) {
        self.out.show_notice(text);
    }

    fn ask_for_secret(&mut self, prompt: &str) -> Result<Option<String>, Failure> {
        Ok(self.out.ask_for_secret(prompt))
    }

    fn history(&mut self) -> Vec<String> {
        self.engine.history_of(Language::Hmp).entries().to_vec()
    }
}

/// Returns the return value in a reply.
fn return_value(request: &Request, reply: &Reply) -> Result<Value, ServerError> {
    match reply.body() {
        ReplyBody::Return(raw) => parse_value(raw).map_err(|error| ServerError {
            class: "InvalidReply".to_owned(),
            desc: format!("the reply to `{}` {error}", request.command),
        }),
        ReplyBody::Error { class: class @ "CommandNotFound", .. } => {
            let desc = format!("the server has no QMP command `{}`", request.command);
            Err(ServerError { class: class.to_owned(), desc })
        }
        ReplyBody::Error { class, desc } => Err(ServerError { class: class.to_owned(), desc: desc.to_owned() }),
    }
}
