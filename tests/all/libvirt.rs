//! VMs of libvirt, through its `virt-qemu-qmp-proxy`, which takes one request at a time.

use std::time::Duration;

use expect_test::expect;

use crate::support::libvirt::Libvirt;
use crate::support::program::{Program, program, qmp, qmp_shell, qom};
use crate::support::server::{SMALL, Server};
use crate::support::skip::require_program;
use crate::support::snapshot::Table;
use crate::support::stand_in::StandIn;
use crate::support::terminal::Terminal;
use crate::support::wording;
use crate::support::{send_signal, wait_until};

const VM: &str = "libvirt:vm one";

/// The folder in which the programs of a test make their private directories.
fn runtime_folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn with_uri(program: Program, libvirt: &Libvirt, runtime: &tempfile::TempDir) -> Program {
    let runtime = runtime.path().to_str().unwrap();
    program.env("LIBVIRT_DEFAULT_URI", &libvirt.uri()).env("XDG_RUNTIME_DIR", runtime)
}

/// Waits until no private directory is left in `runtime`, and no process that has one in its command line.
fn wait_until_clean(runtime: &tempfile::TempDir) {
    let folder = runtime.path().to_str().unwrap();
    wait_until("the end of the proxy", || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten().filter(|process| {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            line.contains(&format!("{folder}/qmp-shell-")) && line.contains("virt-qemu-qmp-proxy")
        });
        processes.count() == 0 && std::fs::read_dir(folder).unwrap().count() == 0
    });
}

