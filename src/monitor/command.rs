//! One command of the monitor, and the call of it.

use serde_json::Value;

use crate::wire::Request;

use super::arguments::Arguments;
use super::parameter::Parameter;
use super::server::{Failure, QmpServer};
use super::state::MonitorState;

/// A command of the monitor.
#[derive(Debug)]
pub(crate) struct Command {
    /// The name; that of a subcommand of `info` begins with `info `.
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) parameters: &'static [Parameter],
    /// The purpose, in one line.
    pub(crate) summary: &'static str,
    pub(crate) coverage: Coverage,
    /// The QMP command of all servers whose own monitor has this command. `None` if every server's has it.
    pub(crate) counterpart: Option<&'static str>,
    pub(crate) run: Run,
}

/// The part of a command that QMP can serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// All of it: the text is that of QEMU's own monitor.
    Full,
    /// A part. The sentence says what is missing.
    Partial(&'static str),
    /// Nothing. The sentence names what is missing, and from which QEMU on there is something.
    Unavailable(&'static str),
}

/// A command that was entered: its arguments, and what it works with.
pub(crate) struct Invocation<'a> {
    pub(crate) command: &'static Command,
    pub(crate) arguments: Arguments,
    pub(crate) server: &'a mut dyn QmpServer,
    pub(crate) state: &'a mut MonitorState,
}

/// A function that executes a command, and returns the text that it prints, lines with their ends.
pub(crate) type Run = fn(&mut Invocation<'_>) -> Result<String, Failure>;

impl Command {
    /// Declares a command that QMP serves completely.
    pub(crate) const fn new(
        name: &'static str,
        parameters: &'static [Parameter],
        summary: &'static str,
        run: Run,
    ) -> Command {
        Command { name, aliases: &[], parameters, summary, coverage: Coverage::Full, counterpart: None, run }
    }

    /// Declares a command that no QMP command can serve. `reason` names what is missing.
    pub(crate) const fn unavailable(
        name: &'static str,
        parameters: &'static [Parameter],
        summary: &'static str,
        reason: &'static str,
    ) -> Command {
        let run = |_: &mut Invocation<'_>| Err(Failure::Text(String::new()));
        let coverage = Coverage::Unavailable(reason);
        Command { name, aliases: &[], parameters, summary, coverage, counterpart: None, run }
    }

    /// Adds other names.
    pub(crate) const fn aliases(mut self, aliases: &'static [&'static str]) -> Command {
        self.aliases = aliases;
        self
    }

    /// Declares that QMP serves only a part. `missing` says what is missing, in one sentence.
    pub(crate) const fn partial(mut self, missing: &'static str) -> Command {
        self.coverage = Coverage::Partial(missing);
        self
    }

    /// Declares that the command is unknown to servers without a QMP command, as it is to their own monitor.
    pub(crate) const fn with_counterpart(mut self, command: &'static str) -> Command {
        self.counterpart = Some(command);
        self
    }

    /// Returns the name and its aliases, as in `print|p`.
    pub(crate) fn all_names(&self) -> String {
        [&[self.name], self.aliases].concat().join("|")
    }

    /// Returns the names and the arguments, as in `eject [-f] device`.
    pub(crate) fn usage(&self) -> String {
        let parameters = self.parameters.iter().map(Parameter::usage);
        [self.all_names()].into_iter().chain(parameters).collect::<Vec<_>>().join(" ")
    }
}

impl Invocation<'_> {
    /// Sends a request that changes nothing. `arguments` is an object, whose null members are left out.
    pub(crate) fn query(&mut self, command: &str, arguments: Value) -> Result<Value, Failure> {
        self.server.query(&request(command, arguments))
    }

    /// Executes a request that has nothing to say if it succeeds. `arguments` is an object, whose null members are left
    /// out.
    pub(crate) fn execute(&mut self, command: &str, arguments: Value) -> Result<String, Failure> {
        self.server.execute(&request(command, arguments))?;
        Ok(String::new())
    }

    /// Executes a request and returns its return value. `arguments` is an object, whose null members are left out.
    pub(crate) fn execute_for_value(&mut self, command: &str, arguments: Value) -> Result<Value, Failure> {
        self.server.execute(&request(command, arguments))
    }

    /// Shows what is missing in the text of a command that QMP serves only in part.
    pub(crate) fn show_missing_part(&mut self) {
        if let Coverage::Partial(missing) = self.command.coverage {
            self.server.show_notice(missing);
        }
    }
}

/// Returns a request. `arguments` is an object, whose null members are left out, or null.
pub(crate) fn request(command: &str, arguments: Value) -> Request {
    let mut request = Request::new(command);
    if let Value::Object(mut members) = arguments {
        members.retain(|_, value| !value.is_null());
        if !members.is_empty() {
            request = request.with_arguments(Value::Object(members).to_string());
        }
    }
    request.mark_secrets();
    request
}
