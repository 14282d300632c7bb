//! Statements that are tested on real servers, partly without the client library.

use std::time::{Duration, Instant, SystemTime};

use qmp_shell::{Address, Client, Empty, Options, Pending, Received, ReplyBody, Request, Unexpected};
use serde_json::{Value, json};

use crate::support::TIMEOUT;
use crate::support::program::qmp_shell;
use crate::support::raw::Raw;
use crate::support::server::{Q35, SMALL, Server};
use crate::support::skip::has_skipped;

pub fn messages_are_objects_that_end_with_crlf() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let mut raw = Raw::connect(&server.address());
    let mut lines = vec![raw.read_line()];
    for request in [&b"{\"execute\": \"qmp_capabilities\"}"[..], b"{\"execute\": \"query-name\"}", b"[\"no object\"]"] {
        raw.send(request);
        lines.push(raw.read_line());
    }
    for line in &lines {
        assert!(line.starts_with('{') && line.ends_with("}\r\n"), "{line:?}");
    }
    assert!(lines[3].contains("\"error\""));
}

pub fn text_is_utf8_in_both_directions() {
    const NAME: &str = "é漢😀\u{7f}";
    let Some(server) = Server::qemu(&[SMALL, &["-name", NAME]].concat()) else { return };
    let client = server.client();
    assert_eq!(client.execute::<Value>("query-name", ()).unwrap()["name"], NAME);
    let error = client.execute::<Empty>(NAME, ()).unwrap_err();
    assert_eq!(error.desc(), Some(format!("The command {NAME} has not been found").as_str()));
}

pub fn accepts_single_quotes() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let line = "{'execute': 'query-name', 'id': 'it\\'s'}";
    let mut raw = Raw::negotiated(&server.address(), &[]);
    assert_eq!(raw.request(line), json!({"return": {}, "id": "it's"}));
    drop(raw);
    let run = qmp_shell(&[&server.address(), "--wait", "-c", line]).run().expect_status(0);
    assert_eq!(run.stdout, "{\"return\": {}, \"id\": \"it's\"}\n");
}

pub fn greets_with_version_and_capabilities() {
    for server in [Server::qemu(SMALL), Server::qemu_7_2(SMALL), Server::storage_daemon()].into_iter().flatten() {
        let mut raw = Raw::connect(&server.address());
        let greeting = raw.read();
        let version = &greeting["QMP"]["version"];
        let numbers = ["major", "minor", "micro"].map(|name| version["qemu"][name].as_u64().unwrap());
        assert!(version["package"].is_string());
        assert_eq!(greeting["QMP"]["capabilities"], json!(["oob"]));
        drop(raw);
        let client = server.client();
        let parsed = client.greeting().unwrap();
        assert_eq!(parsed.version.as_ref().unwrap().numbers, numbers.into());
        assert_eq!(parsed.version.as_ref().unwrap().package, version["package"].as_str().unwrap());
        assert_eq!(parsed.capabilities, ["oob"]);
    }
}

pub fn returns_ids_of_any_type() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let ids = ["7", "-9223372036854775808", "\"x\"", "null", "true", "[1, {\"a\": null}]", "{}", "1.5"];
    let script: String = ids.map(|id| format!("{{\"execute\": \"query-name\", \"id\": {id}}}\n")).concat();
    let run = qmp_shell(&[&server.address()]).input(script).run().expect_status(0);
    assert_eq!(run.lines(), ids.map(|id| format!("{{\"return\": {{}}, \"id\": {id}}}")));
    let run = qmp_shell(&[&server.address(), "--wait", "--no-check", "-c", "{'execute': 'none', 'id': [2]}"]).run();
    assert!(run.stdout.starts_with("{\"error\": ") && run.stdout.ends_with(", \"id\": [2]}\n"), "{run:#?}");
}

