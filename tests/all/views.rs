//! `.show`: the topics, and the picture of the block graph.

use std::process::Command;

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::program::{Run, qmp_shell};
use crate::support::server::{Q35, Server};
use crate::support::snapshot::{self, Table};
use crate::support::terminal::Terminal;

/// Runs lines in a script whose output is for a reader.
fn run(address: &str, lines: &[&str]) -> Run {
    qmp_shell(&["-p", address]).input(lines.join("\n")).run()
}

/// Returns a picture in which columns are apart by two blanks, without the sizes that depend on the file system.
fn stable_picture(picture: &str, folder: &str) -> String {
    let mut text = String::new();
    for line in picture.replace(folder, "{DIR}/").lines() {
        let mut cells: Vec<&str> = line.trim_end().split("  ").filter(|cell| !cell.is_empty()).collect();
        // The virtual size, and after it the size in use.
        let is_size =
            |cell: &str| cell.trim_start().split(' ').nth(1).is_some_and(|unit| matches!(unit, "B" | "KiB" | "MiB"));
        if let Some(index) = cells.iter().rposition(|cell| is_size(cell)).filter(|_| !line.contains("granularity")) {
            cells[index] = "SIZE";
        }
        let indent = line.len() - line.trim_start().len();
        text += &format!("{:indent$}{}\n", "", cells.join("  ").trim_start());
    }
    text
}

/// The options of a machine with something for each topic.
const MACHINE: &[&str] = &[
    "-M q35 -display none -nodefaults -S -cpu qemu64 -smp 3,maxcpus=8,sockets=2,cores=2,threads=2",
    "-m 128M,slots=4,maxmem=2G -object memory-backend-ram,size=16M,id=m0 -device pc-dimm,memdev=m0,id=dimm0",
    "-object memory-backend-ram,size=64M,id=n0m -object memory-backend-ram,size=64M,id=n1m",
    "-numa node,memdev=n0m,cpus=0-3 -numa node,memdev=n1m,cpus=4-7",
    "-netdev user,id=n0 -device e1000e,netdev=n0,id=e0,mac=52:54:00:12:34:56 -device pcie-root-port,id=rp0",
    "-device virtio-net-pci,id=net1,mac=52:54:00:12:34:57,bus=rp0 -netdev user,id=lonely",
    "-chardev ringbuf,id=ring -chardev null,id=ser0 -device isa-serial,chardev=ser0,id=com1",
    "-chardev null,id=vc0 -device virtio-serial-pci,id=vs0 -device virtconsole,chardev=vc0,id=con0",
    "-blockdev driver=null-co,node-name=d0,size=1048576 -device virtio-scsi-pci,id=scsi0",
    "-device scsi-hd,drive=d0,bus=scsi0.0,id=sd0 -device virtio-balloon-pci,id=balloon0",
];

/// Executes commands, each with its arguments.
fn execute(server: &Server, requests: &[(&str, Value)]) {
    let client = server.client();
    for (command, arguments) in requests {
        client.execute::<Value>(command, arguments).unwrap_or_else(|error| panic!("{command}: {error}"));
    }
}

/// Makes a chain of images in a server's folder, each the backing file of the next, and opens it. Its top is `n19`.
fn open_chain(server: &Server) {
    for number in 0..20 {
        let mut arguments = vec!["create".to_owned(), "-q".to_owned(), "-f".to_owned(), "qcow2".to_owned()];
        if number > 0 {
            arguments.extend(["-F".to_owned(), "qcow2".to_owned(), "-b".to_owned(), format!("{}.qcow2", number - 1)]);
        }
        arguments.extend([server.path(&format!("{number}.qcow2")), "1M".to_owned()]);
        assert!(Command::new("qemu-img").args(arguments).status().unwrap().success());
        let backing = (number > 0).then(|| format!("n{}", number - 1));
        let file = json!({"driver": "file", "filename": server.path(&format!("{number}.qcow2"))});
        let node = json!({"driver": "qcow2", "node-name": format!("n{number}"), "file": file, "backing": backing});
        execute(server, &[("blockdev-add", node)]);
    }
}

