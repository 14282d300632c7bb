//! Options that several programs share.
//!
//! A program that needs another help text for one of them changes it with `mut_arg`.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use clap::{ArgMatches, Args, ValueHint};

use crate::session::{MessageLog, Options, SharedLog};
use crate::shell::{MonitorChoice, OutputFormat, Script};
use crate::wire::Limits;

use super::values::{Color, Generate, monitor_parser, output_format_parser, seconds, size};
use crate::cli::exit_status::{Failure, Status};

pub(crate) const HEADING_CONNECTION: &str = "Connecting";
pub(crate) const HEADING_OUTPUT: &str = "Output and history";
pub(crate) const HEADING_CHECKING: &str = "Checking";
pub(crate) const HEADING_ACTIONS: &str = "Other actions";

/// The value of `--wait` without SECONDS: about 30 years.
const INDEFINITE_SECONDS: &str = "1e9";

/// Options of all programs.
#[derive(Debug, Clone, Args)]
pub(crate) struct CommonArgs {
    /// Time limit for connecting, and then for the greeting [default: 5]
    #[arg(long, global = true, value_name = "SECONDS", value_parser = seconds, help_heading = HEADING_CONNECTION)]
    pub(crate) timeout: Option<Duration>,

    /// Show each request as it is sent
    #[arg(short, long, global = true, help_heading = HEADING_OUTPUT)]
    pub(crate) verbose: bool,

    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = HEADING_OUTPUT)]
    pub(crate) color: Color,

    /// Append every message, sent or received, to FILE
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help_heading = HEADING_OUTPUT
    )]
    pub(crate) logfile: Option<PathBuf>,
}

impl CommonArgs {
    /// Returns the connection options that are given, and opens the message log.
    pub(crate) fn options(&self) -> Result<Options, Failure> {
        let default = Options::default();
        Ok(Options { timeout: self.timeout.unwrap_or(default.timeout), log: self.open_log()?, ..default })
    }

    fn open_log(&self) -> Result<SharedLog, Failure> {
        let Some(path) = &self.logfile else { return Ok(SharedLog::default()) };
        let opened = MessageLog::open(path).with_context(|| format!("cannot write the log file `{}`", path.display()));
        let log = opened.map_err(|error| Failure::new(Status::UsageError, error))?;
        Ok(Arc::new(Mutex::new(Some(log))))
    }
}

/// The option of all programs that generates files about the program itself.
#[derive(Debug, Clone, Args)]
pub(crate) struct GenerateArgs {
    /// Print the manual page, or completions for a shell
    #[arg(long, value_name = "WHAT", help_heading = HEADING_ACTIONS)]
    pub(crate) generate: Option<Generate>,
}

/// The option to wait for a server.
#[derive(Debug, Clone, Args)]
pub(crate) struct WaitArgs {
    #[arg(
        help = "Wait for the server to appear",
        long_help = "Wait for the server to appear, indefinitely or for up to SECONDS",
        long,
        global = true,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = INDEFINITE_SECONDS,
        value_parser = seconds,
        help_heading = HEADING_CONNECTION
    )]
    pub(crate) wait: Option<Duration>,
}

/// The option for guest agents.
#[derive(Debug, Clone, Args)]
pub(crate) struct GuestAgentArgs {
    #[arg(
        help = "Connect to a guest agent",
        long_help = "Connect to a guest agent: synchronise instead of negotiating",
        short = 'N',
        long,
        help_heading = HEADING_CONNECTION
    )]
    pub(crate) skip_negotiation: bool,
}

/// The option of the programs that complete a command line in the user's own shell.
#[derive(Debug, Clone, Args)]
pub(crate) struct CompletionArgs {
    /// Print the completions of LINE, a command line that begins with the name of this program
    #[arg(long, value_name = "LINE", allow_hyphen_values = true, help_heading = HEADING_ACTIONS)]
    pub(crate) complete: Option<String>,
}

/// Options of the programs that send QMP commands.
#[derive(Debug, Clone, Args)]
pub(crate) struct RequestArgs {
    /// Reply format
    #[arg(short, long, value_name = "FORMAT", value_parser = output_format_parser(), help_heading = HEADING_OUTPUT)]
    pub(crate) output: Option<OutputFormat>,

