//! Servers without a human monitor: the storage daemon, and a QEMU that hides and refuses `human-monitor-command`.

use std::process::Command;

use expect_test::expect;

use crate::support::program::{qmp, qmp_shell};
use crate::support::server::{Q35, Server};
use crate::support::skip::require_program;
use crate::support::snapshot;
use crate::support::terminal::Terminal;
use crate::support::without_hmp::hide_human_monitor;

#[test]
fn a_hung_guest_is_debugged_at_a_prompt() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk.qcow2");
    let mut create = Command::new("qemu-img");
    create.args(["create", "-q", "-f", "qcow2"]).arg(&disk).arg("1M");
    let Some(_) = require_program("qemu-img") else { return };
    assert!(create.status().unwrap().success());
    let drive = format!("if=virtio,id=d0,file={},format=qcow2", disk.display());
    let Some(server) = Server::qemu(&[Q35, &["-drive", &drive]].concat()) else { return };
    let address = hide_human_monitor(&server.address(), folder.path());
    let Some(terminal) = Terminal::qmp_shell(&format!("-H {address}")) else { return };
    terminal.wait_for("The shell's own monitor answers HMP lines, over QMP alone; `help` lists its commands.");
    for (line, answer) in [
        ("info status", "VM status: paused (prelaunch)\n(qemu)"),
        ("info registers", "EIP=0000fff0"),
        ("x/2i 0xffff0", "0x000ffff0:  ea 5b e0 00 f0           ljmpw    $0xf000:$0xe05b\n"),
        ("xp/2xb 0xffff0", "00000000000ffff0: 0xea 0x5b\n(qemu)"),
        ("print $pc", "0xfffffff0\n(qemu)"),
        ("info mem", "PG disabled\n(qemu)"),
        ("info cpus", "  CPU #1: thread_id="),
        ("info block", "Cache mode:"),
        ("savevm hung", "(qemu)"),
        ("info snapshots", "--      hung "),
        ("cont", "RESUME"),
        ("info status", "VM status: running\n(qemu)"),
        ("stop", "STOP"),
        ("delvm hung", "(qemu)"),
        ("info snapshots", "There is no snapshot available.\n(qemu)"),
        ("inof status", "did you mean `info`?\n(qemu)"),
    ] {
        terminal.press("C-l");
        terminal.wait("a clear screen", |screen| screen == "(qemu)");
        terminal.enter(line);
        terminal.wait_for(answer);
        terminal.wait_for_last("(qemu)");
    }
}

#[test]
fn the_own_monitor_answers_at_a_prompt() {
    let Some(server) = Server::qemu(Q35) else { return };
    let folder = tempfile::tempdir().unwrap();
    let address = hide_human_monitor(&server.address(), folder.path());
    let Some(terminal) = Terminal::qmp_shell(&format!("-H {address}")) else { return };
    terminal.wait_for("The shell's own monitor answers HMP lines, over QMP alone; `help` lists its commands.");
    for (line, answer) in [
        ("info status", "VM status: paused (prelaunch)\n(qemu)"),
        ("cont", "RESUME"),
        ("info status", "VM status: running\n(qemu)"),
        ("inof status", "did you mean `info`?\n(qemu)"),
    ] {
        terminal.enter(line);
        terminal.wait_for(answer);
    }
    terminal.enter("info history");
    terminal.wait_for("0: 'info status'\n1: 'cont'\n2: 'info status'\n3: 'inof status'\n4: 'info history'\n(qemu)");
}