pub fn refuses_other_members() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let refused = Raw::negotiated(&server.address(), &[]).request("{\"execute\": \"query-name\", \"comment\": 1}");
    assert!(refused["error"]["desc"].as_str().unwrap().contains("'comment' is unexpected"), "{refused}");
}

pub fn replies_in_band_in_order() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut options = Options::default();
    options.log_to(log.path()).unwrap();
    let client = Client::connect_with(&server.address().parse::<Address>().unwrap(), &options).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for command in ["query-name", "query-version", "query-qmp-schema"].repeat(2) {
                    client.execute::<Value>(command, ()).unwrap();
                }
            });
        }
    });
    let ids = |direction: &str| -> Vec<u64> {
        let log = std::fs::read_to_string(log.path()).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter_map(|line| line[direction]["id"].as_u64()).collect()
    };
    assert_eq!(ids("sent").len(), 25);
    assert_eq!(ids("sent"), ids("received"));
}

pub fn runs_only_marked_commands_out_of_band() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let client = server.client();
    let schema: Vec<Value> = client.execute("query-qmp-schema", ()).unwrap();
    let marked: Vec<&str> = schema
        .iter()
        .filter(|entity| entity["meta-type"] == "command" && entity["allow-oob"] == true)
        .map(|entity| entity["name"].as_str().unwrap())
        .collect();
    assert!(marked.contains(&"query-yank") && marked.contains(&"migrate-pause"), "{marked:?}");
    client.execute_oob::<Vec<Value>>("query-yank", ()).unwrap();
    let error = client.execute_oob::<Value>("query-name", ()).unwrap_err();
    assert_eq!(error.desc(), Some("The command query-name does not support OOB"));
}

pub fn an_out_of_band_command_overtakes() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let client = server.client();
    // QEMU takes some milliseconds for each introspection.
    let overtaken = (0..20).any(|_| {
        let begun: Vec<Pending> = (0..8).map(|_| client.start(Request::new("query-qmp-schema")).unwrap()).collect();
        client.execute_oob::<Vec<Value>>("query-yank", ()).unwrap();
        let open = |pending: Pending| match pending.reply_within(Duration::ZERO).unwrap() {
            Ok(_) => false,
            Err(pending) => pending.reply().is_ok(),
        };
        begun.into_iter().map(open).filter(|open| *open).count() > 1
    });
    assert!(overtaken);
}

pub fn out_of_band_must_be_enabled() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let refused = Raw::negotiated(&server.address(), &[]).request("{\"exec-oob\": \"query-yank\"}");
    assert!(refused["error"]["desc"].is_string(), "{refused}");
    server.client().execute_oob::<Vec<Value>>("query-yank", ()).unwrap();
}

pub fn replies_to_each_command_with_success_or_error() {
    for server in [Server::qemu(Q35), Server::qemu_7_2(Q35)].into_iter().flatten() {
        let client = server.client();
        let stop = client.start(Request::new("stop")).unwrap().reply().unwrap();
        assert_eq!((stop.succeeded(), stop.body()), (true, qmp_shell::ReplyBody::Return("{}")));
        let none = client.start(Request::new("none")).unwrap().reply().unwrap();
        assert!(!none.succeeded() && none.id().is_some());
    }
}

pub fn errors_have_class_and_description() {
    for server in [Server::qemu(Q35), Server::qemu_7_2(Q35)].into_iter().flatten() {
        let client = server.client();
        for (command, arguments, class, desc) in [
            ("none", json!({}), "CommandNotFound", "The command none has not been found"),
            ("device_del", json!({"id": "x"}), "DeviceNotFound", "Device 'x' not found"),
            ("qom-list", json!({"path": "/x"}), "DeviceNotFound", "Device '/x' not found"),
            ("device_add", json!({"driver": "x"}), "GenericError", "'x' is not a valid device model name"),
        ] {
            let error = client.execute::<Empty>(command, arguments).unwrap_err();
            assert_eq!((error.class(), error.desc()), (Some(class), Some(desc)));
        }
    }
}

