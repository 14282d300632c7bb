//! `qmp-shell`.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use crate::grammar::LineMode;
use crate::render::Palette;
use crate::session::{MessageLog, Options, SharedLog};
use crate::shell::{
    AsyncOutput, Connection, Engine, EventFilter, Mode, OutputFormat, PromptOptions, Script, ScriptEnd, ScriptOutput,
    Settings, run_prompt, run_scripts,
};
use crate::wire::Limits;

use super::args::{Color, CommonArgs, OutputFlag, ShellArgs, address_of_environment};
use super::exit_status::{Failure, Status, end, of_ending};
use super::generate::generate;
use super::shell_completion;
use super::stdio::make_blocking;

/// Runs the program.
pub fn qmp_shell() -> ExitCode {
    make_blocking();
    let (args, matches) = parse_flags();
    end("qmp-shell", run(args, &matches))
}

/// The command line as flags, and as clap matched it. Usage errors leave with status 2, help and version with 0.
pub(crate) fn parse_flags<F: CommandFactory + FromArgMatches>() -> (F, ArgMatches) {
    let matches = F::command().try_get_matches().unwrap_or_else(|error| leave::<F>(&error));
    let args = F::from_arg_matches(&matches).unwrap_or_else(|error| leave::<F>(&error));
    (args, matches)
}

/// Ends the program with what is to be said about the command line: its help, or what is wrong with it.
fn leave<F: CommandFactory>(error: &clap::Error) -> ! {
    let written = error.print();
    let status = match error.use_stderr() {
        true => Status::Usage,
        // Help that nobody got is a failure like any other.
        false => finish_printing(written).unwrap_or_else(|failure| {
            let status = failure.status;
            end(F::command().get_name(), Err(failure));
            status
        }),
    };
    std::process::exit(status as i32)
}

fn run(args: ShellArgs, matches: &ArgMatches) -> Result<Status, Failure> {
    if let Some(what) = args.common.generate {
        return print_generated::<ShellArgs>(what);
    }
    let input = Input::new(&args.common, matches);
    let log = log(args.common.logfile.as_deref())?;
    let options = Options {
        timeout: args.timeout,
        wait: args.wait,
        guest_agent: args.skip_negotiation,
        limits: Limits { message: args.common.max_message, ..Limits::default() },
        log: Arc::clone(&log),
        ..Options::default()
    };
    let address = match args.address {
        Some(address) => Some(address),
        None => address_of_environment().map_err(|error| Failure::new(Status::Usage, anyhow!(error)))?,
    };
    // A dry run types by the server's introspection where a server is named; `--complete` offers its names.
    let looks_only = args.common.dry_run || args.complete.is_some();
    let offline = looks_only && (address.is_none() || args.common.no_schema);
    if address.is_none() && !offline {
        let message = "no ADDRESS is named, and QMP_SOCKET is not set; try `qmp-shell demo:` or `qmp-shell --help`";
        return Err(Failure::new(Status::Usage, anyhow!(message)));
    }
    let mut connection = Connection::new(address, options, args.listen);
    if !offline {
        let mut progress = |text: &str| {
            let _ = writeln!(io::stderr(), "{text}");
        };
        connection.open(&mut progress).map_err(|error| Failure::new(Status::NotConnected, error))?;
    }
    let mut engine = engine(connection, &args.common, &input, log);
    if let Some(line) = &args.complete {
        // Nobody holds a key down here, so the server gets more time than at a prompt.
        return shell_completion::print(
            &shell_completion::completion(&mut engine, line, Duration::from_secs(2)).candidates,
        );
    }
    match input {
        Input::Scripts(scripts) => {
            let mut out = ScriptOutput::new(script_palette(&args.common));
            let ending = run_scripts(&mut engine, &scripts, &mut out);
            engine.end_log(&mut out);
            of_ending(ending)
        }
        Input::Prompt => prompt(engine, &args.common, AsyncOutput::default(), Box::new(|| {})),
    }
}

