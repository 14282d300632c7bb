//! The guest agent (`-N`), which sends no greeting, and qemu-storage-daemon, which behaves like QEMU.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use expect_test::expect;

use crate::support::peer::{Peer, PeerConnection};
use crate::support::program::qmp_shell;
use crate::support::server::Server;
use crate::support::snapshot::{self, Table};
use crate::support::terminal::Terminal;
use crate::support::wording;

#[test]
fn runs_a_script_on_a_guest_agent() {
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
fn opens_a_prompt_on_a_guest_agent() {
    let Some(server) = Server::guest_agent() else { return };
    let Some(terminal) = Terminal::qmp_shell(&format!("-N {}", server.address())) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.check_screen(expect![[r#"
        Connected to a guest agent at {DIR}/q.sock. Tab completes, help explains, Ctrl-D leaves.
        (QEMU)
    "#]]);
    terminal.type_text("guest-pi");
    terminal.press("Tab");
    terminal.wait_for_last("(QEMU) guest-ping");
    terminal.press("Enter");
    terminal.wait_for("(QEMU) guest-ping\n{}\n(QEMU)");
    // Leaving does not end an agent, so there is no question.
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
pub fn half_a_request_of_an_earlier_client_is_discarded() {
    let Some(server) = Server::guest_agent() else { return };
    for half in [r#"{"execute": "guest-ping", "arguments": {"x": "ab"#, r#"[[[{"a": "#, "{\"execute\": \"guest-p"] {
        let mut earlier = UnixStream::connect(server.address()).unwrap();
        // A whole request first: its reply shows that the agent serves this client.
        earlier.write_all(b"{\"execute\": \"guest-ping\"}\n").unwrap();
        assert!(earlier.read(&mut [0; 100]).unwrap() > 0);
        earlier.write_all(half.as_bytes()).unwrap();
        drop(earlier);
        let run = qmp_shell(&["-N", &server.address(), "-c", "guest-sync id=5", "-c", "guest-ping"]).run();
        assert_eq!(run.expect_status(0).stdout, "{\"return\": 5}\n{\"return\": {}}\n", "after {half}");
    }
}

/// Reads `guest-sync-delimited` after the sync marker; returns its number.
fn read_sync(conn: &mut PeerConnection) -> String {
    let line = conn.read_line_bytes();
    assert_eq!(line.first(), Some(&0xFF), "{line:?}");
    let request: serde_json::Value = serde_json::from_slice(&line[1..]).unwrap();
    assert_eq!(request["execute"], "guest-sync-delimited");
    request["arguments"]["id"].to_string()
}

#[test]
pub fn skips_replies_for_earlier_clients() {
    let peer = Peer::start(|conn| {
        // For clients that are gone: whole replies, errors, junk, and half a reply.
        conn.send_line(r#"{"return": {"version": "old"}}"#);
        conn.send_line(r#"{"return": 1}"#);
        let number = read_sync(conn);
        conn.send_line(r#"{"error": {"class": "GenericError", "desc": "JSON parse error, unexpected token"}}"#);
        for line in 0..300 {
            conn.send_line(&format!("[{line}] kernel: garbage on the port }}]"));
        }
        conn.send(b"{\"return\": {\"half\": \"of an \\\"ans");
        conn.send(b"\xFF");
        conn.send_line(&format!("{{\"return\": {number}}}"));
        let (command, id) = conn.read_request();
        assert_eq!(command, "guest-ping");
        conn.reply(&id, "{}");
        conn.wait_for_close();
    });
    let run = qmp_shell(&["-N", &peer.address(), "-c", "guest-ping"]).run();
    let run = run.expect_status(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("{\"return\": {}}\n", ""));
}

#[test]
pub fn ignores_a_sync_reply_with_another_number() {
    let peer = Peer::start(|conn| {
        let number: u64 = read_sync(conn).parse().unwrap();
        conn.send(b"\xFF");
        conn.send_line(&format!("{{\"return\": {}}}", number + 1));
        conn.wait_for_close();
    });
    let run = qmp_shell(&["-N", "--timeout", "0.2", &peer.address(), "-c", "guest-ping"]).run();
    run.check(expect![[r#"
        stderr: qmp-shell: connected to `{DIR}/q.sock`, but no guest agent answered within 0.2 s; is it running in the guest? (for a QMP monitor, leave out -N)
        status: 3
    "#]]);
}

#[test]
fn completes_the_commands_of_a_guest_agent() {
    let Some(server) = Server::guest_agent() else { return };
    for (line, candidates) in
        [("guest-pi", "guest-ping\t\n"), ("guest-sync", "guest-sync\t\nguest-sync-delimited\t\n"), ("query-", "")]
    {
        let run = qmp_shell(&["-N", &server.address(), "--complete", line]).run();
        assert_eq!(run.expect_status(0).stdout, candidates, "{line}");
    }
}

#[test]
fn hints_at_the_form_of_values_that_the_agent_rejects() {
    let Some(agent) = Server::guest_agent() else { return };
    // The path does not exist, and a value of the wrong type is rejected before it matters.
    let lines = "guest-exec path=/nonexistent arg=-a\nguest-exec path=/nonexistent arg.0=5\n";
    let run = qmp_shell(&["-N", &agent.address()]).input(lines).run();
    run.check(expect![[r#"
        {"error": {"class": "GenericError", "desc": "Invalid parameter type for 'arg', expected: array"}}
        {"error": {"class": "GenericError", "desc": "Invalid parameter type for 'arg[0]', expected: string"}}
        stderr: <stdin>:1: did you mean `arg.0=…`?
        status: 1
    "#]]);
}

#[test]
fn suggests_the_right_option_for_each_kind_of_server() {
    let (Some(agent), Some(daemon)) = (Server::guest_agent(), Server::storage_daemon()) else { return };
    let mut table = Table::new();
    for (name, server, options) in [("guest agent", &agent, &[][..]), ("storage daemon with -N", &daemon, &["-N"])] {
        let address = server.address();
        let run = qmp_shell(&[options, &["--timeout", "0.3", "-c", "query-status", &address]].concat()).run();
        table.run(name, &run);
    }
    table.check(expect![[r#"
        > guest agent
        stderr: qmp-shell: connected to `{DIR}/q.sock`, but no greeting came within 0.3 s; a monitor serves one client at a time, so another may hold it (a guest agent sends no greeting: use -N)
        status: 3

        > storage daemon with -N
        stderr: qmp-shell: `{DIR}/q.sock` is a QMP monitor, not a guest agent (leave out -N)
        status: 3
    "#]]);
}

#[test]
fn runs_a_script_on_the_storage_daemon() {
    let Some(mut server) = Server::storage_daemon() else { return };
    let script = "\
        blockdev-add driver=null-co node-name=n0 size=1048576\n\
        blockdev-add driver=raw node-name=r0 file=n0\n\
        query-named-block-nodes flat=true\n\
        blockdev-del node-name=n0\n\
        query-status\n\
        human-monitor-command command-line=help\n\
        .hmp info status\n\
        quit\n";
    let run = qmp_shell(&[&server.address()]).input(script).run().expect_status(1);
    let replies = run.replies();
    let [added, stacked, nodes, in_use, no_machine, no_command, no_hmp, quit] = replies[..] else { panic!("{run:#?}") };
    for reply in [added, stacked, quit] {
        assert_eq!(reply, r#"{"return": {}}"#);
    }
    assert!(nodes.contains(r#""node-name": "r0""#), "{nodes}");
    assert!(in_use.starts_with(r#"{"error": {"class": "GenericError""#), "{in_use}");
    snapshot::check(
        format!("{no_machine}\n{no_command}\n{no_hmp}\n"),
        expect![[r#"
            {"error": {"class": "NotSent", "desc": "the server has no command `query-status`"}}
            {"error": {"class": "NotSent", "desc": "the server has no command `human-monitor-command`; it has no human monitor"}}
            {"return": "Error: the server has no QMP command `query-status`\n"}
        "#]],
    );
    assert!(server.wait_for_end());
}

#[test]
fn opens_a_prompt_on_the_storage_daemon() {
    let Some(mut server) = Server::storage_daemon() else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.check_screen(expect![[r#"
        Connected to QEMU {VERSION} at {DIR}/q.sock. Tab completes, help explains, Ctrl-D leaves.
        (QEMU)
    "#]]);
    terminal.type_text("query-vers");
    terminal.press("Tab");
    terminal.wait_for_last("(QEMU) query-version");
    terminal.press("Enter");
    terminal.wait_for("\"qemu\": {\"micro\": ");
    // It has no human monitor, so the shell's own answers.
    terminal.enter(".hmp");
    terminal.enter("info status");
    terminal.wait_for("Error: the server has no QMP command `query-status`\n(qemu)");
    terminal.enter(".qmp");
    terminal.enter("quit");
    terminal.wait_for(wording::CONFIRM);
    terminal.enter("y");
    terminal.wait_for(wording::QEMU_ENDED);
    assert_eq!(terminal.wait_for_end(), 0);
    assert!(server.wait_for_end());
}
