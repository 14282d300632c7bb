//! Valid replies that are very long or take very much memory, and jobs without end, in what the shell asks by itself.

use expect_test::expect;

use crate::support::peer::{Peer, PeerConnection};
use crate::support::program::{Run, qmp_shell};
use crate::support::snapshot;

/// The address space of the shell, in KiB.
const ADDRESS_SPACE_KIB: usize = 400_000;

/// Replies to all requests with the same text.
fn always_reply(conn: &mut PeerConnection, value: &str) {
    conn.negotiate();
    while let Some(request) = conn.next_request() {
        match request["execute"].as_str() {
            Some("query-qmp-schema") => conn.reply_error(Some(&request["id"].to_string()), "CommandNotFound", "none"),
            _ => conn.reply(&request["id"].to_string(), value),
        }
    }
}

fn run(value: String, lines: &[&str]) -> Run {
    let peer = Peer::start(move |conn| always_reply(conn, &value));
    let address = peer.address();
    let mut args = vec!["--monitor", "own", "--no-schema", "--no-events", &address];
    args.extend(lines.iter().flat_map(|line| ["-c", line]));
    let script = format!("ulimit -v {ADDRESS_SPACE_KIB}; exec \"$0\" \"$@\"");
    let mut run = qmp_shell(&args).under(&["/bin/sh", "-c", &script]).run();
    // On a slow machine.
    let notices: Vec<&str> =
        run.stderr.split_inclusive('\n').filter(|line| !line.starts_with("Waiting for ")).collect();
    run.stderr = notices.concat();
    run
}

/// A reply of 5 MB whose values would take from 300 to 900 MB.
#[test]
fn dense_replies_are_refused() {
    let lines = [".show jobs", ".follow", ".wait job j", ".hmp info snapshots"];
    let run = run(format!("[{}]", vec!["{\"a\":1}"; 600_000].join(",")), &lines);
    assert!(run.stdout.len() < 10_000, "{} bytes", run.stdout.len());
    snapshot::check(
        run.stdout + &run.stderr,
        expect![[r#"
        {"error": {"class": "GenericError", "desc": "The server's replies would take more than 384 MiB of memory."}}
        {"return": "The server's replies would take more than 384 MiB of memory.\n"}
        -c:1: The server's replies would take more than 384 MiB of memory.
        -c:2: cannot follow jobs: `query-jobs` failed: the reply would take more than 384 MiB of memory
        -c:3: cannot wait for job `j`: `query-jobs` failed: the reply would take more than 384 MiB of memory
    "#]],
    );
}

/// A reply of 50 MB in one string.
#[test]
fn a_reply_of_50_mb_is_survived() {
    let lines = [".show jobs", "help virtio-blk-pci"];
    let run = run(format!("\"{}\"", "x".repeat(50 << 20)), &lines);
    assert!(run.stdout.len() < 10_000, "{} bytes", run.stdout.len());
    snapshot::check(
        run.stdout + &run.stderr,
        expect![[r#"
        {"error": {"class": "GenericError", "desc": "the reply to `query-jobs` is not a list"}}
        -c:1: the reply to `query-jobs` is not a list
        -c:2: unknown topic `virtio-blk-pci`; `help apropos WORD` searches for a word
          help virtio-blk-pci
               ^^^^^^^^^^^^^^
    "#]],
    );
}

/// Replies once with these jobs, and then with none.
fn run_follow(jobs: String) -> Run {
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        for jobs in [jobs.as_str(), "[]", "[]"] {
            let Some(request) = conn.next_request() else { return };
            conn.reply(&request["id"].to_string(), if request["execute"] == "query-migrate" { "{}" } else { jobs });
        }
        conn.wait_for_close();
    });
    qmp_shell(&["--no-schema", "--no-events", &peer.address(), "-c", ".follow"]).run().expect_status(1)
}

#[test]
fn jobs_that_are_too_many_are_counted_and_those_that_vanish_have_failed() {
    let job = |number: usize| format!("{{\"id\": \"j{number}\", \"type\": \"backup\", \"status\": \"paused\"}}");
    let run = run_follow(format!("[{}]", (0..1500).map(job).collect::<Vec<_>>().join(",")));
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 1002, "{}", run.stderr);
    assert_eq!(lines[0], "The server has 1500 jobs; 1000 are followed at a time.");
    assert!(lines[1].contains("j19 (backup)") && lines[1].ends_with("; 980 others"), "{}", lines[1]);
    assert_eq!(lines[1001], "-c:1: job `j999` has gone; the server does not tell how it ended");
}

#[test]
fn a_job_that_is_listed_twice_is_followed_once() {
    let job = |id: &str, current: i64| {
        format!(
            "{{\"id\": \"{id}\", \"type\": \"\\u001b[2J\\u202e\", \"status\": \"running\", \"current-progress\": {current}, \"total-progress\": 10}}"
        )
    };
    let run = run_follow(format!("[1, null, {}, {}, {}]", job("a", 5), job("a", 7), job("\\u001b\\u202e", -5)));
    snapshot::check(
        run.stderr,
        expect![[r#"
        a (\x1b[2J\u{202e}): 50 %; \x1b\u{202e} (\x1b[2J\u{202e}): 0 %
        -c:1: job `a` has gone; the server does not tell how it ended
        -c:1: job `\x1b\u{202e}` has gone; the server does not tell how it ended
    "#]],
    );
}
