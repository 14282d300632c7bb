//! The arguments of `qmp-share`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, ValueHint};
use nix::unistd::Group;

use crate::cli::args::{
    COLOR, CommonArgs, DISCONNECTED, GenerateArgs, HelpExt, NOT_CONNECTED, Section, USAGE_ERROR, WaitArgs,
    after_long_help, environment_variable,
};
use crate::session::{Address, SharedSocketOptions};

const HEADING_SOCKETS: &str = "Sockets";

/// The mode of a socket without `--mode`: its owner only.
const DEFAULT_MODE: u32 = 0o600;

/// The mode of a socket that belongs to a group, without `--mode`.
const GROUP_MODE: u32 = 0o660;

/// Share one QMP monitor with many clients
///
/// Holds the one connection to the server at ADDRESS, and serves any number of clients on SOCKET, each as if it were
/// alone. SOCKET is the path of a Unix socket, or fd:N, an inherited socket that listens. Guest agents cannot be shared.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "qmp-share",
    version,
    max_term_width = 100,
    override_usage = "qmp-share [OPTIONS] [ADDRESS] SOCKET",
    after_help = <ShareArgs as HelpExt>::EXAMPLE,
    after_long_help = after_long_help::<ShareArgs>(),
    mut_arg("verbose", |arg| arg.help("Show the lines of the log on standard error")),
    mut_arg("color", |arg| arg.help("When to use colour in these lines")),
    mut_arg("logfile", |arg| arg.visible_alias("log").help(
        "Append to FILE which client sent what, which replies it got, and all events"
    )),
    mut_arg("wait", |arg| arg.help("Wait for the server, also after it has gone").long_help(
        "Wait for the server, at the start and whenever it goes, indefinitely or for up to SECONDS"
    )),
)]
pub(crate) struct ShareArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    #[command(flatten)]
    pub(crate) wait: WaitArgs,

    /// A further socket, whose clients may only execute commands that change nothing; may be repeated
    #[arg(long, value_name = "SOCKET", value_hint = ValueHint::AnyPath, help_heading = HEADING_SOCKETS)]
    pub(crate) read_only: Vec<OsString>,

    /// Mode of SOCKET [default: 600; 660 with --group]
    #[arg(long, value_name = "MODE", value_parser = mode, help_heading = HEADING_SOCKETS)]
    pub(crate) mode: Option<u32>,

    /// Group that owns SOCKET, by name or number
    #[arg(long, value_name = "GROUP", value_parser = group, help_heading = HEADING_SOCKETS)]
    pub(crate) group: Option<u32>,

    /// Mode of the sockets of --read-only [default: 600; 660 with --read-only-group]
    #[arg(long, value_name = "MODE", value_parser = mode, requires = "read_only", help_heading = HEADING_SOCKETS)]
    pub(crate) read_only_mode: Option<u32>,

    /// Group that owns the sockets of --read-only
    #[arg(long, value_name = "GROUP", value_parser = group, requires = "read_only", help_heading = HEADING_SOCKETS)]
    pub(crate) read_only_group: Option<u32>,

    #[command(flatten)]
    pub(crate) generate: GenerateArgs,

    /// Address of the server, as for qmp-shell [default: $QMP_PATH, or else $QMP_SOCKET]; and the socket for clients
    #[arg(value_name = "ADDRESS SOCKET", num_args = 1..=2, value_hint = ValueHint::AnyPath)]
    pub(crate) words: Vec<OsString>,
}

impl ShareArgs {
    /// Returns the address of the server and the socket for clients.
    pub(super) fn addresses(&self) -> Result<(Address, Address), String> {
        let (server, socket) = match self.words.as_slice() {
            [server, socket] => (Some(server.clone()), socket),
            [socket] => (None, socket),
            _ => return Err("missing SOCKET; try `qmp-share vm.sock shared.sock`".to_owned()),
        };
        let environment = || environment_variable("QMP_PATH").or_else(|| environment_variable("QMP_SOCKET"));
        let server = server.or_else(environment).ok_or_else(|| {
            let socket = socket.display();
            format!("missing ADDRESS before `{socket}`, and neither QMP_PATH nor QMP_SOCKET is set")
        })?;
        let server = Address::from_os_str(&server).map_err(|error| error.to_string())?;
        Ok((server, socket_address(socket)?))
    }

    /// Returns the addresses of the read-only sockets.
    pub(super) fn read_only_addresses(&self) -> Result<Vec<Address>, String> {
        self.read_only.iter().map(socket_address).collect()
    }

