//! Tests of the shell's own monitor on the engine's session.

use std::sync::mpsc::channel;

use super::*;
use crate::grammar::Language;

use super::super::super::settings::MonitorChoice;

/// Returns an engine that executes HMP lines itself.
fn hmp_engine(script: impl FnOnce(&mut Peer) + Send + 'static) -> (Engine, Recorder, Listener) {
    let (mut engine, out, server) = engine(WITHOUT_QUERIES, script);
    engine.settings.monitor = MonitorChoice::Own;
    engine.set_language(Language::Hmp);
    (engine, out, server)
}

const OVERLAY: &str = r#"[{"device": "d0", "inserted": {"backing_file": "b", "backing_file_depth": 1}}]"#;

/// Returns the id of the first job that a command of this process starts.
fn job_id(command: &str) -> String {
    format!("{command}-{}-1", std::process::id())
}

fn send_status(peer: &mut Peer, id: &str, status: &str) {
    let data = format!(r#"{{"id": "{id}", "status": "{status}"}}"#);
    let timestamp = r#"{"seconds": 1, "microseconds": 2}"#;
    peer.send_line(&format!(r#"{{"event": "JOB_STATUS_CHANGE", "timestamp": {timestamp}, "data": {data}}}"#));
}

fn answer_with_status(peer: &mut Peer, status: &str) {
    peer.answer("query-jobs", &format!(r#"[{{"id": "{}", "status": "{status}"}}]"#, job_id("commit")));
}

#[test]
fn events_of_its_own_jobs_are_hidden() {
    let (mut engine, mut out, _server) = hmp_engine(|peer| {
        peer.answer("query-block", OVERLAY);
        let request = peer.expect_command("block-commit");
        send_status(peer, &job_id("commit"), "created");
        send_status(peer, "other", "running");
        peer.reply(&request, "{}");
        answer_with_status(peer, "running");
        send_status(peer, &job_id("commit"), "ready");
        answer_with_status(peer, "ready");
        peer.answer("block-job-cancel", "{}");
        answer_with_status(peer, "concluded");
        let request = peer.expect_command("job-dismiss");
        send_status(peer, &job_id("commit"), "null");
        peer.reply(&request, "{}");
    });
    assert_eq!(run(&mut engine, &mut out, "commit d0"), LineOutcome::Done);
    assert_eq!(out.take(), ["event: JOB_STATUS_CHANGE", "HMP: "]);
}

#[test]
fn ctrl_c_during_a_job_tells_that_it_goes_on() {
    let (started_tx, started_rx) = channel::<()>();
    let (checked_tx, checked_rx) = channel::<()>();
    let (mut engine, mut out, _server) = hmp_engine(move |peer| {
        peer.answer("query-block", OVERLAY);
        peer.expect_command("block-commit");
        started_tx.send(()).unwrap();
        checked_rx.recv().unwrap();
    });
    let queue = engine.connection.start_reader().unwrap();
    let interrupter = std::thread::spawn(move || {
        started_rx.recv().unwrap();
        queue.interrupt();
    });
    assert_eq!(run(&mut engine, &mut out, "commit d0"), LineOutcome::Done);
    interrupter.join().unwrap();
    checked_tx.send(()).unwrap();
    let entries = out.take();
    assert_eq!(
        entries[0],
        "notice: `block-commit` is still running in the server; its reply is shown when it arrives."
    );
    let start = format!("notice: The job `{}` may go on in the server.", job_id("commit"));
    assert!(entries[1].starts_with(&start), "{entries:?}");
}

#[test]
fn a_lost_server_during_a_job_is_told() {
    let (mut engine, mut out, _server) = hmp_engine(|peer| {
        peer.answer("query-block", OVERLAY);
        peer.answer("block-commit", "{}");
        peer.expect_command("query-jobs");
    });
    assert_eq!(run(&mut engine, &mut out, "commit d0"), LineOutcome::Disconnected);
    let notice = format!(
        "notice: The job `{}` may go on in the server; `query-jobs` shows it after the next connection.",
        job_id("commit")
    );
    assert!(out.take().contains(&notice));
}
