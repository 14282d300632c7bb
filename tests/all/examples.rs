//! The programs in examples/, each run as a reader would run it.

use std::path::Path;

use expect_test::expect;

use crate::support::peer::Peer;
use crate::support::program::{Program, program};
use crate::support::server::{Q35, Server};
use crate::support::snapshot;

/// Returns the command that runs an example, which was built along with the tests.
fn example(name: &str, args: &[&str]) -> Program {
    let programs = Path::new(env!("CARGO_BIN_EXE_qmp-shell")).parent().unwrap();
    program(programs.join("examples").join(name).to_str().unwrap(), args)
}

#[test]
fn status_shows_the_vm_and_its_block_devices() {
    let run = example("status", &["demo:"]).run().expect_status(0);
    snapshot::check(
        run.stdout,
        expect![[r#"
        QEMU {VERSION}
        status: running
        /machine/peripheral/disk0/virtio-backend: json:{"driver": "qcow2", "file": {"driver": "null-co", "size": 10737418240}} (qcow2)
        /machine/unattached/ide-cd: empty
    "#]],
    );
    let Some(server) = Server::qemu(&[Q35, &["-drive", "if=none,id=cd0"]].concat()) else { return };
    let run = example("status", &[&server.address()]).run().expect_status(0);
    snapshot::check(
        run.stdout,
        expect![[r#"
        QEMU {VERSION}
        status: prelaunch
        cd0: empty
    "#]],
    );
}

#[test]
fn follow_job_ends_with_the_job() {
    let Some(server) = Server::qemu(Q35) else { return };
    let client = server.client();
    let execute = |command: &str, arguments: serde_json::Value| {
        client.execute::<serde_json::Value>(command, arguments).unwrap();
    };
    for node in ["source", "target"] {
        execute("blockdev-add", serde_json::json!({"driver": "null-co", "node-name": node, "size": 2 << 20}));
    }
    // It takes a second at this speed, so that the example sees it run.
    let arguments = serde_json::json!({
        "job-id": "j0", "device": "source", "target": "target", "sync": "full", "speed": 2 << 20, "auto-dismiss": false,
    });
    execute("blockdev-backup", arguments);
    client.close();
    let run = example("follow_job", &[&server.address(), "j0"]).run().expect_status(0);
    assert!(run.stdout.starts_with("running: ") && run.stdout.ends_with("\ncompleted\n"), "{run:?}");

    let missing = example("follow_job", &[&server.address(), "j0"]).run().expect_status(1);
    assert!(missing.stderr.contains("unknown job `j0`"), "the job was dismissed: {missing:?}");
}

#[test]
fn follow_job_reports_the_reason_of_a_failure() {
    let job = |status: &str, error: &str| {
        format!(
            r#"[{{"id": "j0", "type": "backup", "status": "{status}", "current-progress": 1, "total-progress": 2{error}}}]"#
        )
    };
    // A job that stays until it is dismissed.
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        let id = conn.expect_command("query-jobs");
        conn.reply(&id, &job("running", ""));
        conn.send_event("JOB_STATUS_CHANGE", r#"{"id": "other", "status": "null"}"#);
        conn.send_event("JOB_STATUS_CHANGE", r#"{"id": "j0", "status": "concluded"}"#);
        let id = conn.expect_command("query-jobs");
        conn.reply(&id, &job("concluded", r#", "error": "No space left on device""#));
        let id = conn.expect_command("job-dismiss");
        conn.reply(&id, "{}");
        conn.wait_for_close();
    });
    let run = example("follow_job", &[&peer.address(), "j0"]).run().expect_status(1);
    assert_eq!(run.stdout, "running: 1 of 2\n");
    assert!(run.stderr.contains("No space left on device"), "{run:?}");
    // One that the server dismisses at its end.
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        let id = conn.expect_command("query-jobs");
        conn.reply(&id, &job("running", ""));
        conn.send_event("BLOCK_JOB_COMPLETED", r#"{"device": "j0", "error": "Input/output error"}"#);
        conn.send_event("JOB_STATUS_CHANGE", r#"{"id": "j0", "status": "concluded"}"#);
        conn.send_event("JOB_STATUS_CHANGE", r#"{"id": "j0", "status": "null"}"#);
        let id = conn.expect_command("query-jobs");
        conn.reply(&id, "[]");
        let id = conn.expect_command("job-dismiss");
        conn.reply_error(Some(&id), "DeviceNotActive", "Job not found");
        conn.wait_for_close();
    });
    let run = example("follow_job", &[&peer.address(), "j0"]).run().expect_status(1);
    assert!(run.stderr.contains("Input/output error"), "{run:?}");
}

#[test]
fn follow_migration_ends_with_the_migration() {
    for start in [Server::qemu, Server::qemu_7_2] {
        let Some(server) = start(Q35) else { return };
        let run = example("follow_migration", &[&server.address(), "unix:/nonexistent/socket"]).run().expect_status(1);
        assert!(run.stderr.contains("No such file or directory"), "{run:?}");
        let run = example("follow_migration", &[&server.address(), "exec:cat > /dev/null"]).run().expect_status(0);
        assert!(run.stdout.ends_with("completed\n"), "{run:?}");
    }
}

#[test]
fn hotplug_adds_and_removes_a_device() {
    let run = example("hotplug", &["demo:", "virtio-net-pci", "net1", "bus=rp0"]).run().expect_status(0);
    assert_eq!(run.stdout, "plugged net1\nunplugged net1\n");
    let Some(server) = Server::qemu(&[Q35, &["-device", "qemu-xhci"]].concat()) else { return };
    let run = example("hotplug", &[&server.address(), "usb-kbd", "kbd0"]).run().expect_status(0);
    assert_eq!(run.stdout, "plugged kbd0\nunplugged kbd0\n");
    let run = example("hotplug", &[&server.address(), "usb-kbdd", "kbd0"]).run().expect_status(1);
    assert!(run.stderr.contains("usb-kbdd"), "{run:?}");
}

#[test]
fn many_servers_reports_each_in_its_place() {
    let silent = Peer::start(|conn| {
        conn.negotiate();
        conn.expect_command("query-status");
        conn.wait_for_close();
    });
    let run = example("many_servers", &["demo:", &silent.address(), "/nowhere/q.sock", "demo:"]).run().expect_status(0);
    let lines = run.lines();
    assert_eq!([lines[0], lines[3]], ["demo:: running"; 2]);
    assert_eq!(lines[1], format!("{}: error: no reply", silent.address()));
    assert!(lines[2].starts_with("/nowhere/q.sock: error: there is no socket"), "{run:?}");
}
