//! Messages as JSON Lines, in the server's own spelling.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::render::{JsonStyle, Medium, Palette, event_palette, write_json};
use crate::wire::{Event, quote, single_line};

use super::super::terminal::size::terminal_size;

/// A writer of messages, each on one line.
#[derive(Debug, Clone, Default)]
pub struct JsonMessageWriter {
    pub palette: Palette,
    /// Whether control characters are escaped, for output to a terminal.
    pub escape_controls: bool,
    /// The name of the server that the messages are from, if there are several. It is their first member.
    pub server: Option<String>,
}

impl JsonMessageWriter {
    /// Returns the place where values are written: the terminal, or else a file.
    pub(crate) fn medium(&self) -> Medium<'_> {
        let columns = if self.escape_controls { terminal_size().0 } else { usize::MAX };
        Medium { palette: &self.palette, columns }
    }

    /// Writes a whole message as received. `path` names its server, if there are several.
    pub fn write(&self, path: Option<&str>, text: &str, out: &mut dyn Write) -> io::Result<()> {
        match (path, text.trim_start().strip_prefix('{')) {
            (Some(path), Some(members)) => self.write_value(&format!("{{\"path\": {}, {members}", quote(path)), out)?,
            (None, Some(members)) if self.server.is_some() => {
                let server = self.server.as_deref().unwrap_or_default();
                self.write_value(&format!("{{\"server\": {}, {members}", quote(server)), out)?;
            }
            _ => self.write_value(text, out)?,
        }
        out.write_all(b"\n")
    }

    /// Writes an event as [`JsonMessageWriter::write`] does.
    pub fn write_event(&self, path: Option<&str>, event: &Event, out: &mut dyn Write) -> io::Result<()> {
        match event_palette(event, &self.palette) {
            Cow::Borrowed(_) => self.write(path, event.text(), out),
            Cow::Owned(palette) => JsonMessageWriter { palette, ..self.clone() }.write(path, event.text(), out),
        }
    }

    /// Writes `{"KEY": VALUE}` of a reply, with the id that the user gave.
    pub(crate) fn write_reply(
        &self,
        path: Option<&str>,
        (key, value): (&str, &str),
        id: Option<&str>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        out.write_all(b"{")?;
        if let Some(path) = path {
            out.write_all(b"\"path\": ")?;
            self.write_value(&quote(path), out)?;
            out.write_all(b", ")?;
        }
        if let Some(server) = &self.server {
            out.write_all(b"\"server\": ")?;
            self.write_value(&quote(server), out)?;
            out.write_all(b", ")?;
        }
        write!(out, "\"{key}\": ")?;
        self.write_value(value, out)?;
        if let Some(id) = id {
            write!(out, ", \"id\": {id}")?;
        }
        out.write_all(b"}\n")
    }

    fn write_value(&self, raw: &str, out: &mut dyn Write) -> io::Result<()> {
        if self.escape_controls || self.palette.is_colored() {
            write_json(raw, JsonStyle::Line, &self.palette, self.escape_controls, out)
        } else {
            out.write_all(single_line(raw).as_bytes())
        }
    }
}
