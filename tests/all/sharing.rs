//! `qmp-share`: many clients on one monitor, each as if it were alone. The table of the protocol is tested through shares
//! in `protocol`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use expect_test::expect;
use qmp_shell::{Client, Empty, Request};
use rustix::event::{PollFd, PollFlags, Timespec};
use serde_json::{Value, json};

use crate::support::peer::{EVENT, Peer};
use crate::support::program::{qmp, qmp_share, qmp_shell, qom};
use crate::support::raw::Raw;
use crate::support::server::{Q35, SMALL, Server};
use crate::support::share::{Share, is_socket, share};
use crate::support::skip::{require_program, skip_optional};
use crate::support::snapshot::Table;
use crate::support::{send_signal, wait_until};

/// Reads the number of open descriptors of a process.
fn open_fds(id: u32) -> usize {
    fs::read_dir(format!("/proc/{id}/fd")).unwrap().count()
}

#[test]
fn all_programs_use_one_monitor_at_the_same_time() {
    for server in [Server::qemu(Q35), Server::qemu_7_2(Q35)].into_iter().flatten() {
        let share = share(&server, &[]);
        let address = share.address();
        // These stay connected.
        let mut idle = Raw::negotiated(&address, &[]);
        let watching = qmp(&["--path", &address, "--events", "RESUME", "STOP", "--count", "2"]).start();
        wait_until("three clients", || {
            fs::read_to_string("/proc/net/unix").unwrap().matches("shared.sock").count() >= 3
        });
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let run = qmp_shell(&[&address, "-c", "query-name", "-c", "info version"]).run();
                    assert_eq!(run.lines()[0], "{\"return\": {}}", "{run:#?}");
                    qmp(&["--path", &address, "query-status"]).run().expect_status(0);
                    let run = qom(&["tree", "-s", &address, "/objects"]).run().expect_status(0);
                    assert!(run.stdout.starts_with("/objects (container)"), "{run:#?}");
                    let run = qmp_shell(&["-H", &address, "-c", "info version"]).run().expect_status(0);
                    assert!(run.stdout.contains('.'), "{run:#?}");
                });
            }
            scope.spawn(|| {
                let Some(socat) = require_program("socat") else { return };
                let script =
                    "printf '{\"execute\": \"qmp_capabilities\"}{\"execute\": \"query-name\", \"id\": \"s\"}'; sleep 5";
                let line = format!("({script}) | {} - UNIX:{address} | grep -m 1 '\"s\"'", socat.display());
                let output = Command::new("sh").args(["-c", &line]).output().unwrap();
                assert_eq!(String::from_utf8_lossy(&output.stdout), "{\"return\": {}, \"id\": \"s\"}\r\n");
            });
        });
        let client = Client::connect(&address).unwrap();
        client.execute::<Empty>("cont", ()).unwrap();
        client.execute::<Empty>("stop", ()).unwrap();
        for name in ["RESUME", "STOP"] {
            assert_eq!(idle.read()["event"], name);
        }
        let watched = watching.wait_with_output().unwrap();
        assert!(watched.status.success());
        assert_eq!(String::from_utf8_lossy(&watched.stdout).lines().count(), 2);
    }
}

#[test]
fn python_programs_use_a_share() {
    let Some(python) = python_with_qemu_qmp() else { return skip_optional("Python package qemu.qmp") };
    let Some(server) = Server::qemu(Q35) else { return };
    let share = share(&server, &[]);
    let script = format!(
        "import asyncio\nfrom qemu.qmp import QMPClient\n\
         async def main():\n\
         \x20   clients = [QMPClient(str(n)) for n in range(4)]\n\
         \x20   for c in clients: await c.connect('{}')\n\
         \x20   names = await asyncio.gather(*[c.execute('query-name') for c in clients for _ in range(20)])\n\
         \x20   with clients[1].listener('STOP') as stops:\n\
         \x20       await clients[0].execute('cont')\n\
         \x20       await clients[0].execute('stop')\n\
         \x20       print((await stops.get())['event'], len(names))\n\
         \x20   for c in clients: await c.disconnect()\n\
         asyncio.run(main())\n",
        share.address()
    );
    let output = Command::new(&python).args(["-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "STOP 80\n", "{output:?}");
    // The tool that this package replaces.
    let tool = python.with_file_name("qmp-shell");
    let mut shell =
        Command::new(tool).arg(share.address()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut shell.stdin.take().unwrap(), b"query-status\n").unwrap();
    let output = shell.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"status\": \"paused\""), "{output:?}");
}

