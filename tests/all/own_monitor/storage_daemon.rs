//! The commands on disks at a storage daemon, which has block nodes but no devices, and no human monitor of its own.

use std::fmt::Write as _;

use expect_test::expect;
use qmp_shell::shell::MonitorChoice;
use serde_json::{Value, json};

use crate::support::hmp_machine::Machine;
use crate::support::server::Server;

const LINES: &[&str] = &[
    "info block",
    "info block n0",
    "info block -v n0",
    "info block nosuch",
    "info blockstats",
    "block_resize n0 2M",
    "block_resize nosuch 2M",
    "snapshot_blkdev_internal n0 s1",
    "snapshot_blkdev_internal n0 s1",
    "snapshot_delete_blkdev_internal n0 s1",
    "drive_mirror -f n0 {DIR}/mirror.raw raw",
    ".wait job n0 status=ready timeout=10",
    "info block-jobs",
    "block_job_set_speed n0 1M",
    "block_job_cancel n0",
    ".wait job n0 timeout=10",
    "drive_backup -f n0 {DIR}/backup.raw raw",
    ".wait job n0 timeout=10",
    // Only a node that is used keeps its new overlay.
    "nbd_server_start unix:{DIR}/nbd.sock",
    "nbd_server_add -w n0 disk",
    "snapshot_blkdev n0 {DIR}/snapshot.qcow2",
    "info block n0-overlay",
    "commit n0-overlay",
    "block_stream n0-overlay",
    ".wait job n0-overlay timeout=10",
    "info block-jobs",
    "nbd_server_remove disk",
    "nbd_server_stop",
    "commit n0",
    "commit nosuch",
    "savevm a",
    "info snapshots",
    "eject n0",
    "drive_del n0",
    "drive_del n0",
];

/// Runs lines in the monitor that the shell chooses. Marks those that fail.
fn transcript(machine: &Machine, lines: &[&str]) -> String {
    let mut session = machine.session(MonitorChoice::Auto);
    let mut transcript = String::new();
    for line in lines {
        let (text, has_succeeded) = session.run(line);
        let mark = if has_succeeded { ">" } else { "!" };
        writeln!(transcript, "{mark} {line}\n{}", super::without_moving_parts(text.trim_end())).unwrap();
    }
    transcript
}

