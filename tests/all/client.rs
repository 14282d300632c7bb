//! The client library as a Rust program uses it: typed calls, file descriptors, logs. Listeners are tested in
//! `client_events`, the end of connections in `client_ends`.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::channel;
use std::thread::{scope, spawn};
use std::time::Duration;

use expect_test::expect;
use qmp_shell::{
    Address, Client, ConnectError, Empty, Event, Events, ExecuteError, ListenError, Listener, Options, Pending,
    ReplyBody, Request,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::TIMEOUT;
use crate::support::peer::{GREETING, Peer, PeerConnection};
use crate::support::server::{Q35, SMALL, Server};
use crate::support::skip::require_program;
use crate::support::snapshot::Table;

#[derive(Deserialize)]
struct Status {
    running: bool,
    status: String,
}

#[derive(Deserialize)]
struct Version {
    qemu: Numbers,
}

#[derive(Deserialize, PartialEq, Debug)]
struct Numbers {
    major: u64,
    minor: u64,
    micro: u64,
}

/// Starts a peer that negotiates and then runs `script`, and connects a client to it.
pub fn peer(script: impl FnOnce(&mut PeerConnection) + Send + 'static) -> (Peer, Client) {
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        script(conn);
    });
    let client = Client::connect(&peer.address()).unwrap();
    (peer, client)
}

/// Waits for the next event.
#[track_caller]
pub fn next(events: &mut Events) -> Event {
    events.wait(TIMEOUT).unwrap().expect("an event")
}

#[test]
fn clients_and_their_parts_are_send_and_sync() {
    fn is_send<T: Send>() {}
    fn is_sync<T: Sync>() {}
    is_send::<(Client, Events, Pending, Listener, Options, ExecuteError, ListenError, ConnectError, Event)>();
    is_sync::<(Client, Events, Listener, Options, ExecuteError, ListenError, ConnectError, Event, Request)>();
}

#[test]
pub fn connects_and_executes_with_types_on_every_server() {
    let servers = [Server::qemu(Q35), Server::qemu_7_2(Q35), Server::storage_daemon()];
    for mut server in servers.into_iter().flatten() {
        let client = server.client();
        let greeted = client.greeting().unwrap().version.as_ref().unwrap().numbers;
        let Version { qemu } = client.execute("query-version", ()).unwrap();
        assert_eq!((qemu.major, qemu.minor, qemu.micro), greeted);
        assert!(client.greeting().unwrap().offers_oob() && greeted >= (7, 2, 0));

        let node = json!({"driver": "null-co", "node-name": "n0", "size": 1_u64 << 40});
        let Empty {} = client.execute("blockdev-add", node).unwrap();
        let nodes: Vec<Value> = client.execute("query-named-block-nodes", json!({"flat": true})).unwrap();
        assert_eq!(nodes[0]["image"]["virtual-size"], 1_u64 << 40);
        let error = client.execute::<Empty>("blockdev-del", json!({"node-name": "n1"})).unwrap_err();
        assert_eq!(error.class(), Some("GenericError"));
        // Only commands marked for it run out of band.
        let error = client.execute_oob::<Value>("query-version", ()).unwrap_err();
        assert!(error.desc().is_some_and(|desc| desc.contains("does not support OOB")), "{error}");
        client.quit().unwrap();
        assert!(server.wait_for_end());
    }
}

#[test]
pub fn receives_events_before_the_reply_that_they_precede() {
    for server in [Server::qemu(Q35), Server::qemu_7_2(Q35)].into_iter().flatten() {
        let client = server.client();
        let mut events = client.events();
        for (command, event, running) in [("cont", "RESUME", true), ("stop", "STOP", false)] {
            client.execute::<Empty>(command, ()).unwrap();
            // It came before the reply, so it is available already.
            let received = events.wait(Duration::ZERO).unwrap().expect("the event before the reply");
            assert_eq!(received.name(), event);
            assert!(received.timestamp().unwrap().seconds > 1_600_000_000);
            let status: Status = client.execute("query-status", ()).unwrap();
            assert_eq!(status.running, running, "{}", status.status);
        }
        let instances: Vec<Value> = client.execute_oob("query-yank", ()).unwrap();
        assert!(instances.iter().all(|instance| instance["type"] == "chardev"), "{instances:?}");
    }
}

