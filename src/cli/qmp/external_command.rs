//! Commands that the server does not have: programs `qmp-COMMAND`, as git has its own.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output as ProcessOutput, Stdio};
use std::time::Instant;

use anyhow::anyhow;
use clap::ValueEnum;

use crate::session::{Address, Disconnected, Session, Waited};
use crate::shell::{MAX_QUERY_REPLY_BYTES, command_names};
use crate::wire::{Limits, ReplyBody, Request};

use super::args::QmpArgs;
use crate::cli::args::Color;
use crate::cli::exit_status::{Failure, Status};

/// What leads the names of the programs.
const LEAD: &str = "qmp-";

/// The program that stands in for a command of this name, by PATH.
pub(crate) fn find(command: &str) -> Option<PathBuf> {
    folders().map(|folder| folder.join(format!("{LEAD}{command}"))).find(|file| is_program(file))
}

/// The commands for which there is a program.
pub(crate) fn all() -> impl Iterator<Item = String> {
    let files = folders().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    files.filter_map(|file| {
        let command = file.file_name().to_str()?.strip_prefix(LEAD)?.to_owned();
        is_program(&file.path()).then_some(command)
    })
}

fn folders() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

fn is_program(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Whether the server has a command of this name. `false` if it does not list its commands by `deadline`.
pub(super) fn server_has(
    session: &mut Session,
    command: &str,
    guest_agent: bool,
    deadline: Instant,
) -> Result<bool, Disconnected> {
    let query = Request::new(if guest_agent { "guest-info" } else { "query-commands" });
    let reply = session.query(&query, Some(deadline))?;
    Ok(match &reply {
        Waited::Done(reply) => match reply.body() {
            ReplyBody::Return(raw) if raw.len() <= MAX_QUERY_REPLY_BYTES => {
                command_names(raw).iter().any(|name| name == command)
            }
            _ => false,
        },
        _ => false,
    })
}

/// The words that the program is given: those behind the command, and in front of them, for our own shell, the options
/// of `qmp` that were given and mean the same to it.
pub(crate) fn words(args: &QmpArgs) -> Vec<OsString> {
    let mut words = match args.words.first() {
        Some(command) if command == "shell" => options_of_shell(args),
        _ => Vec::new(),
    };
    words.extend_from_slice(args.words.get(1..).unwrap_or_default());
    words
}

fn options_of_shell(args: &QmpArgs) -> Vec<OsString> {
    let switches = [
        (args.skip_negotiation, "--skip-negotiation"),
        (args.verbose, "--verbose"),
        (args.no_check, "--no-check"),
        (args.no_schema, "--no-schema"),
    ];
    let given = switches.into_iter().filter(|(given, _)| *given).map(|(_, name)| name.into());
    let mut options: Vec<OsString> = given.collect();
    for (name, time) in [("timeout", args.timeout), ("wait", args.wait)] {
        options.extend(time.map(|time| format!("--{name}={}", time.as_secs_f64()).into()));
    }
    if let Some(file) = &args.logfile {
        options.extend(["--logfile".into(), file.into()]);
    }
    if let Some(color) = args.color.to_possible_value().filter(|_| args.color != Color::Auto) {
        options.push(format!("--color={}", color.get_name()).into());
    }
    if args.max_message != Limits::default().message {
        options.push(format!("--max-message={}", args.max_message).into());
    }
    options
}

/// Becomes the program, told where the server is. Returns only where that fails.
pub(crate) fn exec(program: &Path, words: &[OsString], address: Option<&Address>) -> Failure {
    match command(program, words, address) {
        Ok(mut command) => not_run(program, &command.exec()),
        Err(failure) => failure,
    }
}

/// Runs the program to its end, told where the server is.
pub(crate) fn run(program: &Path, words: &[OsString], address: &Address) -> Result<ProcessOutput, Failure> {
    let mut command = command(program, words, Some(address))?;
    command.stdin(Stdio::null()).output().map_err(|error| not_run(program, &error))
}

fn command(program: &Path, words: &[OsString], address: Option<&Address>) -> Result<Command, Failure> {
    let mut command = Command::new(program);
    command.args(words);
    if let Some(Address::Fd(fd)) = address {
        let program = program.display();
        let message =
            format!("the server has no such command, and `{program}` cannot take over the connection fd:{fd}");
        return Err(Failure::new(Status::Usage, anyhow!(message)));
    }
    if let Some(address) = address {
        command.env("QMP_PATH", address.to_os()).env("QMP_SOCKET", address.to_os());
    }
    Ok(command)
}

fn not_run(program: &Path, error: &io::Error) -> Failure {
    Failure::new(Status::LineFailed, anyhow!("cannot run `{}`: {error}", program.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::ShellArgs;
    use clap::Parser;

    #[test]
    fn the_shell_is_given_the_options_that_it_shares() {
        let line =
            "qmp -N -v --no-check --no-schema --timeout 0.5 --wait -l f --color=never --max-message 2M shell -pN -v";
        let given = QmpArgs::parse_from(line.split(' '));
        let words = words(&given);
        let shell = ShellArgs::try_parse_from([&["qmp-shell".into()], words.as_slice()].concat()).unwrap();
        let common = shell.common;
        assert!(shell.skip_negotiation && common.verbose && common.no_check && common.no_schema && common.pretty);
        assert_eq!((Some(shell.timeout), shell.wait), (given.timeout, given.wait));
        assert_eq!((common.logfile, common.color, common.max_message), (given.logfile, Color::Never, 2 << 20));
        let plain = |line: &str| self::words(&QmpArgs::parse_from(line.split(' ')));
        assert_eq!(plain("qmp shell -c x"), ["-c", "x"]);
        assert_eq!(plain("qmp -N other -c x"), ["-c", "x"]);
    }
}
