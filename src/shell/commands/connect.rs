//! `.connect`: connects to a server.

use crate::assist::Completes;
use crate::grammar::Diagnostic;
use crate::session::{Address, AddressError};

use super::super::line::LineOutcome;
use super::{Arguments, DotCommand, Invocation};

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "connect",
    aliases: &[],
    usage: "[-N] [ADDRESS]",
    summary: "connect to a server, or reconnect to the current one",
    help: "Connects to ADDRESS, and then leaves the current server: PATH, unix:PATH, unix:@NAME, HOST:PORT,\n\
           [V6]:PORT, fd:N, exec:COMMAND, replay:FILE or demo:. With -N it is a guest agent. If that fails, the\n\
           connection to the current server stays open at a prompt; in a script it is closed, so that the lines that\n\
           follow do not go to the wrong server. Without ADDRESS, reconnects to the same server.",
    arguments: Arguments::RawTail,
    has_reply_slot: false,
    completes: Completes::Files,
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let target = target(invocation)?;
    let Invocation { engine, line, out, .. } = invocation;
    if engine.options.dry_run {
        if let Some((address, is_guest_agent)) = target {
            engine.connection.set_address(address, is_guest_agent);
        }
        return Ok(LineOutcome::Done);
    }
    let connected = match target {
        Some((address, is_guest_agent)) => engine.switch(address, is_guest_agent, &mut **out),
        None => engine.reopen(&mut **out),
    };
    let Err(error) = connected else { return Ok(LineOutcome::Done) };
    let kept = match (engine.connection.is_open(), engine.connection.address()) {
        (true, Some(address)) => format!("; the connection to `{address}` stays open"),
        (true, None) => "; the connection to QEMU stays open".to_owned(),
        (false, _) => String::new(),
    };
    // Without a class: `.connect` has no reply slot.
    out.report_failure(&format!("{error}{kept}"), line, None);
    Ok(LineOutcome::Failed)
}

/// Returns the address, if there is one, and whether the server there is a guest agent.
fn target(invocation: &Invocation<'_>) -> Result<Option<(Address, bool)>, Diagnostic> {
    let words = &invocation.dot.words;
    let option = words.first().filter(|word| matches!(word.text.as_str(), "-N" | "--skip-negotiation"));
    let is_guest_agent = option.is_some() || invocation.engine.connection.is_guest_agent();
    let index = usize::from(option.is_some());
    let Some(word) = words.get(index) else {
        return match option {
            Some(option) => Err(Diagnostic::new(option.span, "missing address after `-N`")),
            None => Ok(None),
        };
    };
    let tail = &invocation.dot.tail()[word.span.start - words[0].span.start..];
    // The words of a command are split by the shell that runs it.
    let text = if tail.starts_with("exec:") {
        tail
    } else {
        invocation.dot.check_words()?;
        invocation.no_more_words(index + 1)?;
        &word.text
    };
    let address: Result<Address, AddressError> = text.parse();
    address
        .map(|address| Some((address, is_guest_agent)))
        .map_err(|error| Diagnostic::new(word.span, error.to_string()))
}