#[test]
pub fn returns_values_of_any_type_in_the_spelling_of_the_server() {
    let values = ["18446744073709551615", "-1", "null", "\"é\\u0000\"", "[]", "1.50", "true", "{\"b\": 1, \"a\": 2}"];
    let (_peer, client) = peer(move |conn| {
        for value in values {
            for _ in 0..2 {
                let id = conn.expect_command("any");
                conn.reply(&id, value);
            }
        }
        for value in ["18446744073709551615", "null", "null", "[1, 2]"] {
            let id = conn.expect_command("typed");
            conn.reply(&id, value);
        }
    });
    for value in values {
        let reply = client.start(Request::new("any")).unwrap().reply().unwrap();
        assert_eq!(reply.body(), ReplyBody::Return(value));
        assert_eq!(client.execute::<Value>("any", ()).unwrap(), serde_json::from_str::<Value>(value).unwrap());
    }
    assert_eq!(client.execute::<u64>("typed", ()).unwrap(), u64::MAX);
    assert_eq!(client.execute::<Option<u64>>("typed", ()).unwrap(), None);
    client.execute::<()>("typed", ()).unwrap();
    assert_eq!(client.execute::<(u8, u8)>("typed", ()).unwrap(), (1, 2));
}

/// A call that fails: its name, the call, and whether the command may have been executed.
type Call<'a> = (&'a str, Box<dyn Fn() -> ExecuteError + 'a>, bool);

