//! `qmp` with several servers: in parallel, each line prefixed with the name of its server, each failure on its own.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use expect_test::expect;

use crate::support::peer::{Peer, PeerConnection, Script};
use crate::support::program::{Run, qmp};
use crate::support::server::{Q35, SMALL, Server};
use crate::support::snapshot::Table;
use crate::support::wait_until;

/// Returns the sorted lines of a text: the order of the replies varies.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// Makes a folder with links to the sockets of these servers.
fn folder_of(sockets: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, address) in sockets {
        symlink(address, folder.path().join(name)).unwrap();
    }
    folder
}

#[test]
fn names_the_server_of_each_line_and_goes_on_after_a_failure() {
    let (Some(idle), Some(running)) = (Server::qemu(Q35), Server::qemu(SMALL)) else { return };
    let folder = folder_of(&[("a.sock", &idle.address()), ("b.sock", &running.address())]);
    std::fs::write(folder.path().join("c.sock"), "no socket").unwrap();
    let qmp_in = |args: &[&str]| -> Run { qmp(args).in_folder(folder.path()).run() };

    let run = qmp_in(&["--path", "*.sock", "query-status"]).expect_status(0);
    assert_eq!(
        sorted(&run.stdout),
        ["a.sock: running: false", "a.sock: status: prelaunch", "b.sock: running: true", "b.sock: status: running"]
    );
    // The lines of one server stay together.
    let names: Vec<char> = run.lines().iter().map(|line| line.chars().next().unwrap()).collect();
    assert!(["aabb", "bbaa"].contains(&names.iter().collect::<String>().as_str()), "{run:#?}");
    let run = qmp_in(&["-o", "json", "--path", "./*.sock", "query-status"]).expect_status(0);
    assert_eq!(
        sorted(&run.stdout),
        [
            r#"{"path": "./a.sock", "return": {"status": "prelaunch", "running": false}}"#,
            r#"{"path": "./b.sock", "return": {"status": "running", "running": true}}"#
        ]
    );

    let run = qmp_in(&["-o", "json", "--dry-run", "--path", "a*", "stop"]).expect_status(0);
    assert_eq!(run.stdout, "{\"path\": \"a.sock\", \"execute\": \"stop\"}\n");

    // A failure, a missing socket, a server named twice.
    let args = ["--path=a.sock", "--path=none", "--path=b.sock", "--path=a.sock", "query-cpus-fast"];
    let run = qmp_in(&args).expect_status(1);
    assert_eq!(run.lines().iter().filter(|line| line.starts_with("a.sock: item[1].cpu-index: ")).count(), 1);
    let mut table = Table::new();
    table.row(args.join(" "), &run.stderr);
    let run = qmp_in(&["--path", "?.sock", "blockdev-add", "driver=null-co", "node-nme=x"]).expect_status(1);
    assert_eq!(run.stdout, "");
    assert_eq!(run.stderr.matches(".sock:   blockdev-add driver=null-co node-nme=x\n").count(), 2, "{run:#?}");
    // A mistake that needs no server is reported once.
    table.run("stop x=1 now", &qmp_in(&["--path", "*.sock", "stop", "x=1", "now"]));

    // A glob that matches one server prefixes lines, too; one that matches none is an error.
    let run = qmp_in(&["--path", "a*", "query-status"]).expect_status(0);
    assert_eq!(run.lines()[0], "a.sock: status: prelaunch");
    let run = qmp_in(&["query-status", "--path"]);
    assert_eq!(run.status, 2, "{run:#?}");
    table.run("--path *.socket stop", &qmp_in(&["--path", "*.socket", "stop"]));
    let run = qmp(&["query-name"]).env("QMP_PATH", "*.socket").in_folder(folder.path()).run();
    table.run("QMP_PATH=*.socket query-name", &run);
    table.check(expect![[r#"
        > --path=a.sock --path=none --path=b.sock --path=a.sock query-cpus-fast
        none: there is no socket at `none`; a QEMU started with `-qmp unix:none,server=on,wait=off` creates one

        > stop x=1 now
        stderr: qmp: expected `key=value`, found `now`
        stderr:   stop x=1 now
        stderr:            ^^^
        status: 1

        > --path *.socket stop
        stderr: qmp: --path: no socket matches `*.socket`
        status: 3

        > QMP_PATH=*.socket query-name
        stderr: qmp: QMP_PATH: no socket matches `*.socket`
        status: 3
    "#]]);

    // A program is run for each server.
    let program = folder.path().join("qmp-where");
    std::fs::write(&program, "#!/bin/sh\necho \"$QMP_PATH $1\"; [ \"$QMP_PATH\" != b.sock ]\n").unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let run = qmp(&["--path", "?.sock", "where", "--x"]).in_folder(folder.path()).env("PATH", &path).run();
    assert_eq!(sorted(&run.expect_status(1).stdout), ["a.sock: a.sock --x", "b.sock: b.sock --x"]);
    // Help comes from one server.
    let run = qmp_in(&["--path", "*.sock", "help", "query-status"]).expect_status(0);
    assert!(run.stdout.starts_with("query-status  command\n"), "{run:#?}");
}

/// Starts peers that call `meet` before they reply to `query-status`.
fn peers(count: usize, meet: impl Fn() + Send + Sync + 'static) -> Vec<Peer> {
    let meet = Arc::new(meet);
    let start = |_| {
        let meet = Arc::clone(&meet);
        Peer::start(move |conn| {
            conn.negotiate();
            let id = conn.expect_command("query-status");
            meet();
            conn.reply(&id, "{}");
            conn.wait_for_close();
        })
    };
    (0..count).map(start).collect()
}

fn query_all(peers: &[Peer], jobs: &str) -> Run {
    let paths = peers.iter().map(|peer| format!("--path={}", peer.address()));
    let args: Vec<String> = paths.chain(["--jobs", jobs, "-o", "json", "query-status"].map(str::to_owned)).collect();
    qmp(&args.iter().map(String::as_str).collect::<Vec<_>>()).run()
}

#[test]
fn queries_at_most_n_servers_at_once() {
    // No peer replies until all have got the request.
    let barrier = Barrier::new(8);
    let run = query_all(
        &peers(8, move || {
            barrier.wait();
        }),
        "8",
    )
    .expect_status(0);
    assert_eq!(run.lines().len(), 8, "{run:#?}");

    let (current, max) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&max);
    let count = move || {
        seen.fetch_max(current.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::yield_now();
        current.fetch_sub(1, Ordering::SeqCst);
    };
    let run = query_all(&peers(8, count), "1").expect_status(0);
    assert_eq!((run.lines().len(), max.load(Ordering::SeqCst)), (8, 1));
}

#[test]
fn queries_more_servers_than_the_limit_of_open_files() {
    // No peer replies until all are connected.
    let barrier = Barrier::new(40);
    let peers = peers(40, move || {
        barrier.wait();
    });
    let paths: Vec<String> = peers.iter().map(|peer| format!("--path={}", peer.address())).collect();
    let script = "ulimit -Sn 24; exec \"$0\" --jobs 40 -o json \"$@\" query-status";
    let mut child = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_qmp")])
        .args(&paths)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("it to exit", || child.try_wait().unwrap().is_some());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout.split(|byte| *byte == b'\n').count(), 41);
}

#[test]
fn asks_more_servers_than_files_may_be_open() {
    const COUNT: usize = 200;
    const LIMITED: &[&str] = &["/bin/sh", "-c", "ulimit -n 64; exec \"$0\" \"$@\""];
    let reply = |conn: &mut PeerConnection| {
        conn.negotiate();
        let id = conn.expect_command("query-name");
        conn.reply(&id, "{\"name\": \"vm\"}");
        conn.wait_for_close();
    };
    let peer = Peer::start_all((0..COUNT).map(|_| Box::new(reply) as Script).collect());
    let names: Vec<String> = (0..COUNT).map(|n| format!("{n}.sock")).collect();
    let sockets: Vec<(&str, String)> = names.iter().map(|name| (name.as_str(), peer.address())).collect();
    let sockets: Vec<(&str, &str)> = sockets.iter().map(|(name, address)| (*name, address.as_str())).collect();
    let folder = folder_of(&sockets);

    let query = qmp(&["--path", "*.sock", "--timeout", "30", "query-name"]).under(LIMITED);
    let run = query.in_folder(folder.path()).run().expect_status(0);
    assert_eq!((run.lines().len(), run.stderr.as_str()), (COUNT, ""));
    // All servers must be followed at the same time.
    let follow = qmp(&["--path", "*.sock", "--events"]).under(LIMITED).in_folder(folder.path()).run().expect_status(1);
    assert!(
        follow.stderr.starts_with("qmp: cannot follow 200 servers at a time: the limit on open files"),
        "{follow:?}"
    );
}
