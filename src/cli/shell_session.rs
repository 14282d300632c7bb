//! A session of `qmp-shell` or `qmp-shell-wrap`: an engine, fed by a prompt or by scripts.

use std::io::{self, IsTerminal};

use clap::ArgMatches;

use crate::grammar::Language;
use crate::session::SharedLog;
use crate::shell::{
    AsyncOutput, Connection, Engine, EngineOptions, EventFilter, OutputFormat, PromptOptions, SCRIPT_QUERY_TIMEOUT,
    Script, ScriptEnd, ScriptOutput, Settings,
};

use super::args::SessionArgs;
use super::color::{script_palette, stdout_palette};
use super::exit_status::{Failure, Status};

/// The source of lines.
pub(super) enum Input {
    Prompt,
    /// Scripts, in this order.
    Scripts(Vec<Script>),
}

impl Input {
    /// Returns the scripts in the arguments. If there are none, returns the prompt if standard input and output are a
    /// terminal, and otherwise standard input as a script. `matches` is the parser's result.
    pub(super) fn new(args: &SessionArgs, matches: &ArgMatches) -> Input {
        let scripts = args.scripts(matches);
        if !scripts.is_empty() {
            Input::Scripts(scripts)
        } else if io::stdin().is_terminal() && io::stdout().is_terminal() {
            Input::Prompt
        } else {
            Input::Scripts(vec![Script::Stdin])
        }
    }

    pub(super) fn is_prompt(&self) -> bool {
        matches!(self, Input::Prompt)
    }
}

pub(super) fn new_engine(connection: Connection, args: &SessionArgs, input: &Input, log: SharedLog) -> Engine {
    let interactive = input.is_prompt();
    let default_format = match interactive {
        _ if args.pretty => OutputFormat::Pretty,
        true => OutputFormat::Auto,
        false => OutputFormat::Json,
    };
    let settings = Settings {
        verbose: args.common.verbose,
        output: args.request.output.unwrap_or(default_format),
        check: !args.request.no_check,
        monitor: args.request.monitor,
        exit_on_error: args.exit_on_error,
        events: if args.no_events { EventFilter::Nothing } else { EventFilter::All },
        ..Settings::default()
    };
    let (dry_run, no_schema) = (args.request.dry_run, args.request.no_schema);
    let query_timeout = (!interactive).then_some(SCRIPT_QUERY_TIMEOUT);
    let engine_options = EngineOptions { interactive, dry_run, query_timeout, no_schema, ..EngineOptions::default() };
    let mut engine = Engine::new(connection, settings, engine_options, log);
    if args.hmp {
        engine.set_language(Language::Hmp);
    }
    engine
}

/// Runs a prompt or scripts with a server that keeps running when the shell exits.
pub(super) fn run(engine: Engine, args: &SessionArgs, input: Input) -> Result<Status, Failure> {
    match input {
        Input::Prompt => run_prompt(engine, args, AsyncOutput::default(), Box::new(|| {})),
        Input::Scripts(scripts) => run_scripts(engine, args, &scripts, |_, _| {}),
    }
}

/// Runs scripts, and calls `at_end` before the log is closed.
pub(super) fn run_scripts(
    mut engine: Engine,
    args: &SessionArgs,
    scripts: &[Script],
    at_end: impl FnOnce(&mut Engine, &mut ScriptOutput),
) -> Result<Status, Failure> {
    let mut out = ScriptOutput::new(script_palette(args.common.color));
    let end = crate::shell::run_scripts(&mut engine, scripts, &mut out);
    at_end(&mut engine, &mut out);
    engine.end_log(&mut out);
    Status::from_script_end(end)
}

/// Runs a prompt. `async_output` is shown there, `on_end` is called before a signal ends the program.
pub(super) fn run_prompt(
    engine: Engine,
    args: &SessionArgs,
    async_output: AsyncOutput,
    on_end: Box<dyn Fn() + Send>,
) -> Result<Status, Failure> {
    let palette = stdout_palette(args.common.color);
    let options = PromptOptions { palette, history: !args.no_history, rc: !args.no_rc, async_output, on_end };
    match crate::shell::run_prompt(engine, options) {
        Ok(true) => Ok(Status::Success),
        Ok(false) => Ok(Status::Failed),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Status::from_script_end(ScriptEnd::OutputClosed),
        Err(error) => Status::from_script_end(ScriptEnd::Io(error)),
    }
}
