//! `qmp --events`: events as JSON Lines, as they come, each once and in order.

use std::io::{BufRead, BufReader, Read};
use std::process::Command;
use std::sync::mpsc::channel;

use crate::support::peer::Peer;
use crate::support::program::{Run, qmp};
use crate::support::server::{Q35, Server, say_to_human_monitor};
use crate::support::wait_until;

/// A peer that says these events at once, and then stays.
fn peer(events: &'static [&'static str]) -> Peer {
    Peer::start(move |talk| {
        talk.negotiate();
        for name in events {
            talk.event(name, "{\"n\": 1}");
        }
        // Asked which events it has, it does not say.
        talk.refuse_until_close();
    })
}

/// The names of the events of a run.
fn names(run: &Run) -> Vec<String> {
    let name =
        |line: &&str| serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].as_str().unwrap().to_owned();
    run.lines().iter().map(name).collect()
}

#[test]
fn a_real_machine_is_followed_from_one_event_to_the_next() {
    let Some(server) = Server::qemu(Q35) else { return };
    let mut child = qmp(&["-v", "--path", &server.address(), "--events", "STOP", "res*", "RESUEM"]).start();
    let mut beside = BufReader::new(child.stderr.take().unwrap());
    let mut events = BufReader::new(child.stdout.take().unwrap());
    let line = |from: &mut dyn BufRead| {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(line(&mut beside), "qmp: warning: the server has no event `RESUEM`; did you mean `RESUME`?\n");
    assert_eq!(line(&mut beside), "qmp: following\n");
    // Each is there before the next is made: nothing waits in a buffer.
    for (command, event) in [("cont", "RESUME"), ("stop", "STOP"), ("system_reset", "RESET"), ("cont", "RESUME")] {
        say_to_human_monitor(&server.path("hmp.sock"), command);
        let line = line(&mut events);
        assert!(line.starts_with("{\"timestamp\": {") && line.contains(&format!("\"event\": \"{event}\"")), "{line}");
    }
    say_to_human_monitor(&server.path("hmp.sock"), "stop");
    assert!(line(&mut events).contains("\"STOP\""));
    drop(server);
    wait_until("its end", || child.try_wait().unwrap().is_some());
    assert_eq!(line(&mut beside), "qmp: the server closed the connection\n");
    assert_eq!(child.wait().unwrap().code(), Some(4));
}

#[test]
fn it_ends_when_enough_have_come_or_the_time_is_up() {
    const THREE: &[&str] = &["STOP", "JOB_STATUS_CHANGE", "RESUME"];
    for (args, seen, status, message) in [
        (vec!["--count", "2"], vec!["STOP", "JOB_STATUS_CHANGE"], 0, ""),
        (vec!["--count", "1", "--timeout", "30"], vec!["STOP"], 0, ""),
        (vec!["RES*", "j*", "--count", "2"], vec!["JOB_STATUS_CHANGE", "RESUME"], 0, ""),
        (vec!["--timeout", "0.3"], THREE.to_vec(), 0, ""),
        (vec!["NONE", "--timeout", "0.1"], vec![], 0, ""),
        (vec!["--count", "4", "--timeout", "0.3"], THREE.to_vec(), 1, "qmp: 3 of 4 events came within 0.3 s\n"),
    ] {
        let peer = peer(THREE);
        let run = qmp(&[&["--path", &peer.address(), "--events"], &args[..]].concat()).run().expect_status(status);
        assert_eq!((names(&run), run.stderr.as_str()), (seen.into_iter().map(str::to_owned).collect(), message));
    }
    // Names behind another option; options behind names.
    let peer = peer(THREE);
    let run = qmp(&["--events", "--count", "1", "--path", &peer.address(), "RESUME"]).run().expect_status(0);
    assert_eq!(names(&run), ["RESUME"]);
    let run = qmp(&["--events", "--path", "demo:", "STOP", "--count", "1"]).run().expect_status(2);
    assert_eq!(run.stderr, "qmp: options stand before the names of events: `--count`\n");
    qmp(&["--events", "--path", "/nowhere", "--timeout", "30"]).run().expect_status(3);
    qmp(&["--events"]).run().expect_status(2);
}

#[test]
fn several_servers_say_which_and_one_that_goes_away_stops_nobody() {
    let (gone, is_gone) = channel();
    let goes = Peer::start(move |talk| {
        talk.negotiate();
        talk.event("STOP", "{}");
        gone.send(()).unwrap();
    });
    let stays = Peer::start(move |talk| {
        talk.negotiate();
        // Only once the other has gone, and that is known.
        is_gone.recv().unwrap();
        talk.event("RESUME", "{}");
        talk.wait_for_close();
    });
    let (goes_at, stays_at) = (goes.address(), stays.address());
    let run =
        qmp(&["--path", &goes_at, "--path", &stays_at, "--path", "/nowhere", "--events", "--timeout", "0.5"]).run();
    let mut lines = run.lines();
    lines.sort_by_key(|line| line.contains("RESUME"));
    let [stop, resume] = lines[..] else { panic!("{run:#?}") };
    let begins = |line: &str, path: &str| line.starts_with(&format!("{{\"path\": \"{path}\", \"timestamp\": "));
    assert!(begins(stop, &goes_at) && begins(resume, &stays_at), "{run:#?}");
    assert!(run.stderr.contains(&format!("{goes_at}: the server closed the connection\n")), "{run:#?}");
    assert!(run.stderr.contains("/nowhere: there is no socket at `/nowhere`"), "{run:#?}");
    assert_eq!(run.status, 1, "{run:#?}");
}

#[test]
fn a_slow_reader_misses_nothing() {
    const COUNT: usize = 60_000;
    let peer = Peer::start(move |talk| {
        talk.negotiate();
        let lines: Vec<String> =
            (0..COUNT).map(|n| format!("{{\"event\": \"TICK\", \"data\": {{\"n\": {n}}}}}\r\n")).collect();
        lines.chunks(500).for_each(|chunk| talk.say_raw(chunk.concat().as_bytes()));
        talk.wait_for_close();
    });
    let count = COUNT.to_string();
    let mut child = qmp(&["--path", &peer.address(), "--events", "--count", &count]).start();
    let mut text = String::new();
    let mut out = child.stdout.take().unwrap();
    // The first byte, and then nothing until the pipe is full and the program stands still.
    out.read_exact(&mut [0]).unwrap();
    let state = || std::fs::read_to_string(format!("/proc/{}/wchan", child.id())).unwrap_or_default();
    wait_until("the full pipe", || state().contains("pipe") || state() == "0");
    out.read_to_string(&mut text).unwrap();
    wait_until("its end", || child.try_wait().unwrap().is_some());
    let seen = text.lines().enumerate().filter(|(n, line)| line.ends_with(&format!("{{\"n\": {n}}}}}"))).count();
    assert_eq!((seen, text.lines().count()), (COUNT, COUNT));
}

#[test]
fn a_server_that_never_stops_talking_does_not_outlast_the_time() {
    let talks = || {
        Peer::start(|talk| {
            talk.negotiate();
            let many = "{\"event\": \"TICK\"}\r\n".repeat(1000);
            talk.flood(many.as_bytes());
        })
    };
    let peers = [talks(), talks(), talks(), talks()];
    let paths: Vec<String> = peers.iter().map(|peer| format!("--path={}", peer.address())).collect();
    let args = paths.iter().map(String::as_str).chain(["--events", "--timeout", "0.2"]);
    let run = qmp(&args.collect::<Vec<_>>()).run().expect_status(0);
    assert!(run.lines().iter().all(|line| line.ends_with(", \"event\": \"TICK\"}")));
    // Nor is it read when nobody reads what it says.
    let peer = talks();
    let script = "\"$0\" --path \"$1\" --events | head -n 2; echo ${PIPESTATUS[0]}";
    let program = env!("CARGO_BIN_EXE_qmp");
    let output = Command::new("bash").args(["-c", script, program, &peer.address()]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "{\"event\": \"TICK\"}\n{\"event\": \"TICK\"}\n0\n");
    assert!(output.stderr.is_empty(), "{output:?}");
}
