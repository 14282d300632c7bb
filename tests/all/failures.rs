//! Failures, each with its message and its exit status. The programs never hang, panic, or send a request twice.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use expect_test::expect;

use crate::support::peer::{GREETING, Peer, PeerConnection};
use crate::support::program::{Run, qmp_shell};
use crate::support::server::{SMALL, Server};
use crate::support::skip::require_program;
use crate::support::snapshot::{self, Table};
use crate::support::terminal::Terminal;
use crate::support::{TIMEOUT, wait_until};

/// Checks that a run could not connect; returns its message, with a placeholder for the address.
#[track_caller]
fn connect_error(run: &Run, address: &str) -> String {
    assert_eq!((run.stdout.as_str(), run.status), ("", 3), "{run:#?}");
    run.stderr.replace(address, "{ADDRESS}")
}

/// Runs one command with a short timeout.
fn query_status(address: &str) -> Run {
    qmp_shell(&["--timeout", "0.2", address, "-c", "query-status"]).run()
}

#[test]
fn reports_servers_that_cannot_be_reached() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("file"), "").unwrap();
    drop(UnixListener::bind(path("stale")).unwrap());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut table = Table::new();
    for address in [
        path("none"),
        path("file"),
        path("."),
        path("stale"),
        format!("127.0.0.1:{port}"),
        "fd:9".to_owned(),
        "fd:1".to_owned(),
        "exec:no-such-program x".to_owned(),
        "exec:socat - 'x".to_owned(),
        "exec:true".to_owned(),
    ] {
        table.row(&address, connect_error(&query_status(&address), &address));
    }
    table.check(expect![[r#"
        > {DIR}/none
        qmp-shell: there is no socket at `{ADDRESS}`; a QEMU started with `-qmp unix:{ADDRESS},server=on,wait=off` creates one

        > {DIR}/file
        qmp-shell: `{ADDRESS}` is not a socket

        > {DIR}/.
        qmp-shell: `{ADDRESS}` is not a socket

        > {DIR}/stale
        qmp-shell: nothing is listening on `{ADDRESS}`; the server has exited or listens elsewhere

        > 127.0.0.1:{PORT}
        qmp-shell: nothing is listening on `{ADDRESS}`; the server has exited or listens elsewhere

        > fd:9
        qmp-shell: file descriptor 9 is not an inherited socket

        > fd:1
        qmp-shell: file descriptor 1 is not an inherited socket

        > exec:no-such-program x
        qmp-shell: cannot run `no-such-program x`: no such program

        > exec:socat - 'x
        qmp-shell: cannot run `socat - 'x`: a quote is not closed

        > exec:true
        qmp-shell: the connection to `{ADDRESS}` ended before negotiation was complete: the server closed the connection
    "#]]);
    // The resolver's reason differs from system to system.
    let run = query_status("no-such-host.invalid:4444").expect_status(3);
    let (start, reason) = run.stderr.split_once("failed to lookup").unwrap_or_else(|| panic!("{run:#?}"));
    snapshot::check(
        start,
        expect![[r#"
        qmp-shell: cannot find host `no-such-host.invalid`: 
    "#]],
    );
    assert!(!reason.contains("failed to lookup"), "the reason is given once: {run:#?}");
}

#[test]
fn reports_a_socket_without_permission() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
    let address = path.to_str().unwrap();
    let is_refused = std::os::unix::net::UnixStream::connect(&path).is_err();
    let run = if is_refused {
        query_status(address)
    } else {
        // The superuser may open everything, so another user runs a copy of the program that it may execute.
        let Some(setpriv) = require_program("setpriv") else { return };
        let program = folder.path().join("qmp-shell");
        std::fs::copy(env!("CARGO_BIN_EXE_qmp-shell"), &program).unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let output = Command::new(setpriv)
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .args([address, "-c", "query-status"])
            .stdin(Stdio::null())
            .output();
        output.unwrap().into()
    };
    snapshot::check(
        connect_error(&run, address),
        expect![[r#"
        qmp-shell: cannot connect to `{ADDRESS}`: Permission denied (os error 13)
    "#]],
    );
}

#[test]
fn stops_waiting_for_a_busy_monitor_after_the_timeout() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let address = server.address();
    let holder = std::os::unix::net::UnixStream::connect(&address).unwrap();
    // QEMU may still accept others after the greeting, but not after its first reply.
    (&holder).write_all(b"{\"execute\": \"qmp_capabilities\"}\n").unwrap();
    let mut lines = BufReader::new(&holder).lines();
    assert!(lines.any(|line| line.unwrap().contains("return")), "the holder gets no reply");
    let start = Instant::now();
    let first = query_status(&address);
    assert!(start.elapsed() < Duration::from_secs(3));
    // A client that gave up stays in the listener's queue; once that is full, the next one cannot connect at all.
    let mut tries = 0;
    let run = loop {
        let run = query_status(&address);
        if run.stderr != first.stderr {
            break run;
        }
        tries += 1;
        assert!(tries < 10, "{run:#?}");
    };
    let mut table = Table::new();
    table.row("busy", connect_error(&first, &address));
    table.row("queue full", connect_error(&run, &address));
    table.check(expect![[r#"
        > busy
        qmp-shell: connected to `{ADDRESS}`, but no greeting came within 0.2 s; a monitor serves one client at a time, so another may hold it (a guest agent sends no greeting: use -N)

        > queue full
        qmp-shell: no connection to `{ADDRESS}` within 0.2 s: other clients are already waiting for it; a monitor serves one client at a time
    "#]]);
    drop(holder);
    wait_until("the monitor to be free", || query_status(&address).status == 0);
}

#[test]
fn recognises_a_human_monitor() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let telnet = format!("telnet:127.0.0.1:{port},server=on,wait=off");
    let Some(server) = Server::qemu(&[SMALL, &["-serial", &telnet, "-serial", "none"]].concat()) else { return };
    let mut table = Table::new();
    let mut row = |name: &str, address: &str| table.row(name, connect_error(&query_status(address), address));
    row("HMP", &server.path("hmp.sock"));
    let peer = Peer::start(|conn| {
        conn.send(b"\xff\xfb\x01\xff\xfb\x03\xff\xfb\x00\xff\xfd\x00");
        conn.send(b"QEMU 1.2.3 monitor - type 'help' for more information\r\n(qemu) ");
        conn.wait_for_close();
    });
    row("HMP over telnet", &peer.address());
    // A serial port over telnet sends its options and nothing else.
    row("serial port over telnet", &format!("127.0.0.1:{port}"));
    table.check(expect![[r#"
        > HMP
        qmp-shell: `{ADDRESS}` is a human monitor (HMP) socket; QMP needs `-qmp …` or `-mon …,mode=control`

        > HMP over telnet
        qmp-shell: `{ADDRESS}` is a human monitor (HMP) socket; QMP needs `-qmp …` or `-mon …,mode=control`

        > serial port over telnet
        qmp-shell: connected to `{ADDRESS}`, but no greeting came within 0.2 s; a monitor serves one client at a time, so another may hold it (a guest agent sends no greeting: use -N)
    "#]]);
}

#[test]
fn suggests_the_option_for_a_guest_agent() {
    let Some(agent) = Server::guest_agent() else { return };
    snapshot::check(
        connect_error(&query_status(&agent.address()), &agent.address()),
        expect![[r#"
        qmp-shell: connected to `{ADDRESS}`, but no greeting came within 0.2 s; a monitor serves one client at a time, so another may hold it (a guest agent sends no greeting: use -N)
    "#]],
    );
    let run = qmp_shell(&["-N", &agent.address(), "-c", "guest-ping"]).run().expect_status(0);
    assert_eq!(run.stdout, "{\"return\": {}}\n");
}

type Script = fn(&mut PeerConnection);

#[test]
pub fn quotes_an_unknown_greeting() {
    let peer = Peer::start(|conn| {
        conn.send_line("{\"jsonrpc\": \"2.0\"}");
        conn.wait_for_close();
    });
    snapshot::check(
        connect_error(&query_status(&peer.address()), &peer.address()),
        expect![[r#"
            qmp-shell: the server at `{ADDRESS}` does not speak QMP; it sent: {"jsonrpc": "2.0"}
        "#]],
    );
}

#[test]
fn reports_a_server_that_closes_before_the_session_begins() {
    let scripts: [(&str, Script); 4] = [
        ("at once", |_| {}),
        ("after the greeting", |conn| conn.send_line(GREETING)),
        ("after the request", |conn| {
            conn.send_line(GREETING);
            conn.read_request();
        }),
        ("in the middle of the greeting", |conn| conn.send(b"{\"QMP\": ")),
    ];
    let mut table = Table::new();
    for (name, script) in scripts {
        let peer = Peer::start(script);
        table.row(name, connect_error(&query_status(&peer.address()), &peer.address()));
    }
    table.check(expect![[r#"
        > at once
        qmp-shell: the connection to `{ADDRESS}` ended before negotiation was complete: the server closed the connection

        > after the greeting
        qmp-shell: the connection to `{ADDRESS}` ended before negotiation was complete: the server closed the connection

        > after the request
        qmp-shell: the connection to `{ADDRESS}` ended before negotiation was complete: the server closed the connection

        > in the middle of the greeting
        qmp-shell: the connection to `{ADDRESS}` ended before negotiation was complete: the server closed the connection in the middle of a message
    "#]]);
}

#[test]
fn reports_an_unknown_outcome_when_the_server_dies() {
    let scripts: [(&str, Script); 3] = [
        ("before the reply", |_| {}),
        ("in the middle of the reply", |conn| conn.send(b"{\"return\": {\"status\": \"pau")),
        ("with a reply that is too deep", |conn| {
            conn.send_line(&format!("{{\"return\": {}1{}}}", "[".repeat(2048), "]".repeat(2048)));
        }),
    ];
    let mut table = Table::new();
    for (name, script) in scripts {
        let peer = Peer::start(move |conn| {
            conn.negotiate();
            let id = conn.expect_command("query-status");
            conn.reply(&id, "{}");
            conn.expect_command("stop");
            script(conn);
        });
        let run = qmp_shell(&[&peer.address()]).input("query-status\nstop\ncont\n").run().expect_status(4);
        table.run(name, &run);
    }
    table.check(expect![[r#"
        > before the reply
        {"return": {}}
        {"error": {"class": "ConnectionLost", "desc": "The server closed the connection before `stop` was answered. It may or may not have been executed."}}
        stderr: <stdin>:2: The server closed the connection before `stop` was answered. It may or may not have been executed.
        status: 4

        > in the middle of the reply
        {"return": {}}
        {"error": {"class": "ConnectionLost", "desc": "The server closed the connection in the middle of a message before `stop` was answered. It may or may not have been executed."}}
        stderr: <stdin>:2: The server closed the connection in the middle of a message before `stop` was answered. It may or may not have been executed.
        status: 4

        > with a reply that is too deep
        {"return": {}}
        {"error": {"class": "ConnectionLost", "desc": "The server sent a message nested more than 2048 levels deep before `stop` was answered. It may or may not have been executed."}}
        stderr: <stdin>:2: The server sent a message nested more than 2048 levels deep before `stop` was answered. It may or may not have been executed.
        status: 4
    "#]]);
}

#[test]
fn reports_a_killed_server_as_a_lost_connection() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let mut shell = qmp_shell(&[&server.address()]).start();
    let (mut stdin, stdout) = (shell.stdin.take().unwrap(), shell.stdout.take().unwrap());
    let mut stdout = std::io::BufReader::new(stdout);
    let mut line = String::new();
    std::io::Write::write_all(&mut stdin, b"query-status\n").unwrap();
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    assert!(line.starts_with("{\"return\": "), "{line}");
    server.kill();
    let output = shell.wait_with_output().unwrap();
    Run::from(output).check(expect![[r#"
        stderr: The server closed the connection.
        status: 4
    "#]]);
}

#[test]
fn a_message_over_the_limit_ends_the_connection() {
    let big = |conn: &mut PeerConnection| {
        conn.negotiate();
        let id = conn.expect_command("query-status");
        conn.reply(&id, &format!("\"{}\"", "x".repeat(100_000)));
    };
    let peer = Peer::start(big);
    let shell = qmp_shell(&["--max-message", "64k", &peer.address(), "-c", "query-status"]);
    shell.run().check(expect![[r#"
        {"error": {"class": "ConnectionLost", "desc": "The server sent a message of more than 65536 bytes before `query-status` was answered. It may or may not have been executed."}}
        stderr: -c:1: The server sent a message of more than 65536 bytes before `query-status` was answered. It may or may not have been executed.
        status: 4
    "#]]);
    let peer = Peer::start(big);
    let shell = qmp_shell(&["--max-message", "128k", &peer.address(), "-c", "query-status"]);
    assert_eq!(shell.run().expect_status(0).stdout.len(), "{\"return\": \"\"}\n".len() + 100_000);
}

#[test]
pub fn a_script_goes_on_after_invalid_replies_and_stays_in_step() {
    // Sent as the reply to the command `one`, with its id in the place of `{id}`.
    let replies: &[&[u8]] = &[
        b"{\"return\": 1, \"id\": {id}}\n{\"return\": 2, \"id\": {id}}\n",
        b"{\"return\": 0, \"id\": \"other\"}\n{\"return\": 1, \"id\": {id}}\n",
        b"{\"error\": {\"class\": \"GenericError\", \"desc\": \"cannot read this\"}}\n",
        b"{\"return\": [NaN, -nan, inf], \"id\": {id}}\n",
        b"{\"return\": \"\xff\xfe\", \"id\": {id}}\n",
        b"{\"return\": [1}, \"id\": {id}}\n",
        b"hello\n{\"return\": 1, \"id\": {id}}\n",
        b"{}\n{\"return\": 1, \"id\": {id}}\n",
        b"{\"return\": \"C:\\\", \"id\": {id}}\r\n",
        b"{\"return\": \"C:\\\", \"id\": {id}}\r\n{\"event\": \"STOP\"}\r\n",
        b"{\"id\": {id}, \"return\": \"cut off\n",
        b"{\"return\": \"cut off\n",
        b"{\"return\": {\"a\": 1}, \"id\": {id}\r\n",
        b"{\"return\": [1, 2, \"id\": {id}}\r\n{\"event\": \"STOP\"}\r\n",
        b"{\"event\": \"cut off\n{\"return\": \"one\ntwo\", \"id\": {id}}\n",
    ];
    let mut table = Table::new();
    for reply in replies {
        let (id_tx, id_rx) = channel::<String>();
        let peer = Peer::start(move |conn| {
            conn.negotiate();
            let id = conn.expect_command("one");
            id_tx.send(id.clone()).unwrap();
            let mut rest = *reply;
            while let Some(at) = rest.windows(4).position(|part| part == b"{id}") {
                conn.send(&rest[..at]);
                conn.send(id.as_bytes());
                rest = &rest[at + 4..];
            }
            conn.send(rest);
            let id = conn.expect_command("two");
            conn.reply(&id, "\"in step\"");
        });
        let run = qmp_shell(&[&peer.address(), "-c", "one", "-c", "two"]).run();
        assert_eq!(run.lines().last(), Some(&"{\"return\": \"in step\"}"), "{run:#?}");
        let id = id_rx.recv_timeout(TIMEOUT).unwrap();
        // Also in errors that quote the reply.
        let output = ["\"id\": ", "\\\"id\\\": "]
            .iter()
            .fold(run.render(), |output, key| output.replace(&format!("{key}{id}"), &format!("{key}{{id}}")));
        table.row(String::from_utf8_lossy(reply).trim_end(), output);
    }
    table.check(expect![[r#"
        > {"return": 1, "id": {id}}
        > {"return": 2, "id": {id}}
        {"return": 1}
        {"return": "in step"}
        stderr: warning: the server sent a reply to no pending request: {"return": 2, "id": {id}}

        > {"return": 0, "id": "other"}
        > {"return": 1, "id": {id}}
        {"return": 1}
        {"return": "in step"}
        stderr: warning: the server sent a reply to no pending request: {"return": 0, "id": "other"}

        > {"error": {"class": "GenericError", "desc": "cannot read this"}}
        {"error": {"class": "GenericError", "desc": "cannot read this"}}
        {"return": "in step"}
        status: 1

        > {"return": [NaN, -nan, inf], "id": {id}}
        {"return": [NaN, -nan, inf]}
        {"return": "in step"}

        > {"return": "��", "id": {id}}
        {"return": "��"}
        {"return": "in step"}

        > {"return": [1}, "id": {id}}
        {"error": {"class": "InvalidReply", "desc": "the reply is not valid JSON (expected `,` or `]` at line 1 column 14): {\"return\": [1}, \"id\": {id}}"}}
        {"return": "in step"}
        status: 1

        > hello
        > {"return": 1, "id": {id}}
        {"return": 1}
        {"return": "in step"}
        stderr: warning: the server sent an invalid QMP message (not a JSON object): hello

        > {}
        > {"return": 1, "id": {id}}
        {"return": 1}
        {"return": "in step"}
        stderr: warning: the server sent an invalid QMP message (missing `return`, `error`, `event` or `QMP`): {}

        > {"return": "C:\", "id": {id}}
        {"error": {"class": "InvalidReply", "desc": "the reply is not valid JSON (a string is not closed before the end of the line): {\"return\": \"C:\\\", \"id\": {id}}"}}
        {"return": "in step"}
        status: 1

        > {"return": "C:\", "id": {id}}
        > {"event": "STOP"}
        {"error": {"class": "InvalidReply", "desc": "the reply is not valid JSON (a string is not closed before the end of the line): {\"return\": \"C:\\\", \"id\": {id}}"}}
        {"event": "STOP"}
        {"return": "in step"}
        status: 1

        > {"id": {id}, "return": "cut off
        {"error": {"class": "InvalidReply", "desc": "the reply is not valid JSON (a string is not closed before the end of the line): {\"id\": {id}, \"return\": \"cut off"}}
        {"return": "in step"}
        status: 1

        > {"return": "cut off
        {"error": {"class": "InvalidReply", "desc": "the reply is not valid JSON (a string is not closed before the end of the line): {\"return\": \"cut off"}}
        {"return": "in step"}
        status: 1

        > {"return": {"a": 1}, "id": {id}
        {"error": {"class": "InvalidReply", "desc": "the reply is not valid JSON (it is not complete at the end of the line): {\"return\": {\"a\": 1}, \"id\": {id}"}}
        {"return": "in step"}
        status: 1

        > {"return": [1, 2, "id": {id}}
        > {"event": "STOP"}
        {"error": {"class": "InvalidReply", "desc": "the reply is not valid JSON (it is not complete at the end of the line): {\"return\": [1, 2, \"id\": {id}}"}}
        {"event": "STOP"}
        {"return": "in step"}
        status: 1

        > {"event": "cut off
        > {"return": "one
        > two", "id": {id}}
        {"return": "one\u000atwo"}
        {"return": "in step"}
        stderr: warning: the server sent an invalid QMP message (a string is not closed before the end of the line): {"event": "cut off
    "#]]);
}

#[test]
pub fn does_not_send_requests_that_the_server_cannot_read() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let nested = |depth: usize| format!("none a={}{}", "[".repeat(depth), "]".repeat(depth));
    // Without introspection, because the server must see the unknown command.
    let run = qmp_shell(&[&server.address(), "--no-schema"])
        .input(format!("{}\n{}\nquery-name\n", nested(1022), nested(1023)))
        .run()
        .expect_status(1);
    let lines = run.lines();
    assert!(lines[0].contains("\"CommandNotFound\""), "QEMU reads this deep: {run:#?}");
    assert!(lines[1].contains("\"NotSent\""), "{run:#?}");
    assert_eq!(lines[2..], ["{\"return\": {}}"]);
    snapshot::check(
        lines[1],
        expect![[r#"
            {"error": {"class": "NotSent", "desc": "nested more than 1024 levels deep"}}
        "#]],
    );
}

#[test]
fn receives_events_while_a_long_request_is_sent() {
    const EVENTS: usize = 5_000;
    let peer = Peer::start(|conn| {
        conn.negotiate();
        for _ in 0..EVENTS {
            conn.send_event("TALK", &format!("{{\"a\": \"{}\"}}", "b".repeat(1_000)));
        }
        let id = conn.expect_command("listen");
        conn.reply(&id, "{}");
    });
    // More than any socket buffers, in both directions: a client that only sends would block forever.
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&script, format!("listen a={}\n", "x".repeat(4_000_000))).unwrap();
    let shell = qmp_shell(&[&peer.address(), "-f", script.path().to_str().unwrap()]);
    let run = shell.run().expect_status(0);
    assert_eq!(run.lines().len(), EVENTS + 1);
    assert_eq!(run.replies(), ["{\"return\": {}}"]);
}

#[test]
fn a_lost_command_is_not_sent_again_at_a_prompt() {
    let peer = Peer::start_all(vec![
        Box::new(|conn: &mut PeerConnection| {
            conn.negotiate();
            conn.expect_command("stop");
            conn.send(b"{\"return\": ");
        }),
        Box::new(|conn: &mut PeerConnection| {
            conn.negotiate();
            let id = conn.expect_command("query-name");
            conn.reply(&id, "{\"name\": \"back\"}");
            conn.wait_for_close();
        }),
    ]);
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.check_line("stop", expect![[r#"
        error: The server closed the connection in the middle of a message before `stop` was answered. It may or may not have been executed. The next command will reconnect.
    "#]]);
    terminal.enter("query-name");
    terminal.wait_for("\"name\": \"back\"");
    terminal.wait_for_last("(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
}

/// A QEMU that is just starting may greet twice. A request that it refused in between stays refused: it was not executed,
/// and is not sent a second time.
#[test]
fn negotiates_again_once_after_a_second_greeting() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("one");
        conn.send_line("{\"QMP\": {\"capabilities\": [\"oob\"]}}");
        conn.send_line(&format!(
            "{{\"error\": {{\"class\": \"CommandNotFound\", \"desc\": \"negotiate\"}}, \"id\": {id}}}"
        ));
        let id = conn.expect_command("qmp_capabilities");
        conn.reply(&id, "{}");
        let id = conn.expect_command("two");
        conn.send_line("{\"QMP\": {}}");
        conn.reply(&id, "2");
        let id = conn.expect_command("three");
        conn.reply(&id, "3");
    });
    let run = qmp_shell(&[&peer.address(), "-c", "one", "-c", "two", "-c", "three"]).run();
    run.check(expect![[r#"
        {"error": {"class": "CommandNotFound", "desc": "negotiate"}}
        {"return": 2}
        {"return": 3}
        stderr: warning: the server keeps sending greetings
        status: 1
    "#]]);
}
