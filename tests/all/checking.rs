//! Requests with an invalid name or type are refused before they are sent, with a caret under the word. The lines are
//! run on real servers with `--dry-run`.

use expect_test::{Expect, expect};

use crate::support::program::{Run, dry_run, qmp_shell};
use crate::support::server::{Q35, SMALL, Server};
use crate::support::snapshot;

/// Checks that each line is refused, and compares the carets and messages with a snapshot.
#[track_caller]
fn check_refusals(address: &str, lines: &[&str], expected: Expect) {
    let run = dry_run(address, lines.iter().copied());
    assert_eq!(run.status, 1, "{run:#?}");
    assert_eq!(run.lines().len(), lines.len(), "{run:#?}");
    let mut rest = run.stderr.lines();
    let mut refusals = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        assert!(run.lines()[index].starts_with("{\"error\": {\"class\": \"NotSent\", \"desc\": "), "{line}: {run:#?}");
        let message = rest.next().unwrap().strip_prefix(&format!("<stdin>:{}: ", index + 1)).unwrap();
        let echo = rest.next().unwrap().strip_prefix("  ").unwrap();
        let caret = rest.next().unwrap().strip_prefix("  ").unwrap();
        assert_eq!(echo, *line);
        refusals.push(format!("{echo}\n{caret}\n{}\n", without_long_lists(message)));
    }
    assert_eq!(rest.next(), None, "{run:#?}");
    snapshot::check(refusals.join("\n"), expected);
}

/// Shortens lists of values, which grow from one QEMU to the next, and leaves out a driver that not every QEMU is built with.
fn without_long_lists(message: &str) -> String {
    const SHORT: usize = 4;
    let message = message.replace(", io_uring)", ")");
    let words: Vec<&str> = message.split(' ').collect();
    let is_listed = |word: &str| word.ends_with(',');
    let mut kept = Vec::new();
    let mut rest = words.as_slice();
    while let Some(word) = rest.first() {
        let len = rest.iter().take_while(|word| is_listed(word)).count();
        if len > SHORT {
            kept.push("…,");
        } else {
            kept.extend_from_slice(&rest[..len.max(1)]);
        }
        rest = &rest[len.max(usize::from(!is_listed(word)))..];
    }
    kept.join(" ")
}

