//! One command to one server.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::grammar::{Line, parse_line};
use crate::render::Palette;
use crate::session::{Address, Options};
use crate::shell::{
    Connection, Engine, InputLine, JsonMessageWriter, LineOutcome, Mode, Output, OutputFormat, OutputStyle, Settings,
    run_line,
};

use super::args::{Form, QmpArgs};
use super::command_line::CommandLine;
use super::external_command;
use crate::cli::exit_status::{Failure, Status};
use crate::cli::qmp_shell::{is_colored, is_colored_beside};

/// What `qmp help` says.
const OVERVIEW: &str = "\
qmp COMMAND [--KEY=VALUE | KEY=VALUE]... sends one command and prints its answer.

  qmp query-status
  qmp device_del --id=net0                   a string, an integer, … by its key
  qmp eject --device=cd0 --force             a bare --KEY is true
  qmp blockdev-add driver=raw node-name=n0 file.driver=null-co
  qmp blockdev-add '{\"driver\": \"null-co\"}' node-name=n1

  qmp help COMMAND       explains a command, an event or a type of the server
  qmp help COMMAND.KEY   one of its keys
  qmp help apropos WORD  searches
  qmp --help             the options
";

/// A command that was typed, and all there is to know to carry it out.
#[derive(Debug, Clone)]
pub(crate) struct OneShot {
    pub(crate) typed: CommandLine,
    /// How sessions are opened.
    pub(crate) options: Options,
    /// The program that carries it out for a server that lacks it.
    pub(crate) external: Option<PathBuf>,
    /// What that program is given.
    pub(crate) words: Vec<OsString>,
    look: OutputStyle,
    settings: Settings,
    mode: Mode,
}

/// How it went.
pub(crate) enum Outcome {
    /// The server was asked, or need not be.
    Ran(LineOutcome),
    /// The server lacks the command: its program is to be run. The connection is closed.
    Lacks(PathBuf),
}

impl OneShot {
    pub(crate) fn new(args: &QmpArgs, typed: CommandLine, options: Options) -> OneShot {
        let external = match &typed {
            CommandLine::Command { name, .. } if !args.dry_run => external_command::find(name),
            _ => None,
        };
        // Answers are laid out by our own form; the engine's is for lines that know no other.
        let settings = Settings {
            verbose: args.verbose,
            output: OutputFormat::Pretty,
            check: !args.no_check,
            ..Settings::default()
        };
        let mode =
            Mode { interactive: false, dry_run: args.dry_run, no_schema: args.no_schema, suggests_corrections: true };
        OneShot { typed, options, external, words: external_command::words(args), look: look(args), settings, mode }
    }

    /// How answers look: of the only server, or of the one that is at `path`.
    pub(crate) fn look(&self, path: Option<&str>) -> OutputStyle {
        let mut look = self.look.clone();
        if path.is_some() {
            look.path = path.map(str::to_owned);
            (look.prefix, look.paged) = ("", false);
        }
        look
    }

    /// Whether answers are JSON on a line.
    pub(crate) fn is_json(&self) -> bool {
        self.look.format == OutputFormat::Json
    }

