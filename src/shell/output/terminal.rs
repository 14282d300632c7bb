//! Output for the user at a terminal.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::grammar::Diagnostic;
use crate::render::{Medium, Palette, caret_under, event_line, excerpt, manual_text, printable, sanitize};
use crate::schema::manual::Line;
use crate::views::View;
use crate::wire::{Event, HMP_COMMAND, ReplyBody};

use super::super::hmp::{has_succeeded, hmp_text};
use super::super::line::InputLine;
use super::super::output_format::OutputFormat;
use super::super::settings::Settings;
use super::super::terminal::raw_mode::NoEchoGuard;
use super::super::terminal::size::terminal_size;
use super::live_lines::{LiveLines, can_replace_lines};
use super::pager::{exceeds_screen, page_text, run_pager, shows_colors, without_colors};
use super::{NextValue, Output, Rejection, ReplyContext, ServerLabel};

/// The maximum length of a reply that is formatted in memory; longer ones are formatted into the pager.
const MAX_BUFFERED_BYTES: usize = 1 << 20;

/// Output to the terminal, or to a buffer that is shown above the line being typed.
pub(crate) struct TerminalOutput<W> {
    out: W,
    palette: Palette,
    format: OutputFormat,
    pager: Option<String>,
    /// The width of the prompt before the line that was typed.
    prompt_width: usize,
    interrupted: Arc<AtomicBool>,
    no_echo: Option<NoEchoGuard>,
    live: LiveLines,
    /// The corrected form of the last line.
    correction: Option<String>,
    /// The server that the output is about, if there are several.
    server: Option<String>,
    /// Whether notices name it.
    is_aside: bool,
    error: Option<io::Error>,
    /// The number of columns at the right that stay free.
    free_columns: usize,
}

impl<W: Write> TerminalOutput<W> {
    pub(crate) fn new(out: W, palette: Palette, interrupted: Arc<AtomicBool>) -> TerminalOutput<W> {
        TerminalOutput {
            out,
            palette,
            format: OutputFormat::Auto,
            pager: None,
            prompt_width: 0,
            interrupted,
            no_echo: None,
            live: LiveLines::default(),
            correction: None,
            server: None,
            is_aside: false,
            error: None,
            free_columns: 0,
        }
    }

    /// Returns the width of a line.
    fn columns(&self) -> usize {
        terminal_size().0.saturating_sub(self.free_columns)
    }

    /// Returns the corrected form of the last line, if it was refused and only one seems right.
    pub(crate) fn take_correction(&mut self) -> Option<String> {
        self.correction.take()
    }

    /// Turns off the terminal's echo until this is dropped. `released` is set while another program has the terminal.
    pub(crate) fn disable_echo(&mut self, released: Arc<AtomicBool>) {
        self.no_echo = NoEchoGuard::enable(released);
    }

    fn with_original_mode<T>(&self, f: impl FnOnce() -> T) -> T {
        match &self.no_echo {
            Some(guard) => guard.with_original_mode(f),
            None => f(),
        }
    }

    /// Applies the settings that concern output.
    pub(crate) fn apply(&mut self, settings: &Settings, prompt_width: usize) {
        self.format = settings.output;
        self.pager.clone_from(&settings.pager);
        self.prompt_width = prompt_width;
    }
}

impl TerminalOutput<Vec<u8>> {
    /// Returns output to a buffer, in which errors show their line again. Lines that are shown in place of others do not
    /// reach the last column.
    pub(crate) fn buffer((palette, format): (Palette, OutputFormat)) -> Self {
        let buffer = TerminalOutput::new(Vec::new(), palette, Arc::default());
        TerminalOutput { format, prompt_width: usize::MAX / 2, free_columns: 1, ..buffer }
    }
}

impl<W: Write> TerminalOutput<W> {
    pub(crate) fn get_ref(&self) -> &W {
        &self.out
    }

