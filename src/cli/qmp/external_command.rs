//! Commands that the server does not have: they are run as programs `qmp-COMMAND`, as in git.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output as ProcessOutput, Stdio};
use std::time::Instant;

use clap::ValueEnum;

use super::args::QmpArgs;
use crate::cli::args::Color;
use crate::cli::exit_status::{Failure, Status};
use crate::session::{Address, Disconnected, Session, Waited};
use crate::shell::{MAX_QUERY_REPLY_BYTES, command_names};
use crate::wire::{Limits, ReplyBody, Request};

const PROGRAM_PREFIX: &str = "qmp-";

/// The command whose program is `qmp-shell`, to which the shared options of `qmp` are passed.
const SHELL_COMMAND: &str = "shell";

/// The command whose program is `qmp-share`, to which those are passed that it has too.
const SHARE_COMMAND: &str = "share";

/// A program that runs instead of a command.
#[derive(Debug, Clone)]
pub(super) struct ExternalCommand {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl ExternalCommand {
    /// Looks up the program for `command` in `PATH`.
    pub(super) fn find(command: &str, args: &QmpArgs) -> Option<ExternalCommand> {
        let name = program_name(command);
        let program = search_path().map(|directory| directory.join(&name)).find(|path| is_program(path))?;
        Some(ExternalCommand { program, arguments: arguments_for_program(args) })
    }

    /// Replaces this process with the program, which gets the address of the server in its environment. Returns only if
    /// that fails.
    pub(super) fn exec(&self, address: Option<&Address>) -> Failure {
        match self.process(address) {
            Ok(mut process) => self.failure(&process.exec()),
            Err(failure) => failure,
        }
    }

    /// Runs the program for a server, and returns its output.
    pub(super) fn run(&self, address: &Address) -> Result<ProcessOutput, Failure> {
        self.process(Some(address))?.stdin(Stdio::null()).output().map_err(|error| self.failure(&error))
    }

    fn process(&self, address: Option<&Address>) -> Result<Command, Failure> {
        let mut process = Command::new(&self.program);
        process.args(&self.arguments);
        match address {
            Some(Address::Fd(fd)) => {
                let program = self.program.display();
                let message = format!(
                    "the server does not have this command, and `{program}` cannot take over connection fd:{fd}"
                );
                return Err(Failure::usage(message));
            }
            Some(address) => {
                let address = address.to_os_string();
                process.env("QMP_PATH", &address).env("QMP_SOCKET", &address);
            }
            None => {}
        }
        Ok(process)
    }

    fn failure(&self, error: &io::Error) -> Failure {
        Failure::with_message(Status::Failed, format!("cannot run `{}`: {error}", self.program.display()))
    }
}

/// Returns the name of the program for `command`.
pub(super) fn program_name(command: &str) -> String {
    format!("{PROGRAM_PREFIX}{command}")
}

/// Returns the commands for which there is a program in `PATH`.
pub(super) fn external_commands() -> impl Iterator<Item = String> {
    let entries = search_path().filter_map(|directory| std::fs::read_dir(directory).ok()).flatten().flatten();
    entries.filter_map(|entry| {
        let command = entry.file_name().to_str()?.strip_prefix(PROGRAM_PREFIX)?.to_owned();
        is_program(&entry.path()).then_some(command)
    })
}

fn search_path() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Returns whether the server has a command with this name. False if it does not list its commands by `deadline`.
pub(super) fn server_has_command(
    session: &mut Session,
    command: &str,
    guest_agent: bool,
    deadline: Option<Instant>,
    on_long_wait: &mut dyn FnMut(&str),
) -> Result<bool, Disconnected> {
    let query = Request::new(if guest_agent { "guest-info" } else { "query-commands" });
    let Waited::Done(reply) = session.query(&query, deadline, on_long_wait)? else { return Ok(false) };
    Ok(match reply.body() {
        ReplyBody::Return(raw) if raw.len() <= MAX_QUERY_REPLY_BYTES => {
            command_names(raw).iter().any(|name| name == command)
        }
        _ => false,
    })
}

/// Returns the words after the command. For other programs of this package, the shared options precede them.
fn arguments_for_program(args: &QmpArgs) -> Vec<OsString> {
    let mut arguments = match args.words.first().and_then(|command| command.to_str()) {
        Some(SHELL_COMMAND) => [common_options(args), options_for_shell(args)].concat(),
        Some(SHARE_COMMAND) => common_options(args),
        _ => Vec::new(),
    };
    arguments.extend_from_slice(args.words.get(1..).unwrap_or_default());
    arguments
}

/// Returns the options that `qmp-shell` and `qmp-share` have too.
fn common_options(args: &QmpArgs) -> Vec<OsString> {
    let common = &args.common;
    let mut options: Vec<OsString> = if common.verbose { vec!["--verbose".into()] } else { Vec::new() };
    for (name, time) in [("timeout", common.timeout), ("wait", args.wait.wait)] {
        options.extend(time.map(|time| format!("--{name}={}", time.as_secs_f64()).into()));
    }
    if let Some(file) = &common.logfile {
        options.extend(["--logfile".into(), file.into()]);
    }
    if let Some(color) = common.color.to_possible_value().filter(|_| common.color != Color::Auto) {
        options.push(format!("--color={}", color.get_name()).into());
    }
    options
}

/// Returns the options that only `qmp-shell` has too.
fn options_for_shell(args: &QmpArgs) -> Vec<OsString> {
    let request = &args.request;
    let switches = [
        (args.guest_agent.skip_negotiation, "--skip-negotiation"),
        (request.no_check, "--no-check"),
        (request.no_schema, "--no-schema"),
    ];
    let mut options: Vec<OsString> =
        switches.into_iter().filter(|(is_given, _)| *is_given).map(|(_, name)| name.into()).collect();
    if request.max_message != Limits::default().max_message_bytes {
        options.push(format!("--max-message={}", request.max_message).into());
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::ShellArgs;
    use clap::Parser;

    #[test]
    fn passes_shared_options_to_the_shell() {
        let line =
            "qmp -N -v --no-check --no-schema --timeout 0.5 --wait -l f --color=never --max-message 2M shell -pN -v";
        let qmp = QmpArgs::parse_from(line.split(' '));
        let arguments = arguments_for_program(&qmp);
        let shell = ShellArgs::try_parse_from([&["qmp-shell".into()], arguments.as_slice()].concat()).unwrap();
        let (common, request) = (&shell.session.common, &shell.session.request);
        assert!(shell.guest_agent.skip_negotiation && shell.session.pretty);
        assert!(common.verbose && request.no_check && request.no_schema);
        assert_eq!((common.timeout, shell.wait.wait), (qmp.common.timeout, qmp.wait.wait));
        assert_eq!((&common.logfile, common.color), (&qmp.common.logfile, Color::Never));
        assert_eq!(request.max_message, 2 << 20);
        let arguments = |line: &str| arguments_for_program(&QmpArgs::parse_from(line.split(' ')));
        assert_eq!(arguments("qmp shell -c x"), ["-c", "x"]);
        assert_eq!(arguments("qmp -N other -c x"), ["-c", "x"]);
        assert_eq!(arguments("qmp -N -v --wait=2 share x"), ["--verbose", "--wait=2", "x"]);
    }
}
