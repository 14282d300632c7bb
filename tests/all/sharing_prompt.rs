//! `.share`: a prompt or a script that serves its own connection to other clients.

use std::fs;

use expect_test::expect;
use qmp_shell::Client;
use serde_json::{Value, json};

use crate::support::peer::Peer;
use crate::support::program::qmp_shell;
use crate::support::raw::Raw;
use crate::support::server::{Q35, SMALL, Server};
use crate::support::share::is_socket;
use crate::support::terminal::Terminal;
use crate::support::{find_program, send_signal, wait_until, wording};

#[test]
fn a_prompt_shares_its_own_connection() {
    for server in [Server::qemu(Q35), Server::qemu_7_2(Q35)].into_iter().flatten() {
        let (shared, watch) = (server.path("s.sock"), server.path("w.sock"));
        let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
        terminal.wait_for_last("(QEMU)");
        terminal.enter(&format!(".share {shared}"));
        wait_until("the socket", || is_socket(&shared));
        terminal.enter(&format!(".share --read-only {watch}"));
        wait_until("the second socket", || is_socket(&watch));
        let mut other = Raw::negotiated(&shared, &[]);
        let mut reader = Raw::negotiated(&watch, &[]);
        assert_eq!(reader.request("{\"execute\": \"stop\"}")["error"]["class"], "CommandNotFound");
        // The prompt sees what another client does, and the other way round.
        other.send("{\"execute\": \"cont\", \"id\": 1}");
        assert_eq!(other.read()["event"], "RESUME");
        assert_eq!(other.read(), json!({"return": {}, "id": 1}));
        terminal.wait_for(" RESUME");
        terminal.enter("stop");
        terminal.wait_for(" STOP");
        for raw in [&mut other, &mut reader] {
            raw.wait_for_event("STOP");
        }
        // Afterwards the prompt goes on alone.
        terminal.enter(".share off");
        assert_eq!((other.read_to_end(), reader.read_to_end()), (String::new(), String::new()));
        assert!(!is_socket(&shared) && !is_socket(&watch));
        terminal.enter("query-name");
        terminal.wait_for("(QEMU) query-name\n{}\n(QEMU)");
        // Reconnecting ends the share, and frees the server.
        terminal.enter(&format!(".share {shared}"));
        wait_until("the socket", || is_socket(&shared));
        terminal.enter(".connect");
        wait_until("the end of the share", || !is_socket(&shared));
        terminal.enter("query-name");
        terminal.wait("the reply", |screen| screen.matches("(QEMU) query-name\n{}").count() == 2);
        terminal.enter(&format!(".share {shared}"));
        wait_until("the socket", || is_socket(&shared));
        terminal.press("C-d");
        assert_eq!(terminal.wait_for_end(), 0);
        assert!(!is_socket(&shared));
        Client::connect(&server.address()).unwrap().execute::<Value>("query-name", ()).unwrap();
    }
}

#[test]
fn the_end_of_the_server_ends_the_share_of_a_prompt() {
    let Some(mut server) = Server::qemu(SMALL) else { return };
    let shared = server.path("s.sock");
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter(&format!(".share {shared}"));
    wait_until("the socket", || is_socket(&shared));
    let mut other = Raw::negotiated(&shared, &[]);
    server.kill();
    assert_eq!(other.read_to_end(), "");
    terminal.wait_for(wording::WILL_RECONNECT);
    wait_until("the end of the share", || !is_socket(&shared));
}

#[test]
fn a_wrapped_qemu_can_be_shared() {
    if find_program("qemu-system-x86_64").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let shared = folder.path().join("s.sock").to_str().unwrap().to_owned();
    let args = "qemu-system-x86_64 -M none -display none -nodefaults";
    let Some(terminal) = Terminal::qmp_shell_wrap(args) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter(&format!(".share {shared}"));
    wait_until("the socket", || is_socket(&shared));
    let client = Client::connect(&shared).unwrap();
    client.execute::<Value>("query-name", ()).unwrap();
    terminal.enter("query-name");
    terminal.wait_for("(QEMU) query-name\n{}\n(QEMU)");
    terminal.press("C-d");
    assert_eq!(terminal.wait_for_end(), 0);
    assert!(!is_socket(&shared));
}

#[test]
fn a_signal_removes_the_socket() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let shared = server.path("s.sock");
    {
        let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
        terminal.wait_for_last("(QEMU)");
        terminal.enter(&format!(".share {shared}"));
        wait_until("the socket of the prompt", || is_socket(&shared));
        terminal.send_signal("TERM");
        assert_eq!(terminal.wait_for_end(), 143);
        assert!(!is_socket(&shared));
    }
    let mut script = qmp_shell(&["-c", &format!(".share {shared}"), "-c", ".wait STOP", &server.address()]).start();
    wait_until("the socket of the script", || is_socket(&shared));
    send_signal(script.id(), "TERM");
    assert_eq!(script.wait().unwrap().code(), Some(143));
    assert!(!is_socket(&shared));
}

#[test]
fn a_script_shares_its_own_connection() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("query-block");
        conn.send_event("EARLY", "{}");
        conn.reply(&id, "[]");
        let id = conn.expect_command("query-name");
        conn.reply(&id, "{}");
        conn.wait_for_close();
    });
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("file"), "precious").unwrap();
    let script = format!(
        "query-block\n.share\n.share {}\n.share {}\n.share\nquery-name\n.share --read-only\n.share a b\n.share off\n.share\n",
        path("file"),
        path("s.sock")
    );
    let run = qmp_shell(&["--no-schema", &peer.address()]).input(script).run();
    expect![[r#"
        {"timestamp": {"seconds": 1700000000, "microseconds": 345678}, "event": "EARLY", "data": {}}
        {"return": []}
        {"return": {}}
        stderr: The connection is not shared.
        stderr: <stdin>:3: cannot listen on `DIR/file`: the file exists, and is not a socket
        stderr: The connection is shared on DIR/s.sock.
        stderr: <stdin>:7: missing argument: expected a socket
        stderr:   .share --read-only
        stderr:                     ^
        stderr: <stdin>:8: unexpected argument `b`
        stderr:   .share a b
        stderr:            ^
        stderr: The connection is not shared.
        status: 1
    "#]]
    .assert_eq(&run.render().replace(&path(""), "DIR/"));
    assert_eq!(fs::read_to_string(path("file")).unwrap(), "precious");
    assert!(!is_socket(&path("s.sock")));
}