pub fn replies_to_one_bad_message_with_several_errors() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let mut raw = Raw::negotiated(&server.address(), &[]);
    raw.send("hello world\n{\"execute\": \"query-name\", \"id\": 1}");
    for word in ["hello", "world"] {
        let error = raw.read();
        assert!(error["id"].is_null() && error["error"]["desc"].as_str().unwrap().contains(word), "{error}");
    }
    assert_eq!(raw.read(), json!({"return": {}, "id": 1}));
}

pub fn events_have_a_name_a_time_and_optional_data() {
    for server in [Server::qemu(Q35), Server::qemu_7_2(Q35)].into_iter().flatten() {
        let client = server.client();
        let mut events = client.events();
        let before = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        client.execute::<Empty>("cont", ()).unwrap();
        client.execute::<Empty>("system_reset", ()).unwrap();
        let resume = events.wait(TIMEOUT).unwrap().unwrap();
        assert_eq!((resume.name(), resume.data()), ("RESUME", None));
        let time = resume.timestamp().unwrap();
        assert!(time.seconds.unsigned_abs() >= before && (0..1_000_000).contains(&time.microseconds), "{time:?}");
        resume.data_as::<Empty>().unwrap();
        let reset = events.wait(TIMEOUT).unwrap().unwrap();
        assert_eq!(reset.name(), "RESET");
        assert_eq!(reset.data_as::<Value>().unwrap(), json!({"guest": false, "reason": "host-qmp-system-reset"}));
    }
}

pub fn limits_some_events_to_one_a_second() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let client = server.client();
    let add = |node: Value| client.execute::<Empty>("blockdev-add", node).unwrap();
    for n in 0..3 {
        let zeros = json!({"driver": "null-co", "node-name": format!("n{n}"), "size": 1 << 20, "read-zeroes": true});
        add(zeros);
    }
    // One of three nodes returns an error, which causes an event at every read.
    let broken = json!([{"event": "none", "errno": 5}]);
    add(json!({"driver": "blkdebug", "node-name": "broken", "image": "n0", "inject-error": broken}));
    add(json!({"driver": "quorum", "node-name": "q", "children": ["broken", "n1", "n2"], "vote-threshold": 2}));
    let mut events = client.events();
    const READS: u64 = 5;
    // All are sent before the first reply, so that they are done within a second on a busy machine too.
    let reads = (0..READS).map(|n| {
        let line = json!({"command-line": format!("qemu-io q \"read -q {} 512\"", n * 512)});
        client.start(Request::new("human-monitor-command").with_arguments(line.to_string())).unwrap()
    });
    for read in reads.collect::<Vec<_>>() {
        assert!(matches!(read.reply().unwrap().body(), ReplyBody::Return(_)));
    }
    let sectors = [(); 2].map(|()| {
        let event = events.wait(TIMEOUT).unwrap().unwrap();
        assert_eq!(event.name(), "QUORUM_REPORT_BAD");
        event.data_as::<Value>().unwrap()["sector-num"].as_u64()
    });
    assert_eq!(sectors, [Some(0), Some(READS - 1)]);
}

pub fn a_sync_marker_discards_half_a_message() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let mut raw = Raw::negotiated(&server.address(), &[]);
    raw.send("{\"execute\": \"query-name\", \"id\": \"half");
    let error = raw.request(b"\xff");
    assert!(error["error"].is_object() && error["id"].is_null(), "{error}");
    assert_eq!(raw.request("{\"execute\": \"query-name\", \"id\": \"whole\"}"), json!({"return": {}, "id": "whole"}));
}

