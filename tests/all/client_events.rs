//! Events in the library: each listener gets the events it asked for, in order, independently of the others; a session
//! gets all of them.

use std::sync::{Arc, Barrier};
use std::thread::spawn;
use std::time::Duration;

use qmp_shell::{Empty, Events, ListenError, Options, Received, Request, open};

use super::client::{next, peer};
use crate::support::peer::{EVENT, GREETING, Peer};

#[test]
pub fn each_listener_gets_its_events_in_order() {
    const EVENTS: usize = 1000;
    let (_peer, client) = peer(|conn| {
        let id = conn.expect_command("go");
        for n in 0..EVENTS {
            conn.send_event(["EVEN", "ODD"][n % 2], &n.to_string());
        }
        conn.reply(&id, "{}");
        conn.wait_for_close();
    });
    let listening_started = Arc::new(Barrier::new(4));
    let numbers = |events: &mut Events| -> Vec<usize> {
        events.map_while(Result::ok).map(|event| event.data_as().unwrap()).collect()
    };
    let listening: Vec<_> = [None, Some("EVEN"), Some("ODD")]
        .map(|name| {
            let (client, started) = (client.clone(), Arc::clone(&listening_started));
            spawn(move || {
                let mut events = client.listen(move |event| name.is_none_or(|name| event.name() == name));
                started.wait();
                numbers(&mut events)
            })
        })
        .into();
    listening_started.wait();
    let mut here = client.events().timeout(Duration::ZERO);
    client.execute::<Empty>("go", ()).unwrap();
    // They came before the reply, so they are available; a listener that starts later does not get them.
    assert_eq!(numbers(&mut here), (0..EVENTS).collect::<Vec<_>>());
    assert!(client.events().wait(Duration::from_millis(1)).unwrap().is_none());
    client.close();
    let received: Vec<Vec<usize>> = listening.into_iter().map(|thread| thread.join().unwrap()).collect();
    let all: Vec<usize> = (0..EVENTS).collect();
    let odd_and_even: Vec<Vec<usize>> = (0..2).map(|odd| (odd..EVENTS).step_by(2).collect()).collect();
    assert_eq!(received, [all, odd_and_even[0].clone(), odd_and_even[1].clone()]);
}

#[test]
fn only_the_listener_that_reads_nothing_is_disconnected() {
    const MIB: usize = 1 << 20;
    let (_peer, client) = peer(|conn| {
        let data = format!("\"{}\"", "x".repeat(MIB));
        let id = conn.expect_command("go");
        conn.reply(&id, "{}");
        for _ in 0..70 {
            conn.send_event("BIG", &data);
            conn.send_event("SMALL", "{}");
        }
        let id = conn.expect_command("query-status");
        conn.reply(&id, "{}");
        conn.wait_for_close();
    });
    let (sleeper, taker, other) = (client.events(), client.events(), client.listen(|event| event.name() == "SMALL"));
    client.execute::<Empty>("go", ()).unwrap();
    let taken = spawn(move || taker.take(140).filter(Result::is_ok).count());
    client.execute::<Empty>("query-status", ()).unwrap();
    assert_eq!(taken.join().unwrap(), 140);
    assert_eq!(other.take(70).filter(Result::is_ok).count(), 70);
    let slept: Vec<_> = sleeper.collect();
    let (last, before) = slept.split_last().unwrap();
    assert!(matches!(last, Err(ListenError::Overflow)), "{last:?}");
    assert!(before.iter().all(Result::is_ok));
    let bytes: usize = before.iter().flatten().map(|event| event.text().len()).sum();
    assert!((63 * MIB..=64 * MIB).contains(&bytes), "{bytes}");
}

#[test]
fn a_filter_that_panics_or_calls_back_ends_only_its_own_listener() {
    let (_peer, client) = peer(|conn| {
        conn.expect_command("go");
        conn.send_event("ONE", "{}");
        let id = conn.expect_command("query-status");
        conn.reply(&id, "{}");
        conn.wait_for_close();
    });
    let mut panics = client.listen(|_| panic!("on purpose"));
    let inner = client.clone();
    let mut calls = client.listen(move |_| inner.execute::<Empty>("stop", ()).is_ok());
    let mut good = client.events();
    let _go = client.start(Request::new("go")).unwrap();
    assert_eq!(next(&mut good).name(), "ONE");
    for events in [&mut panics, &mut calls] {
        assert!(matches!(events.next(), Some(Err(ListenError::FilterPanicked))));
        assert!(events.next().is_none());
    }
    client.execute::<Empty>("query-status", ()).unwrap();
}

#[test]
fn a_session_returns_early_events_first() {
    const EARLY: usize = 20_000;
    let peer = Peer::start(|conn| {
        conn.send(EVENT.repeat(EARLY).as_bytes());
        conn.send_line(GREETING);
        let id = conn.expect_command("qmp_capabilities");
        conn.send(format!("{{\"return\": {{}}, \"id\": {id}}}{{\"event\": \"LAST\"}}").as_bytes());
        conn.wait_for_close();
    });
    let mut session = open(&peer.address().parse().unwrap(), &Options::default()).unwrap();
    session.start_reader();
    let name = |item| match item {
        Received::Event(event) => event.name().to_owned(),
        other => panic!("{other:?}"),
    };
    for _ in 0..EARLY {
        assert_eq!(name(session.receive(None).unwrap()), "E");
    }
    assert_eq!(name(session.receive(None).unwrap()), "LAST");
    drop(session);
}
