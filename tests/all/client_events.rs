//! Events in the library: each listener hears what it asked for, in order, whatever the others do; a session hears all.

use std::sync::{Arc, Barrier};
use std::thread::spawn;
use std::time::Duration;

use qmp_shell::{Empty, Events, ListenError, Options, Received, Request, open};

use super::client::{next, peer};
use crate::support::peer::{EVENT, GREETING, Peer};

#[test]
pub fn each_listener_hears_what_it_asked_for_in_order() {
    const EVENTS: usize = 1000;
    let (_peer, client) = peer(|talk| {
        let id = talk.expect("go");
        for n in 0..EVENTS {
            talk.event(["EVEN", "ODD"][n % 2], &n.to_string());
        }
        talk.answer(&id, "{}");
        talk.wait_for_close();
    });
    let begun = Arc::new(Barrier::new(4));
    let numbers = |events: &mut Events| -> Vec<usize> {
        events.map_while(Result::ok).map(|event| event.data_as().unwrap()).collect()
    };
    let listening: Vec<_> = [None, Some("EVEN"), Some("ODD")]
        .map(|name| {
            let (client, begun) = (client.clone(), Arc::clone(&begun));
            spawn(move || {
                let mut events = client.listen(move |event| name.is_none_or(|name| event.name() == name));
                begun.wait();
                numbers(&mut events)
            })
        })
        .into();
    begun.wait();
    let mut here = client.events().timeout(Duration::ZERO);
    client.execute::<Empty>("go", ()).unwrap();
    // All came before the reply, so they are here; and a listener that began later has missed them.
    assert_eq!(numbers(&mut here), (0..EVENTS).collect::<Vec<_>>());
    assert!(client.events().wait(Duration::from_millis(1)).unwrap().is_none());
    client.close();
    let heard: Vec<Vec<usize>> = listening.into_iter().map(|thread| thread.join().unwrap()).collect();
    let all: Vec<usize> = (0..EVENTS).collect();
    let odd_and_even: Vec<Vec<usize>> = (0..2).map(|odd| (odd..EVENTS).step_by(2).collect()).collect();
    assert_eq!(heard, [all, odd_and_even[0].clone(), odd_and_even[1].clone()]);
}

#[test]
fn a_listener_that_takes_nothing_is_cut_off_alone() {
    const MIB: usize = 1 << 20;
    let (_peer, client) = peer(|talk| {
        let data = format!("\"{}\"", "x".repeat(MIB));
        let id = talk.expect("go");
        talk.answer(&id, "{}");
        for _ in 0..70 {
            talk.event("BIG", &data);
            talk.event("SMALL", "{}");
        }
        let id = talk.expect("query-status");
        talk.answer(&id, "{}");
        talk.wait_for_close();
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
fn a_filter_that_panics_or_calls_back_harms_its_own_listener_only() {
    let (_peer, client) = peer(|talk| {
        talk.expect("go");
        talk.event("ONE", "{}");
        let id = talk.expect("query-status");
        talk.answer(&id, "{}");
        talk.wait_for_close();
    });
    let mut panics = client.listen(|_| panic!("on purpose"));
    let inner = client.clone();
    let mut calls = client.listen(move |_| inner.execute::<Empty>("stop", ()).is_ok());
    let mut good = client.events();
    let _go = client.start(Request::new("go")).unwrap();
    assert_eq!(next(&mut good).name(), "ONE");
    for events in [&mut panics, &mut calls] {
        assert!(matches!(events.next(), Some(Err(ListenError::Filter))));
        assert!(events.next().is_none());
    }
    client.execute::<Empty>("query-status", ()).unwrap();
}

#[test]
fn a_session_hands_out_what_came_early_before_all_else() {
    const EARLY: usize = 20_000;
    let peer = Peer::start(|talk| {
        talk.say_raw(EVENT.repeat(EARLY).as_bytes());
        talk.say(GREETING);
        let id = talk.expect("qmp_capabilities");
        talk.say_raw(format!("{{\"return\": {{}}, \"id\": {id}}}{{\"event\": \"LAST\"}}").as_bytes());
        talk.wait_for_close();
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
