//! The arguments of `qmp`.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::{ArgGroup, Parser, ValueHint, value_parser};

use crate::cli::args::{
    COLOR, CommonArgs, CompletionArgs, DISCONNECTED, GenerateArgs, GuestAgentArgs, HEADING_ACTIONS, HEADING_CONNECTION,
    HelpExt, NOT_CONNECTED, PAGER, RequestArgs, Section, USAGE_ERROR, WaitArgs, after_long_help, interval,
};
use crate::cli::color::stdout_palette;
use crate::cli::exit_status::Failure;
use crate::filter::Filter;
use crate::render::{Palette, excerpt};
use crate::shell::JsonMessageWriter;

const HEADING_SERVERS: &str = "Several servers";

/// The width of the excerpt of a wrong filter.
const EXCERPT_COLUMNS: usize = 100;

/// Send one QMP command and print the reply
///
/// Sends COMMAND with its arguments and prints the return value, one line for each value in it. Arguments are
/// interpreted and checked as in qmp-shell: `--KEY=VALUE` or `KEY=VALUE`, dots nest, a bare `--KEY` is true, and a JSON
/// object can precede them. All options precede COMMAND. A COMMAND that the server does not have is run as a program
/// `qmp-COMMAND`.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "qmp",
    version,
    group = ArgGroup::new("repeated").args(["events", "every"]),
    max_term_width = 100,
    override_usage = "qmp [OPTIONS] COMMAND [--KEY=VALUE]...\n       qmp [OPTIONS] hmp LINE\n       \
                      qmp [OPTIONS] help [TOPIC | apropos WORD]\n       qmp [OPTIONS] --events [GLOB]...",
    after_help = <QmpArgs as HelpExt>::EXAMPLE,
    after_long_help = after_long_help::<QmpArgs>(),
    mut_arg("output", |arg| arg.default_value("flat")),
    mut_arg("timeout", |arg| arg.help(
        "Time limit for connecting, and then for the greeting [default: 5]; with --events, how long to follow \
         [default: indefinitely]"
    ))
)]
pub(crate) struct QmpArgs {
    #[arg(
        help = "Server [default: $QMP_PATH, or else $QMP_SOCKET]",
        long_help = "Address of the server, or a pattern such as '/run/vm/*.sock'; may be repeated [default: $QMP_PATH, \
                     or else $QMP_SOCKET]",
        long,
        value_name = "ADDRESS",
        value_hint = ValueHint::AnyPath,
        help_heading = HEADING_CONNECTION
    )]
    pub(crate) path: Vec<OsString>,

    #[command(flatten)]
    pub(crate) common: CommonArgs,

    #[command(flatten)]
    pub(crate) wait: WaitArgs,

    #[command(flatten)]
    pub(crate) guest_agent: GuestAgentArgs,

    /// Query at most N servers at a time
    #[arg(
        long,
        value_name = "N",
        default_value = "64",
        value_parser = value_parser!(u16).range(1..),
        help_heading = HEADING_SERVERS
    )]
    pub(crate) jobs: u16,

    #[command(flatten)]
    pub(crate) request: RequestArgs,

    #[arg(
        help = "Pass the return value through a jq filter",
        long_help = "Print the results of a jq filter on the return value: strings as text, other values as JSON on one \
                     line; may follow COMMAND",
        long,
        value_name = "FILTER",
        value_parser = parse_filter,
        value_hint = ValueHint::Other,
        conflicts_with = "events"
    )]
    pub(crate) jq: Option<Filter>,

    #[arg(
        help = "Follow events: all, or those that match a GLOB",
        long_help = "Follow events as JSON Lines: all, or those whose names match a GLOB",
        long,
        value_name = "GLOB",
        num_args = 0..,
        conflicts_with_all = ["skip_negotiation", "dry_run"],
        help_heading = HEADING_ACTIONS
    )]
    pub(crate) events: Option<Vec<String>>,

    /// Run COMMAND every SECONDS, until it is interrupted
    #[arg(
        long,
        value_name = "SECONDS",
        value_parser = interval,
        conflicts_with_all = ["events", "dry_run"],
        help_heading = HEADING_ACTIONS
    )]
    pub(crate) every: Option<Duration>,

    /// Stop after N events; fewer are a failure. With --every, after N runs
    #[arg(
        long,
        value_name = "N",
        requires = "repeated",
        value_parser = value_parser!(u64).range(1..),
        help_heading = HEADING_ACTIONS
    )]
    pub(crate) count: Option<u64>,

    #[command(flatten)]
    pub(crate) completion: CompletionArgs,

    #[command(flatten)]
    pub(crate) generate: GenerateArgs,

    /// Command, and its arguments as --KEY=VALUE or KEY=VALUE
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = false)]
    pub(crate) words: Vec<OsString>,
}

/// The only option that may follow COMMAND.
pub(super) const FILTER_OPTION: &str = "--jq";

/// Parses a filter. The error marks its place.
fn parse_filter(text: &str) -> Result<Filter, String> {
    Filter::parse(text).map_err(|diagnostic| {
        let excerpt = excerpt(text, diagnostic.span, EXCERPT_COLUMNS, &Palette::default());
        format!("{diagnostic}\n{excerpt}")
    })
}