/// Who feeds the engine.
pub(crate) enum Input {
    /// A person.
    Prompt,
    /// Scripts, in this order.
    Scripts(Vec<Script>),
}

impl Input {
    /// Scripts where they are named or where standard input is no terminal; the line editor needs both streams.
    pub(crate) fn new(args: &CommonArgs, matches: &ArgMatches) -> Input {
        let mut scripts = args.scripts(matches);
        let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        if scripts.is_empty() {
            if terminal {
                return Input::Prompt;
            }
            scripts.push(Script::Stdin);
        }
        Input::Scripts(scripts)
    }
}

pub(crate) fn engine(connection: Connection, args: &CommonArgs, input: &Input, log: SharedLog) -> Engine {
    let interactive = matches!(input, Input::Prompt);
    let output = match args.output {
        Some(OutputFlag::Pretty) => OutputFormat::Pretty,
        Some(OutputFlag::Json) => OutputFormat::Json,
        None if args.pretty || interactive => OutputFormat::Pretty,
        None => OutputFormat::Json,
    };
    let settings = Settings {
        verbose: args.verbose,
        output,
        check: !args.no_check,
        exit_on_error: args.exit_on_error,
        events: if args.no_events { EventFilter::Nothing } else { EventFilter::All },
        ..Settings::default()
    };
    let mode = Mode { interactive, dry_run: args.dry_run, no_schema: args.no_schema, suggests_corrections: false };
    let mut engine = Engine::new(connection, settings, mode, log);
    if args.hmp {
        engine.set_language(LineMode::Hmp);
    }
    engine
}

pub(crate) fn log(logfile: Option<&Path>) -> Result<SharedLog, Failure> {
    let Some(path) = logfile else {
        return Ok(SharedLog::default());
    };
    let opened = MessageLog::open(path).with_context(|| format!("cannot write the log file `{}`", path.display()));
    match opened {
        Ok(log) => Ok(Arc::new(Mutex::new(Some(log)))),
        Err(error) => Err(Failure { status: Status::Usage, error }),
    }
}

/// Runs the prompt.
pub(crate) fn prompt(
    engine: Engine,
    args: &CommonArgs,
    messages: AsyncOutput,
    on_end: Box<dyn Fn() + Send>,
) -> Result<Status, Failure> {
    let palette = Palette::new(is_colored(args.color));
    let options = PromptOptions { palette, history: !args.no_history, async_output: messages, on_end };
    match run_prompt(engine, options) {
        Ok(true) => Ok(Status::Success),
        Ok(false) => Ok(Status::LineFailed),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => of_ending(ScriptEnd::OutputClosed),
        Err(error) => of_ending(ScriptEnd::Io(error)),
    }
}

/// The one decision about colour at a prompt: `--color`, else `NO_COLOR`, `CLICOLOR_FORCE`, `TERM` and the terminal.
pub(crate) fn is_colored(color: Color) -> bool {
    let decision = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
            !dumb && colored::control::ShouldColorize::from_env().should_colorize()
        }
    };
    colored::control::set_override(decision);
    decision
}

/// As [`is_colored`], on standard error.
pub(crate) fn is_colored_beside(color: Color) -> bool {
    is_colored(color) && (color == Color::Always || io::stderr().is_terminal())
}

/// A script's output has colour only where that was asked for.
pub(crate) fn script_palette(args: &CommonArgs) -> Palette {
    Palette::new(args.color == Color::Always)
}

pub(crate) fn print_generated<F: super::args::HelpExt>(what: super::args::Generate) -> Result<Status, Failure> {
    let mut text = Vec::new();
    let written = generate::<F>(what, &mut text).and_then(|()| io::stdout().write_all(&text));
    finish_printing(written)
}

pub(crate) fn finish_printing(written: io::Result<()>) -> Result<Status, Failure> {
    match written.and_then(|()| io::stdout().flush()) {
        Ok(()) => Ok(Status::Success),
        Err(error) => of_ending(ScriptEnd::from_write_error(error)),
    }
}
