//! The arguments of `qmp-shell`.

use clap::{Parser, ValueHint};

use super::common::{GuestAgentArgs, HEADING_ACTIONS, HEADING_CONNECTION, SessionArgs, WaitArgs};
use super::sections::{
    COLOR, DISCONNECTED, EDITOR, FILES, HelpExt, KEYS, LINE_FAILED, NOT_CONNECTED, PAGER, QMP_SOCKET, RC, STATE,
    SUCCESS, Section, USAGE_ERROR, after_long_help,
};
use super::values::{ADDRESS_SUMMARY, NamedAddress, SEVERAL_ADDRESSES_HELP, named_address_parser};

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
    after_help = <ShellArgs as HelpExt>::EXAMPLE,
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

    #[arg(
        help = "List the servers that run on this machine",
        long_help = "List the servers that run on this machine: address, name, process id, and whether a client holds the \
                     monitor",
        long,
        conflicts_with = "addresses",
        help_heading = HEADING_ACTIONS
    )]
    pub(crate) list: bool,

    /// Print the completions of LINE, as Tab does at the prompt; with --list, of a command line of this program
    #[arg(long, value_name = "LINE", allow_hyphen_values = true, help_heading = HEADING_ACTIONS)]
    pub(crate) complete: Option<String>,

    #[arg(
        value_name = "ADDRESS",
        value_parser = named_address_parser(),
        value_hint = ValueHint::AnyPath,
        help = ADDRESS_SUMMARY,
        long_help = SEVERAL_ADDRESSES_HELP
    )]
    pub(crate) addresses: Vec<NamedAddress>,
}

impl HelpExt for ShellArgs {
    const COMMON_OPTIONS: &'static [&'static str] = &[
        "hmp",
        "command",
        "file",
        "exit_on_error",
        "output",
        "verbose",
        "logfile",
        "skip_negotiation",
        "wait",
        "list",
    ];

    const EXAMPLE: &'static str = "Try it without QEMU: qmp-shell demo:";

    const LIVE_COMPLETION: Option<&'static str> = Some("--list --complete");

    const HAS_DOT_COMMANDS: bool = true;

    const SECTIONS: &'static [Section] = &[
        (
            "Examples",
            &[
                ("qmp-shell demo:", "try a small machine inside the program"),
                ("qmp-shell vm.sock", "open a prompt"),
                ("qmp-shell -p -c query-status vm.sock", "run one command"),
                ("qmp-shell vm.sock < script.qmp", "run a script"),
                ("qmp-shell -H localhost:4444", "open a prompt of the human monitor"),
                ("qmp-shell src=a.sock dst=b.sock", "connect to several servers"),
                ("qmp-shell ssh://host/run/vm.sock", "connect to another machine"),
                ("qmp-shell libvirt:vm", "connect to a VM of libvirt"),
            ],
        ),
        ("Environment", &[QMP_SOCKET, PAGER, EDITOR, KEYS, STATE, RC, COLOR]),
        FILES,
        ("Exit status", &[SUCCESS, LINE_FAILED, USAGE_ERROR, NOT_CONNECTED, DISCONNECTED]),
        (
            "See also",
            &[
                ("qmp-shell-wrap(1)", "starts QEMU and opens a prompt on it"),
                ("qmp(1)", "sends one command"),
                ("qom(1)", "shows the object tree"),
                ("qmp-share(1)", "serves one monitor to many clients"),
                ("qemu-qmp-ref(7)", "describes the commands and events of QEMU"),
            ],
        ),
    ];

    const MANUAL_SECTIONS: &'static [Section] = &[ADDRESS_FORMS, LINES];
}

const ADDRESS_FORMS: Section = (
    "Addresses",
    &[
        ("PATH, unix:PATH", "A Unix socket. `unix:` is needed before a path that looks like one of the forms below."),
        ("unix:@NAME", "An abstract Unix socket, on Linux."),
        ("HOST:PORT, [V6]:PORT, tcp:HOST:PORT", "A TCP port. An IPv6 address needs the brackets."),
        (
            "ssh://[USER@]HOST[:PORT]/PATH",
            "A Unix socket on another machine, through `ssh`, with `socat` or `nc` on that machine.",
        ),
        ("libvirt:DOMAIN, libvirt:DOMAIN?URI", "A VM of libvirt, through `virt-qemu-qmp-proxy`."),
        ("fd:N", "A socket that the program has inherited as file descriptor N."),
        ("exec:COMMAND", "A command, whose standard input and output are the connection."),
        ("replay:FILE", "A message log, served by a server that answers as the recorded one did."),
        ("demo:", "A small machine inside the program."),
    ],
);

const LINES: Section = (
    "Lines",
    &[
        (
            "COMMAND [KEY=VALUE]…",
            "Sends a QMP command. Each value has the type that the server gives its key: sizes may be written 4k, 0x1000 or \
             1.5G. Dots nest (`file.driver=raw`), numbers make arrays (`children.0=a`), and a value may be JSON. Words \
             are quoted as in a POSIX shell, # begins a comment, and a backslash at the end continues the line. \
             `exec-oob COMMAND` sends it out of band.",
        ),
        ("{\"execute\": …}", "Sends a request written as JSON, which may span lines. Whole sessions may be pasted."),
        ("transaction( … )", "Sends one transaction. Each line between the parentheses is an action."),
        (
            "LINE | FILTER",
            "Prints the results of a filter on the return value. A filter begins with a dot, a bracket or a brace, and \
             is in the language of jq(1): `query-block | .[].device`.",
        ),
        ("LINE | COMMAND, LINE > FILE", "Passes the return value to a command of the system's shell, or to a file."),
        ("LINE; LINE", "Runs one line after the other."),
        ("@NAME LINE", "Runs a line on the server NAME, where there are several; `@*` is all of them."),
        (".COMMAND, !COMMAND", "A command of this shell, see below; a command of the system's shell."),
    ],
);

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
