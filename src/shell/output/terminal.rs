//! What the engine says, said to a person at a terminal.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::grammar::Diagnostic;
use crate::render::{
    JsonStyle, Palette, caret_under, event_line, excerpt, manual_text, printable, sanitize, write_json,
};
use crate::schema::manual::Line;
use crate::wire::{Event, ReplyBody};

use super::pager::{Pager, is_long};
use super::{InputLine, Output, ReplyContext};
use crate::shell::engine::hmp::{is_failure, monitor_text};
use crate::shell::settings::{OutputForm, Settings};
use crate::shell::terminal::raw_mode::NoEchoGuard;

/// Replies of more bytes than this go to the pager without being looked at first.
const CERTAINLY_LONG: usize = 1 << 20;

/// Where text for a person goes: the terminal itself, or a text to be shown above the line being typed.
pub(crate) struct Terminal<W> {
    out: W,
    palette: Palette,
    form: OutputForm,
    pager: Option<String>,
    /// The columns in front of the line that was typed.
    prompt_width: usize,
    interrupted: Arc<AtomicBool>,
    /// The terminal is kept quiet between prompts.
    quiet: Option<NoEchoGuard>,
    error: Option<io::Error>,
}

/// Columns and rows of the terminal.
pub(crate) fn size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout());
    match size {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

impl<W: Write> Terminal<W> {
    pub(crate) fn new(out: W, palette: Palette, interrupted: Arc<AtomicBool>) -> Terminal<W> {
        Terminal {
            out,
            palette,
            form: OutputForm::Pretty,
            pager: None,
            prompt_width: 0,
            interrupted,
            quiet: None,
            error: None,
        }
    }

    /// Keeps the terminal quiet from now on, until this is dropped. `lent` is set while others have it.
    pub(crate) fn disable_echo(&mut self, lent: Arc<AtomicBool>) {
        self.quiet = NoEchoGuard::begin(lent);
    }

    /// Runs `work` with the terminal as it was found.
    fn with_terminal<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.quiet {
            Some(quiet) => quiet.with_terminal_released(work),
            None => work(),
        }
    }

    /// Takes the settings that matter here.
    pub(crate) fn apply(&mut self, settings: &Settings, prompt_width: usize) {
        self.form = settings.output;
        self.pager.clone_from(&settings.pager);
        self.prompt_width = prompt_width;
    }

    /// What was written, for a terminal that writes to memory.
    pub(crate) fn into_inner(self) -> W {
        self.out
    }

    fn put(&mut self, text: &str) {
        let result = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        self.note(result);
    }

    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }

    /// Shows a text, through the pager where it is longer than the screen.
    fn put_long(&mut self, text: &str) {
        // A pager that was left early closes its input; that is no failure.
        let paged = is_long(text) && self.paged(|pager| drop(pager.write_all(text.as_bytes())));
        if !paged {
            self.put(text);
        }
    }

    /// Lets `write` write to the pager, and waits until the user has left it. False where there is none.
    fn paged(&mut self, write: impl FnOnce(&mut Pager)) -> bool {
        let Some(command) = self.pager.clone() else { return false };
        let shown = self.with_terminal(|| Pager::start(&command).map(|mut pager| write(&mut pager)).is_some());
        self.interrupted.store(false, Ordering::SeqCst);
        shown
    }

    fn value(&mut self, raw: &str) {
        let layout = match self.form {
            OutputForm::Pretty => JsonStyle::Indented,
            OutputForm::Json => JsonStyle::Line,
        };
        if raw.len() > CERTAINLY_LONG && layout == JsonStyle::Indented {
            let palette = self.palette.clone();
            let write = |pager: &mut Pager| {
                drop(write_json(raw, layout, &palette, true, pager).and_then(|()| pager.write_all(b"\n")));
            };
            if self.paged(write) {
                return;
            }
        }
        let mut text = Vec::new();
        let result = write_json(raw, layout, &self.palette, true, &mut text);
        self.note(result);
        text.push(b'\n');
        self.put_long(&String::from_utf8_lossy(&text));
    }

    fn error_line(&mut self, message: &str) {
        let label = self.palette.paint(&self.palette.error, "error:");
        self.put(&format!("{label} {}\n", sanitize(message)));
    }
}

