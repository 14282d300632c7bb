//! `qom fuse`: the object tree mounted, and used by the programs that people use on files.
//!
//! What the file system does is tested without a kernel beside it, in `src/qom/files`. These tests need a kernel that
//! mounts for us; where it does not, which a container may well have it do, they are skipped, in CI too.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;

use crate::support::peer::Peer;
use crate::support::program::qom;
use crate::support::server::{Q35, Server};
use crate::support::{find_program, wait_until};

/// A mounted tree, unmounted with its test.
struct Mount {
    child: Child,
    folder: tempfile::TempDir,
    greeting: String,
}

/// Whether this machine lets us mount.
fn may_mount() -> bool {
    if !cfg!(feature = "fuse") {
        eprintln!("skipped: built without `qom fuse`");
        return false;
    }
    let device = fs::File::options().read(true).write(true).open("/dev/fuse");
    let root = fs::metadata("/proc/self").is_ok_and(|ours| ours.uid() == 0);
    let may = device.is_ok() && (root || find_program("fusermount3").is_some());
    if !may {
        eprintln!("skipped: this machine does not let us mount (/dev/fuse, and root or fusermount3)");
    }
    may
}

/// The mounts in or at `folder`.
fn mounts(folder: &Path) -> Vec<String> {
    let all = fs::read_to_string("/proc/mounts").unwrap();
    all.lines().filter(|line| line.contains(folder.to_str().unwrap())).map(str::to_owned).collect()
}

impl Mount {
    /// Mounts the tree of the server at `address`; `None` (skipped) where the kernel does not let us.
    fn new(address: &str, flags: &[&str]) -> Option<Mount> {
        if !may_mount() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("vm")).unwrap();
        let arguments = [&["fuse", "-s", address, "vm"], flags].concat();
        let mut child = qom(&arguments).in_folder(folder.path()).start();
        let mut greeting = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut greeting).unwrap();
        let mut mount = Mount { child, folder, greeting };
        if mount.greeting.is_empty() {
            let (_, stderr) = mount.end();
            assert!(stderr.contains("only root may mount") || stderr.contains("may not open"), "{stderr}");
            eprintln!("skipped: this machine does not let us mount: {stderr}");
            return None;
        }
        Some(mount)
    }

    /// Where it is mounted.
    fn place(&self) -> PathBuf {
        self.folder.path().join("vm")
    }

    /// Sends it a signal: `INT`, `TERM`.
    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits for its end; returns its status and what it said on standard error. No mount is left.
    fn end(&mut self) -> (i32, String) {
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        wait_until("the end of qom fuse", || self.child.try_wait().unwrap().is_some());
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
            .current_dir(self.place())
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

/// Unmounts what a failed test has left in or at `folder`.
fn unmount_all(folder: &Path) {
    for mount in mounts(folder) {
        let _ = Command::new("umount").arg("-l").arg(mount.split(' ').nth(1).unwrap()).status();
    }
}

/// A folder in which nothing stays mounted.
struct Place(tempfile::TempDir);

impl Drop for Place {
    fn drop(&mut self) {
        unmount_all(self.0.path());
    }
}

/// What a line of the shell left.
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

/// Two parts of a machine that have everything in them, also what cannot be read.
const PARTS: &str = "machine/fw_cfg machine/unattached/device[0]";

#[test]
fn a_machine_is_seen_with_the_programs_for_files() {
    see(Server::qemu(Q35));
}

#[test]
fn a_machine_of_an_older_qemu_is_seen_too() {
    see(Server::qemu_7_2(Q35));
}

fn see(server: Option<Server>) {
    let Some(server) = server else { return };
    let Some(mut mount) = Mount::new(&server.address(), &[]) else { return };
    let place = mount.place();
    let how = format!("is mounted at {0}; Ctrl-C or `umount {0}` ends it.\n", place.display());
    assert!(mount.greeting.starts_with("The object tree of QEMU ") && mount.greeting.ends_with(&how));

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
    // No link leads nowhere, or out of the mount.
    assert_eq!(mount.sh(&format!("find {PARTS} -xtype l")).stdout, "");
    let targets = mount.sh(&format!("find {PARTS} -type l -exec readlink -f {{}} +")).stdout;
    assert!(targets.lines().count() > 5 && targets.lines().all(|line| Path::new(line).starts_with(&place)));

    // The size of a file is what can be read from it. What cannot be read has not the permission bit either.
    let mut directories: Vec<PathBuf> = PARTS.split(' ').map(|part| place.join(part)).collect();
    let (mut read, mut unread) = (0, Vec::new());
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let told = entry.metadata().unwrap();
            assert_eq!(kind, told.file_type());
            match fs::read(&path) {
                _ if kind.is_dir() => directories.push(path),
                _ if kind.is_symlink() => {}
                Ok(content) => {
                    assert_eq!((told.len(), told.mode() & 0o400), (content.len() as u64, 0o400), "{path:?}");
                    assert!(content.is_empty() || content.ends_with(b"\n"));
                    read += 1;
                }
                Err(error) => {
                    assert!([EACCES, ENODATA].contains(&error.raw_os_error().unwrap()), "{path:?}: {error}");
                    assert_eq!(told.mode() & 0o777, 0o200);
                    unread.push(path);
                }
            }
        }
    }
    assert!(read > 200 && !unread.is_empty() && unread.len() < 5, "{read} {unread:?}");

    // A copy holds all but those, and every program says which they are, and goes on.
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
    assert!(stderr.contains("qom fuse: cannot read /machine/unattached/device[0]/"), "{stderr}");
}

