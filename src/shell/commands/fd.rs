//! `.fd`: sends a command with an open file attached.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use crate::assist::Completes;
use crate::grammar::{Diagnostic, Word};

use super::super::line::LineOutcome;
use super::{ANY, Arguments, DotCommand, Invocation, expand_home};

/// The words before the path that say how it is opened.
const READ_ONLY: &str = "read-only";
const READ_WRITE: &str = "read-write";

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "fd",
    aliases: &[],
    usage: "[read-only | read-write] PATH COMMAND [KEY=VALUE]…",
    summary: "open PATH and send a command with its file descriptor attached",
    help: "Opens PATH and sends COMMAND with the file descriptor attached: `.fd /dev/kvm getfd fdname=kvm`, `.fd disk.img\n\
           add-fd fdset-id=1`. The file is opened for reading and writing, or for reading only if it cannot be written;\n\
           `read-only` and `read-write` before the path leave no choice. From a set of descriptors QEMU takes one that was\n\
           opened as it needs it: `.fd read-only disk.img add-fd fdset-id=1` is for `blockdev-add … read-only=on`, and a set\n\
           can have one of each. File descriptors can be passed only over Unix sockets.",
    arguments: Arguments::Words { min: 2, max: ANY },
    has_reply_slot: true,
    completes: Completes::FileThenCommand(&[
        (READ_ONLY, "open for reading only"),
        (READ_WRITE, "open for reading and writing, or fail"),
    ]),
    run,
};

/// Returns whether a word says how the file is opened, and not which.
fn is_mode(word: &Word) -> bool {
    word.is_bare(READ_ONLY) || word.is_bare(READ_WRITE)
}

fn open_file(path: &Path, mode: Option<&str>) -> io::Result<File> {
    let open = |write| OpenOptions::new().read(true).write(write).open(path);
    match mode {
        Some(READ_ONLY) => open(false),
        Some(_) => open(true),
        None => open(true).or_else(|_| open(false)),
    }
}

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let mode = invocation.dot.words.first().filter(|word| is_mode(word)).map(|word| word.text.as_str());
    let path_index = usize::from(mode.is_some());
    invocation.word(path_index + 1, "a command after the path")?;
    let Invocation { engine, dot, line, out } = invocation;
    let path = &dot.words[path_index];
    let command = dot.command_from(line.text, path_index + 1)?;
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
    let file = open_file(&name, mode)
        .map_err(|error| Diagnostic::new(path.span, format!("cannot open `{}`: {error}", name.display())))?;
    Ok(engine.perform(&request, Some(file.as_fd()), line, &mut **out))
}
