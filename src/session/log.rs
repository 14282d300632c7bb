//! The message log: every message in both directions, one JSON object per line, for a file and an observer.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::{SecondsFormat, Utc};
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::wire::{quote, single_line, to_valid_json};

use super::log_writer::LogWriter;

/// The log that several sessions and threads write to, if there is one.
pub type SharedLog = Arc<Mutex<Option<MessageLog>>>;

/// The name of a connection's server in the log, once the program has several.
pub(super) type ServerName = Arc<OnceLock<String>>;

/// The direction of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the server.
    Sent,
    /// From the server.
    Received,
}

/// The origin of a message, as far as it has one to tell.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Origin<'a> {
    /// The name of the server, if the program has several.
    pub(super) server: Option<&'a str>,
    /// Whether it is a request that the program sends for itself, without a command of the user.
    pub(super) is_query: bool,
}

/// A function that is called with each message, on one line and with secrets replaced.
pub type Observer = Box<dyn FnMut(Direction, &str) + Send>;

/// A log that writes to a file, calls an observer, or both. The file is appended to; a new one gets mode 0600.
#[derive(Default)]
pub struct MessageLog {
    sink: Option<Sink>,
    observer: Option<Observer>,
    failed: bool,
}

/// The place that lines are written to.
#[derive(Debug)]
enum Sink {
    /// A regular file, which takes a line at once.
    File(File),
    /// Anything else, whose reader may stall.
    Writer(LogWriter),
}

impl fmt::Debug for MessageLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageLog").field("sink", &self.sink).finish_non_exhaustive()
    }
}

impl MessageLog {
    /// Opens `path` for appending. A pipe without a reader is an error, because opening it would block.
    pub fn open(path: &Path) -> io::Result<MessageLog> {
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(path);
        let file = opened.map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::NXIO) => io::Error::other("it is a pipe without a reader"),
            _ => error,
        })?;
        let sink = match file.metadata()?.is_file() {
            true => Sink::File(file),
            false => Sink::Writer(LogWriter::start(file)?),
        };
        Ok(MessageLog { sink: Some(sink), ..MessageLog::default() })
    }

    /// Calls `observer` with each message from now on.
    pub fn set_observer(&mut self, observer: Observer) {
        self.observer = Some(observer);
    }

    fn record(&mut self, direction: Direction, origin: Origin<'_>, message: &str) {
        let message = to_valid_json(message);
        let message = single_line(&message);
        if let Some(observer) = &mut self.observer {
            observer(direction, &message);
        }
        let direction = match direction {
            Direction::Sent => "sent",
            Direction::Received => "received",
        };
        let query = if origin.is_query { "\"query\": true, " } else { "" };
        let server = origin.server.map(|name| format!("\"server\": {}, ", quote(name))).unwrap_or_default();
        self.write_members(&format!("{server}{query}\"{direction}\": {message}"));
    }

    /// Writes a line with the time and these members.
    pub(crate) fn write_members(&mut self, members: &str) {
        let Some(sink) = &mut self.sink else { return };
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        // One write per line, so that two programs can share a log.
        let line = format!("{{\"time\": \"{time}\", {members}}}\n");
        // A full disk must not end a session; the program reports it once, at the end.
        match sink {
            Sink::File(file) => self.failed |= file.write_all(line.as_bytes()).is_err(),
            Sink::Writer(writer) => writer.push(line.into_bytes()),
        }
    }

    /// Ends the log, after what can be written is written. Returns whether a line is missing.
    fn close(self) -> bool {
        self.failed || matches!(self.sink, Some(Sink::Writer(writer)) if writer.close())
    }
}

/// Closes the log, if there is one. Returns whether lines are missing from it.
pub fn end_log(log: &SharedLog) -> bool {
    log.lock().unwrap_or_else(PoisonError::into_inner).take().is_some_and(MessageLog::close)
}

/// Records a message, if there is a log.
pub(super) fn record(log: &SharedLog, direction: Direction, origin: Origin<'_>, message: &str) {
    if let Some(log) = &mut *log.lock().unwrap_or_else(PoisonError::into_inner) {
        log.record(direction, origin, message);
    }
}