#[test]
fn the_block_graph_is_a_tree_on_each_server() {
    for start in [Server::qemu, Server::qemu_7_2] {
        let options =
            [Q35, &["-object", "throttle-group,id=tg,x-iops-total=77", "-device", "virtio-scsi-pci,id=scsi0"]];
        let Some(server) = start(&options.concat()) else { return };
        open_chain(&server);
        let null = |name: &str| {
            ("blockdev-add", json!({"driver": "null-co", "node-name": name, "size": 1 << 20, "read-zeroes": true}))
        };
        let on = |driver: &str, name: &str, file: &str| {
            ("blockdev-add", json!({"driver": driver, "node-name": name, "file": file}))
        };
        execute(
            &server,
            &[
                null("target"),
                null("shared"),
                null("q0"),
                null("q1"),
                null("q2"),
                null("data"),
                null("unused"),
                (
                    "blockdev-add",
                    json!({"driver": "quorum", "node-name": "quorum", "vote-threshold": 2,
                "children": ["q0", "q1", "q2"]}),
                ),
                (
                    "blockdev-add",
                    json!({"driver": "throttle", "node-name": "throttle", "throttle-group": "tg", "file": "data"}),
                ),
                on("copy-on-read", "cor", "throttle"),
                ("blockdev-add", json!({"driver": "raw", "node-name": "first", "file": "shared", "read-only": true})),
                ("blockdev-add", json!({"driver": "raw", "node-name": "second", "file": "shared", "read-only": true})),
                ("device_add", json!({"driver": "scsi-hd", "drive": "n19", "id": "disk0", "bus": "scsi0.0"})),
                ("device_add", json!({"driver": "scsi-hd", "drive": "quorum", "id": "disk1", "bus": "scsi0.0"})),
                ("device_add", json!({"driver": "scsi-hd", "drive": "cor", "id": "disk2", "bus": "scsi0.0"})),
                ("block-dirty-bitmap-add", json!({"node": "cor", "name": "bitmap0", "granularity": 65536})),
                ("nbd-server-start", json!({"addr": {"type": "unix", "data": {"path": server.path("nbd.sock")}}})),
                ("block-export-add", json!({"type": "nbd", "id": "export0", "node-name": "quorum", "name": "disk"})),
                (
                    "blockdev-mirror",
                    json!({"job-id": "mirror0", "device": "n19", "target": "target", "sync": "none",
                "filter-node-name": "filter", "speed": 1}),
                ),
            ],
        );
        let seen =
            run(&server.address(), &[".wait job mirror0 status=ready timeout=60", ".show blocks"]).expect_status(0);
        let picture = stable_picture(&seen.stdout, &server.path(""));
        let picture = picture.replace(", 0 %", "").replace(", 100 %", "");
        // The bitmap of a job is in its filter, or in QEMU 7.2 in its source.
        let is_stable = |line: &&str| !line.contains("bitmap of a job");
        let picture: String = picture.lines().filter(is_stable).map(|line| line.to_owned() + "\n").collect();
        snapshot::check(
            picture,
            expect![[r#"
            NODE  DRIVER  SIZE   USED  MODE  FILE
            disk0
            └─ filter   mirror_top   1 MiB  SIZE  rw
               │  job mirror0 (mirror): ready
               ├─ backing: n19  qcow2 on file  1 MiB  SIZE  rw  {DIR}/19.qcow2
               │   source of job mirror0 (mirror): ready
               ├─ backing: n18  qcow2 on file  1 MiB  SIZE  rw  {DIR}/18.qcow2
               ├─ backing: n17  qcow2 on file  1 MiB  SIZE  rw  {DIR}/17.qcow2
               ├─ backing: n16  qcow2 on file  1 MiB  SIZE  rw  {DIR}/16.qcow2
               ├─ backing: n15  qcow2 on file  1 MiB  SIZE  rw  {DIR}/15.qcow2
               ├─ backing: n14  qcow2 on file  1 MiB  SIZE  rw  {DIR}/14.qcow2
               ├─ backing: n13  qcow2 on file  1 MiB  SIZE  rw  {DIR}/13.qcow2
               ├─ backing: n12  qcow2 on file  1 MiB  SIZE  rw  {DIR}/12.qcow2
               ├─ backing: n11  qcow2 on file  1 MiB  SIZE  rw  {DIR}/11.qcow2
               ├─ backing: n10  qcow2 on file  1 MiB  SIZE  rw  {DIR}/10.qcow2
               ├─ backing: n9   qcow2 on file  1 MiB  SIZE  rw  {DIR}/9.qcow2
               ├─ backing: n8   qcow2 on file  1 MiB  SIZE  rw  {DIR}/8.qcow2
               ├─ backing: n7   qcow2 on file  1 MiB  SIZE  rw  {DIR}/7.qcow2
               ├─ backing: n6   qcow2 on file  1 MiB  SIZE  rw  {DIR}/6.qcow2
               ├─ backing: n5   qcow2 on file  1 MiB  SIZE  rw  {DIR}/5.qcow2
               ├─ backing: n4   qcow2 on file  1 MiB  SIZE  rw  {DIR}/4.qcow2
               ├─ backing: n3   qcow2 on file  1 MiB  SIZE  rw  {DIR}/3.qcow2
               ├─ backing: n2   qcow2 on file  1 MiB  SIZE  rw  {DIR}/2.qcow2
               ├─ backing: n1   qcow2 on file  1 MiB  SIZE  rw  {DIR}/1.qcow2
               └─ backing: n0   qcow2 on file  1 MiB  SIZE  rw  {DIR}/0.qcow2
            disk1
            └─ quorum   quorum   1 MiB  SIZE  rw
               │  export export0 (nbd)
               ├─ children.0: q0  null-co  1 MiB  SIZE  rw  json:{"read-zeroes": true, "driver": "null-co", "size": 1048576}
               ├─ children.1: q1  null-co  1 MiB  SIZE  rw  json:{"read-zeroes": true, "driver": "null-co", "size": 1048576}
               └─ children.2: q2  null-co  1 MiB  SIZE  rw  json:{"read-zeroes": true, "driver": "null-co", "size": 1048576}
            disk2
            └─ cor  copy-on-read   1 MiB  SIZE  rw
               │  bitmap bitmap0: recording, 0 B dirty, granularity 64 KiB
               └─ file: throttle  throttle   1 MiB  SIZE  rw
                  │  throttle group tg
                  └─ file: data   null-co  1 MiB  SIZE  rw  json:{"read-zeroes": true, "driver": "null-co", "size": 1048576}
            Not attached to a device
            ├─ target   null-co  1 MiB  SIZE  rw  json:{"read-zeroes": true, "driver": "null-co", "size": 1048576}
            │   target of job mirror0 (mirror): ready
            ├─ unused   null-co  1 MiB  SIZE  rw  json:{"read-zeroes": true, "driver": "null-co", "size": 1048576}
            ├─ first  raw  1 MiB  SIZE  ro
            │  └─ file: shared  null-co  1 MiB  SIZE  rw  json:{"read-zeroes": true, "driver": "null-co", "size": 1048576}
            └─ second   raw  1 MiB  SIZE  ro
               └─ file: shared (shared, drawn above)
        "#]],
        );
    }
}

#[test]
fn a_storage_daemon_has_nodes_without_devices() {
    let Some(server) = Server::storage_daemon() else { return };
    execute(
        &server,
        &[
            ("blockdev-add", json!({"driver": "null-co", "node-name": "file0", "size": 1 << 20, "read-zeroes": true})),
            ("blockdev-add", json!({"driver": "raw", "node-name": "disk0", "file": "file0"})),
            ("blockdev-add", json!({"driver": "null-co", "node-name": "disk1", "size": 1 << 20, "read-zeroes": true})),
            ("nbd-server-start", json!({"addr": {"type": "unix", "data": {"path": server.path("nbd.sock")}}})),
            ("block-export-add", json!({"type": "nbd", "id": "export0", "node-name": "disk0"})),
        ],
    );
    let mut table = Table::new();
    let seen = run(&server.address(), &[".show blocks"]).expect_status(0);
    table.row(".show blocks", stable_picture(&seen.stdout, &server.path("")));
    table.check(expect![[r#"
        > .show blocks
        NODE   DRIVER  SIZE  USED  MODE  FILE
        Block nodes
        ├─ disk0   raw  1 MiB  SIZE  rw
        │  │  export export0 (nbd)
        │  └─ file: file0  null-co  1 MiB  SIZE  rw  json:{"read-zeroes": true, "driver": "null-co", "size": 1048576}
        └─ disk1   null-co  1 MiB  SIZE  rw  json:{"read-zeroes": true, "driver": "null-co", "size": 1048576}
    "#]]);
}

#[test]
fn topics_are_listed_and_checked() {
    let mut table = Table::new();
    for line in [".show", ".show block", ".show blocks now", ".show blocks"] {
        table.run(line, &run("demo:", &[line]));
    }
    table.check(expect![[r#"
        > .show
        stderr: blocks             block nodes as trees below the devices: sizes, bitmaps, jobs, exports
        stderr: chardevs           character devices, and what uses them
        stderr: cpus               CPUs by their places, with host threads, and free places
        stderr: devices            buses and devices as a tree: addresses, and what they use
        stderr: jobs               jobs with their progress, rate and time left
        stderr: memory             the guest's memory: devices, slots and back ends
        stderr: migration          the migration: progress, rates, times, capabilities
        stderr: network            network cards, and the back ends they are connected to
        stderr: qom [PATH]         an object with its values, and the objects in it
        stderr: screen [FILE.png]  the guest's screen, as an image in the terminal or a file

        > .show block
        stderr: <stdin>:1: unknown topic `block`; did you mean `blocks`?
        stderr:   .show block
        stderr:         ^^^^^
        status: 1

        > .show blocks now
        stderr: <stdin>:1: `.show blocks` takes no argument, found `now`
        stderr:   .show blocks now
        stderr:                ^^^
        status: 1

        > .show blocks
        NODE                    DRIVER     SIZE  USED  MODE  FILE
        disk0 (drive drive0)
        └─ disk0                qcow2    10 GiB   0 B  rw
           └─ file: disk0-file  null-co  10 GiB   0 B  rw    json:{"driver": "null-co", "size": 10737418240}
        /machine/unattached/ide-cd (drive ide2-cd0): no medium, removable
    "#]]);
}

#[test]
fn jobs_and_the_migration_are_drawn_on_each_server() {
    for start in [Server::qemu, Server::qemu_7_2] {
        let Some(server) = start(&[]) else { return };
        execute(
            &server,
            &[
                ("blockdev-add", json!({"driver": "null-co", "node-name": "a", "size": 1 << 20, "read-zeroes": true})),
                ("blockdev-add", json!({"driver": "null-co", "node-name": "b", "size": 1 << 20, "read-zeroes": true})),
                ("blockdev-mirror", json!({"job-id": "mirror0", "device": "a", "target": "b", "sync": "full"})),
                ("blockdev-create", json!({"job-id": "bad", "options": {"driver": "qcow2", "file": "b", "size": 5}})),
            ],
        );
        let mut table = Table::new();
        for lines in [
            &[".wait job mirror0 status=ready timeout=60", ".wait job bad timeout=60", ".show jobs"][..],
            &[".show migration"],
            &["migrate uri=exec:false", ".wait migration timeout=60", ".show migration"],
        ] {
            let seen = run(&server.address(), lines);
            // The error depends on whether the program has ended yet.
            let hidden = |line: &str| match line.strip_prefix("error ") {
                Some(_) => "error       {ERROR}\n".to_owned(),
                None => format!("{line}\n"),
            };
            let text = seen.stdout.lines().filter(|line| *line != "{}").map(hidden).collect::<String>();
            table.row(lines.join("\n"), text);
        }
        table.check(expect![[r#"
            > .wait job mirror0 status=ready timeout=60
            > .wait job bad timeout=60
            > .show jobs
            JOB      TYPE    STATUS      DONE        PROGRESS
            bad      create  concluded  100 %          1 of 1
                Image size must be a multiple of 512 bytes
                concluded: `job-dismiss id=bad` removes it
            mirror0  mirror  ready      100 %  1 MiB of 1 MiB
                ready: `job-complete id=mirror0` completes it

            > .show migration
            status      there has been no migration
            parameters  max-bandwidth 128 MiB/s, downtime-limit 300 ms, multifd-channels 2

            > migrate uri=exec:false
            > .wait migration timeout=60
            > .show migration
            status      failed
            error       {ERROR}
            parameters  max-bandwidth 128 MiB/s, downtime-limit 300 ms, multifd-channels 2
        "#]]);
    }
}

#[test]
fn a_machine_is_drawn_on_each_server() {
    let options: Vec<&str> = MACHINE.iter().flat_map(|options| options.split(' ')).collect();
    for start in [Server::qemu, Server::qemu_7_2] {
        let Some(server) = start(&options) else { return };
        let mut table = Table::new();
        for line in [".show chardevs", ".show cpus", ".show devices", ".show memory", ".show network"] {
            let seen = run(&server.address(), &[line]).expect_status(0);
            let mut text = seen.stdout.replace(&server.path(""), "{DIR}/");
            // The devices of the board differ between versions.
            text = text.lines().filter(|line| !line.contains("(no id)")).map(|line| format!("{line}\n")).collect();
            table.row(line, without_threads(&text));
        }
        table.check(expect![[r#"
            > .show chardevs
            CHARDEV          BACK END                                              OPEN  USED BY
            compat_monitor0  unix:{DIR}/q.sock,server=on                 yes   a monitor, or another part of the server
            compat_monitor1  disconnected:unix:{DIR}/hmp.sock,server=on  yes   a monitor, or another part of the server
            ring             ringbuf                                               no    nothing that QMP tells
            ser0             null                                                  yes   com1 (isa-serial)
            vc0              null                                                  yes   con0 (virtconsole)

            > .show cpus
             CPU  SOCKET  CORE  THREAD  NODE  HOST THREAD  TYPE               OBJECT
               0       0     0       0     0     {THREAD}  qemu64-x86_64-cpu  /machine/unattached/device[0]
               1       0     0       1     0     {THREAD}  qemu64-x86_64-cpu  /machine/unattached/device[2]
               2       0     1       0     0     {THREAD}  qemu64-x86_64-cpu  /machine/unattached/device[3]
            free       0     1       1     0               qemu64-x86_64-cpu
            free       1     0       0     1               qemu64-x86_64-cpu
            free       1     0       1     1               qemu64-x86_64-cpu
            free       1     1       0     1               qemu64-x86_64-cpu
            free       1     1       1     1               qemu64-x86_64-cpu
            3 CPUs of at most 8: 2 sockets × 2 cores × 2 threads

            > .show devices
            DEVICE                  TYPE                ADDRESS     USES
            main-system-bus         System
            │  └─ pcie.0            PCIE
            │     ├─ e0             e1000e              00:01.0     netdev n0, mac 52:54:00:12:34:56
            │     ├─ rp0            pcie-root-port      00:02.0
            │     │  └─ rp0         PCIE
            │     │     └─ net1     virtio-net-pci      00.0        mac 52:54:00:12:34:57
            │     ├─ vs0            virtio-serial-pci   00:03.0
            │     │  └─ vs0.0       virtio-serial-bus
            │     │     └─ con0     virtconsole         nr 0        chardev vc0
            │     ├─ scsi0          virtio-scsi-pci     00:04.0
            │     │  └─ scsi0.0     SCSI
            │     │     └─ sd0      scsi-hd             id 0 lun 0  drive d0
            │     ├─ balloon0       virtio-balloon-pci  00:05.0
            │     │  └─ isa.0       ISA
            │     │     └─ com1     isa-serial                      chardev ser0
            │     │  ├─ ide.0       IDE
            │     │  ├─ ide.1       IDE
            │     │  ├─ ide.2       IDE
            │     │  ├─ ide.3       IDE
            │     │  ├─ ide.4       IDE
            │     │  └─ ide.5       IDE
            │        └─ i2c         i2c-bus
            Not on a bus
            └─ dimm0                pc-dimm                         memdev m0

            > .show memory
            base memory     128 MiB
            plugged memory  16 MiB
            at most         2 GiB
            slots           1 of 4 used
            balloon         144 MiB

            DEVICE  TYPE  SLOT  NODE      ADDRESS    SIZE  BACK END
            dimm0   dimm     0     0  0x100000000  16 MiB  m0

            BACK END    SIZE  OPTIONS             POLICY   USED BY
            n1m       64 MiB  reserve merge dump  default
            m0        16 MiB  reserve merge dump  default  dimm0
            n0m       64 MiB  reserve merge dump  default

            > .show network
            CARD       MODEL           MAC ADDRESS        MODE         BACK END  TYPE  OPTIONS
            e0         e1000e          52:54:00:12:34:56               n0        user  net=10.0.2.0,restrict=off
            net1       virtio-net-pci  52:54:00:12:34:57  promiscuous  (none)
            (no card)                                                  lonely    user  net=10.0.2.0,restrict=off
            QMP does not tell whether links are up.
        "#]]);
        let seen = run(&server.address(), &[".show qom /machine/peripheral/scsi0"]).expect_status(0);
        assert!(seen.stdout.starts_with("/machine/peripheral/scsi0 (virtio-scsi-pci)\n"), "{}", seen.stdout);
        assert!(seen.stdout.contains("── type: \"virtio-scsi-pci\" (string)\n"), "{}", seen.stdout);
        assert!(seen.stdout.contains("── virtio-bus/ (virtio-pci-bus)\n"), "{}", seen.stdout);
        let seen = run(&server.address(), &[".show qom /nowhere"]).expect_status(1);
        assert_eq!(seen.stderr, "<stdin>:1: Device '/nowhere' not found\n");
    }
}

/// Replaces the numbers of the host's threads in the picture of CPUs.
fn without_threads(text: &str) -> String {
    const TITLE: &str = "HOST THREAD";
    let start = text.lines().next().and_then(|titles| titles.find(TITLE));
    let stable = |line: &str| match start {
        Some(start) if line[start..].starts_with(' ') => {
            let after = &line[start + TITLE.len()..];
            let number = line[start..start + TITLE.len()].trim_start();
            format!("{}{:>2$}{after}\n", &line[..start], if number.is_empty() { "" } else { "{THREAD}" }, TITLE.len())
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(stable).collect()
}

#[test]
fn every_topic_has_a_section_in_the_manual() {
    let manual = include_str!("../../docs/views.md");
    let topics = qmp_shell(&["demo:"]).input(".show\n").run().expect_status(0).stderr;
    assert!(topics.lines().count() >= 10, "{topics}");
    for topic in topics.lines().filter_map(|line| line.split(' ').next()) {
        assert!(manual.contains(&format!("\n## {topic}\n")), "{topic}");
    }
}

#[test]
fn programs_get_the_data() {
    let seen = qmp_shell(&["demo:"]).input(".show blocks\nquery-status\n").run().expect_status(0);
    let data: Value = serde_json::from_str(seen.lines()[0]).unwrap();
    assert_eq!(data["nodes"][1]["children"], json!([{"child": "file", "node-name": "disk0-file"}]));
    assert_eq!(seen.lines().len(), 2);
    let seen = qmp_shell(&["demo:"]).input(".set output flat\n.show blocks\n").run().expect_status(0);
    assert!(seen.lines().contains(&"devices[0].node-name: disk0"), "{}", seen.stdout);
    let lines = [".show blocks | .nodes[0][\"node-name\"]", ".show blocks | grep -c disk0"];
    let seen = qmp_shell(&["demo:", "-c", lines[0], "-c", lines[1]]).run().expect_status(0);
    assert_eq!(seen.lines(), ["\"disk0-file\"", "3"]);
    // A failure takes the place of the data.
    let Some(agent) = Server::guest_agent() else { return };
    let seen = qmp_shell(&["--skip-negotiation", &agent.address()]).input(".show blocks\n").run();
    snapshot::check(
        seen.render(),
        expect![[r#"
            {"error": {"class": "CommandNotFound", "desc": "the server has no QMP command `query-named-block-nodes`"}}
            stderr: <stdin>:1: the server has no QMP command `query-named-block-nodes`
            status: 1
        "#]],
    );
}

#[test]
fn a_picture_fits_the_terminal() {
    let Some(terminal) = Terminal::qmp_shell("demo:") else { return };
    terminal.run_line("blockdev-add driver=null-co node-name=copy size=10737418240");
    terminal.run_line(".events off");
    terminal.run_line("blockdev-mirror job-id=job0 device=drive0 target=copy sync=full speed=1");
    terminal.check_line(
        ".show blocks",
        expect![[r#"
            NODE                    DRIVER     SIZE  USED  MODE  FILE
            disk0 (drive drive0)
            └─ disk0                qcow2    10 GiB   0 B  rw
               │    source of job job0 (mirror): running, 0 %
               └─ file: disk0-file  null-co  10 GiB   0 B  rw    json:{"driver": "null-co", "size": 10737418240}
            /machine/unattached/ide-cd (drive ide2-cd0): no medium, removable
            Not attached to a device
            └─ copy                 null-co  10 GiB   0 B  rw    json:{"driver": "null-co", "size": 10737418240}
                    target of job job0 (mirror): running, 0 %
        "#]],
    );
    terminal.resize(56, 20);
    terminal.run_line(".set pager off");
    terminal.check_line(
        ".show blocks",
        expect![[r#"
            NODE             DRIVER     SIZE  USED  MODE  FILE
            disk0 (drive drive0)
            └─ disk0         qcow2    10 GiB   0 B  rw
               │    source of job job0 (mirror): running, 0 %
               └─ file: di…  null-co  10 GiB   0 B  rw    …37418240}
            /machine/unattached/ide-cd (drive ide2-cd0): no medium,…
            Not attached to a device
            └─ copy          null-co  10 GiB   0 B  rw    …37418240}
                    target of job job0 (mirror): running, 0 %
        "#]],
    );
}