/// Lines that every server with block devices refuses.
const BLOCK_LINES: &[&str] = &[
    // Commands.
    "query-nmaed-block-nodes",
    "blockdev_add driver=null-co",
    "frobnicate",
    "exec-oob blockdev-add driver=null-co",
    "frobnicate the machine",
    // Dot commands, and the ways to leave other shells.
    "events 5",
    "hlep",
    "exit",
    // Words without a key.
    "job-dismiss id",
    "job-dismiss j0 j1",
    "blockdev-add null-c node-name=n",
    "blockdev-del n node-name=n",
    "block-export-add type=nbd id=e node-name=n writable",
    // Keys: unknown, mistyped, with the wrong dash, of another variant, given twice, missing.
    "blockdev-add driver=qcow2 node-nme=n0 file=p",
    "blockdev-add driver=raw node_name=n file=p",
    "block-job-pause dev=j0",
    "query-jobs id=1",
    "blockdev-add driver=null-co filename=/x",
    "blockdev-add filename=/x driver=null-co",
    "blockdev-add driver=raw file=p node-name=a node-name=b",
    "blockdev-add driver=raw file=p file.driver=file",
    "blockdev-add {\"driver\": \"raw\", \"file\": \"p\"} file=q",
    "blockdev-add node-name=n",
    "blockdev-add",
    "blockdev-add driver=qcow2",
    "blockdev-add driver=raw file.driver=file",
    "blockdev-add driver=raw file.driver=file file.filname=/x",
    // Keys of a variant whose tag is missing, mistyped or wrong: the tag is what is reported.
    "blockdev-add driver=qcow2 file.filename=/x",
    "blockdev-add filename=/x",
    "blockdev-add driver=raw file={\"filename\": \"/x\"}",
    "blockdev-add file=p drivr=qcow2",
    "blockdev-add file=p driver=qcow3",
    "blockdev-add node-nme=n",
    // Keys of another level.
    "blockdev-add driver=raw filename=/x",
    "blockdev-add driver=raw file.driver=file file.filename=/x file.offset=1",
    "nbd-server-start addr.type=unix path=/x",
    "nbd-server-start addr.type=unix addr.path=/x",
    "block-dirty-bitmap-merge node=n target=t bitmap=b",
    "block-dirty-bitmap-merge node=n bitmaps.target=t",
    "block_resize blub=1",
    // Values.
    "blockdev-add driver=qcow3 file=p",
    "blockdev-add driver=raw file.driver=fil",
    "blockdev-add driver=raw file=p discard=zzz",
    "block_resize node-name=n size=big",
    "block_resize node-name=n size=1.5",
    "block_resize node-name=n size=1.3k",
    "block_resize node-name=n size=16E",
    "query-named-block-nodes flat=maybe",
    "query-named-block-nodes flat=1",
    "blockdev-add driver=raw file=p cache=on",
    "blockdev-add driver=raw file=p size.x=1",
    "blockdev-add driver=quorum vote-threshold=1 children.1=a",
    "blockdev-add driver=quorum vote-threshold=1 children=[\"a\", 5]",
    // JSON follows the server's own rules: a string is not an integer.
    "blockdev-add {\"driver\": \"null-co\", \"size\": \"12\"}",
    "blockdev-add driver=raw file={\"driver\": \"null-co\", \"size\": 1.5}",
    "{\"execute\": \"blockdev-add\", \"arguments\": {\"driver\": \"raw\", \"fil\": \"p\"}}",
    "{\"execute\": \"blockdev-ad\"}",
    "{\"exec-oob\": \"blockdev-add\"}",
    // Transactions. A block on one line ends with that line, even if it is wrong.
    "transaction( block-dirty-bitmap-ad node=n name=b )",
    "transaction( block-dirty-bitmap-add node=n nam=b )",
    "transaction( block-dirty-bitmap-add node=n )",
    "transaction( block-dirty-bitmap-add disk0 )",
    "transaction( blockdev-snapshot node=n overlay )",
    "transaction( abort x=1 )",
    "transaction( abort ) completion-mode=all",
    "transaction( abort ) completion_mode=grouped",
    "query-nmaed-block-nodes",
];

/// Lines that every machine refuses.
const MACHINE_LINES: &[&str] = &[
    "query-staus",
    // HMP commands, unless they are QMP commands with another dash and with arguments.
    "info status",
    "x/4i $pc",
    "savevm",
    "drive_mirror disk0 /x",
    "drive_mirror device=disk0",
    "object_add iothread,id=i",
    "migrate -d tcp:h:1",
    "set_link net0 off",
    "eject cd0",
    "qom-set /objects/io poll-max-ns 1",
    "send-key ctrl-alt-delete",
    // Commas between arguments, as on QEMU's command line.
    "device_add virtio-net-pci,id=n0",
    "netdev_add user,id=n0",
    "netdev_add type=user,id=n0",
    "chardev-add null,id=c",
    "chardev-add id=c backend.type=null",
    "device_del -f",
    // Numbers that are in MiB in HMP and in bytes in QMP.
    "balloon 512",
    "balloon 512M",
    "block_resize disk0 100",
    "block_resize device=disk0 100",
    "stop now",
    "set_link name=n",
    "device_add id=d",
    "device_add driver=virtio-net-pci mq=maybe",
    "device_add driver=virtio-net-pci host_mtu=x",
    "qom-set path=/machine property=graphics value=maybe",
    "qom-set path=/machine property=graphics",
    "send-key keys.0.type=qcode keys.0.data=aa",
    // Words where an object is expected.
    "send-key keys=ctrl-alt-delete",
    "nbd-server-start addr=/run/nbd.sock",
    "chardev-add id=c backend=null",
    "chardev-add id=c backend=socket",
    "migrate-set-capabilities capabilities=xbzrle",
    "query-cpu-model-expansion type=static model.nmae=max",
    "migrate-set-capabilities capabilities.0.capabilty=xbzrle",
];

