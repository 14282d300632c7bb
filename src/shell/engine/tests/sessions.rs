//! Random sessions with three servers that restart in other versions, drop connections and are switched, against a model:
//! whatever the shell knows of a server ends with the connection to it.

use std::collections::VecDeque;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use proptest::prelude::{Just, ProptestConfig, Strategy, prop_oneof, proptest};
use serde_json::{Value, json};

use super::*;
use crate::session::{Address, MessageQueue};
use crate::test_server::listen_at;

/// The number of servers.
const SERVERS: usize = 3;

/// Something that happens in a session.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The user enters `set-x x=5`, whose type depends on the version.
    SetX,
    /// The user enters the command that only this version has.
    Only(u64),
    /// The user enters `slow`, and presses Ctrl-C.
    Interrupt,
    /// The user enters `.connect`, with the index of a server or of a path without one.
    Connect(usize),
    /// The user enters `.wait TICK`.
    Wait,
    /// A server ends, and another version is started at its path.
    Restart(usize, u64),
    /// A server closes its connection.
    Drop(usize),
    /// A server sends an event.
    Event(usize),
    /// A server answers `slow`.
    Finish(usize),
    /// A server sends an error without an id.
    AnonymousError(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::SetX),
        3 => (1..=3u64).prop_map(Step::Only),
        2 => Just(Step::Interrupt),
        3 => (0..=SERVERS).prop_map(Step::Connect),
        2 => Just(Step::Wait),
        2 => (0..SERVERS, 1..=3u64).prop_map(|(server, version)| Step::Restart(server, version)),
        1 => (0..SERVERS).prop_map(Step::Drop),
        3 => (0..SERVERS).prop_map(Step::Event),
        2 => (0..SERVERS).prop_map(Step::Finish),
        1 => (0..SERVERS).prop_map(Step::AnonymousError),
    ]
}

/// The connection of a running server, and the ids of the `slow` commands that it has not answered.
#[derive(Default)]
struct Served {
    stream: Option<UnixStream>,
    slow: VecDeque<String>,
}

/// A server at a path. Dropping it ends it.
struct RunningServer {
    path: PathBuf,
    version: u64,
    /// A name that no other server of the session has.
    name: String,
    served: Arc<Mutex<Served>>,
    listener: UnixListener,
}

impl RunningServer {
    fn start(path: &Path, version: u64, name: String) -> RunningServer {
        let listener = listen_at(path);
        let server = RunningServer {
            path: path.to_owned(),
            version,
            name,
            served: Arc::default(),
            listener: listener.try_clone().unwrap(),
        };
        let (served, name) = (Arc::clone(&server.served), server.name.clone());
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let mut peer = Peer::new(stream.try_clone().unwrap());
                *served.lock().unwrap() = Served { stream: Some(stream), slow: VecDeque::new() };
                peer.send_line(GREETING);
                while let Some(request) = peer.read_request() {
                    let id = request["id"].to_string();
                    match request["execute"].as_str().unwrap() {
                        "qmp_capabilities" => peer.reply(&id, "{}"),
                        "query-qmp-schema" => peer.reply(&id, &introspection(version).to_string()),
                        "slow" => served.lock().unwrap().slow.push_back(id),
                        _ => {
                            let reply = json!({"server": name, "x": request["arguments"].get("x")});
                            peer.reply(&id, &reply.to_string());
                        }
                    }
                }
            }
        });
        server
    }

    fn served(&self) -> std::sync::MutexGuard<'_, Served> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, text: &str) {
        if let Some(stream) = &self.served().stream {
            let _ = std::io::Write::write_all(&mut &*stream, format!("{text}\r\n").as_bytes());
        }
    }

    /// Closes the connection, and lets the server accept the next one.
    fn drop_connection(&self) {
        if let Some(stream) = self.served().stream.take() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).unwrap();
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        self.drop_connection();
    }
}

