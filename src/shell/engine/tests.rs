//! Tests of the engine's exchange with a server that follows a script.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use serde_json::json;

use super::prepare::ANNOUNCEMENT_DELAY;
use super::*;
use crate::client::REPLY_ANNOUNCEMENT_DELAY;
use crate::session::Options;
use crate::test_server::{GREETING, Listener, Peer, start_listener};
use crate::wire::Event;

use super::super::commands::run_line;
use super::super::events::filter::EventFilter;
use super::super::output::{NextValue, ServerLabel};

mod own_monitor;
mod servers;
mod sessions;

/// A recorder of the engine's output, with one entry for each call.
#[derive(Default)]
struct Recorder {
    entries: Vec<String>,
    /// The number of entries before the last flush.
    flushed: usize,
    /// The server that the entries are about, if there are several.
    server: Option<String>,
    error: Option<io::Error>,
}

impl Recorder {
    fn push(&mut self, kind: &str, text: &str) {
        let server = self.server.as_ref().map(|name| format!("@{name}")).unwrap_or_default();
        self.entries.push(format!("{kind}{server}: {}", text.trim_end()));
    }

    fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.entries)
    }
}

impl Output for Recorder {
    fn show_values(&mut self, next: &mut NextValue<'_>) {
        while let Some(value) = next(&mut || false) {
            self.print(&value);
        }
    }

    fn show_reply(&mut self, context: &ReplyContext<'_>, _line: &InputLine<'_>) {
        let kind = if context.late { "late reply" } else { "reply" };
        self.push(kind, &format!("{} {}", context.request.command, context.reply.member().1));
    }

    fn show_hmp_text(&mut self, text: &str, failed: bool, _line: &InputLine<'_>) {
        self.push(if failed { "failed HMP" } else { "HMP" }, text);
    }

    fn show_event(&mut self, event: &Event) {
        self.push("event", event.name());
    }

    fn report_not_sent(&mut self, diagnostic: &Diagnostic, _line: &InputLine<'_>, _fills_reply_slot: bool) {
        self.push("not sent", &diagnostic.message);
    }

    fn report_failure(&mut self, message: &str, _line: &InputLine<'_>, class: Option<&str>) {
        self.push(class.unwrap_or("failed"), message);
    }

    fn show_request(&mut self, message: &str) {
        self.push("sending", message);
    }

    fn show_unsent_request(&mut self, message: &str) {
        self.push("would send", message);
    }

    fn print(&mut self, text: &str) {
        self.push("print", text);
    }

    fn show_page(&mut self, _lines: &[crate::schema::manual::Line]) {}

    fn show_warning(&mut self, message: &str, _line: &InputLine<'_>) {
        self.push("warning", message);
    }

    fn show_notice(&mut self, text: &str) {
        self.push("notice", text);
    }

    fn set_server(&mut self, server: Option<ServerLabel<'_>>) {
        self.server = server.map(|label| label.name.to_owned());
    }

    fn flush(&mut self) {
        self.flushed = self.entries.len();
    }

    fn write_error(&mut self) -> &mut Option<io::Error> {
        &mut self.error
    }
}

/// An engine that never queries the server for itself.
const WITHOUT_QUERIES: EngineOptions = EngineOptions {
    interactive: false,
    dry_run: false,
    query_timeout: None,
    no_schema: true,
    suggests_corrections: false,
};

/// Returns an engine with an open session to a server that runs `script` after negotiation.
fn engine(options: EngineOptions, script: impl FnOnce(&mut Peer) + Send + 'static) -> (Engine, Recorder, Listener) {
    let server = start_listener(vec![Box::new(|peer| {
        peer.negotiate();
        script(peer);
    })]);
    let mut connection = Connection::new(Some(server.address.clone()), Options::default(), false);
    connection.open(&mut |_| {}).unwrap();
    (Engine::new(connection, Settings::default(), options, SharedLog::default()), Recorder::default(), server)
}

fn run(engine: &mut Engine, out: &mut Recorder, text: &str) -> LineOutcome {
    run_line(engine, &InputLine { text, script: Some("test"), number: 1 }, out)
}

#[test]
fn shows_events_and_the_reply_in_order_of_arrival() {
    let (mut engine, mut out, _server) = engine(WITHOUT_QUERIES, |peer| {
        let id = peer.expect_command("stop");
        peer.send_event("STOP");
        peer.reply(&id, "{}");
        peer.send_event("RESUME");
    });
    assert_eq!(run(&mut engine, &mut out, "stop"), LineOutcome::Done);
    assert_eq!(out.take(), ["event: STOP", "reply: stop {}"]);
    engine.drain_until_quiet(&mut out);
    assert_eq!(out.take(), ["event: RESUME"]);
}

