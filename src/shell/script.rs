//! Scripts: lines from standard input, files or the command line, fed to the engine until they end.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::grammar::Assembler;

use super::commands::STDIN;
use super::engine::{Engine, LineOutcome};
use super::output::script::ScriptOutput;
use super::output::{InputLine, Output};

/// No line is longer; a QEMU reads half of that at the most. What is read may be a device that never ends.
const LONGEST: usize = 128 << 20;

/// Where a script comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Script {
    /// Lines given on the command line.
    ScriptOutput(Vec<String>),
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

/// How a script ended.
#[derive(Debug)]
pub enum Ending {
    /// Every line succeeded.
    Succeeded,
    /// A line failed.
    Failed,
    /// The connection was lost before the script's end.
    Disconnected,
    /// Nobody reads standard output any more.
    OutputClosed,
    /// A script named by the user cannot be read.
    NoScript(PathBuf, io::Error),
    /// Standard output cannot be written, or standard input not read.
    Io(io::Error),
}

impl Ending {
    /// Standard output could not be written.
    pub fn not_written(error: io::Error) -> Ending {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Ending::OutputClosed,
            kind => Ending::Io(io::Error::new(kind, format!("cannot write to standard output: {error}"))),
        }
    }
}

/// Runs scripts one after the other.
pub fn run_scripts(engine: &mut Engine, scripts: &[Script], out: &mut ScriptOutput) -> Ending {
    out.apply(&engine.settings, engine.language());
    let mut runner = Runner { engine, out, commands: Assembler::new(), failed: false };
    let ending = scripts.iter().find_map(|script| runner.run(script).err());
    let Runner { engine, out, failed, .. } = runner;
    let lost = matches!(ending, Some(Ending::Disconnected));
    if !lost && !engine.is_quitting() {
        // What has arrived by now belongs to the output. If the server has left meanwhile, nobody minds.
        engine.drain_until_quiet(out);
        engine.finish_pending_queries();
    }
    out.flush();
    match (out.take_error(), ending) {
        (Some(error), _) => Ending::not_written(error),
        (None, Some(ending)) => ending,
        (None, None) if failed => Ending::Failed,
        (None, None) => Ending::Succeeded,
    }
}

/// Whether `input` is at its end, or will be in the blink in which whoever wrote the last line closes it.
fn ends_soon(input: BorrowedFd<'_>) -> bool {
    const BLINK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    let mut polled = [PollFd::new(&input, PollFlags::IN)];
    rustix::event::poll(&mut polled, Some(&BLINK)).is_ok_and(|ready| ready > 0)
        && rustix::io::read(input, &mut [0u8; 1]) == Ok(0)
}

struct Runner<'a> {
    engine: &'a mut Engine,
    out: &'a mut ScriptOutput,
    /// Of the lines given on the command line, which are counted from first to last.
    commands: Assembler,
    failed: bool,
}

