//! Tests of several requests at once.

use super::*;
use crate::wire::Request;

/// The greeting of a server that takes several requests at once.
const OOB_GREETING: &str =
    r#"{"QMP": {"version": {"qemu": {"micro": 0, "minor": 0, "major": 10}, "package": ""}, "capabilities": ["oob"]}}"#;

/// Returns an engine with an open session to a server that takes several requests at once.
fn engine_with_oob(script: impl FnOnce(&mut Peer) + Send + 'static) -> (Engine, Recorder, Listener) {
    let server = start_listener(vec![Box::new(|peer| {
        peer.send_line(OOB_GREETING);
        peer.answer("qmp_capabilities", "{}");
        script(peer);
    })]);
    let mut connection = Connection::new(Some(server.address.clone()), Options::default(), false);
    connection.open(&mut |_| {}).unwrap();
    (Engine::new(connection, Settings::default(), WITHOUT_QUERIES, SharedLog::default()), Recorder::default(), server)
}

fn requests(count: usize) -> Vec<Request> {
    (0..count).map(|number| Request::new(&format!("query-{number}"))).collect()
}

fn transact_all(engine: &mut Engine, count: usize, out: &mut Recorder) -> Result<Option<Vec<String>>, LineOutcome> {
    let replies = engine.transact_all(&requests(count), &InputLine::none(), out)?;
    Ok(replies.map(|replies| replies.iter().map(|reply| reply.member().1.to_owned()).collect()))
}

#[test]
fn eight_requests_are_sent_before_the_first_reply() {
    let (mut engine, mut out, _server) = engine_with_oob(|peer| {
        let ids: Vec<String> = (0..8).map(|number| peer.expect_command(&format!("query-{number}"))).collect();
        // The second reply comes first.
        peer.reply(&ids[1], "1");
        peer.send_event("STOP");
        peer.reply(&ids[0], "0");
        peer.send_line(&format!(r#"{{"error": {{"class": "GenericError", "desc": "no"}}, "id": {}}}"#, ids[2]));
        ids.iter().enumerate().skip(3).for_each(|(number, id)| peer.reply(id, &number.to_string()));
        peer.answer("query-8", "8");
        peer.answer("query-9", "9");
    });
    let replies = transact_all(&mut engine, 10, &mut out).unwrap().unwrap();
    assert_eq!(replies, ["0", "1", r#"{"class": "GenericError", "desc": "no"}"#, "3", "4", "5", "6", "7", "8", "9"]);
    assert_eq!(out.take(), ["event: STOP"]);
}

#[test]
fn a_server_without_oob_gets_one_request_at_a_time() {
    let (mut engine, mut out, _server) = engine(WITHOUT_QUERIES, |peer| {
        for number in 0..10 {
            let id = peer.expect_command(&format!("query-{number}"));
            std::thread::sleep(Duration::from_millis(1));
            peer.reply(&id, &number.to_string());
        }
    });
    assert_eq!(transact_all(&mut engine, 10, &mut out).unwrap().unwrap().len(), 10);
}

#[test]
fn an_interrupt_abandons_all_requests() {
    let (mut engine, mut out, _server) = engine_with_oob(|peer| {
        let ids: Vec<String> = (0..3).map(|number| peer.expect_command(&format!("query-{number}"))).collect();
        let stop = peer.expect_command("stop");
        ids.iter().for_each(|id| peer.reply(id, "1"));
        peer.reply(&stop, "2");
    });
    let queue = engine.connection.start_reader().unwrap();
    queue.interrupt();
    assert_eq!(transact_all(&mut engine, 3, &mut out), Ok(None));
    assert_eq!(out.take(), ["notice: `query-0` is still running in the server; its reply is shown when it arrives."]);
    assert_eq!(run(&mut engine, &mut out, "stop"), LineOutcome::Done);
    assert_eq!(out.take(), ["late reply: query-0 1", "reply: stop 2"]);
}

#[test]
fn the_end_of_the_connection_is_reported_once() {
    let (mut engine, mut out, _server) = engine_with_oob(|peer| {
        peer.answer("query-0", "0");
        peer.expect_command("query-1");
    });
    assert_eq!(transact_all(&mut engine, 10, &mut out), Err(LineOutcome::Disconnected));
    let entries = out.take();
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert!(entries[0].starts_with("ConnectionLost: "), "{entries:?}");
}

#[test]
fn a_verbose_shell_shows_each_request() {
    let (mut engine, mut out, _server) = engine_with_oob(|peer| {
        peer.answer("query-0", "0");
        peer.answer("query-1", "1");
    });
    engine.settings.verbose = true;
    assert!(transact_all(&mut engine, 2, &mut out).is_ok());
    assert_eq!(out.take(), [r#"sending: {"execute": "query-0"}"#, r#"sending: {"execute": "query-1"}"#]);
}