#[test]
fn flushes_output_before_it_waits_for_input_without_a_server() {
    let engine_options = EngineOptions { dry_run: true, ..WITHOUT_QUERIES };
    let connection = Connection::new(None, Options::default(), false);
    let mut engine = Engine::new(connection, Settings::default(), engine_options, SharedLog::default());
    let mut out = Recorder::default();
    assert_eq!(run(&mut engine, &mut out, "stop"), LineOutcome::Done);
    let (input, _writer) = io::pipe().unwrap();
    assert_eq!(engine.wait_for_input(input.as_fd(), &mut out), Ok(true));
    assert_eq!((out.flushed, out.take()), (1, vec!["would send: {\"execute\": \"stop\"}".to_owned()]));
}

#[test]
fn hides_events_that_the_filter_does_not_select() {
    let (mut engine, mut out, _server) = engine(WITHOUT_QUERIES, |peer| {
        let id = peer.expect_command("stop");
        peer.send_event("STOP");
        peer.reply(&id, "{}");
    });
    engine.settings.events = EventFilter::Nothing;
    assert_eq!(run(&mut engine, &mut out, "stop"), LineOutcome::Done);
    assert_eq!(out.take(), ["reply: stop {}"]);
}

#[test]
fn takes_a_reply_without_an_id_for_the_oldest_request() {
    let (mut engine, mut out, _server) = engine(WITHOUT_QUERIES, |peer| {
        peer.expect_command("stop");
        peer.send_line(r#"{"error": {"class": "GenericError", "desc": "no"}}"#);
    });
    assert_eq!(run(&mut engine, &mut out, "stop"), LineOutcome::Failed);
    assert_eq!(out.take(), [r#"reply: stop {"class": "GenericError", "desc": "no"}"#]);
}

#[test]
fn warns_of_unexpected_data_up_to_a_limit() {
    let (mut engine, mut out, _server) = engine(WITHOUT_QUERIES, |peer| {
        let id = peer.expect_command("stop");
        for _ in 0..30 {
            peer.send_line(r#"{"return": 1, "id": "other"}"#);
        }
        peer.reply(&id, "{}");
    });
    assert_eq!(run(&mut engine, &mut out, "stop"), LineOutcome::Done);
    let entries = out.take();
    assert_eq!(
        entries[0],
        r#"notice: warning: the server sent a reply to no pending request: {"return": 1, "id": "other"}"#
    );
    assert_eq!(entries.iter().filter(|entry| entry.starts_with("notice: warning:")).count(), 20);
    assert_eq!(entries[20..], ["notice: Further warnings about this server are suppressed.", "reply: stop {}"]);
}

#[test]
fn shows_a_late_reply_to_an_interrupted_command() {
    let (mut engine, mut out, _server) = engine(WITHOUT_QUERIES, |peer| {
        let slow = peer.expect_command("migrate");
        let fast = peer.expect_command("stop");
        peer.reply(&slow, "1");
        peer.reply(&fast, "2");
    });
    let queue = engine.connection.start_reader().unwrap();
    queue.interrupt();
    assert_eq!(run(&mut engine, &mut out, "migrate"), LineOutcome::Done);
    assert_eq!(out.take(), ["notice: `migrate` is still running in the server; its reply is shown when it arrives."]);
    assert_eq!(run(&mut engine, &mut out, "stop"), LineOutcome::Done);
    assert_eq!(out.take(), ["late reply: migrate 1", "reply: stop 2"]);
}

#[test]
fn announces_a_long_wait_for_a_reply() {
    let (mut engine, mut out, _server) = engine(WITHOUT_QUERIES, |peer| {
        let id = peer.expect_command("savevm");
        std::thread::sleep(REPLY_ANNOUNCEMENT_DELAY + Duration::from_millis(200));
        peer.reply(&id, "{}");
    });
    assert_eq!(run(&mut engine, &mut out, "savevm"), LineOutcome::Done);
    assert_eq!(out.take(), ["notice: Waiting for the reply to `savevm`.", "reply: savevm {}"]);
}

#[test]
fn reports_a_command_whose_outcome_is_unknown() {
    let (mut engine, mut out, _server) = engine(WITHOUT_QUERIES, |peer| {
        peer.expect_command("stop");
    });
    assert_eq!(run(&mut engine, &mut out, "stop"), LineOutcome::Disconnected);
    assert_eq!(
        out.take(),
        [
            "ConnectionLost: The server closed the connection before `stop` was answered. It may or may not have been executed."
        ]
    );
    assert_eq!(run(&mut engine, &mut out, "cont"), LineOutcome::Failed);
    assert_eq!(out.take(), ["NotSent: not connected"], "a script does not reconnect");
}

#[test]
fn names_interrupted_commands_when_the_connection_ends() {
    let (end, ended) = std::sync::mpsc::channel();
    let (mut engine, mut out, _server) = engine(WITHOUT_QUERIES, move |peer| {
        peer.expect_command("migrate");
        ended.recv().unwrap();
    });
    let queue = engine.connection.start_reader().unwrap();
    queue.interrupt();
    assert_eq!(run(&mut engine, &mut out, "migrate"), LineOutcome::Done);
    out.take();
    end.send(()).unwrap();
    while engine.connection.is_open() {
        engine.drain(&mut out);
    }
    assert_eq!(out.take(), ["notice: The server closed the connection. `migrate` may or may not have been executed."]);
}

#[test]
fn the_next_command_at_a_prompt_reconnects() {
    let server = start_listener(vec![
        Box::new(|peer| {
            peer.negotiate();
            peer.answer("human-monitor-command", "\"\"");
        }),
        Box::new(|peer| {
            peer.negotiate();
            let request = peer.read_request().unwrap();
            assert_eq!(request["arguments"], serde_json::json!({"command-line": "info cpus"}), "without the CPU");
            peer.reply(&request["id"].to_string(), "\"one\"");
        }),
    ]);
    let connection = Connection::new(Some(server.address.clone()), Options::default(), false);
    let engine_options = EngineOptions { interactive: true, ..WITHOUT_QUERIES };
    let mut engine = Engine::new(connection, Settings::default(), engine_options, SharedLog::default());
    let mut out = Recorder::default();
    engine.set_language(Language::Hmp);
    let connected = format!("notice: Connected to QEMU 10.0.0 at {}.", server.address);
    assert_eq!(run(&mut engine, &mut out, "cpu 1"), LineOutcome::Done);
    assert_eq!(out.take(), [connected.as_str(), "HMP: "]);
    while engine.connection.is_open() {
        engine.drain(&mut out);
    }
    assert_eq!(out.take(), ["notice: The server closed the connection. The next command will reconnect."]);
    assert_eq!(run(&mut engine, &mut out, "info cpus"), LineOutcome::Done);
    assert_eq!(out.take(), [connected.as_str(), "HMP: one"]);
}

#[test]
fn waits_for_a_slow_server_to_give_a_line_its_meaning() {
    let introspection = json!([
        {"name": "device_add", "meta-type": "command", "arg-type": "device", "ret-type": "none"},
        {"name": "device", "meta-type": "object", "members": [{"name": "driver", "type": "str"}]},
        {"name": "none", "meta-type": "object", "members": []},
        {"name": "str", "meta-type": "builtin", "json-type": "string"},
    ]);
    let engine_options = EngineOptions { no_schema: false, ..WITHOUT_QUERIES };
    let (mut engine, mut out, _server) = engine(engine_options, move |peer| {
        let id = peer.expect_command("query-qmp-schema");
        peer.send_event("RESUME");
        peer.reply(&id, &introspection.to_string());
        let id = peer.expect_command("device-list-properties");
        std::thread::sleep(ANNOUNCEMENT_DELAY + Duration::from_millis(200));
        peer.reply(&id, r#"[{"name": "serial", "type": "str"}, {"name": "addr", "type": "int32"}]"#);
        let request = peer.read_request().unwrap();
        assert_eq!(request["arguments"], json!({"driver": "d", "serial": "123", "addr": 5}));
        peer.reply(&request["id"].to_string(), "{}");
    });
    assert_eq!(run(&mut engine, &mut out, "device_add driver=d serial=123 addr=5"), LineOutcome::Done);
    let expected = ["event: RESUME", "notice: Waiting for the server's list of properties.", "reply: device_add {}"];
    assert_eq!(out.take(), expected);
}

#[test]
fn sends_nothing_if_a_server_does_not_give_a_line_its_meaning() {
    let query_timeout = Some(Duration::from_millis(50));
    let engine_options = EngineOptions { no_schema: false, query_timeout, ..WITHOUT_QUERIES };
    let (mut engine, mut out, _server) = engine(engine_options, |peer| {
        peer.expect_command("query-qmp-schema");
        assert_eq!(peer.read_request(), None);
    });
    assert_eq!(run(&mut engine, &mut out, "block_resize device=d size=1k"), LineOutcome::Failed);
    let message =
        "the server did not send its introspection within 0.05 s; nothing was sent, --no-schema sends without it";
    assert_eq!(out.take(), [format!("not sent: {message}")]);
    drop(engine);
}

#[test]
fn sends_no_request_to_another_server_than_it_was_built_for() {
    let (mut engine, mut out, _server) = engine(WITHOUT_QUERIES, |_| {});
    engine.options.interactive = true;
    engine.connection.close();
    let line = InputLine { text: "stop", script: None, number: 1 };
    let outcome = engine.exchange(&Request::new("stop"), None, &line, &mut out);
    assert!(matches!(outcome, Err(LineOutcome::Disconnected)), "{outcome:?}");
    assert_eq!(out.take(), ["NotSent: the connection ended before `stop` was sent"]);
}

#[test]
fn sends_no_noncharacters() {
    let (mut engine, mut out, _server) = engine(WITHOUT_QUERIES, |peer| assert_eq!(peer.read_request(), None));
    for line in ["c a=\u{fffe}", r#"{"execute": "c", "arguments": {"a": "\uFFFE"}}"#, ".hmp info \u{fffe}"] {
        assert_eq!(run(&mut engine, &mut out, line), LineOutcome::Failed);
        assert_eq!(out.take(), ["not sent: invalid character U+FFFE: QEMU rejects noncharacters"]);
    }
    drop(engine);
}

#[test]
fn negotiates_again_with_a_server_that_greets_twice() {
    let (mut engine, mut out, _server) = engine(WITHOUT_QUERIES, |peer| {
        peer.send_line(GREETING);
        let id = peer.expect_command("stop");
        peer.answer("qmp_capabilities", "{}");
        peer.reply(&id, "{}");
    });
    assert_eq!(run(&mut engine, &mut out, "stop"), LineOutcome::Done);
    assert_eq!(out.take(), ["reply: stop {}"]);
}

#[test]
fn a_dry_run_sends_nothing() {
    let engine_options = EngineOptions { dry_run: true, ..WITHOUT_QUERIES };
    let (mut engine, mut out, _server) = engine(engine_options, |peer| assert_eq!(peer.read_request(), None));
    assert_eq!(run(&mut engine, &mut out, "block_resize device=d size=1k"), LineOutcome::Done);
    assert_eq!(out.take(), [r#"would send: {"execute": "block_resize", "arguments": {"device": "d", "size": "1k"}}"#]);
    drop(engine);
}

#[test]
fn shows_requests_with_secrets_masked() {
    let (mut engine, mut out, _server) = engine(WITHOUT_QUERIES, |peer| peer.answer("set_password", "{}"));
    engine.settings.verbose = true;
    assert_eq!(run(&mut engine, &mut out, "set_password protocol=vnc password=abc"), LineOutcome::Done);
    assert_eq!(
        out.take(),
        [
            r#"sending: {"execute": "set_password", "arguments": {"protocol": "vnc", "password": "<secret>"}}"#,
            "reply: set_password {}"
        ]
    );
}

#[test]
fn the_end_of_the_connection_after_quit_is_not_an_error() {
    let (mut engine, mut out, _server) = engine(WITHOUT_QUERIES, |peer| {
        peer.answer("quit", "{}");
        peer.send_event("SHUTDOWN");
    });
    assert_eq!(run(&mut engine, &mut out, "quit"), LineOutcome::Leave);
    assert_eq!(out.take(), ["reply: quit {}", "event: SHUTDOWN"]);
    assert!(engine.is_quitting() && !engine.connection.is_open());
}

#[test]
fn draining_stops_after_a_slice() {
    let (mut engine, mut out, _server) = engine(WITHOUT_QUERIES, |peer| {
        peer.answer("stop", "{}");
        let event = format!("{{\"event\": \"{}\"}}\r\n", "E".repeat(1000));
        peer.send(event.repeat(100));
    });
    assert_eq!(run(&mut engine, &mut out, "stop"), LineOutcome::Done);
    // All of it has arrived once the reader thread has seen the end of the connection.
    let queue = engine.connection.start_reader().unwrap();
    while !queue.has_ended() {
        std::thread::yield_now();
    }
    out.take();
    assert!(engine.drain(&mut out), "there is more");
    let first = out.take().len();
    assert!((64..100).contains(&first), "{first} events");
    while engine.connection.is_open() {
        engine.drain(&mut out);
    }
    assert_eq!(out.take().len(), 100 - first + 1, "the rest, and the end of the connection");
}