impl Runner<'_> {
    /// `Err` where no further script is to be run.
    fn run(&mut self, script: &Script) -> Result<(), Ending> {
        let mut assembler = Assembler::new();
        match script {
            Script::ScriptOutput(lines) => {
                let lines = lines.iter().flat_map(|line| line.split('\n'));
                let mut commands = std::mem::take(&mut self.commands);
                self.run_text("-c", &mut commands, lines)?;
                self.commands = commands;
            }
            Script::File(path) => {
                let no_script = |error| Ending::NoScript(path.clone(), error);
                let file = File::open(path).map_err(no_script)?;
                self.run_stream(&path.display().to_string(), &mut assembler, file.as_fd(), &no_script)?;
            }
            Script::Stdin => self.run_stream(STDIN, &mut assembler, rustix::stdio::stdin(), &|error| {
                let message = format!("cannot read standard input: {error}");
                Ending::Io(io::Error::new(error.kind(), message))
            })?,
        }
        Ok(())
    }

    fn run_text<'t>(
        &mut self,
        name: &str,
        assembler: &mut Assembler,
        lines: impl Iterator<Item = &'t str>,
    ) -> Result<(), Ending> {
        for line in lines {
            self.push(name, assembler, line)?;
        }
        self.finish(name, assembler)
    }

    /// The lines of `input`, each as soon as it is whole.
    fn run_stream(
        &mut self,
        name: &str,
        assembler: &mut Assembler,
        input: BorrowedFd<'_>,
        not_read: &dyn Fn(io::Error) -> Ending,
    ) -> Result<(), Ending> {
        let mut buffer: Vec<u8> = Vec::new();
        // So much of it was looked through for a line's end.
        let mut seen = 0;
        loop {
            let mut start = 0;
            while let Some(at) = memchr::memchr(b'\n', &buffer[seen..]) {
                let end = seen + at;
                let line = String::from_utf8_lossy(&buffer[start..end]).into_owned();
                (start, seen) = (end + 1, end + 1);
                self.push(name, assembler, &line)?;
            }
            buffer.drain(..start);
            seen = buffer.len();
            if seen > LONGEST {
                return Err(not_read(io::Error::other(format!("a line is longer than {LONGEST} bytes"))));
            }
            // Whoever writes the lines may not end them, though none of them can be sent any more.
            if self.engine.is_quitting() && name == STDIN {
                break;
            }
            self.out.flush();
            self.check_output()?;
            match self.engine.wait_for_input(input, self.out) {
                Ok(false) => continue,
                Ok(true) => {}
                Err(_) if buffer.is_empty() && ends_soon(input) => break,
                Err(_) => return Err(Ending::Disconnected),
            }
            buffer.reserve(64 * 1024);
            match rustix::io::read(input, rustix::buffer::spare_capacity(&mut buffer)) {
                Ok(0) => break,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(not_read(errno.into())),
            }
        }
        if !buffer.is_empty() {
            let line = String::from_utf8_lossy(&buffer).into_owned();
            self.push(name, assembler, &line)?;
        }
        self.finish(name, assembler)
    }

    fn push(&mut self, name: &str, assembler: &mut Assembler, line: &str) -> Result<(), Ending> {
        match assembler.push(line, self.engine.language()) {
            Some((number, text)) => self.line(name, number, &text),
            None => Ok(()),
        }
    }

    /// The script's end: an unfinished line is carried out as it is, an unfinished block is a failure.
    fn finish(&mut self, name: &str, assembler: &mut Assembler) -> Result<(), Ending> {
        if let Some((number, text)) = assembler.finish() {
            self.line(name, number, &text)?;
        }
        self.end_block(name, assembler.count());
        Ok(())
    }

    /// A block that is open where a script is left will not be sent.
    fn end_block(&mut self, name: &str, number: usize) {
        if self.engine.abandon_transaction() {
            let source = InputLine { text: "", script: Some(name), number };
            let message = "the script ends inside a transaction, which was not sent";
            self.out.failed(message, &source, Some("NotSent"));
            self.failed = true;
        }
    }

    /// `Err` where what is written is not read, or cannot be written.
    fn check_output(&mut self) -> Result<(), Ending> {
        self.out.take_error().map_or(Ok(()), |error| Err(Ending::not_written(error)))
    }

    fn line(&mut self, name: &str, number: usize, text: &str) -> Result<(), Ending> {
        let source = InputLine { text, script: Some(name), number };
        let verdict = self.engine.run_line(&source, self.out);
        self.failed |= self.engine.take_failed();
        self.out.apply(&self.engine.settings, self.engine.language());
        self.check_output()?;
        match verdict {
            LineOutcome::Done => Ok(()),
            LineOutcome::Failed if self.engine.settings.exit_on_error => Err(Ending::Failed),
            LineOutcome::Failed => Ok(()),
            LineOutcome::Disconnected => Err(Ending::Disconnected),
            // QEMU was told to end: what is left of the script is looked at, for a command in it cannot be sent.
            LineOutcome::Leave if self.engine.is_quitting() => Ok(()),
            LineOutcome::Leave => {
                self.end_block(name, number);
                Err(if self.failed { Ending::Failed } else { Ending::Succeeded })
            }
        }
    }
}
