//! `.share`: serves the connection to other clients too.

use crate::assist::Completes;
use crate::grammar::Diagnostic;
use crate::session::Address;
use crate::share::Access;

use super::super::line::LineOutcome;
use super::super::terminal::signals::remove_socket_files_at_end;
use super::{Arguments, DotCommand, Invocation, expand_home};

const READ_ONLY: &str = "--read-only";

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "share",
    aliases: &[],
    usage: "[[--read-only] SOCKET | off]",
    summary: "serve the connection to other clients on SOCKET too",
    help: "Serves the connection to the server to any number of clients on SOCKET, as `qmp-share` does, while the shell goes on\n\
           to use it. Clients of a --read-only SOCKET may only execute commands that change nothing. `off` disconnects all\n\
           clients and removes the sockets; so do `.connect` and the end of the shell. Without SOCKET, shows the sockets.",
    arguments: Arguments::Words { min: 0, max: 2 },
    has_reply_slot: false,
    completes: Completes::Files,
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let words = &invocation.dot.words;
    let is_read_only = words.first().is_some_and(|word| word.is_bare(READ_ONLY));
    let index = usize::from(is_read_only);
    let Some(word) = words.get(index) else {
        if is_read_only {
            invocation.word(index, "a socket")?;
        }
        let sockets = describe(invocation.engine.connection.shared_sockets());
        invocation.out.show_notice(&sockets);
        return Ok(LineOutcome::Done);
    };
    invocation.no_more_words(index + 1)?;
    if word.is_bare("off") && !is_read_only {
        invocation.engine.connection.unshare();
        return Ok(LineOutcome::Done);
    }
    let address = Address::Unix(expand_home(&word.text));
    let access = if is_read_only { Access::ReadOnly } else { Access::Full };
    let Invocation { engine, line, out, .. } = invocation;
    if engine.options.dry_run {
        return Ok(LineOutcome::Done);
    }
    if let Err(outcome) = engine.ensure_open(line, &mut **out) {
        return Ok(outcome);
    }
    engine.finish_queries();
    remove_socket_files_at_end();
    if let Err(error) = engine.connection.share(address, access) {
        out.report_failure(&error.to_string(), line, None);
        return Ok(LineOutcome::Failed);
    }
    if engine.options.interactive {
        engine.connection.start_reader();
        out.show_notice(&describe(engine.connection.shared_sockets()));
    }
    Ok(LineOutcome::Done)
}

/// Returns a sentence about the sockets.
fn describe(sockets: &[(Address, Access)]) -> String {
    let names: Vec<String> = sockets
        .iter()
        .map(|(address, access)| match access {
            Access::Full => address.to_string(),
            Access::ReadOnly => format!("{address} (read-only)"),
        })
        .collect();
    match names.is_empty() {
        true => "The connection is not shared.".to_owned(),
        false => format!("The connection is shared on {}.", names.join(", ")),
    }
}
