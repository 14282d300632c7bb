//! The end of a client's connection, for every call that may be waiting: none hangs.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use expect_test::expect;
use qmp_shell::{Client, Empty, ExecuteError, ListenError, Request};
use serde_json::{Value, json};

use crate::support::TIMEOUT;
use crate::support::peer::{Peer, PeerConnection};
use crate::support::server::{SMALL, Server};
use crate::support::snapshot::{self, Table};

/// More than any socket buffers, so that a send blocks if the peer does not read.
const BLOCKING_BYTES: usize = 8 << 20;

/// Runs `call` in a thread of its own; returns a receiver of its result.
fn run_in_thread<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (result_tx, result_rx) = channel();
    spawn(move || result_tx.send(call()));
    result_rx
}

/// Waits for the result of a call in a thread.
#[track_caller]
fn outcome<T>(result: &Receiver<T>) -> T {
    result.recv_timeout(TIMEOUT).expect("the call hangs")
}

#[test]
fn eight_commands_that_are_never_answered_do_not_hold_the_ninth_forever() {
    let (_peer, client) = Peer::with_client(|conn| {
        let ids: Vec<String> = (0..8).map(|_| conn.expect_command("wait")).collect();
        assert_eq!(conn.read_request().0, "overtake");
        conn.reply(&ids[3], "{}");
        assert_eq!(conn.read_request().0, "ninth");
        conn.wait_for_close();
    });
    let unanswered: Vec<_> = (0..8).map(|_| client.start(Request::new("wait")).unwrap()).collect();
    for timeout in [Duration::ZERO, Duration::from_millis(50)] {
        let unsent = client.start_within(Request::new("ninth"), timeout).unwrap().unwrap_err();
        assert_eq!(unsent.command, "ninth");
    }
    // An out-of-band command does not wait. After a reply there is room again.
    let mut overtake = Request::new("overtake");
    overtake.oob = true;
    let _overtaking = client.start_within(overtake, Duration::ZERO).unwrap().unwrap();
    let _ninth = client.start_within(Request::new("ninth"), TIMEOUT).unwrap().unwrap();
    client.close();
    let closed = client.start_within(Request::new("tenth"), Duration::ZERO).unwrap_err();
    assert!(matches!(closed, ExecuteError::NotSent { .. }), "{closed}");
    drop(unanswered);
}

