//! How a client's connection ends, seen from every place where a program may be waiting: nobody is left there.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use qmp_shell::{Client, Empty, ExecuteError, ListenError, Request};
use serde_json::{Value, json};

use crate::support::PATIENCE;
use crate::support::peer::{Peer, Talk};
use crate::support::server::{SMALL, Server};

/// More than any socket holds, so whoever sends it to a peer that does not read is stuck in the sending.
const STUCK: usize = 8 << 20;

/// A peer that negotiates, and then talks by `script`; with the client connected to it.
fn peer(script: impl FnOnce(&mut Talk) + Send + 'static) -> (Peer, Client) {
    let peer = Peer::start(move |talk| {
        talk.negotiate();
        script(talk);
    });
    let client = Client::connect(&peer.address()).unwrap();
    (peer, client)
}

/// Runs `call` in a thread of its own, whose end can be waited for.
fn aside<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (tell, told) = channel();
    spawn(move || tell.send(call()));
    told
}

/// What came of it; nothing hangs.
#[track_caller]
fn outcome<T>(told: &Receiver<T>) -> T {
    told.recv_timeout(PATIENCE).expect("it hangs")
}

#[test]
fn closing_leaves_nobody_waiting() {
    let (heard, all_heard) = channel();
    let (closed, unread) = channel();
    let (_peer, client) = peer(move |talk| {
        for _ in 0..8 {
            talk.expect("wait");
        }
        heard.send(()).unwrap();
        // From here on nothing is read.
        talk.wait_for_word();
        heard.send(()).unwrap();
        unread.recv_timeout(PATIENCE).unwrap();
    });
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            aside(move || client.execute::<Empty>("wait", ()))
        })
        .collect();
    all_heard.recv_timeout(PATIENCE).unwrap();
    let spare = client.clone();
    let ninth = aside(move || spare.execute::<Empty>("ninth", ()));
    let mut events = client.events();
    let listening = aside(move || (events.next(), events.next().is_none()));
    let spare = client.clone();
    let stuck = aside(move || spare.execute_oob::<Empty>("yank", json!({"a": "x".repeat(STUCK)})));
    all_heard.recv_timeout(PATIENCE).unwrap();
    let spare = client.clone();
    let behind = aside(move || spare.execute_oob::<Empty>("behind", ()));

    client.close();
    for waiting in &waiting {
        let error = outcome(waiting).unwrap_err();
        let sentence =
            "this side closed the connection before `wait` was answered; nobody can know whether it was carried out";
        assert_eq!(error.to_string(), sentence);
    }
    assert!(matches!(outcome(&stuck), Err(ExecuteError::Unanswered { .. })), "part of it was sent");
    for (told, command) in [(&ninth, "ninth"), (&behind, "behind")] {
        let error = outcome(told).unwrap_err();
        assert!(matches!(error, ExecuteError::NotSent { .. }), "{error}");
        assert_eq!(error.to_string().split(':').next(), Some(format!("`{command}` was not sent").as_str()));
    }
    let (told, then_nothing) = outcome(&listening);
    assert!(matches!(told, Some(Err(ListenError::Disconnected(_)))) && then_nothing);
    closed.send(()).unwrap();
    // And so it stays.
    client.close();
    let error = client.execute::<Empty>("stop", ()).unwrap_err();
    assert_eq!(error.to_string(), "`stop` was not sent: this side closed the connection");
    let mut late = client.events();
    assert!(matches!(late.wait(PATIENCE), Err(ListenError::Disconnected(_))));
    assert!(late.next().is_none());
}

#[test]
fn the_last_clone_may_go_anywhere() {
    // In a filter, which runs in the client's own thread; with its listener; in a thread that others wait for.
    type Way = fn(Client) -> Option<JoinHandle<()>>;
    let ways: [(&str, Way); 4] = [
        ("here", |_| None),
        ("elsewhere", |client| Some(spawn(move || drop(client)))),
        ("in a filter", |client| {
            let held = Mutex::new(Some(client.clone()));
            let mut events = client.listen(move |_| held.lock().unwrap().take().is_none());
            let begun = client.start(Request::new("go")).unwrap();
            drop((client, begun));
            assert!(matches!(events.next(), Some(Err(ListenError::Disconnected(_)))));
            None
        }),
        ("with its listener, in the middle of a filter", |client| {
            let (tell, told) = channel();
            let (go_on, gone_on) = channel::<()>();
            let held = (client.clone(), Mutex::new(gone_on));
            let events = client.listen(move |_| {
                tell.send(()).unwrap();
                let _ = (&held.0, held.1.lock().unwrap().recv_timeout(PATIENCE));
                true
            });
            let begun = client.start(Request::new("go")).unwrap();
            told.recv_timeout(PATIENCE).unwrap();
            drop((client, begun, events));
            go_on.send(()).unwrap();
            None
        }),
    ];
    for (_, way) in ways {
        let (closed, end) = channel();
        let (peer, client) = peer(move |talk| {
            if talk.hear().contains("\"go\"") {
                talk.event("GO", "{}");
                talk.wait_for_close();
            }
            closed.send(()).unwrap();
        });
        let thread = way(client);
        end.recv_timeout(PATIENCE).expect("the connection goes with the last clone");
        drop(peer);
        if let Some(thread) = thread {
            thread.join().unwrap();
        }
    }
}

