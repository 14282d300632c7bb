//! The transcript: every message, both ways, one JSON object a line, in a file and for a witness.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{SecondsFormat, Utc};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;

use crate::wire::{single_line, to_valid_json};

/// A transcript that several sessions and threads write to, or none.
pub type SharedLog = Arc<Mutex<Option<MessageLog>>>;

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the server.
    Sent,
    /// From the server.
    Received,
}

/// Is told of each message as it goes, on one line, secrets replaced.
pub type Observer = Box<dyn FnMut(Direction, &str) + Send>;

/// An open log file, a witness, or both. The file is appended to; created with mode 0600.
#[derive(Default)]
pub struct MessageLog {
    file: Option<File>,
    witness: Option<Observer>,
    failed: bool,
}

impl fmt::Debug for MessageLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageLog").field("file", &self.file).finish_non_exhaustive()
    }
}

impl MessageLog {
    /// Opens `path` for appending. A pipe that nobody reads is an error: to wait for a reader might be to wait for ever.
    pub fn open(path: &Path) -> io::Result<MessageLog> {
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(path);
        let file = opened.map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::NXIO) => io::Error::other("it is a pipe that nobody reads"),
            _ => error,
        })?;
        fcntl_setfl(&file, OFlags::APPEND)?;
        Ok(MessageLog { file: Some(file), ..MessageLog::default() })
    }

    /// From now on `witness` is told of each message.
    pub fn tell(&mut self, witness: Observer) {
        self.witness = Some(witness);
    }

    /// One message.
    fn record(&mut self, direction: Direction, message: &str) {
        let message = to_valid_json(message);
        let message = single_line(&message);
        if let Some(witness) = &mut self.witness {
            witness(direction, &message);
        }
        let Some(file) = &mut self.file else { return };
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let direction = match direction {
            Direction::Sent => "sent",
            Direction::Received => "received",
        };
        // Each is one write, so that two shells on one log do not tear lines.
        let line = format!("{{\"time\": \"{time}\", \"{direction}\": {message}}}\n");
        // A full disk must not end a session; it is said once, by whoever asks.
        self.failed |= file.write_all(line.as_bytes()).is_err();
    }

    /// Whether a line could not be written.
    pub fn has_failed(&self) -> bool {
        self.failed
    }
}

/// Records into `log` if it is open.
pub(super) fn record(log: &SharedLog, direction: Direction, message: &str) {
    if let Some(log) = &mut *log.lock().unwrap_or_else(PoisonError::into_inner) {
        log.record(direction, message);
    }
}