    /// The monitor that answers HMP lines
    #[arg(
        long,
        value_name = "MONITOR",
        value_parser = monitor_parser(),
        default_value = "auto",
        hide_default_value = true,
        help_heading = HEADING_CONNECTION
    )]
    pub(crate) monitor: MonitorChoice,

    /// Maximum size of a message from the server (suffixes k, M, G)
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size, help_heading = HEADING_CONNECTION)]
    pub(crate) max_message: usize,

    /// Send commands even if they contradict the server's introspection
    #[arg(long, help_heading = HEADING_CHECKING)]
    pub(crate) no_check: bool,

    /// Do not query introspection: no checks, values interpreted by their form, fewer completions
    #[arg(long, help_heading = HEADING_CHECKING)]
    pub(crate) no_schema: bool,

    /// Print requests as JSON instead of sending them
    #[arg(long, help_heading = HEADING_ACTIONS)]
    pub(crate) dry_run: bool,
}

impl RequestArgs {
    pub(crate) fn limits(&self) -> Limits {
        Limits { max_message_bytes: self.max_message, ..Limits::default() }
    }
}

/// Options of `qmp-shell` and `qmp-shell-wrap`.
#[derive(Debug, Clone, Args)]
#[command(
    mut_arg("color", |arg| arg.help("When to use colour; auto means never in scripts")),
    mut_arg("output", |arg| arg.long_help("Reply format [default: auto at a prompt, json in scripts]")),
)]
pub(crate) struct SessionArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// Start in HMP mode: lines go to the human monitor
    #[arg(short = 'H', long)]
    pub(crate) hmp: bool,

    /// Run LINE and exit; may be repeated, and mixed with -f
    #[arg(short, long, value_name = "LINE", allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,

    #[arg(
        help = "Run the lines of SCRIPT and exit",
        long_help = "Run the lines of SCRIPT (`-`: standard input) and exit; may be repeated",
        short,
        long,
        value_name = "SCRIPT",
        value_hint = ValueHint::FilePath
    )]
    pub(crate) file: Vec<PathBuf>,

    /// Stop at the first line that fails
    #[arg(short, long)]
    pub(crate) exit_on_error: bool,

    #[command(flatten)]
    pub(crate) request: RequestArgs,

    #[command(flatten)]
    pub(crate) generate: GenerateArgs,

    /// The same as --output pretty: in a script, errors and events go to standard error
    #[arg(short, long, conflicts_with = "output", help_heading = HEADING_OUTPUT)]
    pub(crate) pretty: bool,

    /// Do not show events
    #[arg(long, help_heading = HEADING_OUTPUT)]
    pub(crate) no_events: bool,

    /// Do not read or write the history files
    #[arg(long, help_heading = HEADING_OUTPUT)]
    pub(crate) no_history: bool,

    /// Do not run the lines of the rc file
    #[arg(long, help_heading = HEADING_OUTPUT)]
    pub(crate) no_rc: bool,
}

impl SessionArgs {
    /// Returns the lines of `-c` and the files of `-f`, in the order given. `matches` is the parser's result, which has
    /// that order.
    pub(crate) fn scripts(&self, matches: &ArgMatches) -> Vec<Script> {
        let indices = |name| matches.indices_of(name).into_iter().flatten();
        let lines = indices("command").zip(self.command.iter().map(|line| Script::Lines(vec![line.clone()])));
        let files = indices("file").zip(self.file.iter().map(|file| match file.to_str() {
            Some("-") => Script::Stdin,
            _ => Script::File(file.clone()),
        }));
        let mut given: Vec<(usize, Script)> = lines.chain(files).collect();
        given.sort_by_key(|(index, _)| *index);
        let mut scripts: Vec<Script> = Vec::with_capacity(given.len());
        for (_, script) in given {
            match (scripts.last_mut(), script) {
                // Neighbouring lines are one script, because a transaction block may span several of them.
                (Some(Script::Lines(lines)), Script::Lines(more)) => lines.extend(more),
                (_, script) => scripts.push(script),
            }
        }
        scripts
    }
}