#[test]
fn a_whole_machine_is_copied() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(mount) = Mount::new(&server.address(), &[]) else { return };
    let copied = mount.sh("cp -r . $OUT/copy").expect_status(1);
    assert!(
        copied.stderr.lines().all(|line| line.ends_with("Permission denied") || line.ends_with("No data available"))
    );
    let count = |folder: &str| mount.sh(&format!("find {folder} | wc -l")).stdout.trim().parse::<usize>().unwrap();
    assert_eq!(count(".") - copied.stderr.lines().count(), count("$OUT/copy"));
}

/// What a program hears that may not read, that reads what has no value, whose server is gone.
const EACCES: i32 = 13;
const ENODATA: i32 = 61;
const EIO: i32 = 5;

#[test]
fn writing_sets_the_property_and_a_refusal_fails_the_writer() {
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
        // What is no value of the type, what may not be written, what is too late, what cannot be made.
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
    // Others see at once what was set here, and here is seen at once what others set.
    let address = server.address();
    mount.signal("TERM");
    let (status, stderr) = mount.end();
    assert_eq!(status, 0);
    for line in [
        "qom fuse: cannot set /machine/graphics: it takes true or false (on, off, yes, no), not `maybe`",
        "qom fuse: cannot set /machine/type: Property 'pc-q35-10.0-machine.type' is not writable",
    ] {
        assert!(stderr.lines().any(|said| said == line), "{stderr}");
    }
    let left = qom(&["get", "-s", &address, "/machine.append"]).run().expect_status(0);
    assert_eq!(left.stdout, "00\n");
}

