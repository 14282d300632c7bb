//! `.connect`: connects to a server.

use crate::assist::Completes;
use crate::grammar::Diagnostic;
use crate::session::{Address, AddressError};

use super::super::connection::name::split_name;
use super::super::line::LineOutcome;
use super::{Arguments, DotCommand, Invocation};

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "connect",
    aliases: &[],
    usage: "[-N] [[NAME=]ADDRESS | -]",
    summary: "connect to a server, or reconnect to the current one",
    help: "Connects to ADDRESS, and then leaves the current server: PATH, unix:PATH, unix:@NAME, HOST:PORT,\n\
           [V6]:PORT, ssh://HOST/PATH, libvirt:DOMAIN, fd:N, exec:COMMAND, replay:FILE or demo:. With -N it is\n\
           a guest agent. If that fails, the connection to the current server stays open at a prompt; in a script\n\
           it is closed, so that the lines that follow do not go to the wrong server. Without ADDRESS, reconnects to\n\
           the same server; `-` goes back to the former one. NAME=ADDRESS adds a server to those that are connected,\n\
           or connects the one of this name to ADDRESS, and makes it the current one: `.on` lists them.",
    arguments: Arguments::RawTail,
    has_reply_slot: false,
    completes: Completes::Addresses,
    run,
};

/// The server to connect to.
struct Destination {
    /// The name in `NAME=ADDRESS`.
    name: Option<String>,
    address: Address,
    is_guest_agent: bool,
}

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let destination = destination(invocation)?;
    let Invocation { engine, line, out, .. } = invocation;
    let current = engine.current_server();
    let known = destination.as_ref().and_then(|destination| engine.find_server(destination.name.as_deref()?));
    if let Some(index) = known {
        engine.use_server(index);
        engine.label(false, &mut **out);
    }
    let connected = match destination {
        Some(Destination { name: Some(name), address, is_guest_agent }) if known.is_none() => {
            engine.connect_to_other(&name, address, is_guest_agent, &mut **out)
        }
        Some(Destination { address, is_guest_agent, .. }) if engine.options.dry_run => {
            engine.connection.set_address(address, is_guest_agent);
            Ok(())
        }
        Some(Destination { address, is_guest_agent, .. }) => engine.switch(address, is_guest_agent, &mut **out),
        None if engine.options.dry_run => Ok(()),
        None => engine.reopen(&mut **out),
    };
    let Err(error) = connected else { return Ok(LineOutcome::Done) };
    let kept = match (engine.connection.is_open(), engine.connection.address()) {
        (true, Some(address)) => format!("; the connection to `{address}` stays open"),
        (true, None) => "; the connection to QEMU stays open".to_owned(),
        (false, _) => String::new(),
    };
    // In a script, the lines that follow are meant for the other server.
    if engine.options.interactive {
        engine.use_server(current);
    }
    engine.label(false, &mut **out);
    // Without a class: `.connect` has no reply slot.
    out.report_failure(&format!("{error}{kept}"), line, None);
    Ok(LineOutcome::Failed)
}

/// Returns the server to connect to; `None` for the current one again.
fn destination(invocation: &Invocation<'_>) -> Result<Option<Destination>, Diagnostic> {
    let words = &invocation.dot.words;
    let connection = &invocation.engine.connection;
    let option = words.first().filter(|word| matches!(word.text.as_str(), "-N" | "--skip-negotiation"));
    let is_guest_agent = option.is_some() || connection.is_guest_agent();
    let index = usize::from(option.is_some());
    let Some(word) = words.get(index) else {
        return match option {
            Some(option) => Err(Diagnostic::new(option.span, "missing address after `-N`")),
            None => Ok(None),
        };
    };
    let error = |message: String| Diagnostic::new(word.span, message);
    if word.is_bare("-") {
        invocation.no_more_words(index + 1)?;
        let former = connection.former_address();
        let (address, is_guest_agent) = former.ok_or_else(|| error("there is no former server".to_owned()))?;
        return Ok(Some(Destination { name: None, address, is_guest_agent }));
    }
    let tail = &invocation.dot.tail()[word.span.start - words[0].span.start..];
    let (name, address) = split_name(tail);
    // The words of a command are split by the shell that runs it.
    let (name, text) = if address.starts_with("exec:") {
        (name, address)
    } else {
        invocation.dot.check_words()?;
        invocation.no_more_words(index + 1)?;
        split_name(&word.text)
    };
    let address: Address = text.parse().map_err(|problem: AddressError| error(problem.to_string()))?;
    Ok(Some(Destination { name: name.map(str::to_owned), address, is_guest_agent }))
}
