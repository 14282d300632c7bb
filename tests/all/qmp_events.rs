//! `qmp --events`: events as JSON Lines, at once, each once and in order.

use std::io::{BufRead, BufReader, Read};
use std::process::Command;
use std::sync::mpsc::channel;

use expect_test::expect;

use crate::support::peer::Peer;
use crate::support::program::{Run, qmp};
use crate::support::server::{Q35, Server, run_hmp_line};
use crate::support::snapshot::{self, Table};
use crate::support::wait_until;

/// Starts a peer that sends these events at once, and then stays.
fn peer(events: &'static [&'static str]) -> Peer {
    Peer::start(move |conn| {
        conn.negotiate();
        for name in events {
            conn.send_event(name, "{\"n\": 1}");
        }
        // Refuses introspection too, so that the client does not know which events exist.
        conn.refuse_until_close();
    })
}

/// Returns the names of the events that a run printed.
fn names(run: &Run) -> Vec<String> {
    let name =
        |line: &&str| serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].as_str().unwrap().to_owned();
    run.lines().iter().map(name).collect()
}

#[test]
fn follows_the_events_of_a_real_machine() {
    let Some(server) = Server::qemu(Q35) else { return };
    let mut child = qmp(&["-v", "--path", &server.address(), "--events", "STOP", "res*", "RESUEM"]).start();
    let mut messages = BufReader::new(child.stderr.take().unwrap());
    let mut events = BufReader::new(child.stdout.take().unwrap());
    let line = |from: &mut dyn BufRead| {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        line
    };
    snapshot::check(
        line(&mut messages) + &line(&mut messages),
        expect![[r#"
        qmp: warning: the server has no event `RESUEM`; did you mean `RESUME`?
        qmp: following
    "#]],
    );
    // Each is printed before the next is caused: nothing stays in a buffer.
    for (command, event) in [("cont", "RESUME"), ("stop", "STOP"), ("system_reset", "RESET"), ("cont", "RESUME")] {
        run_hmp_line(&server.path("hmp.sock"), command);
        let line = line(&mut events);
        assert!(line.starts_with("{\"timestamp\": {") && line.contains(&format!("\"event\": \"{event}\"")), "{line}");
    }
    run_hmp_line(&server.path("hmp.sock"), "stop");
    assert!(line(&mut events).contains("\"STOP\""));
    drop(server);
    wait_until("it to exit", || child.try_wait().unwrap().is_some());
    snapshot::check(
        line(&mut messages),
        expect![[r#"
        qmp: the server closed the connection
    "#]],
    );
    assert_eq!(child.wait().unwrap().code(), Some(4));
}

#[test]
fn ends_after_a_count_or_a_timeout() {
    const THREE: &[&str] = &["STOP", "JOB_STATUS_CHANGE", "RESUME"];
    let mut table = Table::new();
    for (args, seen, status) in [
        (vec!["--count", "2"], vec!["STOP", "JOB_STATUS_CHANGE"], 0),
        (vec!["--count", "1", "--timeout", "30"], vec!["STOP"], 0),
        (vec!["RES*", "j*", "--count", "2"], vec!["JOB_STATUS_CHANGE", "RESUME"], 0),
        (vec!["--timeout", "0.3"], THREE.to_vec(), 0),
        (vec!["NONE", "--timeout", "0.1"], vec![], 0),
        (vec!["--count", "4", "--timeout", "0.3"], THREE.to_vec(), 1),
    ] {
        let peer = peer(THREE);
        let run = qmp(&[&["--path", &peer.address(), "--events"], &args[..]].concat()).run().expect_status(status);
        assert_eq!(names(&run), seen, "{args:?}");
        table.row(args.join(" "), &run.stderr);
    }
    // Names after another option; options after names.
    let peer = peer(THREE);
    let run = qmp(&["--events", "--count", "1", "--path", &peer.address(), "RESUME"]).run().expect_status(0);
    assert_eq!(names(&run), ["RESUME"]);
    let args = ["--events", "--path", "demo:", "STOP", "--count", "1"];
    table.row(args.join(" "), qmp(&args).run().expect_status(2).stderr);
    table.check(expect![[r#"
        > --count 2

        > --count 1 --timeout 30

        > RES* j* --count 2

        > --timeout 0.3

        > NONE --timeout 0.1

        > --count 4 --timeout 0.3
        qmp: received 3 of 4 events within 0.3 s

        > --events --path demo: STOP --count 1
        qmp: options must precede event names: `--count`
    "#]]);
    qmp(&["--events", "--path", "/nowhere", "--timeout", "30"]).run().expect_status(3);
    qmp(&["--events"]).run().expect_status(2);
}

#[test]
fn names_the_server_of_each_event_and_goes_on_without_a_lost_one() {
    let (closed_tx, closed_rx) = channel();
    let closes = Peer::start(move |conn| {
        conn.negotiate();
        conn.send_event("STOP", "{}");
        closed_tx.send(()).unwrap();
    });
    let stays = Peer::start(move |conn| {
        conn.negotiate();
        // Only after the other has closed.
        closed_rx.recv().unwrap();
        conn.send_event("RESUME", "{}");
        conn.wait_for_close();
    });
    let (closing_path, staying_path) = (closes.address(), stays.address());
    let run =
        qmp(&["--path", &closing_path, "--path", &staying_path, "--path", "/nowhere", "--events", "--timeout", "0.5"])
            .run();
    let mut lines = run.lines();
    lines.sort_by_key(|line| line.contains("RESUME"));
    let [stop, resume] = lines[..] else { panic!("{run:#?}") };
    let begins = |line: &str, path: &str| line.starts_with(&format!("{{\"path\": \"{path}\", \"timestamp\": "));
    assert!(begins(stop, &closing_path) && begins(resume, &staying_path), "{run:#?}");
    assert_eq!(run.status, 1, "{run:#?}");
    let mut messages: Vec<&str> = run.stderr.lines().collect();
    messages.sort_by_key(|line| line.contains("/nowhere"));
    snapshot::check(
        messages.join("\n"),
        expect![[r#"
            {DIR}/q.sock: the server closed the connection
            /nowhere: there is no socket at `/nowhere`; a QEMU started with `-qmp unix:/nowhere,server=on,wait=off` creates one
        "#]],
    );
}

#[test]
fn a_slow_reader_gets_every_event() {
    const COUNT: usize = 60_000;
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        let lines: Vec<String> =
            (0..COUNT).map(|n| format!("{{\"event\": \"TICK\", \"data\": {{\"n\": {n}}}}}\r\n")).collect();
        lines.chunks(500).for_each(|chunk| conn.send(chunk.concat().as_bytes()));
        conn.wait_for_close();
    });
    let count = COUNT.to_string();
    let mut child = qmp(&["--path", &peer.address(), "--events", "--count", &count]).start();
    let mut text = String::new();
    let mut out = child.stdout.take().unwrap();
    // Reads the first byte, and then nothing until the pipe is full and the program blocks.
    out.read_exact(&mut [0]).unwrap();
    let state = || std::fs::read_to_string(format!("/proc/{}/wchan", child.id())).unwrap_or_default();
    wait_until("the full pipe", || state().contains("pipe") || state() == "0");
    out.read_to_string(&mut text).unwrap();
    wait_until("it to exit", || child.try_wait().unwrap().is_some());
    let seen = text.lines().enumerate().filter(|(n, line)| line.ends_with(&format!("{{\"n\": {n}}}}}"))).count();
    assert_eq!((seen, text.lines().count()), (COUNT, COUNT));
}

#[test]
fn keeps_the_timeout_during_a_flood() {
    let talks = || {
        Peer::start(|conn| {
            conn.negotiate();
            let many = "{\"event\": \"TICK\"}\r\n".repeat(1000);
            conn.flood(many.as_bytes());
        })
    };
    let peers = [talks(), talks(), talks(), talks()];
    let paths: Vec<String> = peers.iter().map(|peer| format!("--path={}", peer.address())).collect();
    let args = paths.iter().map(String::as_str).chain(["--events", "--timeout", "0.2"]);
    let run = qmp(&args.collect::<Vec<_>>()).run().expect_status(0);
    assert!(run.lines().iter().all(|line| line.ends_with(", \"event\": \"TICK\"}")));
    // It ends once its output is closed.
    let peer = talks();
    let script = "\"$0\" --path \"$1\" --events | head -n 2; echo ${PIPESTATUS[0]}";
    let program = env!("CARGO_BIN_EXE_qmp");
    let output = Command::new("bash").args(["-c", script, program, &peer.address()]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "{\"event\": \"TICK\"}\n{\"event\": \"TICK\"}\n0\n");
    assert!(output.stderr.is_empty(), "{output:?}");
}
