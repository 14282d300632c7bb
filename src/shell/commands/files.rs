//! `.source`, `.log`, `.fd` and `!`.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::PoisonError;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::grammar::{Assembler, Diagnostic, DotLine, Line, Span, parse_line};
use crate::session::MessageLog;

use super::{at_most, needs};
use crate::shell::engine::{Engine, LineOutcome};
use crate::shell::output::{InputLine, Output, ReplyContext};

/// How deep files may source files.
const DEPTH: usize = 16;

/// How many bytes a sourced file may hold.
const LARGEST: usize = 1 << 30;

pub(crate) fn source(
    engine: &mut Engine,
    line: &DotLine,
    _source: &InputLine<'_>,
    out: &mut dyn Output,
) -> Result<LineOutcome, Diagnostic> {
    let word = needs(line, 0, "a file")?;
    at_most(line, 1)?;
    if engine.depth >= DEPTH {
        return Err(Diagnostic::new(word.span, format!("files source each other more than {DEPTH} deep")));
    }
    let name = word.text.as_str();
    let bytes = read_file(&expand_home(name), out)
        .map_err(|error| Diagnostic::new(word.span, format!("cannot read `{name}`: {error}")))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    engine.depth += 1;
    let verdict = run_text(engine, name, &text, out);
    engine.depth -= 1;
    Ok(verdict)
}

/// All that a file holds. It may be a pipe that nobody writes to, or a device that never ends; the user may have enough of
/// waiting.
fn read_file(path: &Path, out: &mut dyn Output) -> io::Result<Vec<u8>> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut bytes = Vec::new();
    loop {
        // Short waits: Ctrl-C reaches another thread, which sets a flag.
        let ready = poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&Timespec { tv_sec: 0, tv_nsec: 50_000_000 }));
        if out.interrupted() {
            return Err(io::Error::other("stopped by Ctrl-C"));
        }
        if bytes.len() > LARGEST {
            return Err(io::Error::other(format!("it holds more than {LARGEST} bytes")));
        }
        if matches!(ready, Ok(0) | Err(Errno::INTR)) {
            continue;
        }
        bytes.reserve(64 << 10);
        match rustix::io::read(&file, spare_capacity(&mut bytes)) {
            Ok(0) => return Ok(bytes),
            Ok(_) | Err(Errno::INTR | Errno::AGAIN) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Carries out the lines of a text; the verdict is the worst of theirs.
fn run_text(engine: &mut Engine, name: &str, text: &str, out: &mut dyn Output) -> LineOutcome {
    let mut assembler = Assembler::new();
    let mut worst = LineOutcome::Done;
    let mut lines = text.lines();
    loop {
        let whole = match lines.next() {
            Some(line) => match assembler.push(line, engine.language()) {
                Some(whole) => whole,
                None => continue,
            },
            None => match assembler.finish() {
                Some(whole) => whole,
                None => break,
            },
        };
        let source = InputLine { text: &whole.1, script: Some(name), number: whole.0 };
        match engine.run_line(&source, out) {
            LineOutcome::Done => {}
            LineOutcome::Failed if engine.settings.exit_on_error => return LineOutcome::Failed,
            LineOutcome::Failed => worst = LineOutcome::Failed,
            // As in a script: what is left is looked at, for a command in it cannot be sent.
            LineOutcome::Leave if engine.is_quitting() && !engine.mode.interactive => {}
            verdict @ (LineOutcome::Leave | LineOutcome::Disconnected) => return verdict,
        }
        if out.has_failed() {
            return LineOutcome::Failed;
        }
        if out.interrupted() {
            let number = whole.0;
            out.failed("stopped by Ctrl-C", &InputLine { text: "", script: Some(name), number }, None);
            return LineOutcome::Failed;
        }
    }
    if engine.in_transaction() && engine.abandon_transaction() {
        let number = text.lines().count();
        out.failed("the file ends inside a transaction", &InputLine { text: "", script: Some(name), number }, None);
        worst = LineOutcome::Failed;
    }
    worst
}

pub(crate) fn log(
    engine: &mut Engine,
    line: &DotLine,
    _source: &InputLine<'_>,
    out: &mut dyn Output,
) -> Result<LineOutcome, Diagnostic> {
    let word = needs(line, 0, "a file, or `off`,")?;
    at_most(line, 1)?;
    let log = if word.is_bare("off") {
        None
    } else {
        let path = expand_home(&word.text);
        let opened = MessageLog::open(&path);
        Some(
            opened
                .map_err(|error| Diagnostic::new(word.span, format!("cannot write `{}`: {error}", path.display())))?,
        )
    };
    engine.end_log(out);
    *engine.log.lock().unwrap_or_else(PoisonError::into_inner) = log;
    Ok(LineOutcome::Done)
}

pub(crate) fn fd(
    engine: &mut Engine,
    line: &DotLine,
    source: &InputLine<'_>,
    out: &mut dyn Output,
) -> Result<LineOutcome, Diagnostic> {
    let path = needs(line, 0, "a file to open")?;
    let from = needs(line, 1, "a command")?.span.start;
    let shift = |fault: Diagnostic| {
        let span = Span::new(fault.span.start + from, fault.span.end + from);
        Diagnostic::new(span, fault.message)
    };
    let Line::Command(command) = parse_line(&source.text[from..]).map_err(shift)? else {
        return Err(Diagnostic::new(Span::new(from, source.text.len()), "expected a QMP command here"));
    };
    let request = engine.prepare(&command, source, out).map_err(shift)?;
    if !engine.mode.dry_run && engine.connection.session().is_some_and(|session| !session.passes_descriptors()) {
        let message = "descriptors travel over Unix sockets only, and this session has none";
        return Err(Diagnostic::new(line.name_span, message));
    }
    let name = expand_home(&path.text);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&name)
        .or_else(|_| OpenOptions::new().read(true).open(&name))
        .map_err(|error| Diagnostic::new(path.span, format!("cannot open `{}`: {error}", name.display())))?;
    let reply = match engine.exchange(&request, Some(file.as_fd()), source, out) {
        Ok(Some(reply)) => reply,
        Ok(None) => return Ok(LineOutcome::Done),
        Err(verdict) => return Ok(verdict),
    };
    out.answer(&ReplyContext { reply: &reply, request: &request, late: false, hint: None }, source);
    Ok(if reply.succeeded() { LineOutcome::Done } else { LineOutcome::Failed })
}

/// `!COMMAND`: a command for the system's shell.
pub(crate) fn run_system(
    engine: &mut Engine,
    command: &str,
    source: &InputLine<'_>,
    out: &mut dyn Output,
) -> LineOutcome {
    if source.script == Some(STDIN) {
        out.failed("`!` is not carried out in scripts read from standard input", source, None);
        return LineOutcome::Failed;
    }
    if engine.mode.dry_run || command.is_empty() {
        return LineOutcome::Done;
    }
    let mut ended = None;
    out.with_terminal_released(&mut || ended = Some(Command::new("/bin/sh").args(["-c", command]).status()));
    let Some(ended) = ended else { return LineOutcome::Failed };
    match ended {
        Ok(status) if status.success() => LineOutcome::Done,
        Ok(status) => {
            out.failed(&format!("the command ended with {status}"), source, None);
            LineOutcome::Failed
        }
        Err(error) => {
            out.failed(&format!("cannot run a shell: {error}"), source, None);
            LineOutcome::Failed
        }
    }
}

/// What messages call a script that comes through standard input.
pub(crate) const STDIN: &str = "<stdin>";

/// The path that a word means: `~/` at its beginning is the user's home.
pub(crate) fn expand_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}
