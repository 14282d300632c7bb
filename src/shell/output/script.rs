//! Output of a script, for a program to read: JSON Lines, or values on standard output and everything else on standard
//! error.

use std::io::{self, BufWriter, IsTerminal, Stderr, Stdout, Write};

use crate::grammar::{Diagnostic, Language, mask_secrets_in_message};
use crate::render::{Medium, Palette, event_line, manual_text, sanitize};
use crate::schema::manual::Line;
use crate::views::View;
use crate::wire::{Event, ReplyBody};

use super::super::line::InputLine;
use super::super::output_format::OutputFormat;
use super::super::settings::Settings;
use super::message_writer::JsonMessageWriter;
use super::{EXCERPT_COLUMNS, NextValue, Output, Rejection, ReplyContext, ServerLabel, error_value};

/// Standard output and standard error of a script.
pub struct ScriptOutput {
    out: BufWriter<Stdout>,
    err: Stderr,
    format: OutputFormat,
    messages: JsonMessageWriter,
    /// The name before messages that are not about the line that runs.
    aside: Option<String>,
    error: Option<io::Error>,
}

impl ScriptOutput {
    pub fn new(palette: Palette) -> ScriptOutput {
        ScriptOutput {
            messages: JsonMessageWriter { palette, escape_controls: io::stdout().is_terminal(), server: None },
            aside: None,
            out: BufWriter::with_capacity(64 * 1024, io::stdout()),
            err: io::stderr(),
            format: OutputFormat::Json,
            error: None,
        }
    }

    /// Applies the settings. In HMP mode, only the human monitor's text goes to standard output; errors and events go
    /// to standard error.
    pub(crate) fn apply(&mut self, settings: &Settings, language: Language) {
        self.format = match language {
            Language::Hmp if settings.output.shows_whole_replies() => OutputFormat::Pretty,
            _ => settings.output,
        };
    }

    /// Writes a message for the user to standard error, even if that is redirected. A failure to write there cannot be
    /// reported anywhere.
    fn report(&mut self, line: &InputLine<'_>, message: &str) {
        self.flush();
        let message = mask_secrets_in_message(line.text, message);
        let aside = self.aside.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        let message = format!("{}{aside}{message}\n", line.location());
        let _ = self.err.write_all(sanitize(&message).as_bytes());
    }

    /// Fills the reply slot with an error, in a format that has one.
    fn fill_reply_slot(&mut self, class: &str, desc: &str) {
        if self.format.shows_whole_replies() {
            let result = self.messages.write_reply(None, ("error", &error_value(class, desc)), None, &mut self.out);
            self.keep_error(result);
        }
    }
}

impl Output for ScriptOutput {
    fn show_reply(&mut self, context: &ReplyContext<'_>, line: &InputLine<'_>) {
        let result = match context.reply.body() {
            _ if self.format.shows_whole_replies() => {
                let id = context.request.id.as_deref();
                self.messages.write_reply(None, context.reply.member(), id, &mut self.out)
            }
            ReplyBody::Return(raw) => self.format.write_value(raw, &self.messages.medium(), true, &mut self.out),
            ReplyBody::Error { class, desc } => {
                self.report(line, &format!("{class}: {}", context.request.without_secrets(desc)));
                Ok(())
            }
        };
        self.keep_error(result);
        if let Some(hint) = &context.hint {
            self.report(line, hint);
        }
    }

    fn show_hmp_text(&mut self, text: &str, _failed: bool, _line: &InputLine<'_>) {
        let text = if self.messages.escape_controls { sanitize(text) } else { text.into() };
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        let result = self.out.write_all(text.as_bytes()).and_then(|()| self.out.write_all(end.as_bytes()));
        self.keep_error(result);
    }

    fn show_values(&mut self, next: &mut NextValue<'_>) {
        let messages = self.messages.clone();
        while let Some(value) = next(&mut || false) {
            let result = self.format.write_value(&value, &messages.medium(), messages.escape_controls, &mut self.out);
            self.keep_error(result);
            if self.has_failed() {
                break;
            }
        }
    }

    fn show_event(&mut self, event: &Event) {
        if self.format.shows_whole_replies() {
            let result = self.messages.write_event(None, event, &mut self.out);
            return self.keep_error(result);
        }
        self.flush();
        let line = event_line(event, self.messages.server.as_deref(), &Palette::default());
        let _ = self.err.write_all(format!("{line}\n").as_bytes());
    }

    fn report_not_sent(&mut self, diagnostic: &Diagnostic, line: &InputLine<'_>, fills_reply_slot: bool) {
        let Rejection { message, excerpt } = Rejection::new(diagnostic, line, EXCERPT_COLUMNS, &Palette::default());
        if fills_reply_slot {
            self.fill_reply_slot("NotSent", &message);
        }
        self.report(line, &format!("{message}\n{excerpt}"));
    }

    fn report_failure(&mut self, message: &str, line: &InputLine<'_>, class: Option<&str>) {
        if let Some(class) = class {
            self.fill_reply_slot(class, message);
        }
        self.report(line, message);
    }

    fn show_request(&mut self, message: &str) {
        let server = self.messages.server.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        self.report(&InputLine::none(), &format!("{server}-> {message}"));
    }

    fn show_unsent_request(&mut self, message: &str) {
        let result = self.out.write_all(message.as_bytes()).and_then(|()| self.out.write_all(b"\n"));
        self.keep_error(result);
    }

    /// Writes help and lists to standard error: standard output belongs to messages.
    fn print(&mut self, text: &str) {
        if !text.is_empty() {
            self.report(&InputLine::none(), text.trim_end());
        }
    }

    fn show_view(&mut self, view: &dyn View) {
        let result = match self.format.shows_pictures() {
            true => self.out.write_all(view.draw(&Medium::file(&Palette::default())).as_bytes()),
            false => self.format.write_value(&view.json(), &self.messages.medium(), true, &mut self.out),
        };
        self.keep_error(result);
    }

    fn show_page(&mut self, lines: &[Line]) {
        self.print(&manual_text(lines, &Palette::default()));
    }

    fn show_warning(&mut self, message: &str, line: &InputLine<'_>) {
        self.report(line, &format!("warning: {message}"));
    }

    fn show_notice(&mut self, text: &str) {
        self.report(&InputLine::none(), text);
    }

    fn set_server(&mut self, server: Option<ServerLabel<'_>>) {
        self.messages.server = server.map(|label| label.name.to_owned());
        self.aside = server.filter(|label| label.is_aside).map(|label| label.name.to_owned());
    }

    fn show_server_heading(&mut self, name: &str) {
        if !self.format.shows_whole_replies() {
            let result = self.out.write_all(format!("{name}:\n").as_bytes());
            self.keep_error(result);
        }
    }

    fn flush(&mut self) {
        let result = self.out.flush();
        self.keep_error(result);
    }

    fn write_error(&mut self) -> &mut Option<io::Error> {
        &mut self.error
    }
}
