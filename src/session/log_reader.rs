//! Reading a message log: the records of a file that [`MessageLog`](super::log::MessageLog) wrote.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::OFlags;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::log::Direction;

/// The maximum size of a log that is read, in bytes. The whole log is kept in memory.
const MAX_LOG_BYTES: usize = 1 << 30;

/// The number of bytes at the beginning of a file that tell whether it is a log.
#[cfg(feature = "programs")]
pub(crate) const LOG_PREFIX_BYTES: usize = 4 << 10;

/// The records of a log.
#[derive(Debug)]
pub(crate) struct RecordedLog {
    text: String,
    pub(crate) records: Vec<Record>,
    /// The number of the last line, if it is incomplete: the program that wrote it was killed, or is still writing.
    pub(crate) cut_off_line: Option<usize>,
}

/// One message in a log.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// The number of its line, from 1.
    pub(crate) line: usize,
    /// The name of the server, if the program had several.
    pub(crate) server: Option<Arc<str>>,
    pub(crate) direction: Direction,
    /// Whether it is a request that the program sent for itself, without a command of the user.
    #[cfg_attr(not(feature = "programs"), allow(dead_code, reason = "only the shell sends the requests again"))]
    pub(crate) is_query: bool,
    /// The place of the message in the text of the log.
    range: Range<usize>,
}

/// The error for a file that is not a log, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("larger than {MAX_LOG_BYTES} bytes")]
    TooLarge,
    #[error("line {line} is not a record of a message log: {reason}")]
    Record { line: usize, reason: String },
}

/// The members of a line. Others are ignored, so that newer logs can be read.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    server: Option<Cow<'a, str>>,
    #[serde(default)]
    query: bool,
    #[serde(borrow, default)]
    sent: Option<&'a RawValue>,
    #[serde(borrow, default)]
    received: Option<&'a RawValue>,
}

impl RecordedLog {
    /// Reads the log at `path`, which must be a regular file.
    pub(crate) fn read(path: &Path) -> Result<RecordedLog, LogError> {
        // A pipe without a writer must not keep the program waiting.
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file").into());
        }
        let mut bytes = Vec::new();
        file.take(MAX_LOG_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        RecordedLog::parse(bytes)
    }

    /// Parses the lines of a log. The last one may be incomplete.
    pub(crate) fn parse(bytes: Vec<u8>) -> Result<RecordedLog, LogError> {
        if bytes.len() > MAX_LOG_BYTES {
            return Err(LogError::TooLarge);
        }
        // A character may be cut off at the end.
        let text =
            String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        let mut log = RecordedLog { text: String::new(), records: Vec::new(), cut_off_line: None };
        let mut servers: Vec<Arc<str>> = Vec::new();
        let mut start = 0;
        for (index, row) in text.split_inclusive('\n').enumerate() {
            let line = index + 1;
            match parse_line(row, start, line, &mut servers) {
                _ if row.trim().is_empty() => {}
                Ok(record) => log.records.push(record),
                Err(_) if !row.ends_with('\n') && row.starts_with('{') => log.cut_off_line = Some(line),
                Err(reason) => return Err(LogError::Record { line, reason }),
            }
            start += row.len();
        }
        log.text = text;
        Ok(log)
    }

    /// Returns the message of a record: JSON on one line.
    pub(crate) fn message(&self, record: &Record) -> &str {
        self.text.get(record.range.clone()).unwrap_or_default()
    }