/// Returns the Python that has the package `qemu.qmp`.
fn python_with_qemu_qmp() -> Option<std::path::PathBuf> {
    std::env::var_os("QMP_SHELL_TEST_PYTHON").map(Into::into)
}

#[test]
fn ids_and_order_are_kept_under_load() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let share = share(&server, &[]);
    let address = share.address();
    let start = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (address, start) = (&address, &start);
            scope.spawn(move || {
                let mut raw = Raw::negotiated(address, &[]);
                start.wait();
                let command = ["query-name", "query-version", "none"][client % 3];
                let requests: String = (0..200)
                    .map(|n| format!("{{\"execute\": \"{command}\", \"id\": [{client}, \"{n}\", {{\"x\": 1.50}}]}}\n"))
                    .collect();
                raw.send(requests);
                for n in 0..200 {
                    let line = raw.read_line();
                    let id = format!("\"id\": [{client},\"{n}\",{{\"x\":1.50}}]");
                    assert!(line.contains(&id), "{line}");
                    assert_eq!(line.contains("CommandNotFound"), command == "none");
                    assert_eq!(line.contains("qemu"), command == "query-version");
                }
            });
        }
    });
}

#[test]
fn one_that_sends_without_end_does_not_starve_another() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let share = share(&server, &[]);
    let mut greedy = Raw::negotiated(&share.address(), &[]);
    let count = 10_000;
    let mut writer = greedy.stream().try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        let request = "{\"execute\": \"query-version\", \"id\": 1}\n".repeat(count);
        std::io::Write::write_all(&mut writer, request.as_bytes()).unwrap();
    });
    greedy.read();
    let mut modest = Raw::negotiated(&share.address(), &[]);
    for id in 0..20 {
        assert_eq!(modest.request(format!("{{\"execute\": \"query-name\", \"id\": {id}}}"))["id"], id);
    }
    // The modest one was served 20 times while the other one still had most of its requests to go.
    for _ in 1..count {
        assert_eq!(greedy.read()["id"], 1);
    }
    sending.join().unwrap();
}

#[test]
fn descriptors_reach_the_command_of_their_client() {
    for server in [Server::qemu(Q35), Server::qemu_7_2(Q35)].into_iter().flatten() {
        let share = share(&server, &[]);
        let before = open_fds(share.id());
        let (mut one, mut two) = (Raw::negotiated(&share.address(), &[]), Raw::negotiated(&share.address(), &[]));
        let files = [(); 3].map(|()| tempfile::tempfile().unwrap());
        for (file, size) in files.iter().zip([4096, 8192, 512]) {
            file.set_len(size).unwrap();
        }
        // Both add theirs at the same time; each set has the file of its client.
        one.send_with_fd("{\"execute\": \"add-fd\", \"arguments\": {\"fdset-id\": 1}}", files[0].as_fd());
        two.send_with_fd("{\"execute\": \"add-fd\", \"arguments\": {\"fdset-id\": 2}}", files[1].as_fd());
        assert_eq!(one.read()["return"]["fdset-id"], 1);
        assert_eq!(two.read()["return"]["fdset-id"], 2);
        for set in [1, 2] {
            let node = json!({"execute": "blockdev-add", "arguments": {"driver": "file",
                "node-name": format!("n{set}"), "filename": format!("/dev/fdset/{set}")}});
            assert_eq!(one.request(node.to_string())["return"], json!({}));
        }
        let nodes = one.request("{\"execute\": \"query-named-block-nodes\"}");
        let nodes = nodes["return"].as_array().unwrap();
        let sizes: BTreeMap<_, _> =
            nodes.iter().map(|node| (node["node-name"].as_str(), node["image"]["virtual-size"].as_u64())).collect();
        assert_eq!(sizes, BTreeMap::from([(Some("n1"), Some(4096)), (Some("n2"), Some(8192))]));
        // Sent ahead with another command, of which the other client notices nothing.
        one.send_with_fd("{\"execute\": \"query-name\"}", files[2].as_fd());
        one.read();
        let getfd = "{\"execute\": \"getfd\", \"arguments\": {\"fdname\": \"f\"}}";
        assert_eq!(two.request(getfd)["error"]["class"], "GenericError");
        assert_eq!(one.request(getfd)["return"], json!({}));
        assert_eq!(two.request("{\"execute\": \"closefd\", \"arguments\": {\"fdname\": \"f\"}}")["return"], json!({}));
        // Left behind in the share by clients that leave.
        for _ in 0..10 {
            let mut leaving = Raw::connect(&share.address());
            leaving.read();
            leaving.send_with_fd(" ", files[0].as_fd());
        }
        drop((one, two));
        wait_until("the descriptors to be closed", || open_fds(share.id()) == before);
    }
}