    /// Returns the buffer that was written to.
    pub(crate) fn into_inner(self) -> W {
        self.out
    }

    fn write(&mut self, text: &str) {
        let columns = self.columns();
        let cleared = self.live.take_clearing(columns);
        let result = self.out.write_all(cleared.as_bytes());
        self.keep_error(result);
        let result = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        self.keep_error(result);
    }

    /// Writes `text`, through the pager if it is longer than the screen.
    fn write_paged(&mut self, text: &str) {
        if !exceeds_screen(text) || !self.with_pager(|command| page_text(command, text)) {
            self.write(text);
        }
    }

    /// Calls `f`, which runs the pager and waits until the user leaves it, with the pager's command. Returns false if
    /// there is no pager, or if it failed, which is reported.
    fn with_pager(&mut self, f: impl FnOnce(&str) -> Result<(), String>) -> bool {
        let Some(command) = self.pager.clone() else { return false };
        let result = self.with_original_mode(|| f(&command));
        self.interrupted.store(false, Ordering::SeqCst);
        if let Err(message) = &result {
            self.write_error_line(message);
        }
        result.is_ok()
    }

    pub(super) fn write_value(&mut self, raw: &str) {
        let format = self.format;
        let columns = self.columns();
        let is_long = raw.len() > MAX_BUFFERED_BYTES && !format.shows_whole_replies();
        if is_long {
            let colored = self.palette.clone();
            let paged = self.with_pager(|command| {
                let palette = if shows_colors(command) { colored } else { Palette::default() };
                let medium = Medium { palette: &palette, columns };
                run_pager(command, |input| drop(format.write_value(raw, &medium, true, input)))
            });
            if paged {
                return;
            }
        }
        let mut text = Vec::new();
        let medium = Medium { palette: &self.palette, columns };
        let result = format.write_value(raw, &medium, true, &mut text);
        self.keep_error(result);
        let text = String::from_utf8_lossy(&text);
        if is_long { self.write(&text) } else { self.write_paged(&text) }
    }

    /// Returns the name of the server before a notice that is not about the line that runs.
    fn aside(&self) -> String {
        match &self.server {
            Some(name) if self.is_aside => format!("{name}: "),
            _ => String::new(),
        }
    }

    pub(crate) fn write_error_line(&mut self, message: &str) {
        let label = self.palette.paint(&self.palette.error, "error:");
        self.write(&format!("{label} {}\n", sanitize(message)));
    }
}

impl<W: Write> Output for TerminalOutput<W> {
    fn show_reply(&mut self, context: &ReplyContext<'_>, line: &InputLine<'_>) {
        let (reply, request) = (context.reply, context.request);
        if context.late {
            self.show_notice(&format!("The reply to `{}` has arrived:", printable(&request.command)));
            if request.command == HMP_COMMAND
                && let Some(text) = hmp_text(reply)
            {
                return self.show_hmp_text(&text, !has_succeeded(request, reply), line);
            }
        }
        match reply.body() {
            _ if request.id.is_some() || self.format.shows_whole_replies() => {
                let (key, value) = reply.member();
                let id = request.id.as_ref().map(|id| format!(", \"id\": {id}")).unwrap_or_default();
                self.write_value(&format!("{{\"{key}\": {value}{id}}}"));
            }
            ReplyBody::Return(raw) => self.write_value(raw),
            ReplyBody::Error { class, desc } => {
                let location = line.location();
                let class = self.palette.paint(&self.palette.error, &format!("{location}{}:", printable(class)));
                self.write(&format!("{class} {}\n", sanitize(desc)));
            }
        }
        if let Some(hint) = &context.hint {
            self.show_notice(hint);
        }
    }

    fn show_hmp_text(&mut self, text: &str, failed: bool, _line: &InputLine<'_>) {
        let mut text = sanitize(text).into_owned();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        if failed {
            text = text.lines().map(|line| self.palette.paint(&self.palette.error, line) + "\n").collect();
        }
        self.write_paged(&text);
    }