impl<W: Write> Output for Terminal<W> {
    fn answer(&mut self, answer: &ReplyContext<'_>, source: &InputLine<'_>) {
        if answer.late {
            let line = format!("The reply to `{}` has come:", printable(&answer.request.command));
            self.notice(&line);
            if answer.request.command == "human-monitor-command"
                && let Some(text) = monitor_text(answer.reply)
            {
                return self.monitor_text(&text, is_failure(&text), source);
            }
        }
        match answer.reply.body() {
            _ if answer.request.id.is_some() || self.form == OutputForm::Json => {
                let (key, value) = answer.reply.member();
                let id = answer.request.id.as_ref().map(|id| format!(", \"id\": {id}")).unwrap_or_default();
                self.value(&format!("{{\"{key}\": {value}{id}}}"));
            }
            ReplyBody::Return(raw) => self.value(raw),
            ReplyBody::Error { class, desc } => {
                let place = source.place();
                let class = self.palette.paint(&self.palette.error, &format!("{place}{}:", printable(class)));
                self.put(&format!("{class} {}\n", sanitize(desc)));
            }
        }
        if let Some(hint) = &answer.hint {
            let hint = self.palette.paint(&self.palette.dim, &sanitize(hint));
            self.put(&format!("{hint}\n"));
        }
    }

    fn monitor_text(&mut self, text: &str, failed: bool, _source: &InputLine<'_>) {
        let mut text = sanitize(text).into_owned();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        if failed {
            text = text.lines().map(|line| self.palette.paint(&self.palette.error, line) + "\n").collect();
        }
        self.put_long(&text);
    }

    fn event(&mut self, event: &Event) {
        let line = event_line(event, &self.palette);
        self.put(&format!("{line}\n"));
    }

    fn not_sent(&mut self, fault: &Diagnostic, source: &InputLine<'_>, _in_step: bool) {
        let (columns, _) = size();
        let at_prompt = source.script.is_none();
        let caret = caret_under(source.text, fault.span, self.prompt_width, columns, &self.palette);
        match caret.filter(|_| at_prompt) {
            Some(caret) => self.put(&format!("{caret}\n")),
            None => {
                let text = excerpt(source.text, fault.span, columns, &self.palette);
                self.put(&format!("{text}\n"));
            }
        }
        let message = format!("{}{}", source.place(), fault.message);
        self.error_line(&message);
    }

    fn failed(&mut self, message: &str, source: &InputLine<'_>, _class: Option<&str>) {
        let message = format!("{}{message}", source.place());
        self.error_line(&message);
    }

    fn sending(&mut self, message: &str) {
        let line = self.palette.paint(&self.palette.dim, &format!("-> {}", sanitize(message)));
        self.put(&format!("{line}\n"));
    }

    fn would_send(&mut self, message: &str) {
        self.put(&format!("{}\n", sanitize(message)));
    }

    fn text(&mut self, text: &str) {
        let text = sanitize(text).into_owned();
        self.put_long(&text);
    }

    fn page(&mut self, lines: &[Line]) {
        let text = manual_text(lines, &self.palette);
        self.put_long(&text);
    }

    fn warning(&mut self, message: &str, source: &InputLine<'_>) {
        self.notice(&format!("{}warning: {message}", source.place()));
    }

    fn notice(&mut self, text: &str) {
        let line = self.palette.paint(&self.palette.dim, &sanitize(text));
        self.put(&format!("{line}\n"));
    }

    fn confirm(&mut self, question: &str) -> bool {
        self.put(&format!("{question} [y/N] "));
        let answer = self.with_terminal(|| read_answer(&self.interrupted));
        if answer.is_none() {
            self.put("\n");
        }
        matches!(answer.as_deref().map(str::trim), Some("y" | "Y" | "yes" | "Yes" | "YES"))
    }

    fn with_terminal_released(&mut self, work: &mut dyn FnMut()) {
        self.with_terminal(work);
    }

    fn interrupted(&mut self) -> bool {
        self.interrupted.swap(false, Ordering::SeqCst)
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

/// A line from the terminal; `None` at its end, or on Ctrl-C.
fn read_answer(interrupted: &AtomicBool) -> Option<String> {
    let input = rustix::stdio::stdin();
    let mut line = Vec::new();
    interrupted.store(false, Ordering::SeqCst);
    loop {
        // Short waits: Ctrl-C reaches another thread, which sets the flag.
        let mut fds = [rustix::event::PollFd::new(&input, rustix::event::PollFlags::IN)];
        let wait = rustix::event::Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        let ready = rustix::event::poll(&mut fds, Some(&wait)).unwrap_or(0);
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
