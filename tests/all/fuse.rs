//! `qom fuse`: the mounted object tree, used by ordinary file programs.
//!
//! The file system itself is tested without a kernel in `src/qom/fs`. These tests need permission to mount, which many
//! containers do not give; they are skipped without it, in CI too.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;

use expect_test::expect;

use crate::one_request::{NOTICE, Proxy, SHORT};
use crate::support::libvirt::Libvirt;
use crate::support::peer::Peer;
use crate::support::program::qom;
use crate::support::server::{Q35, Server};
use crate::support::skip::skip_optional;
use crate::support::snapshot::{self, Table};
use crate::support::{find_program, send_signal, wait_until, wording};

/// A mounted tree, unmounted at the end of its test.
struct Mount {
    child: Child,
    folder: tempfile::TempDir,
    greeting: String,
}

/// Returns whether this machine allows mounting; records a skip otherwise.
fn can_mount() -> bool {
    if !cfg!(all(feature = "fuse", target_os = "linux")) {
        skip_optional("the feature `fuse`");
        return false;
    }
    let device = fs::File::options().read(true).write(true).open("/dev/fuse");
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let can_mount = device.is_ok() && (is_root || find_program("fusermount3").is_some());
    if !can_mount {
        skip_optional(PERMISSION);
    }
    can_mount
}

const PERMISSION: &str = "permission to mount (/dev/fuse, and root or fusermount3)";

/// Returns the mounts in or at `folder`.
fn mounts(folder: &Path) -> Vec<String> {
    let all = fs::read_to_string("/proc/mounts").unwrap();
    all.lines().filter(|line| line.contains(folder.to_str().unwrap())).map(str::to_owned).collect()
}

impl Mount {
    /// Mounts the tree of the server at `address`. Records a skip if that is not permitted.
    fn new(address: &str, options: &[&str]) -> Option<Mount> {
        if !can_mount() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("vm")).unwrap();
        let arguments = [&["fuse", "-s", address, "vm"], options].concat();
        let mut child = qom(&arguments).in_folder(folder.path()).start();
        let mut greeting = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut greeting).unwrap();
        let mut mount = Mount { child, folder, greeting };
        if mount.greeting.is_empty() {
            let (_, stderr) = mount.end();
            assert!(wording::CANNOT_MOUNT.iter().any(|reason| stderr.contains(reason)), "{stderr}");
            skip_optional(PERMISSION);
            return None;
        }
        Some(mount)
    }

    fn mount_point(&self) -> PathBuf {
        self.folder.path().join("vm")
    }

    /// Sends it a signal: `INT`, `TERM`.
    fn signal(&self, name: &str) {
        send_signal(self.child.id(), name);
    }

    /// Waits until it exits; returns its status and its standard error. No mount may be left.
    fn end(&mut self) -> (i32, String) {
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        wait_until("qom fuse to exit", || self.child.try_wait().unwrap().is_some());
        assert_eq!(mounts(self.folder.path()), [""; 0]);
        (self.child.wait().unwrap().code().unwrap(), stderr)
    }

    /// Runs a line of the shell in the mounted directory.
    #[track_caller]
    fn sh(&self, line: &str) -> Shell {
        let output = Command::new("bash")
            .args(["-c", line])
            .env("LC_ALL", "C")
            .env("OUT", self.folder.path())
            .current_dir(self.mount_point())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Shell { status: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.signal("TERM");
            let _ = self.child.wait();
        }
        unmount_all(self.folder.path());
    }
}

/// Unmounts everything that a failed test has left in or at `folder`.
fn unmount_all(folder: &Path) {
    for mount in mounts(folder) {
        let _ = Command::new("umount").arg("-l").arg(mount.split(' ').nth(1).unwrap()).status();
    }
}

/// A folder in which no mount is left.
struct Place(tempfile::TempDir);