impl QmpArgs {
    /// Takes the option `--jq` from the end of the words, where the filter of a command is usually added.
    pub(super) fn take_trailing_filter(&mut self) -> Result<(), Failure> {
        if matches!(self.words.first().and_then(|word| word.to_str()), Some("hmp" | "help")) {
            return Ok(());
        }
        let [.., before, last] = self.words.as_slice() else { return Ok(()) };
        let Some(last) = last.to_str() else { return Ok(()) };
        if last == FILTER_OPTION && before != FILTER_OPTION {
            return Err(Failure::usage(format!("missing FILTER after `{FILTER_OPTION}`")));
        }
        let (filter, len) = match last.strip_prefix("--jq=") {
            Some(filter) => (filter, 1),
            None if before == FILTER_OPTION => (last, 2),
            None => return Ok(()),
        };
        if self.jq.is_some() {
            return Err(Failure::usage("the option --jq is given twice"));
        }
        let filter = parse_filter(filter);
        self.jq = Some(filter.map_err(|error| Failure::usage(format!("invalid value for --jq: {error}")))?);
        self.words.truncate(self.words.len() - len);
        Ok(())
    }

    /// Returns the writer of JSON on standard output.
    pub(super) fn json_writer(&self) -> JsonMessageWriter {
        let palette = stdout_palette(self.common.color);
        JsonMessageWriter { palette, escape_controls: io::stdout().is_terminal(), server: None }
    }
}

impl HelpExt for QmpArgs {
    const COMMON_OPTIONS: &'static [&'static str] =
        &["path", "output", "jq", "events", "skip_negotiation", "wait", "verbose"];

    const EXAMPLE: &'static str = "Try it without QEMU: qmp --path demo: query-status";

    const LIVE_COMPLETION: Option<&'static str> = Some("--complete");

    const SECTIONS: &'static [Section] = &[
        (
            "Examples",
            &[
                ("qmp --path demo: query-status", "try a small machine inside the program"),
                ("qmp --path vm.sock query-block", "one line for each value: item[0].device: ide0"),
                ("qmp -o json query-version | jq .return", "the reply as JSON, for a program"),
                ("qmp query-block --jq '.[].device'", "a filter in the language of jq"),
                ("qmp block_resize --node-name=disk0 --size=2G", "arguments as in qmp-shell"),
                ("qmp device_del --id=net0", "a command that may fail, with exit status 1"),
                ("qmp help blockdev-add.driver", "the values of a key and their meaning"),
                ("qmp --path '/run/vm/*.sock' query-status", "every machine, in parallel"),
                ("qmp --events 'JOB_*' --count 1 --timeout 60", "wait for an event"),
                ("qmp --every 1 --count 60 query-jobs", "a command each second, for a minute"),
                ("qmp shell", "qmp-shell on that server"),
            ],
        ),
        (
            "Environment",
            &[
                ("QMP_PATH, QMP_SOCKET", "default address, in this order"),
                ("PATH", "directories that are searched for programs qmp-COMMAND"),
                PAGER,
                COLOR,
            ],
        ),
        (
            "Exit status",
            &[
                ("0", "success; with --events, N events arrived, or the time was up"),
                ("1", "the command failed, on any of several servers, or in any run"),
                USAGE_ERROR,
                NOT_CONNECTED,
                DISCONNECTED,
            ],
        ),
        (
            "See also",
            &[
                ("qmp-shell(1)", "forms of ADDRESS, syntax of values"),
                ("qmp-share(1)", "serves one monitor to many clients"),
                ("jq(1)", "the language of FILTER"),
                ("qemu-qmp-ref(7)", "the commands of QEMU, and the text of `qmp help`"),
            ],
        ),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn options_are_consistent() {
        QmpArgs::command().debug_assert();
    }

    #[test]
    fn words_after_the_command_are_its_arguments() {
        let args = QmpArgs::try_parse_from(["qmp", "--path", "a", "--path=b", "eject", "--path=c", "-v"]).unwrap();
        assert_eq!(args.path, ["a", "b"]);
        assert_eq!(args.words, ["eject", "--path=c", "-v"]);
        assert!(!args.common.verbose);
        assert!(QmpArgs::try_parse_from(["qmp", "--pth=a", "eject"]).is_err());
    }

    #[test]
    fn events_take_globs_among_the_options() {
        let args = QmpArgs::try_parse_from(["qmp", "--events", "STOP", "JOB_*", "--count", "3"]).unwrap();
        assert_eq!(args.events.unwrap(), ["STOP", "JOB_*"]);
        let args = QmpArgs::try_parse_from(["qmp", "--events"]).unwrap();
        assert_eq!(args.events, Some(Vec::new()));
        assert!(QmpArgs::try_parse_from(["qmp", "--count", "3", "stop"]).is_err());
        assert!(QmpArgs::try_parse_from(["qmp", "--events", "--count", "0"]).is_err());
    }

    #[test]
    fn commands_are_repeated_a_number_of_times() {
        let args = QmpArgs::try_parse_from(["qmp", "--every", "0.5", "--count", "3", "stop"]).unwrap();
        assert_eq!((args.every, args.count), (Some(Duration::from_millis(500)), Some(3)));
        for invalid in
            [&["--every", "0"][..], &["--every", "x"], &["--every", "1", "--events"], &["--every", "1", "--dry-run"]]
        {
            assert!(QmpArgs::try_parse_from([&["qmp"], invalid, &["stop"]].concat()).is_err(), "{invalid:?}");
        }
    }
}
