//! The flags of `qom`, as typed: their names, values and help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueHint};

use crate::session::Address;

use super::fuse::FuseArgs;

use crate::cli::args::{
    Color, Generate, HEADING_CONNECTION, HEADING_OUTPUT, HelpExt, Section, address_parser, seconds, sections,
};

/// The object tree of a QEMU: list, read, set, draw and mount it
///
/// An object is named by its path, such as /machine/peripheral/net0, or by the end of one where only one object has it.
/// Called through a link named qom-list, qom-get, qom-set, qom-tree or qom-fuse, the program is that command.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "qom",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    override_usage = "qom [OPTIONS] COMMAND [ARG]...",
    after_help = AFTER_HELP,
    after_long_help = sections::<QomArgs>()
)]
pub(crate) struct QomArgs {
    /// Where the server is: PATH, unix:PATH, unix:@NAME, HOST:PORT, [V6]:PORT, fd:N, exec:COMMAND or demo: [default:
    /// $QMP_SOCKET]
    #[arg(short, long, global = true, value_name = "ADDRESS", value_parser = address_parser(), value_hint = ValueHint::AnyPath, help_heading = HEADING_CONNECTION)]
    pub(crate) socket: Option<Address>,

    /// How long connecting, and then the greeting, may take
    #[arg(long, global = true, value_name = "SECONDS", default_value = "5", value_parser = seconds, help_heading = HEADING_CONNECTION)]
    pub(crate) timeout: Duration,

    /// Wait until the server is there, for ever or for SECONDS
    #[arg(long, global = true, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "1e9", value_parser = seconds, help_heading = HEADING_CONNECTION)]
    pub(crate) wait: Option<Duration>,

    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = HEADING_OUTPUT)]
    pub(crate) color: Color,

    /// Show each request and reply as it goes, on standard error
    #[arg(short, long, global = true, help_heading = HEADING_OUTPUT)]
    pub(crate) verbose: bool,

    /// Append every message, both ways, to FILE
    #[arg(short, long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = HEADING_OUTPUT)]
    pub(crate) logfile: Option<PathBuf>,

    /// Print what Tab would offer at the end of LINE, such as 'qom get -s vm.sock /mach'
    #[arg(long, value_name = "LINE", allow_hyphen_values = true)]
    pub(crate) complete: Option<String>,

    /// Print the manual page, or completions for a shell
    #[arg(long, value_name = "WHAT")]
    pub(crate) generate: Option<Generate>,

    #[command(subcommand)]
    pub(crate) command: Option<QomCommand>,
}

/// What is to be done.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum QomCommand {
    /// List what an object holds: objects as NAME/, links as @NAME/, properties as NAME
    List {
        /// The object
        #[arg(value_name = "PATH", default_value = "/")]
        path: String,

        /// The server's list, with types, as JSON
        #[arg(long)]
        json: bool,
    },

    /// Print the value of a property
    Get {
        /// The object and its property
        #[arg(value_name = "PATH.PROPERTY")]
        target: String,

        /// The property, where only the object stands before
        #[arg(value_name = "PROPERTY")]
        property: Option<String>,

        /// The value as JSON, as the server spells it
        #[arg(long)]
        json: bool,
    },

    /// Set a property
    ///
    /// VALUE is taken by the property's type: a string as it is, a number in decimal or hexadecimal, with k, M or G, a
    /// boolean as on or off; JSON where it begins with a bracket.
    #[command(override_usage = "qom set [OPTIONS] PATH.PROPERTY VALUE\n       qom set [OPTIONS] PATH PROPERTY VALUE")]
    Set {
        /// The object and its property
        #[arg(value_name = "PATH.PROPERTY")]
        target: String,

        /// The value
        #[arg(value_name = "VALUE", num_args = 1..=2, required = true, allow_negative_numbers = true)]
        words: Vec<String>,
    },

    /// Draw an object and all that is below it, with types and values
    Tree {
        /// The object
        #[arg(value_name = "PATH", default_value = "/")]
        path: String,

        /// Open objects no more than N levels below PATH
        #[arg(short, long, value_name = "N")]
        depth: Option<usize>,

        /// One JSON document
        #[arg(long)]
        json: bool,
    },

    /// Mount the tree: objects are directories, properties are files, links are symbolic links
    ///
    /// It stays until it is unmounted, or told to end by Ctrl-C or a signal. What is written to a file sets the property.
    Fuse(FuseArgs),
}

const AFTER_HELP: &str = "\
Try it without QEMU: qom tree -s demo:
Exit status: 0 succeeded, 1 failed, 2 wrong usage, 3 no connection,
             4 connection lost.";

impl HelpExt for QomArgs {
    const USES_LIVE_COMPLETION: bool = true;

    const SECTIONS: &'static [Section] = &[
        (
            "Each command",
            &[
                ("list [PATH]", "objects as NAME/, links as @NAME/, properties as NAME; with --json the server's list"),
                (
                    "get PATH.PROPERTY",
                    "the value, an object as lines of `key: value`; with --json as the server spells it",
                ),
                ("set PATH.PROPERTY VALUE", "the value is typed by the property"),
                ("tree [PATH]", "with types and values; --depth N opens no more than N levels, --json is one document"),
                (
                    "fuse MOUNTPOINT",
                    "mounts the tree until it is unmounted; what is written to a file sets the property; --read-only, \
                     --allow-other, --daemonize",
                ),
            ],
        ),
        (
            "Examples",
            &[
                ("qom list -s vm.sock /machine", "what the machine holds"),
                ("qom get -s vm.sock /machine.smp", "a property, an object in itself"),
                ("qom set -s vm.sock /objects/io0.poll-max-ns 32k", "a number by its type"),
                ("qom tree -s vm.sock --depth 1 peripheral", "the devices that have an id"),
                ("qom tree --json | jq .children.machine.type", "with QMP_SOCKET set"),
                ("qom fuse -s vm.sock --daemonize vm", "the tree as files in the directory vm, for find, grep and cp"),
            ],
        ),
        (
            "Environment",
            &[
                ("QMP_SOCKET", "the address where none is named"),
                ("PAGER", "shows a tree that is longer than the screen"),
                ("LC_ALL, LC_CTYPE, LANG", "whether a tree may be drawn with more than ASCII"),
                ("NO_COLOR, CLICOLOR_FORCE, TERM", "whether there is colour"),
            ],
        ),
        (
            "Exit status",
            &[
                ("0", "succeeded"),
                ("1", "the server refused, or a value is none of its property's type"),
                ("2", "wrong usage"),
                ("3", "could not connect or negotiate"),
                ("4", "connection lost"),
            ],
        ),
        ("See also", &[("qmp-shell(1)", "the commands qom-list, qom-get and qom-set, and all others, at a prompt")]),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn flags_are_consistent() {
        QomArgs::command().debug_assert();
    }
}
