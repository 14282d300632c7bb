//! `.alias` and `.unalias`: the user's own commands.

use crate::assist::Completes;
use crate::grammar::Diagnostic;
use crate::render::printable;

use super::super::line::LineOutcome;
use super::{Arguments, DotCommand, Invocation};

pub(super) const ALIAS: DotCommand = DotCommand {
    name: "alias",
    aliases: &[],
    usage: "[NAME [LINE]]",
    summary: "name a line, or show the names",
    help: "Afterwards NAME at the beginning of a line stands for LINE. In LINE, `$1` to `$9` stand for the words after NAME,\n\
           `$*` for all of them, `$$` for `$`; if LINE has none of these, the words follow it:\n\
           `.alias pause job-pause id=$1`. An alias lasts as long as the session; put it into the rc file to keep it.",
    arguments: Arguments::RawTail,
    has_reply_slot: false,
    completes: Completes::Nothing,
    run: alias,
};

pub(super) const UNALIAS: DotCommand = DotCommand {
    name: "unalias",
    aliases: &[],
    usage: "NAME",
    summary: "remove an alias",
    help: "Removes the alias NAME for the rest of the session.",
    arguments: Arguments::Words { min: 1, max: 1 },
    has_reply_slot: false,
    completes: Completes::Aliases,
    run: unalias,
};

fn alias(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let Invocation { engine, dot, line, out } = invocation;
    let Some((name, words)) = dot.words.split_first() else {
        let rows = engine.aliases.iter().map(|(name, line)| format!("{name:<14} {}\n", printable(line)));
        out.print(&rows.collect::<String>());
        return Ok(LineOutcome::Done);
    };
    let is_name_char = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    if name.text.is_empty() || !name.text.chars().all(is_name_char) {
        let message = format!("expected a name of letters, digits, `-` and `_`, found `{}`", name.text);
        return Err(Diagnostic::new(name.span, message));
    }
    let Some(first) = words.first() else {
        let unknown = || Diagnostic::new(name.span, format!("no alias `{}`; `.alias` lists them", name.text));
        out.print(&format!("{:<14} {}\n", name.text, printable(engine.aliases.get(&name.text).ok_or_else(unknown)?)));
        return Ok(LineOutcome::Done);
    };
    let hidden = engine.connection.server().is_some_and(|server| {
        let is_qmp = server.info.command_names().contains(&name.text);
        is_qmp || server.info.hmp_commands().iter().any(|command| command.text == name.text)
    });
    if hidden || name.text == "help" {
        out.show_warning(&format!("the alias `{0}` hides the command `{0}`", name.text), line);
    }
    engine.aliases.insert(&name.text, line.text[first.span.start..].trim_end());
    Ok(LineOutcome::Done)
}

fn unalias(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let name = &invocation.dot.words[0];
    match invocation.engine.aliases.remove(&name.text) {
        true => Ok(LineOutcome::Done),
        false => Err(Diagnostic::new(name.span, format!("no alias `{}`; `.alias` lists them", name.text))),
    }
}