    fn show_values(&mut self, next: &mut NextValue<'_>) {
        let (format, palette, columns) = (self.format, self.palette.clone(), self.columns());
        let medium = Medium { palette: &palette, columns };
        let interrupted = Arc::clone(&self.interrupted);
        let mut is_interrupted = || interrupted.swap(false, Ordering::SeqCst);
        let mut text = Vec::new();
        while text.len() < MAX_BUFFERED_BYTES && !exceeds_screen(&String::from_utf8_lossy(&text)) {
            let Some(value) = next(&mut is_interrupted) else {
                return self.write(&String::from_utf8_lossy(&text));
            };
            let result = format.write_value(&value, &medium, true, &mut text);
            self.keep_error(result);
        }
        let paged = self.with_pager(|command| {
            let text = String::from_utf8_lossy(&text);
            let (text, palette) = match shows_colors(command) {
                true => (text, palette.clone()),
                false => (without_colors(&text).into_owned().into(), Palette::default()),
            };
            let medium = Medium { palette: &palette, columns };
            run_pager(command, |input| {
                let mut result = input.write_all(text.as_bytes());
                while result.is_ok()
                    && let Some(value) = next(&mut is_interrupted)
                {
                    result = format.write_value(&value, &medium, true, input);
                }
            })
        });
        if paged {
            return;
        }
        self.write(&String::from_utf8_lossy(&text));
        while !self.has_failed()
            && let Some(value) = next(&mut is_interrupted)
        {
            let mut text = Vec::new();
            let result = format.write_value(&value, &medium, true, &mut text);
            self.keep_error(result);
            self.write(&String::from_utf8_lossy(&text));
        }
    }

    fn show_event(&mut self, event: &Event) {
        let line = event_line(event, self.server.as_deref(), &self.palette);
        self.write(&format!("{line}\n"));
    }

    fn report_not_sent(&mut self, diagnostic: &Diagnostic, line: &InputLine<'_>, _fills_reply_slot: bool) {
        let columns = self.columns();
        self.correction = diagnostic.corrected(line.text).filter(|_| line.script.is_none());
        let mut message = diagnostic.message.clone();
        let excerpt = match line.script {
            Some(_) => {
                let rejection = Rejection::new(diagnostic, line, columns, &self.palette);
                message = rejection.message;
                rejection.excerpt
            }
            None => caret_under(line.text, diagnostic.span, self.prompt_width, columns, &self.palette)
                .unwrap_or_else(|| excerpt(line.text, diagnostic.span, columns, &self.palette)),
        };
        self.write(&format!("{excerpt}\n"));
        self.write_error_line(&format!("{}{message}", line.location()));
    }

    fn report_failure(&mut self, message: &str, line: &InputLine<'_>, _class: Option<&str>) {
        self.write_error_line(&format!("{}{}{message}", line.location(), self.aside()));
    }

    fn show_request(&mut self, message: &str) {
        let server = self.server.as_ref().filter(|_| !self.is_aside).map(|name| format!("{name}: "));
        self.show_notice(&format!("{}-> {message}", server.unwrap_or_default()));
    }

    fn show_unsent_request(&mut self, message: &str) {
        self.write(&format!("{}\n", sanitize(message)));
    }

    fn print(&mut self, text: &str) {
        let text = sanitize(text).into_owned();
        self.write_paged(&text);
    }

    fn show_view(&mut self, view: &dyn View) {
        if !self.format.shows_pictures() {
            return self.write_value(&view.json());
        }
        let columns = self.columns();
        let text = view.draw(&Medium { palette: &self.palette, columns });
        if view.fits_screen() { self.write(&text) } else { self.write_paged(&text) }
    }

    fn show_page(&mut self, lines: &[Line]) {
        let text = manual_text(lines, &self.palette);
        self.write_paged(&text);
    }