#[test]
fn closing_ends_every_waiting_call() {
    let (read_tx, read_rx) = channel();
    let (closed_tx, closed_rx) = channel();
    let (_peer, client) = Peer::with_client(move |conn| {
        for _ in 0..8 {
            conn.expect_command("wait");
        }
        read_tx.send(()).unwrap();
        // Reads nothing from here on.
        conn.wait_for_data();
        read_tx.send(()).unwrap();
        closed_rx.recv_timeout(TIMEOUT).unwrap();
    });
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            run_in_thread(move || client.execute::<Empty>("wait", ()))
        })
        .collect();
    read_rx.recv_timeout(TIMEOUT).unwrap();
    let spare = client.clone();
    let ninth = run_in_thread(move || spare.execute::<Empty>("ninth", ()));
    let mut events = client.events();
    let listening = run_in_thread(move || (events.next(), events.next().is_none()));
    let spare = client.clone();
    let stuck = run_in_thread(move || spare.execute_oob::<Empty>("yank", json!({"a": "x".repeat(BLOCKING_BYTES)})));
    read_rx.recv_timeout(TIMEOUT).unwrap();
    let spare = client.clone();
    let queued = run_in_thread(move || spare.execute_oob::<Empty>("queued", ()));

    client.close();
    for waiting in &waiting {
        let error = outcome(waiting).unwrap_err();
        snapshot::check(
            error.to_string(),
            expect![[r#"
                this side closed the connection before `wait` was answered; it may or may not have been executed
            "#]],
        );
    }
    assert!(matches!(outcome(&stuck), Err(ExecuteError::Unanswered { .. })), "part of it was sent");
    for (result, command) in [(&ninth, "ninth"), (&queued, "queued")] {
        let error = outcome(result).unwrap_err();
        assert!(matches!(error, ExecuteError::NotSent { .. }), "{error}");
        assert!(error.to_string().starts_with(&format!("`{command}` ")), "{error}");
    }
    let (first, has_ended) = outcome(&listening);
    assert!(matches!(first, Some(Err(ListenError::Disconnected(_)))) && has_ended);
    closed_tx.send(()).unwrap();
    // Later calls fail, too.
    client.close();
    let error = client.execute::<Empty>("stop", ()).unwrap_err();
    snapshot::check(
        error.to_string(),
        expect![[r#"
        `stop` was not sent: this side closed the connection
    "#]],
    );
    let mut late = client.events();
    assert!(matches!(late.wait(TIMEOUT), Err(ListenError::Disconnected(_))));
    assert!(late.next().is_none());
}

#[test]
fn closes_with_the_last_clone_wherever_it_is_dropped() {
    // In another thread; in a filter, which runs in the client's own thread; with its listener.
    type DropClient = fn(Client) -> Option<JoinHandle<()>>;
    let cases: [(&str, DropClient); 4] = [
        ("in this thread", |_| None),
        ("in another thread", |client| Some(spawn(move || drop(client)))),
        ("in a filter", |client| {
            let held = Mutex::new(Some(client.clone()));
            let mut events = client.listen(move |_| held.lock().unwrap().take().is_none());
            let begun = client.start(Request::new("go")).unwrap();
            drop((client, begun));
            assert!(matches!(events.next(), Some(Err(ListenError::Disconnected(_)))));
            None
        }),
        ("with its listener, while a filter runs", |client| {
            let (filter_tx, filter_rx) = channel();
            let (go_on_tx, go_on_rx) = channel::<()>();
            let held = (client.clone(), Mutex::new(go_on_rx));
            let events = client.listen(move |_| {
                filter_tx.send(()).unwrap();
                let _ = (&held.0, held.1.lock().unwrap().recv_timeout(TIMEOUT));
                true
            });
            let begun = client.start(Request::new("go")).unwrap();
            filter_rx.recv_timeout(TIMEOUT).unwrap();
            drop((client, begun, events));
            go_on_tx.send(()).unwrap();
            None
        }),
    ];
    for (case, drop_client) in cases {
        let (closed_tx, closed_rx) = channel();
        let (peer, client) = Peer::with_client(move |conn| {
            if conn.read_line().contains("\"go\"") {
                conn.send_event("GO", "{}");
                conn.wait_for_close();
            }
            closed_tx.send(()).unwrap();
        });
        let thread = drop_client(client);
        assert!(closed_rx.recv_timeout(TIMEOUT).is_ok(), "{case}: the connection outlives the last clone");
        drop(peer);
        if let Some(thread) = thread {
            thread.join().unwrap();
        }
    }
}

#[test]
fn a_listener_keeps_its_events_after_the_client_is_dropped() {
    let (_peer, client) = Peer::with_client(|conn| {
        let id = conn.expect_command("go");
        conn.send_event("A", "{}");
        conn.send_event("B", "{}");
        conn.reply(&id, "{}");
        conn.wait_for_close();
    });
    let mut events = client.events();
    client.execute::<Empty>("go", ()).unwrap();
    drop(client);
    let names: Vec<String> = events.by_ref().map_while(Result::ok).map(|event| event.name().to_owned()).collect();
    assert_eq!(names, ["A", "B"]);
    assert!(events.next().is_none());
}

#[test]
pub fn reports_a_server_that_closes_at_any_point() {
    type Script = fn(&mut PeerConnection);
    let rows: [(&str, Script); 4] = [
        ("before the command", |_| {}),
        ("before the reply", |conn| drop(conn.expect_command("stop"))),
        ("in the middle of the reply", |conn| {
            conn.expect_command("stop");
            conn.send(b"{\"return\": {\"a\": ");
        }),
        ("with a message that is too deep", |conn| {
            let id = conn.expect_command("stop");
            conn.reply(&id, &format!("{}1{}", "[".repeat(2048), "]".repeat(2048)));
            // The client stops reading, so it must close to release the peer.
            conn.wait_for_close();
        }),
    ];
    let mut table = Table::new();
    for (row, script) in rows {
        let (peer, client) = Peer::with_client(script);
        let mut events = client.events();
        let error = client.execute::<Empty>("stop", ()).unwrap_err();
        // Whether the end is noticed before the command is sent is up to the threads.
        if row != "before the command" {
            assert!(error.may_have_run(), "{row}");
            table.row(row, error.to_string());
        }
        match events.next() {
            Some(Err(error)) => table.row(format!("{row}: listener"), error.to_string()),
            other => panic!("{row}: {other:?}"),
        }
        let error = client.execute::<Empty>("cont", ()).unwrap_err();
        assert!(!error.may_have_run(), "{row}: {error}");
        table.row(format!("{row}: next call"), error.to_string());
        // The peer has ended, though the client still exists.
        drop(peer);
    }
    table.check(expect![[r#"
        > before the command: listener
        the server closed the connection

        > before the command: next call
        `cont` was not sent: the server closed the connection

        > before the reply
        the server closed the connection before `stop` was answered; it may or may not have been executed

        > before the reply: listener
        the server closed the connection

        > before the reply: next call
        `cont` was not sent: the server closed the connection

        > in the middle of the reply
        the server closed the connection in the middle of a message before `stop` was answered; it may or may not have been executed

        > in the middle of the reply: listener
        the server closed the connection in the middle of a message

        > in the middle of the reply: next call
        `cont` was not sent: the server closed the connection in the middle of a message

        > with a message that is too deep
        the server sent a message nested more than 2048 levels deep before `stop` was answered; it may or may not have been executed

        > with a message that is too deep: listener
        the server sent a message nested more than 2048 levels deep

        > with a message that is too deep: next call
        `cont` was not sent: the server sent a message nested more than 2048 levels deep
    "#]]);
}

#[test]
pub fn receives_while_the_server_does_not_read() {
    const EVENTS: usize = 5_000;
    let (_peer, client) = Peer::with_client(|conn| {
        let id = conn.expect_command("begin");
        conn.reply(&id, "{}");
        for _ in 0..EVENTS {
            conn.send_event("TALK", &format!("\"{}\"", "x".repeat(1_000)));
        }
        let id = conn.expect_command("listen");
        conn.reply(&id, "{}");
        conn.wait_for_close();
    });
    let events = client.events().timeout(Duration::ZERO);
    client.execute::<Empty>("begin", ()).unwrap();
    client.execute::<Empty>("listen", json!({"a": "x".repeat(BLOCKING_BYTES)})).unwrap();
    assert_eq!(events.count(), EVENTS);
}

#[test]
pub fn quit_succeeds_with_a_reply_or_with_the_end_of_the_connection() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let client = server.client();
    let mut events = client.listen(|event| event.name() == "SHUTDOWN");
    client.quit().unwrap();
    let shutdown: Value = events.next().unwrap().unwrap().data_as().unwrap();
    assert_eq!(shutdown["reason"], "host-qmp-quit");
    assert!(server.wait_for_end());
    assert!(matches!(events.next(), Some(Err(ListenError::Disconnected(_)))));
    assert!(matches!(client.quit(), Err(ExecuteError::NotSent { .. })));

    let (peer, client) = Peer::with_client(|conn| drop(conn.expect_command("quit")));
    client.quit().unwrap();
    drop(peer);
    // If the server leaves input unread, the connection is reset.
    let (peer, client) = Peer::with_client(|conn| drop(conn.expect_command("first")));
    let first = client.start(Request::new("first").with_arguments(json!({"a": "x".repeat(100_000)}).to_string()));
    let quit = client.quit();
    assert!(quit.is_ok() || matches!(quit, Err(ExecuteError::NotSent { .. })), "{quit:?}");
    assert!(first.unwrap().reply().unwrap_err().may_have_run());
    drop(peer);

    let (_peer, client) = Peer::with_client(|conn| {
        let id = conn.expect_command("quit");
        conn.reply_error(Some(&id), "GenericError", "not now");
        conn.wait_for_close();
    });
    assert_eq!(client.quit().unwrap_err().desc(), Some("not now"));
}

#[test]
fn a_killed_server_ends_calls_and_listeners() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let client = Arc::new(server.client());
    let mut events = client.events();
    server.kill();
    match events.next() {
        Some(Err(error @ ListenError::Disconnected(_))) => snapshot::check(
            error.to_string(),
            expect![[r#"
                the server closed the connection
            "#]],
        ),
        other => panic!("{other:?}"),
    }
    assert!(!client.execute::<Empty>("stop", ()).unwrap_err().may_have_run());
}
