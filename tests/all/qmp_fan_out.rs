//! `qmp` with several servers: in parallel, each line led by its server's name, one that fails apart.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use crate::support::peer::Peer;
use crate::support::program::{Run, qmp};
use crate::support::server::{Q35, SMALL, Server};
use crate::support::wait_until;

/// The lines of a text in the order of their names: answers come as they come.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// A folder with the sockets of these servers under names of their own.
fn folder_of(sockets: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, address) in sockets {
        symlink(address, folder.path().join(name)).unwrap();
    }
    folder
}

#[test]
fn each_answers_under_its_name_and_one_that_fails_stops_nobody() {
    let (Some(idle), Some(running)) = (Server::qemu(Q35), Server::qemu(SMALL)) else { return };
    let folder = folder_of(&[("a.sock", &idle.address()), ("b.sock", &running.address())]);
    std::fs::write(folder.path().join("c.sock"), "no socket").unwrap();
    let ask = |args: &[&str]| -> Run { qmp(args).in_folder(folder.path()).run() };

    let run = ask(&["--path", "*.sock", "query-status"]).expect_status(0);
    assert_eq!(
        sorted(&run.stdout),
        ["a.sock: running: false", "a.sock: status: prelaunch", "b.sock: running: true", "b.sock: status: running"]
    );
    // The lines of one server stay together.
    let names: Vec<char> = run.lines().iter().map(|line| line.chars().next().unwrap()).collect();
    assert!(["aabb", "bbaa"].contains(&names.iter().collect::<String>().as_str()), "{run:#?}");
    let run = ask(&["-o", "json", "--path", "./*.sock", "query-status"]).expect_status(0);
    assert_eq!(
        sorted(&run.stdout),
        [
            r#"{"path": "./a.sock", "return": {"status": "prelaunch", "running": false}}"#,
            r#"{"path": "./b.sock", "return": {"status": "running", "running": true}}"#
        ]
    );

    let run = ask(&["-o", "json", "--dry-run", "--path", "a*", "stop"]).expect_status(0);
    assert_eq!(run.stdout, "{\"path\": \"a.sock\", \"execute\": \"stop\"}\n");

    // One that has failed, one that is not there, one named twice.
    let args = ["--path=a.sock", "--path=none", "--path=b.sock", "--path=a.sock", "query-cpus-fast"];
    let run = ask(&args).expect_status(1);
    assert_eq!(run.lines().iter().filter(|line| line.starts_with("a.sock: item[1].cpu-index: ")).count(), 1);
    assert!(run.stderr.starts_with("none: there is no socket at `none`; "), "{run:#?}");
    let run = ask(&["--path", "?.sock", "blockdev-add", "driver=null-co", "node-nme=x"]).expect_status(1);
    assert_eq!(run.stdout, "");
    assert_eq!(run.stderr.matches(".sock:   blockdev-add driver=null-co node-nme=x\n").count(), 2, "{run:#?}");
    // What can be seen to be wrong without a server is said once.
    assert_eq!(ask(&["--path", "*.sock", "stop", "now"]).expect_status(1).stderr.matches("expected").count(), 1);

    // A pattern that fits one server still says which; one that fits none is an error.
    let run = ask(&["--path", "a*", "query-status"]).expect_status(0);
    assert_eq!(run.lines()[0], "a.sock: status: prelaunch");
    let run = ask(&["query-status", "--path"]);
    assert_eq!(run.status, 2, "{run:#?}");
    let run = ask(&["--path", "*.socket", "stop"]).expect_status(3);
    assert_eq!(run.stderr, "qmp: --path: no socket fits `*.socket`\n");
    let run = qmp(&["query-name"]).env("QMP_PATH", "*.socket").in_folder(folder.path()).run().expect_status(3);
    assert_eq!(run.stderr, "qmp: QMP_PATH: no socket fits `*.socket`\n");

    // A program is run for each.
    let program = folder.path().join("qmp-where");
    std::fs::write(&program, "#!/bin/sh\necho \"$QMP_PATH $1\"; [ \"$QMP_PATH\" != b.sock ]\n").unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let run = qmp(&["--path", "?.sock", "where", "--x"]).in_folder(folder.path()).env("PATH", &path).run();
    assert_eq!(sorted(&run.expect_status(1).stdout), ["a.sock: a.sock --x", "b.sock: b.sock --x"]);
    // Help is asked of one.
    let run = ask(&["--path", "*.sock", "help", "query-status"]).expect_status(0);
    assert!(run.stdout.starts_with("query-status  command\n"), "{run:#?}");
}

/// Peers that answer `query-status`, each after `meet` was called with the connection open.
fn peers(count: usize, meet: impl Fn() + Send + Sync + 'static) -> Vec<Peer> {
    let meet = Arc::new(meet);
    let start = |_| {
        let meet = Arc::clone(&meet);
        Peer::start(move |talk| {
            talk.negotiate();
            let id = talk.expect("query-status");
            meet();
            talk.answer(&id, "{}");
            talk.wait_for_close();
        })
    };
    (0..count).map(start).collect()
}

fn ask_all(peers: &[Peer], jobs: &str) -> Run {
    let paths = peers.iter().map(|peer| format!("--path={}", peer.address()));
    let args: Vec<String> = paths.chain(["--jobs", jobs, "-o", "json", "query-status"].map(str::to_owned)).collect();
    qmp(&args.iter().map(String::as_str).collect::<Vec<_>>()).run()
}

#[test]
fn servers_are_asked_side_by_side_but_never_more_than_so_many() {
    // Nobody answers until all have been asked.
    let barrier = Barrier::new(8);
    let run = ask_all(
        &peers(8, move || {
            barrier.wait();
        }),
        "8",
    )
    .expect_status(0);
    assert_eq!(run.lines().len(), 8, "{run:#?}");

    let (now, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let count = move || {
        seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::yield_now();
        now.fetch_sub(1, Ordering::SeqCst);
    };
    let run = ask_all(&peers(8, count), "1").expect_status(0);
    assert_eq!((run.lines().len(), most.load(Ordering::SeqCst)), (8, 1));
}

#[test]
fn more_servers_than_a_program_may_have_files_open() {
    // None answers until all are connected.
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
    wait_until("its end", || child.try_wait().unwrap().is_some());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout.split(|byte| *byte == b'\n').count(), 41);
}
