//! `.connect`: connects to a server.

use crate::assist::Completes;
use crate::grammar::Diagnostic;
use crate::session::{Address, AddressError};

use super::super::line::LineOutcome;
use super::{ANY, Arguments, DotCommand, Invocation};

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "connect",
    aliases: &[],
    usage: "[ADDRESS]",
    summary: "connect to a server, or reconnect to the current one",
    help: "Closes the connection and opens one to ADDRESS: PATH, unix:PATH, unix:@NAME, HOST:PORT,\n\
           [V6]:PORT, fd:N, exec:COMMAND or demo:. Without ADDRESS, reconnects to the same server.",
    arguments: Arguments::Words { min: 0, max: ANY },
    has_reply_slot: false,
    completes: Completes::Files,
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    invocation.engine.finish_queries();
    if let Some(word) = invocation.dot.words.first() {
        let tail = invocation.dot.tail();
        // The words of a command are split by the shell that runs it.
        let text = if tail.starts_with("exec:") {
            tail
        } else {
            invocation.no_more_words(1)?;
            &word.text
        };
        let address: Result<Address, AddressError> = text.parse();
        let address = address.map_err(|error| Diagnostic::new(word.span, error.to_string()))?;
        invocation.engine.connection.set_address(address);
    }
    if invocation.engine.options.dry_run {
        return Ok(LineOutcome::Done);
    }
    Ok(match invocation.engine.reconnect(invocation.line, invocation.out) {
        Ok(()) => LineOutcome::Done,
        Err(outcome) => outcome,
    })
}
