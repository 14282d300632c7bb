//! What the engine has to say, and to whom: the prompt and the script each say it in their way.

pub(crate) mod message_writer;
pub(crate) mod one_shot;
pub(crate) mod pager;
pub(crate) mod script;
pub(crate) mod terminal;

use std::io;

use crate::grammar::Diagnostic;
use crate::render::printable;
use crate::schema::manual::Line;
use crate::wire::{Event, Reply, Request};

/// A whole line and where it came from.
#[derive(Debug, Clone, Copy)]
pub struct InputLine<'a> {
    /// The line as typed.
    pub text: &'a str,
    /// The script's name; `None` at a prompt.
    pub script: Option<&'a str>,
    /// The number of its first physical line, from 1.
    pub number: usize,
}

impl InputLine<'_> {
    /// `SCRIPT:LINE: `, to stand before a message; nothing at a prompt.
    pub(crate) fn place(&self) -> String {
        match self.script {
            Some(name) => format!("{}:{}: ", printable(name), self.number),
            None => String::new(),
        }
    }
}

/// A reply and all that belongs to it.
#[derive(Debug)]
pub struct ReplyContext<'a> {
    /// The reply.
    pub reply: &'a Reply,
    /// What it answers.
    pub request: &'a Request,
    /// Whether the user gave up waiting for it earlier.
    pub late: bool,
    /// Advice that goes with an error.
    pub hint: Option<String>,
}

/// Takes what the engine has to say.
pub trait Output {
    /// A reply came.
    fn answer(&mut self, answer: &ReplyContext<'_>, source: &InputLine<'_>);
    /// The human monitor's text came; `failed` where it reports a failure.
    fn monitor_text(&mut self, text: &str, failed: bool, source: &InputLine<'_>);
    /// An event came that the filter lets through.
    fn event(&mut self, event: &Event);
    /// A line was not sent. `counts_as_reply` where its reply is missing from the output thereby.
    fn not_sent(&mut self, fault: &Diagnostic, source: &InputLine<'_>, counts_as_reply: bool);
    /// A line failed without a place to point at. `class` names the failure where a reply is missing thereby.
    fn failed(&mut self, message: &str, source: &InputLine<'_>, class: Option<&str>);
    /// A request is about to be sent (`-v`).
    fn sending(&mut self, message: &str);
    /// The request that would be sent (`--dry-run`).
    fn would_send(&mut self, message: &str);
    /// Text that the user asked for: help, lists.
    fn text(&mut self, text: &str);
    /// A page of help that the user asked for.
    fn page(&mut self, lines: &[Line]);
    /// A line does what it says, but there is something to be said against it.
    fn warning(&mut self, message: &str, source: &InputLine<'_>);
    /// Something worth knowing that nobody asked for.
    fn notice(&mut self, text: &str);
    /// A question that needs a yes; a script answers it without asking.
    fn confirm(&mut self, question: &str) -> bool;
    /// Runs something that has the standard streams to itself.
    fn with_terminal_released(&mut self, work: &mut dyn FnMut());
    /// Whether the user pressed Ctrl-C since this was last asked.
    fn interrupted(&mut self) -> bool;
    /// Everything said so far is to be seen: the engine is about to wait.
    fn flush(&mut self);
    /// Whether there is a failure to write to be taken: nobody may be reading any more.
    fn has_failed(&self) -> bool;
    /// The first failure to write, once.
    fn take_error(&mut self) -> Option<io::Error>;
}
