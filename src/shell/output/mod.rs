//! Output of the engine, in one form for each kind of user: a person at a terminal, a program that reads a script's
//! output, a program that runs one command.

pub(crate) mod message_writer;
pub(crate) mod one_shot;
pub(crate) mod pager;
pub(crate) mod script;
pub(crate) mod terminal;

use std::io;

use crate::grammar::Diagnostic;
use crate::schema::manual::Line;
use crate::wire::{Event, Reply, Request, quote};

use super::line::InputLine;

/// The columns of the excerpt of a wrong line, where there is no terminal.
const EXCERPT_COLUMNS: usize = 120;

/// A reply, and what belongs to it.
#[derive(Debug)]
pub struct ReplyContext<'a> {
    pub reply: &'a Reply,
    pub request: &'a Request,
    /// The user stopped waiting for it earlier.
    pub late: bool,
    /// A suggestion to show with an error.
    pub hint: Option<String>,
}

/// Receives the output of the engine.
pub trait Output {
    /// Shows a reply.
    fn reply(&mut self, context: &ReplyContext<'_>, line: &InputLine<'_>);
    /// Shows the human monitor's text. `failed`: it reports a failure.
    fn hmp_text(&mut self, text: &str, failed: bool, line: &InputLine<'_>);
    /// Shows an event that passes the filter.
    fn event(&mut self, event: &Event);
    /// Reports a line that was not sent. `fills_reply_slot`: the error takes the place of a reply.
    fn not_sent(&mut self, diagnostic: &Diagnostic, line: &InputLine<'_>, fills_reply_slot: bool);
    /// Reports a failed line, without a place in it. With a class, the error takes the place of a reply.
    fn failed(&mut self, message: &str, line: &InputLine<'_>, class: Option<&str>);
    /// Shows a request about to be sent (`-v`).
    fn sending(&mut self, message: &str);
    /// Shows a request that would be sent (`--dry-run`).
    fn would_send(&mut self, message: &str);
    /// Shows text that the user asked for, such as help, with a line end after each line. A script's goes to standard
    /// error.
    fn print(&mut self, text: &str);
    /// Shows a help page.
    fn page(&mut self, lines: &[Line]);
    /// Warns about a line that still runs.
    fn warning(&mut self, message: &str, line: &InputLine<'_>);
    /// Shows an unsolicited notice.
    fn notice(&mut self, text: &str);
    /// Flushes what was written. Called before the engine blocks.
    fn flush(&mut self);
    /// Returns the place of the first write error, which is kept there.
    fn write_error(&mut self) -> &mut Option<io::Error>;

    /// Asks the user for confirmation. Without a user, confirms.
    fn confirm(&mut self, _question: &str) -> bool {
        true
    }

    /// Calls `f` while it has the standard streams to itself.
    fn with_terminal_released(&mut self, f: &mut dyn FnMut()) {
        self.flush();
        f();
    }

    /// Returns whether the user pressed Ctrl-C after the last call.
    fn take_interrupt(&mut self) -> bool {
        false
    }

    /// Returns whether a write has failed: the reader may be gone.
    fn has_failed(&mut self) -> bool {
        self.write_error().is_some()
    }

    /// Keeps the first write error.
    fn check(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.write_error().get_or_insert(error);
        }
    }
}

/// Writes the value of an error that takes the place of a missing reply.
fn error_value(class: &str, desc: &str) -> String {
    format!("{{\"class\": {}, \"desc\": {}}}", quote(class), quote(desc))
}
