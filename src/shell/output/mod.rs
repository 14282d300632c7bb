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
use crate::wire::{Event, Reply, Request};

use super::line::InputLine;

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
    /// A reply.
    fn reply(&mut self, context: &ReplyContext<'_>, line: &InputLine<'_>);
    /// The human monitor's text. `failed` where it reports a failure.
    fn hmp_text(&mut self, text: &str, failed: bool, line: &InputLine<'_>);
    /// An event that passes the filter.
    fn event(&mut self, event: &Event);
    /// The error of a line that was not sent. `counts_as_reply` where its reply is missing from the output.
    fn not_sent(&mut self, diagnostic: &Diagnostic, line: &InputLine<'_>, counts_as_reply: bool);
    /// The error of a line, without a place in it. `class` names the error where a reply is missing from the output.
    fn failed(&mut self, message: &str, line: &InputLine<'_>, class: Option<&str>);
    /// A request about to be sent (`-v`).
    fn sending(&mut self, message: &str);
    /// A request that would be sent (`--dry-run`).
    fn would_send(&mut self, message: &str);
    /// Text that the user asked for: help, lists.
    fn print(&mut self, text: &str);
    /// A help page.
    fn page(&mut self, lines: &[Line]);
    /// A warning about a line that still runs.
    fn warning(&mut self, message: &str, line: &InputLine<'_>);
    /// An unsolicited notice.
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

    /// Whether a write has failed: the reader may be gone.
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
    use crate::wire::quote;
    format!("{{\"class\": {}, \"desc\": {}}}", quote(class), quote(desc))
}
