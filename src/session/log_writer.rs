//! The writer of a log that is not a regular file, but a pipe or a terminal, whose reader may stop reading. The session
//! never waits for it: a thread writes, and lines that do not fit into its queue are left out.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The maximum number of bytes that wait for the reader.
const MAX_QUEUED_BYTES: usize = 64 << 20;

/// The time after which the end of the log does not wait any longer for a reader that reads nothing.
const STALL_TIMEOUT: Duration = Duration::from_secs(1);

/// The time between two looks at whether the log was given up.
const POLL_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// A queue of lines, and the thread that writes them. Dropping it waits for the reader, as long as that reads.
#[derive(Debug)]
pub(super) struct LogWriter {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    queued_bytes: usize,
    /// The number of bytes that the reader has taken.
    written_bytes: u64,
    /// Whether a line was left out, or could not be written.
    has_failed: bool,
    /// Whether no more lines will come.
    is_closed: bool,
    /// Whether the rest is not to be written.
    is_abandoned: bool,
}

impl LogWriter {
    /// Starts the thread. `file` must not block.
    pub(super) fn start(file: File) -> io::Result<LogWriter> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        Builder::new().name("qmp-log".to_owned()).spawn(move || of_thread.write_all_lines(file))?;
        Ok(LogWriter { shared })
    }

    /// Queues a line, unless too much is queued already. A line longer than the queue is taken if it is the only one.
    pub(super) fn push(&self, line: Vec<u8>) {
        let mut state = self.shared.state();
        if state.queued_bytes > 0 && state.queued_bytes + line.len() > MAX_QUEUED_BYTES {
            state.has_failed = true;
            return;
        }
        state.queued_bytes += line.len();
        state.lines.push_back(line);
        self.shared.changed.notify_all();
    }

    /// Waits until all lines are written, or the reader stalls. Returns whether a line is missing.
    pub(super) fn close(&self) -> bool {
        let mut state = self.shared.state();
        state.is_closed = true;
        self.shared.changed.notify_all();
        while state.queued_bytes > 0 {
            let before = state.written_bytes;
            let waited = self.shared.changed.wait_timeout(state, STALL_TIMEOUT);
            let (next, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = next;
            if timeout.timed_out() && state.written_bytes == before {
                state.is_abandoned = true;
                state.has_failed = true;
                break;
            }
        }
        state.has_failed
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all_lines(&self, mut file: File) {
        while let Some(line) = self.next_line() {
            let result = self.write_line(&mut file, &line);
            let mut state = self.state();
            state.has_failed |= result.is_err();
            state.queued_bytes -= line.len();
            if state.is_abandoned {
                return;
            }
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Waits for the next line; `None` after the last.
    fn next_line(&self) -> Option<Vec<u8>> {
        let mut state = self.state();
        loop {
            if let Some(line) = state.lines.pop_front() {
                return Some(line);
            }
            if state.is_closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn write_line(&self, file: &mut File, mut line: &[u8]) -> io::Result<()> {
        while !line.is_empty() {
            match file.write(line) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => {
                    line = &line[len..];
                    self.state().written_bytes += len as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && !self.state().is_abandoned => {
                    let fd = file.as_fd();
                    poll(&mut [PollFd::new(&fd, PollFlags::OUT)], Some(&POLL_INTERVAL)).ok();
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pipe::{PipeFlags, pipe_with};
    use std::io::Read;
    use std::time::Instant;

    fn pipe() -> (File, File) {
        let (reader, writer) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap();
        rustix::fs::fcntl_setfl(&reader, rustix::fs::OFlags::empty()).unwrap();
        (File::from(reader), File::from(writer))
    }

    #[test]
    fn writes_everything_to_a_slow_reader() {
        let (mut reader, writer) = pipe();
        let log = LogWriter::start(writer).unwrap();
        (0..100).for_each(|_| log.push(vec![b'x'; 50_000]));
        let reading = std::thread::spawn(move || {
            let mut text = Vec::new();
            reader.read_to_end(&mut text).unwrap();
            text.len()
        });
        assert!(!log.close());
        drop(log);
        assert_eq!(reading.join().unwrap(), 5_000_000);
    }

    #[test]
    fn leaves_lines_out_if_the_reader_stalls() {
        let (_reader, writer) = pipe();
        let log = LogWriter::start(writer).unwrap();
        let start = Instant::now();
        (0..200).for_each(|_| log.push(vec![b'x'; 1 << 20]));
        assert!(log.shared.state().queued_bytes <= MAX_QUEUED_BYTES);
        assert!(log.close());
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn reports_a_reader_that_is_gone() {
        let (reader, writer) = pipe();
        drop(reader);
        let log = LogWriter::start(writer).unwrap();
        log.push(b"line\n".to_vec());
        assert!(log.close());
    }
}