#[test]
fn hostile_clients_disturb_nobody() {
    let Some(server) = Server::qemu(Q35) else { return };
    let share = share(&server, &["-v"]);
    let address = share.address();
    let before = open_fds(share.id());
    let mut witness = Raw::negotiated(&address, &[]);
    let hostile: &[(&str, &[u8])] = &[
        ("leaves before the greeting", b""),
        ("leaves in mid request", b"{\"execute\": \"qmp_capabilities\"}{\"execute\": \"quit"),
        ("leaves in mid reply", b"{\"execute\": \"qmp_capabilities\"}{\"execute\": \"query-qmp-schema\"}"),
        ("sends junk", b"\x00\x01\xf0\xffGET / HTTP/1.1\r\n\r\n\xff\xff\xfe{}}]"),
        (
            "sends half a message and a marker",
            b"{\"execute\": \"qmp_capabilities\"}{\"exec\xff{\"execute\": \"query-name\"}",
        ),
        ("opens without end", &[b'['; 2000]),
        ("closes without end", &[b'}'; 2000]),
        ("quotes without end", &[b'"'; 2001]),
        ("negotiates twice", b"{\"execute\": \"qmp_capabilities\"}{\"execute\": \"qmp_capabilities\"}"),
        (
            "breaks out of a string",
            b"{\"execute\": \"qmp_capabilities\"}{\"execute\": \"a\\\", \\\"id\\\": 1}{\\\"execute\\\": \\\"quit\"}",
        ),
        (
            "breaks out of the id",
            b"{\"execute\": \"qmp_capabilities\"}{\"execute\": \"x\", \"id\": \"\\\"}{\\\"execute\\\": \\\"quit\\\"\"}",
        ),
    ];
    // QEMU 10.0 itself aborts after this.
    let broken_with_oob =
        ["{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"oob\"]}}", &"a}".repeat(2000)].concat();
    let hostile = [hostile, &[("sends many broken messages with oob", broken_with_oob.as_bytes())]].concat();
    for (behaviour, bytes) in hostile {
        for leaves_at_once in [true, false] {
            let mut raw = Raw::connect(&address);
            raw.send(bytes);
            if leaves_at_once {
                drop(raw);
            } else {
                raw.stream().shutdown(std::net::Shutdown::Write).unwrap();
                let heard = raw.read_to_end();
                assert!(heard.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{behaviour}: {heard}");
            }
            assert_eq!(witness.request("{\"execute\": \"query-name\"}"), json!({"return": {}}), "{behaviour}");
        }
    }
    // One that never reads, and pipelines requests with large replies.
    let never_reads = Raw::negotiated(&address, &[]);
    never_reads.stream().set_nonblocking(true).unwrap();
    let mut stream = never_reads.stream();
    let requests = "{\"execute\": \"query-qmp-schema\"}".repeat(1000);
    let sent = (0..100).filter_map(|_| std::io::Write::write(&mut stream, requests.as_bytes()).ok()).sum::<usize>();
    assert!(sent < 100 * requests.len(), "what is not served is not read");
    // One that writes a byte at a time.
    let mut slow = Raw::connect(&address);
    slow.read();
    for byte in b"{\"execute\": \"qmp_capabilities\"}" {
        slow.send([*byte]);
        assert_eq!(witness.request("{\"execute\": \"query-name\"}"), json!({"return": {}}));
    }
    assert_eq!(slow.read()["return"], json!({}));
    drop((slow, never_reads, witness));
    wait_until("the connections to be closed", || open_fds(share.id()) == before);
}

#[test]
fn a_client_that_leaves_events_unread_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let id = conn.expect_command("flood");
        for _ in 0..400 {
            conn.send(EVENT.repeat(1000).as_bytes());
        }
        conn.reply(&id, "{}");
        conn.wait_for_close();
    });
    let socket = path("s.sock");
    let log = path("share.log");
    let share = Share::start(&["--log", &log], &peer.address(), &socket);
    let mut deaf = Raw::negotiated(&socket, &[]);
    let mut watching = Raw::negotiated(&socket, &[]);
    watching.send("{\"execute\": \"flood\"}");
    let mut count = 0;
    while watching.read().get("event").is_some() {
        count += 1;
    }
    assert_eq!(count, 400_000);
    let heard = deaf.read_to_end();
    assert!(heard.len() < 400_000 * EVENT.len() && !heard.is_empty());
    assert_eq!(Client::connect(&socket).unwrap().greeting().unwrap().capabilities, ["oob"]);
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("\"client\": 1, \"closed\": true, \"reason\": \"too many events unread\"}"));
    drop(share);
}

