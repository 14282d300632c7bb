//! The monitor of a connection: takes input and the time, and produces output. Owns framing, negotiation, and the order of
//! events and replies.
//!
//! Must not know about sockets or threads: the server reads the input and sends the output.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::wire::{Frame, Framer, Limits};

use super::check::check_arguments;
use super::commands;
use super::error::{CommandError, CommandResult, ErrorClass};
use super::machine::Machine;
use super::machine_config::default_machine;
use super::reply;
use super::request::Request;

/// Bounds on a request: 1 MiB, and the depth that QEMU accepts.
const REQUEST_LIMITS: Limits = Limits { max_message_bytes: 1 << 20, max_depth: 1024 };

pub struct Monitor {
    machine: Machine,
    framer: Framer,
    is_negotiated: bool,
    is_oob_enabled: bool,
    output: String,
}

impl Monitor {
    /// Creates a monitor with the initial machine. Its first output is the greeting.
    pub fn new() -> Self {
        Monitor {
            machine: default_machine(),
            framer: Framer::new(REQUEST_LIMITS),
            is_negotiated: false,
            is_oob_enabled: false,
            output: reply::greeting(),
        }
    }

    /// Processes input that was received at `now`, the time since the start.
    pub fn receive(&mut self, bytes: &[u8], now: Duration) {
        self.machine.advance(now);
        self.framer.push(bytes);
        while !self.machine.has_ended() {
            match self.framer.next_frame() {
                Ok(Some(Frame::Message(message))) => self.execute_message(&message),
                Ok(Some(Frame::SyncMarker)) => self.reply_error("the input before a byte 0xFF was discarded"),
                Ok(Some(Frame::Junk(_) | Frame::Broken(..))) => {
                    self.reply_error("invalid message; expected a JSON object")
                }
                Ok(None) => break,
                Err(_) => {
                    // The rest of the message is junk to the new framer: one error for each line.
                    self.framer = Framer::new(REQUEST_LIMITS);
                    self.reply_error("message too long or nested too deeply for the demo machine");
                }
            }
            // Events of jobs that the command has started come after the reply.
            self.machine.advance(now);
            self.send_events();
        }
    }

    /// Executes the actions that are due at `now`, the time since the start.
    pub fn advance(&mut self, now: Duration) {
        self.machine.advance(now);
        self.send_events();
    }

    /// Returns the time at which [`Monitor::advance`] is due next.
    pub fn deadline(&self) -> Option<Duration> {
        self.machine.deadline()
    }

    /// Returns whether the connection must be closed after the remaining output is sent.
    pub fn has_ended(&self) -> bool {
        self.machine.has_ended()
    }

    /// Takes the output that is ready to be sent.
    pub fn take_output(&mut self) -> String {
        std::mem::take(&mut self.output)
    }

    fn execute_message(&mut self, message: &[u8]) {
        let (id, request) = Request::parse(message, self.is_oob_enabled);
        let result = request.and_then(|request| self.execute(&request));
        // As in QEMU, the events of the command itself, such as `STOP`, come before the reply.
        self.send_events();
        self.output.push_str(&reply::reply(&result, id.as_deref()));
    }

    fn reply_error(&mut self, desc: &str) {
        self.output.push_str(&reply::reply(&Err(CommandError::generic(desc)), None));
    }

    fn send_events(&mut self) {
        for event in self.machine.take_events() {
            if self.is_negotiated {
                self.output.push_str(&reply::event(&event, SystemTime::now()));
            }
        }
    }

    fn execute(&mut self, request: &Request) -> CommandResult {
        if !self.is_negotiated {
            return self.negotiate(request);
        }
        let command = commands::find(&request.command)?;
        if request.is_oob && !command.allows_oob {
            return Err(CommandError::generic(format!("command '{}' cannot be executed out of band", command.name)));
        }
        command.execute(&mut self.machine, &request.arguments)
    }

