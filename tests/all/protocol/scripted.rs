//! Statements that need a scripted peer.

use expect_test::expect;
use qmp_shell::{Client, ConnectError, Empty, Request, Timestamp};
use serde_json::{Value, json};

use crate::support::TIMEOUT;
use crate::support::peer::{GREETING, Peer, PeerConnection};
use crate::support::program::qmp_shell;
use crate::support::snapshot::Table;

/// Connects to a peer that replies to `query` with each of these lines, in which `ID` stands for the id.
fn replying(lines: &'static [&'static str]) -> (Peer, Client) {
    Peer::with_client(move |conn| {
        for line in lines {
            let id = conn.expect_command("query");
            conn.send_line(&line.replace("ID", &id));
        }
        conn.wait_for_close();
    })
}

pub fn ignores_line_ends() {
    let (_peer, client) = Peer::with_client(|conn| {
        for end in ["\r\n", "\n", "", "\r\n\r\n  \t"] {
            let id = conn.expect_command("query");
            conn.send(format!("{{\"return\":\r\n {{\"end\": {end:?}}}, \"id\": {id}}}{end}").as_bytes());
        }
        // Two in one piece, and one in pieces.
        let id = conn.expect_command("query");
        conn.send(format!("{{\"event\": \"A\"}}{{\"return\": {{\"end\": \"}}{{\"}}, \"id\": {id}}}").as_bytes());
        let id = conn.expect_command("query");
        for byte in format!("{{\"return\": {{\"end\": \"\\\\\\\"é\"}}, \"id\": {id}}}").as_bytes() {
            conn.send(&[*byte]);
        }
        conn.wait_for_close();
    });
    for end in ["\r\n", "\n", "", "\r\n\r\n  \t", "}{", "\\\"é"] {
        assert_eq!(client.execute::<Value>("query", ()).unwrap(), json!({"end": end}));
    }
}

pub fn accepts_members_in_any_order() {
    let (_peer, client) = replying(&[
        "{\"id\": ID, \"return\": 1}",
        "{\"id\": ID, \"error\": {\"desc\": \"d\", \"class\": \"c\"}}",
        "{\"data\": {\"b\": 1}, \"event\": \"E\", \"timestamp\": {\"microseconds\": 2, \"seconds\": 1}}\n{\"return\": 2, \"id\": ID}",
    ]);
    let mut events = client.events();
    assert_eq!(client.execute::<u8>("query", ()).unwrap(), 1);
    let error = client.execute::<u8>("query", ()).unwrap_err();
    assert_eq!((error.class(), error.desc()), (Some("c"), Some("d")));
    assert_eq!(client.execute::<u8>("query", ()).unwrap(), 2);
    let event = events.wait(TIMEOUT).unwrap().unwrap();
    assert_eq!((event.name(), event.data()), ("E", Some("{\"b\": 1}")));
    assert_eq!(event.timestamp().map(|time| (time.seconds, time.microseconds)), Some((1, 2)));
}

pub fn accepts_greetings_with_more_or_less() {
    for (greeting, numbers) in [
        ("{\"QMP\": {}}", None),
        ("{\"QMP\": {\"version\": \"new\", \"capabilities\": \"oob\"}}", None),
        ("{\"QMP\": {\"version\": {\"qemu\": {\"major\": 11}}, \"capabilities\": [{\"oob\": 1}]}}", None),
        (
            "{\"more\": [{}], \"QMP\": {\"build\": {\"QMP\": 1}, \"capabilities\": [], \"version\": \
             {\"qemu\": {\"major\": 11, \"minor\": 1, \"micro\": 0, \"nano\": 5}, \"date\": null}}}",
            Some((11, 1, 0)),
        ),
    ] {
        let peer = Peer::start(move |conn| {
            conn.send_line(greeting);
            let id = conn.expect_command("qmp_capabilities");
            conn.reply(&id, "{}");
            conn.wait_for_close();
        });
        let client = Client::connect(&peer.address()).unwrap();
        let version = client.greeting().unwrap().version.as_ref();
        assert_eq!(version.map(|version| version.numbers), numbers, "{greeting}");
        assert!(!client.greeting().unwrap().offers_oob());
    }
}

