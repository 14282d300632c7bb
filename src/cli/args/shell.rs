//! The arguments of `qmp-shell`.

use clap::{Parser, ValueHint};

use super::common::{GuestAgentArgs, HEADING_ACTIONS, HEADING_CONNECTION, SessionArgs, WaitArgs};
use super::sections::{
    COLOR, DISCONNECTED, EDITOR, HelpExt, KEYS, LINE_FAILED, NOT_CONNECTED, PAGER, QMP_SOCKET, RC, SUCCESS, Section,
    USAGE_ERROR, after_help, after_long_help,
};
use super::values::{ADDRESS_HELP, NamedAddress, SEVERAL_ADDRESSES_HELP, named_address_parser};

/// An interactive QEMU monitor, entirely over QMP
///
/// At a terminal, opens a prompt with line editing, completion, and events as they happen. Runs lines from standard
/// input, -c or -f as a script, with replies and events as JSON Lines on standard output.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "qmp-shell",
    version,
    max_term_width = 100,
    args_override_self = true,
    override_usage = "qmp-shell [OPTIONS] [[NAME=]ADDRESS]...",
    after_help = after_help::<ShellArgs>(),
    after_long_help = after_long_help::<ShellArgs>()
)]
pub(crate) struct ShellArgs {
    #[command(flatten)]
    pub(crate) session: SessionArgs,

    #[command(flatten)]
    pub(crate) wait: WaitArgs,

    #[command(flatten)]
    pub(crate) guest_agent: GuestAgentArgs,

    /// Listen on ADDRESS and wait for the server to connect
    #[arg(long, help_heading = HEADING_CONNECTION)]
    pub(crate) listen: bool,

    /// List the servers that run on this machine: address, name, process id, and whether a client holds the monitor
    #[arg(long, conflicts_with = "addresses", help_heading = HEADING_ACTIONS)]
    pub(crate) list: bool,

    /// Print the completions of LINE, as Tab does at the prompt; with --list, of a command line of this program
    #[arg(long, value_name = "LINE", allow_hyphen_values = true, help_heading = HEADING_ACTIONS)]
    pub(crate) complete: Option<String>,

    #[arg(
        value_name = "ADDRESS",
        value_parser = named_address_parser(),
        value_hint = ValueHint::AnyPath,
        help = ADDRESS_HELP,
        long_help = SEVERAL_ADDRESSES_HELP
    )]
    pub(crate) addresses: Vec<NamedAddress>,
}

impl HelpExt for ShellArgs {
    const EXAMPLE: &'static str = "Try it without QEMU: qmp-shell demo:";

    const LIVE_COMPLETION: Option<&'static str> = Some("--list --complete");

    const HAS_DOT_COMMANDS: bool = true;

    const SECTIONS: &'static [Section] = &[
        (
            "Examples",
            &[
                ("qmp-shell demo:", "a small machine inside the program"),
                ("qmp-shell /tmp/q.sock", "a prompt"),
                ("qmp-shell -p -c query-status /tmp/q.sock", "one command"),
                ("qmp-shell /tmp/q.sock < script.qmp", "a script"),
                ("qmp-shell -H localhost:4444", "the human monitor"),
                ("qmp-shell src=a.sock dst=b.sock", "several servers"),
                ("qmp-shell ssh://host/tmp/q.sock", "on another machine"),
                ("qmp-shell libvirt:vm", "a VM of libvirt"),
            ],
        ),
        (
            "Environment",
            &[QMP_SOCKET, PAGER, EDITOR, KEYS, ("XDG_STATE_HOME", "base directory of the history files"), RC, COLOR],
        ),
        ("Exit status", &[SUCCESS, LINE_FAILED, USAGE_ERROR, NOT_CONNECTED, DISCONNECTED]),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::Script;
    use clap::{CommandFactory, FromArgMatches};

    #[test]
    fn options_are_consistent() {
        ShellArgs::command().debug_assert();
    }

    #[test]
    fn lines_and_files_keep_their_order() {
        let matches =
            ShellArgs::command().get_matches_from(["q", "-f", "a", "-c", "x", "demo:", "-cy", "--file=-", "-c", "z"]);
        let args = ShellArgs::from_arg_matches(&matches).unwrap();
        let lines = |lines: &[&str]| Script::Lines(lines.iter().map(|line| (*line).to_owned()).collect());
        assert_eq!(
            args.session.scripts(&matches),
            [Script::File("a".into()), lines(&["x", "y"]), Script::Stdin, lines(&["z"])]
        );
    }
}
