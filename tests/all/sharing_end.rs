//! The end of a shared server: what clients see, the status of the program, and `--wait`.

use std::os::unix::net::{UnixListener, UnixStream};

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::peer::{Peer, PeerConnection};
use crate::support::program::qmp_share;
use crate::support::raw::Raw;
use crate::support::send_signal;
use crate::support::server::{Q35, Server};
use crate::support::share::{Share, is_socket, share};
use crate::support::snapshot::Table;

#[test]
fn the_end_of_the_server_ends_the_clients() {
    let Some(mut server) = Server::qemu(Q35) else { return };
    let mut share = share(&server, &[]);
    let mut asking = Raw::negotiated(&share.address(), &[]);
    let mut idle = Raw::negotiated(&share.address(), &[]);
    send_signal(server.id(), "STOP");
    asking.send("{\"execute\": \"query-name\", \"id\": 1}");
    // Clients can connect while the server hangs.
    let mut late = Raw::negotiated(&share.address(), &[]);
    late.send("{\"execute\": \"query-name\", \"id\": 2}");
    send_signal(server.id(), "CONT");
    assert_eq!((asking.read()["id"].clone(), late.read()["id"].clone()), (json!(1), json!(2)));
    send_signal(server.id(), "STOP");
    asking.send("{\"execute\": \"query-name\", \"id\": 3}");
    server.kill();
    assert_eq!((asking.read_to_end(), idle.read_to_end()), (String::new(), String::new()));
    assert_eq!(share.wait_for_end(), Some(4));
    assert!(!is_socket(&share.address()));
}