    pub(super) fn socket_options(&self) -> SharedSocketOptions {
        socket_options(self.mode, self.group)
    }

    pub(super) fn read_only_socket_options(&self) -> SharedSocketOptions {
        socket_options(self.read_only_mode, self.read_only_group)
    }
}

fn socket_options(mode: Option<u32>, group: Option<u32>) -> SharedSocketOptions {
    let default = if group.is_some() { GROUP_MODE } else { DEFAULT_MODE };
    SharedSocketOptions { mode: mode.unwrap_or(default), group }
}

/// Returns the address of a socket for clients. A word that is not in another form of address is a path.
fn socket_address(word: &OsString) -> Result<Address, String> {
    match Address::from_os_str(word) {
        Ok(address @ (Address::Unix(_) | Address::Fd(_))) => Ok(address),
        Ok(other) => Err(format!("clients cannot be served on `{other}`; expected the path of a socket, or `fd:N`")),
        // A socket that does not exist yet has no colon in its name, or a path before it.
        Err(_) if !word.is_empty() => Ok(Address::Unix(PathBuf::from(word))),
        Err(error) => Err(error.to_string()),
    }
}

fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 && mode & 0o200 != 0 => Ok(mode),
        Ok(mode) if mode <= 0o777 => Err("the owner must be able to connect, as with 600".to_owned()),
        _ => Err("expected an octal number, such as 660".to_owned()),
    }
}

fn group(text: &str) -> Result<u32, String> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    match Group::from_name(text) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err("no such group".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl HelpExt for ShareArgs {
    const COMMON_OPTIONS: &'static [&'static str] = &["read_only", "mode", "group", "wait", "logfile", "verbose"];

    const EXAMPLE: &'static str = "Example: qmp-share vm.sock shared.sock";

    const SECTIONS: &'static [Section] = &[
        (
            "Examples",
            &[
                ("qmp-share vm.sock shared.sock", "serve any number of clients on shared.sock"),
                ("qmp-share --read-only watch.sock vm.sock shared.sock", "clients of watch.sock may only ask"),
                ("qmp-share --group kvm --log share.log vm.sock shared.sock", "record who sent what"),
                ("qmp-share --wait vm.sock shared.sock", "connect again after a restart of QEMU"),
                ("qmp --path vm.sock share shared.sock", "the same as the first"),
            ],
        ),
        ("Environment", &[("QMP_PATH, QMP_SOCKET", "default ADDRESS, in this order"), COLOR]),
        ("Files", &[("SOCKET", "created at the start, by default with mode 600; removed at the end")]),
        ("Exit status", &[("0", "stopped by SIGINT or SIGTERM"), USAGE_ERROR, NOT_CONNECTED, DISCONNECTED]),
        (
            "See also",
            &[
                ("qmp-shell(1)", "forms of ADDRESS; `.share` serves its own connection"),
                ("qmp(1)", "sends one command"),
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
        ShareArgs::command().debug_assert();
    }

    #[test]
    fn the_last_word_is_the_socket() {
        let args = ShareArgs::try_parse_from(["qmp-share", "vm.sock", "--read-only", "w", "s"]).unwrap();
        let (server, socket) = args.addresses().unwrap();
        assert_eq!((server.to_string(), socket.to_string()), ("vm.sock".to_owned(), "s".to_owned()));
        assert_eq!(args.read_only_addresses().unwrap(), [Address::Unix("w".into())]);
        assert!(ShareArgs::try_parse_from(["qmp-share", "a", "b", "c"]).is_err());
        assert!(ShareArgs::try_parse_from(["qmp-share"]).unwrap().addresses().is_err());
    }

    #[test]
    fn a_group_may_connect_to_its_socket() {
        let options = |args: &[&str]| {
            let args = ShareArgs::try_parse_from([&["qmp-share", "a", "b"], args].concat());
            args.map(|args| (args.socket_options().mode, args.socket_options().group)).ok()
        };
        assert_eq!(options(&[]), Some((0o600, None)));
        assert_eq!(options(&["--group", "7"]), Some((0o660, Some(7))));
        assert_eq!(options(&["--group", "root", "--mode", "0640"]), Some((0o640, Some(0))));
        for wrong in [&["--mode", "9"][..], &["--mode", "1777"], &["--mode", "0"], &["--group", "no such"]] {
            assert_eq!(options(wrong), None, "{wrong:?}");
        }
        assert_eq!(options(&["--read-only-mode", "600"]), None);
    }
}