/// Checks [`BLOCK_LINES`] against one snapshot for all servers.
#[track_caller]
fn check_block_lines(server: &Server) {
    check_refusals(
        &server.address(),
        BLOCK_LINES,
        expect![[r#"
            query-nmaed-block-nodes
            ^^^^^^^^^^^^^^^^^^^^^^^
            the server has no command `query-nmaed-block-nodes`; did you mean `query-named-block-nodes`?

            blockdev_add driver=null-co
            ^^^^^^^^^^^^
            the server has no command `blockdev_add`; did you mean `blockdev-add`?

            frobnicate
            ^^^^^^^^^^
            the server has no command `frobnicate`

            exec-oob blockdev-add driver=null-co
                     ^^^^^^^^^^^^
            `blockdev-add` cannot be executed out of band

            frobnicate the machine
            ^^^^^^^^^^
            the server has no command `frobnicate`

            events 5
            ^^^^^^
            the server has no command `events`; did you mean `.events`?

            hlep
            ^^^^
            the server has no command `hlep`; did you mean `.help`?

            exit
            ^^^^
            the server has no command `exit`; `.exit` or Ctrl-D leaves the shell

            job-dismiss id
                        ^^
            expected `key=value`, found `id`; did you mean `id=…`?

            job-dismiss j0 j1
                           ^^
            expected `key=value`, found `j1`

            blockdev-add null-c node-name=n
                         ^^^^^^
            unknown value `null-c` for `driver`; did you mean `null-co`?

            blockdev-del n node-name=n
                           ^^^^^^^^^
            duplicate key `node-name`

            block-export-add type=nbd id=e node-name=n writable
                                                       ^^^^^^^^
            expected `key=value`, found `writable`; did you mean `writable=…`?

            blockdev-add driver=qcow2 node-nme=n0 file=p
                                      ^^^^^^^^
            unknown key `node-nme` for `blockdev-add` with driver=qcow2; did you mean `node-name`?

            blockdev-add driver=raw node_name=n file=p
                                    ^^^^^^^^^
            unknown key `node_name` for `blockdev-add` with driver=raw; did you mean `node-name`?

            block-job-pause dev=j0
                            ^^^
            unknown key `dev` for `block-job-pause`; did you mean `device`?

            query-jobs id=1
                       ^^
            unknown key `id` for `query-jobs`; it takes no keys

            blockdev-add driver=null-co filename=/x
                                        ^^^^^^^^
            unknown key `filename` for `blockdev-add` with driver=null-co

            blockdev-add filename=/x driver=null-co
                         ^^^^^^^^
            unknown key `filename` for `blockdev-add` with driver=null-co

            blockdev-add driver=raw file=p node-name=a node-name=b
                                                       ^^^^^^^^^
            duplicate key `node-name`

            blockdev-add driver=raw file=p file.driver=file
                                           ^^^^^^^^^^^
            `file.driver` cannot be set; `file` already has a value

            blockdev-add {"driver": "raw", "file": "p"} file=q
                                                        ^^^^
            duplicate key `file`

            blockdev-add node-name=n
            ^^^^^^^^^^^^
            missing key `driver` for `blockdev-add` (one of …, …)

            blockdev-add
            ^^^^^^^^^^^^
            missing key `driver` for `blockdev-add` (one of …, …)

            blockdev-add driver=qcow2
            ^^^^^^^^^^^^
            missing key `file` for `blockdev-add` with driver=qcow2 (an object or a string)

            blockdev-add driver=raw file.driver=file
                                    ^^^^^^^^^^^
            missing key `file.filename` for `blockdev-add` with file.driver=file (a string)

            blockdev-add driver=raw file.driver=file file.filname=/x
                                                     ^^^^^^^^^^^^
            unknown key `file.filname` for `blockdev-add` with file.driver=file; did you mean `file.filename`?

            blockdev-add driver=qcow2 file.filename=/x
                                      ^^^^^^^^^^^^^
            missing key `file.driver` for `blockdev-add` (one of file, host_cdrom, host_device)

            blockdev-add filename=/x
            ^^^^^^^^^^^^
            missing key `driver` for `blockdev-add` (one of file, host_cdrom, host_device)

            blockdev-add driver=raw file={"filename": "/x"}
                                         ^^^^^^^^^^^^^^^^^^
            missing key `file.driver` for `blockdev-add` (one of file, host_cdrom, host_device)

            blockdev-add file=p drivr=qcow2
                                ^^^^^
            unknown key `drivr` for `blockdev-add`; did you mean `driver`?

            blockdev-add file=p driver=qcow3
                                       ^^^^^
            unknown value `qcow3` for `driver`; did you mean `qcow2`?

            blockdev-add node-nme=n
                         ^^^^^^^^
            unknown key `node-nme` for `blockdev-add`; did you mean `node-name`?

            blockdev-add driver=raw filename=/x
                                    ^^^^^^^^
            unknown key `filename` for `blockdev-add` with driver=raw; did you mean `file.filename`?

            blockdev-add driver=raw file.driver=file file.filename=/x file.offset=1
                                                                      ^^^^^^^^^^^
            unknown key `file.offset` for `blockdev-add` with file.driver=file; did you mean `offset`?

            nbd-server-start addr.type=unix path=/x
                                            ^^^^
            unknown key `path` for `nbd-server-start`; did you mean `addr.data.path`?

            nbd-server-start addr.type=unix addr.path=/x
                                            ^^^^^^^^^
            unknown key `addr.path` for `nbd-server-start` with addr.type=unix; did you mean `addr.data.path`?

            block-dirty-bitmap-merge node=n target=t bitmap=b
                                                     ^^^^^^
            unknown key `bitmap` for `block-dirty-bitmap-merge`; did you mean `bitmaps`?

            block-dirty-bitmap-merge node=n bitmaps.target=t
                                            ^^^^^^^^^^^^^^
            expected an array of str or object for `bitmaps`, found an object; did you mean `target`?

            block_resize blub=1
                         ^^^^
            unknown key `blub` for `block_resize`; it needs `size`

            blockdev-add driver=qcow3 file=p
                                ^^^^^
            unknown value `qcow3` for `driver`; did you mean `qcow2`?

            blockdev-add driver=raw file.driver=fil
                                                ^^^
            unknown value `fil` for `file.driver`; did you mean `file`?

            blockdev-add driver=raw file=p discard=zzz
                                                   ^^^
            unknown value `zzz` for `discard`; expected one of ignore, unmap

            block_resize node-name=n size=big
                                          ^^^
            expected an integer (such as 4096, 0x1000 or 4k) for `size`, found `big`

            block_resize node-name=n size=1.5
                                          ^^^
            expected an integer (such as 4096, 0x1000 or 4k) for `size`, found `1.5`

            block_resize node-name=n size=1.3k
                                          ^^^^
            `size`: `1.3k` is not a whole number

            block_resize node-name=n size=16E
                                          ^^^
            `size`: integer `16E` does not fit in 64 bits

            query-named-block-nodes flat=maybe
                                         ^^^^^
            expected true or false (on, off, yes, no) for `flat`, found `maybe`

            query-named-block-nodes flat=1
                                         ^
            expected true or false (on, off, yes, no) for `flat`, found `1`

            blockdev-add driver=raw file=p cache=on
                                                 ^^
            expected an object for `cache`, found `on`; write it as in `cache.direct=on`

            blockdev-add driver=raw file=p size.x=1
                                           ^^^^^^
            expected an integer (such as 4096, 0x1000 or 4k) for `size`, found an object

            blockdev-add driver=quorum vote-threshold=1 children.1=a
                                                        ^^^^^^^^^^
            array index 1 leaves a gap; the only item has index 0

            blockdev-add driver=quorum vote-threshold=1 children=["a", 5]
                                                                       ^
            expected an object or a string for `children.1`

            blockdev-add {"driver": "null-co", "size": "12"}
                                                       ^^^^
            expected an integer (such as 4096, 0x1000 or 4k) for `size`, found a string

            blockdev-add driver=raw file={"driver": "null-co", "size": 1.5}
                                                                       ^^^
            expected an integer (such as 4096, 0x1000 or 4k) for `file.size`, found a number

            {"execute": "blockdev-add", "arguments": {"driver": "raw", "fil": "p"}}
                                                                       ^^^^^
            unknown key `fil` for `blockdev-add` with driver=raw; did you mean `file`?

            {"execute": "blockdev-ad"}
                        ^^^^^^^^^^^^^
            the server has no command `blockdev-ad`; did you mean `blockdev-add`?

            {"exec-oob": "blockdev-add"}
                         ^^^^^^^^^^^^^^
            `blockdev-add` cannot be executed out of band

            transaction( block-dirty-bitmap-ad node=n name=b )
                         ^^^^^^^^^^^^^^^^^^^^^
            unknown transaction action `block-dirty-bitmap-ad`; did you mean `block-dirty-bitmap-add`?

            transaction( block-dirty-bitmap-add node=n nam=b )
                                                       ^^^
            unknown key `nam` for `block-dirty-bitmap-add`; did you mean `name`?

            transaction( block-dirty-bitmap-add node=n )
                         ^^^^^^^^^^^^^^^^^^^^^^
            missing key `name` for `block-dirty-bitmap-add` (a string)

            transaction( block-dirty-bitmap-add disk0 )
                                                ^^^^^
            expected `key=value`, found `disk0`; it needs `node`, `name`

            transaction( blockdev-snapshot node=n overlay )
                                                  ^^^^^^^
            expected `key=value`, found `overlay`; did you mean `overlay=…`?

            transaction( abort x=1 )
                               ^
            unknown key `x` for `abort`; it takes no keys

            transaction( abort ) completion-mode=all
                                                 ^^^
            unknown value `all` for `completion-mode`; expected one of individual, grouped

            transaction( abort ) completion_mode=grouped
                                 ^^^^^^^^^^^^^^^
            unknown key `completion_mode` for `transaction`; did you mean `completion-mode`?

            query-nmaed-block-nodes
            ^^^^^^^^^^^^^^^^^^^^^^^
            the server has no command `query-nmaed-block-nodes`; did you mean `query-named-block-nodes`?
        "#]],
    );
}

/// Checks [`MACHINE_LINES`] against one snapshot for all servers with a machine.
#[track_caller]
fn check_machine_lines(server: &Server) {
    check_refusals(
        &server.address(),
        MACHINE_LINES,
        expect![[r#"
            query-staus
            ^^^^^^^^^^^
            the server has no command `query-staus`; did you mean `query-status`?

            info status
            ^^^^
            the server has no command `info`; the human monitor has it: `.hmp info status`

            x/4i $pc
            ^^^^
            the server has no command `x/4i`; the human monitor has it: `.hmp x/4i $pc`

            savevm
            ^^^^^^
            the server has no command `savevm`; the human monitor has it: `.hmp savevm`

            drive_mirror disk0 /x
            ^^^^^^^^^^^^
            the server has no command `drive_mirror`; the human monitor has it: `.hmp drive_mirror disk0 /x`

            drive_mirror device=disk0
            ^^^^^^^^^^^^
            the server has no command `drive_mirror`; did you mean `drive-mirror`?

            object_add iothread,id=i
            ^^^^^^^^^^
            the server has no command `object_add`; did you mean `object-add qom-type=iothread id=i`, or `.hmp object_add iothread,id=i`?

            migrate -d tcp:h:1
                    ^^
            expected `key=value`, found `-d`; the human monitor has it: `.hmp migrate -d tcp:h:1`

            set_link net0 off
                     ^^^^
            expected `key=value`, found `net0`; the human monitor has it: `.hmp set_link net0 off`

            eject cd0
                  ^^^
            expected `key=value`, found `cd0`; the human monitor has it: `.hmp eject cd0`

            qom-set /objects/io poll-max-ns 1
                    ^^^^^^^^^^^
            expected `key=value`, found `/objects/io`; the human monitor has it: `.hmp qom-set /objects/io poll-max-ns 1`

            send-key ctrl-alt-delete
                     ^^^^^^^^^^^^^^^
            expected `key=value`, found `ctrl-alt-delete`; the human monitor has it: `.hmp sendkey ctrl-alt-delete`

            device_add virtio-net-pci,id=n0
                       ^^^^^^^^^^^^^^^^^^^^
            expected blanks between arguments, found commas in `virtio-net-pci,id=n0`; did you mean `device_add driver=virtio-net-pci id=n0`, or `.hmp device_add virtio-net-pci,id=n0`?

            netdev_add user,id=n0
                       ^^^^^^^^^^
            expected blanks between arguments, found commas in `user,id=n0`; did you mean `netdev_add type=user id=n0`, or `.hmp netdev_add user,id=n0`?

            netdev_add type=user,id=n0
                       ^^^^^^^^^^^^^^^
            expected blanks between arguments, found commas in `type=user,id=n0`; did you mean `netdev_add type=user id=n0`?

            chardev-add null,id=c
                        ^^^^^^^^^
            expected blanks between arguments, found commas in `null,id=c`; did you mean `.hmp chardev-add null,id=c`?

            chardev-add id=c backend.type=null
                             ^^^^^^^^^^^^
            missing key `backend.data` for `chardev-add` with backend.type=null (an object, which may be {})

            device_del -f
                       ^^
            expected `key=value`, found `-f`; the human monitor has it: `.hmp device_del -f`

            balloon 512
                    ^^^
            expected `key=value`, found `512`; the human monitor counts in MiB, QMP in bytes: `value=512M`, or `.hmp balloon 512`

            balloon 512M
                    ^^^^
            expected `key=value`, found `512M`; did you mean `value=512M`?

            block_resize disk0 100
                         ^^^^^
            expected `key=value`, found `disk0`; the human monitor has it: `.hmp block_resize disk0 100`

            block_resize device=disk0 100
                                      ^^^
            expected `key=value`, found `100`; did you mean `size=100M`?

            stop now
                 ^^^
            expected `key=value`, found `now`; it takes no keys

            set_link name=n
            ^^^^^^^^
            missing key `up` for `set_link` (true or false (on, off, yes, no))

            device_add id=d
            ^^^^^^^^^^
            missing key `driver` for `device_add` (a string)

            device_add driver=virtio-net-pci mq=maybe
                                                ^^^^^
            expected true or false (on, off, yes, no) for `mq`, found `maybe`

            device_add driver=virtio-net-pci host_mtu=x
                                                      ^
            expected an integer (such as 4096, 0x1000 or 4k) for `host_mtu`, found `x`

            qom-set path=/machine property=graphics value=maybe
                                                          ^^^^^
            expected true or false (on, off, yes, no) for `value`, found `maybe`

            qom-set path=/machine property=graphics
            ^^^^^^^
            missing key `value` for `qom-set` (any value)

            send-key keys.0.type=qcode keys.0.data=aa
                                                   ^^
            unknown value `aa` for `keys.0.data`; did you mean `a`?

            send-key keys=ctrl-alt-delete
                          ^^^^^^^^^^^^^^^
            expected an object for `keys.0`, found `ctrl-alt-delete`; write it as in `keys.0.type=qcode keys.0.data=ctrl`

            nbd-server-start addr=/run/nbd.sock
                                  ^^^^^^^^^^^^^
            expected an object for `addr`, found `/run/nbd.sock`; write it as in `addr.type=unix addr.data.path=/run/nbd.sock`

            chardev-add id=c backend=null
                                     ^^^^
            expected an object for `backend`, found `null`; write it as in `backend.type=null backend.data={}`

            chardev-add id=c backend=socket
                                     ^^^^^^
            expected an object for `backend`, found `socket`; write it as in `backend.type=socket backend.data.addr.type=unix backend.data.addr.data.path=…`

            migrate-set-capabilities capabilities=xbzrle
                                                  ^^^^^^
            expected an object for `capabilities.0`, found `xbzrle`; write it as in `capabilities.0.capability=xbzrle capabilities.0.state=on`

            query-cpu-model-expansion type=static model.nmae=max
                                                  ^^^^^^^^^^
            unknown key `model.nmae` for `query-cpu-model-expansion`; did you mean `model.name`?

            migrate-set-capabilities capabilities.0.capabilty=xbzrle
                                     ^^^^^^^^^^^^^^^^^^^^^^^^
            unknown key `capabilities.0.capabilty` for `migrate-set-capabilities`; did you mean `capabilities.0.capability`?
        "#]],
    );
}

#[test]
fn points_at_mistakes_before_sending_to_qemu() {
    let Some(server) = Server::qemu(Q35) else { return };
    check_block_lines(&server);
    check_machine_lines(&server);
}

#[test]
fn points_at_mistakes_before_sending_to_qemu_7_2() {
    let Some(server) = Server::qemu_7_2(Q35) else { return };
    check_block_lines(&server);
    check_machine_lines(&server);
}

#[test]
fn points_at_mistakes_before_sending_to_the_storage_daemon() {
    let Some(server) = Server::storage_daemon() else { return };
    check_block_lines(&server);
    check_refusals(
        &server.address(),
        &["query-status x=1"],
        expect![[r#"
            query-status x=1
            ^^^^^^^^^^^^
            the server has no command `query-status`
        "#]],
    );
}

#[test]
fn sends_everything_without_the_check() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let lines = "query-nmae\nblock_resize node-name=n size=big\nblockdev-add driver=null-co nodename=n\n\
                 transaction( nosuch a=1 )\n";
    let refused = ["CommandNotFound", "GenericError", "GenericError", "GenericError"];
    let classes = |run: &Run| -> Vec<String> {
        run.lines()
            .iter()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["error"]["class"].to_string())
            .map(|class| class.trim_matches('"').to_owned())
            .collect()
    };
    let run = qmp_shell(&["--no-check", &server.address()]).input(lines).run().expect_status(1);
    assert_eq!(classes(&run), refused, "{run:#?}");
    let script = format!(".set check off\n{lines}.set check on\n{lines}");
    let run = qmp_shell(&[&server.address()]).input(script).run().expect_status(1);
    assert_eq!(classes(&run), [refused, ["NotSent"; 4]].concat(), "{run:#?}");
    // Words of the right type are converted as usual, and other words by their form.
    let run = qmp_shell(&["--no-check", "--dry-run", &server.address()])
        .input("block_resize node-name=007 size=1k\nblock_resize node-name=007 size=big extra=1.5\n")
        .run()
        .expect_status(0);
    assert_eq!(
        run.lines(),
        [
            r#"{"execute": "block_resize", "arguments": {"node-name": "007", "size": 1024}}"#,
            r#"{"execute": "block_resize", "arguments": {"node-name": "007", "size": "big", "extra": 1.5}}"#,
        ]
    );
}

#[test]
fn warns_once_of_deprecated_and_unstable_names() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let lines = "nbd-server-remove name=a\nnbd-server-remove name=b\nblock-commit device=a top=/x\n\
                 transaction( drive-backup device=a target=x sync=full )\nblock-commit device=b top=/y\n\
                 blockdev-add driver=nbd node-name=n x-dirty-bitmap=b server.type=unix server.path=/nonexistent\n";
    let run = qmp_shell(&[&server.address()]).input(lines).run().expect_status(1);
    snapshot::check(
        &run.stderr,
        expect![[r#"
        <stdin>:1: warning: `nbd-server-remove` is deprecated
        <stdin>:3: warning: `top` of `block-commit` is deprecated
        <stdin>:4: warning: `drive-backup` of `transaction` is deprecated
        <stdin>:6: warning: `x-dirty-bitmap` of `blockdev-add` is unstable
    "#]],
    );
    assert_eq!(run.lines().len(), 6);
    assert!(!run.stdout.contains("NotSent"), "{run:#?}");
    let run = qmp_shell(&["--no-check", &server.address()]).input(lines).run().expect_status(1);
    assert_eq!(run.stderr, "");
}