impl Drop for Place {
    fn drop(&mut self) {
        unmount_all(self.0.path());
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Shell {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Shell {
    #[track_caller]
    fn expect_status(self, status: i32) -> Shell {
        assert_eq!(self.status, Some(status), "{self:#?}");
        self
    }
}

/// Two parts of a machine with all kinds of files, including unreadable ones.
const PARTS: &str = "machine/fw_cfg machine/unattached/device[0]";

#[test]
fn shows_a_machine_to_file_programs() {
    check_machine(Server::qemu(Q35));
}

#[test]
fn shows_a_machine_of_an_older_qemu() {
    check_machine(Server::qemu_7_2(Q35));
}

fn check_machine(server: Option<Server>) {
    let Some(server) = server else { return };
    let Some(mut mount) = Mount::new(&server.address(), &[]) else { return };
    let place = mount.mount_point();
    // The two servers differ only in their versions.
    snapshot::check(
        &mount.greeting,
        expect![[r#"
            The object tree of QEMU {VERSION} is mounted at {DIR}/vm; Ctrl-C or `umount {DIR}/vm` unmounts it.
        "#]],
    );

    // Directories are objects, files are properties, links lead to other objects.
    for (line, expected) in [
        ("ls -F | grep -E 'machine|objects|type'", "machine/\nobjects/\ntype\n"),
        ("cat type machine/graphics", "container\ntrue\n"),
        ("readlink machine/q35/mch/parent_bus", "../pcie.0\n"),
        ("cat machine/unattached/device[0]/memory/size", "18446744073709551615\n"),
        ("ls -l type | cut -c-10", "-rw-r--r--\n"),
        ("wc -c type | cut -d' ' -f1", "10\n"),
        ("tail -c 4 type", "ner\n"),
        ("cat machine/q35/mch/parent_bus/type", "PCIE\n"),
        ("wc -c < machine/unattached/sysbus/hotplug-handler", "0\n"),
        ("grep -l '^q35-pcihost$' machine/q35/type", "machine/q35/type\n"),
        (
            "cd 'machine/fw_cfg/\\x2from@etc\\x2facpi\\x2ftables[0]' && pwd -P | sed 's/.*@//'",
            "etc\\x2facpi\\x2ftables[0]\n",
        ),
    ] {
        assert_eq!(mount.sh(line).stdout, expected, "{line}");
    }
    let found = mount.sh("find . | wc -l").stdout.trim().parse::<usize>().unwrap();
    assert!(found > 2000, "{found}");
    // No link is dangling or leads out of the mount.
    assert_eq!(mount.sh(&format!("find {PARTS} -xtype l")).stdout, "");
    let targets = mount.sh(&format!("find {PARTS} -type l -exec readlink -f {{}} +")).stdout;
    assert!(targets.lines().count() > 5 && targets.lines().all(|line| Path::new(line).starts_with(&place)));

    // The size of a file is the number of bytes it returns. Unreadable files lack the permission bit.
    let mut directories: Vec<PathBuf> = PARTS.split(' ').map(|part| place.join(part)).collect();
    let (mut read, mut unread) = (0, Vec::new());
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let metadata = entry.metadata().unwrap();
            assert_eq!(kind, metadata.file_type());
            match fs::read(&path) {
                _ if kind.is_dir() => directories.push(path),
                _ if kind.is_symlink() => {}
                Ok(content) => {
                    assert_eq!((metadata.len(), metadata.mode() & 0o400), (content.len() as u64, 0o400), "{path:?}");
                    assert!(content.is_empty() || content.ends_with(b"\n"));
                    read += 1;
                }
                Err(error) => {
                    assert!([EACCES, ENODATA].contains(&error.raw_os_error().unwrap()), "{path:?}: {error}");
                    assert_eq!(metadata.mode() & 0o777, 0o200);
                    unread.push(path);
                }
            }
        }
    }
    assert!(read > 200 && !unread.is_empty() && unread.len() < 5, "{read} {unread:?}");

    // Programs copy and search all but those, and report each of them.
    let copied = mount.sh(&format!("cp -r --parents {PARTS} $OUT")).expect_status(1);
    assert_eq!(copied.stderr.lines().count(), unread.len(), "{copied:?}");
    for part in PARTS.split(' ') {
        let differs = mount.sh(&format!("diff -r --no-dereference {part} $OUT/{part}"));
        let gone = unread.iter().filter(|path| path.starts_with(place.join(part))).count();
        assert_eq!(differs.stdout.lines().count(), gone, "{differs:?}");
    }
    let searched = mount.sh(&format!("grep -r . {PARTS}")).expect_status(2);
    assert_eq!(searched.stderr.lines().count(), unread.len(), "{}", searched.stderr);
    assert!(searched.stdout.contains("machine/fw_cfg/type:fw_cfg_io\n"));

    mount.signal("INT");
    let (status, stderr) = mount.end();
    assert_eq!(status, 0);
    assert!(stderr.lines().any(|line| line.contains(" /machine/unattached/device[0]/")), "{stderr}");
}

#[test]
fn copies_a_whole_machine() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(mount) = Mount::new(&server.address(), &[]) else { return };
    let copied = mount.sh("cp -r . $OUT/copy").expect_status(1);
    assert!(
        copied.stderr.lines().all(|line| line.ends_with("Permission denied") || line.ends_with("No data available"))
    );
    let count = |folder: &str| mount.sh(&format!("find {folder} | wc -l")).stdout.trim().parse::<usize>().unwrap();
    assert_eq!(count(".") - copied.stderr.lines().count(), count("$OUT/copy"));
}

/// The errors of reading without permission, a property without a value, and from a lost server.
const EACCES: i32 = 13;
const ENODATA: i32 = 61;
const EIO: i32 = 5;

#[test]
fn writing_sets_a_property_or_fails() {
    let options = [Q35, &["-object", "iothread,id=io0"]].concat();
    let Some(server) = Server::qemu(&options) else { return };
    let Some(mut mount) = Mount::new(&server.address(), &[]) else { return };
    for (line, status, shown) in [
        ("echo false > machine/graphics; cat machine/graphics", 0, "false\n"),
        ("echo on > machine/graphics; cat machine/graphics", 0, "true\n"),
        ("printf 0x10 > objects/io0/poll-grow; cat objects/io0/poll-grow", 0, "16\n"),
        ("echo 'a b' > machine/append; cat machine/append; wc -c < machine/append", 0, "a b\n4\n"),
        ("echo c >> machine/append; cat machine/append", 0, "a b\nc\n"),
        ("cat machine/append > $OUT/t; cp $OUT/t machine/kernel; cat machine/kernel", 0, "a b\nc\n"),
        (": > machine/append; cat machine/append", 0, "\n"),
        ("echo 007 | tee machine/append; cat machine/append", 0, "007\n007\n"),
        ("cat machine/boot > $OUT/t; cat $OUT/t > machine/boot && cat machine/boot", 0, "{\"order\": \"cad\"}\n"),
        ("truncate -s 2 machine/append; cat machine/append", 0, "00\n"),
        ("touch machine/append && chmod 644 machine/append", 0, ""),
        // Values of another type, read-only properties, properties that are fixed by now, new files.
        ("echo maybe > machine/graphics", 1, "Invalid argument"),
        ("printf maybe > machine/graphics", 1, "Invalid argument"),
        ("echo x > machine/type", 1, "Permission denied"),
        ("echo 5 > machine/q35/MCFG", 1, "Operation not permitted"),
        ("echo x > $OUT/t; cp $OUT/t machine/type", 1, "Permission denied"),
        ("dd status=none if=/dev/zero bs=40000 count=2 of=machine/append", 1, "File too large"),
        ("sed -i s/true/false/ machine/graphics", 4, "Operation not permitted"),
        ("rm machine/graphics", 1, "Operation not permitted"),
        ("mkdir machine/new", 1, "Operation not permitted"),
        ("ln -s q35 machine/new", 1, "Operation not permitted"),
        ("touch machine/new", 1, "Operation not permitted"),
        ("mv machine/graphics machine/new", 1, "Operation not permitted"),
        ("chmod 600 machine/graphics", 1, "Operation not permitted"),
        ("cat machine/nope", 1, "No such file or directory"),
        ("cat machine", 1, "Is a directory"),
    ] {
        let seen = mount.sh(line).expect_status(status);
        if status == 0 {
            assert_eq!((seen.stdout.as_str(), seen.stderr.as_str()), (shown, ""), "{line}");
        } else {
            assert!(seen.stderr.contains(shown), "{line}: {seen:?}");
        }
    }
    // Editors that write in place.
    if find_program("ed").is_some() {
        let edited = mount.sh("printf '1c\\nfalse\\n.\\nw\\nq\\n' | ed -s machine/graphics; cat machine/graphics");
        assert_eq!(edited.expect_status(0).stdout, "false\n");
    }
    let address = server.address();
    mount.signal("TERM");
    let (status, stderr) = mount.end();
    assert_eq!(status, 0);
    let mut messages: Vec<&str> = stderr.lines().filter(|line| !line.contains("cannot read")).collect();
    messages.sort_unstable();
    messages.dedup();
    snapshot::check(
        messages.join("\n"),
        expect![[r#"
            qom fuse: cannot set /machine/graphics: expected true or false (on, off, yes, no), found `maybe`
            qom fuse: cannot set /machine/q35/MCFG: Attempt to set property 'MCFG' on anonymous device (type 'q35-pcihost') after it was realized
            qom fuse: cannot set /machine/type: Property 'pc-q35-{VERSION}-machine.type' is not writable
        "#]],
    );
    let left = qom(&["get", "-s", &address, "/machine.append"]).run().expect_status(0);
    assert_eq!(left.stdout, "00\n");
}

#[test]
fn unmounts_without_a_trace() {
    let Some(server) = Server::qemu(Q35) else { return };
    let mut table = Table::new();
    for end in [
        "umount vm",
        "kill -s INT $PID",
        "kill -s TERM $PID",
        "kill -s HUP $PID",
        // After it was moved.
        "mkdir moved; mount --move vm moved; cat moved/type; kill -s INT $PID",
        // While processes use it.
        "sleep 1000 < vm/type & cd vm/machine; kill -s INT $PID; read; kill $!",
    ] {
        let Some(mut mount) = Mount::new(&server.address(), &[]) else { return };
        let mut shell = Command::new("bash")
            .args(["-c", &end.replace("$PID", &mount.child.id().to_string())])
            .current_dir(mount.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (status, stderr) = mount.end();
        assert_eq!(status, 0, "{end}: {stderr}");
        table.row(end, stderr);
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
    table.check(expect![[r#"
        > umount vm

        > kill -s INT $PID

        > kill -s TERM $PID

        > kill -s HUP $PID

        > mkdir moved; mount --move vm moved; cat moved/type; kill -s INT $PID

        > sleep 1000 < vm/type & cd vm/machine; kill -s INT $PID; read; kill $!
        qom fuse: {DIR}/vm was in use, and was unmounted anyway
    "#]]);
}

#[test]
fn unmounts_while_a_read_waits_for_a_reply() {
    if !can_mount() {
        return;
    }
    let (asked_tx, asked_rx) = channel();
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        // The first lists are the probe.
        while let (command, id) = conn.read_request()
            && command == "qom-list"
        {
            conn.reply(&id, r#"[{"name": "slow", "type": "int"}]"#);
        }
        asked_tx.send(()).unwrap();
        conn.wait_for_close();
    });
    let Some(mut mount) = Mount::new(&peer.address(), &[]) else { return };
    let slow = mount.mount_point().join("slow");
    let reading = std::thread::spawn(move || fs::read(slow).is_err());
    asked_rx.recv().unwrap();
    mount.signal("TERM");
    assert_eq!(mount.end().0, 0);
    assert!(reading.join().unwrap());
}

#[test]
fn reports_a_lost_server_as_an_io_error() {
    let Some(mut server) = Server::qemu(Q35) else { return };
    let Some(mut mount) = Mount::new(&server.address(), &[]) else { return };
    let place = mount.mount_point();
    // A read waits for its reply while the server is killed.
    send_signal(server.id(), "STOP");
    let waiting = std::thread::spawn(move || fs::read(place.join("type")));
    server.kill();
    assert_eq!(waiting.join().unwrap().unwrap_err().raw_os_error(), Some(EIO));
    for line in
        ["ls .", "cat type", "cat machine/type", "echo x > type", "stat machine", "find . -type f", "grep -r . ."]
    {
        let seen = mount.sh(line);
        assert!(seen.status != Some(0) && seen.stderr.contains("Input/output error"), "{line}: {seen:?}");
    }
    // It stays mounted until it is unmounted.
    assert!(Command::new("umount").arg(mount.mount_point()).status().unwrap().success());
    let (status, stderr) = mount.end();
    assert_eq!(status, 4);
    snapshot::check(
        stderr,
        expect![[r#"
            qom fuse: the server closed the connection; every access to {DIR}/vm fails until it is unmounted
        "#]],
    );
}

#[test]
fn a_signal_ends_programs_that_wait_for_a_frozen_server() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(mut mount) = Mount::new(&server.address(), &[]) else { return };
    send_signal(server.id(), "STOP");
    // More programs than the tree has requests in flight, so that later ones wait for their turn.
    for (number, signal) in (0..12).zip(["INT", "TERM"].into_iter().cycle()) {
        let program = ["cat type", "ls -l .", "find . -name type", "tee type"][number % 4];
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec {program}")])
            .current_dir(mount.mount_point())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(100));
        send_signal(child.id(), signal);
        wait_until(&format!("{program} to end on {signal}"), || child.try_wait().unwrap().is_some());
    }
    send_signal(server.id(), "CONT");
    assert_eq!(mount.sh("cat type").stdout, "container\n");
    mount.signal("TERM");
    let (status, stderr) = mount.end();
    assert_eq!((status, stderr.as_str()), (0, ""));
}

#[test]
fn a_slow_reply_does_not_delay_other_reads() {
    if !can_mount() {
        return;
    }
    let peer = Peer::start(|conn| {
        conn.negotiate();
        let mut slow = None;
        // Replies for `slow` only after a read of `quick`; the requests come in any order and number.
        while let Some(request) = conn.next_request() {
            let id = request["id"].to_string();
            match (request["execute"].as_str().unwrap(), request["arguments"]["property"].as_str()) {
                ("qom-list", _) => {
                    conn.reply(&id, r#"[{"name": "slow", "type": "int"}, {"name": "quick", "type": "int"}]"#)
                }
                (_, Some("slow")) => slow = Some(id),
                _ => {
                    conn.reply(&id, "1");
                    if let Some(slow) = slow.take() {
                        conn.reply(&slow, "2");
                    }
                }
            }
        }
    });
    let Some(mut mount) = Mount::new(&peer.address(), &[]) else { return };
    let place = mount.mount_point();
    let slow = std::thread::spawn(move || fs::read_to_string(place.join("slow")).unwrap());
    wait_until("the slow read", || {
        assert_eq!(fs::read_to_string(mount.mount_point().join("quick")).unwrap(), "1\n");
        slow.is_finished()
    });
    assert_eq!(slow.join().unwrap(), "2\n");
    mount.signal("TERM");
    mount.end();
}

#[test]
fn runs_in_the_background() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(probe) = Mount::new(&server.address(), &["--read-only"]) else { return };
    // A read-only mount sets nothing.
    let refused = probe.sh("echo false > machine/graphics").expect_status(1);
    assert!(refused.stderr.contains("Read-only file system"), "{refused:?}");
    drop(probe);

    let kept = Place(tempfile::tempdir().unwrap());
    let folder = kept.0.path();
    let place = folder.join("vm");
    fs::create_dir(&place).unwrap();
    let address = server.address();
    let start = |address: &str| qom(&["fuse", "--socket", address, "--daemonize", "vm"]).in_folder(folder).run();
    // When it returns, the tree is mounted and its streams are closed.
    let run = start(&address).expect_status(0);
    let mut table = Table::new();
    table.run("mounted", &run);
    assert_eq!(fs::read_to_string(place.join("type")).unwrap(), "container\n");
    assert!(Command::new("umount").arg(&place).status().unwrap().success());
    assert_eq!(mounts(folder), [""; 0]);
    table.run("without a server", &start("gone.sock").expect_status(3));
    table.check(expect![[r#"
        > mounted
        The object tree of QEMU {VERSION} is mounted at {DIR}/vm; `umount {DIR}/vm` unmounts it.

        > without a server
        stderr: qom: there is no socket at `gone.sock`; a QEMU started with `-qmp unix:gone.sock,server=on,wait=off` creates one
        status: 3
    "#]]);
}

#[test]
fn reports_mounts_that_are_impossible() {
    if !cfg!(all(feature = "fuse", target_os = "linux")) {
        let run = qom(&["fuse", "-s", "demo:", "/"]).run().expect_status(2);
        return assert!(run.stderr.contains("`fuse`"), "{run:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    fs::create_dir(folder.path().join("vm")).unwrap();
    let mut table = Table::new();
    for args in [["demo:", "none"], ["demo:", "file"], ["gone.sock", "vm"]] {
        let run = qom(&[&["fuse", "-s"], &args[..]].concat()).in_folder(folder.path()).run();
        table.run(args.join(" "), &run);
    }
    table.check(expect![[r#"
        > demo: none
        stderr: qom: directory `none` does not exist; create it first
        status: 2

        > demo: file
        stderr: qom: `file` is not a directory
        status: 2

        > gone.sock vm
        stderr: qom: there is no socket at `gone.sock`; a QEMU started with `-qmp unix:gone.sock,server=on,wait=off` creates one
        status: 3
    "#]]);
    // The mount of a program that was killed is reported.
    let Some(mut mount) = Mount::new("demo:", &[]) else { return };
    assert!(mount.sh("cat machine/type").stdout.starts_with("pc-q35-"));
    mount.child.kill().unwrap();
    mount.child.wait().unwrap();
    qom(&["fuse", "-s", "demo:", "vm"]).in_folder(mount.folder.path()).run().check(expect![[r#"
        stderr: qom: `vm` is still mounted by a program that has exited; unmount it with `umount vm` or `fusermount3 -u vm`
        status: 2
    "#]]);
}

#[test]
fn a_server_that_takes_one_request_at_a_time_gets_a_second_connection() {
    let Some(server) = Server::qemu(&["-M", "none"]) else { return };
    let list = "find . | sort; grep -r . type machine/type";
    let Some(mut direct) = Mount::new(&server.address(), &[]) else { return };
    let expected = direct.sh(list);
    direct.signal("TERM");
    direct.end();
    for (package, notice) in [("qemu-10.0.2", String::new()), ("", format!("qom fuse: {NOTICE}"))] {
        let proxy = Proxy::start(&server, package, SHORT);
        let Some(mut mount) = Mount::new(&proxy.address(), &[]) else { return };
        let seen = mount.sh(list);
        assert_eq!((seen.stdout, seen.stderr), (expected.stdout.clone(), expected.stderr.clone()), "{package}");
        mount.signal("TERM");
        assert_eq!(mount.end(), (0, notice), "{package}");
    }
}

#[test]
fn find_reads_the_tree_of_a_domain_of_libvirt() {
    if !can_mount() {
        return;
    }
    let Some(libvirt) = Libvirt::start() else { return };
    let Some(mut mount) = Mount::new(&format!("libvirt:vm one?{}", libvirt.uri()), &[]) else { return };
    // Each request takes libvirt some milliseconds, so not the whole tree is read.
    let seen = mount.sh("ls machine/peripheral; cat machine/type; find objects chardevs backend -type f | wc -l");
    let lines: Vec<&str> = seen.stdout.lines().collect();
    assert!(lines.contains(&"balloon0") && lines.iter().any(|line| line.starts_with("pc-q35-")), "{seen:?}");
    assert!(lines.last().unwrap().trim().parse::<usize>().unwrap() > 20, "{seen:?}");
    mount.signal("TERM");
    assert_eq!(mount.end().0, 0);
}