pub fn skips_replies_for_an_earlier_client() {
    let peer = Peer::start(|conn| {
        // The ids are those that requests will have.
        let earlier: String =
            (0..20).map(|id| format!("{{\"return\": {{\"for\": \"another\"}}, \"id\": {id}}}\n")).collect();
        conn.send_line(&format!("{earlier}{{\"id\": 8, \"error\": {{\"class\": \"c\", \"desc\": \"d\"}}}}"));
        conn.send_line(GREETING);
        let id = conn.expect_command("qmp_capabilities");
        conn.send_line(earlier.trim_end());
        conn.reply(&id, "{}");
        for reply in ["1", "2"] {
            let id = conn.expect_command("query");
            assert_eq!(id.len(), 1, "some servers read slowly");
            conn.reply(&id, reply);
        }
        conn.wait_for_close();
    });
    let client = Client::connect(&peer.address()).unwrap();
    assert_eq!(client.execute::<u8>("query", ()).unwrap(), 1);
    assert_eq!(client.execute::<u8>("query", ()).unwrap(), 2);
}

pub fn enables_only_known_capabilities_that_are_offered() {
    for (offered, asked) in [
        ("[]", json!(null)),
        ("[\"new\"]", json!(null)),
        ("[\"oob\"]", json!({"enable": ["oob"]})),
        ("[\"new\", \"oob\"]", json!({"enable": ["oob"]})),
    ] {
        let peer = Peer::start(move |conn| {
            conn.send_line(&format!("{{\"QMP\": {{\"capabilities\": {offered}}}}}"));
            let request: Value = serde_json::from_str(&conn.read_line()).unwrap();
            assert_eq!((&request["execute"], &request["arguments"]), (&json!("qmp_capabilities"), &asked));
            conn.reply(&request["id"].to_string(), "{}");
            conn.wait_for_close();
        });
        Client::connect(&peer.address()).unwrap();
    }
}

pub fn reports_a_refused_negotiation() {
    let peer = Peer::start(|conn| {
        conn.send_line(GREETING);
        let id = conn.expect_command("qmp_capabilities");
        conn.send_event("LATE", "{}");
        conn.reply_error(Some(&id), "GenericError", "not today");
        conn.wait_for_close();
    });
    match Client::connect(&peer.address()) {
        Err(ConnectError::Negotiation(desc)) => assert_eq!(desc, "not today"),
        other => panic!("{other:?}"),
    }
}

pub fn serialises_commands_as_specified() {
    let (_peer, client) = Peer::with_client(|conn| {
        for (word, arguments) in [("execute", ""), ("execute", ",\"arguments\":{\"a\":[1,\"b c\"]}"), ("exec-oob", "")]
        {
            let line = conn.read_line();
            let id = serde_json::from_str::<Value>(&line).unwrap()["id"].clone();
            assert_eq!(line, format!("{{\"{word}\":\"query\"{arguments},\"id\":{id}}}"));
            conn.reply(&id.to_string(), "{}");
        }
    });
    client.execute::<Empty>("query", ()).unwrap();
    client.execute::<Empty>("query", json!({"a": [1, "b c"]})).unwrap();
    client.execute_oob::<Empty>("query", ()).unwrap();
}

