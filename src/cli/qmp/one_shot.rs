//! One command on one server.

use std::time::Instant;

use super::args::QmpArgs;
use super::command_line::CommandLine;
use super::external_command::{ExternalCommand, server_has_command};
use crate::cli::color::stderr_palette;
use crate::cli::exit_status::{Failure, Status};
use crate::session::{Address, Options};
use crate::shell::{
    Connection, Engine, EngineOptions, InputLine, LineOutcome, Output, OutputFormat, OutputStyle, ParsedLine, Settings,
    close_log, run_parsed,
};

/// The output of `qmp help`.
const OVERVIEW: &str = "\
qmp COMMAND [--KEY=VALUE | KEY=VALUE]... sends one command and prints the reply.

  qmp query-status
  qmp device_del --id=net0                   the key decides the type of a value
  qmp eject --device=cd0 --force             a bare --KEY is true
  qmp blockdev-add driver=raw node-name=n0 file.driver=null-co
  qmp blockdev-add '{\"driver\": \"null-co\"}' node-name=n1

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
    style: OutputStyle,
    settings: Settings,
    engine_options: EngineOptions,
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
        let external = command_line.command.as_ref().filter(|_| !request.dry_run);
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
        let settings = Settings { verbose: args.common.verbose, check: !request.no_check, ..Settings::default() };
        let (dry_run, no_schema) = (request.dry_run, request.no_schema);
        let engine_options =
            EngineOptions { dry_run, no_schema, suggests_corrections: true, ..EngineOptions::default() };
        OneShot { command_line, options, external, style, settings, engine_options }
    }

    /// Returns the style of output for the only server.
    pub(super) fn style(&self) -> OutputStyle {
        self.style.clone()
    }

    /// Returns the style of output for one of several servers.
    pub(super) fn style_for(&self, server_name: &str) -> OutputStyle {
        OutputStyle { server_name: Some(server_name.to_owned()), prefix: "", is_paged: false, ..self.style.clone() }
    }

    /// Returns whether replies are JSON Lines.
    pub(super) fn prints_json(&self) -> bool {
        self.style.format == OutputFormat::Json
    }

    pub(super) fn is_help(&self) -> bool {
        self.command_line.is_help()
    }

    /// Returns whether the command can run without a server.
    pub(super) fn can_run_offline(&self) -> bool {
        self.is_help() || self.engine_options.dry_run || self.external.is_some()
    }

    fn input_line(&self) -> InputLine<'_> {
        InputLine { text: &self.command_line.text, script: None, number: 1 }
    }

    /// Returns whether the line can be parsed, and reports the error if not. The arguments of a program are not
    /// checked.
    pub(super) fn validate(&self, out: &mut dyn Output) -> bool {
        let Err(diagnostic) = &self.command_line.line else { return true };
        if self.external.is_some() {
            return true;
        }
        let mut diagnostic = diagnostic.clone();
        if let Some(correction) = &self.command_line.correction {
            diagnostic.message.push_str(&format!("; did you mean `{correction}`?"));
        }
        out.report_not_sent(&diagnostic, &self.input_line(), true);
        false
    }

    /// Runs the command, and closes the connection.
    pub(super) fn run(&self, address: Option<&Address>, out: &mut dyn Output) -> Result<Outcome, Failure> {
        if self.command_line.text == "help" {
            out.print(OVERVIEW);
            return Ok(Outcome::Ran(LineOutcome::Done));
        }
        let mut connection = self.connect(address, out)?;
        if let (Some(external), Some(command)) = (&self.external, &self.command_line.command) {
            let deadline = Instant::now().checked_add(self.options.timeout);
            let has_command = match connection.session() {
                Some(session) => server_has_command(session, command, self.options.guest_agent, deadline)
                    .map_err(|disconnected| Failure::new(Status::Disconnected, disconnected))?,
                None => false,
            };
            if !has_command {
                return Ok(Outcome::External(external.clone()));
            }
        }
        let mut engine = Engine::new(connection, self.settings.clone(), self.engine_options, self.options.log.clone());
        let parsed = ParsedLine::from(self.command_line.line.clone());
        let outcome = run_parsed(&mut engine, parsed, &self.input_line(), out);
        engine.finish_queries();
        out.flush();
        Ok(Outcome::Ran(outcome))
    }

    /// Returns an open connection, or one without an address if there is no server or none is needed.
    fn connect(&self, address: Option<&Address>, out: &mut dyn Output) -> Result<Connection, Failure> {
        let offline = || Connection::new(None, self.options.clone(), false);
        let needs_server = !(self.engine_options.dry_run && self.engine_options.no_schema);
        let Some(address) = address.filter(|_| needs_server) else { return Ok(offline()) };
        let mut connection = Connection::new(Some(address.clone()), self.options.clone(), false);
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
        assert!(matches!(one_shot.run(None, &mut out), Ok(Outcome::Ran(LineOutcome::Done))));
        let request = "{\"execute\": \"c\", \"arguments\": {\"a\": \"'1' \u{fffd}\", \"b\": true, \"c\": [1]}}\n";
        let (stdout, stderr) = out.into_inner();
        assert_eq!((String::from_utf8(stdout).unwrap().as_str(), stderr), (request, Vec::new()));
    }
}
