//! `.hmp`: executes an HMP line, or switches to HMP mode.

use crate::assist::Completes;
use crate::grammar::{Diagnostic, Language};

use super::super::engine::hmp::HmpOutput;
use super::super::line::LineOutcome;
use super::{Arguments, DotCommand, Invocation};

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "hmp",
    aliases: &[],
    usage: "[LINE]",
    summary: "send LINE to the human monitor, or switch to HMP mode",
    help: "With LINE, sends it to the human monitor and shows its text. Without LINE, switches to HMP mode: lines go to\n\
           the human monitor as typed; only those that begin with `.`, `#` or `!` are the shell's. `cpu N` selects the\n\
           CPU that later lines refer to. `.qmp` switches back.",
    arguments: Arguments::RawTail,
    has_reply_slot: true,
    completes: Completes::HmpLine,
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let Invocation { engine, dot, line, out } = invocation;
    if dot.tail().is_empty() {
        engine.set_language(Language::Hmp);
        engine.announce_monitor(&mut **out);
        return Ok(LineOutcome::Done);
    }
    // In a script that is not in HMP mode, output is one JSON message per line.
    let is_text = engine.options.interactive || engine.language() == Language::Hmp;
    let form = if is_text { HmpOutput::Text } else { HmpOutput::Reply };
    Ok(engine.run_hmp(dot.tail(), form, line, &mut **out))
}