    /// Returns the text at a place in the log.
    pub(crate) fn text_at(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

impl Record {
    /// Returns the place of the message in the log.
    pub(crate) fn range(&self) -> Range<usize> {
        self.range.clone()
    }
}

/// Parses the line that begins at byte `start` of the log.
fn parse_line(row: &str, start: usize, line: usize, servers: &mut Vec<Arc<str>>) -> Result<Record, String> {
    let parsed: Line<'_> = serde_json::from_str(row).map_err(|error| without_place(&error))?;
    let (direction, message) = match (parsed.sent, parsed.received) {
        (Some(message), None) => (Direction::Sent, message),
        (None, Some(message)) => (Direction::Received, message),
        _ => return Err("expected one member `sent` or `received`".to_owned()),
    };
    let server = parsed.server.map(|name| {
        // Few names, on many lines.
        servers.iter().find(|known| ***known == *name).cloned().unwrap_or_else(|| {
            let name: Arc<str> = Arc::from(name.as_ref());
            servers.push(Arc::clone(&name));
            name
        })
    });
    let message = message.get();
    let message_start = start + (message.as_ptr() as usize - row.as_ptr() as usize);
    let range = message_start..message_start + message.len();
    Ok(Record { line, server, direction, is_query: parsed.query, range })
}

/// Returns the message of an error without the line, which is that of the log.
fn without_place(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.rsplit_once(" at line ").map_or(message.clone(), |(message, _)| message.to_owned())
}

/// Returns whether the beginning of a file is that of a message log. No line of a script begins like this.
#[cfg(feature = "programs")]
pub(crate) fn is_message_log(beginning: &[u8]) -> bool {
    let beginning = &beginning[..beginning.len().min(LOG_PREFIX_BYTES)];
    let text = String::from_utf8_lossy(beginning);
    let line = text.trim_start().lines().next().unwrap_or_default();
    let members = line.strip_prefix('{').map(str::trim_start).unwrap_or_default();
    members.starts_with("\"time\"") && (members.contains("\"sent\":") || members.contains("\"received\":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<RecordedLog, String> {
        RecordedLog::parse(text.as_bytes().to_vec()).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_records_with_their_lines() {
        let log = parse(concat!(
            "{\"time\": \"t\", \"received\": {\"QMP\": {}}}\n",
            "\n",
            "{\"time\": \"t\", \"server\": \"dst\", \"query\": true, \"new\": 1, \"sent\": {\"execute\": \"x\"}}\n",
            "{\"time\": \"t\", \"server\": \"d\\u0073t\", \"received\": \"junk\"}",
        ))
        .unwrap();
        let shown: Vec<_> = log
            .records
            .iter()
            .map(|record| (record.line, record.server.as_deref(), record.is_query, log.message(record)))
            .collect();
        let expected = [
            (1, None, false, "{\"QMP\": {}}"),
            (3, Some("dst"), true, "{\"execute\": \"x\"}"),
            (4, Some("dst"), false, "\"junk\""),
        ];
        assert_eq!(shown, expected);
        assert_eq!(log.cut_off_line, None);
    }

    #[test]
    fn only_the_last_line_may_be_cut_off() {
        let line = "{\"time\": \"t\", \"sent\": {\"execute\": \"x\"}}\n";
        let log = parse(&format!("{line}{{\"time\": \"t\", \"recei")).unwrap();
        assert_eq!((log.records.len(), log.cut_off_line), (1, Some(2)));
        for (text, error) in [
            (
                format!("{{\"time\": \"t\"\n{line}"),
                "line 1 is not a record of a message log: EOF while parsing an object",
            ),
            (
                format!("{line}{{\"time\": \"t\"}}\n"),
                "line 2 is not a record of a message log: expected one member `sent` or `received`",
            ),
            (format!("{line}junk"), "line 2 is not a record of a message log: expected value"),
        ] {
            assert_eq!(parse(&text).unwrap_err(), error);
        }
    }

    #[cfg(feature = "programs")]
    #[test]
    fn a_log_is_told_from_a_script() {
        assert!(is_message_log(b"\n{\"time\": \"t\", \"server\": \"a\", \"received\": {\"return\""));
        assert!(is_message_log(b"{\"time\":\"t\",\"sent\":{}}\n"));
        for text in ["", "query-status", "{\"execute\": \"sent\"}", "{\"time\": 1}\n{\"sent\": 1}", "# {\"time\"\n"] {
            assert!(!is_message_log(text.as_bytes()), "{text}");
        }
    }
}
