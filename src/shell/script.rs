//! Scripts: lines from standard input, files or the command line, run until they end.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::grammar::Assembler;
use crate::session::{LOG_PREFIX_BYTES, is_message_log};

use super::commands::{run_line, run_log};
use super::engine::Engine;
use super::line::{InputLine, LineOutcome, STDIN_NAME};
use super::output::Output;
use super::output::script::ScriptOutput;

/// The maximum length of a line. QEMU reads at most half of that; input may be a device that never ends.
const MAX_LINE_BYTES: usize = 128 << 20;

/// The time after the end of the connection within which standard input counts as having ended first.
const STDIN_END_GRACE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// The number of bytes that are read of a message log; a log that has as many is too large.
const MAX_LOG_BYTES: u64 = (1 << 30) + 1;

/// The name of lines from the command line in messages.
const COMMAND_LINE_NAME: &str = "-c";

/// A source of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Script {
    /// Lines from the command line.
    Lines(Vec<String>),
    File(PathBuf),
    Stdin,
}

/// The end of a script.
#[derive(Debug)]
pub enum ScriptEnd {
    Succeeded,
    /// A line failed.
    Failed,
    /// The connection was lost before the end of the script.
    Disconnected,
    /// The reader of standard output is gone.
    OutputClosed,
    /// A script file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// Standard output cannot be written, or standard input cannot be read.
    Io(io::Error),
}

impl ScriptEnd {
    /// Returns the end for an error of writing to standard output.
    pub fn from_write_error(error: io::Error) -> ScriptEnd {
        match error.kind() {
            io::ErrorKind::BrokenPipe => ScriptEnd::OutputClosed,
            kind => ScriptEnd::Io(io::Error::new(kind, format!("cannot write to standard output: {error}"))),
        }
    }
}

/// Runs scripts one after the other.
pub fn run_scripts(engine: &mut Engine, scripts: &[Script], out: &mut ScriptOutput) -> ScriptEnd {
    out.apply(&engine.settings, engine.language());
    let mut runner = Runner { engine, out, commands: Assembler::new(), failed: false };
    let end = scripts.iter().find_map(|script| runner.run(script).err());
    let Runner { engine, out, failed, .. } = runner;
    if !matches!(end, Some(ScriptEnd::Disconnected)) && !engine.is_quitting() {
        // What has arrived by now belongs to the output, whether or not the server is still there.
        engine.drain_until_quiet(out);
        engine.finish_all_queries();
    }
    out.flush();
    match (out.write_error().take(), end) {
        (Some(error), _) => ScriptEnd::from_write_error(error),
        (None, Some(end)) => end,
        (None, None) if engine.has_lost_connection() => ScriptEnd::Disconnected,
        (None, None) if failed => ScriptEnd::Failed,
        (None, None) => ScriptEnd::Succeeded,
    }
}

/// Returns whether `input` is at its end, or will be in a moment: its writer may be about to close it.
fn is_at_end(input: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::new(&input, PollFlags::IN)];
    rustix::event::poll(&mut polled, Some(&STDIN_END_GRACE)).is_ok_and(|ready| ready > 0)
        && rustix::io::read(input, &mut [0u8; 1]) == Ok(0)
}

/// Returns whether a file is a message log. A pipe is not: its beginning could not be read again.
fn begins_as_log(file: &File) -> bool {
    let mut beginning = [0; LOG_PREFIX_BYTES];
    let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
    is_file && file.read_at(&mut beginning, 0).is_ok_and(|len| is_message_log(&beginning[..len]))
}

struct Runner<'a> {
    engine: &'a mut Engine,
    out: &'a mut ScriptOutput,
    /// The assembler of lines from the command line, whose numbers continue across other scripts.
    commands: Assembler,
    failed: bool,
}

