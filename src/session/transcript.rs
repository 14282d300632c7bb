//! The transcript: every message, both ways, one JSON object a line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{SecondsFormat, Utc};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;

use crate::wire::{compact, to_valid_json};

/// A transcript that several sessions and threads write to, or none.
pub type SharedTranscript = Arc<Mutex<Option<Transcript>>>;

/// An open log file. Appends; created with mode 0600.
#[derive(Debug)]
pub struct Transcript {
    file: File,
    failed: bool,
}

impl Transcript {
    /// Opens `path` for appending. A pipe that nobody reads is an error: to wait for a reader might be to wait for ever.
    pub fn open(path: &Path) -> io::Result<Transcript> {
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(path);
        let file = opened.map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::NXIO) => io::Error::other("it is a pipe that nobody reads"),
            _ => error,
        })?;
        fcntl_setfl(&file, OFlags::APPEND)?;
        Ok(Transcript { file, failed: false })
    }

    /// One message, `sent` or `received`. Each is one write, so that two shells on one log do not tear lines.
    fn record(&mut self, direction: &str, message: &str) {
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let message = to_valid_json(message);
        let line = format!("{{\"time\": \"{time}\", \"{direction}\": {}}}\n", compact(&message));
        // A full disk must not end a session; it is said once, by whoever asks.
        self.failed |= self.file.write_all(line.as_bytes()).is_err();
    }

    /// Whether a line could not be written.
    pub fn has_failed(&self) -> bool {
        self.failed
    }
}

/// Records into `transcript` if it is open.
pub(super) fn record(transcript: &SharedTranscript, direction: &str, message: &str) {
    if let Some(transcript) = &mut *transcript.lock().unwrap_or_else(PoisonError::into_inner) {
        transcript.record(direction, message);
    }
}