/// Returns the introspection of a version: `x` is a number in odd ones and a string in even ones.
fn introspection(version: u64) -> Value {
    let json_type = if version % 2 == 1 { "int" } else { "str" };
    let command = |name: &str, arg_type: &str| json!({"name": name, "meta-type": "command", "arg-type": arg_type, "ret-type": "none"});
    json!([
        command("set-x", "x"),
        command("slow", "none"),
        command(&format!("only-{version}"), "none"),
        {"name": "none", "meta-type": "object", "members": []},
        {"name": "x", "meta-type": "object", "members": [{"name": "x", "type": json_type}]},
        {"name": "int", "meta-type": "builtin", "json-type": "int"},
        {"name": "str", "meta-type": "builtin", "json-type": "string"},
        {"name": "TICK", "meta-type": "event", "arg-type": "none"},
    ])
}

/// The knowledge that the shell may have, according to the model.
#[derive(Default)]
struct Model {
    /// The index of the server whose address the shell has.
    target: usize,
    /// The name of the server that the shell is connected to.
    connected: Option<String>,
    /// The number of `slow` commands that were given up on this connection.
    interrupted: usize,
    /// The events since the last command that no `.wait` has taken.
    events: usize,
    /// The number of servers that were started.
    started: usize,
}

/// A session: the shell, the servers and the model.
struct Random {
    engine: Engine,
    out: Recorder,
    servers: Vec<RunningServer>,
    paths: Vec<PathBuf>,
    model: Model,
    _folder: tempfile::TempDir,
}