impl Runner<'_> {
    /// Runs a script. `Err` means that no further script should run.
    fn run(&mut self, script: &Script) -> Result<(), ScriptEnd> {
        let mut assembler = Assembler::new();
        match script {
            Script::Lines(lines) => {
                let lines = lines.iter().flat_map(|line| line.split('\n'));
                let mut commands = std::mem::take(&mut self.commands);
                self.run_lines(COMMAND_LINE_NAME, &mut commands, lines)?;
                self.commands = commands;
            }
            Script::File(path) => {
                let unreadable = |error| ScriptEnd::Unreadable(path.clone(), error);
                let file = File::open(path).map_err(unreadable)?;
                if begins_as_log(&file) {
                    let mut bytes = Vec::new();
                    file.take(MAX_LOG_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
                    return self.run_log(&path.display().to_string(), bytes);
                }
                self.run_stream(&path.display().to_string(), &mut assembler, file.as_fd(), &unreadable)?;
            }
            Script::Stdin => self.run_stream(STDIN_NAME, &mut assembler, rustix::stdio::stdin(), &|error| {
                let message = format!("cannot read standard input: {error}");
                ScriptEnd::Io(io::Error::new(error.kind(), message))
            })?,
        }
        Ok(())
    }

    fn run_lines<'t>(
        &mut self,
        name: &str,
        assembler: &mut Assembler,
        lines: impl Iterator<Item = &'t str>,
    ) -> Result<(), ScriptEnd> {
        for line in lines {
            self.push(name, assembler, line)?;
        }
        self.finish(name, assembler)
    }

    /// Runs the lines of `input`, each as soon as it is complete.
    fn run_stream(
        &mut self,
        name: &str,
        assembler: &mut Assembler,
        input: BorrowedFd<'_>,
        unreadable: &dyn Fn(io::Error) -> ScriptEnd,
    ) -> Result<(), ScriptEnd> {
        let mut buffer: Vec<u8> = Vec::new();
        // The number of bytes that have been searched for a line end.
        let mut searched = 0;
        loop {
            let mut start = 0;
            while let Some(at) = memchr::memchr(b'\n', &buffer[searched..]) {
                let end = searched + at;
                let line = String::from_utf8_lossy(&buffer[start..end]).into_owned();
                (start, searched) = (end + 1, end + 1);
                self.push(name, assembler, &line)?;
            }
            buffer.drain(..start);
            searched = buffer.len();
            if searched > MAX_LINE_BYTES {
                return Err(unreadable(io::Error::other(format!("a line is longer than {MAX_LINE_BYTES} bytes"))));
            }
            // The writer of standard input may keep it open, although no command can be sent any more.
            if self.engine.is_quitting() && name == STDIN_NAME {
                break;
            }
            match self.engine.wait_for_input(input, self.out) {
                Ok(_) => self.check_output()?,
                Err(_) if buffer.is_empty() && is_at_end(input) => break,
                Err(_) => return Err(ScriptEnd::Disconnected),
            }
            buffer.reserve(64 * 1024);
            match rustix::io::read(input, rustix::buffer::spare_capacity(&mut buffer)) {
                Ok(0) => break,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(unreadable(errno.into())),
            }
        }
        if !buffer.is_empty() {
            let line = String::from_utf8_lossy(&buffer).into_owned();
            self.push(name, assembler, &line)?;
        }
        self.finish(name, assembler)
    }

    fn push(&mut self, name: &str, assembler: &mut Assembler, line: &str) -> Result<(), ScriptEnd> {
        let mut lines = assembler.push(line, self.engine.language()).into_iter();
        lines.try_for_each(|(number, text)| self.run_line(name, number, &text))
    }

    /// Ends a script: an incomplete line is run as it is, an open transaction block is a failure.
    fn finish(&mut self, name: &str, assembler: &mut Assembler) -> Result<(), ScriptEnd> {
        if let Some((number, text)) = assembler.finish() {
            self.run_line(name, number, &text)?;
        }
        if let Some(notice) = assembler.take_notice() {
            self.out.show_notice(&notice);
        }
        self.end_transaction(name, assembler.count());
        Ok(())
    }

    /// Drops a transaction block that is open at the end of a script.
    fn end_transaction(&mut self, name: &str, number: usize) {
        if self.engine.abandon_transaction() {
            let line = InputLine { text: "", script: Some(name), number };
            let message = "the script ends inside a transaction, which was not sent";
            self.out.report_failure(message, &line, Some("NotSent"));
            self.failed = true;
        }
    }

    /// Returns an error if output cannot be written.
    fn check_output(&mut self) -> Result<(), ScriptEnd> {
        self.out.write_error().take().map_or(Ok(()), |error| Err(ScriptEnd::from_write_error(error)))
    }

    fn run_line(&mut self, name: &str, number: usize, text: &str) -> Result<(), ScriptEnd> {
        let line = InputLine { text, script: Some(name), number };
        let outcome = run_line(self.engine, &line, self.out);
        self.end_line(outcome, name, number)
    }

    /// Sends the requests of a message log again.
    fn run_log(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), ScriptEnd> {
        let outcome = run_log(self.engine, name, bytes, self.out).unwrap_or_else(|message| {
            self.out.report_failure(&message, &InputLine { text: "", script: None, number: 0 }, None);
            self.failed = true;
            LineOutcome::Failed
        });
        self.failed |= outcome == LineOutcome::Failed;
        self.end_line(outcome, name, 0)
    }

    fn end_line(&mut self, outcome: LineOutcome, name: &str, number: usize) -> Result<(), ScriptEnd> {
        self.failed |= self.engine.take_failed();
        self.out.apply(&self.engine.settings, self.engine.language());
        self.check_output()?;
        match outcome {
            LineOutcome::Done => Ok(()),
            LineOutcome::Failed if self.engine.settings.exit_on_error => Err(ScriptEnd::Failed),
            LineOutcome::Failed => Ok(()),
            LineOutcome::Disconnected => Err(ScriptEnd::Disconnected),
            // After `quit`, later lines are still checked: a command among them cannot be sent.
            LineOutcome::Leave if self.engine.is_quitting() => Ok(()),
            LineOutcome::Leave => {
                self.end_transaction(name, number);
                Err(if self.failed { ScriptEnd::Failed } else { ScriptEnd::Succeeded })
            }
        }
    }
}
