//! Statements that only a server can show that does what it is told.

use qmp_shell::{Client, ConnectError, Empty, Request, Timestamp};
use serde_json::{Value, json};

use crate::support::PATIENCE;
use crate::support::peer::{GREETING, Peer, Talk};
use crate::support::program::qmp_shell;

/// A peer that negotiates, and then talks by `script`; with the client connected to it.
fn peer(script: impl FnOnce(&mut Talk) + Send + 'static) -> (Peer, Client) {
    let peer = Peer::start(move |talk| {
        talk.negotiate();
        script(talk);
    });
    let client = Client::connect(&peer.address()).unwrap();
    (peer, client)
}

/// A client of a peer that answers `query` with each of these lines, in which `ID` stands for the id.
fn answering(lines: &'static [&'static str]) -> (Peer, Client) {
    peer(move |talk| {
        for line in lines {
            let id = talk.expect("query");
            talk.say(&line.replace("ID", &id));
        }
        talk.wait_for_close();
    })
}

pub fn line_ends_do_not_matter() {
    let (_peer, client) = peer(|talk| {
        for end in ["\r\n", "\n", "", "\r\n\r\n  \t"] {
            let id = talk.expect("query");
            talk.say_raw(format!("{{\"return\":\r\n {{\"end\": {end:?}}}, \"id\": {id}}}{end}").as_bytes());
        }
        // Two in one piece, and one in pieces.
        let id = talk.expect("query");
        talk.say_raw(format!("{{\"event\": \"A\"}}{{\"return\": {{\"end\": \"}}{{\"}}, \"id\": {id}}}").as_bytes());
        let id = talk.expect("query");
        for byte in format!("{{\"return\": {{\"end\": \"\\\\\\\"é\"}}, \"id\": {id}}}").as_bytes() {
            talk.say_raw(&[*byte]);
        }
        talk.wait_for_close();
    });
    for end in ["\r\n", "\n", "", "\r\n\r\n  \t", "}{", "\\\"é"] {
        assert_eq!(client.execute::<Value>("query", ()).unwrap(), json!({"end": end}));
    }
}

pub fn members_come_in_any_order() {
    let (_peer, client) = answering(&[
        "{\"id\": ID, \"return\": 1}",
        "{\"id\": ID, \"error\": {\"desc\": \"d\", \"class\": \"c\"}}",
        "{\"data\": {\"b\": 1}, \"event\": \"E\", \"timestamp\": {\"microseconds\": 2, \"seconds\": 1}}\n{\"return\": 2, \"id\": ID}",
    ]);
    let mut events = client.events();
    assert_eq!(client.execute::<u8>("query", ()).unwrap(), 1);
    let error = client.execute::<u8>("query", ()).unwrap_err();
    assert_eq!((error.class(), error.desc()), (Some("c"), Some("d")));
    assert_eq!(client.execute::<u8>("query", ()).unwrap(), 2);
    let event = events.wait(PATIENCE).unwrap().unwrap();
    assert_eq!((event.name(), event.data()), ("E", Some("{\"b\": 1}")));
    assert_eq!(event.timestamp().map(|time| (time.seconds, time.microseconds)), Some((1, 2)));
}

pub fn greetings_may_say_more_or_less() {
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
        let peer = Peer::start(move |talk| {
            talk.say(greeting);
            let id = talk.expect("qmp_capabilities");
            talk.answer(&id, "{}");
            talk.wait_for_close();
        });
        let client = Client::connect(&peer.address()).unwrap();
        let version = client.greeting().unwrap().version.as_ref();
        assert_eq!(version.map(|version| version.numbers), numbers, "{greeting}");
        assert!(!client.greeting().unwrap().offers_oob());
    }
}

pub fn what_was_owed_to_an_earlier_client_is_passed_over() {
    let peer = Peer::start(|talk| {
        talk.say(
            "{\"return\": {\"whose\": 1}, \"id\": 7}\n{\"id\": 8, \"error\": {\"class\": \"c\", \"desc\": \"d\"}}",
        );
        talk.negotiate();
        let id = talk.expect("query");
        talk.answer(&id, "1");
        talk.wait_for_close();
    });
    let client = Client::connect(&peer.address()).unwrap();
    assert_eq!(client.execute::<u8>("query", ()).unwrap(), 1);
}

pub fn only_what_is_offered_and_known_is_enabled() {
    for (offered, asked) in [
        ("[]", json!(null)),
        ("[\"new\"]", json!(null)),
        ("[\"oob\"]", json!({"enable": ["oob"]})),
        ("[\"new\", \"oob\"]", json!({"enable": ["oob"]})),
    ] {
        let peer = Peer::start(move |talk| {
            talk.say(&format!("{{\"QMP\": {{\"capabilities\": {offered}}}}}"));
            let request: Value = serde_json::from_str(&talk.hear()).unwrap();
            assert_eq!((&request["execute"], &request["arguments"]), (&json!("qmp_capabilities"), &asked));
            talk.answer(&request["id"].to_string(), "{}");
            talk.wait_for_close();
        });
        Client::connect(&peer.address()).unwrap();
    }
}

pub fn a_refused_negotiation_is_an_error() {
    let peer = Peer::start(|talk| {
        talk.say(GREETING);
        let id = talk.expect("qmp_capabilities");
        talk.event("LATE", "{}");
        talk.refuse(Some(&id), "GenericError", "not today");
        talk.wait_for_close();
    });
    match Client::connect(&peer.address()) {
        Err(ConnectError::Negotiation(desc)) => assert_eq!(desc, "not today"),
        other => panic!("{other:?}"),
    }
}

