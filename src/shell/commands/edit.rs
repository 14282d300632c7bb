//! `.edit`: opens a line in the user's editor.

use crate::assist::Completes;
use crate::grammar::Diagnostic;

use super::super::line::LineOutcome;
use super::{Arguments, DotCommand, Invocation};

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "edit",
    aliases: &[],
    usage: "[LINE]",
    summary: "edit LINE, or the line before, in $EDITOR",
    help: "Opens LINE, or the last line entered, in `$VISUAL` or `$EDITOR`, by default `vi` or `nano`. The text that the\n\
           editor leaves is typed at the prompt; Enter runs it. Ctrl-X Ctrl-E opens the line that is being typed.",
    arguments: Arguments::RawTail,
    has_reply_slot: false,
    completes: Completes::AnyLine,
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let Invocation { engine, dot, line, .. } = invocation;
    if !engine.options.interactive || line.script.is_some() {
        return Err(Diagnostic::new(dot.name_span, "`.edit` works only at a prompt"));
    }
    let text = match dot.tail() {
        "" => {
            // The last entry is this line.
            let entries = engine.history().entries().iter().rev();
            entries.map(String::as_str).find(|entry| *entry != line.text).unwrap_or_default().to_owned()
        }
        text => text.to_owned(),
    };
    engine.line_to_edit = Some(text);
    Ok(LineOutcome::Done)
}
