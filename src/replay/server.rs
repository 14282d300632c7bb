//! The server: a thread that reads requests from a socket and sends what the recording has for them.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

use serde_json::value::RawValue;

use serde::Deserialize;

use crate::wire::{Frame, Framer, Limits};

use super::build::Part;
use super::recording::{Recording, RequestKey, error_reply, reply_text};
use super::request::SentRequest;

/// Bounds on a request: 128 MiB, and the depth that QEMU accepts.
const REQUEST_LIMITS: Limits = Limits { max_message_bytes: 128 << 20, max_depth: 1024 };

/// The marker that a guest agent sends before the reply to `guest-sync-delimited`.
const SYNC_MARKER: u8 = 0xFF;

/// Starts a server that answers as the one of a log did, and returns the client's end of its connection. `address` is
/// the path of the log, or the path, `#`, and the name of a server or the number of a connection in the log. The thread
/// ends when the client closes the connection, and after a recorded `quit`.
///
/// # Errors
/// If the log cannot be read, or the socket pair or the thread cannot be created.
pub(crate) fn start(address: &Path) -> io::Result<OwnedFd> {
    let whole = || Recording::read(address, Part::All);
    let recording = match address.to_str().and_then(|text| text.rsplit_once('#')) {
        Some((path, part)) if !address.exists() => Recording::read(Path::new(path), Part::Named(part)),
        _ => whole(),
    };
    let recording = recording.map_err(io::Error::other)?;
    let (client, server) = UnixStream::pair()?;
    spawn(recording, server)?;
    Ok(client.into())
}

fn spawn(recording: Recording, stream: UnixStream) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("recorded server".to_owned()).spawn(move || {
        // An error means that the client has closed the connection.
        let _ = Server { recording, stream, is_greeted: false }.serve();
    })
}

struct Server {
    recording: Recording,
    stream: UnixStream,
    /// Whether the events before the first request were sent.
    is_greeted: bool,
}

