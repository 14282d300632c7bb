//! Shell escapes: `!COMMAND` runs a command in the system's shell.

use std::process::Command;

use super::super::engine::Engine;
use super::super::line::{InputLine, LineOutcome, STDIN_NAME};
use super::super::output::Output;

pub(super) fn run_shell_escape(
    engine: &Engine,
    command: &str,
    line: &InputLine<'_>,
    out: &mut dyn Output,
) -> LineOutcome {
    if line.script == Some(STDIN_NAME) {
        out.report_failure("`!` is not available in scripts read from standard input", line, None);
        return LineOutcome::Failed;
    }
    if engine.options.dry_run || command.is_empty() {
        return LineOutcome::Done;
    }
    let mut status = None;
    out.with_terminal_released(&mut || status = Some(Command::new("/bin/sh").args(["-c", command]).status()));
    match status {
        Some(Ok(status)) if status.success() => return LineOutcome::Done,
        Some(Ok(status)) => out.report_failure(&format!("the command failed: {status}"), line, None),
        Some(Err(error)) => out.report_failure(&format!("cannot run a shell: {error}"), line, None),
        None => {}
    }
    LineOutcome::Failed
}
