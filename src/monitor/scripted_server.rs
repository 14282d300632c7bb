//! A server for unit tests, which replies by a script.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;

use crate::wire::Request;

use super::line::run_line;
use super::server::{Failure, QmpServer};
use super::state::MonitorState;

/// A server that replies in a fixed order, and records what it is asked and told.
#[derive(Default)]
pub(super) struct ScriptedServer {
    replies: VecDeque<(&'static str, Result<Value, Failure>)>,
    log: Vec<String>,
    /// The number of pauses before the user presses Ctrl-C.
    pauses_before_interrupt: Option<usize>,
}

impl ScriptedServer {
    /// Adds the reply to the next request, which must be for `command`.
    pub(super) fn reply(mut self, command: &'static str, value: Value) -> ScriptedServer {
        self.replies.push_back((command, Ok(value)));
        self
    }

    /// Adds the failure of the next request, which must be for `command`.
    pub(super) fn fail(mut self, command: &'static str, failure: Failure) -> ScriptedServer {
        self.replies.push_back((command, Err(failure)));
        self
    }

    /// Lets the user press Ctrl-C after a number of pauses.
    pub(super) fn interrupt_after(mut self, pauses: usize) -> ScriptedServer {
        self.pauses_before_interrupt = Some(pauses);
        self
    }

    /// Executes a line. Returns the requests and notices, and at the end the text or the failure.
    pub(super) fn run(mut self, line: &str) -> String {
        let end = match run_line(line, &mut self, &mut MonitorState::default()) {
            Ok(text) => format!("text: {text:?}"),
            Err(failure) => format!("failure: {failure:?}"),
        };
        self.log.push(end);
        let log = self.log.join("\n") + "\n";
        log.replace(&format!("-{}-", std::process::id()), "-{PID}-")
    }

    /// Executes a line that succeeds, and returns its text.
    pub(super) fn text(mut self, line: &str) -> String {
        run_line(line, &mut self, &mut MonitorState::default()).unwrap()
    }
}

impl QmpServer for ScriptedServer {
    fn query(&mut self, request: &Request) -> Result<Value, Failure> {
        let arguments = request.arguments.as_deref().map(|arguments| format!(" {arguments}")).unwrap_or_default();
        self.log.push(format!("{}{arguments}", request.command));
        let (command, reply) = self.replies.pop_front().unwrap_or_else(|| panic!("no reply to {:?}", self.log));
        assert_eq!(request.command, command, "{:?}", self.log);
        reply
    }

    fn execute(&mut self, request: &Request) -> Result<Value, Failure> {
        self.query(request)
    }

    fn pause(&mut self, _: Duration) -> Result<(), Failure> {
        let Some(pauses) = &mut self.pauses_before_interrupt else { return Ok(()) };
        *pauses = pauses.checked_sub(1).ok_or(Failure::Interrupted)?;
        Ok(())
    }

    fn show_progress(&mut self, text: &str) {
        self.log.push(format!("progress: {text}"));
    }

    fn show_notice(&mut self, text: &str) {
        self.log.push(format!("notice: {text}"));
    }
}
