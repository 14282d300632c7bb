//! The QEMU that the shell starts with a private QMP connection, and ends when the user leaves.
//!
//! The connection is a socket pair of which QEMU inherits one end. There is therefore no socket file that could remain or
//! be opened by others, there is nothing to wait for, and the stream always ends when QEMU ends.

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

use crate::platform::end_with_this_process;

use super::super::terminal::async_output::AsyncOutput;

/// The time that QEMU may take to exit after `quit`, and then after SIGTERM.
const QEMU_EXIT_GRACE: Duration = Duration::from_secs(5);

/// The number of bytes at which a long line of QEMU's standard error is split.
const MAX_STDERR_LINE_BYTES: u64 = 1 << 12;

/// The error of starting QEMU.
#[derive(Debug, thiserror::Error)]
pub enum QemuStartError {
    #[error("cannot run `{program}`: {source}")]
    Start { program: String, source: io::Error },
    #[error("`{program}` exited before its monitor was available ({status})")]
    Exited { program: String, status: ExitStatus },
}

/// A QEMU that this program started.
#[derive(Debug, Clone)]
pub struct QemuProcess {
    program: String,
    child: Arc<Mutex<Child>>,
    /// The process group that it leads.
    group: Pid,
    /// Whether the rest of the process group was signalled after the leader exited.
    is_group_signalled: Arc<AtomicBool>,
    /// The thread that reads its standard error.
    stderr_reader: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl QemuProcess {
    /// Starts `command` with a QMP monitor on a private connection. Returns the process and this end of the connection.
    /// The process writes its standard error to `output` line by line, or without `output` to the shell's standard
    /// error. Its standard output goes there too, and its standard input is empty, because those of the shell belong to
    /// the shell.
    pub fn start(command: &[String], output: Option<AsyncOutput>) -> Result<(QemuProcess, OwnedFd), QemuStartError> {
        let (program, arguments) =
            command.split_first().map(|(program, arguments)| (program.clone(), arguments)).unwrap_or_default();
        let failed = |source: io::Error| QemuStartError::Start { program: program.clone(), source };
        let (socket, child_socket) = UnixStream::pair().map_err(failed)?;
        let child_socket = OwnedFd::from(child_socket);
        // Only this child inherits it: no other is started before the copy here is closed.
        rustix::io::fcntl_setfd(&child_socket, rustix::io::FdFlags::empty()).map_err(|error| failed(error.into()))?;
        let (mut stderr, child_stderr) = match &output {
            Some(_) => io::pipe().map(|(reader, writer)| (Some(reader), OwnedFd::from(writer))).map_err(failed)?,
            None => (None, rustix::stdio::stderr().try_clone_to_owned().map_err(failed)?),
        };
        let mut qemu = Command::new(&program);
        qemu.args(arguments)
            .args(monitor_options(&program, child_socket.as_raw_fd()))
            .stdin(Stdio::null())
            .stdout(Stdio::from(child_stderr.try_clone().map_err(failed)?))
            .stderr(Stdio::from(child_stderr))
            // Ctrl-C at the terminal is for the shell only.
            .process_group(0);
        end_with_this_process(&mut qemu);
        let child = qemu.spawn().map_err(failed)?;
        // The copies of QEMU's ends here would keep both streams open.
        drop(qemu);
        drop(child_socket);
        let stderr_reader = stderr.take().zip(output).map(|(stderr, output)| {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stderr);
                let mut line = Vec::new();
                while reader.by_ref().take(MAX_STDERR_LINE_BYTES).read_until(b'\n', &mut line).is_ok_and(|len| len > 0)
                {
                    output.push(String::from_utf8_lossy(&line).trim_end().to_owned());
                    line.clear();
                }
            })
        });
        let process = QemuProcess {
            program,
            group: Pid::from_child(&child),
            is_group_signalled: Arc::new(AtomicBool::new(false)),
            child: Arc::new(Mutex::new(child)),
            stderr_reader: Arc::new(Mutex::new(stderr_reader)),
        };
        Ok((process, OwnedFd::from(socket)))
    }

    pub fn program(&self) -> &str {
        &self.program
    }

    /// Waits until `deadline` for the process to exit.
    fn wait_until(&self, deadline: Instant) -> Option<ExitStatus> {
        loop {
            if let Some(status) = self.status() {
                self.wait_for_stderr(deadline);
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns the exit status, if the process has exited.
    fn status(&self) -> Option<ExitStatus> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let status = child.try_wait().ok().flatten();
        // A script around QEMU may have left processes in its group. The group is signalled only once, because its
        // number
        // may be reused after they are gone.
        if status.is_some() && !self.is_group_signalled.swap(true, Ordering::SeqCst) {
            let _ = kill_process_group(self.group, Signal::TERM);
        }
        status
    }

    /// Waits until its standard error has been read to the end, or until `deadline`, because another process may hold
    /// it open.
    fn wait_for_stderr(&self, deadline: Instant) {
        let mut reader = self.stderr_reader.lock().unwrap_or_else(PoisonError::into_inner);
        while reader.as_ref().is_some_and(|reader| !reader.is_finished()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        *reader = None;
    }

    /// Returns the error to report if the process exits now. For a monitor that closed before the session was open.
    pub fn early_exit(&self) -> Option<QemuStartError> {
        let status = self.wait_until(Instant::now() + Duration::from_secs(1))?;
        Some(QemuStartError::Exited { program: self.program.clone(), status })
    }

    /// Returns a sentence about the state of the process after its monitor closed.
    pub fn describe_exit(&self) -> String {
        // The monitor closes shortly before the process exits.
        match self.wait_until(Instant::now() + Duration::from_millis(500)) {
            Some(status) => format!("QEMU has exited ({status})."),
            None => "QEMU still runs without its monitor; leaving the shell ends it.".to_owned(),
        }
    }

    /// Waits for the process to exit after `quit`, and if it does not, ends it with signals. Calls `progress` with the
    /// reason for a long wait.
    pub fn finish(&self, progress: &mut dyn FnMut(&str)) {
        if self.wait_until(Instant::now() + Duration::from_secs(1)).is_some() {
            return;
        }
        progress("Waiting for QEMU to exit.");
        if self.wait_until(Instant::now() + QEMU_EXIT_GRACE).is_none() {
            self.kill();
        }
    }

    /// Ends the process with SIGTERM, and if it survives that, with SIGKILL.
    pub fn kill(&self) {
        self.signal(Signal::TERM);
        if self.wait_until(Instant::now() + QEMU_EXIT_GRACE).is_none() {
            self.signal(Signal::KILL);
            self.wait_until(Instant::now() + QEMU_EXIT_GRACE);
        }
    }

    /// Signals the whole process group, because the program may be a script around QEMU.
    fn signal(&self, signal: Signal) {
        if self.status().is_none() {
            let _ = kill_process_group(self.group, signal);
        }
    }
}

/// Returns the options that attach a QMP monitor to an inherited file descriptor.
fn monitor_options(program: &str, fd: i32) -> [String; 4] {
    let name = program.rsplit('/').next().unwrap_or_default();
    let chardev = format!("socket,id=qmp-shell,fd={fd}");
    if name.contains("storage-daemon") {
        return ["--chardev".into(), chardev, "--monitor".into(), "chardev=qmp-shell,mode=control".into()];
    }
    ["-chardev".into(), chardev, "-mon".into(), "chardev=qmp-shell,mode=control".into()]
}
