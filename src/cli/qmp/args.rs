//! The flags of `qmp`, as typed: their names, values and help.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum, ValueHint};

use crate::cli::args::{
    Color, Generate, HEADING_CONNECTION, HEADING_OUTPUT, HelpExt, Section, seconds, sections, size,
};

/// The flags that do something else than to send a command.
const HEADING_INSTEAD: &str = "Instead of a command";

/// The flags for more than one server.
const HEADING_SERVERS: &str = "Several servers";

/// What `--output` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// A line for each value, such as `a.b[0].c: value`.
    Flat,
    /// The whole reply on one line.
    Json,
    /// The return value as indented JSON.
    Pretty,
}

/// One command to QEMU over QMP, and its answer
///
/// Sends COMMAND with its arguments and prints what it returns, a line for each value. Arguments are typed and checked
/// as in qmp-shell: `--KEY=VALUE` or `KEY=VALUE`, dots nest, a bare `--KEY` is true, a JSON object may lead them. All
/// options stand before COMMAND. A COMMAND that the server does not have is looked for as a program `qmp-COMMAND`.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "qmp",
    version,
    max_term_width = 100,
    override_usage = "qmp [OPTIONS] COMMAND [--KEY=VALUE]...\n       qmp [OPTIONS] help [TOPIC | apropos WORD]\n       \
                      qmp [OPTIONS] --events [GLOB]...",
    after_help = AFTER_HELP,
    after_long_help = sections::<QmpArgs>()
)]
pub(crate) struct QmpArgs {
    /// How the answer is written
    #[arg(short, long, value_name = "FORM", default_value = "flat")]
    pub(crate) output: Form,

    /// Show each request as it is sent
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Append every message, both ways, to FILE
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) logfile: Option<PathBuf>,

    /// For a guest agent: synchronise instead of negotiating
    #[arg(short = 'N', long)]
    pub(crate) skip_negotiation: bool,

    /// Where the server is, or a pattern such as '/run/vm/*.sock'; may be repeated [default: $QMP_PATH, or else
    /// $QMP_SOCKET]
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::AnyPath, help_heading = HEADING_CONNECTION)]
    pub(crate) path: Vec<OsString>,

    /// How long connecting, and then the greeting, may take [default: 5]; with --events, how long to follow [default:
    /// for ever]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = HEADING_CONNECTION)]
    pub(crate) timeout: Option<Duration>,

    /// Wait until the server is there, for ever or for SECONDS
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "1e9", value_parser = seconds, help_heading = HEADING_CONNECTION)]
    pub(crate) wait: Option<Duration>,

    /// Ask so many servers at a time
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u16).range(1..), help_heading = HEADING_SERVERS)]
    pub(crate) jobs: u16,

    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = HEADING_OUTPUT)]
    pub(crate) color: Color,

    /// Send even what the server's introspection says is wrong
    #[arg(long, help_heading = HEADING_OUTPUT)]
    pub(crate) no_check: bool,

    /// Never ask the server for its introspection: no checking, types by form
    #[arg(long, help_heading = HEADING_OUTPUT)]
    pub(crate) no_schema: bool,

    /// Refuse longer messages from the server; bytes, or with k, M or G
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size, help_heading = HEADING_OUTPUT)]
    pub(crate) max_message: usize,

    /// Follow events, all or those whose names match, as JSON Lines
    #[arg(long, value_name = "GLOB", num_args = 0.., conflicts_with_all = ["skip_negotiation", "dry_run"], help_heading = HEADING_INSTEAD)]
    pub(crate) events: Option<Vec<String>>,

    /// With --events: end after N events; to see fewer is a failure
    #[arg(long, value_name = "N", requires = "events", value_parser = clap::value_parser!(u64).range(1..), help_heading = HEADING_INSTEAD)]
    pub(crate) count: Option<u64>,

    /// Print the JSON that would be sent; send none of it
    #[arg(long, help_heading = HEADING_INSTEAD)]
    pub(crate) dry_run: bool,

    /// Print what Tab would offer at the end of LINE, such as 'qmp --path vm.sock block_res'
    #[arg(long, value_name = "LINE", allow_hyphen_values = true, help_heading = HEADING_INSTEAD)]
    pub(crate) complete: Option<String>,

    /// Print the manual page, or completions for a shell
    #[arg(long, value_name = "WHAT", help_heading = HEADING_INSTEAD)]
    pub(crate) generate: Option<Generate>,

    /// The command, and its arguments as --KEY=VALUE or KEY=VALUE
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = false)]
    pub(crate) words: Vec<OsString>,
}

const AFTER_HELP: &str = "\
Try it without QEMU: qmp --path demo: query-status
Exit status: 0 succeeded, 1 failed, 2 wrong usage, 3 no connection,
             4 connection lost; with several servers, 1 if any failed.";

impl HelpExt for QmpArgs {
    const USES_LIVE_COMPLETION: bool = true;

    const SECTIONS: &'static [Section] = &[
        (
            "Examples",
            &[
                ("qmp --path demo: query-status", "a small machine inside the program"),
                ("qmp --path=/tmp/q.sock query-block", "flat: item[0].device: ide0"),
                ("qmp -o json query-version | jq .return", "for a program"),
                ("qmp block_resize --node-name=disk0 --size=2G", "typed as in qmp-shell"),
                ("qmp device_del --id=net0", "status 1 where it fails"),
                ("qmp help blockdev-add.driver", "what may be sent, and what it means"),
                ("qmp --path '/run/vm/*.sock' query-status", "every machine, in parallel"),
                ("qmp --events 'JOB_*' --count 1 --timeout 60", "wait for an event"),
                ("qmp shell", "qmp-shell on that server"),
            ],
        ),
        (
            "Environment",
            &[
                ("QMP_PATH, QMP_SOCKET", "the address where none is named, in this order"),
                ("PATH", "where programs qmp-COMMAND are looked for"),
                ("PAGER", "shows help that is longer than the screen"),
                ("NO_COLOR, CLICOLOR_FORCE, TERM", "whether there is colour"),
            ],
        ),
        (
            "Exit status",
            &[
                ("0", "succeeded; for --events: N events came, or the time is up"),
                ("1", "failed; with several servers, one of them failed"),
                ("2", "wrong usage"),
                ("3", "could not connect or negotiate"),
                ("4", "connection lost before the answer"),
            ],
        ),
        ("See also", &[("qmp-shell(1)", "forms of an ADDRESS, how values are written")]),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn flags_are_consistent() {
        QmpArgs::command().debug_assert();
    }

    #[test]
    fn what_follows_the_command_is_its_own() {
        let args = QmpArgs::try_parse_from(["qmp", "--path", "a", "--path=b", "eject", "--path=c", "-v"]).unwrap();
        assert_eq!(args.path, ["a", "b"]);
        assert_eq!(args.words, ["eject", "--path=c", "-v"]);
        assert!(!args.verbose);
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
}