#[test]
fn the_own_monitor_explains_its_commands() {
    let Some(server) = Server::qemu(Q35) else { return };
    let mut words = vec!["-H", "--monitor", "own"];
    for line in ["help eject", "? info block x", "help x", "help boot_set", "help nosuch", "help info nosuch"] {
        words.extend(["-c", line]);
    }
    let address = server.address();
    words.push(&address);
    snapshot::check(
        qmp_shell(&words).run().expect_status(1).stdout,
        expect![[r#"
            eject [-f] device -- remove the medium of a device
            info block [-n] [-v] [device] -- block devices, or block nodes with -n; with -v their images too
            x [/fmt] addr -- show virtual memory
            Instructions are shown of x86 processors only.
            boot_set bootdevice -- set the order of boot devices (not available over QMP)
            QMP has no command that sets the boot order; `qom-set` of a device's `bootindex` does it for one device
            unknown command: 'nosuch'
            unknown command: 'info nosuch'
        "#]],
    );
    let lists = qmp_shell(&["-H", "--monitor", "own", "-c", "help", "-c", "info", &address]).run().expect_status(0);
    for entry in ["\ninfo [subcommand] -- ", "\nprint|p [/fmt] val -- ", "\ninfo status -- "] {
        assert!(lists.stdout.contains(entry), "{entry}: {}", lists.stdout);
    }
}

#[test]
fn the_own_monitor_answers_in_scripts_and_in_qmp() {
    let Some(server) = Server::qemu(Q35) else { return };
    let folder = tempfile::tempdir().unwrap();
    let address = hide_human_monitor(&server.address(), folder.path());
    let script = qmp_shell(&["-H", &address, "-c", "info status", "-c", "nosuch", "-c", "stop"]);
    snapshot::check(
        script.run().expect_status(1).stdout,
        expect![[r#"
            VM status: paused (prelaunch)
            unknown command: 'nosuch'
        "#]],
    );
    let one_shot = qmp(&["--path", &address, "hmp", "info", "status"]);
    assert_eq!(one_shot.run().expect_status(0).stdout, "VM status: paused (prelaunch)\n");
    let json = qmp_shell(&[&address, "-c", ".hmp info status"]);
    assert_eq!(json.run().expect_status(0).stdout, "{\"return\": \"VM status: paused (prelaunch)\\n\"}\n");
}

#[test]
fn the_storage_daemon_has_a_monitor() {
    let Some(server) = Server::storage_daemon() else { return };
    let run = qmp_shell(&["-H", &server.address(), "-c", "info status"]).run().expect_status(1);
    assert_eq!(run.stdout, "Error: the server has no QMP command `query-status`\n");
}

#[test]
fn explains_lines() {
    let Some(server) = Server::qemu(Q35) else { return };
    let address = server.address();
    let mut words = vec![address.as_str()];
    for line in [
        ".explain stop",
        ".explain .hmp stop",
        ".explain info status",
        ".explain block_resize device=x size=1G",
        ".explain {\"execute\": \"stop\"}",
        ".explain info registers",
    ] {
        words.extend(["-c", line]);
    }
    snapshot::check(
        qmp_shell(&words).run().expect_status(0).stderr,
        expect![[r#"
            {"execute": "stop"}
            stop
            query-status
            {"execute": "block_resize", "arguments": {"device": "x", "size": 1073741824}}
            {"execute": "stop"}
            query-status
            getfd fdname=qmp-shell-core
            dump-guest-memory paging=false protocol=fd:qmp-shell-core begin=0 length=4096
        "#]],
    );
}

#[test]
fn the_storage_daemon_has_objects_and_character_devices() {
    let Some(server) = Server::storage_daemon() else { return };
    let lines = [
        "object_add iothread,id=io0,poll-max-ns=0x100",
        "object_add secret,id=s0,data=hunter2",
        "object_add iothread,id=1x",
        "qom-list /objects",
        "qom-get /objects/io0 poll-max-ns",
        "qom-set /objects/io0 poll-max-ns 7",
        "qom-get /objects/io0 poll-max-ns",
        "info qom-tree /objects",
        "object_del io0",
        "object_del io0",
        "chardev-add ringbuf,id=r,size=1k",
        "chardev-add ringbuf,id=r2,size=3",
        "chardev-change r null",
        "chardev-remove r",
        "chardev-send-break r",
        "info qom-tree",
        "info qtree",
        "info network",
        "info qdm",
        "device_add help",
        "device_add e1000,help",
        "device_add e1000",
        "netdev_add help",
        "info usb",
    ];
    let address = server.address();
    let mut words = vec!["-H", address.as_str()];
    lines.iter().for_each(|line| words.extend(["-c", line]));
    snapshot::check(
        qmp_shell(&words).run().expect_status(1).stdout,
        expect![[r#"
            Error: Parameter 'id' expects an identifier
            Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.
            type (string)
            io0 (child<iothread>)
            s0 (child<secret>)
            256
            7
            /objects (container)
              /io0 (iothread)
              /s0 (secret)
            Error: object 'io0' not found
            Error: size of ringbuf chardev must be power of two
            Error: Chardev 'r' not found
            / (container)
              /backend (container)
              /chardevs (container)
                /q (chardev-socket)
              /objects (container)
                /s0 (secret)
            Error: the server has no machine
            Error: the server has no machine
            Error: the server has no machine
            Error: the server has no machine
            Error: the server has no QMP command `device-list-properties`
            Error: the server has no QMP command `device_add`
            Error: the server does not describe `netdev_add`
            Error: the server has no QMP command `x-query-usb`
        "#]],
    );
}