    fn show_warning(&mut self, message: &str, line: &InputLine<'_>) {
        let label = self.palette.paint(&self.palette.warning, &format!("{}warning:", line.location()));
        self.write(&format!("{label} {}\n", sanitize(message)));
    }

    fn show_notice(&mut self, text: &str) {
        let line = self.palette.paint(&self.palette.dim, &sanitize(&format!("{}{text}", self.aside())));
        self.write(&format!("{line}\n"));
    }

    fn set_server(&mut self, server: Option<ServerLabel<'_>>) {
        self.server = server.map(|label| label.name.to_owned());
        self.is_aside = server.is_some_and(|label| label.is_aside);
    }

    fn show_server_heading(&mut self, name: &str) {
        let heading = self.palette.paint(&self.palette.name, &format!("{name}:"));
        self.write(&format!("{heading}\n"));
    }

    fn flush(&mut self) {
        let result = self.out.flush();
        self.keep_error(result);
    }

    fn write_error(&mut self) -> &mut Option<io::Error> {
        &mut self.error
    }

    fn confirm(&mut self, question: &str) -> bool {
        self.write(&format!("{question} [y/N] "));
        let answer = self.with_original_mode(|| read_answer(&self.interrupted));
        if answer.is_none() {
            self.write("\n");
        }
        matches!(answer.as_deref().map(str::trim), Some("y" | "Y" | "yes" | "Yes" | "YES"))
    }

    fn show_progress(&mut self, text: &str) {
        if !text.is_empty() && !can_replace_lines() {
            if self.live.is_due() {
                self.show_notice(text);
            }
            return;
        }
        let line = Some(sanitize(text).into_owned()).filter(|line| !line.is_empty());
        self.show_live(line.as_slice());
    }

    fn live_size(&mut self) -> Option<(usize, usize)> {
        can_replace_lines().then(terminal_size)
    }

    fn style(&self) -> (Palette, OutputFormat) {
        (self.palette.clone(), self.format)
    }

    fn show_live(&mut self, lines: &[String]) {
        let (columns, rows) = terminal_size();
        let text = self.live.replace_with(lines, columns, rows);
        let result = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        self.keep_error(result);
    }

    fn keep_live(&mut self) {
        if self.live.keep() {
            self.write("\n");
        }
    }

    fn ask_for_secret(&mut self, prompt: &str) -> Option<String> {
        self.write(prompt);
        let answer = match &self.no_echo {
            Some(guard) => guard.with_hidden_line(|| read_answer(&self.interrupted)),
            None => None,
        };
        if answer.is_none() {
            self.write("\n");
        }
        answer
    }

    fn with_terminal_released(&mut self, f: &mut dyn FnMut()) {
        self.with_original_mode(f);
    }

    fn take_interrupt(&mut self) -> bool {
        self.interrupted.swap(false, Ordering::SeqCst)
    }
}

/// Reads a line from the terminal. `None` at the end of the input and on Ctrl-C.
fn read_answer(interrupted: &AtomicBool) -> Option<String> {
    let input = rustix::stdio::stdin();
    let mut line = Vec::new();
    interrupted.store(false, Ordering::SeqCst);
    loop {
        // Waits briefly, because Ctrl-C is handled by another thread, which sets the flag.
        let mut fds = [rustix::event::PollFd::new(&input, rustix::event::PollFlags::IN)];
        let timeout = rustix::event::Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        let ready = rustix::event::poll(&mut fds, Some(&timeout)).unwrap_or(0);
        if interrupted.swap(false, Ordering::SeqCst) {
            return None;
        }
        if ready == 0 {
            continue;
        }
        let mut byte = [0];
        match rustix::io::read(input, &mut byte) {
            Ok(0) => return None,
            Ok(_) if byte[0] == b'\n' => return String::from_utf8(line).ok(),
            Ok(_) => line.push(byte[0]),
            Err(rustix::io::Errno::INTR) => std::thread::sleep(Duration::from_millis(1)),
            Err(_) => return None,
        }
    }
}
