//! Servers that read a request only after they have answered the one before, such as `virt-qemu-qmp-proxy` of libvirt.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::channel;
use std::time::Duration;

use expect_test::expect;

use crate::support::peer::Peer;
use crate::support::program::{qmp_shell, qom};
use crate::support::server::{Q35, Server};
use crate::support::snapshot;
use crate::support::terminal::Terminal;

/// A proxy before a server. As libvirt's does, it takes all that has arrived for one request, and waits for more if that
/// is not JSON: after two requests at once it never answers again.
pub struct Proxy {
    folder: tempfile::TempDir,
}

/// The time in which a proxy reads more than one request.
pub const SHORT: Duration = Duration::from_millis(2);

impl Proxy {
    /// Starts a proxy whose greeting has `package`, and that takes `delay` for a request.
    pub fn start(server: &Server, package: &str, delay: Duration) -> Proxy {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("proxy.sock")).unwrap();
        let (address, package) = (server.address(), package.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                serve(client.unwrap(), &UnixStream::connect(&address).unwrap(), &package, delay);
            }
        });
        Proxy { folder }
    }

    pub fn address(&self) -> String {
        self.folder.path().join("proxy.sock").to_str().unwrap().to_owned()
    }
}

fn serve(mut client: UnixStream, mut server: &UnixStream, package: &str, delay: Duration) {
    let mut replies = BufReader::new(server.try_clone().unwrap());
    let mut reply_to = |request: &str| {
        server.write_all(request.as_bytes()).unwrap();
        loop {
            let mut line = String::new();
            if replies.read_line(&mut line).unwrap() == 0 || line.contains("\"return\"") || line.contains("\"error\"") {
                return line;
            }
        }
    };
    reply_to("{\"execute\": \"qmp_capabilities\"}\n");
    let version = "{\"major\": 10, \"minor\": 0, \"micro\": 2}";
    let greeting = format!(
        "{{\"QMP\": {{\"version\": {{\"qemu\": {version}, \"package\": \"{package}\"}}, \"capabilities\": []}}}}\r\n"
    );
    let _ = client.write_all(greeting.as_bytes());
    let (mut text, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(len @ 1..) = client.read(&mut piece) {
        text.extend_from_slice(&piece[..len]);
        let Ok(request) = serde_json::from_slice::<serde_json::Value>(&text) else { continue };
        // What comes meanwhile is read together.
        std::thread::sleep(delay);
        let reply = match request["execute"].as_str() {
            Some("qmp_capabilities") => format!("{{\"return\": {{}}, \"id\": {}}}\r\n", request["id"]),
            _ => reply_to(std::str::from_utf8(&text).unwrap()),
        };
        text.clear();
        if client.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

/// The notice about a proxy whose greeting does not tell what it is.
pub const NOTICE: &str = "the server does not answer several requests at once; it gets one at a time\n";

#[test]
fn draws_the_tree_of_a_server_that_takes_one_request_at_a_time() {
    let Some(server) = Server::qemu(&["-M", "none"]) else { return };
    let direct = qom(&["tree", "-s", &server.address()]).run().expect_status(0);
    for (package, notice) in [("qemu-10.0.2", String::new()), ("", format!("qom: {NOTICE}"))] {
        let proxy = Proxy::start(&server, package, SHORT);
        let seen = qom(&["tree", "-s", &proxy.address()]).run().expect_status(0);
        assert_eq!((seen.stdout, seen.stderr), (direct.stdout.clone(), notice), "{package}");
    }
}

#[test]
fn a_script_and_its_queries_wait_for_their_turn() {
    let Some(server) = Server::qemu(Q35) else { return };
    for package in ["qemu-10.0.2", ""] {
        // Longer than the search for the name nearest to a wrong one may take.
        let proxy = Proxy::start(&server, package, Duration::from_millis(600));
        let lines =
            "qom-list path=/\nqom-get path=/ property=type\ndevice_del id=typo\nquery-status typo=1\nquery-name\n";
        let run = qmp_shell(&[&proxy.address()]).input(lines).run().expect_status(1);
        assert_eq!(run.lines()[1], "{\"return\": \"container\"}");
        assert_eq!(run.lines()[4], "{\"return\": {}}");
    }
}

#[test]
fn a_line_at_a_prompt_waits_for_the_queries_before_it() {
    let Some(server) = Server::qemu(Q35) else { return };
    // Longer than completion waits, so that its query is unanswered when the line is entered.
    let proxy = Proxy::start(&server, "", Duration::from_millis(400));
    let Some(terminal) = Terminal::qmp_shell(&proxy.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.type_text("qom-get path=/ property=ty");
    terminal.press("Tab");
    terminal.type_text("pe");
    assert_eq!(terminal.output_of("qom-get path=/ property=type"), "\"container\"\n");
    // The human monitor's commands and subcommands are queried, too.
    terminal.enter(".hmp");
    terminal.wait_for_last("(qemu)");
    assert_eq!(terminal.run_line("info status"), "VM status: paused (prelaunch)\n");
    terminal.enter(".qmp");
    terminal.wait_for_last("(QEMU)");
    assert_eq!(terminal.run_line("query-name"), "{}\n");
}

#[test]
fn ctrl_c_gives_up_a_line_before_its_turn() {
    let (given_up_tx, given_up_rx) = channel();
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        for command in ["query-name", "query-qmp-schema"] {
            let (found, id) = conn.read_request();
            assert_eq!(found, command);
            conn.reply_error(Some(&id), "CommandNotFound", "none");
        }
        let (command, commands) = conn.read_request();
        assert_eq!(command, "query-commands");
        given_up_rx.recv().unwrap();
        conn.reply(&commands, "[]");
        // The next request is not the one that was given up.
        let id = conn.expect_command("query-uuid");
        conn.reply(&id, "{\"UUID\": \"0\"}");
        conn.wait_for_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("query-name");
    terminal.wait_for("Waiting to send `query-name`");
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    given_up_tx.send(()).unwrap();
    assert_eq!(terminal.run_line("query-uuid"), "{\"UUID\": \"0\"}\n");
    let screen = terminal.screen();
    let (_, shown) = screen.split_once("query-name\n").unwrap();
    let (shown, _) = shown.split_once("(QEMU)").unwrap();
    snapshot::check(
        shown,
        expect![[r#"
        Waiting to send `query-name`, because the server has not replied to the request before it; Ctrl-C st
        ops waiting.
        `query-name` was not sent: the server has not replied to the request before it.
    "#]],
    );
}