#[test]
fn read_only_clients_ask_and_change_nothing() {
    for server in [Server::qemu(Q35), Server::qemu_7_2(Q35)].into_iter().flatten() {
        let watch = server.path("watch.sock");
        let share = share(&server, &["--read-only", &watch]);
        let mut full = Raw::negotiated(&share.address(), &[]);
        let secret =
            json!({"execute": "object-add", "arguments": {"qom-type": "secret", "id": "sec", "data": "hunter2"}});
        assert_eq!(full.request(secret.to_string())["return"], json!({}));
        let mut reader = Raw::negotiated(&watch, &["oob"]);
        let mut table = Table::new();
        for request in [
            "{\"execute\": \"query-name\"}",
            "{\"execute\": \"stop\"}",
            "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"info status\"}}",
            "{\"execute\": \"qom-get\", \"arguments\": {\"path\": \"/objects/sec\", \"property\": \"type\"}}",
            "{\"execute\": \"qom-get\", \"arguments\": {\"path\": \"/objects/sec\", \"property\": \"data\"}}",
            "{\"execute\": \"qom-set\", \"arguments\": {\"path\": \"/objects/sec\", \"property\": \"data\", \"value\": \"x\"}}",
            "{\"exec-oob\": \"query-yank\"}",
            "{\"exec-oob\": \"migrate-pause\"}",
            "{\"execute\": \"query-status\", \"exec-oob\": \"quit\"}",
            "{\"execute\": \"quit\"}",
            "{\"execute\": \"query-future\"}",
        ] {
            table.row(request, reader.request(request).to_string());
        }
        table.check(expect![[r#"
            > {"execute": "query-name"}
            {"return":{}}

            > {"execute": "stop"}
            {"error":{"class":"CommandNotFound","desc":"`stop` is refused, because this socket is read-only: the command may change something, or reveal a secret"}}

            > {"execute": "human-monitor-command", "arguments": {"command-line": "info status"}}
            {"error":{"class":"CommandNotFound","desc":"`human-monitor-command` is refused, because this socket is read-only: a line of the human monitor may change anything"}}

            > {"execute": "qom-get", "arguments": {"path": "/objects/sec", "property": "type"}}
            {"return":"secret"}

            > {"execute": "qom-get", "arguments": {"path": "/objects/sec", "property": "data"}}
            {"error":{"class":"CommandNotFound","desc":"`qom-get` is refused, because this socket is read-only: the property may be a secret"}}

            > {"execute": "qom-set", "arguments": {"path": "/objects/sec", "property": "data", "value": "x"}}
            {"error":{"class":"CommandNotFound","desc":"`qom-set` is refused, because this socket is read-only: the command may change something, or reveal a secret"}}

            > {"exec-oob": "query-yank"}
            {"error":{"class":"GenericError","desc":"read-only clients cannot execute commands out of band"}}

            > {"exec-oob": "migrate-pause"}
            {"error":{"class":"CommandNotFound","desc":"`migrate-pause` is refused, because this socket is read-only: the command may change something, or reveal a secret"}}

            > {"execute": "query-status", "exec-oob": "quit"}
            {"error":{"class":"GenericError","desc":"two commands in one request"}}

            > {"execute": "quit"}
            {"error":{"class":"CommandNotFound","desc":"`quit` is refused, because this socket is read-only: the command may change something, or reveal a secret"}}

            > {"execute": "query-future"}
            {"error":{"class":"CommandNotFound","desc":"`query-future` is refused, because this socket is read-only: it is not known whether the command changes something"}}
        "#]]);
        // The shell's own monitor answers HMP lines.
        let run = qmp_shell(&["-H", &watch, "-c", "info status", "-c", "stop"]).run().expect_status(1);
        assert_eq!(run.stdout.lines().next(), Some("VM status: paused (prelaunch)"), "{run:#?}");
        // It sees what others do.
        full.send("{\"execute\": \"cont\"}");
        assert_eq!(reader.read()["event"], "RESUME");
    }
}

#[test]
fn read_only_clients_leave_descriptors_for_the_others() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let watch = server.path("watch.sock");
    let share = share(&server, &["--read-only", &watch]);
    let connect = || UnixStream::connect(&watch).unwrap();
    let mut watchers: Vec<UnixStream> = (0..300).map(|_| connect()).collect();
    // The greeting is left unread.
    let has_greeting = |watcher: &&UnixStream| {
        let mut fds = [PollFd::new(*watcher, PollFlags::IN)];
        rustix::event::poll(&mut fds, Some(&Timespec::default())).unwrap() > 0
    };
    let greeted = |watchers: &[UnixStream]| watchers.iter().filter(has_greeting).count();
    wait_until("the clients that are served", || greeted(&watchers) >= 256);
    qmp(&["--path", &share.address(), "query-status"]).run().expect_status(0);
    assert!(greeted(&watchers) < 300, "all are served at once");
    // Each that leaves makes room for another.
    watchers.drain(..200);
    wait_until("the others", || greeted(&watchers) == 100);
}

#[test]
fn the_tables_of_read_only_commands_know_every_command() {
    let servers = [Server::qemu(Q35), Server::qemu_7_2(Q35), Server::storage_daemon()];
    let mut names = BTreeSet::new();
    for server in servers.into_iter().flatten() {
        let commands: Vec<Value> = server.client().execute("query-commands", ()).unwrap();
        names.extend(commands.iter().map(|command| command["name"].as_str().unwrap().to_owned()));
    }
    let unknown: Vec<&String> =
        names.iter().filter(|name| !qmp_shell::share::is_known_to_read_only_clients(name)).collect();
    assert!(
        unknown.is_empty(),
        "look at what these do, and add them to a table in src/share/read_only.rs; until then they are refused: {unknown:?}"
    );
}

#[test]
fn sockets_have_their_permissions_and_are_removed() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let mode = |path: &str| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    let watch = server.path("watch.sock");
    let socket = server.path("shared.sock");
    // A socket file on which nothing listens any more.
    drop(UnixListener::bind(&socket).unwrap());
    assert!(is_socket(&socket));
    let mut child = Command::new(env!("CARGO_BIN_EXE_qmp-share"))
        .args(["--mode", "640", "--read-only", &watch, &server.address(), &socket])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the sockets", || is_socket(&watch));
    assert_eq!((mode(&socket), mode(&watch)), (0o640, 0o600));
    let client = Client::connect(&socket).unwrap();
    client.execute::<Value>("query-name", ()).unwrap();
    let mut table = Table::new();
    table.row("in use", qmp_share(&["demo:", &socket]).run().render().replace(&socket, "SOCKET"));
    let file = server.path("file");
    fs::write(&file, "precious").unwrap();
    table.row("a file", qmp_share(&["demo:", &file]).run().render().replace(&file, "FILE"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    let missing = "/nonexistent/x.sock";
    table.row("no folder", qmp_share(&["demo:", missing]).run().render());
    table.row("TCP", qmp_share(&["demo:", "localhost:4444"]).run().render());
    table.row("no socket", qmp_share(&[]).run().render());
    table.row("no address", qmp_share(&["x.sock"]).run().render());
    table.row("no server", qmp_share(&["/nonexistent/vm.sock", "x.sock"]).run().render());
    table.check(expect![[r#"
        > in use
        stderr: qmp-share: cannot listen on `SOCKET`: another program is listening there
        status: 1

        > a file
        stderr: qmp-share: cannot listen on `FILE`: the file exists, and is not a socket
        status: 1

        > no folder
        stderr: qmp-share: cannot listen on `/nonexistent/x.sock`: No such file or directory (os error 2)
        status: 1

        > TCP
        stderr: qmp-share: clients cannot be served on `localhost:4444`; expected the path of a socket, or `fd:N`
        status: 2

        > no socket
        stderr: qmp-share: missing SOCKET; try `qmp-share vm.sock shared.sock`
        status: 2

        > no address
        stderr: qmp-share: missing ADDRESS before `x.sock`, and neither QMP_PATH nor QMP_SOCKET is set
        status: 2

        > no server
        stderr: qmp-share: there is no socket at `/nonexistent/vm.sock`; a QEMU started with `-qmp unix:/nonexistent/vm.sock,server=on,wait=off` creates one
        status: 3
    "#]]);
    send_signal(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!is_socket(&socket) && !is_socket(&watch));
    // The server is free again.
    wait_until("the server", || Client::connect(&server.path("q.sock")).is_ok());
}

#[test]
fn the_log_says_who_sent_what_without_secrets() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let log = server.path("share.log");
    let watch = server.path("watch.sock");
    let share = share(&server, &["--log", &log, "--read-only", &watch]);
    let mut raw = Raw::negotiated(&share.address(), &[]);
    raw.request("{\"execute\": \"set_password\", \"arguments\": {\"protocol\": \"vnc\", \"password\": \"hunter2\"}, \"id\": \"a\"}");
    raw.request("{\"execute\": hunter2}\n");
    let mut reader = Raw::negotiated(&watch, &[]);
    reader.request("{\"execute\": \"quit\"}");
    drop((raw, reader));
    let read = || fs::read_to_string(&log).unwrap();
    wait_until("the last line", || read().matches("\"closed\": true").count() == 2);
    let id = format!("\"pid\": {}", std::process::id());
    let uid =
        format!("\"uid\": {}, \"gid\": {}", rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let lines: Vec<String> = read()
        .lines()
        .map(|line| {
            line.split_once(", ").unwrap().1.replace(&id, "\"pid\": ID").replace(&uid, "\"uid\": ID, \"gid\": ID")
        })
        .collect();
    expect![[r#"
        "client": 1, "connected": {"pid": ID, "uid": ID, "gid": ID}}
        "client": 1, "sent": {"execute": "qmp_capabilities", "arguments": {"enable": []}}}
        "client": 1, "received": {"return": {}}}
        "client": 1, "sent": {"execute": "set_password", "arguments": {"protocol": "vnc", "password": "<secret>"}, "id": "a"}}
        "client": 1, "received": {"id": "a", "error": {"class": "GenericError", "desc": "Could not set password"}}}
        "client": 1, "unreadable": true}
        "client": 2, "connected": {"pid": ID, "uid": ID, "gid": ID}, "read-only": true}
        "client": 2, "sent": {"execute": "qmp_capabilities", "arguments": {"enable": []}}}
        "client": 2, "received": {"return": {}}}
        "client": 2, "sent": {"execute": "quit"}}
        "client": 2, "received": {"error": {"class": "CommandNotFound", "desc": "`quit` is refused, because this socket is read-only: the command may change something, or reveal a secret"}}}
        "client": 1, "closed": true}
        "client": 2, "closed": true}
    "#]].assert_eq(&(lines.join("\n") + "\n"));
}