pub fn a_command_is_spelled_as_the_specification_says() {
    let (_peer, client) = peer(|talk| {
        for (word, arguments) in [("execute", ""), ("execute", ",\"arguments\":{\"a\":[1,\"b c\"]}"), ("exec-oob", "")]
        {
            let line = talk.hear();
            let id = serde_json::from_str::<Value>(&line).unwrap()["id"].clone();
            assert_eq!(line, format!("{{\"{word}\":\"query\"{arguments},\"id\":{id}}}"));
            talk.answer(&id.to_string(), "{}");
        }
    });
    client.execute::<Empty>("query", ()).unwrap();
    client.execute::<Empty>("query", json!({"a": [1, "b c"]})).unwrap();
    client.execute_oob::<Empty>("query", ()).unwrap();
}

pub fn a_time_may_be_unknown() {
    let (_peer, client) = answering(&[
        "{\"event\": \"A\", \"timestamp\": {\"seconds\": -1, \"microseconds\": -1}}\n{\"event\": \"B\"}\n\
         {\"event\": \"C\", \"timestamp\": \"now\"}\n{\"return\": {}, \"id\": ID}",
    ]);
    let mut events = client.events();
    client.execute::<Empty>("query", ()).unwrap();
    let mut time = || -> Option<Timestamp> { events.wait(PATIENCE).unwrap().unwrap().timestamp() };
    assert_eq!(time().map(|time| (time.seconds, time.microseconds)), Some((-1, -1)));
    assert_eq!((time(), time()), (None, None));
    // A person sees that there is no time, rather than the year 1969.
    let peer = Peer::start(|talk| {
        talk.negotiate();
        let id = talk.expect("query");
        talk.say("{\"event\": \"A\", \"timestamp\": {\"seconds\": -1, \"microseconds\": -1}}");
        talk.answer(&id, "{}");
    });
    let run = qmp_shell(&["-p", "--no-schema", &peer.address(), "-c", "query"]).run().expect_status(0);
    assert_eq!((run.stdout.as_str(), run.stderr.trim_end()), ("{}\n", "--:--:--.--- A"));
}

pub fn unknown_members_are_passed_over() {
    let (_peer, client) = answering(&[
        "{\"new\": {\"return\": 5}, \"return\": 1, \"id\": ID, \"QMP2\": []}",
        "{\"error\": {\"class\": \"c\", \"desc\": \"d\", \"code\": 7}, \"id\": ID, \"warnings\": []}",
        "{\"event\": \"E\", \"new\": 1, \"timestamp\": {\"seconds\": 1, \"microseconds\": 2, \"zone\": 3}, \"id\": 9}\n\
         {\"return\": {\"new\": null}, \"id\": ID}",
    ]);
    let mut events = client.events();
    assert_eq!(client.execute::<u8>("query", ()).unwrap(), 1);
    assert_eq!(client.execute::<u8>("query", ()).unwrap_err().desc(), Some("d"));
    client.execute::<Empty>("query", ()).unwrap();
    assert_eq!(events.wait(PATIENCE).unwrap().unwrap().name(), "E");
}

pub fn unknown_names_are_handed_on() {
    let (_peer, client) = answering(&[
        "{\"error\": {\"class\": \"NewClass\", \"desc\": \"new\"}, \"id\": ID}",
        "{\"error\": {}, \"id\": ID}",
        "{\"error\": \"text\", \"id\": ID}",
        "{\"event\": \"NEW_EVENT\", \"data\": [1]}\n{\"return\": \"new-value\", \"id\": ID}",
    ]);
    let mut events = client.events();
    for (class, desc) in [("NewClass", "new"), ("GenericError", "(no description)"), ("GenericError", "\"text\"")] {
        let error = client.execute::<u8>("query", ()).unwrap_err();
        assert_eq!((error.class(), error.desc()), (Some(class), Some(desc)));
    }
    assert_eq!(client.execute::<String>("query", ()).unwrap(), "new-value");
    let event = events.wait(PATIENCE).unwrap().unwrap();
    assert_eq!((event.name(), event.data()), ("NEW_EVENT", Some("[1]")));
}

pub fn names_of_downstream_are_names() {
    let script = |talk: &mut Talk| {
        let line: Value = serde_json::from_str(&talk.hear()).unwrap();
        assert_eq!(line["execute"], "__com.example_do-it");
        assert_eq!(line["arguments"], json!({"__com.example_key": 1}));
        talk.event("__COM.EXAMPLE_DONE", "{}");
        talk.answer(&line["id"].to_string(), "{\"__com.example_value\": 2}");
    };
    let (_peer, client) = peer(script);
    let mut events = client.events();
    let request = Request::new("__com.example_do-it").with_arguments("{\"__com.example_key\": 1}");
    assert_eq!(client.start(request).unwrap().wait::<Value>().unwrap(), json!({"__com.example_value": 2}));
    assert_eq!(events.wait(PATIENCE).unwrap().unwrap().name(), "__COM.EXAMPLE_DONE");
    let peer = Peer::start(move |talk| {
        talk.negotiate();
        script(talk);
    });
    let line = "__com.example_do-it {\"__com.example_key\": 1}";
    let run = qmp_shell(&["--no-schema", &peer.address(), "-c", line]).run().expect_status(0);
    assert_eq!(run.replies(), ["{\"return\": {\"__com.example_value\": 2}}"]);
}
