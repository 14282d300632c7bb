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
use crate::session::{Options, SharedTranscript, Transcript};
use crate::shell::{
    Ending, Engine, EventFilter, Lines, Link, Messages, Mode, OutputForm, PromptOptions, Script, Settings, run_prompt,
    run_scripts,
};
use crate::wire::Limits;

use super::args::{Color, CommonFlags, OutputFlag, ShellFlags, address_of_environment};
use super::exit_status::{Failure, Status, end, of_ending};
use super::generate::generate;
use super::shell_completion;
use super::stdio::have_them_wait;

/// Runs the program.
pub fn qmp_shell() -> ExitCode {
    have_them_wait();
    let (flags, matches) = parse_flags();
    end("qmp-shell", run(flags, &matches))
}

/// The command line as flags, and as clap matched it. Usage errors leave with status 2, help and version with 0.
pub(crate) fn parse_flags<F: CommandFactory + FromArgMatches>() -> (F, ArgMatches) {
    let matches = F::command().try_get_matches().unwrap_or_else(|error| leave::<F>(&error));
    let flags = F::from_arg_matches(&matches).unwrap_or_else(|error| leave::<F>(&error));
    (flags, matches)
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

fn run(flags: ShellFlags, matches: &ArgMatches) -> Result<Status, Failure> {
    if let Some(what) = flags.common.generate {
        return print_generated::<ShellFlags>(what);
    }
    let feed = Feed::new(&flags.common, matches);
    let transcript = transcript(flags.common.logfile.as_deref())?;
    let options = Options {
        timeout: flags.timeout,
        wait: flags.wait,
        guest_agent: flags.skip_negotiation,
        limits: Limits { message: flags.common.max_message, ..Limits::default() },
        transcript: Arc::clone(&transcript),
        ..Options::default()
    };
    let address = match flags.address {
        Some(address) => Some(address),
        None => address_of_environment().map_err(|error| Failure::new(Status::Usage, anyhow!(error)))?,
    };
    // A dry run types by the server's introspection where a server is named; `--complete` offers its names.
    let looks_only = flags.common.dry_run || flags.complete.is_some();
    let offline = looks_only && (address.is_none() || flags.common.no_schema);
    if address.is_none() && !offline {
        let message = "no ADDRESS is named, and QMP_SOCKET is not set; try `qmp-shell demo:` or `qmp-shell --help`";
        return Err(Failure::new(Status::Usage, anyhow!(message)));
    }
    let mut link = Link::new(address, options, flags.listen);
    if !offline {
        let mut progress = |text: &str| {
            let _ = writeln!(io::stderr(), "{text}");
        };
        link.open(&mut progress).map_err(|error| Failure::new(Status::NotConnected, error))?;
    }
    let mut engine = engine(link, &flags.common, &feed, transcript);
    if let Some(line) = &flags.complete {
        // Nobody holds a key down here, so the server gets more time than at a prompt.
        return shell_completion::print(
            &shell_completion::completion(&mut engine, line, Duration::from_secs(2)).candidates,
        );
    }
    match feed {
        Feed::Scripts(scripts) => {
            let mut out = Lines::new(script_palette(&flags.common));
            let ending = run_scripts(&mut engine, &scripts, &mut out);
            engine.end_log(&mut out);
            of_ending(ending)
        }
        Feed::Prompt => prompt(engine, &flags.common, Messages::default(), Box::new(|| {})),
    }
}

/// Who feeds the engine.
pub(crate) enum Feed {
    /// A person.
    Prompt,
    /// Scripts, in this order.
    Scripts(Vec<Script>),
}

impl Feed {
    /// Scripts where they are named or where standard input is no terminal; the line editor needs both streams.
    pub(crate) fn new(flags: &CommonFlags, matches: &ArgMatches) -> Feed {
        let mut scripts = flags.scripts(matches);
        let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        if scripts.is_empty() {
            if terminal {
                return Feed::Prompt;
            }
            scripts.push(Script::Stdin);
        }
        Feed::Scripts(scripts)
    }
}

pub(crate) fn engine(link: Link, flags: &CommonFlags, feed: &Feed, transcript: SharedTranscript) -> Engine {
    let interactive = matches!(feed, Feed::Prompt);
    let output = match flags.output {
        Some(OutputFlag::Pretty) => OutputForm::Pretty,
        Some(OutputFlag::Json) => OutputForm::Json,
        None if flags.pretty || interactive => OutputForm::Pretty,
        None => OutputForm::Json,
    };
    let settings = Settings {
        verbose: flags.verbose,
        output,
        check: !flags.no_check,
        exit_on_error: flags.exit_on_error,
        events: if flags.no_events { EventFilter::Nothing } else { EventFilter::All },
        ..Settings::default()
    };
    let mode = Mode { interactive, dry_run: flags.dry_run, no_schema: flags.no_schema, advises: false };
    let mut engine = Engine::new(link, settings, mode, transcript);
    if flags.hmp {
        engine.set_language(LineMode::Hmp);
    }
    engine
}

pub(crate) fn transcript(logfile: Option<&Path>) -> Result<SharedTranscript, Failure> {
    let Some(path) = logfile else {
        return Ok(SharedTranscript::default());
    };
    let opened = Transcript::open(path).with_context(|| format!("cannot write the log file `{}`", path.display()));
    match opened {
        Ok(transcript) => Ok(Arc::new(Mutex::new(Some(transcript)))),
        Err(error) => Err(Failure { status: Status::Usage, error }),
    }
}

/// Runs the prompt.
pub(crate) fn prompt(
    engine: Engine,
    flags: &CommonFlags,
    messages: Messages,
    on_end: Box<dyn Fn() + Send>,
) -> Result<Status, Failure> {
    let palette = Palette::new(is_colored(flags.color));
    let options = PromptOptions { palette, history: !flags.no_history, messages, on_end };
    match run_prompt(engine, options) {
        Ok(true) => Ok(Status::Success),
        Ok(false) => Ok(Status::LineFailed),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => of_ending(Ending::OutputClosed),
        Err(error) => of_ending(Ending::Io(error)),
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
pub(crate) fn script_palette(flags: &CommonFlags) -> Palette {
    Palette::new(flags.color == Color::Always)
}

pub(crate) fn print_generated<F: super::args::Documented>(what: super::args::Generate) -> Result<Status, Failure> {
    let mut text = Vec::new();
    let written = generate::<F>(what, &mut text).and_then(|()| io::stdout().write_all(&text));
    finish_printing(written)
}

pub(crate) fn finish_printing(written: io::Result<()>) -> Result<Status, Failure> {
    match written.and_then(|()| io::stdout().flush()) {
        Ok(()) => Ok(Status::Success),
        Err(error) => of_ending(Ending::not_written(error)),
    }
}