#[test]
fn inherited_sockets_are_served() {
    let Some(python) = require_program("python3") else { return };
    let Some(server) = Server::qemu(SMALL) else { return };
    // As systemd does: the socket is descriptor 3.
    let socket = server.path("inherited.sock");
    let script = format!(
        "import os, socket\ns = socket.socket(socket.AF_UNIX)\ns.bind('{socket}')\ns.listen()\nos.dup2(s.fileno(), 3)\nos.set_inheritable(3, True)\n\
         os.execv('{}', ['qmp-share', '{}', 'fd:3'])",
        env!("CARGO_BIN_EXE_qmp-share"),
        server.address()
    );
    let mut child = Command::new(python).args(["-c", &script]).stderr(Stdio::null()).spawn().unwrap();
    wait_until("a listener", || UnixStream::connect(&socket).is_ok());
    Client::connect(&socket).unwrap().execute::<Value>("query-name", ()).unwrap();
    send_signal(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(is_socket(&socket), "it belongs to the one that created it");
    let run = qmp_share(&["demo:", "fd:0"]).run().expect_status(1);
    assert_eq!(run.stderr, "qmp-share: file descriptor 0 is not an inherited Unix socket that listens\n");
}

#[test]
fn qmp_runs_it_as_a_command() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_qmp-share")).parent().unwrap().to_str().unwrap();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
    let socket = server.path("shared.sock");
    let log = server.path("share.log");
    let mut child = qmp(&["--path", &server.address(), "--logfile", &log, "share", &socket]).env("PATH", &path).start();
    wait_until("the socket", || is_socket(&socket));
    Client::connect(&socket).unwrap().execute::<Value>("query-name", ()).unwrap();
    send_signal(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(fs::read_to_string(&log).unwrap().contains("\"client\": 1, \"sent\": {\"execute\": \"query-name\""));
}

#[test]
fn many_clients_lose_nothing_and_leave_nothing() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        // Answers everything, with an event before every tenth reply.
        for number in 0.. {
            let Some(request) = conn.next_request() else { return };
            if number % 10 == 0 {
                conn.send_event("TICK", &format!("{{\"number\": {number}}}"));
            }
            conn.reply(&request["id"].to_string(), &request["arguments"]["n"].to_string());
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s.sock").to_str().unwrap().to_owned();
    let share = Share::start(&[], &peer.address(), &socket);
    let before = open_fds(share.id());
    let clients = 20;
    let commands = 200;
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..clients)
            .map(|client| {
                let socket = &socket;
                scope.spawn(move || {
                    let qemu = Client::connect(socket).unwrap();
                    let mut events = qemu.events();
                    for n in 0..commands {
                        let number = client * 1_000_000 + n;
                        let request = Request::new("echo").with_arguments(json!({"n": number}).to_string());
                        assert_eq!(qemu.start(request).unwrap().wait::<u64>().unwrap(), number);
                    }
                    let mut last = None;
                    while let Ok(Some(event)) = events.wait(Duration::ZERO) {
                        let number = event.data_as::<Value>().unwrap()["number"].as_u64();
                        assert!(last.is_none_or(|last| number == Some(last + 10)), "after {last:?} {number:?}");
                        last = number;
                    }
                    assert!(last.is_some());
                })
            })
            .collect();
        running.into_iter().for_each(|thread| thread.join().unwrap());
    });
    for _ in 0..500 {
        drop(UnixStream::connect(&socket).unwrap());
    }
    wait_until("the connections to be closed", || open_fds(share.id()) == before);
    drop(share);
}
