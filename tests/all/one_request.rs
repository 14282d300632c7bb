//! Servers that read a request only after they have answered the one before, such as `virt-qemu-qmp-proxy` of libvirt.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use crate::support::program::{qmp_shell, qom};
use crate::support::server::{Q35, Server};

/// A proxy before a server. As libvirt's does, it takes all that has arrived for one request, and waits for more if that
/// is not JSON: after two requests at once it never answers again.
struct Proxy {
    folder: tempfile::TempDir,
}

impl Proxy {
    fn start(server: &Server, package: &str) -> Proxy {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("proxy.sock")).unwrap();
        let (address, package) = (server.address(), package.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                serve(client.unwrap(), &UnixStream::connect(&address).unwrap(), &package);
            }
        });
        Proxy { folder }
    }

    fn address(&self) -> String {
        self.folder.path().join("proxy.sock").to_str().unwrap().to_owned()
    }
}

fn serve(mut client: UnixStream, mut server: &UnixStream, package: &str) {
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
        std::thread::sleep(std::time::Duration::from_millis(2));
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

const NOTICE: &str = "qom: the server does not answer several requests at once; it gets one at a time\n";

#[test]
fn draws_the_tree_of_a_server_that_takes_one_request_at_a_time() {
    let Some(server) = Server::qemu(&["-M", "none"]) else { return };
    let direct = qom(&["tree", "-s", &server.address()]).run().expect_status(0);
    for (package, notice) in [("qemu-10.0.2", ""), ("", NOTICE)] {
        let proxy = Proxy::start(&server, package);
        let seen = qom(&["tree", "-s", &proxy.address()]).run().expect_status(0);
        assert_eq!((seen.stdout, seen.stderr), (direct.stdout.clone(), notice.to_owned()), "{package}");
    }
}

#[test]
fn a_script_and_its_queries_wait_for_their_turn() {
    let Some(server) = Server::qemu(Q35) else { return };
    let proxy = Proxy::start(&server, "qemu-10.0.2");
    let lines = "qom-list path=/\nqom-get path=/ property=type\nquery-status typo=1\nquery-name\n";
    let run = qmp_shell(&[&proxy.address()]).input(lines).run().expect_status(1);
    assert_eq!(run.lines()[1], "{\"return\": \"container\"}");
    assert_eq!(run.lines()[3], "{\"return\": {}}");
}
