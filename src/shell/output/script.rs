//! What the engine says, said to a program: JSON Lines, or with `-p` values on one stream and all else on the other.

use std::io::{self, BufWriter, IsTerminal, Stderr, Stdout, Write};

use crate::grammar::{Diagnostic, LineMode};
use crate::render::{JsonStyle, Palette, event_line, excerpt, manual_text, sanitize, write_json};
use crate::schema::manual::Line;
use crate::wire::{Event, ReplyBody, quote};

use super::message_writer::JsonMessageWriter;
use super::{InputLine, Output, ReplyContext};
use crate::shell::settings::{OutputForm, Settings};

/// Standard output and standard error of a script.
pub struct ScriptOutput {
    out: BufWriter<Stdout>,
    err: Stderr,
    form: OutputForm,
    /// How messages are spelled; harmless where standard output is a terminal after all.
    messages: JsonMessageWriter,
    error: Option<io::Error>,
}

impl ScriptOutput {
    /// Output to the standard streams, in these colours.
    pub fn new(palette: Palette) -> ScriptOutput {
        ScriptOutput {
            messages: JsonMessageWriter { palette, escape_controls: io::stdout().is_terminal() },
            out: BufWriter::with_capacity(64 * 1024, io::stdout()),
            err: io::stderr(),
            form: OutputForm::Json,
            error: None,
        }
    }

    /// Takes the settings that matter here. In HMP mode standard output is the monitor's text and nothing else: errors
    /// and events go to standard error, as they do where replies are for eyes.
    pub(crate) fn apply(&mut self, settings: &Settings, language: LineMode) {
        self.form = match language {
            LineMode::Qmp => settings.output,
            LineMode::Hmp => OutputForm::Pretty,
        };
    }

    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }

    /// One message about a line on standard error, which is for eyes, be it by way of a file. A failure to write there has
    /// nowhere to be reported.
    fn complain(&mut self, source: &InputLine<'_>, message: &str) {
        self.flush();
        let message = format!("{}{message}\n", source.place());
        let _ = self.err.write_all(sanitize(&message).as_bytes());
    }

    fn replacement(&mut self, class: &str, desc: &str) {
        if self.form == OutputForm::Json {
            let value = format!("{{\"class\": {}, \"desc\": {}}}", quote(class), quote(desc));
            let result = self.messages.reply(None, ("error", &value), None, &mut self.out);
            self.note(result);
        }
    }
}

impl Output for ScriptOutput {
    fn answer(&mut self, answer: &ReplyContext<'_>, source: &InputLine<'_>) {
        let id = answer.request.id.as_deref();
        let result = match (self.form, answer.reply.body()) {
            (OutputForm::Json, _) => self.messages.reply(None, answer.reply.member(), id, &mut self.out),
            (OutputForm::Pretty, ReplyBody::Return(raw)) => {
                // What is indented is for eyes.
                write_json(raw, JsonStyle::Indented, &self.messages.palette, true, &mut self.out)
                    .and_then(|()| self.out.write_all(b"\n"))
            }
            (OutputForm::Pretty, ReplyBody::Error { class, desc }) => {
                self.complain(source, &format!("{class}: {desc}"));
                Ok(())
            }
        };
        self.note(result);
    }

    fn monitor_text(&mut self, text: &str, _failed: bool, _source: &InputLine<'_>) {
        let text = if self.messages.escape_controls { sanitize(text) } else { text.into() };
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        let result = self.out.write_all(text.as_bytes()).and_then(|()| self.out.write_all(end.as_bytes()));
        self.note(result);
    }

    fn event(&mut self, event: &Event) {
        let result = match self.form {
            OutputForm::Json => self.messages.write(None, event.text(), &mut self.out),
            OutputForm::Pretty => {
                self.flush();
                let line = event_line(event, &Palette::default());
                let _ = self.err.write_all(format!("{line}\n").as_bytes());
                Ok(())
            }
        };
        self.note(result);
    }

    fn not_sent(&mut self, fault: &Diagnostic, source: &InputLine<'_>, counts_as_reply: bool) {
        if counts_as_reply {
            self.replacement("NotSent", &fault.message);
        }
        let text = excerpt(source.text, fault.span, 120, &Palette::default());
        self.complain(source, &format!("{}\n{text}", fault.message));
    }

    fn failed(&mut self, message: &str, source: &InputLine<'_>, class: Option<&str>) {
        if let Some(class) = class {
            self.replacement(class, message);
        }
        self.complain(source, message);
    }

    fn sending(&mut self, message: &str) {
        self.complain(&InputLine { text: "", script: None, number: 0 }, &format!("-> {message}"));
    }

    fn would_send(&mut self, message: &str) {
        let result = self.out.write_all(message.as_bytes()).and_then(|()| self.out.write_all(b"\n"));
        self.note(result);
    }

    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        // Help and lists are for eyes; standard output belongs to messages.
        self.complain(&InputLine { text: "", script: None, number: 0 }, text.trim_end());
    }

    fn page(&mut self, lines: &[Line]) {
        self.text(&manual_text(lines, &Palette::default()));
    }

    fn warning(&mut self, message: &str, source: &InputLine<'_>) {
        self.complain(source, &format!("warning: {message}"));
    }

    fn notice(&mut self, text: &str) {
        self.complain(&InputLine { text: "", script: None, number: 0 }, text);
    }

    fn confirm(&mut self, _question: &str) -> bool {
        true
    }

    fn with_terminal_released(&mut self, work: &mut dyn FnMut()) {
        self.flush();
        work();
    }

    fn interrupted(&mut self) -> bool {
        false
    }

    fn flush(&mut self) {
        let result = self.out.flush();
        self.note(result);
    }

    fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }
}
