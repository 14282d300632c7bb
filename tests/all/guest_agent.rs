//! The guest agent (`-N`), which does not greet; and qemu-storage-daemon, which does as QEMU does.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use crate::support::peer::{Peer, Talk};
use crate::support::program::qmp_shell;
use crate::support::server::Server;
use crate::support::terminal::Terminal;

#[test]
fn a_script_for_a_guest_agent() {
    let Some(server) = Server::guest_agent() else { return };
    let script = "guest-ping\nguest-sync id=7\nguest-nope\nguest-info\n";
    let run = qmp_shell(&["-N", &server.address()]).input(script).run().expect_status(1);
    let [ping, sync, unknown, info] = run.lines()[..] else { panic!("{run:#?}") };
    assert_eq!(ping, r#"{"return": {}}"#);
    assert_eq!(sync, r#"{"return": 7}"#);
    assert!(unknown.starts_with(r#"{"error": {"class": "CommandNotFound""#), "{unknown}");
    assert!(info.contains(r#""name": "guest-ping""#), "{info}");
}

#[test]
fn a_prompt_for_a_guest_agent() {
    let Some(server) = Server::guest_agent() else { return };
    let Some(terminal) = Terminal::qmp_shell(&format!("-N {}", server.address())) else {
        return;
    };
    terminal.wait_for(&format!("Connected to a guest agent at {}.", server.address()));
    terminal.type_text("guest-pi");
    terminal.press("Tab");
    terminal.wait_for_last("(QEMU) guest-ping");
    terminal.press("Enter");
    terminal.wait_for("(QEMU) guest-ping\n{}\n(QEMU)");
    // An agent is not ended by leaving, nor asked whether it may be.
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
pub fn half_a_request_of_an_earlier_client_does_no_harm() {
    let Some(server) = Server::guest_agent() else { return };
    for half in [r#"{"execute": "guest-ping", "arguments": {"x": "ab"#, r#"[[[{"a": "#, "{\"execute\": \"guest-p"] {
        let mut earlier = UnixStream::connect(server.address()).unwrap();
        // A whole one first: once it is answered, the agent has this client.
        earlier.write_all(b"{\"execute\": \"guest-ping\"}\n").unwrap();
        assert!(earlier.read(&mut [0; 100]).unwrap() > 0);
        earlier.write_all(half.as_bytes()).unwrap();
        drop(earlier);
        let run = qmp_shell(&["-N", &server.address(), "-c", "guest-sync id=5", "-c", "guest-ping"]).run();
        assert_eq!(run.expect_status(0).stdout, "{\"return\": 5}\n{\"return\": {}}\n", "after {half}");
    }
}

/// Hears `guest-sync-delimited` behind the byte that makes an agent forget; returns its number.
fn hear_sync(talk: &mut Talk) -> String {
    let heard = talk.hear_raw();
    assert_eq!(heard.first(), Some(&0xFF), "{heard:?}");
    let request: serde_json::Value = serde_json::from_slice(&heard[1..]).unwrap();
    assert_eq!(request["execute"], "guest-sync-delimited");
    request["arguments"]["id"].to_string()
}

#[test]
pub fn what_an_agent_still_had_to_say_is_passed_over() {
    let peer = Peer::start(|talk| {
        // For clients long gone: whole answers, errors, junk, and half of one.
        talk.say(r#"{"return": {"version": "old"}}"#);
        talk.say(r#"{"return": 1}"#);
        let number = hear_sync(talk);
        talk.say(r#"{"error": {"class": "GenericError", "desc": "JSON parse error, unexpected token"}}"#);
        for line in 0..300 {
            talk.say(&format!("[{line}] kernel: garbage on the port }}]"));
        }
        talk.say_raw(b"{\"return\": {\"half\": \"of an \\\"ans");
        talk.say_raw(b"\xFF");
        talk.say(&format!("{{\"return\": {number}}}"));
        let (command, id) = talk.hear_request();
        assert_eq!(command, "guest-ping");
        talk.answer(&id, "{}");
        talk.wait_for_close();
    });
    let run = qmp_shell(&["-N", &peer.address(), "-c", "guest-ping"]).run();
    let run = run.expect_status(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("{\"return\": {}}\n", ""));
}

#[test]
pub fn an_answer_to_somebody_else_is_not_taken_for_ours() {
    let peer = Peer::start(|talk| {
        let number: u64 = hear_sync(talk).parse().unwrap();
        talk.say_raw(b"\xFF");
        talk.say(&format!("{{\"return\": {}}}", number + 1));
        talk.wait_for_close();
    });
    let run = qmp_shell(&["-N", "--timeout", "0.2", &peer.address(), "-c", "guest-ping"]).run();
    let run = run.expect_status(3);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("no guest agent answered within 0.2 s"), "{}", run.stderr);
}

#[test]
fn the_commands_of_an_agent_complete() {
    let Some(server) = Server::guest_agent() else { return };
    for (line, candidates) in
        [("guest-pi", "guest-ping\t\n"), ("guest-sync", "guest-sync\t\nguest-sync-delimited\t\n"), ("query-", "")]
    {
        let run = qmp_shell(&["-N", &server.address(), "--complete", line]).run();
        assert_eq!(run.expect_status(0).stdout, candidates, "{line}");
    }
}

#[test]
fn without_n_the_sentence_suggests_it_and_the_other_way_round() {
    let (Some(agent), Some(daemon)) = (Server::guest_agent(), Server::storage_daemon()) else {
        return;
    };
    for (server, flags, sentence) in [
        (
            &agent,
            &[][..],
            "no greeting came within 0.3 s; a monitor serves one client at a time, so another may hold it \
             (a guest agent sends no greeting: use -N)",
        ),
        (
            &daemon,
            &["-N"],
            "no guest agent answered within 0.3 s; is it running in the guest? (without -N for a QMP monitor)",
        ),
    ] {
        let address = server.address();
        let mut args = vec!["--timeout", "0.3", "-c", "query-status", &address];
        args.extend(flags);
        let run = qmp_shell(&args).run().expect_status(3);
        assert_eq!(run.stdout, "");
        assert_eq!(run.stderr, format!("qmp-shell: connected to `{address}`, but {sentence}\n"));
    }
}

#[test]
fn qemu_storage_daemon_works_as_qemu_does() {
    let Some(mut server) = Server::storage_daemon() else {
        return;
    };
    let script = "\
        blockdev-add driver=null-co node-name=n0 size=1048576\n\
        blockdev-add driver=raw node-name=r0 file=n0\n\
        query-named-block-nodes flat=true\n\
        blockdev-del node-name=n0\n\
        query-status\n\
        human-monitor-command command-line=help\n\
        quit\n";
    let run = qmp_shell(&[&server.address()]).input(script).run().expect_status(1);
    let replies = run.replies();
    let [added, stacked, nodes, in_use, no_machine, no_hmp, quit] = replies[..] else { panic!("{run:#?}") };
    for reply in [added, stacked, quit] {
        assert_eq!(reply, r#"{"return": {}}"#);
    }
    assert!(nodes.contains(r#""node-name": "r0""#), "{nodes}");
    assert!(in_use.starts_with(r#"{"error": {"class": "GenericError""#), "{in_use}");
    for (reply, command) in [(no_machine, "query-status"), (no_hmp, "human-monitor-command")] {
        let refusal =
            format!("{{\"error\": {{\"class\": \"NotSent\", \"desc\": \"the server has no command `{command}`");
        assert!(reply.starts_with(&refusal), "{reply}");
    }
    assert!(server.wait_for_end());
}

#[test]
fn a_prompt_for_qemu_storage_daemon() {
    let Some(mut server) = Server::storage_daemon() else {
        return;
    };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else {
        return;
    };
    terminal.wait_for("Connected to QEMU 10.0.2 at ");
    terminal.type_text("query-vers");
    terminal.press("Tab");
    terminal.wait_for_last("(QEMU) query-version");
    terminal.press("Enter");
    terminal.wait_for("\n  \"qemu\": {\n    \"micro\": 2,");
    // There is no human monitor behind it; asking for one is answered, not waited for.
    terminal.enter(".hmp");
    terminal.enter("info status");
    terminal.wait_for("CommandNotFound: ");
    terminal.enter(".qmp");
    terminal.enter("quit");
    terminal.wait_for("[y/N]");
    terminal.enter("y");
    terminal.wait_for("QEMU has ended.");
    assert_eq!(terminal.wait_for_end(), 0);
    assert!(server.wait_for_end());
}