#[test]
fn a_server_that_breaks_the_protocol_ends_the_share() {
    type Script = fn(&mut PeerConnection);
    let rows: [(&str, Script); 5] = [
        ("closes", |_| {}),
        ("closes in the middle of a message", |conn| conn.send(b"{\"event\": \"E")),
        ("nests too deep", |conn| {
            conn.send("[".repeat(3000).replacen('[', "{\"event\": [", 1).as_bytes());
            conn.wait_for_close();
        }),
        ("sends only junk", |conn| {
            for _ in 0..200 {
                conn.send_line("junk");
            }
            conn.wait_for_close();
        }),
        ("sends messages for no client", |conn| {
            for _ in 0..20 {
                conn.send_line("{\"return\": {}, \"id\": 7}");
            }
        }),
    ];
    let mut table = Table::new();
    for (row, script) in rows {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s.sock").to_str().unwrap().to_owned();
        let peer = Peer::start(move |conn| {
            conn.negotiate();
            script(conn);
        });
        let run = qmp_share(&[&peer.address(), &socket]).run();
        table.row(row, run.render().replace(&socket, "SOCKET").replace(&peer.address(), "SERVER"));
        assert!(!is_socket(&socket), "{row}");
    }
    table.check(expect![[r#"
        > closes
        stderr: qmp-share: Sharing SERVER on SOCKET.
        stderr: qmp-share: the connection to `SERVER` has ended: the server closed the connection
        status: 4

        > closes in the middle of a message
        stderr: qmp-share: Sharing SERVER on SOCKET.
        stderr: qmp-share: the connection to `SERVER` has ended: the server closed the connection in the middle of a message
        status: 4

        > nests too deep
        stderr: qmp-share: Sharing SERVER on SOCKET.
        stderr: qmp-share: the connection to `SERVER` has ended: the server sent a message nested more than 2048 levels deep
        status: 4

        > sends only junk
        stderr: qmp-share: Sharing SERVER on SOCKET.
        stderr: qmp-share: warning: the server sent an invalid QMP message (not a JSON object): junk
        stderr: qmp-share: warning: the server sent an invalid QMP message (not a JSON object): junk
        stderr: qmp-share: warning: the server sent an invalid QMP message (not a JSON object): junk
        stderr: qmp-share: warning: the server sent an invalid QMP message (not a JSON object): junk
        stderr: qmp-share: warning: the server sent an invalid QMP message (not a JSON object): junk
        stderr: qmp-share: warning: the server sent an invalid QMP message (not a JSON object): junk
        stderr: qmp-share: warning: the server sent an invalid QMP message (not a JSON object): junk
        stderr: qmp-share: warning: the server sent an invalid QMP message (not a JSON object): junk
        stderr: qmp-share: warning: the server sent an invalid QMP message (not a JSON object): junk
        stderr: qmp-share: warning: the server sent an invalid QMP message (not a JSON object): junk
        stderr: qmp-share: the connection to `SERVER` has ended: the server sent only data that is not QMP
        status: 4

        > sends messages for no client
        stderr: qmp-share: Sharing SERVER on SOCKET.
        stderr: qmp-share: warning: the server sent a reply to no pending request: {"return": {}, "id": 7}
        stderr: qmp-share: warning: the server sent a reply to no pending request: {"return": {}, "id": 7}
        stderr: qmp-share: warning: the server sent a reply to no pending request: {"return": {}, "id": 7}
        stderr: qmp-share: warning: the server sent a reply to no pending request: {"return": {}, "id": 7}
        stderr: qmp-share: warning: the server sent a reply to no pending request: {"return": {}, "id": 7}
        stderr: qmp-share: warning: the server sent a reply to no pending request: {"return": {}, "id": 7}
        stderr: qmp-share: warning: the server sent a reply to no pending request: {"return": {}, "id": 7}
        stderr: qmp-share: warning: the server sent a reply to no pending request: {"return": {}, "id": 7}
        stderr: qmp-share: warning: the server sent a reply to no pending request: {"return": {}, "id": 7}
        stderr: qmp-share: warning: the server sent a reply to no pending request: {"return": {}, "id": 7}
        stderr: qmp-share: the connection to `SERVER` has ended: the server closed the connection
        status: 4
    "#]]);
}

#[test]
fn quit_is_answered_before_the_end() {
    let Some(server) = Server::qemu(Q35) else { return };
    let mut share = share(&server, &[]);
    let mut watching = Raw::negotiated(&share.address(), &[]);
    let mut quitting = Raw::negotiated(&share.address(), &[]);
    assert_eq!(quitting.request("{\"execute\": \"quit\", \"id\": 1}"), json!({"return": {}, "id": 1}));
    assert_eq!(watching.read()["event"], "SHUTDOWN");
    assert_eq!(watching.read_to_end(), "");
    assert_eq!(share.wait_for_end(), Some(4));
}

#[test]
fn waits_for_the_next_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let listener = UnixListener::bind(path("vm.sock")).unwrap();
    let greet = |listener: &UnixListener, major: u8| -> UnixStream {
        let (mut stream, _) = listener.accept().unwrap();
        let greeting = format!(
            "{{\"QMP\": {{\"version\": {{\"qemu\": {{\"micro\": 0, \"minor\": 0, \"major\": {major}}}, \"package\": \"\"}}, \
             \"capabilities\": []}}}}\r\n"
        );
        std::io::Write::write_all(&mut stream, greeting.as_bytes()).unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(&stream), &mut line).unwrap();
        let request: Value = serde_json::from_str(&line).unwrap();
        let reply = format!("{{\"return\": {{}}, \"id\": {}}}\r\n", request["id"]);
        std::io::Write::write_all(&mut stream, reply.as_bytes()).unwrap();
        stream
    };
    let (first, share) = std::thread::scope(|scope| {
        let first = scope.spawn(|| greet(&listener, 1));
        let share = Share::start(&["--wait"], &path("vm.sock"), &path("s.sock"));
        (first.join().unwrap(), share)
    });
    let major = |raw: &mut Raw| raw.read()["QMP"]["version"]["qemu"]["major"].as_u64();
    let mut early = Raw::connect(&share.address());
    assert_eq!(major(&mut early), Some(1));
    drop(first);
    assert_eq!(early.read_to_end(), "");
    // Waits without a greeting, and then gets that of the next server.
    let mut waiting = Raw::connect(&share.address());
    let _second = greet(&listener, 2);
    assert_eq!(major(&mut waiting), Some(2));
    send_signal(share.id(), "INT");
    let mut share = share;
    assert_eq!(share.wait_for_end(), Some(0));
}
