//! Output of a command whose reply goes to a filter, a pipeline of the system's shell, or a file.
//!
//! Events, errors and notices go on to the output for the line, and so do replies that belong to other lines.

use std::io::{self, IsTerminal, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use crate::filter::{Filter, FilterError};
use crate::grammar::Diagnostic;
use crate::render::{JsonStyle, Medium, Palette, manual_text, sanitize, write_json};
use crate::schema::manual::Line;
use crate::views::View;
use crate::wire::{Event, HMP_COMMAND, Reply, ReplyBody, quote, unquote};

use super::super::hmp::{has_succeeded, hmp_text};
use super::super::line::{InputLine, LineOutcome};
use super::super::output_format::{OutputFormat, text_for_people};
use super::file::ReplyFile;
use super::pager::{INTERRUPTED_STATUS, pipe_into};
use super::{NextValue, Output, ReplyContext, ServerLabel};

/// The receiver of replies.
pub(crate) enum Sink {
    /// A filter, whose results are shown, or written to the file in this format.
    Filter(Filter, Option<(ReplyFile, OutputFormat)>),
    /// A command of the system's shell.
    Pipeline(String),
    File(ReplyFile),
}

/// A reply that is kept, so that a line can begin with `|`.
#[derive(Debug, Clone)]
pub(crate) enum LastReply {
    /// The reply to `command`.
    Reply { command: String, reply: Reply },
    /// The text of the shell's own monitor.
    Text(String),
}

impl LastReply {
    /// Returns the QMP command that was replied to.
    pub(crate) fn command(&self) -> Option<&str> {
        match self {
            LastReply::Reply { command, .. } => Some(command),
            LastReply::Text(_) => None,
        }
    }
}

/// A value for a sink.
enum Value<'a> {
    Json(&'a str),
    Text(&'a str),
}

/// An output that gives replies to a sink.
pub(crate) struct TailOutput<'a> {
    inner: &'a mut dyn Output,
    /// The line without its other parts, which the engine knows.
    part: InputLine<'a>,
    /// The line as it was typed.
    whole: InputLine<'a>,
    sink: Option<Sink>,
    /// Text that the command printed.
    printed: Option<String>,
    failed: bool,
}

impl<'a> TailOutput<'a> {
    pub(crate) fn new(
        inner: &'a mut dyn Output,
        part: InputLine<'a>,
        whole: InputLine<'a>,
        sink: Option<Sink>,
    ) -> TailOutput<'a> {
        TailOutput { inner, part, whole, sink, printed: None, failed: false }
    }

    /// Gives the sink an earlier reply.
    pub(crate) fn take_last_reply(&mut self, last: &LastReply) {
        match last {
            LastReply::Text(text) => self.give(Value::Text(text)),
            LastReply::Reply { reply, .. } => self.give_return(reply, true),
        }
    }

    /// Ends the output after the command. Returns the outcome of the command and of the sink.
    pub(crate) fn finish(mut self, outcome: LineOutcome) -> LineOutcome {
        if outcome == LineOutcome::Done
            && let Some(text) = self.printed.take()
        {
            self.give(Value::Text(&text));
        }
        if self.failed && outcome == LineOutcome::Done { LineOutcome::Failed } else { outcome }
    }

    /// Returns the line for a message: the whole line in the place of its part.
    fn shown_line<'l>(&self, line: &InputLine<'l>) -> InputLine<'l>
    where
        'a: 'l,
    {
        if std::ptr::eq(line.text, self.part.text) { self.whole } else { *line }
    }

    /// Gives the sink the return value of a reply. The text of the human monitor, and other text that the server made for
    /// people, is text for programs and files.
    fn give_return(&mut self, reply: &Reply, is_monitor_text: bool) {
        let ReplyBody::Return(raw) = reply.body() else { return };
        let is_filter = matches!(self.sink, Some(Sink::Filter(..)));
        let text_for_people = || Some(unquote(text_for_people(raw)?)?.replace("\r\n", "\n"));
        let monitor_text = hmp_text(reply).filter(|_| is_monitor_text);
        match monitor_text.or_else(text_for_people).filter(|_| !is_filter) {
            Some(text) => self.give(Value::Text(&text)),
            None => self.give(Value::Json(raw)),
        }
    }

    fn give(&mut self, value: Value<'_>) {
        let Some(mut sink) = self.sink.take() else { return };
        let result = match (&mut sink, &value) {
            (Sink::Filter(filter, file), Value::Json(json)) => self.filter(filter, json, file.as_mut()),
            (Sink::Filter(filter, file), Value::Text(text)) => self.filter(filter, &quote(text), file.as_mut()),
            (Sink::Pipeline(command), value) => self.pipe(command, value),
            (Sink::File(file), value) => {
                let write = |out: &mut dyn Write| write_value(value, out);
                write_file(file, write).map_err(|error| format!("cannot write the file: {error}"))
            }
        };
        self.sink = Some(sink);
        if let Err(message) = result {
            self.failed = true;
            let line = self.whole;
            self.inner.report_failure(&message, &line, None);
        }
    }

    /// Runs a filter on a value.
    fn filter(
        &mut self,
        filter: &Filter,
        json: &str,
        file: Option<&mut (ReplyFile, OutputFormat)>,
    ) -> Result<(), String> {
        let mut results = filter.start(json);
        let mut failure = None;
        let mut next = |is_interrupted: &mut dyn FnMut() -> bool| match results.next(is_interrupted)? {
            Ok(result) => Some(result),
            Err(error) => {
                failure = Some(error);
                None
            }
        };
        match file {
            None => self.inner.show_values(&mut next),
            Some((file, format)) => {
                let write = |out: &mut dyn Write| {
                    while let Some(value) = next(&mut || self.inner.take_interrupt()) {
                        format.write_value(&value, &Medium::file(&Palette::default()), true, out)?;
                    }
                    Ok(())
                };
                write_file(file, write).map_err(|error| format!("cannot write the file: {error}"))?;
            }
        }
        match failure {
            Some(FilterError::Failed(message)) => Err(format!("the filter failed: {message}")),
            Some(FilterError::Interrupted) => {
                self.inner.show_notice("The filter was interrupted.");
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Runs a command of the system's shell on a value. A command that reads only a part of it has not failed.
    fn pipe(&mut self, command: &str, value: &Value<'_>) -> Result<(), String> {
        let mut status = None;
        self.inner.with_terminal_released(&mut || {
            status = Some(pipe_into(command, |input| {
                // The reader may leave early.
                let _ = match value {
                    Value::Text(text) if io::stdout().is_terminal() => write_text(&sanitize(text), input),
                    value => write_value(value, input),
                };
            }));
        });
        // Ctrl-C was for the command.
        if self.inner.take_interrupt() {
            // The terminal shows `^C`, without a line end.
            self.inner.show_notice("");
        }
        match status {
            Some(Ok(status)) if status.success() || is_interrupted(status) => Ok(()),
            Some(Ok(status)) => Err(format!("the command after `|` failed: {status}")),
            Some(Err(error)) => Err(format!("cannot run a shell: {error}")),
            None => Ok(()),
        }
    }

    /// Keeps printed text for the sink.
    fn keep_printed(&mut self, text: &str) {
        self.printed.get_or_insert_default().push_str(text);
    }
}

/// Returns whether Ctrl-C ended a command.
fn is_interrupted(status: ExitStatus) -> bool {
    status.code() == Some(INTERRUPTED_STATUS) || status.signal() == Some(signal_hook::consts::SIGINT)
}

/// Writes to a file with a buffer.
fn write_file(file: &mut ReplyFile, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let out = file.writer()?;
    write(out)?;
    out.flush()
}

/// Writes a value for a program: indented JSON, or text.
fn write_value(value: &Value<'_>, out: &mut dyn Write) -> io::Result<()> {
    match value {
        Value::Json(raw) => {
            write_json(raw, JsonStyle::Indented, &Palette::default(), true, out)?;
            out.write_all(b"\n")
        }
        Value::Text(text) => write_text(text, out),
    }
}

fn write_text(text: &str, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    if text.is_empty() || text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") }
}

impl Output for TailOutput<'_> {
    fn show_reply(&mut self, context: &ReplyContext<'_>, line: &InputLine<'_>) {
        let has_sink = self.sink.is_some() && !context.late;
        if has_sink && context.reply.succeeded() && has_succeeded(context.request, context.reply) {
            return self.give_return(context.reply, context.request.command == HMP_COMMAND);
        }
        let line = self.shown_line(line);
        self.inner.show_reply(context, &line);
    }

    fn show_hmp_text(&mut self, text: &str, failed: bool, line: &InputLine<'_>) {
        if self.sink.is_some() && !failed {
            return self.give(Value::Text(text));
        }
        let line = self.shown_line(line);
        self.inner.show_hmp_text(text, failed, &line);
    }

    fn show_values(&mut self, next: &mut NextValue<'_>) {
        self.inner.show_values(next);
    }

    fn show_event(&mut self, event: &Event) {
        self.inner.show_event(event);
    }

    fn report_not_sent(&mut self, diagnostic: &Diagnostic, line: &InputLine<'_>, fills_reply_slot: bool) {
        let line = self.shown_line(line);
        self.inner.report_not_sent(diagnostic, &line, fills_reply_slot);
    }

    fn report_failure(&mut self, message: &str, line: &InputLine<'_>, class: Option<&str>) {
        let line = self.shown_line(line);
        self.inner.report_failure(message, &line, class);
    }

    fn show_request(&mut self, message: &str) {
        self.inner.show_request(message);
    }

    fn show_unsent_request(&mut self, message: &str) {
        self.inner.show_unsent_request(message);
    }

    fn print(&mut self, text: &str) {
        match self.sink {
            Some(_) => self.keep_printed(text),
            None => self.inner.print(text),
        }
    }

    fn show_view(&mut self, view: &dyn View) {
        match self.sink {
            Some(Sink::Filter(..)) => self.give(Value::Json(&view.json())),
            Some(_) => self.keep_printed(&view.draw(&Medium::file(&Palette::default()))),
            None => self.inner.show_view(view),
        }
    }

    fn show_page(&mut self, lines: &[Line]) {
        match self.sink {
            Some(_) => self.keep_printed(&manual_text(lines, &Palette::default())),
            None => self.inner.show_page(lines),
        }
    }

    fn show_warning(&mut self, message: &str, line: &InputLine<'_>) {
        let line = self.shown_line(line);
        self.inner.show_warning(message, &line);
    }

    fn show_notice(&mut self, text: &str) {
        self.inner.show_notice(text);
    }

    fn set_server(&mut self, server: Option<ServerLabel<'_>>) {
        self.inner.set_server(server);
    }

    fn show_server_heading(&mut self, name: &str) {
        self.inner.show_server_heading(name);
    }

    fn flush(&mut self) {
        self.inner.flush();
    }

    fn write_error(&mut self) -> &mut Option<io::Error> {
        self.inner.write_error()
    }

    fn confirm(&mut self, question: &str) -> bool {
        self.inner.confirm(question)
    }

    fn show_progress(&mut self, text: &str) {
        self.inner.show_progress(text);
    }

    fn live_size(&mut self) -> Option<(usize, usize)> {
        self.inner.live_size()
    }

    fn style(&self) -> (Palette, OutputFormat) {
        self.inner.style()
    }

    fn show_live(&mut self, lines: &[String]) {
        self.inner.show_live(lines);
    }

    fn keep_live(&mut self) {
        self.inner.keep_live();
    }

    fn ask_for_secret(&mut self, prompt: &str) -> Option<String> {
        self.inner.ask_for_secret(prompt)
    }

    fn with_terminal_released(&mut self, f: &mut dyn FnMut()) {
        self.inner.with_terminal_released(f);
    }

    fn take_interrupt(&mut self) -> bool {
        self.inner.take_interrupt()
    }
}
