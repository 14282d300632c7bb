//! Output of a single command: the reply on standard output, everything else on standard error. Events are not shown.

use std::io::{self, Write};
use std::sync::Arc;

use crate::grammar::{Diagnostic, mask_secrets_in_message};
use crate::render::{Palette, sanitize};
use crate::schema::manual::Line;
use crate::wire::{Event, ReplyBody};

use super::super::line::InputLine;
use super::super::output_format::OutputFormat;
use super::super::settings::Settings;
use super::message_writer::JsonMessageWriter;
use super::terminal::TerminalOutput;
use super::{EXCERPT_COLUMNS, NextValue, Output, Rejection, ReplyContext, error_value};

/// The format of a reply, and the style of messages on standard error.
#[derive(Debug, Clone)]
pub struct OutputStyle {
    pub format: OutputFormat,
    /// Writes JSON to standard output; its palette is that of all output there.
    pub messages: JsonMessageWriter,
    /// The colours on standard error.
    pub stderr_palette: Palette,
    /// The prefix of the program's own messages.
    pub prefix: &'static str,
    /// The name of the server in JSON, if there are several.
    pub server_name: Option<String>,
    /// Whether help that is longer than the screen goes through the pager.
    pub is_paged: bool,
}

/// Help that is shown at the end.
enum Help {
    Text(String),
    Page(Vec<Line>),
}

/// The output of a single command.
pub struct OneShotOutput<O, E> {
    out: O,
    err: E,
    style: OutputStyle,
    help: Vec<Help>,
    error: Option<io::Error>,
}

impl<O: Write, E: Write> OneShotOutput<O, E> {
    /// Writes replies to `out` and everything else to `err`.
    pub fn new(out: O, err: E, style: OutputStyle) -> OneShotOutput<O, E> {
        OneShotOutput { out, err, style, help: Vec::new(), error: None }
    }

    /// Returns both streams.
    pub fn into_inner(self) -> (O, E) {
        (self.out, self.err)
    }

    /// Writes a line to standard error. A failure to write there cannot be reported anywhere.
    fn write_to_stderr(&mut self, text: &str) {
        self.flush();
        let _ = self.err.write_all(format!("{text}\n").as_bytes());
    }

    fn report(&mut self, message: &str) {
        let message = format!("{}{}", self.style.prefix, sanitize(message));
        self.write_to_stderr(&message);
    }

    /// Fills the reply slot with an error, in a format that has one.
    fn fill_reply_slot(&mut self, class: &str, desc: &str) {
        if self.style.format.shows_whole_replies() {
            let server_name = self.style.server_name.as_deref();
            let result =
                self.style.messages.write_reply(server_name, ("error", &error_value(class, desc)), None, &mut self.out);
            self.keep_error(result);
        }
    }

    /// Shows the collected help. Must be called after the connection is closed: a monitor serves one client at a time,
    /// and a pager may stay open for long.
    pub fn show_help(&mut self) {
        let mut terminal = TerminalOutput::new(&mut self.out, self.style.messages.palette.clone(), Arc::default());
        if self.style.is_paged {
            terminal.apply(&Settings::default(), 0);
        }
        for help in self.help.drain(..) {
            match help {
                Help::Text(text) => terminal.print(&text),
                Help::Page(lines) => terminal.show_page(&lines),
            }
        }
        if let Some(error) = terminal.write_error().take() {
            self.keep_error(Err(error));
        }
    }
}

impl<O: Write, E: Write> Output for OneShotOutput<O, E> {
    fn show_reply(&mut self, context: &ReplyContext<'_>, _line: &InputLine<'_>) {
        let (medium, escape_controls) = (self.style.messages.medium(), self.style.messages.escape_controls);
        let format = self.style.format;
        let result = match context.reply.body() {
            _ if format.shows_whole_replies() => {
                let (server_name, id) = (self.style.server_name.as_deref(), context.request.id.as_deref());
                self.style.messages.write_reply(server_name, context.reply.member(), id, &mut self.out)
            }
            ReplyBody::Return(raw) => format.write_value(raw, &medium, escape_controls, &mut self.out),
            ReplyBody::Error { class, desc } => {
                let palette = &self.style.stderr_palette;
                let class = palette.paint(&palette.error, &sanitize(&format!("{class}:")));
                self.write_to_stderr(&format!("{class} {}", sanitize(&context.request.without_secrets(desc))));
                Ok(())
            }
        };
        self.keep_error(result);
        if let Some(hint) = &context.hint {
            let hint = self.style.stderr_palette.paint(&self.style.stderr_palette.dim, &sanitize(hint));
            self.write_to_stderr(&hint);
        }
    }

    fn show_hmp_text(&mut self, text: &str, _failed: bool, _line: &InputLine<'_>) {
        self.print(text);
    }

    /// Writes the results as other programs with `--jq` do: strings as text, other values as JSON on one line.
    fn show_values(&mut self, next: &mut NextValue<'_>) {
        let messages = self.style.messages.clone();
        while let Some(value) = next(&mut || false) {
            let format = match self.style.format {
                OutputFormat::Flat if !value.starts_with('"') => OutputFormat::Json,
                format => format,
            };
            let result = format.write_value(&value, &messages.medium(), messages.escape_controls, &mut self.out);
            self.keep_error(result);
            if self.has_failed() {
                break;
            }
        }
    }

    fn show_event(&mut self, _event: &Event) {}

    fn report_not_sent(&mut self, diagnostic: &Diagnostic, line: &InputLine<'_>, _fills_reply_slot: bool) {
        let Rejection { message, excerpt } =
            Rejection::new(diagnostic, line, EXCERPT_COLUMNS, &self.style.stderr_palette);
        self.fill_reply_slot("NotSent", &message);
        self.report(&message);
        self.write_to_stderr(&excerpt);
    }

    fn report_failure(&mut self, message: &str, line: &InputLine<'_>, class: Option<&str>) {
        if let Some(class) = class {
            self.fill_reply_slot(class, message);
        }
        self.report(&mask_secrets_in_message(line.text, message));
    }

    fn show_request(&mut self, message: &str) {
        let line = format!("-> {}", sanitize(message));
        let line = self.style.stderr_palette.paint(&self.style.stderr_palette.dim, &line);
        self.write_to_stderr(&line);
    }

    fn show_unsent_request(&mut self, message: &str) {
        let server_name = self.style.server_name.as_deref().filter(|_| self.style.format.shows_whole_replies());
        let result = self.style.messages.write(server_name, message, &mut self.out);
        self.keep_error(result);
    }

    fn print(&mut self, text: &str) {
        self.help.push(Help::Text(text.to_owned()));
    }

    fn show_page(&mut self, lines: &[Line]) {
        self.help.push(Help::Page(lines.to_vec()));
    }

    fn show_warning(&mut self, message: &str, line: &InputLine<'_>) {
        self.report(&format!("warning: {}", mask_secrets_in_message(line.text, message)));
    }

    fn show_notice(&mut self, text: &str) {
        self.report(text);
    }

    fn flush(&mut self) {
        let result = self.out.flush();
        self.keep_error(result);
    }

    fn write_error(&mut self) -> &mut Option<io::Error> {
        &mut self.error
    }
}