#[test]
fn every_program_reaches_a_domain() {
    let Some(libvirt) = Libvirt::start() else { return };
    let runtime = runtime_folder();
    let run = |program: Program| with_uri(program, &libvirt, &runtime).run().without_waits();
    let mut table = Table::new();
    // Requests that the shell sends for itself wait for their turn, too.
    let lines = "query-name\nquery-status typo=1\nqom-get path=/machine property=type\ncont\n.wait RESUME timeout=20\n\
                 stop\n.hmp info status\n.fd /dev/null getfd fdname=x\n{\"execute\": \"query-status\"}\n";
    let script = run(qmp_shell(&[VM]).input(lines)).render();
    let times =
        script.split("\"timestamp\": ").skip(1).map(|rest| rest.split_inclusive('}').next().unwrap().to_owned());
    let script = times.collect::<Vec<_>>().iter().fold(script.clone(), |text, time| text.replace(time, "{TIME}"));
    table.row("qmp-shell", script);
    table.run("qmp", &run(qmp(&["--path", VM, "query-status"])));
    table.run("qmp-shell -H", &run(qmp_shell(&["-H", VM, "-c", "info name"])));
    table.run("qom get", &run(qom(&["get", "-s", VM, "/machine.type"])));
    table.check(expect![[r#"
        > qmp-shell
        {"return": {"name": "vm one"}}
        {"error": {"class": "NotSent", "desc": "unknown key `typo` for `query-status`; it takes no keys"}}
        {"return": "pc-q35-{VERSION}-machine"}
        {"return": {}}
        {"event": "RESUME", "timestamp": {TIME}}
        {"return": {}}
        {"event": "STOP", "timestamp": {TIME}}
        {"return": "VM status: paused\r\n"}
        {"error": {"class": "NotSent", "desc": "file descriptors can be passed only over a Unix socket, which this connection is not"}}
        {"return": {"status": "paused", "running": false}}
        stderr: libvirt marks `vm one` as tainted, because it does not see what commands change.
        stderr: <stdin>:2: unknown key `typo` for `query-status`; it takes no keys
        stderr:   query-status typo=1
        stderr:                ^^^^
        stderr: <stdin>:8: file descriptors can be passed only over a Unix socket, which this connection is not
        stderr:   .fd /dev/null getfd fdname=x
        stderr:   ^^^
        status: 1

        > qmp
        status: paused
        running: false
        stderr: qmp: libvirt marks `vm one` as tainted, because it does not see what commands change.

        > qmp-shell -H
        vm one
        stderr: libvirt marks `vm one` as tainted, because it does not see what commands change.

        > qom get
        pc-q35-{VERSION}-machine
        stderr: qom: libvirt marks `vm one` as tainted, because it does not see what commands change.
    "#]]);
    // Each request takes libvirt some milliseconds, so not the whole tree is read.
    let tree = run(qom(&["tree", "-s", VM, "/machine/peripheral"])).expect_status(0);
    assert!(tree.lines().len() > 20 && tree.stdout.contains("balloon0"), "{}", tree.stdout);
    // With the URI in the address, and the proxy of a client of the library.
    let address = format!("{VM}?{}", libvirt.uri());
    let client = qmp_shell::Client::connect(&address).unwrap();
    let pending: Vec<_> = ["query-name", "query-status", "query-kvm", "query-name"]
        .map(|command| client.start(qmp_shell::Request::new(command)).unwrap())
        .into_iter()
        .collect();
    for pending in pending {
        assert!(pending.reply_within(Duration::from_secs(20)).unwrap().unwrap().succeeded());
    }
    client.close();
    wait_until_clean(&runtime);
}

#[test]
fn says_why_a_domain_cannot_be_reached() {
    let Some(libvirt) = Libvirt::start() else { return };
    let runtime = runtime_folder();
    let mut table = Table::new();
    for domain in ["none", "off", "-x", "--help", "$(id) 'a'"] {
        let address = format!("libvirt:{domain}");
        let run = with_uri(qmp_shell(&[&address, "-c", "query-name"]), &libvirt, &runtime).run().without_waits();
        table.run(&address, &run);
    }
    let elsewhere = |uri: &str| {
        let address = format!("{VM}?{uri}");
        qmp(&["--path", &address, "query-name"])
            .env("XDG_RUNTIME_DIR", runtime.path().to_str().unwrap())
            .run()
            .without_waits()
    };
    table.run("no daemon", &elsewhere("qemu+unix:///session?socket=/nonexistent/libvirt-sock"));
    table.run("another hypervisor", &elsewhere("test:///default"));
    let no_proxy = with_uri(qmp_shell(&[VM, "-c", "query-name"]), &libvirt, &runtime).env("PATH", "/nonexistent");
    table.run("no proxy", &no_proxy.run().without_waits());
    // As another user, who may not open the daemon's socket.
    if std::fs::metadata("/proc/self").is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0) {
        let as_other = ["setpriv", "--reuid", "65533", "--regid", "65533", "--clear-groups"];
        let other = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(other.path(), Some(65533), Some(65533)).unwrap();
        let folder = other.path().to_str().unwrap();
        // The program may be in a folder that the other user cannot read.
        let copy = other.path().join("qmp-shell");
        std::fs::copy(env!("CARGO_BIN_EXE_qmp-shell"), &copy).unwrap();
        let run = program(copy.to_str().unwrap(), &[VM, "-c", "query-name"]).under(&as_other).in_folder(other.path());
        let run = run.env("LIBVIRT_DEFAULT_URI", &libvirt.uri()).env("XDG_RUNTIME_DIR", folder);
        assert!(run.run().stderr.contains("no permission to use libvirt: "));
    }
    table.check(expect![[r#"
        > libvirt:none
        stderr: qmp-shell: cannot connect to `libvirt:none`: libvirt has no domain `none`; `virsh list --all` shows those that it has
        status: 3

        > libvirt:off
        stderr: qmp-shell: cannot connect to `libvirt:off`: the domain `off` is not running; `virsh start` starts it
        status: 3

        > libvirt:-x
        stderr: qmp-shell: cannot connect to `libvirt:-x`: libvirt has no domain `-x`; `virsh list --all` shows those that it has
        status: 3

        > libvirt:--help
        stderr: qmp-shell: cannot connect to `libvirt:--help`: libvirt has no domain `--help`; `virsh list --all` shows those that it has
        status: 3

        > libvirt:$(id) 'a'
        stderr: qmp-shell: cannot connect to `libvirt:$(id) 'a'`: libvirt has no domain `$(id) 'a'`; `virsh list --all` shows those that it has
        status: 3

        > no daemon
        stderr: qmp: cannot connect to `libvirt:vm one?qemu+unix:///session?socket=/nonexistent/libvirt-sock`: libvirt's daemon is not running: Failed to connect socket to '/nonexistent/libvirt-sock': No such file or directory
        status: 3

        > another hypervisor
        stderr: qmp: cannot connect to `libvirt:vm one?test:///default`: libvirt has no domain `vm one`; `virsh list --all` shows those that it has
        status: 3

        > no proxy
        stderr: qmp-shell: cannot connect to `libvirt:vm one`: libvirt's `virt-qemu-qmp-proxy` is not installed (Debian: package libvirt-clients-qemu)
        status: 3
    "#]]);
    wait_until_clean(&runtime);
}

/// libvirt's daemon examines QEMU before it answers, for longer than a monitor may take to greet.
#[test]
fn waits_for_a_slow_daemon() {
    let (Some(server), Some(_)) = (Server::qemu(SMALL), require_program("socat")) else { return };
    let lines = format!(
        "for socket; do :; done\nexec socat UNIX-LISTEN:\"$socket\" SYSTEM:'sleep 6; exec socat - UNIX\\:{}'",
        server.address()
    );
    let stand_in = StandIn::new("virt-qemu-qmp-proxy", &lines);
    let run = stand_in.with(qmp(&["--path", VM, "query-status"])).run().without_waits();
    assert_eq!((run.status, run.lines().first()), (0, Some(&"status: running")), "{}", run.render());
}

#[test]
fn a_prompt_on_a_domain_leaves_nothing() {
    let Some(libvirt) = Libvirt::start() else { return };
    let runtime = runtime_folder();
    let start = || {
        let variables =
            format!("LIBVIRT_DEFAULT_URI='{}' XDG_RUNTIME_DIR='{}'", libvirt.uri(), runtime.path().display());
        let terminal = Terminal::start(&format!("{variables} {} '{VM}'", env!("CARGO_BIN_EXE_qmp-shell")), 100, 40)?;
        // The name of the VM may come after the first prompt.
        terminal
            .wait("the prompt", |screen| ["(QEMU)", "(vm one)"].contains(&screen.lines().last().unwrap_or_default()));
        Some(terminal)
    };
    let Some(terminal) = start() else { return };
    terminal.enter("cont");
    terminal.wait_for("RESUME");
    terminal.enter(".hmp info status");
    terminal.wait_for("VM status: running");
    // Ctrl-C reaches the proxy, too.
    terminal.press("C-c");
    terminal.enter("query-status");
    terminal.wait_for("\"running\": true}");
    terminal.enter(".connect");
    terminal.enter("query-uuid");
    let screen = terminal.wait_for("\"UUID\"");
    assert_eq!(screen.matches("as tainted").count(), 1, "{screen}");
    // The domain ends, and so does the connection, with the next command.
    libvirt.virsh(&["destroy", "vm one"]).unwrap();
    // The proxy sends the data of events as a string.
    terminal.wait_for("SHUTDOWN {\"guest\": false, \"reason\": \"host-signal\"}");
    terminal.enter("query-name");
    terminal.wait_for(wording::WILL_RECONNECT);
    terminal.enter("query-name");
    terminal.wait_for("libvirt has no domain `vm one`");
    terminal.press("C-d");
    terminal.wait_for_end();
    wait_until_clean(&runtime);
    libvirt.create();
    for signal in ["TERM", "KILL", "HUP"] {
        let Some(terminal) = start() else { return };
        send_signal(terminal.program_id(), signal);
        terminal.wait_for("[ended ");
        wait_until_clean(&runtime);
    }
}