impl Random {
    fn new() -> Random {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..=SERVERS).map(|index| folder.path().join(index.to_string())).collect();
        let servers: Vec<RunningServer> =
            (0..SERVERS).map(|index| RunningServer::start(&paths[index], 1, format!("server {index}"))).collect();
        let connection = Connection::new(Some(Address::Unix(paths[0].clone())), Options::default(), false);
        let engine_options = EngineOptions { interactive: true, ..EngineOptions::default() };
        let engine = Engine::new(connection, Settings::default(), engine_options, SharedLog::default());
        let model = Model { started: SERVERS, ..Model::default() };
        Random { engine, out: Recorder::default(), servers, paths, model, _folder: folder }
    }

    fn enter(&mut self, text: &str) -> (LineOutcome, Vec<String>) {
        let outcome = run(&mut self.engine, &mut self.out, text);
        (outcome, self.out.take())
    }

    /// Returns the server that the shell is connected to.
    fn is_connected_to(&self, server: usize) -> bool {
        self.model.connected.as_ref() == Some(&self.servers[server].name)
    }

    /// Notes that a line needs the server at the address, which the shell connects to if it has lost another one.
    fn model_open(&mut self) {
        let name = &self.servers[self.model.target].name;
        if self.model.connected.is_none() {
            self.model =
                Model { connected: Some(name.clone()), interrupted: 0, events: 0, ..std::mem::take(&mut self.model) };
        }
    }

    fn queue(&mut self) -> Arc<MessageQueue> {
        self.engine.connection.start_reader().unwrap()
    }

    /// Waits until the shell has seen that its server is gone.
    fn see_disconnect(&mut self) {
        while self.engine.connection.is_open() {
            self.engine.drain(&mut self.out);
        }
        let entries = self.out.take();
        let notice = entries.last().unwrap();
        assert!(notice.contains("closed the connection"), "{entries:?}");
        assert_eq!(notice.matches("`slow`").count(), self.model.interrupted, "{entries:?}");
        self.model.connected = None;
        self.model.interrupted = 0;
    }

    fn execute(&mut self, line: &str) -> (LineOutcome, Vec<String>) {
        self.model_open();
        self.enter(line)
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::SetX => {
                let (outcome, entries) = self.execute("set-x x=5");
                let server = &self.servers[self.model.target];
                let x = if server.version % 2 == 1 { json!(5) } else { json!("5") };
                let reply = json!({"server": server.name, "x": x}).to_string();
                self.expect_reply(outcome, &entries, &format!("reply: set-x {reply}"));
            }
            Step::Only(version) => {
                let line = format!("only-{version}");
                let (outcome, entries) = self.execute(&line);
                let server = &self.servers[self.model.target];
                if version == server.version {
                    let reply = json!({"server": server.name, "x": Value::Null}).to_string();
                    self.expect_reply(outcome, &entries, &format!("reply: {line} {reply}"));
                } else {
                    assert_eq!(outcome, LineOutcome::Failed);
                    assert!(entries.last().unwrap().contains("the server has no command"), "{entries:?}");
                }
            }
            Step::Interrupt => {
                // The introspection must be there already, or Ctrl-C would end the wait for it.
                self.step(Step::SetX);
                self.queue().interrupt();
                let (outcome, entries) = self.execute("slow");
                assert_eq!(outcome, LineOutcome::Done);
                assert!(entries.last().unwrap().contains("is still running"), "{entries:?}");
                self.model.interrupted += 1;
                self.model.events = 0;
                // The server may not have read it yet.
                while self.servers[self.model.target].served().slow.len() < self.model.interrupted {
                    std::thread::yield_now();
                }
            }
            Step::Connect(index) => {
                let line = format!(".connect {}", self.paths[index].display());
                let (outcome, entries) = self.enter(&line);
                if index == SERVERS {
                    assert_eq!(outcome, LineOutcome::Failed);
                    let kept = self.model.connected.is_some();
                    assert_eq!(entries.last().unwrap().contains("stays open"), kept, "{entries:?}");
                    return;
                }
                assert_eq!(outcome, LineOutcome::Done, "{entries:?}");
                let connected = Some(self.servers[index].name.clone());
                self.model =
                    Model { target: index, connected, interrupted: 0, events: 0, ..std::mem::take(&mut self.model) };
            }
            Step::Wait => {
                let expected = self.model.events > 0;
                let (outcome, entries) =
                    self.enter(if expected { ".wait TICK timeout=20" } else { ".wait TICK timeout=0" });
                assert_eq!(outcome == LineOutcome::Done, expected, "{entries:?}");
                self.model.events = self.model.events.saturating_sub(1);
            }
            Step::Restart(index, version) => {
                let was_connected = self.is_connected_to(index);
                let path = self.paths[index].clone();
                drop(self.servers.remove(index));
                self.model.started += 1;
                let name = format!("server {}", self.model.started);
                self.servers.insert(index, RunningServer::start(&path, version, name));
                if was_connected {
                    self.see_disconnect();
                }
            }
            Step::Drop(index) => {
                self.servers[index].drop_connection();
                if self.is_connected_to(index) {
                    self.see_disconnect();
                }
            }
            Step::Event(index) => {
                self.servers[index].send(r#"{"event": "TICK", "timestamp": {"seconds": 1, "microseconds": 2}}"#);
                if self.is_connected_to(index) {
                    self.receive("event: TICK");
                    self.model.events += 1;
                }
            }
            Step::Finish(index) => {
                if self.is_connected_to(index) {
                    let id = self.servers[index].served().slow.pop_front();
                    let Some(id) = id else { return };
                    self.servers[index].send(&format!(r#"{{"return": "late", "id": {id}}}"#));
                    self.receive("late reply: slow \"late\"");
                    self.model.interrupted -= 1;
                }
            }
            Step::AnonymousError(index) => {
                self.servers[index].send(r#"{"error": {"class": "GenericError", "desc": "no id"}}"#);
                if !self.is_connected_to(index) {
                    return;
                }
                if self.model.interrupted == 0 {
                    self.receive("notice: warning: the server sent a reply to no pending request");
                } else {
                    self.receive("late reply: slow");
                    self.servers[index].served().slow.pop_front();
                    self.model.interrupted -= 1;
                }
            }
        }
    }

    /// Receives until an entry begins with `expected`.
    fn receive(&mut self, expected: &str) {
        loop {
            self.engine.drain(&mut self.out);
            match self.out.take().as_slice() {
                [] => std::thread::yield_now(),
                [entry] => return assert!(entry.starts_with(expected), "{entry}; expected {expected}"),
                entries => panic!("{entries:?}"),
            }
        }
    }

    fn expect_reply(&mut self, outcome: LineOutcome, entries: &[String], expected: &str) {
        assert_eq!((outcome, entries.last().map(String::as_str)), (LineOutcome::Done, Some(expected)), "{entries:?}");
        self.model.events = 0;
    }
}

/// Returns the number of random sessions, more of them in a long run.
fn cases() -> u32 {
    if std::env::var_os("QMP_SHELL_TEST_LONG").is_some() { 2000 } else { 250 }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn knowledge_of_a_server_ends_with_its_connection(steps in proptest::collection::vec(step(), 1..25)) {
        let mut session = Random::new();
        for step in steps {
            session.step(step);
        }
    }
}
