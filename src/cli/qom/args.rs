//! The arguments of `qom`.

use clap::{Parser, Subcommand, ValueHint};

use crate::session::Address;

use super::fuse::FuseArgs;
use crate::cli::args::{
    ADDRESS_HELP, ADDRESS_SUMMARY, COLOR, CommonArgs, CompletionArgs, DISCONNECTED, GenerateArgs, HEADING_CONNECTION,
    HelpExt, NOT_CONNECTED, PAGER, QMP_SOCKET, SUCCESS, Section, USAGE_ERROR, WaitArgs, address_parser,
    after_long_help,
};

/// QEMU's object tree: list, get, set, draw and mount it
///
/// An object is named by its path, such as /machine/peripheral/net0, or by the end of its path if that is unambiguous.
/// Called through a link named qom-list, qom-get, qom-set, qom-tree or qom-fuse, the program runs that command.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "qom",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    override_usage = "qom [OPTIONS] COMMAND [ARG]...",
    after_help = <QomArgs as HelpExt>::EXAMPLE,
    after_long_help = after_long_help::<QomArgs>(),
    mut_arg("verbose", |arg| arg.help("Show each request and reply on standard error"))
)]
pub(crate) struct QomArgs {
    #[arg(
        short,
        long,
        global = true,
        value_name = "ADDRESS",
        value_parser = address_parser(),
        value_hint = ValueHint::AnyPath,
        help_heading = HEADING_CONNECTION,
        help = ADDRESS_SUMMARY,
        long_help = ADDRESS_HELP
    )]
    pub(crate) socket: Option<Address>,

    #[command(flatten)]
    pub(crate) common: CommonArgs,

    #[command(flatten)]
    pub(crate) wait: WaitArgs,

    #[command(flatten)]
    pub(crate) completion: CompletionArgs,

    #[command(flatten)]
    pub(crate) generate: GenerateArgs,

    #[command(subcommand)]
    pub(crate) command: Option<QomCommand>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum QomCommand {
    /// List the contents of an object: objects as NAME/, links as @NAME/, properties as NAME
    List {
        /// Object
        #[arg(value_name = "PATH", default_value = "/")]
        path: String,

        /// Print the server's list, with types, as JSON
        #[arg(long)]
        json: bool,
    },

    /// Print the value of a property
    Get {
        /// Object and property, or only the object if PROPERTY follows
        #[arg(value_name = "PATH.PROPERTY")]
        target: String,

        /// Property
        #[arg(value_name = "PROPERTY")]
        property: Option<String>,

        /// Print the value as JSON, in the server's spelling
        #[arg(long)]
        json: bool,
    },

    /// Set a property
    ///
    /// The type of the property decides how VALUE is read: a string as it is; a number in decimal or hexadecimal, with
    /// or without a suffix k, M or G; a boolean as on or off. A VALUE that begins with a bracket is JSON.
    #[command(override_usage = "qom set [OPTIONS] PATH.PROPERTY VALUE\n       qom set [OPTIONS] PATH PROPERTY VALUE")]
    Set {
        /// Object and property
        #[arg(value_name = "PATH.PROPERTY")]
        target: String,

        /// Value
        #[arg(value_name = "VALUE", num_args = 1..=2, required = true, allow_negative_numbers = true)]
        words: Vec<String>,
    },

    /// Draw an object and everything below it, with types and values
    Tree {
        /// Object
        #[arg(value_name = "PATH", default_value = "/")]
        path: String,

        /// Open objects at most N levels below PATH
        #[arg(short, long, value_name = "N")]
        depth: Option<usize>,

        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },

    /// Mount the tree: objects are directories, properties are files, links are symbolic links
    ///
    /// The tree stays until it is unmounted, or until Ctrl-C or a signal ends the program. Writing to a file sets the
    /// property.
    Fuse(FuseArgs),
}

impl HelpExt for QomArgs {
    const COMMON_OPTIONS: &'static [&'static str] = &["socket", "wait", "verbose"];

    const EXAMPLE: &'static str = "Try it without QEMU: qom tree -s demo:";

    const LIVE_COMPLETION: Option<&'static str> = Some("--complete");

    const SECTIONS: &'static [Section] = &[
        (
            "Examples",
            &[
                ("qom list -s vm.sock /machine", "the contents of the machine"),
                ("qom get -s vm.sock /machine.smp", "a property whose value is an object"),
                ("qom set -s vm.sock /objects/io0.poll-max-ns 32k", "a number, because of the type of the property"),
                ("qom tree -s vm.sock --depth 1 peripheral", "the devices that have an id"),
                ("qom tree --json | jq .children.machine.type", "with QMP_SOCKET set"),
                ("qom fuse -s vm.sock --daemonize vm", "the tree as files in the directory vm, for find, grep and cp"),
            ],
        ),
        (
            "Environment",
            &[
                QMP_SOCKET,
                PAGER,
                ("LC_ALL, LC_CTYPE, LANG", "whether a tree may be drawn with characters beyond ASCII"),
                COLOR,
            ],
        ),
        ("Files", &[("/etc/fuse.conf", "`user_allow_other` in it permits --allow-other without root")]),
        (
            "Exit status",
            &[
                SUCCESS,
                ("1", "the server refused, or a value is not of its property's type"),
                USAGE_ERROR,
                NOT_CONNECTED,
                DISCONNECTED,
            ],
        ),
        (
            "See also",
            &[
                ("qmp-shell(1)", "forms of ADDRESS; qom-list, qom-get and qom-set at a prompt"),
                ("fusermount3(1)", "unmounts the tree of a user"),
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
        QomArgs::command().debug_assert();
    }
}