    /// The line as messages speak of it.
    fn source(&self) -> InputLine<'_> {
        InputLine { text: self.typed.line(), script: None, number: 1 }
    }

    /// Whether the line makes sense as far as that can be seen without a server; says so where not.
    pub(crate) fn validate(&self, out: &mut dyn Output) -> bool {
        if self.external.is_some() {
            // The words may be meant for a program that reads them in its own way.
            return true;
        }
        match parse_line(self.typed.line()) {
            Ok(line) => !matches!(line, Line::Blank),
            Err(mut fault) => {
                if let Some(meant) = self.suggest_equals_form() {
                    fault.message = format!("{}; did you mean `{meant}`?", fault.message);
                }
                out.not_sent(&fault, &self.source(), true);
                false
            }
        }
    }

    /// `--key value`, as other programs take it, in the form that is taken here, where it is the first word without a key.
    fn suggest_equals_form(&self) -> Option<String> {
        let words: Vec<&str> = self.words.iter().filter_map(|word| word.to_str()).collect();
        let loose = words.iter().position(|word| !word.contains('=') && !word.starts_with(['-', '{']))?;
        let flag = words.get(loose.checked_sub(1)?)?;
        (flag.starts_with("--") && !flag.contains('=')).then(|| format!("{flag}={}", words[loose]))
    }

    /// Whether it can be done without a server.
    pub(crate) fn may_do_without(&self) -> bool {
        matches!(self.typed, CommandLine::Help(_)) || self.mode.dry_run || self.external.is_some()
    }

    /// Carries it out. The connection is closed in the end.
    pub(crate) fn perform(&self, address: Option<&Address>, out: &mut dyn Output) -> Result<Outcome, Failure> {
        if self.typed.line() == "help" {
            out.print(OVERVIEW);
            return Ok(Outcome::Ran(LineOutcome::Done));
        }
        let connection = self.connection(address, out)?;
        let mut connection = match (connection, &self.external) {
            (None, Some(program)) => return Ok(Outcome::Lacks(program.clone())),
            (connection, _) => connection.unwrap_or_else(|| Connection::new(None, self.options.clone(), false)),
        };
        if let (Some(program), CommandLine::Command { name, .. }, Some(session)) =
            (&self.external, &self.typed, connection.session())
        {
            let until = Instant::now().checked_add(self.options.timeout);
            let until = until.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            match external_command::server_has(session, name, self.options.guest_agent, until) {
                Ok(true) => {}
                Ok(false) => return Ok(Outcome::Lacks(program.clone())),
                Err(lost) => return Err(Failure::new(Status::Disconnected, lost)),
            }
        }
        let mut engine = Engine::new(connection, self.settings.clone(), self.mode, self.options.log.clone());
        let verdict = run_line(&mut engine, &self.source(), out);
        engine.finish_queries();
        out.flush();
        Ok(Outcome::Ran(verdict))
    }

    /// The open link to the server; `None` where it is done without one.
    fn connection(&self, address: Option<&Address>, out: &mut dyn Output) -> Result<Option<Connection>, Failure> {
        let Some(address) = address else { return Ok(None) };
        if self.mode.dry_run && self.mode.no_schema {
            return Ok(None);
        }
        let mut connection = Connection::new(Some(address.clone()), self.options.clone(), false);
        match connection.open(&mut |text| out.notice(text)).map(drop) {
            Ok(()) => Ok(Some(connection)),
            Err(error) if matches!(self.typed, CommandLine::Help(_)) => {
                out.notice(&format!("warning: {error}"));
                Ok(None)
            }
            Err(error) => Err(Failure::new(Status::NotConnected, error)),
        }
    }

    /// Closes the log; says so where something is missing in it.
    pub(crate) fn end_log(&self, out: &mut dyn Output) {
        let log = self.options.log.lock().unwrap_or_else(PoisonError::into_inner).take();
        if log.is_some_and(|log| log.has_failed()) {
            out.notice("warning: some lines could not be written to the log");
        }
    }
}

fn look(args: &QmpArgs) -> OutputStyle {
    let form = match args.output {
        Form::Flat => OutputFormat::Flat,
        Form::Json => OutputFormat::Json,
        Form::Pretty => OutputFormat::Pretty,
    };
    let messages = message_lines(args);
    OutputStyle {
        format: form,
        stderr_palette: Palette::new(is_colored_beside(args.color)),
        prefix: "qmp: ",
        path: None,
        paged: messages.escape_controls,
        messages,
    }
}

/// How JSON goes to standard output.
pub(crate) fn message_lines(args: &QmpArgs) -> JsonMessageWriter {
    JsonMessageWriter { palette: Palette::new(is_colored(args.color)), escape_controls: io::stdout().is_terminal() }
}

/// The status of a verdict on a command.
pub(crate) fn status_of(verdict: &LineOutcome) -> Status {
    match verdict {
        LineOutcome::Done | LineOutcome::Leave => Status::Success,
        LineOutcome::Failed => Status::LineFailed,
        LineOutcome::Disconnected => Status::Disconnected,
    }
}
