//! Output that is captured as text, except what does not belong to the line that runs.

use std::io;

use crate::grammar::Diagnostic;
use crate::render::Palette;
use crate::schema::manual::Line;
use crate::views::View;
use crate::wire::Event;

use super::super::line::InputLine;
use super::super::output_format::OutputFormat;
use super::terminal::TerminalOutput;
use super::{NextValue, Output, ReplyContext, ServerLabel};

/// The size of the results of a filter after which no more are captured. They are shown on one screen.
const MAX_CAPTURED_BYTES: usize = 1 << 20;

/// The output of a line whose reply and errors go to a buffer. Events, notices and questions go on to the user.
pub(crate) struct CapturedOutput<'a> {
    inner: &'a mut dyn Output,
    buffer: TerminalOutput<Vec<u8>>,
    is_interrupted: bool,
}

impl<'a> CapturedOutput<'a> {
    /// Captures what would go to `inner`.
    pub(crate) fn new(inner: &'a mut dyn Output) -> CapturedOutput<'a> {
        let buffer = TerminalOutput::buffer(inner.style());
        CapturedOutput { inner, buffer, is_interrupted: false }
    }

    /// Returns the text, with escape codes for colours, and whether the user interrupted the line.
    pub(crate) fn into_text(self) -> (String, bool) {
        (String::from_utf8_lossy(&self.buffer.into_inner()).into_owned(), self.is_interrupted)
    }
}

impl Output for CapturedOutput<'_> {
    fn show_reply(&mut self, context: &ReplyContext<'_>, line: &InputLine<'_>) {
        self.buffer.show_reply(context, line);
    }

    fn show_hmp_text(&mut self, text: &str, failed: bool, line: &InputLine<'_>) {
        self.buffer.show_hmp_text(text, failed, line);
    }

    fn show_values(&mut self, next: &mut NextValue<'_>) {
        let mut is_interrupted = || {
            self.is_interrupted |= self.inner.take_interrupt();
            self.is_interrupted
        };
        // A filter may go on for ever.
        while self.buffer.get_ref().len() < MAX_CAPTURED_BYTES {
            let Some(value) = next(&mut is_interrupted) else { return };
            self.buffer.write_value(&value);
        }
    }

    fn show_event(&mut self, event: &Event) {
        self.inner.show_event(event);
    }

    fn report_not_sent(&mut self, diagnostic: &Diagnostic, line: &InputLine<'_>, fills_reply_slot: bool) {
        self.buffer.report_not_sent(diagnostic, line, fills_reply_slot);
    }

    fn report_failure(&mut self, message: &str, line: &InputLine<'_>, class: Option<&str>) {
        self.buffer.report_failure(message, line, class);
    }

    fn show_request(&mut self, message: &str) {
        self.buffer.show_request(message);
    }

    fn show_unsent_request(&mut self, message: &str) {
        self.buffer.show_unsent_request(message);
    }

    fn print(&mut self, text: &str) {
        self.buffer.print(text);
    }

    fn show_view(&mut self, view: &dyn View) {
        self.buffer.show_view(view);
    }

    fn show_page(&mut self, lines: &[Line]) {
        self.buffer.show_page(lines);
    }

    fn show_warning(&mut self, message: &str, line: &InputLine<'_>) {
        self.buffer.show_warning(message, line);
    }

    fn show_notice(&mut self, text: &str) {
        self.inner.show_notice(text);
    }

    fn set_server(&mut self, server: Option<ServerLabel<'_>>) {
        self.inner.set_server(server);
    }

    fn show_server_heading(&mut self, name: &str) {
        self.buffer.show_server_heading(name);
    }

    fn flush(&mut self) {
        self.inner.flush();
    }

    fn style(&self) -> (Palette, OutputFormat) {
        self.buffer.style()
    }

    fn write_error(&mut self) -> &mut Option<io::Error> {
        self.inner.write_error()
    }

    fn confirm(&mut self, question: &str) -> bool {
        self.inner.confirm(question)
    }

    fn ask_for_secret(&mut self, prompt: &str) -> Option<String> {
        self.inner.ask_for_secret(prompt)
    }

    fn with_terminal_released(&mut self, f: &mut dyn FnMut()) {
        self.inner.with_terminal_released(f);
    }

    fn take_interrupt(&mut self) -> bool {
        self.is_interrupted |= self.inner.take_interrupt();
        self.is_interrupted
    }
}