#[test]
fn a_listener_outlives_its_client_with_what_it_has() {
    let (_peer, client) = peer(|talk| {
        let id = talk.expect("go");
        talk.event("A", "{}");
        talk.event("B", "{}");
        talk.answer(&id, "{}");
        talk.wait_for_close();
    });
    let mut events = client.events();
    client.execute::<Empty>("go", ()).unwrap();
    drop(client);
    let names: Vec<String> = events.by_ref().map_while(Result::ok).map(|event| event.name().to_owned()).collect();
    assert_eq!(names, ["A", "B"]);
    assert!(events.next().is_none());
}

#[test]
pub fn the_server_may_leave_at_any_point() {
    type Script = fn(&mut Talk);
    let rows: [(&str, Script, &str); 4] = [
        ("before the command", |_| {}, "the server closed the connection"),
        ("before the reply", |talk| drop(talk.expect("stop")), "the server closed the connection"),
        (
            "in the middle of the reply",
            |talk| {
                talk.expect("stop");
                talk.say_raw(b"{\"return\": {\"a\": ");
            },
            "the server closed the connection in the middle of a message",
        ),
        (
            "with a message that is too deep",
            |talk| {
                let id = talk.expect("stop");
                talk.answer(&id, &format!("{}1{}", "[".repeat(2048), "]".repeat(2048)));
                // Nobody will read on, so nobody may go on saying.
                talk.wait_for_close();
            },
            "the server sent a message nested more than 2048 levels deep",
        ),
    ];
    for (row, script, how) in rows {
        let (peer, client) = peer(script);
        let mut events = client.events();
        let error = client.execute::<Empty>("stop", ()).unwrap_err();
        assert!(error.to_string().contains(how), "{row}: {error}");
        if row != "before the command" {
            assert!(error.may_have_run(), "{row}");
        }
        match events.next() {
            Some(Err(error)) => assert_eq!(error.to_string(), how, "{row}"),
            other => panic!("{row}: {other:?}"),
        }
        let error = client.execute::<Empty>("cont", ()).unwrap_err();
        assert_eq!((error.to_string(), error.may_have_run()), (format!("`cont` was not sent: {how}"), false), "{row}");
        // The peer is at its end, though the client is here still.
        drop(peer);
    }
}

#[test]
pub fn a_server_that_talks_and_does_not_listen_is_heard_while_we_send() {
    const EVENTS: usize = 5_000;
    let (_peer, client) = peer(|talk| {
        let id = talk.expect("begin");
        talk.answer(&id, "{}");
        for _ in 0..EVENTS {
            talk.event("TALK", &format!("\"{}\"", "x".repeat(1_000)));
        }
        let id = talk.expect("listen");
        talk.answer(&id, "{}");
        talk.wait_for_close();
    });
    let events = client.events().timeout(Duration::ZERO);
    client.execute::<Empty>("begin", ()).unwrap();
    client.execute::<Empty>("listen", json!({"a": "x".repeat(STUCK)})).unwrap();
    assert_eq!(events.count(), EVENTS);
}

#[test]
pub fn quit_succeeds_with_its_answer_or_with_the_end_in_its_place() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let client = server.client();
    let mut events = client.listen(|event| event.name() == "SHUTDOWN");
    client.quit().unwrap();
    let shutdown: Value = events.next().unwrap().unwrap().data_as().unwrap();
    assert_eq!(shutdown["reason"], "host-qmp-quit");
    assert!(server.wait_for_end());
    assert!(matches!(events.next(), Some(Err(ListenError::Disconnected(_)))));
    assert!(matches!(client.quit(), Err(ExecuteError::NotSent { .. })), "there is nobody left to end");

    let (peer, client) = peer(|talk| drop(talk.expect("quit")));
    client.quit().unwrap();
    drop(peer);
    // Input that the server leaves unread makes a reset of the end.
    let (peer, client) = self::peer(|talk| drop(talk.expect("first")));
    let first = client.start(Request::new("first").with_arguments(json!({"a": "x".repeat(100_000)}).to_string()));
    let quit = client.quit();
    assert!(quit.is_ok() || matches!(quit, Err(ExecuteError::NotSent { .. })), "{quit:?}");
    assert!(first.unwrap().reply().unwrap_err().may_have_run());
    drop(peer);

    let (_peer, client) = self::peer(|talk| {
        let id = talk.expect("quit");
        talk.refuse(Some(&id), "GenericError", "not now");
        talk.wait_for_close();
    });
    assert_eq!(client.quit().unwrap_err().to_string(), "`quit`: GenericError: not now");
}

#[test]
fn a_killed_server_ends_what_is_under_way() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let client = Arc::new(server.client());
    let mut events = client.events();
    server.kill();
    match events.next() {
        Some(Err(ListenError::Disconnected(lost))) => assert_eq!(lost.to_string(), "the server closed the connection"),
        other => panic!("{other:?}"),
    }
    assert!(!client.execute::<Empty>("stop", ()).unwrap_err().may_have_run());
}