#[test]
fn errors_carry_the_request_and_the_reply() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap().to_string();
    let server = spawn(move || {
        let (mut stream, _) = port.accept().unwrap();
        stream.write_all(b"{\"QMP\": {}}\n").unwrap();
        let mut answers = VecDeque::from([
            "{\"return\": {}, \"id\": ",
            "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"no `d`\"}, \"id\": ",
            "{\"return\": \"text\", \"id\": ",
        ]);
        for line in std::io::BufRead::lines(std::io::BufReader::new(stream.try_clone().unwrap())) {
            let request: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let Some(answer) = answers.pop_front() else { return };
            stream.write_all(format!("{answer}{}}}\n", request["id"]).as_bytes()).unwrap();
        }
    });
    let client = Client::connect(&address).unwrap();
    let null = File::open("/dev/null").unwrap();
    let calls: [Call<'_>; 8] = [
        ("list", Box::new(|| client.execute::<Value>("x", [1]).unwrap_err()), false),
        (
            "key",
            Box::new(|| {
                let keys = std::collections::BTreeMap::from([((1, 2), 3)]);
                client.execute::<Value>("x", keys).unwrap_err()
            }),
            false,
        ),
        (
            "fd",
            Box::new(|| client.execute_with_fd::<Value>("getfd", json!({"fdname": "f"}), null.as_fd()).unwrap_err()),
            false,
        ),
        ("refused", Box::new(|| client.execute::<Value>("x", json!({"a": 1})).unwrap_err()), false),
        ("type", Box::new(|| client.execute::<u64>("y", ()).unwrap_err()), true),
        ("unanswered", Box::new(|| client.execute::<Value>("z", ()).unwrap_err()), true),
        ("gone", Box::new(|| client.execute::<Value>("z", ()).unwrap_err()), false),
        ("gone out of band", Box::new(|| client.execute_oob::<Value>("z", ()).unwrap_err()), false),
    ];
    let mut table = Table::new();
    for (row, call, may_have_run) in calls {
        let error = call();
        table.row(row, error.to_string());
        assert_eq!(error.may_have_run(), may_have_run, "{row}");
        assert_eq!(error.request().is_none(), matches!(error, ExecuteError::Arguments { .. }), "{row}");
        match row {
            "refused" => {
                assert_eq!((error.class(), error.desc()), (Some("DeviceNotFound"), Some("no `d`")));
                assert_eq!(error.request().unwrap().arguments.as_deref(), Some("{\"a\":1}"));
                assert!(error.reply().unwrap().text().starts_with("{\"error\""));
            }
            "type" => assert_eq!(error.reply().unwrap().body(), ReplyBody::Return("\"text\"")),
            _ => assert!(error.reply().is_none() && error.class().is_none(), "{row}"),
        }
    }
    table.check(expect![[r#"
        > list
        arguments of `x` must be a JSON object: they begin with `[`

        > key
        arguments of `x` must be a JSON object: key must be a string

        > fd
        `getfd` was not sent: file descriptors can be passed only over a Unix socket

        > refused
        `x`: DeviceNotFound: no `d`

        > type
        the return value of `y` is not of the requested type: invalid type: string "text", expected u64 at line 1 column 6

        > unanswered
        the server closed the connection before `z` was answered; it may or may not have been executed

        > gone
        `z` was not sent: the server closed the connection

        > gone out of band
        `z` was not sent: the server closed the connection
    "#]]);
    server.join().unwrap();
}

#[test]
pub fn does_not_send_requests_that_a_server_cannot_read() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let client = server.client();
    let nested = |depth: usize| format!("{{\"a\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
    let reply = |arguments: String| client.start(Request::new("none").with_arguments(arguments))?.reply();
    for arguments in ["{\"a\": 1", "{'a': 1}", "{} {}", &nested(1023)] {
        assert!(matches!(reply(arguments.to_owned()), Err(ExecuteError::Arguments { .. })), "{arguments:.20}");
    }
    // As deeply nested as QEMU accepts, over several lines, and with a name that needs escapes.
    assert!(reply(nested(1022)).unwrap().text().contains("CommandNotFound"));
    assert!(reply("{\n\"a b\":\r\n\t1}".to_owned()).unwrap().text().contains("CommandNotFound"));
    let error = client.execute::<Value>("no \"such\"\n", ()).unwrap_err();
    assert_eq!(error.class(), Some("CommandNotFound"));
    // QEMU sends one error for a duplicate key, without an id.
    assert!(reply("{\"a\": 1, \"a\": 2}".to_owned()).unwrap().text().contains("GenericError"));
    client.execute::<Value>("query-name", ()).unwrap();
}

#[test]
pub fn keeps_at_most_eight_requests_in_flight_and_lets_oob_overtake() {
    const THREADS: usize = 16;
    const EACH: usize = 50;
    let (_peer, client) = peer(|conn| {
        let mut in_flight = VecDeque::new();
        let (mut received, mut most, mut overtook) = (0, 0, false);
        while received < THREADS * EACH || !in_flight.is_empty() {
            match conn.read_line_within(Duration::from_millis(2)) {
                Some(line) => {
                    let request: Value = serde_json::from_str(&line).unwrap();
                    let id = request["id"].to_string();
                    if request["exec-oob"].is_string() {
                        overtook = in_flight.len() == 8;
                        conn.reply(&id, "\"overtaken\"");
                        continue;
                    }
                    received += 1;
                    in_flight.push_back((id, request["arguments"]["n"].to_string()));
                    most = most.max(in_flight.len());
                    if in_flight.len() == 8 && !overtook {
                        conn.send_event("FULL", "{}");
                        overtook = true;
                    }
                }
                // All threads are waiting now. One write answers all, so that they compete for the free slots. The
                // newest request is answered first, so that only the id tells the replies apart.
                None => {
                    let answer = |(id, n)| format!("{{\"return\": {n}, \"id\": {id}}}\n");
                    let answers: String = in_flight.drain(..).rev().map(answer).collect();
                    conn.send(answers.as_bytes());
                }
            }
        }
        assert_eq!(most, 8);
        assert!(overtook, "the out-of-band command came when eight were in flight");
    });
    let mut full = client.listen(|event| event.name() == "FULL");
    scope(|scope| {
        for thread in 0..THREADS {
            let client = &client;
            scope.spawn(move || {
                for n in 0..EACH {
                    let n = thread * EACH + n;
                    assert_eq!(client.execute::<usize>("count", json!({"n": n})).unwrap(), n);
                }
            });
        }
        next(&mut full);
        assert_eq!(client.execute_oob::<String>("yank", ()).unwrap(), "overtaken");
    });
}

#[test]
pub fn matches_replies_by_id_and_ignores_unknown_ones() {
    let (_peer, client) = peer(|conn| {
        let ids: Vec<String> = (0..4).map(|_| conn.read_request().1).collect();
        conn.send_line("{\"return\": \"unknown\", \"id\": \"x\"}");
        conn.send_line("{\"return\": \"unknown\", \"id\": 1000}");
        for n in [3, 1, 0] {
            conn.reply(&ids[n], &n.to_string());
        }
        let id = conn.expect_command("last");
        conn.reply(&id, "9");
        conn.reply(&ids[2], "2");
    });
    let mut begun: Vec<Pending> = (0..4).map(|_| client.start(Request::new("x")).unwrap()).collect();
    let third = begun.pop().unwrap();
    assert_eq!(third.request().command, "x");
    assert_eq!(third.wait::<u8>().unwrap(), 3);
    // Without a reply the pending call is returned, and can be waited for again.
    let second = match begun.pop().unwrap().reply_within(Duration::from_millis(1)).unwrap() {
        Err(pending) => pending,
        Ok(reply) => panic!("{reply:?} came before it was sent"),
    };
    drop(begun.pop());
    let first = begun.pop().unwrap().reply_within(TIMEOUT).unwrap().unwrap();
    assert_eq!(first.body(), ReplyBody::Return("0"));
    assert_eq!(client.execute::<u8>("last", ()).unwrap(), 9);
    assert_eq!(second.wait::<u8>().unwrap(), 2);
}

#[test]
pub fn gives_an_error_without_id_to_the_oldest_request_in_flight() {
    let (_peer, client) = peer(|conn| {
        let ids: Vec<String> = (0..2).map(|_| conn.read_request().1).collect();
        conn.reply_error(None, "GenericError", "JSON parse error, duplicate key");
        conn.reply(&ids[1], "1");
        conn.wait_for_close();
    });
    let [first, second] = [(); 2].map(|()| client.start(Request::new("x")).unwrap());
    assert_eq!(first.wait::<u8>().unwrap_err().desc(), Some("JSON parse error, duplicate key"));
    assert_eq!(second.wait::<u8>().unwrap(), 1);
}

#[test]
pub fn negotiates_again_after_a_second_greeting() {
    // While the client is idle, while a call waits for its reply, and at any moment of a busy client.
    let (go_tx, go_rx) = channel();
    let (_peer, client) = peer(move |conn| {
        go_rx.recv_timeout(TIMEOUT).unwrap();
        conn.send_line(GREETING);
        let id = conn.expect_command("qmp_capabilities");
        conn.reply(&id, "{}");
        conn.send_event("DONE", "{}");
        let id = conn.expect_command("one");
        conn.reply(&id, "1");
        conn.wait_for_close();
    });
    let mut events = client.events();
    go_tx.send(()).unwrap();
    assert_eq!(next(&mut events).name(), "DONE");
    assert_eq!(client.execute::<u8>("one", ()).unwrap(), 1);
    for _ in 0..200 {
        let (ready_tx, ready_rx) = channel();
        let (_peer, client) = peer(move |conn| {
            ready_tx.send(()).unwrap();
            // At the same time as a command.
            conn.send_line(GREETING);
            let mut commands = Vec::new();
            while commands.len() < 2 {
                let (command, id) = conn.read_request();
                conn.reply(&id, "1");
                commands.push(command);
            }
            commands.sort();
            assert_eq!(commands, ["one", "qmp_capabilities"]);
            conn.send_event("BOTH", "{}");
            conn.wait_for_close();
        });
        let mut events = client.events();
        ready_rx.recv().unwrap();
        assert_eq!(client.execute::<u8>("one", ()).unwrap(), 1);
        assert_eq!(next(&mut events).name(), "BOTH");
    }
}

#[test]
fn accepts_a_qemu_that_connects() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ours.sock").display().to_string();
    let listener = Listener::bind(&path.parse().unwrap()).unwrap();
    assert_eq!(listener.address(), &Address::Unix(path.clone().into()));
    let mut options = Options::default();
    options.wait = Some(TIMEOUT);
    let socket = format!("unix:{path}");
    let Some(_server) = Server::qemu(&[SMALL, &["-name", "caller", "-qmp", &socket]].concat()) else { return };
    let client = Client::accept(&listener, &options).unwrap();
    let name: Value = client.execute("query-name", ()).unwrap();
    assert_eq!(name["name"], "caller");
    drop(listener);
    assert!(!std::path::Path::new(&path).exists());
    client.execute::<Value>("query-name", ()).unwrap();
}

#[test]
pub fn passes_file_descriptors_to_qemu() {
    let Some(server) = Server::qemu(Q35) else { return };
    let client = server.client();
    let file = tempfile::tempfile().unwrap();
    file.set_len(1 << 20).unwrap();
    client.execute_with_fd::<Empty>("getfd", json!({"fdname": "f"}), file.as_fd()).unwrap();
    client.execute::<Empty>("closefd", json!({"fdname": "f"})).unwrap();
    let error = client.execute::<Empty>("closefd", json!({"fdname": "f"})).unwrap_err();
    assert_eq!(error.class(), Some("GenericError"));

    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Added {
        fdset_id: u64,
    }
    let Added { fdset_id } = client.execute_with_fd("add-fd", json!({"opaque": "disk"}), file.as_fd()).unwrap();
    let name = format!("/dev/fdset/{fdset_id}");
    let node = json!({"driver": "file", "node-name": "n", "filename": name});
    client.execute::<Empty>("blockdev-add", node).unwrap();
    // QEMU got a copy of the file descriptor; this one still works.
    file.write_all_at(b"ours", 0).unwrap();
    // File descriptors cannot be passed through an `exec:` command.
    if require_program("socat").is_some() {
        let Some(other) = Server::qemu(SMALL) else { return };
        let client = Client::connect(&format!("exec:socat - UNIX:{}", other.address())).unwrap();
        client.execute::<Value>("query-name", ()).unwrap();
        let error = client.execute_with_fd::<Empty>("getfd", json!({"fdname": "f"}), file.as_fd()).unwrap_err();
        assert!(matches!(error, ExecuteError::CannotPassFd { .. }), "{error}");
    }
}

#[test]
fn accepts_unlimited_timeouts() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("go");
        conn.send_event("GO", "{}");
        conn.reply(&id, "{}");
        conn.wait_for_close();
    });
    let mut options = Options::default();
    (options.timeout, options.wait) = (Duration::MAX, Some(Duration::MAX));
    let client = Client::connect_with(&peer.address().parse().unwrap(), &options).unwrap();
    let mut events = client.events();
    let go = client.start(Request::new("go")).unwrap();
    assert!(go.reply_within(Duration::MAX).unwrap().unwrap().succeeded());
    assert_eq!(events.wait(Duration::MAX).unwrap().unwrap().name(), "GO");
    Client::connect_with(&Address::Demo, &options).unwrap();
}

