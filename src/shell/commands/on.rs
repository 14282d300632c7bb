//! `.on`: chooses the current server of several.

use crate::assist::Completes;
use crate::grammar::{Diagnostic, Span};
use crate::render::printable;

use super::super::engine::Engine;
use super::super::line::LineOutcome;
use super::target::{TargetedLine, check_target};
use super::{Arguments, DotCommand, Invocation};

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "on",
    aliases: &[],
    usage: "[NAME]",
    summary: "switch to another server of several; alone, list them",
    help: "Makes the server NAME the current one, which gets the lines that follow. `@NAME LINE` runs one line on a\n\
           server, and `@* LINE` on all of them. `.connect NAME=ADDRESS` adds a server. Without\n\
           NAME, lists the servers.",
    arguments: Arguments::Words { min: 0, max: 1 },
    has_reply_slot: false,
    completes: Completes::Servers,
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let Invocation { engine, dot, out, .. } = invocation;
    let Some(word) = dot.words.first() else {
        if !engine.has_several_servers() {
            out.show_notice("There is one server; `.connect NAME=ADDRESS` adds another.");
            return Ok(LineOutcome::Done);
        }
        let list = list(engine);
        out.print(&list);
        return Ok(LineOutcome::Done);
    };
    if engine.in_transaction() {
        let message = "the actions of a transaction go to one server; `)` ends the transaction";
        return Err(Diagnostic::new(word.span, message));
    }
    let span = Span::new(word.span.start, word.span.end);
    let name = word.text.strip_prefix('@').unwrap_or(&word.text);
    match check_target(engine, &TargetedLine { name, span, rest: String::new() })? {
        Some(index) => engine.use_server(index),
        None => return Err(Diagnostic::new(span, "expected the name of one server")),
    }
    engine.label(false, &mut **out);
    Ok(LineOutcome::Done)
}

/// Returns a line for each server, with a `*` before the current one.
fn list(engine: &mut Engine) -> String {
    let servers = engine.list_servers();
    let width = servers.iter().map(|server| server.name.chars().count()).max().unwrap_or(0);
    let lines = servers.iter().map(|server| {
        let mark = if server.is_current { '*' } else { ' ' };
        let name = &server.name;
        let state = server.description.as_deref().unwrap_or("not connected");
        let place = server.address.as_ref().map(|address| format!(" at {address}")).unwrap_or_default();
        format!("{}\n", printable(format!("{mark} {name:width$}  {state}{place}").trim_end()))
    });
    lines.collect()
}