#[test]
fn commands_on_disks_work_with_block_nodes() {
    let Some(machine) = Machine::start("bare", |_| Server::storage_daemon()) else { return };
    let node = json!({
        "node-name": "n0",
        "driver": "qcow2",
        "file": {"driver": "file", "filename": machine.path("disk0.qcow2"), "node-name": "f0"},
    });
    machine.server.client().execute::<Value>("blockdev-add", node).unwrap();
    let transcript = transcript(&machine, LINES);
    expect![[r#"
        > info block
        n0: {DIR}/disk0.qcow2 (qcow2)
            Cache mode:       writeback

        f0: {DIR}/disk0.qcow2 (file)
            Cache mode:       writeback
        > info block n0
        n0: {DIR}/disk0.qcow2 (qcow2)
            Cache mode:       writeback
        > info block -v n0
        n0: {DIR}/disk0.qcow2 (qcow2)
            Cache mode:       writeback

        Images:
        image: {DIR}/disk0.qcow2
        file format: qcow2
        virtual size: 1 MiB (1048576 bytes)
        disk size: 196 KiB
        cluster_size: 65536
        Format specific information:
            compat: 1.1
            compression type: zlib
            lazy refcounts: false
            refcount bits: 16
            corrupt: false
            extended l2: false
        > info block nosuch

        > info blockstats
        f0: rd_bytes=0 wr_bytes=0 rd_operations=0 wr_operations=0 flush_operations=0 wr_total_time_ns={N} rd_total_time_ns={N} flush_total_time_ns={N} rd_merged=0 wr_merged=0 idle_time_ns={N}
        n0: rd_bytes=0 wr_bytes=0 rd_operations=0 wr_operations=0 flush_operations=0 wr_total_time_ns={N} rd_total_time_ns={N} flush_total_time_ns={N} rd_merged=0 wr_merged=0 idle_time_ns={N}
        > block_resize n0 2M

        ! block_resize nosuch 2M
        Error: Cannot find device='' nor node-name='nosuch'
        > snapshot_blkdev_internal n0 s1

        ! snapshot_blkdev_internal n0 s1
        Error: Snapshot with name 's1' already exists on device 'n0'
        > snapshot_delete_blkdev_internal n0 s1

        > drive_mirror -f n0 {DIR}/mirror.raw raw

        > .wait job n0 status=ready timeout=10

        > info block-jobs
        Type mirror, device n0: Completed 0 of 0 bytes, speed limit 0 bytes/s
        > block_job_set_speed n0 1M

        > block_job_cancel n0

        > .wait job n0 timeout=10

        > drive_backup -f n0 {DIR}/backup.raw raw

        > .wait job n0 timeout=10

        > nbd_server_start unix:{DIR}/nbd.sock

        > nbd_server_add -w n0 disk

        > snapshot_blkdev n0 {DIR}/snapshot.qcow2

        > info block n0-overlay
        n0-overlay: {DIR}/snapshot.qcow2 (qcow2)
            Cache mode:       writeback
            Backing file:     {DIR}/disk0.qcow2 (chain depth: 1)
        > commit n0-overlay

        > block_stream n0-overlay

        > .wait job n0-overlay timeout=10

        > info block-jobs
        No active jobs
        > nbd_server_remove disk

        > nbd_server_stop

        ! commit n0
        'commit' error for 'n0': Operation not supported
        ! commit nosuch
        Device 'nosuch' not found
        ! savevm a
        Error: the server has no QMP command `snapshot-save`
        > info snapshots
        There is no snapshot available.
        ! eject n0
        Error: the server has no QMP command `eject`
        > drive_del n0

        ! drive_del n0
        Device 'n0' not found
    "#]].assert_eq(&transcript);
}

#[test]
fn other_commands_work_or_name_what_is_missing() {
    const LINES: &[&str] = &[
        "chardev-add ringbuf,id=r,size=64",
        "ringbuf_write r hello",
        "ringbuf_read r 9",
        "ringbuf_read nosuch 1",
        "chardev-remove r",
        "info chardev",
        "info kvm",
        "info cpus",
        "cpu 0",
        "info migrate",
        "migrate -d tcp:h:1",
        "migrate_set_parameter max-bandwidth 1M",
        "sendkey a",
        "info pci",
        "xen-event-list",
        "info usernet",
        "gdbserver",
    ];
    let Some(machine) = Machine::start("bare", |_| Server::storage_daemon()) else { return };
    expect![[r#"
        > chardev-add ringbuf,id=r,size=64

        > ringbuf_write r hello

        > ringbuf_read r 9
        hello
        ! ringbuf_read nosuch 1
        Error: Device 'nosuch' not found
        > chardev-remove r

        > info chardev
        q: filename=unix:{SERVER}/q.sock,server=on
        ! info kvm
        Error: the server has no QMP command `query-kvm`
        ! info cpus
        Error: the server has no QMP command `query-cpus-fast`
        ! cpu 0
        Error: the server has no QMP command `query-cpus-fast`
        ! info migrate
        Error: the server has no QMP command `query-migrate`
        ! migrate -d tcp:h:1
        Error: the server has no QMP command `migrate`
        ! migrate_set_parameter max-bandwidth 1M
        Error: the server has no QMP command `query-migrate-parameters`
        ! sendkey a
        Error: the server has no QMP command `send-key`
        ! info pci
        Error: the server has no QMP command `query-pci`
        ! xen-event-list
        unknown command: 'xen-event-list'
        ! info usernet
        Error: QMP has no `x-query-usernet` before QEMU 11.2
        ! gdbserver
        Error: QMP has no command that starts a gdb server; start QEMU with -gdb
    "#]]
    .assert_eq(&transcript(&machine, LINES));
}
