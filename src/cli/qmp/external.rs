//! Commands that the server does not have: programs `qmp-COMMAND`, as git has its own.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output as ProcessOutput, Stdio};
use std::time::Instant;

use anyhow::anyhow;
use serde_json::Value;

use crate::session::{Address, Lost, Session};
use crate::wire::{Reply, ReplyBody, Request};

use super::super::status::{Failure, Status};
use super::question::ask;

/// The program that stands in for a command of this name, by PATH.
pub(super) fn find(command: &str) -> Option<PathBuf> {
    let program = format!("qmp-{command}");
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(&program))
        .find(|file| std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0))
}

/// Whether the server has a command of this name. One that does not say, or not until `until`, has not.
pub(super) fn has(session: &mut Session, command: &str, guest_agent: bool, until: Instant) -> Result<bool, Lost> {
    let question = Request::new(if guest_agent { "guest-info" } else { "query-commands" });
    let answer = ask(session, &question, until)?;
    let answer = answer.as_ref().map(Reply::body);
    Ok(matches!(answer, Some(ReplyBody::Return(raw)) if is_listed(raw, command)))
}

/// Whether an answer to `query-commands` (a list) or `guest-info` (a list among its members) names a command.
fn is_listed(raw: &str, command: &str) -> bool {
    let value: Value = serde_json::from_str(raw).unwrap_or_default();
    let list = value.as_array().or_else(|| value.get("supported_commands")?.as_array());
    list.into_iter().flatten().any(|item| item.get("name").and_then(Value::as_str) == Some(command))
}

/// Becomes the program, told where the server is. Returns only where that fails.
pub(super) fn become_it(program: &Path, words: &[OsString], address: Option<&Address>) -> Failure {
    match command(program, words, address) {
        Ok(mut command) => not_run(program, &command.exec()),
        Err(failure) => failure,
    }
}

/// Runs the program to its end, told where the server is.
pub(super) fn run(program: &Path, words: &[OsString], address: &Address) -> Result<ProcessOutput, Failure> {
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

    #[test]
    fn both_kinds_of_lists_are_read() {
        assert!(is_listed(r#"[{"name": "stop"}, {"name": "cont"}]"#, "cont"));
        assert!(is_listed(r#"{"version": "1", "supported_commands": [{"name": "guest-ping"}]}"#, "guest-ping"));
        assert!(!is_listed(r#"[{"name": "stop"}]"#, "sto") && !is_listed("nan", "stop"));
    }
}
