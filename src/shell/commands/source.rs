//! `.source`: runs the lines of a file.

use std::fs::OpenOptions;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::assist::Completes;
use crate::grammar::{Assembler, Diagnostic};
use crate::session::is_message_log;

use super::super::engine::Engine;
use super::super::line::{InputLine, LineOutcome};
use super::super::output::Output;
use super::{Arguments, DotCommand, Invocation, expand_home, run_line, run_log};

/// The maximum depth to which files may source each other.
const MAX_DEPTH: usize = 16;

/// The maximum size of a file that is sourced.
const MAX_FILE_BYTES: usize = 1 << 30;

/// The time between two checks for Ctrl-C, which another thread handles.
const INTERRUPT_POLL_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

const STOPPED: &str = "stopped by Ctrl-C";

pub(super) const COMMAND: DotCommand = DotCommand {
    name: "source",
    aliases: &[],
    usage: "FILE",
    summary: "run the lines of FILE",
    help: "Runs the lines of FILE as if they were typed. Messages name the file and the line. Files may source other\n\
           files, at most 16 levels deep. If FILE is a message log, its requests are sent again, in order, after a\n\
           question at a prompt: those of the user, not those that the shell sent for itself. A request with a\n\
           replaced secret is not sent.",
    arguments: Arguments::Words { min: 1, max: 1 },
    has_reply_slot: false,
    completes: Completes::Files,
    run,
};

fn run(invocation: &mut Invocation<'_>) -> Result<LineOutcome, Diagnostic> {
    let Invocation { engine, dot, out, .. } = invocation;
    let word = &dot.words[0];
    if engine.source_depth >= MAX_DEPTH {
        let message = format!("files source each other more than {MAX_DEPTH} levels deep");
        return Err(Diagnostic::new(word.span, message));
    }
    let name = word.text.as_str();
    let bytes = read_file(&expand_home(name), &mut **out)
        .map_err(|error| Diagnostic::new(word.span, format!("cannot read `{name}`: {error}")))?;
    if is_message_log(&bytes) {
        return run_log(engine, name, bytes, &mut **out).map_err(|message| Diagnostic::new(word.span, message));
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    engine.source_depth += 1;
    let outcome = run_text(engine, name, &text, &mut **out);
    engine.source_depth -= 1;
    Ok(outcome)
}

/// Reads a file. It may be a pipe without a writer, or a device that never ends, so Ctrl-C ends the reading.
pub(super) fn read_file(path: &Path, out: &mut dyn Output) -> io::Result<Vec<u8>> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut bytes = Vec::new();
    loop {
        let ready = poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&INTERRUPT_POLL_INTERVAL));
        if out.take_interrupt() {
            return Err(io::Error::other(STOPPED));
        }
        if bytes.len() > MAX_FILE_BYTES {
            return Err(io::Error::other(format!("larger than {MAX_FILE_BYTES} bytes")));
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

/// Runs the lines of `text`. Returns the worst of their outcomes.
pub(super) fn run_text(engine: &mut Engine, name: &str, text: &str, out: &mut dyn Output) -> LineOutcome {
    let mut assembler = Assembler::new();
    let mut worst = LineOutcome::Done;
    // After the last row comes what it leaves unfinished.
    for row in text.lines().map(Some).chain([None]) {
        let lines = match row {
            Some(row) => assembler.push(row, engine.language()),
            None => assembler.finish().into_iter().collect(),
        };
        for (number, text) in lines {
            match run_sourced_line(engine, &InputLine { text: &text, script: Some(name), number }, out) {
                ControlFlow::Continue(LineOutcome::Failed) => worst = LineOutcome::Failed,
                ControlFlow::Continue(_) => {}
                ControlFlow::Break(outcome) => return outcome,
            }
        }
    }
    if let Some(notice) = assembler.take_notice() {
        out.show_notice(&notice);
    }
    if engine.abandon_transaction() {
        let location = InputLine { text: "", script: Some(name), number: text.lines().count() };
        out.report_failure("the file ends inside a transaction", &location, None);
        worst = LineOutcome::Failed;
    }
    worst
}

/// Runs one line of a file. `Break` means that no further line should run.
fn run_sourced_line(
    engine: &mut Engine,
    line: &InputLine<'_>,
    out: &mut dyn Output,
) -> ControlFlow<LineOutcome, LineOutcome> {
    let outcome = run_line(engine, line, out);
    judge_outcome(engine, outcome, line, out)
}

/// Judges whether a line of a file is followed by the next. `Break` means that it is not.
pub(super) fn judge_outcome(
    engine: &Engine,
    outcome: LineOutcome,
    line: &InputLine<'_>,
    out: &mut dyn Output,
) -> ControlFlow<LineOutcome, LineOutcome> {
    match outcome {
        LineOutcome::Done => {}
        LineOutcome::Failed if engine.settings.exit_on_error => return ControlFlow::Break(outcome),
        LineOutcome::Failed => {}
        // As in a script, later lines are still checked: a command among them cannot be sent.
        LineOutcome::Leave if engine.is_quitting() && !engine.options.interactive => {}
        LineOutcome::Leave | LineOutcome::Disconnected => return ControlFlow::Break(outcome),
    }
    if out.has_failed() {
        return ControlFlow::Break(LineOutcome::Failed);
    }
    if out.take_interrupt() {
        out.report_failure(STOPPED, &InputLine { text: "", ..*line }, None);
        return ControlFlow::Break(LineOutcome::Failed);
    }
    ControlFlow::Continue(outcome)
}
