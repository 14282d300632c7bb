//! A process whose streams lead to a server, and its end.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::wire::escape_unprintable;

/// The time that the process may take to exit after its stream has ended.
const EXIT_GRACE: Duration = Duration::from_millis(500);

/// The time that a supervisor may take to end its process.
const SUPERVISOR_EXIT_GRACE: Duration = Duration::from_secs(2);

/// The number of bytes at which a long line of a process's messages is split.
const MAX_LINE_BYTES: u64 = 1 << 10;

/// The number of lines that are kept of a process's messages.
const MAX_LINES: usize = 20;

/// A running process whose streams lead to a server. Dropping it ends the process and waits until it has exited.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    child: Child,
    /// Its end is seen by the supervisor, even if this process is killed.
    lifeline: Option<PipeWriter>,
    /// Removed after the process has ended, in case the supervisor did not.
    directory: Option<PathBuf>,
    exit_grace: Duration,
}

impl From<Child> for ServerProcess {
    fn from(child: Child) -> Self {
        ServerProcess { child, lifeline: None, directory: None, exit_grace: EXIT_GRACE }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.lifeline = None;
        let deadline = Instant::now() + self.exit_grace;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        if let Some(directory) = &self.directory {
            // Usually it is gone.
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

/// Runs `"$@"` after the first argument until the lifeline ends, however that comes about. Then ends it, removes the
/// directory that the first argument names if it is not empty, and exits with the status of the program. Descriptor 0 is
/// the stream, 1 the lifeline, 2 takes the program's messages. Ctrl-C signals the whole foreground process group; a
/// background process of `sh` ignores it. SIGTERM lets `ssh` restore a terminal that it reads a password from.
const SUPERVISOR: &str = r#"
trap '' INT
trap : HUP TERM
directory=$1
shift
exec 3<&0 4<&1 </dev/null >/dev/null
if [ -n "$directory" ]; then
    signal=KILL
    "$@" >&2 3<&- 4<&- &
else
    signal=TERM
    "$@" <&3 >&3 3<&- 4<&- &
fi
program=$!
exec 3<&- 2>/dev/null
read -r end <&4
kill -s "$signal" "$program"
wait "$program"
status=$?
[ -z "$directory" ] || rm -rf -- "$directory"
exit "$status"
"#;

/// A process that a supervisor ends with this one.
pub(super) struct Supervised {
    pub(super) process: ServerProcess,
    pub(super) messages: ProcessMessages,
}

/// The place of the stream of a supervised process.
pub(super) enum Stream<'a> {
    /// Its standard input and output. Its standard error is read for messages.
    Standard(OwnedFd),
    /// A socket that it creates in this directory, which is removed after it has ended. Its standard output and error are
    /// read for messages.
    In(&'a Path),
}

/// Starts a process under a supervisor, which ends it when this process ends, even by SIGKILL.
pub(super) fn start_supervised(stream: Stream<'_>, prepare: impl FnOnce(&mut Command)) -> io::Result<Supervised> {
    let (lifeline_end, lifeline) = io::pipe()?;
    let (messages, messages_end) = io::pipe()?;
    let mut supervisor = Command::new("/bin/sh");
    supervisor.args(["-c", SUPERVISOR, "sh"]);
    let directory = match &stream {
        Stream::Standard(_) => None,
        Stream::In(directory) => Some(directory.to_path_buf()),
    };
    match stream {
        Stream::Standard(socket) => supervisor.arg("").stdin(Stdio::from(socket)),
        Stream::In(directory) => supervisor.arg(directory).stdin(Stdio::null()),
    };
    supervisor.stdout(OwnedFd::from(lifeline_end)).stderr(OwnedFd::from(messages_end));
    prepare(&mut supervisor);
    let child = supervisor.spawn()?;
    let process = ServerProcess { child, lifeline: Some(lifeline), directory, exit_grace: SUPERVISOR_EXIT_GRACE };
    Ok(Supervised { process, messages: ProcessMessages::start(messages)? })
}

/// The last lines that a process has written for a user, made printable. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct ProcessMessages {
    lines: Arc<Mutex<Lines>>,
    reader: Arc<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Lines {
    /// The latest lines that have not been taken.
    untaken: VecDeque<String>,
    last: Option<String>,
}

impl ProcessMessages {
    /// Starts a thread that reads until the end, so that the process never waits.
    fn start(pipe: PipeReader) -> io::Result<ProcessMessages> {
        let lines = Arc::new(Mutex::new(Lines::default()));
        let shared = Arc::clone(&lines);
        let read = move || {
            let mut reader = BufReader::new(pipe);
            let mut line = Vec::new();
            while reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
                let text = escape_unprintable(String::from_utf8_lossy(&line).trim());
                line.clear();
                if text.is_empty() {
                    continue;
                }
                let mut lines = shared.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.untaken.len() == MAX_LINES {
                    lines.untaken.pop_front();
                }
                lines.untaken.push_back(text.clone());
                lines.last = Some(text);
            }
        };
        let reader = std::thread::Builder::new().name("messages".to_owned()).spawn(read)?;
        Ok(ProcessMessages { lines, reader: Arc::new(reader) })
    }

    /// Returns whether the process has closed its standard error, as at its exit.
    pub(super) fn have_ended(&self) -> bool {
        self.reader.is_finished()
    }

    /// Returns the lines that have not been returned yet.
    pub(super) fn take(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).untaken.drain(..).collect()
    }

    /// Waits a moment for the process to exit, and returns its last line.
    pub(super) fn last(&self) -> Option<String> {
        let deadline = Instant::now() + EXIT_GRACE;
        while !self.have_ended() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).last.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_supervised_process_ends_with_its_owner_and_leaves_no_directory() {
        let folder = tempfile::tempdir().unwrap();
        let private = folder.path().join("private");
        std::fs::create_dir(&private).unwrap();
        let script = "trap '' TERM; echo $$; echo 'bell\u{7}' >&2; while :; do sleep 0.05; done";
        let Supervised { process, messages } =
            start_supervised(Stream::In(&private), |command| _ = command.args(["sh", "-c", script])).unwrap();
        let mut lines = Vec::new();
        while lines.len() < 2 {
            lines.extend(messages.take());
        }
        assert_eq!(lines[1], "bell\\u{7}");
        let proc = format!("/proc/{}", lines[0]);
        assert!(Path::new(&proc).exists() && private.exists());
        drop(process);
        assert!(!Path::new(&proc).exists() && !private.exists());
        assert_eq!(messages.last().as_deref(), Some("bell\\u{7}"));
        assert!(messages.have_ended());
    }

    #[test]
    fn the_socket_is_the_standard_input_and_output() {
        let (mut socket, other) = UnixStream::pair().unwrap();
        let Supervised { process: _process, messages } = start_supervised(Stream::Standard(other.into()), |command| {
            _ = command.args(["sh", "-c", "cat; echo bye >&2"])
        })
        .unwrap();
        socket.write_all(b"ping").unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), messages.last().as_deref()), ("ping", Some("bye")));
    }
}