impl Server {
    /// Serves until the client closes the connection or `quit` is answered.
    fn serve(mut self) -> io::Result<()> {
        if let Some(greeting) = &self.recording.greeting {
            self.stream.write_all(format!("{greeting}\r\n").as_bytes())?;
        }
        let mut framer = Framer::new(REQUEST_LIMITS);
        framer.honour_sync_markers(true);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            loop {
                match framer.next_frame() {
                    Ok(Some(Frame::Message(message))) => {
                        if self.answer(&message)? {
                            return Ok(());
                        }
                    }
                    Ok(Some(Frame::SyncMarker)) => {}
                    Ok(Some(Frame::Junk(_) | Frame::Broken(..))) => self.refuse("expected a JSON object")?,
                    Ok(None) => break,
                    Err(_) => {
                        framer = Framer::new(REQUEST_LIMITS);
                        self.refuse("message too long or nested too deeply")?;
                    }
                }
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(len) => framer.push(buffer.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn refuse(&mut self, reason: &str) -> io::Result<()> {
        self.stream.write_all(error_reply(reason, None).as_bytes())
    }

    /// Answers a request. Returns whether the recorded server ended with it.
    fn answer(&mut self, message: &[u8]) -> io::Result<bool> {
        let Ok(asked) = serde_json::from_slice::<SentRequest<'_>>(message) else {
            self.refuse("expected a request with `execute`")?;
            return Ok(false);
        };
        let arguments = asked.arguments.map(RawValue::get);
        let id = asked.id.map(RawValue::get);
        let key = RequestKey::new(&asked.command, arguments);
        match asked.command.as_str() {
            "qmp_capabilities" => self.negotiate(id)?,
            "guest-sync" | "guest-sync-delimited" => self.synchronise(&asked.command, arguments, id)?,
            _ => {
                let text = self.recording.answer(&key, id);
                self.stream.write_all(text.as_bytes())?;
            }
        }
        Ok(asked.command == "quit" && self.recording.commands.contains("quit"))
    }

    /// Agrees to everything, since the client may ask for other capabilities than the recorded one.
    fn negotiate(&mut self, id: Option<&str>) -> io::Result<()> {
        let mut text = String::new();
        if !std::mem::replace(&mut self.is_greeted, true) {
            let events = std::mem::take(&mut self.recording.first_events);
            text = self.recording.messages(&events);
        }
        text += &reply_text("return", "{}", id);
        text += &self.recording.take_events_of("qmp_capabilities");
        self.stream.write_all(text.as_bytes())
    }

    /// Returns the number that the client chose, as a guest agent does.
    fn synchronise(&mut self, command: &str, arguments: Option<&str>, id: Option<&str>) -> io::Result<()> {
        #[derive(Deserialize)]
        struct Arguments {
            id: u64,
        }
        let text = match arguments.and_then(|arguments| serde_json::from_str(arguments).ok()) {
            Some(Arguments { id: number }) => reply_text("return", &number.to_string(), id),
            None => error_reply("expected a number `id`", id),
        };
        if command == "guest-sync-delimited" {
            self.stream.write_all(&[SYNC_MARKER])?;
        }
        self.stream.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use proptest::prelude::{ProptestConfig, prop_assert, proptest};

    use super::*;
    use crate::session::RecordedLog;

    const GREETING: &str =
        r#"received {"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}}, "capabilities": ["oob"]}}"#;

    /// Returns a recording of messages, each written as `sent MESSAGE` or `received MESSAGE`, with the name of a server
    /// before it if there are several.
    fn record(lines: &[&str], part: Part<'_>) -> Result<Recording, String> {
        let mut text = String::new();
        for line in lines {
            let (head, message) = line.split_once(" {").unwrap();
            let (server, direction) = head.rsplit_once(' ').unwrap_or(("", head));
            let server = if server.is_empty() { String::new() } else { format!("\"server\": \"{server}\", ") };
            text.push_str(&format!("{{\"time\": \"t\", {server}\"{direction}\": {{{message}}}\n"));
        }
        Recording::new(RecordedLog::parse(text.into_bytes()).unwrap(), "vm.log".to_owned(), part)
    }

    /// Sends requests to a recorded server, and returns everything that it sends until it closes the connection.
    fn talk(recording: Recording, requests: &[&str]) -> Vec<String> {
        let (mut client, server) = UnixStream::pair().unwrap();
        let thread = spawn(recording, server).unwrap();
        client.write_all(requests.concat().as_bytes()).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let lines = BufReader::new(client)
            .split(b'\n')
            .map(|line| String::from_utf8_lossy(&line.unwrap()).trim_end().to_owned());
        let lines = lines.collect();
        thread.join().unwrap();
        lines
    }

    #[test]
    fn answers_as_recorded_and_sends_events_at_their_places() {
        let lines = [
            GREETING,
            r#"sent {"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}, "id": 1}"#,
            r#"received {"return": {}, "id": 1}"#,
            r#"received {"event": "A"}"#,
            r#"sent {"execute": "stop", "id": 2}"#,
            r#"sent {"execute": "query-x", "arguments": {"a": 1, "b": {"c": 18446744073709551615, "d": 2}}, "id": 3}"#,
            r#"received {"event": "STOP"}"#,
            r#"received {"return": {}, "id": 2}"#,
            r#"received {"event": "B"}"#,
            r#"received {"return": [1.50], "id": 3}"#,
            r#"sent {"execute": "query-x", "arguments": {"b": {"d": 2, "c": 18446744073709551615}, "a": 1}, "id": 4}"#,
            r#"received {"error": {"class": "GenericError", "desc": "no"}, "id": 4}"#,
            r#"received {"event": "C"}"#,
            r#"sent {"execute": "lost", "id": 5}"#,
        ];
        let query =
            r#"{"execute": "query-x", "arguments": {"b": {"c": 18446744073709551615, "d": 2}, "a": 1}, "id": "q"}"#;
        let sent = talk(
            record(&lines, Part::All).unwrap(),
            &[
                r#"{"execute": "qmp_capabilities"}"#,
                query,
                r#"{"execute": "stop"}"#,
                query,
                query,
                r#"{"execute": "stop"}"#,
                r#"{"execute": "query-x"}"#,
                r#"{"execute": "cont", "id": 9}"#,
                r#"{"exec-oob": "lost"}"#,
                "[1]\n",
            ],
        );
        let expected = [
            r#"{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}}, "capabilities": ["oob"]}}"#,
            r#"{"return": {}}"#,
            r#"{"event": "A"}"#,
            r#"{"event": "STOP"}"#,
            r#"{"return": [1.50], "id": "q"}"#,
            r#"{"return": {}}"#,
            r#"{"event": "B"}"#,
            r#"{"error": {"class": "GenericError", "desc": "no"}, "id": "q"}"#,
            r#"{"event": "C"}"#,
            r#"{"error": {"class": "GenericError", "desc": "no"}, "id": "q"}"#,
            r#"{"return": {}}"#,
            r#"{"error": {"class": "GenericError", "desc": "not recorded: `vm.log` has no `query-x` with these arguments"}}"#,
            r#"{"error": {"class": "GenericError", "desc": "not recorded: `vm.log` has no `cont`"}, "id": 9}"#,
            r#"{"error": {"class": "GenericError", "desc": "not recorded: `vm.log` ends before the reply to `lost`"}}"#,
            r#"{"error": {"class": "GenericError", "desc": "expected a JSON object"}}"#,
        ];
        assert_eq!(sent, expected);
    }

    #[test]
    fn a_masked_request_answers_any_secret_and_quit_ends_the_connection() {
        let lines = [
            GREETING,
            r#"sent {"execute": "set_password", "arguments": {"protocol": "vnc", "password": "<secret>"}, "id": 1}"#,
            r#"received {"return": 1, "id": 1}"#,
            r#"sent {"execute": "quit", "id": 2}"#,
            r#"received {"event": "SHUTDOWN"}"#,
            r#"received {"return": {}, "id": 2}"#,
        ];
        let sent = talk(
            record(&lines, Part::All).unwrap(),
            &[
                r#"{"execute": "set_password", "arguments": {"password": "hunter2", "protocol": "vnc"}}"#,
                r#"{"execute": "set_password", "arguments": {"password": "hunter2", "protocol": "spice"}}"#,
                r#"{"execute": "quit"}"#,
                r#"{"execute": "quit"}"#,
            ],
        );
        assert_eq!(sent[1], r#"{"return": 1}"#);
        assert!(sent[2].contains("with these arguments"), "{sent:?}");
        assert_eq!(sent[3..], [r#"{"event": "SHUTDOWN"}"#, r#"{"return": {}}"#]);
    }

    #[test]
    fn a_log_of_several_servers_needs_a_choice() {
        let lines = [
            r#"src received {"QMP": {"capabilities": []}}"#,
            r#"dst received {"QMP": {"capabilities": ["oob"]}}"#,
            r#"src sent {"execute": "x", "id": 1}"#,
            r#"dst sent {"execute": "x", "id": 1}"#,
            r#"dst received {"return": "of dst", "id": 1}"#,
            r#"src received {"return": "of src", "id": 1}"#,
        ];
        let error = record(&lines, Part::All).unwrap_err();
        assert_eq!(error, "vm.log has the messages of `dst`, `src`; choose one: `replay:vm.log#dst`");
        let error = record(&lines, Part::Named("x")).unwrap_err();
        assert_eq!(error, "vm.log has no server `x`, but `dst`, `src`");
        for name in ["src", "dst"] {
            let sent = talk(record(&lines, Part::Named(name)).unwrap(), &[r#"{"execute": "x"}"#]);
            assert_eq!(sent[1], format!("{{\"return\": \"of {name}\"}}"));
        }
    }

    #[test]
    fn a_log_of_different_connections_needs_a_choice() {
        let lines = [
            GREETING,
            r#"sent {"execute": "x", "id": 1}"#,
            r#"received {"return": 1, "id": 1}"#,
            r#"received {"QMP": {"capabilities": []}}"#,
            r#"sent {"execute": "x", "id": 1}"#,
            r#"received {"return": 2, "id": 1}"#,
        ];
        let error = record(&lines, Part::All).unwrap_err();
        assert_eq!(
            error,
            "vm.log: another server begins at line 4; choose one of the 2 connections: `replay:vm.log#1`"
        );
        assert_eq!(talk(record(&lines, Part::Named("2")).unwrap(), &[r#"{"execute": "x"}"#])[1], r#"{"return": 2}"#);
        let error = record(&lines, Part::Named("3")).unwrap_err();
        assert_eq!(error, "vm.log has no connection `3`; it has 2, numbered from 1");
        assert_eq!(
            record(&[GREETING, r#"sent {"event": 1}"#], Part::All).unwrap_err(),
            "vm.log: line 2 is not a record of a message log: expected a request with `execute`"
        );
    }

    #[test]
    fn a_log_without_a_greeting_gets_one_unless_it_is_of_a_guest_agent() {
        let reply = r#"received {"return": {"qemu": {"major": 9}}, "id": 1}"#;
        let greeting = |lines: &[&str]| record(lines, Part::All).unwrap().greeting;
        assert_eq!(
            greeting(&[r#"sent {"execute": "query-version", "id": 1}"#, reply]).as_deref(),
            Some(r#"{"QMP": {"version": {"qemu": {"major": 9}}, "capabilities": []}}"#)
        );
        assert_eq!(greeting(&[]).as_deref(), Some(r#"{"QMP": {"capabilities": []}}"#));
        let agent = [r#"sent {"execute": "guest-ping", "id": 1}"#, r#"received {"return": {}, "id": 1}"#];
        assert_eq!(greeting(&agent), None);
        let sent = talk(
            record(&agent, Part::All).unwrap(),
            &[
                "\u{0}",
                r#"{"execute": "guest-sync-delimited", "arguments": {"id": 77}}"#,
                r#"{"execute": "guest-ping"}"#,
            ],
        );
        assert_eq!(sent[sent.len() - 2..], ["\u{FFFD}{\"return\": 77}", r#"{"return": {}}"#]);
    }
    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_damaged_log_is_replayed_or_refused(start in 0usize..700, len in 0usize..40, insert in "[{}\\[\\]\",:a\n]{0,4}") {
            let mut text = [
                r#"{"time": "t", "received": {"QMP": {"version": {}, "capabilities": []}}}"#,
                r#"{"time": "t", "query": true, "sent": {"execute": "query-version", "id": 1}}"#,
                r#"{"time": "t", "received": {"return": {"qemu": {"major": 9}}, "id": 1}}"#,
                r#"{"time": "t", "server": "a", "sent": {"exec-oob": "x", "arguments": {"a": "<secret>"}, "id": 2}}"#,
                r#"{"time": "t", "server": "a", "received": {"event": "E"}}"#,
                r#"{"time": "t", "server": "a", "received": {"error": {"class": "C", "desc": "d"}, "id": 2}}"#,
                r#"{"time": "t", "server": "a", "received": "junk"}"#,
            ].join("\n");
            let start = start.min(text.len());
            text.replace_range(start..(start + len).min(text.len()), &insert);
            for part in [Part::All, Part::Named("a"), Part::Named("1")] {
                let Ok(log) = RecordedLog::parse(text.clone().into_bytes()) else { continue };
                if let Ok(mut recording) = Recording::new(log, "x".to_owned(), part) {
                    for (command, arguments) in [("x", r#"{"a": "s"}"#), ("query-version", "{}")] {
                        let answer = recording.answer(&RequestKey::new(command, Some(arguments)), Some("7"));
                        prop_assert!(answer.contains("\"id\": 7}"), "{answer}");
                    }
                }
            }
        }
    }
}
