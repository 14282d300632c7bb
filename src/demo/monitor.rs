//! One connection's monitor: bytes and time in, text out. Owns framing, negotiation and the order of events and replies.
//!
//! Knows no socket: the server hands it what it has read and sends what it answers.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::wire::{Frame, Framer, Limits};

use super::commands;
use super::failure::{Class, Failure, Outcome};
use super::machine::Machine;
use super::machine_config::default_machine;
use super::reply;
use super::request::Request;

/// Bounds on what a client may send: 1 MiB, and QEMU's own depth.
const LIMITS: Limits = Limits { message: 1 << 20, depth: 1024 };

/// The monitor and the machine behind it.
pub struct Monitor {
    machine: Machine,
    framer: Framer,
    /// Whether `qmp_capabilities` has succeeded.
    negotiated: bool,
    /// Whether out-of-band execution is enabled.
    oob: bool,
    out: String,
}

impl Monitor {
    /// A monitor that is about to greet.
    pub fn new() -> Self {
        Monitor {
            machine: default_machine(),
            framer: Framer::new(LIMITS),
            negotiated: false,
            oob: false,
            out: reply::greeting(),
        }
    }

    /// Takes what the client has sent, `now` after the start.
    pub fn feed(&mut self, bytes: &[u8], now: Duration) {
        self.machine.advance(now);
        self.framer.push(bytes);
        while !self.machine.has_ended() {
            match self.framer.next_frame() {
                Ok(Some(Frame::Message(message))) => self.answer(&message),
                Ok(Some(Frame::SyncMarker)) => {
                    self.refuse("a byte 0xFF has made the server forget what came before it")
                }
                Ok(Some(Frame::Junk(_))) => self.refuse("a message is a JSON object, and this is none"),
                Ok(None) => break,
                Err(_) => {
                    // Whatever is left of the message reads as junk: each line of it is one more such error.
                    self.framer = Framer::new(LIMITS);
                    self.refuse("the message is longer or nested deeper than the demo machine reads");
                }
            }
            // What the command has asked for comes after its reply.
            self.machine.advance(now);
            self.tell();
        }
    }

    /// Lets time pass, up to `now` after the start.
    pub fn advance(&mut self, now: Duration) {
        self.machine.advance(now);
        self.tell();
    }

    /// When [`Monitor::advance`] is next due.
    pub fn deadline(&self) -> Option<Duration> {
        self.machine.deadline()
    }

    /// Whether the connection is to be closed once everything is sent.
    pub fn has_ended(&self) -> bool {
        self.machine.has_ended()
    }

