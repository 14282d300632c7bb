//! One command on one server.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::args::QmpArgs;
use super::command_line::{CommandLine, MisplacedOption};
use super::external_command::{ExternalCommand, server_has_command};
use crate::cli::color::stderr_palette;
use crate::cli::exit_status::{Failure, Status};
use crate::filter::Filter;
use crate::grammar::Diagnostic;
use crate::schema::Schema;
use crate::session::{Address, Options};
use crate::shell::{
    Connection, Engine, EngineOptions, InputLine, LineOutcome, Output, OutputFormat, OutputStyle, ParsedLine,
    SCRIPT_QUERY_TIMEOUT, Settings, close_log, run_filtered, run_parsed,
};

/// The time in which a server must answer to be asked about a line with a syntax error.
const HINT_TIMEOUT: Duration = Duration::from_millis(500);

/// The output of `qmp help`.
const OVERVIEW: &str = "\
qmp COMMAND [--KEY=VALUE | KEY=VALUE]... sends one command and prints the reply.

  qmp query-status
  qmp device_del --id=net0                   the key decides the type of a value
  qmp eject --device=cd0 --force             a bare --KEY is true
  qmp blockdev-add driver=raw node-name=n0 file.driver=null-co
  qmp blockdev-add '{\"driver\": \"null-co\"}' node-name=n1

  qmp hmp LINE           sends a line to the human monitor
  qmp help COMMAND       explains a command, an event or a type of the server
  qmp help COMMAND.KEY   one of its keys
  qmp help apropos WORD  searches for a word
  qmp --help             the options
";

/// The prefix of messages about a single server.
const MESSAGE_PREFIX: &str = "qmp: ";

/// A command, and everything that is needed to run it on any server.
#[derive(Debug, Clone)]
pub(super) struct OneShot {
    command_line: CommandLine,
    options: Options,
    /// The program that runs instead of the command if the server does not have it.
    external: Option<ExternalCommand>,
    filter: Option<Filter>,
    style: OutputStyle,
    settings: Settings,
    engine_options: EngineOptions,
    repetition: Option<Repetition>,
}

/// A command that runs again and again.
#[derive(Debug, Clone, Copy)]
struct Repetition {
    interval: Duration,
    /// The number of runs.
    count: Option<u64>,
}

/// The outcome on one server.
pub(super) enum Outcome {
    Ran(LineOutcome),
    /// The server does not have the command: the program must run instead. The connection is closed.
    External(ExternalCommand),
}

impl OneShot {
    pub(super) fn new(args: &QmpArgs, command_line: CommandLine, options: Options) -> OneShot {
        let request = &args.request;
        let external = command_line.command.as_ref().filter(|_| !request.dry_run && args.jq.is_none());
        let external = external.and_then(|command| ExternalCommand::find(command, args));
        let messages = args.json_writer();
        let style = OutputStyle {
            format: request.output.unwrap_or(OutputFormat::Flat),
            stderr_palette: stderr_palette(args.common.color),
            prefix: MESSAGE_PREFIX,
            server_name: None,
            is_paged: messages.escape_controls,
            messages,
        };
        let (verbose, check, monitor) = (args.common.verbose, !request.no_check, request.monitor);
        let settings = Settings { verbose, check, monitor, ..Settings::default() };
        let engine_options = EngineOptions {
            interactive: false,
            dry_run: request.dry_run,
            query_timeout: Some(SCRIPT_QUERY_TIMEOUT),
            no_schema: request.no_schema,
            suggests_corrections: true,
        };
        let repetition = args.every.map(|interval| Repetition { interval, count: args.count });
        let filter = args.jq.clone();
        OneShot { command_line, options, external, filter, style, settings, engine_options, repetition }
    }

    /// Returns the style of output for the only server.
    pub(super) fn style(&self) -> OutputStyle {
        self.style.clone()
    }

    /// Returns the style of output for one of several servers.
    pub(super) fn style_for(&self, server_name: &str) -> OutputStyle {
        OutputStyle { server_name: Some(server_name.to_owned()), prefix: "", is_paged: false, ..self.style.clone() }
    }

    /// Returns whether replies are JSON Lines, which name their server.
    pub(super) fn prints_json(&self) -> bool {
        self.style.format == OutputFormat::Json && self.filter.is_none()
    }

    pub(super) fn is_help(&self) -> bool {
        self.command_line.is_help()
    }

    /// Returns whether the command runs again and again.
    pub(super) fn is_repeated(&self) -> bool {
        self.repetition.is_some() && !self.is_help()
    }

