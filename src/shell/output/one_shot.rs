//! What the engine says where one command is all there is: its answer on one stream, all else on the other.
//!
//! The answer is flat, a line of JSON, or indented. Events are no part of it.

use std::io::{self, Write};
use std::sync::Arc;

use crate::grammar::Diagnostic;
use crate::render::{JsonStyle, Palette, excerpt, sanitize, write_flat, write_json};
use crate::schema::manual::Line;
use crate::wire::{Event, ReplyBody, quote};

use super::message_writer::JsonMessageWriter;
use super::terminal::Terminal;
use super::{InputLine, Output, ReplyContext};
use crate::shell::settings::Settings;

/// How an answer is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SingleForm {
    /// `a.b[0].c: value`, a line for each value.
    Flat,
    /// The whole reply on one line.
    Json,
    /// The return value, indented.
    Pretty,
}

/// How an answer and the messages beside it are to look.
#[derive(Debug, Clone)]
pub struct Look {
    /// How it is laid out.
    pub form: SingleForm,
    /// How its JSON is spelled: in colour, and harmless.
    pub messages: JsonMessageWriter,
    /// The colours of messages beside it.
    pub beside: Palette,
    /// What a message of our own begins with.
    pub lead: &'static str,
    /// Where there are several servers: which one answers, for JSON.
    pub path: Option<String>,
    /// What the user asked for that is longer than the screen goes through the pager.
    pub paged: bool,
}

/// What the user asked to read.
enum Reading {
    Text(String),
    Page(Vec<Line>),
}

/// The answer to one command.
pub struct OneShotOutput<O, E> {
    out: O,
    err: E,
    look: Look,
    /// Help that is still to be shown.
    reading: Vec<Reading>,
    error: Option<io::Error>,
}

impl<O: Write, E: Write> OneShotOutput<O, E> {
    /// Writes the answer to `out`, and what else there is to say to `err`.
    pub fn new(out: O, err: E, look: Look) -> OneShotOutput<O, E> {
        OneShotOutput { out, err, look, reading: Vec::new(), error: None }
    }

    /// Both streams, with all that was written.
    pub fn into_inner(self) -> (O, E) {
        (self.out, self.err)
    }

    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }

    /// One message beside the answer. A failure to write there has nowhere to be reported.
    fn say(&mut self, message: &str) {
        self.flush();
        let _ = self.err.write_all(format!("{message}\n").as_bytes());
    }

    fn complain(&mut self, message: &str) {
        let message = format!("{}{}", self.look.lead, sanitize(message));
        self.say(&message);
    }

    /// Where the answer is for a program, it is told of what never was answered as well.
    fn replacement(&mut self, class: &str, desc: &str) {
        if self.look.form == SingleForm::Json {
            let value = format!("{{\"class\": {}, \"desc\": {}}}", quote(class), quote(desc));
            let path = self.look.path.as_deref();
            let result = self.look.messages.reply(path, ("error", &value), None, &mut self.out);
            self.note(result);
        }
    }

    fn returned(&mut self, raw: &str) -> io::Result<()> {
        let JsonMessageWriter { palette, escape_controls } = &self.look.messages;
        match self.look.form {
            SingleForm::Flat => write_flat(raw, palette, &mut self.out),
            _ => {
                write_json(raw, JsonStyle::Indented, palette, *escape_controls, &mut self.out)?;
                self.out.write_all(b"\n")
            }
        }
    }

    /// Shows the help that was asked for. It may be read for long, so this is for when the server has been left: a
    /// monitor serves one client at a time.
    pub fn show_help(&mut self) {
        let mut terminal = Terminal::new(&mut self.out, self.look.messages.palette.clone(), Arc::default());
        if self.look.paged {
            terminal.apply(&Settings::default(), 0);
        }
        for reading in self.reading.drain(..) {
            match reading {
                Reading::Text(text) => terminal.text(&text),
                Reading::Page(lines) => terminal.page(&lines),
            }
        }
        if let Some(error) = terminal.take_error() {
            self.note(Err(error));
        }
    }
}

impl<O: Write, E: Write> Output for OneShotOutput<O, E> {
    fn answer(&mut self, answer: &ReplyContext<'_>, _source: &InputLine<'_>) {
        let result = match answer.reply.body() {
            _ if self.look.form == SingleForm::Json => {
                let (path, id) = (self.look.path.as_deref(), answer.request.id.as_deref());
                self.look.messages.reply(path, answer.reply.member(), id, &mut self.out)
            }
            ReplyBody::Return(raw) => self.returned(raw),
            ReplyBody::Error { class, desc } => {
                let class = self.look.beside.paint(&self.look.beside.error, &sanitize(&format!("{class}:")));
                self.say(&format!("{class} {}", sanitize(desc)));
                Ok(())
            }
        };
        self.note(result);
        if let Some(hint) = &answer.hint {
            let hint = self.look.beside.paint(&self.look.beside.dim, &sanitize(hint));
            self.say(&hint);
        }
    }

    fn monitor_text(&mut self, text: &str, _failed: bool, _source: &InputLine<'_>) {
        self.text(text);
    }

    fn event(&mut self, _event: &Event) {}

    fn not_sent(&mut self, fault: &Diagnostic, source: &InputLine<'_>, _in_step: bool) {
        self.replacement("NotSent", &fault.message);
        let text = excerpt(source.text, fault.span, 120, &self.look.beside);
        self.complain(&fault.message);
        self.say(&text);
    }

    fn failed(&mut self, message: &str, _source: &InputLine<'_>, class: Option<&str>) {
        if let Some(class) = class {
            self.replacement(class, message);
        }
        self.complain(message);
    }

    fn sending(&mut self, message: &str) {
        let line = format!("-> {}", sanitize(message));
        let line = self.look.beside.paint(&self.look.beside.dim, &line);
        self.say(&line);
    }

    fn would_send(&mut self, message: &str) {
        let path = self.look.path.as_deref().filter(|_| self.look.form == SingleForm::Json);
        let result = self.look.messages.write(path, message, &mut self.out);
        self.note(result);
    }

    fn text(&mut self, text: &str) {
        self.reading.push(Reading::Text(text.to_owned()));
    }

    fn page(&mut self, lines: &[Line]) {
        self.reading.push(Reading::Page(lines.to_vec()));
    }

    fn warning(&mut self, message: &str, _source: &InputLine<'_>) {
        self.complain(&format!("warning: {message}"));
    }

    fn notice(&mut self, text: &str) {
        self.complain(text);
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