#[test]
pub fn synchronises_with_a_guest_agent() {
    let Some(agent) = Server::guest_agent() else { return };
    let mut options = Options::default();
    options.guest_agent = true;
    let address: Address = agent.address().parse().unwrap();
    for _ in 0..2 {
        let client = Client::connect_with(&address, &options).unwrap();
        assert!(client.greeting().is_none());
        client.execute::<Empty>("guest-ping", ()).unwrap();
        assert_eq!(client.execute::<u64>("guest-sync", json!({"id": 1_u64 << 52})).unwrap(), 1 << 52);
        assert_eq!(client.execute::<Value>("guest-none", ()).unwrap_err().class(), Some("CommandNotFound"));
        assert!(client.events().wait(Duration::ZERO).unwrap().is_none());
    }
    options.guest_agent = false;
    options.timeout = Duration::from_millis(200);
    let error = Client::connect_with(&address, &options).unwrap_err();
    assert!(matches!(error, ConnectError::NoGreeting { .. }), "{error}");
    assert!(!error.to_string().contains("-N"), "the hint names an option, which the library does not have: {error}");
}

#[test]
fn keeps_secrets_out_of_logs_errors_and_debug_texts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vm.log");
    let mut options = Options::default();
    options.log_to(&path).unwrap();
    let client = Client::connect_with(&Address::Demo, &options).unwrap();
    let arguments = json!({"protocol": "vnc", "password": "hunter2"});
    let request = Request::new("set_password").with_arguments(arguments.to_string());
    let mut shown = format!("{request:?}");
    let errors = [
        client.execute::<Vec<u8>>("set_password", &arguments).unwrap_err(),
        client.start(request).unwrap().wait::<Vec<u8>>().unwrap_err(),
        client
            .execute::<Vec<u8>>("object-add", json!({"qom-type": "secret", "id": "s", "data": "hunter2"}))
            .unwrap_err(),
    ];
    for error in errors {
        assert!(error.request().unwrap().arguments.as_ref().unwrap().contains("hunter2"));
        shown += &format!("{error} {error:?}");
    }
    let pending = client.start(Request::new("set_password").with_arguments(arguments.to_string())).unwrap();
    shown += &format!("{pending:?} {client:?} {options:?}");
    drop(pending);
    // Arguments that cannot be parsed cannot be searched for secrets, so all of them are masked.
    let twice = Request::new("set_password").with_arguments(r#"{"password": "hunter2", "password": "hunter2"}"#);
    shown += &format!("{:?}", client.start(twice).unwrap().reply().unwrap());
    client.close();
    // A session does not search for secrets, so it masks all arguments.
    let mut session = qmp_shell::open(&Address::Demo, &options).unwrap();
    let mut request = Request::new("set_password").with_arguments(arguments.to_string());
    session.send(&request).unwrap();
    request.secrets = Some(std::iter::once(0..arguments.to_string().len()).collect());
    session.send(&request).unwrap();
    shown += &format!("{session:?}");
    drop(session);
    let log = std::fs::read_to_string(&path).unwrap();
    assert!(log.contains("\"set_password\"") && log.contains("\"<secret>\""), "{log}");
    assert!(log.contains("\"arguments\": \"<secret>\""), "{log}");
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
    assert!(!(shown.clone() + &log).contains("hunter2"), "{shown}\n{log}");
}