#[test]
fn a_mount_ends_without_a_trace_however_it_ends() {
    let Some(server) = Server::qemu(Q35) else { return };
    for (end, said) in [
        ("umount vm", ""),
        ("kill -s INT $PID", ""),
        ("kill -s TERM $PID", ""),
        ("kill -s HUP $PID", ""),
        // Moved elsewhere meanwhile.
        ("mkdir moved; mount --move vm moved; cat moved/type; kill -s INT $PID", ""),
        // With somebody in it, who stays.
        ("sleep 1000 < vm/type & cd vm/machine; kill -s INT $PID; read; kill $!", "was in use"),
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
        assert!(
            status == 0 && stderr.contains(said) && stderr.is_empty() == said.is_empty(),
            "{end}: {status} {stderr}"
        );
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}

#[test]
fn a_mount_ends_though_somebody_waits_for_an_answer() {
    if !may_mount() {
        return;
    }
    let (asked, asking) = channel();
    let peer = Peer::start(move |talk| {
        talk.negotiate();
        let id = talk.expect("qom-list");
        talk.answer(&id, r#"[{"name": "slow", "type": "int"}]"#);
        talk.expect("qom-get");
        asked.send(()).unwrap();
        talk.wait_for_close();
    });
    let Some(mut mount) = Mount::new(&peer.address(), &[]) else { return };
    let slow = mount.place().join("slow");
    let reading = std::thread::spawn(move || fs::read(slow).is_err());
    asking.recv().unwrap();
    mount.signal("TERM");
    assert_eq!(mount.end().0, 0);
    assert!(reading.join().unwrap());
}

#[test]
fn a_server_that_goes_is_an_error_at_once() {
    let Some(mut server) = Server::qemu(Q35) else { return };
    let Some(mut mount) = Mount::new(&server.address(), &[]) else { return };
    let place = mount.place();
    // One waits for an answer as the server ends.
    let stopped = Command::new("kill").args(["-s", "STOP", &server.id().to_string()]).status();
    assert!(stopped.unwrap().success());
    let waiting = std::thread::spawn(move || fs::read(place.join("type")));
    server.kill();
    assert_eq!(waiting.join().unwrap().unwrap_err().raw_os_error(), Some(EIO));
    for line in
        ["ls .", "cat type", "cat machine/type", "echo x > type", "stat machine", "find . -type f", "grep -r . ."]
    {
        let seen = mount.sh(line);
        assert!(seen.status != Some(0) && seen.stderr.contains("Input/output error"), "{line}: {seen:?}");
    }
    // It stays until somebody unmounts it.
    assert!(Command::new("umount").arg(mount.place()).status().unwrap().success());
    let (status, stderr) = mount.end();
    let place = mount.place();
    let said = format!(
        "qom fuse: the server closed the connection; all of {} is an input/output error until it is unmounted\n",
        place.display()
    );
    assert_eq!((status, stderr), (4, said));
}

#[test]
fn a_slow_answer_holds_up_nobody_else() {
    if !may_mount() {
        return;
    }
    let peer = Peer::start(|talk| {
        talk.negotiate();
        let mut slow = None;
        // Asked in any order and any number, until `quick` was read: only then is `slow` answered.
        loop {
            let line = talk.hear();
            if line.is_empty() {
                return;
            }
            let request: serde_json::Value = serde_json::from_str(&line).unwrap();
            let id = request["id"].to_string();
            match (request["execute"].as_str().unwrap(), request["arguments"]["property"].as_str()) {
                ("qom-list", _) => {
                    talk.answer(&id, r#"[{"name": "slow", "type": "int"}, {"name": "quick", "type": "int"}]"#)
                }
                (_, Some("slow")) => slow = Some(id),
                _ => {
                    talk.answer(&id, "1");
                    if let Some(slow) = slow.take() {
                        talk.answer(&slow, "2");
                    }
                }
            }
        }
    });
    let Some(mut mount) = Mount::new(&peer.address(), &[]) else { return };
    let place = mount.place();
    let slow = std::thread::spawn(move || fs::read_to_string(place.join("slow")).unwrap());
    wait_until("the slow read's end", || {
        assert_eq!(fs::read_to_string(mount.place().join("quick")).unwrap(), "1\n");
        slow.is_finished()
    });
    assert_eq!(slow.join().unwrap(), "2\n");
    mount.signal("TERM");
    mount.end();
}

#[test]
fn it_goes_to_the_background_and_holds_nothing_back() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(probe) = Mount::new(&server.address(), &["--read-only"]) else { return };
    // Nothing can be set where that was ruled out.
    let refused = probe.sh("echo false > machine/graphics").expect_status(1);
    assert!(refused.stderr.contains("Read-only file system"), "{refused:?}");
    drop(probe);

    let kept = Place(tempfile::tempdir().unwrap());
    let folder = kept.0.path();
    let place = folder.join("vm");
    fs::create_dir(&place).unwrap();
    let address = server.address();
    let start = |address: &str| qom(&["fuse", "--socket", address, "--daemonize", "vm"]).in_folder(folder).run();
    // Mounted when it returns; all its streams are at their end.
    let run = start(&address).expect_status(0);
    assert!(run.stdout.ends_with(&format!("; `umount {}` ends it.\n", place.display())), "{run:?}");
    assert_eq!(fs::read_to_string(place.join("type")).unwrap(), "container\n");
    assert!(Command::new("umount").arg(&place).status().unwrap().success());
    assert_eq!(mounts(folder), [""; 0]);
    // That it cannot be done is said, and told by the status.
    let run = start("gone.sock").expect_status(3);
    assert!(run.stderr.starts_with("qom: there is no socket at `gone.sock`"), "{run:?}");
}

#[test]
fn what_cannot_be_mounted_is_said_in_a_sentence() {
    if !cfg!(feature = "fuse") {
        let run = qom(&["fuse", "-s", "demo:", "/"]).run().expect_status(2);
        return assert_eq!(run.stderr, "qom: this program was built without `qom fuse`: its feature `fuse` was off\n");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    fs::create_dir(folder.path().join("vm")).unwrap();
    for (args, status, sentence) in [
        (&["demo:", "none"][..], 2, "qom: there is no directory `none` to mount at; make it first\n"),
        (&["demo:", "file"], 2, "qom: `file` is no directory, so nothing can be mounted there\n"),
        (&["gone.sock", "vm"], 3, "qom: there is no socket at `gone.sock`"),
    ] {
        let run = qom(&[&["fuse", "-s"], args].concat()).in_folder(folder.path()).run().expect_status(status);
        assert!(run.stderr.starts_with(sentence), "{run:?}");
    }
    // What a program left that was killed is named.
    let Some(mut mount) = Mount::new("demo:", &[]) else { return };
    assert_eq!(mount.sh("cat machine/type").stdout, "pc-q35-10.0-machine\n");
    mount.child.kill().unwrap();
    mount.child.wait().unwrap();
    let run = qom(&["fuse", "-s", "demo:", "vm"]).in_folder(mount.folder.path()).run().expect_status(2);
    assert!(run.stderr.contains("is still the mount of a program that has ended; `umount vm`"), "{run:?}");
}