pub fn accepts_an_unknown_time() {
    let (_peer, client) =
        replying(&["{\"event\": \"A\", \"timestamp\": {\"seconds\": -1, \"microseconds\": -1}}\n{\"event\": \"B\"}\n\
         {\"event\": \"C\", \"timestamp\": \"now\"}\n{\"return\": {}, \"id\": ID}"]);
    let mut events = client.events();
    client.execute::<Empty>("query", ()).unwrap();
    let mut time = || -> Option<Timestamp> { events.wait(TIMEOUT).unwrap().unwrap().timestamp() };
    assert_eq!(time().map(|time| (time.seconds, time.microseconds)), Some((-1, -1)));
    assert_eq!((time(), time()), (None, None));
    // The shell prints a placeholder, not a time in 1969.
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("query");
        conn.send_line("{\"event\": \"A\", \"timestamp\": {\"seconds\": -1, \"microseconds\": -1}}");
        conn.reply(&id, "{}");
    });
    let run = qmp_shell(&["-p", "--no-schema", &peer.address(), "-c", "query"]).run().expect_status(0);
    assert_eq!((run.stdout.as_str(), run.stderr.trim_end()), ("{}\n", "--:--:--.--- A"));
}

pub fn ignores_unknown_members() {
    let (_peer, client) = replying(&[
        "{\"new\": {\"return\": 5}, \"return\": 1, \"id\": ID, \"QMP2\": []}",
        "{\"error\": {\"class\": \"c\", \"desc\": \"d\", \"code\": 7}, \"id\": ID, \"warnings\": []}",
        "{\"event\": \"E\", \"new\": 1, \"timestamp\": {\"seconds\": 1, \"microseconds\": 2, \"zone\": 3}, \"id\": 9}\n\
         {\"return\": {\"new\": null}, \"id\": ID}",
    ]);
    let mut events = client.events();
    assert_eq!(client.execute::<u8>("query", ()).unwrap(), 1);
    assert_eq!(client.execute::<u8>("query", ()).unwrap_err().desc(), Some("d"));
    client.execute::<Empty>("query", ()).unwrap();
    assert_eq!(events.wait(TIMEOUT).unwrap().unwrap().name(), "E");
}

pub fn passes_unknown_names_on() {
    let (_peer, client) = replying(&[
        "{\"error\": {\"class\": \"NewClass\", \"desc\": \"new\"}, \"id\": ID}",
        "{\"error\": {}, \"id\": ID}",
        "{\"error\": \"text\", \"id\": ID}",
        "{\"event\": \"NEW_EVENT\", \"data\": [1]}\n{\"return\": \"new-value\", \"id\": ID}",
    ]);
    let mut events = client.events();
    let mut table = Table::new();
    for name in ["new class", "no class", "no object"] {
        let error = client.execute::<u8>("query", ()).unwrap_err();
        table.row(name, format!("{}: {}", error.class().unwrap(), error.desc().unwrap()));
    }
    table.check(expect![[r#"
        > new class
        NewClass: new

        > no class
        GenericError: (no description)

        > no object
        GenericError: "text"
    "#]]);
    assert_eq!(client.execute::<String>("query", ()).unwrap(), "new-value");
    let event = events.wait(TIMEOUT).unwrap().unwrap();
    assert_eq!((event.name(), event.data()), ("NEW_EVENT", Some("[1]")));
}

pub fn accepts_downstream_names() {
    let script = |conn: &mut PeerConnection| {
        let line: Value = serde_json::from_str(&conn.read_line()).unwrap();
        assert_eq!(line["execute"], "__com.example_do-it");
        assert_eq!(line["arguments"], json!({"__com.example_key": 1}));
        conn.send_event("__COM.EXAMPLE_DONE", "{}");
        conn.reply(&line["id"].to_string(), "{\"__com.example_value\": 2}");
    };
    let (_peer, client) = Peer::with_client(script);
    let mut events = client.events();
    let request = Request::new("__com.example_do-it").with_arguments("{\"__com.example_key\": 1}");
    assert_eq!(client.start(request).unwrap().wait::<Value>().unwrap(), json!({"__com.example_value": 2}));
    assert_eq!(events.wait(TIMEOUT).unwrap().unwrap().name(), "__COM.EXAMPLE_DONE");
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        script(conn);
    });
    let line = "__com.example_do-it {\"__com.example_key\": 1}";
    let run = qmp_shell(&["--no-schema", &peer.address(), "-c", line]).run().expect_status(0);
    assert_eq!(run.replies(), ["{\"return\": {\"__com.example_value\": 2}}"]);
}