    /// Takes what is to be sent.
    pub fn take_output(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    fn answer(&mut self, message: &[u8]) {
        let (id, request) = Request::parse(message, self.oob);
        let outcome = request.and_then(|request| self.execute(&request));
        // A command's own events, such as STOP, go out before its reply.
        self.tell();
        self.out.push_str(&reply::reply(&outcome, id.as_deref()));
    }

    fn refuse(&mut self, desc: &str) {
        self.out.push_str(&reply::reply(&Err(Failure::new(desc)), None));
    }

    fn tell(&mut self) {
        for event in self.machine.take_events() {
            if self.negotiated {
                self.out.push_str(&reply::event(&event, SystemTime::now()));
            }
        }
    }

    fn execute(&mut self, request: &Request) -> Outcome {
        if !self.negotiated {
            return self.negotiate(request);
        }
        let command = commands::find(&request.command)?;
        if request.oob && !command.oob {
            return Err(Failure::new(format!("command '{}' cannot run out-of-band", command.name)));
        }
        command.execute(&mut self.machine, &request.arguments)
    }

    /// Until the capabilities are negotiated, the one command that does it is the only one there is.
    fn negotiate(&mut self, request: &Request) -> Outcome {
        let command = commands::find(&request.command)?;
        if command.name != "qmp_capabilities" {
            let desc = format!("'{}' has to wait: the first command is 'qmp_capabilities'", command.name);
            return Err(Failure::of(Class::CommandNotFound, desc));
        }
        super::check::arguments(command.args, &request.arguments)?;
        let enable = request.arguments.get("enable").and_then(Value::as_array);
        self.oob = enable.is_some_and(|list| list.iter().any(|capability| capability == "oob"));
        self.negotiated = true;
        Ok(serde_json::json!({}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    /// What the monitor says to each line, time stamps cut out.
    fn talk(monitor: &mut Monitor, line: &str) -> Vec<String> {
        monitor.feed(line.as_bytes(), NOW);
        lines(monitor)
    }

    fn lines(monitor: &mut Monitor) -> Vec<String> {
        let text = monitor.take_output();
        let untimed = |line: &str| match line.split_once("}, \"event\"") {
            Some((_, event)) => format!("{{\"event\"{event}"),
            None => line.to_owned(),
        };
        text.split_terminator("\r\n").map(untimed).collect()
    }

    fn negotiated() -> Monitor {
        let mut monitor = Monitor::new();
        talk(&mut monitor, "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"oob\"]}}");
        monitor
    }

    #[test]
    fn negotiation_comes_first_and_once() {
        let mut monitor = Monitor::new();
        assert!(lines(&mut monitor)[0].starts_with("{\"QMP\": "));
        let early = talk(&mut monitor, "{\"execute\": \"stop\", \"id\": 1}");
        assert!(
            early[0].starts_with("{\"error\": {\"class\": \"CommandNotFound\"") && early[0].ends_with(", \"id\": 1}")
        );
        let wrong = "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"x\"]}}";
        assert!(talk(&mut monitor, wrong)[0].starts_with("{\"error\": {\"class\": \"GenericError\""));
        assert_eq!(talk(&mut monitor, "{\"execute\": \"qmp_capabilities\"}"), ["{\"return\": {}}"]);
        let late = talk(&mut monitor, "{\"execute\": \"qmp_capabilities\"}");
        assert!(late[0].starts_with("{\"error\": {\"class\": \"CommandNotFound\""));
        let oob = talk(&mut monitor, "{\"exec-oob\": \"query-yank\"}");
        assert!(oob[0].contains("has not been enabled"));
    }

    #[test]
    fn a_commands_own_events_come_before_its_reply() {
        let mut monitor = negotiated();
        let heard = talk(&mut monitor, "{\"execute\": \"stop\", \"id\": 1.0}{\"execute\": \"cont\", \"id\": \"a\"}");
        assert_eq!(
            heard,
            [
                "{\"event\": \"STOP\"}",
                "{\"return\": {}, \"id\": 1.0}",
                "{\"event\": \"RESUME\"}",
                "{\"return\": {}, \"id\": \"a\"}"
            ]
        );
    }

    #[test]
    fn quitting_is_the_last_thing_heard() {
        let mut monitor = negotiated();
        let heard = talk(&mut monitor, "{\"execute\": \"quit\"}{\"execute\": \"query-status\"}");
        assert_eq!(
            heard,
            [
                "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": false, \"reason\": \"host-qmp-quit\"}}",
                "{\"return\": {}}"
            ]
        );
        assert!(monitor.has_ended());
    }

    #[test]
    fn out_of_band_is_for_few_commands() {
        let mut monitor = negotiated();
        assert!(talk(&mut monitor, "{\"exec-oob\": \"query-yank\", \"id\": 1}")[0].starts_with("{\"return\": "));
        assert!(talk(&mut monitor, "{\"exec-oob\": \"stop\"}")[0].contains("cannot run out-of-band"));
    }

    #[test]
    fn bad_input_costs_an_error_each_and_no_more() {
        let mut monitor = negotiated();
        monitor.feed(b"junk\n\xff{\"execute\": \xff{]{\"execute\": \"query-kvm\"}", NOW);
        let heard = lines(&mut monitor);
        assert!(
            heard[..4].iter().all(|line| line.starts_with("{\"error\": {\"class\": \"GenericError\"")),
            "{heard:?}"
        );
        assert_eq!(heard[4..], ["{\"return\": {\"enabled\": false, \"present\": false}}"]);
        let deep = "{\"execute\": ".to_owned() + &"[".repeat(2000);
        assert!(talk(&mut monitor, &deep)[0].contains("nested deeper"));
        assert!(talk(&mut monitor, "\n{\"execute\": \"query-kvm\"}").last().unwrap().starts_with("{\"return\""));
    }

    #[test]
    fn consequences_come_after_the_reply() {
        let mut monitor = negotiated();
        talk(
            &mut monitor,
            "{\"execute\": \"blockdev-add\", \"arguments\": {\"driver\": \"null-co\", \"node-name\": \"n\"}}",
        );
        let start = "{\"execute\": \"blockdev-mirror\", \"arguments\": \
                     {\"job-id\": \"j\", \"device\": \"disk0\", \"target\": \"n\", \"sync\": \"full\"}}";
        assert_eq!(talk(&mut monitor, start).len(), 3);
        let heard = talk(&mut monitor, "{\"execute\": \"job-cancel\", \"arguments\": {\"id\": \"j\"}}");
        assert_eq!(heard[0], "{\"return\": {}}");
        assert_eq!(heard.len(), 5);
        assert_eq!(monitor.deadline(), None);
    }
}
