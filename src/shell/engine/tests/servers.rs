//! Several servers: order of arrival, lost connections, interrupts.

use std::sync::mpsc::{Sender, channel};

use super::*;

/// The actions of a server, with a function that waits until it may go on.
type ServerScript = fn(&mut Peer, &dyn Fn());

/// Two servers with the names `a` and `b`, and a shell that has both.
struct Pair {
    engine: Engine,
    out: Recorder,
    /// Has the server of this index go on with its script.
    go_on: [Sender<()>; 2],
    _servers: [Listener; 2],
}

/// Starts two servers, which run their scripts after negotiation.
fn pair(options: EngineOptions, scripts: [ServerScript; 2]) -> Pair {
    let [(a, to_a), (b, to_b)] = scripts.map(|script| {
        let (go_on, waiting) = channel();
        let server = start_listener(vec![Box::new(move |peer| {
            peer.negotiate();
            script(peer, &|| {
                let _ = waiting.recv();
            });
        })]);
        (server, go_on)
    });
    let mut first = Connection::new(Some(a.address.clone()), Options::default(), false);
    first.set_name("a".to_owned());
    let second = Connection::new(Some(b.address.clone()), Options::default(), false);
    let mut engine = Engine::new(first, Settings::default(), options, SharedLog::default());
    engine.add_server(second, "b".to_owned()).unwrap();
    engine.open_all(&mut |_| {}).unwrap();
    Pair { engine, out: Recorder::default(), go_on: [to_a, to_b], _servers: [a, b] }
}

impl Pair {
    fn run(&mut self, text: &str) -> LineOutcome {
        run(&mut self.engine, &mut self.out, text)
    }

    /// Has a server go on, and waits until something of it has arrived.
    fn await_arrival(&mut self, index: usize) {
        self.go_on[index].send(()).unwrap();
        self.engine.use_server(index);
        while self.engine.connection.session().and_then(|session| session.next_arrival()).is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.engine.use_server(0);
    }
}

#[test]
fn events_are_in_order_of_arrival() {
    let script: ServerScript = |peer, wait| {
        for number in 0..20 {
            wait();
            peer.send_event(&format!("E{number}"));
        }
        wait();
    };
    let mut pair = pair(WITHOUT_QUERIES, [script, script]);
    for number in 0..20 {
        let order = if number % 3 == 0 { [0, 1] } else { [1, 0] };
        order.into_iter().for_each(|index| pair.await_arrival(index));
        assert!(!pair.engine.drain(&mut pair.out));
        let name = |index| if index == 0 { "a" } else { "b" };
        assert_eq!(pair.out.take(), order.map(|index| format!("event@{}: E{number}", name(index))));
    }
}

#[test]
fn a_reply_is_awaited_while_another_server_ends() {
    let mut pair = pair(
        WITHOUT_QUERIES,
        [
            |peer, wait| {
                let id = peer.expect_command("stop");
                wait();
                peer.reply(&id, "{}");
                wait();
            },
            |_, wait| wait(),
        ],
    );
    pair.await_arrival(1);
    let go_on = pair.go_on[0].clone();
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        go_on.send(())
    });
    assert_eq!(pair.run("stop"), LineOutcome::Done);
    late.join().unwrap().unwrap();
    assert_eq!(pair.out.take(), ["notice@b: The server closed the connection.", "reply@a: stop {}"]);
    assert!(pair.engine.has_lost_connection() && !pair.engine.has_other_connection());
    assert_eq!(pair.run("@b stop"), LineOutcome::Failed);
    assert_eq!(pair.out.take(), ["NotSent@b: not connected"]);
}

#[test]
fn losing_the_server_of_a_line_does_not_end_a_script_with_others() {
    let mut pair = pair(
        WITHOUT_QUERIES,
        [
            |peer, wait| {
                peer.answer("stop", "{}");
                wait();
            },
            |peer, _| drop(peer.expect_command("stop")),
        ],
    );
    assert_eq!(pair.run("@* stop"), LineOutcome::Failed);
    assert_eq!(
        pair.out.take(),
        [
            "reply@a: stop {}",
            "ConnectionLost@b: The server closed the connection before `stop` was answered. It may or may not have been \
             executed."
        ]
    );
    assert!(pair.engine.has_lost_connection());
}

#[test]
fn waits_count_the_events_of_their_server_only() {
    let mut pair = pair(
        WITHOUT_QUERIES,
        [
            |peer, wait| {
                wait();
                peer.send_event("E");
                wait();
            },
            |peer, wait| {
                wait();
                peer.send_event("E");
                wait();
            },
        ],
    );
    pair.await_arrival(0);
    assert_eq!(pair.run(".wait @b E timeout=0.01"), LineOutcome::Failed);
    pair.await_arrival(1);
    assert_eq!(pair.run("@b .wait E timeout=20"), LineOutcome::Done);
    assert_eq!(pair.run(".wait E timeout=20"), LineOutcome::Done, "it arrived before");
    assert_eq!(pair.out.take(), ["event@a: E", "failed@b: no event `E` within 0.01 s", "event@b: E"]);
}

#[test]
fn ctrl_c_ends_the_wait_for_any_server() {
    let options = EngineOptions { interactive: true, ..WITHOUT_QUERIES };
    let mut pair = pair(
        options,
        [
            |peer, wait| {
                wait();
                peer.send_event("E");
            },
            |peer, wait| {
                let id = peer.expect_command("stop");
                wait();
                peer.reply(&id, "{}");
            },
        ],
    );
    let queues = pair.engine.start_readers();
    let interrupting = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        queues.iter().for_each(|queue| queue.interrupt());
    });
    assert_eq!(pair.run("@b stop"), LineOutcome::Done);
    interrupting.join().unwrap();
    assert_eq!(
        pair.out.take(),
        ["notice@b: `stop` is still running in the server; its reply is shown when it arrives."]
    );
    pair.await_arrival(1);
    pair.engine.drain(&mut pair.out);
    assert_eq!(pair.out.take()[0], "late reply@b: stop {}");
}

#[test]
fn a_message_that_was_kept_is_not_before_earlier_ones_of_others() {
    let mut pair = pair(
        WITHOUT_QUERIES,
        [
            |peer, wait| {
                let id = peer.expect_command("query-x");
                peer.send_event("LATER");
                peer.reply(&id, "{}");
                wait();
            },
            |peer, wait| {
                wait();
                peer.send_event("EARLIER");
                wait();
            },
        ],
    );
    pair.await_arrival(1);
    let session = pair.engine.connection.session().unwrap();
    session.query(&Request::new("query-x"), None, &mut |_| {}).unwrap();
    assert!(!pair.engine.drain(&mut pair.out));
    assert_eq!(pair.out.take(), ["event@b: EARLIER", "event@a: LATER"]);
}