pub fn the_examples_work_as_shown() {
    let Some(server) = Server::qemu(Q35) else { return };
    let client = server.client();
    let mut events = client.events();
    client.execute::<Empty>("stop", ()).unwrap();
    let kvm: Value = client.execute("query-kvm", ()).unwrap();
    assert!(kvm["enabled"].is_boolean() && kvm["present"].is_boolean());
    client.execute::<Empty>("system_powerdown", ()).unwrap();
    assert_eq!(events.wait(TIMEOUT).unwrap().unwrap().name(), "POWERDOWN");
    let error = client.execute::<Empty>("migrate-pause", ()).unwrap_err();
    assert_eq!(error.class(), Some("GenericError"));
    assert_eq!(client.execute::<Empty>("none", ()).unwrap_err().class(), Some("CommandNotFound"));
}

pub fn executes_nothing_before_the_negotiation() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let mut raw = Raw::connect(&server.address());
    raw.read();
    let early = raw.request("{\"execute\": \"query-name\", \"id\": 1}");
    assert_eq!((&early["error"]["class"], &early["id"]), (&json!("CommandNotFound"), &json!(1)));
    let unknown = raw.request("{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"none\"]}}");
    assert_eq!(unknown["error"]["class"], "GenericError");
    assert_eq!(raw.request("{\"execute\": \"qmp_capabilities\"}")["return"], json!({}));
    assert_eq!(raw.request("{\"execute\": \"query-name\"}")["return"], json!({}));
}

pub fn refuses_a_second_negotiation() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let client = server.client();
    let error = client.execute::<Empty>("qmp_capabilities", ()).unwrap_err();
    assert_eq!(error.class(), Some("CommandNotFound"));
    client.execute::<Vec<Value>>("query-yank", ()).unwrap();
    client.execute_oob::<Vec<Value>>("query-yank", ()).unwrap();
}

pub fn a_client_may_leave_at_any_time() {
    let Some(server) = Server::qemu(SMALL) else { return };
    // Before the greeting, after it, inside a request, and before a reply.
    drop(Raw::connect(&server.address()));
    Raw::connect(&server.address()).read();
    Raw::negotiated(&server.address(), &[]).send("{\"execute\": \"quit");
    Raw::negotiated(&server.address(), &[]).send("{\"execute\": \"query-qmp-schema\"}");
    let gone = server.client();
    let _begun = gone.start(Request::new("query-qmp-schema")).unwrap();
    gone.close();
    let name: Value = server.client().execute("query-name", ()).unwrap();
    assert_eq!(name, json!({}));
}

/// The order is what makes it safe to use ids again that an earlier client used.
pub fn replies_for_an_earlier_client_come_before_the_end_of_negotiation() {
    const MIN_ROUNDS: usize = 10;
    const MAX_ROUNDS: usize = 500;
    let mut skipped = 0;
    for server in [Server::qemu(Q35), Server::qemu_7_2(Q35), Server::storage_daemon()].into_iter().flatten() {
        for round in 0..MAX_ROUNDS {
            if round >= MIN_ROUNDS && skipped > 0 {
                break;
            }
            let mut earlier = Raw::negotiated(&server.address(), &[]);
            for id in 0..8 {
                earlier.send(format!("{{\"execute\": \"query-qmp-schema\", \"id\": {id}}}\n"));
            }
            // It leaves while one of them is executed.
            earlier.read_line();
            drop(earlier);
            let address: Address = server.address().parse().unwrap();
            let mut session = qmp_shell::open(&address, &Options::default()).unwrap();
            for _ in 0..3 {
                let number = session.send(&Request::new("query-version")).unwrap();
                let reply = loop {
                    match session.receive(Some(Instant::now() + TIMEOUT)).unwrap() {
                        Received::Reply { id, reply } if id == number => break reply,
                        Received::Unexpected(Unexpected::Reply(_)) => skipped += 1,
                        Received::Event(_) => {}
                        other => panic!("{other:?}"),
                    }
                };
                assert!(reply.text().contains("\"qemu\""), "{}", reply.text());
            }
        }
    }
    assert!(skipped > 0 || has_skipped(), "no reply was sent to another client than that of its request");
}
