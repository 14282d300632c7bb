//! Output of the engine, in one form for each kind of reader: the user at a terminal, a program that reads the output
//! of a script, and a program that runs one command.

pub(crate) mod captured;
pub(crate) mod file;
pub(crate) mod live_lines;
pub(crate) mod message_writer;
pub(crate) mod one_shot;
pub(crate) mod pager;
pub(crate) mod script;
pub(crate) mod tail;
pub(crate) mod terminal;

use std::io;

use crate::grammar::{Diagnostic, mask_secrets};
use crate::render::{Medium, Palette, excerpt};
use crate::schema::manual::Line;
use crate::views::View;
use crate::wire::{Event, Reply, Request, quote};

use super::line::InputLine;
use super::output_format::OutputFormat;

/// The width of the excerpt of a wrong line, if there is no terminal.
const EXCERPT_COLUMNS: usize = 120;

/// A reply, its request, and how to show it.
#[derive(Debug)]
pub struct ReplyContext<'a> {
    pub reply: &'a Reply,
    pub request: &'a Request,
    /// Whether the user stopped waiting for it.
    pub late: bool,
    /// A suggestion to show with an error.
    pub hint: Option<String>,
}

/// The server that output is about, where there are several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLabel<'a> {
    pub name: &'a str,
    /// Whether it is not the server of the line that runs, so that notices must name it.
    pub is_aside: bool,
}

/// A function that returns the next result of a filter as JSON, or `None` after the last one. It calls its argument while
/// it waits, and ends the filter if that returns true.
pub type NextValue<'a> = dyn FnMut(&mut dyn FnMut() -> bool) -> Option<String> + 'a;

/// The receiver of the engine's output.
pub trait Output {
    /// Shows a reply.
    fn show_reply(&mut self, context: &ReplyContext<'_>, line: &InputLine<'_>);
    /// Shows the human monitor's text. `failed` says whether it reports a failure.
    fn show_hmp_text(&mut self, text: &str, failed: bool, line: &InputLine<'_>);
    /// Shows the results of a filter, in the format of replies.
    fn show_values(&mut self, next: &mut NextValue<'_>);
    /// Shows an event that passes the filter.
    fn show_event(&mut self, event: &Event);
    /// Reports a line that was not sent. `fills_reply_slot` says whether the error takes the place of a reply.
    fn report_not_sent(&mut self, diagnostic: &Diagnostic, line: &InputLine<'_>, fills_reply_slot: bool);
    /// Reports a failed line, without a span in it. With a class, the error takes the place of a reply.
    fn report_failure(&mut self, message: &str, line: &InputLine<'_>, class: Option<&str>);
    /// Shows a request that is about to be sent (`-v`).
    fn show_request(&mut self, message: &str);
    /// Shows a request that would be sent (`--dry-run`).
    fn show_unsent_request(&mut self, message: &str);
    /// Shows text that the user asked for, such as help, with a line end after each line. In a script it goes to
    /// standard error.
    fn print(&mut self, text: &str);
    /// Shows a view: its picture, or its data in a format for programs.
    fn show_view(&mut self, view: &dyn View) {
        self.print(&view.draw(&Medium::file(&Palette::default())));
    }
    /// Shows a help page.
    fn show_page(&mut self, lines: &[Line]);
    /// Shows a warning about a line that is executed all the same.
    fn show_warning(&mut self, message: &str, line: &InputLine<'_>);
    /// Shows an unsolicited notice.
    fn show_notice(&mut self, text: &str);
    /// Flushes the output. Called before the engine blocks.
    fn flush(&mut self);
    /// Returns the place in which the first write error is kept.
    fn write_error(&mut self) -> &mut Option<io::Error>;

    /// Sets the server that the next output is about. `None` if there is only one.
    fn set_server(&mut self, _server: Option<ServerLabel<'_>>) {}

    /// Shows which server the replies after this come from, for a line that runs on several.
    fn show_server_heading(&mut self, _name: &str) {}

    /// Asks the user for confirmation. Without a user, returns true.
    fn confirm(&mut self, _question: &str) -> bool {
        true
    }

    /// Shows the progress of a long operation at a prompt, in place of the progress shown before. Empty text removes it.
    fn show_progress(&mut self, _text: &str) {}

    /// Returns the numbers of columns and rows for [`Output::show_live`]. `None` if lines that were shown cannot be
    /// replaced.
    fn live_size(&mut self) -> Option<(usize, usize)> {
        None
    }

    /// Returns the colours and the format of output that [`Output::show_live`] can show.
    fn style(&self) -> (Palette, OutputFormat) {
        (Palette::default(), OutputFormat::Pretty)
    }

    /// Shows lines in place of those shown before, until other output takes their place; none removes them. They may have
    /// escape codes for colours, so text from the server must have been made printable.
    fn show_live(&mut self, _lines: &[String]) {}

    /// Ends the lines of [`Output::show_live`], which stay where they are.
    fn keep_live(&mut self) {}

    /// Asks the user for a secret, which is not echoed. `None` without a user.
    fn ask_for_secret(&mut self, _prompt: &str) -> Option<String> {
        None
    }

    /// Calls `f`, which has the standard streams to itself.
    fn with_terminal_released(&mut self, f: &mut dyn FnMut()) {
        self.flush();
        f();
    }

    /// Returns whether the user has pressed Ctrl-C since the last call.
    fn take_interrupt(&mut self) -> bool {
        false
    }

    /// Returns whether a write has failed; the reader may be gone.
    fn has_failed(&mut self) -> bool {
        self.write_error().is_some()
    }

    /// Keeps the error of a write, if it is the first.
    fn keep_error(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.write_error().get_or_insert(error);
        }
    }
}

/// A line that was not sent, as it is described away from the prompt at which it was typed: without its secrets, since
/// standard error ends up in logs.
struct Rejection {
    message: String,
    excerpt: String,
}

impl Rejection {
    fn new(diagnostic: &Diagnostic, line: &InputLine<'_>, columns: usize, palette: &Palette) -> Rejection {
        let (text, diagnostic) = mask_secrets(line.text, diagnostic);
        let excerpt = excerpt(&text, diagnostic.span, columns, palette);
        Rejection { message: diagnostic.into_owned().message, excerpt }
    }
}

/// Returns the value of an error that takes the place of a missing reply.
fn error_value(class: &str, desc: &str) -> String {
    format!("{{\"class\": {}, \"desc\": {}}}", quote(class), quote(desc))
}
