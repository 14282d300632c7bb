//! `.history`: shows the lines that were entered.

use crate::assist::Completes;
use crate::grammar::Diagnostic;

use super::super::line::LineOutcome;
use super::{Arguments, DotCommand, Invocation};

/// The number of lines shown without an argument.
const DEFAULT_LINES: usize = 20;

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "history",
    aliases: &[],
    usage: "[N]",
    summary: "show the last N lines entered (default 20)",
    help: "Shows lines of this and earlier sessions. QMP and HMP have separate histories. Lines that contain a\n\
           secret or begin with a space are kept in memory only. Ctrl-R searches.",
    arguments: Arguments::Words { min: 0, max: 1 },
    has_reply_slot: false,
    completes: Completes::Nothing,
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let count = invocation.number(0, DEFAULT_LINES, "a number of lines")?;
    let entries = invocation.engine.history().entries();
    let first = entries.len().saturating_sub(count);
    let lines = entries[first..]
        .iter()
        .enumerate()
        .map(|(index, entry)| format!("{:>5}  {}\n", first + index + 1, entry.replace('\n', "\n       ")));
    let text: String = lines.collect();
    invocation.out.print(&text);
    Ok(LineOutcome::Done)
}
