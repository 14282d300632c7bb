//! `.log`: records every message in a file.

use std::sync::PoisonError;

use crate::assist::Completes;
use crate::grammar::Diagnostic;
use crate::session::MessageLog;

use super::super::line::LineOutcome;
use super::{Arguments, DotCommand, Invocation, expand_home};

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "log",
    aliases: &[],
    usage: "FILE | off",
    summary: "record all messages, in both directions, in FILE",
    help: "Appends to FILE, one JSON object per line: {\"time\": …, \"sent\": …} or {\"time\": …, \"received\": …}.\n\
           Requests that the shell sends for itself have a member \"query\": true. The values of secret arguments are\n\
           replaced. A new file gets mode 0600. `off` closes the log. At a prompt, the version and the introspection\n\
           of the server are queried again, so that the log can be opened with `replay:FILE`.",
    arguments: Arguments::Words { min: 1, max: 1 },
    has_reply_slot: false,
    completes: Completes::Files,
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let word = invocation.word(0, "a file or `off`")?;
    let log = if word.is_bare("off") {
        None
    } else {
        let path = expand_home(&word.text);
        let cannot_write = |error| Diagnostic::new(word.span, format!("cannot write `{}`: {error}", path.display()));
        Some(MessageLog::open(&path).map_err(cannot_write)?)
    };
    let Invocation { engine, out, .. } = invocation;
    engine.end_log(&mut **out);
    let is_open = log.is_some();
    *engine.log.lock().unwrap_or_else(PoisonError::into_inner) = log;
    if is_open && engine.options.interactive {
        engine.with_each_server(|engine| {
            if let Some(server) = engine.queryable_server() {
                server.query_for_log();
            }
        });
    }
    Ok(LineOutcome::Done)
}
