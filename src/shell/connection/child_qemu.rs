//! A QEMU of our own: started with a private QMP connection, ended with the shell.
//!
//! The connection is a socket pair that QEMU inherits one end of. There is no socket file that could be left behind or
//! opened by others, no time to wait for it to appear, and the end of QEMU, however it comes, is the end of the stream.

use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::shell::prompt::AsyncOutput;

/// How long QEMU may take to end when it is told to, before it is told more firmly.
const PATIENCE: Duration = Duration::from_secs(5);

/// A longer line of QEMU's is shown in pieces.
const LINE: u64 = 1 << 12;

/// Why QEMU could not be started.
#[derive(Debug, thiserror::Error)]
pub enum WrapError {
    /// The program cannot be run.
    #[error("cannot run `{program}`: {source}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended before its monitor was up.
    #[error("`{program}` ended before its monitor was up ({status})")]
    Ended {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
}

/// A QEMU that this program started.
#[derive(Debug, Clone)]
pub struct QemuProcess {
    program: String,
    child: Arc<Mutex<Child>>,
    /// Its process group, whose first it is.
    group: Pid,
    reaped: Arc<AtomicBool>,
    reader: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl QemuProcess {
    /// Starts `command` with a QMP monitor on a private connection; returns it and our end. With `messages`, its
    /// standard error goes there line by line; else it is ours. Its standard output joins its standard error, and its
    /// standard input is empty: both of ours belong to the shell.
    pub fn start(command: &[String], messages: Option<AsyncOutput>) -> Result<(QemuProcess, OwnedFd), WrapError> {
        let (program, arguments) = command.split_first().map(|(p, a)| (p.clone(), a)).unwrap_or_default();
        let failed = |source: io::Error| WrapError::Start { program: program.clone(), source };
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let theirs = OwnedFd::from(theirs);
        // Inherited by this child only: no other is started before our copy is closed.
        rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty()).map_err(|error| failed(error.into()))?;
        let (mut reader, output) = match &messages {
            Some(_) => io::pipe().map(|(reader, writer)| (Some(reader), OwnedFd::from(writer))).map_err(failed)?,
            None => (None, rustix::stdio::stderr().try_clone_to_owned().map_err(failed)?),
        };
        let mut qemu = Command::new(&program);
        qemu.args(arguments)
            .args(monitor_options(&program, theirs.as_raw_fd()))
            .stdin(Stdio::null())
            .stdout(Stdio::from(output.try_clone().map_err(failed)?))
            .stderr(Stdio::from(output))
            // Ctrl-C at the terminal is for the shell alone.
            .process_group(0);
        let child = qemu.spawn().map_err(failed)?;
        // Our copies of QEMU's ends, which would keep both streams from ever ending.
        drop(qemu);
        drop(theirs);
        let reader = reader.take().zip(messages).map(|(reader, messages)| {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(reader);
                let mut line = Vec::new();
                while reader.by_ref().take(LINE).read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
                    messages.push(String::from_utf8_lossy(&line).trim_end().to_owned());
                    line.clear();
                }
            })
        });
        let wrapped = QemuProcess {
            program,
            group: Pid::from_child(&child),
            reaped: Arc::new(AtomicBool::new(false)),
            child: Arc::new(Mutex::new(child)),
            reader: Arc::new(Mutex::new(reader)),
        };
        Ok((wrapped, OwnedFd::from(ours)))
    }

    /// The program that was started.
    pub fn program(&self) -> &str {
        &self.program
    }

    fn wait_until(&self, until: Instant) -> Option<ExitStatus> {
        loop {
            if let Some(status) = self.status() {
                self.wait_for_stderr(until);
                return Some(status);
            }
            if Instant::now() >= until {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How the process that we started ended, if it has.
    fn status(&self) -> Option<ExitStatus> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let status = child.try_wait().ok().flatten();
        // Where that was a script, it may have left others behind. They keep the number from being given to anyone
        // else; later it may be.
        if status.is_some() && !self.reaped.swap(true, Ordering::SeqCst) {
            let _ = kill_process_group(self.group, Signal::TERM);
        }
        status
    }

    /// Lets the last of what QEMU said be read, if that comes to an end: somebody else may hold the stream.
    fn wait_for_stderr(&self, until: Instant) {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        while reader.as_ref().is_some_and(|reader| !reader.is_finished()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        *reader = None;
    }

    /// The error to report if QEMU ends now, which is when its monitor closed before the session began.
    pub fn ended_early(&self) -> Option<WrapError> {
        let status = self.wait_until(Instant::now() + Duration::from_secs(1))?;
        Some(WrapError::Ended { program: self.program.clone(), status })
    }

    /// What became of QEMU after its monitor closed, as a sentence.
    pub fn describe_exit(&self) -> String {
        // The monitor closes a moment before the process ends.
        match self.wait_until(Instant::now() + Duration::from_millis(500)) {
            Some(status) => format!("QEMU has ended ({status})."),
            None => "QEMU still runs, without its monitor; leaving the shell ends it.".to_owned(),
        }
    }

    /// Waits for QEMU, which was told to quit; then tells it by signal, gently and then not. `progress` hears what a
    /// long wait is for.
    pub fn finish(&self, progress: &mut dyn FnMut(&str)) {
        if self.wait_until(Instant::now() + Duration::from_secs(1)).is_some() {
            return;
        }
        progress("Waiting for QEMU to end.");
        if self.wait_until(Instant::now() + PATIENCE).is_none() {
            self.end();
        }
    }

    /// Ends QEMU by signals, gently and then not. For when it cannot be spoken to.
    pub fn end(&self) {
        self.signal(Signal::TERM);
        if self.wait_until(Instant::now() + PATIENCE).is_none() {
            self.signal(Signal::KILL);
            self.wait_until(Instant::now() + PATIENCE);
        }
    }

    /// To the whole group: what we started may be a script around QEMU.
    fn signal(&self, signal: Signal) {
        if self.status().is_none() {
            let _ = kill_process_group(self.group, signal);
        }
    }
}

/// The options that put a QMP monitor on an inherited descriptor.
fn monitor_options(program: &str, fd: i32) -> [String; 4] {
    let name = program.rsplit('/').next().unwrap_or_default();
    let chardev = format!("socket,id=qmp-shell,fd={fd}");
    if name.contains("storage-daemon") {
        return ["--chardev".into(), chardev, "--monitor".into(), "chardev=qmp-shell,mode=control".into()];
    }
    ["-chardev".into(), chardev, "-mon".into(), "chardev=qmp-shell,mode=control".into()]
}
