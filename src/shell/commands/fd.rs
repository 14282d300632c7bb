//! `.fd`: sends a command with an open file attached.

use std::fs::OpenOptions;
use std::os::fd::AsFd;

use crate::assist::Completes;
use crate::grammar::Diagnostic;

use super::super::line::LineOutcome;
use super::{ANY, Arguments, DotCommand, Invocation, expand_home};

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "fd",
    aliases: &[],
    usage: "PATH COMMAND [KEY=VALUE]…",
    summary: "open PATH and send a command with its file descriptor attached",
    help: "Opens PATH for reading and writing, or for reading only if it cannot be written, and sends COMMAND with the\n\
           file descriptor attached: `.fd /dev/kvm getfd fdname=kvm`, `.fd disk.img add-fd fdset-id=1`. File\n\
           descriptors can be passed only over Unix sockets.",
    arguments: Arguments::Words { min: 2, max: ANY },
    has_reply_slot: true,
    completes: Completes::FileThenCommand,
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let Invocation { engine, dot, line, out } = invocation;
    let path = &dot.words[0];
    let command = dot.command_from(line.text, 1)?;
    if let Err(outcome) = engine.ensure_open(line, &mut **out) {
        return Ok(outcome);
    }
    let request = engine.prepare(&command, line, &mut **out)?;
    let session = engine.connection.session();
    if !engine.options.dry_run && session.is_some_and(|session| !session.can_pass_fds()) {
        let message = "file descriptors can be passed only over a Unix socket, which this connection is not";
        return Err(Diagnostic::new(dot.name_span, message));
    }
    let name = expand_home(&path.text);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&name)
        .or_else(|_| OpenOptions::new().read(true).open(&name))
        .map_err(|error| Diagnostic::new(path.span, format!("cannot open `{}`: {error}", name.display())))?;
    Ok(engine.perform(&request, Some(file.as_fd()), line, &mut **out))
}
