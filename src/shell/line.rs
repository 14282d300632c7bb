//! A line on its way through the shell: its origin and its outcome.

use crate::render::printable;

/// The name of standard input in messages about a script.
pub(crate) const STDIN_NAME: &str = "<stdin>";

/// A logical line and its origin.
#[derive(Debug, Clone, Copy)]
pub struct InputLine<'a> {
    /// The line as the user typed it.
    pub text: &'a str,
    /// The script's name; `None` at a prompt.
    pub script: Option<&'a str>,
    /// The number of its first physical line, from 1; 0 if that has no meaning.
    pub number: usize,
}

impl InputLine<'_> {
    /// Returns the line of messages that belong to no line.
    pub(crate) fn none() -> InputLine<'static> {
        InputLine { text: "", script: None, number: 0 }
    }

    /// Returns the prefix of messages about the line: `SCRIPT:LINE: `, or nothing at a prompt.
    pub(crate) fn location(&self) -> String {
        match self.script {
            Some(name) if self.number == 0 => format!("{}: ", printable(name)),
            Some(name) => format!("{}:{}: ", printable(name), self.number),
            None => String::new(),
        }
    }
}

/// The outcome of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum LineOutcome {
    /// It succeeded, or it was a command that the user stopped waiting for.
    Done,
    /// It failed, and the failure was reported.
    Failed,
    /// It asks to leave the shell.
    Leave,
    /// The connection was lost, and that was reported.
    Disconnected,
}

impl LineOutcome {
    /// Returns `Done` or `Failed`.
    pub(crate) fn of(succeeded: bool) -> LineOutcome {
        if succeeded { LineOutcome::Done } else { LineOutcome::Failed }
    }
}