    /// Returns whether the command can run without a server.
    pub(super) fn can_run_offline(&self) -> bool {
        self.is_help() || self.engine_options.dry_run || self.external.is_some()
    }

    fn input_line(&self) -> InputLine<'_> {
        InputLine { text: &self.command_line.text, script: None, number: 1 }
    }

    /// Returns the error of a line that cannot be parsed. The arguments of a program are not checked.
    pub(super) fn syntax_error(&self) -> Option<&Diagnostic> {
        self.command_line.line.as_ref().err().filter(|_| self.external.is_none())
    }

    /// Reports a syntax error. The server at `address`, if it can be reached, knows what the line may mean.
    pub(super) fn reject(&self, error: &Diagnostic, address: Option<&Address>, out: &mut dyn Output) -> LineOutcome {
        let mut engine = address.and_then(|address| self.connect_for_hints(address));
        let schema = engine.as_mut().and_then(|engine| engine.schema_within(HINT_TIMEOUT));
        let has_key = |option: &MisplacedOption| self.takes_key_of(option, schema.as_deref());
        let misplaced = self.command_line.misplaced_option.as_ref().filter(|option| has_key(option) != Some(true));
        // With a server whose schema is unknown, the word before the value may be a key as well as an option.
        let may_be_key = misplaced.is_none() || schema.is_none() && address.is_some();
        let correction = self.command_line.correction.as_ref().filter(|_| may_be_key);
        let outcome = match (correction, &mut engine, misplaced) {
            (None, Some(engine), None) => {
                run_parsed(engine, ParsedLine::Invalid(error.clone()), &self.input_line(), out)
            }
            (correction, ..) => {
                let hint = correction.map(|correction| format!("; did you mean `{correction}`?")).unwrap_or_default();
                let diagnostic = Diagnostic::new(error.span, format!("{}{hint}", error.message));
                out.report_not_sent(&diagnostic, &self.input_line(), true);
                LineOutcome::Failed
            }
        };
        if let Some(option) = misplaced {
            out.show_notice(&option.hint());
        }
        if let Some(mut engine) = engine {
            engine.finish_queries();
        }
        outcome
    }

    /// Returns an engine for a server that answers at once.
    fn connect_for_hints(&self, address: &Address) -> Option<Engine> {
        if self.engine_options.no_schema {
            return None;
        }
        let options = Options { wait: None, timeout: HINT_TIMEOUT, ..self.options.clone() };
        let mut connection = Connection::new(Some(address.clone()), options, false);
        connection.open(&mut |_| {}).ok()?;
        Some(Engine::new(connection, self.settings.clone(), self.engine_options, self.options.log.clone()))
    }

    /// Returns whether the command has the key that an option would set; `None` if that is not known.
    fn takes_key_of(&self, option: &MisplacedOption, schema: Option<&Schema>) -> Option<bool> {
        let Some(key) = &option.key else { return Some(false) };
        let info = schema?.command(self.command_line.command.as_deref()?)?;
        Some(schema?.accepts_key(info, key))
    }

    /// Returns a sentence about an option after COMMAND, for a command that cannot be sent.
    pub(super) fn option_hint(&self) -> Option<String> {
        self.command_line.misplaced_option.as_ref().map(MisplacedOption::hint)
    }

    /// Runs the command, and closes the connection. `server_name` is for the log, if there are several servers. Calls `after_run` after each run but the last, which ends it with
    /// `Break`.
    pub(super) fn run<O: Output>(
        &self,
        address: Option<&Address>,
        server_name: Option<&str>,
        out: &mut O,
        after_run: &mut dyn FnMut(&mut O) -> ControlFlow<()>,
    ) -> Result<Outcome, Failure> {
        if self.command_line.text == "help" {
            out.print(OVERVIEW);
            return Ok(Outcome::Ran(LineOutcome::Done));
        }
        let mut connection = self.connect(address, server_name, out)?;
        if let (Some(external), Some(command)) = (&self.external, &self.command_line.command) {
            let deadline = Instant::now().checked_add(self.options.timeout);
            let has_command = match connection.session() {
                Some(session) => {
                    let is_agent = self.options.guest_agent;
                    server_has_command(session, command, is_agent, deadline, &mut |text| out.show_notice(text))
                        .map_err(|disconnected| Failure::new(Status::Disconnected, disconnected))?
                }
                None => false,
            };
            if !has_command && self.is_repeated() {
                return Err(Failure::usage(format!(
                    "`--every` cannot repeat `{command}`, which the server does not have"
                )));
            }
            if !has_command {
                return Ok(Outcome::External(external.clone()));
            }
        }
        let mut engine = Engine::new(connection, self.settings.clone(), self.engine_options, self.options.log.clone());
        let parsed = ParsedLine::from(self.command_line.line.clone());
        let mut outcome = self.run_line(&mut engine, parsed.clone(), out);
        if let Some(option) = &self.command_line.misplaced_option
            && outcome == LineOutcome::Failed
            && self.takes_key_of(option, engine.schema_within(HINT_TIMEOUT).as_deref()) == Some(false)
        {
            out.show_notice(&option.hint());
        }
        if self.is_repeated() {
            outcome = self.repeat(&mut engine, &parsed, outcome, out, after_run);
        }
        engine.finish_queries();
        out.flush();
        Ok(Outcome::Ran(outcome))
    }

    fn run_line(&self, engine: &mut Engine, parsed: ParsedLine, out: &mut dyn Output) -> LineOutcome {
        let line = self.input_line();
        match self.filter.clone().filter(|_| !self.is_help()) {
            Some(filter) => run_filtered(engine, parsed, filter, &line, out),
            None => run_parsed(engine, parsed, &line, out),
        }
    }

    /// Runs the command again and again, after a first run with this outcome. Returns the worst outcome.
    fn repeat<O: Output>(
        &self,
        engine: &mut Engine,
        parsed: &ParsedLine,
        first: LineOutcome,
        out: &mut O,
        after_run: &mut dyn FnMut(&mut O) -> ControlFlow<()>,
    ) -> LineOutcome {
        let Some(Repetition { interval, count }) = self.repetition else { return first };
        if first == LineOutcome::Failed && !engine.has_sent_command() {
            // A mistake in the line does not go away.
            return first;
        }
        let (mut latest, mut worst) = (first, first);
        let mut due = Instant::now();
        for _ in 1..count.unwrap_or(u64::MAX) {
            if matches!(latest, LineOutcome::Disconnected | LineOutcome::Leave) {
                return latest;
            }
            if after_run(out).is_break() {
                break;
            }
            // A slow run does not move the later ones, unless it takes longer than the interval.
            due = (due + interval).max(Instant::now());
            if let Err(outcome) = engine.wait_until(due, out) {
                return outcome;
            }
            latest = self.run_line(engine, parsed.clone(), out);
            if latest != LineOutcome::Done {
                worst = latest;
            }
        }
        worst
    }

    /// Returns an open connection, or one without an address if there is no server or none is needed.
    fn connect(
        &self,
        address: Option<&Address>,
        server_name: Option<&str>,
        out: &mut dyn Output,
    ) -> Result<Connection, Failure> {
        let offline = || Connection::new(None, self.options.clone(), false);
        let needs_server = !(self.engine_options.dry_run && self.engine_options.no_schema);
        let Some(address) = address.filter(|_| needs_server) else { return Ok(offline()) };
        let server_name = server_name.map(str::to_owned);
        let options = Options { server_name, ..self.options.clone() };
        let mut connection = Connection::new(Some(address.clone()), options, false);
        match connection.open(&mut |text| out.show_notice(text)).map(drop) {
            Ok(()) => Ok(connection),
            Err(error) if self.is_help() => {
                out.show_notice(&format!("warning: {error}"));
                Ok(offline())
            }
            Err(error) => Err(Failure::not_connected(error)),
        }
    }

    /// Closes the log, and reports whether lines are missing from it.
    pub(super) fn end_log(&self, out: &mut dyn Output) {
        close_log(&self.options.log, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::OneShotOutput;
    use clap::Parser;

    #[test]
    fn sends_words_literally() {
        let words = ["qmp", "--dry-run", "--no-schema", "c", "--a='1' \u{fffd}", "--b", "c=[1]"];
        let args = QmpArgs::parse_from(words);
        let one_shot = OneShot::new(&args, CommandLine::parse(&args.words).unwrap(), Options::default());
        let mut out = OneShotOutput::new(Vec::new(), Vec::new(), one_shot.style());
        assert!(matches!(
            one_shot.run(None, None, &mut out, &mut |_| ControlFlow::Continue(())),
            Ok(Outcome::Ran(LineOutcome::Done))
        ));
        let request = "{\"execute\": \"c\", \"arguments\": {\"a\": \"'1' \u{fffd}\", \"b\": true, \"c\": [1]}}\n";
        let (stdout, stderr) = out.into_inner();
        assert_eq!((String::from_utf8(stdout).unwrap().as_str(), stderr), (request, Vec::new()));
    }
}