    /// Executes a request before negotiation: only `qmp_capabilities` is accepted.
    fn negotiate(&mut self, request: &Request) -> CommandResult {
        let command = commands::find(&request.command)?;
        if command.name != "qmp_capabilities" {
            let desc = format!("command '{}' is not available before 'qmp_capabilities'", command.name);
            return Err(CommandError::new(ErrorClass::CommandNotFound, desc));
        }
        check_arguments(command.args, &request.arguments)?;
        let enable = request.arguments.get("enable").and_then(Value::as_array);
        self.is_oob_enabled = enable.is_some_and(|list| list.iter().any(|capability| capability == "oob"));
        self.is_negotiated = true;
        Ok(serde_json::json!({}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    /// Sends a line and returns the output, without timestamps.
    fn send(monitor: &mut Monitor, line: &str) -> Vec<String> {
        monitor.receive(line.as_bytes(), NOW);
        output(monitor)
    }

    fn output(monitor: &mut Monitor) -> Vec<String> {
        let text = monitor.take_output();
        let without_timestamp = |line: &str| match line.split_once("}, \"event\"") {
            Some((_, event)) => format!("{{\"event\"{event}"),
            None => line.to_owned(),
        };
        text.split_terminator("\r\n").map(without_timestamp).collect()
    }

    fn negotiated() -> Monitor {
        let mut monitor = Monitor::new();
        send(&mut monitor, "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"oob\"]}}");
        monitor
    }

    #[test]
    fn requires_negotiation_first_and_only_once() {
        let mut monitor = Monitor::new();
        assert!(output(&mut monitor)[0].starts_with("{\"QMP\": "));
        let early = send(&mut monitor, "{\"execute\": \"stop\", \"id\": 1}");
        assert!(
            early[0].starts_with("{\"error\": {\"class\": \"CommandNotFound\"") && early[0].ends_with(", \"id\": 1}")
        );
        let wrong = "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"x\"]}}";
        assert!(send(&mut monitor, wrong)[0].starts_with("{\"error\": {\"class\": \"GenericError\""));
        assert_eq!(send(&mut monitor, "{\"execute\": \"qmp_capabilities\"}"), ["{\"return\": {}}"]);
        let late = send(&mut monitor, "{\"execute\": \"qmp_capabilities\"}");
        assert!(late[0].starts_with("{\"error\": {\"class\": \"CommandNotFound\""));
        let oob = send(&mut monitor, "{\"exec-oob\": \"query-yank\"}");
        assert!(oob[0].contains("is not enabled"));
    }

    #[test]
    fn sends_events_of_a_command_before_its_reply() {
        let mut monitor = negotiated();
        let lines = send(&mut monitor, "{\"execute\": \"stop\", \"id\": 1.0}{\"execute\": \"cont\", \"id\": \"a\"}");
        assert_eq!(
            lines,
            [
                "{\"event\": \"STOP\"}",
                "{\"return\": {}, \"id\": 1.0}",
                "{\"event\": \"RESUME\"}",
                "{\"return\": {}, \"id\": \"a\"}"
            ]
        );
    }

    #[test]
    fn sends_nothing_after_quit() {
        let mut monitor = negotiated();
        let lines = send(&mut monitor, "{\"execute\": \"quit\"}{\"execute\": \"query-status\"}");
        assert_eq!(
            lines,
            [
                "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": false, \"reason\": \"host-qmp-quit\"}}",
                "{\"return\": {}}"
            ]
        );
        assert!(monitor.has_ended());
    }

    #[test]
    fn executes_only_some_commands_out_of_band() {
        let mut monitor = negotiated();
        assert!(send(&mut monitor, "{\"exec-oob\": \"query-yank\", \"id\": 1}")[0].starts_with("{\"return\": "));
        assert!(send(&mut monitor, "{\"exec-oob\": \"stop\"}")[0].contains("cannot be executed out of band"));
    }

    #[test]
    fn recovers_from_invalid_input() {
        let mut monitor = negotiated();
        monitor.receive(b"junk\n\xff{\"execute\": \xff{]{\"execute\": \"query-kvm\"}", NOW);
        let lines = output(&mut monitor);
        assert!(
            lines[..4].iter().all(|line| line.starts_with("{\"error\": {\"class\": \"GenericError\"")),
            "{lines:?}"
        );
        assert_eq!(lines[4..], ["{\"return\": {\"enabled\": false, \"present\": false}}"]);
        let deep = "{\"execute\": ".to_owned() + &"[".repeat(2000);
        assert!(send(&mut monitor, &deep)[0].contains("nested too deeply"));
        assert!(send(&mut monitor, "\n{\"execute\": \"query-kvm\"}").last().unwrap().starts_with("{\"return\""));
    }

    #[test]
    fn sends_events_of_a_job_after_the_reply() {
        let mut monitor = negotiated();
        send(
            &mut monitor,
            "{\"execute\": \"blockdev-add\", \"arguments\": {\"driver\": \"null-co\", \"node-name\": \"n\"}}",
        );
        let start = "{\"execute\": \"blockdev-mirror\", \"arguments\": \
                     {\"job-id\": \"j\", \"device\": \"disk0\", \"target\": \"n\", \"sync\": \"full\"}}";
        assert_eq!(send(&mut monitor, start).len(), 3);
        let lines = send(&mut monitor, "{\"execute\": \"job-cancel\", \"arguments\": {\"id\": \"j\"}}");
        assert_eq!(lines[0], "{\"return\": {}}");
        assert_eq!(lines.len(), 5);
        assert_eq!(monitor.deadline(), None);
    }
}
