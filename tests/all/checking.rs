//! Requests that the server would refuse for a name or a type are refused before they are sent, with a caret under the
//! word. The lines go to real servers with `--dry-run`.

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

/// Shortens lists of values, which grow from one QEMU to the next.
fn without_long_lists(message: &str) -> String {
    const SHORT: usize = 4;
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
    "query-jobs; query-block",
    "frobnicate the machine",
    // Dot commands, and the ways to leave other shells.
    "events 5",
    "hlep",
    "exit",
    // Words without a key.
    "job-dismiss 'j 0'",
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
    "device_add virtio-net-pci,id=n0",
    "netdev_add user,id=n0",
    "chardev-add id=c backend.type=null",
    "device_del net0",
    "balloon 512M",
    "set_link name=n",
    "device_add id=d",
    "device_add driver=virtio-net-pci mq=maybe",
    "device_add driver=virtio-net-pci host_mtu=x",
    "qom-set path=/machine property=graphics value=maybe",
    "qom-set path=/machine property=graphics",
    "set_password protocol=vnc",
    "send-key keys.0.type=qcode keys.0.data=aa",
    "migrate-set-capabilities capabilities.0.capabilty=xbzrle",
];

/// Compares with one snapshot for all servers.
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

            query-jobs; query-block
            ^^^^^^^^^^^
            the server has no command `query-jobs;`; did you mean `query-jobs`?

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

            job-dismiss 'j 0'
                        ^^^^^
            expected `key=value`, found `j 0`; did you mean `id='j 0'`?

            block-export-add type=nbd id=e node-name=n writable
                                                       ^^^^^^^^
            expected `key=value`, found `writable`; did you mean `writable=…`?

            blockdev-add driver=qcow2 node-nme=n0 file=p
                                      ^^^^^^^^
            `blockdev-add` with driver=qcow2 has no key `node-nme`; did you mean `node-name`?

            blockdev-add driver=raw node_name=n file=p
                                    ^^^^^^^^^
            `blockdev-add` with driver=raw has no key `node_name`; did you mean `node-name`?

            block-job-pause dev=j0
                            ^^^
            `block-job-pause` has no key `dev`; did you mean `device`?

            query-jobs id=1
                       ^^
            `query-jobs` has no key `id`; it takes no keys

            blockdev-add driver=null-co filename=/x
                                        ^^^^^^^^
            `blockdev-add` with driver=null-co has no key `filename`

            blockdev-add filename=/x driver=null-co
                         ^^^^^^^^
            `blockdev-add` with driver=null-co has no key `filename`

            blockdev-add driver=raw file=p node-name=a node-name=b
                                                       ^^^^^^^^^
            key `node-name` is given twice

            blockdev-add driver=raw file=p file.driver=file
                                           ^^^^^^^^^^^
            `file` has a value already; `file.driver` cannot go below it

            blockdev-add {"driver": "raw", "file": "p"} file=q
                                                        ^^^^
            key `file` is given twice

            blockdev-add node-name=n
            ^^^^^^^^^^^^
            `blockdev-add` needs a key `driver` (one of …, …)

            blockdev-add
            ^^^^^^^^^^^^
            `blockdev-add` needs a key `driver` (one of …, …)

            blockdev-add driver=qcow2
            ^^^^^^^^^^^^
            `blockdev-add` with driver=qcow2 needs a key `file` (an object, or a string)

            blockdev-add driver=raw file.driver=file
                                    ^^^^^^^^^^^
            `file` of `blockdev-add`, with driver=file, needs a key `filename` (a string)

            blockdev-add driver=raw file.driver=file file.filname=/x
                                                     ^^^^^^^^^^^^
            `file` of `blockdev-add`, with driver=file, has no key `filname`; did you mean `filename`?

            blockdev-add driver=qcow3 file=p
                                ^^^^^
            `driver` has no value `qcow3`; did you mean `qcow2`?

            blockdev-add driver=raw file.driver=fil
                                                ^^^
            `file.driver` has no value `fil`; did you mean `file`?

            blockdev-add driver=raw file=p discard=zzz
                                                   ^^^
            `discard` has no value `zzz`; it takes one of ignore, unmap

            block_resize node-name=n size=big
                                          ^^^
            `size` takes an integer (such as 4096, 0x1000 or 4k), not `big`

            block_resize node-name=n size=1.5
                                          ^^^
            `size` takes an integer (such as 4096, 0x1000 or 4k), not `1.5`

            block_resize node-name=n size=1.3k
                                          ^^^^
            `size`: `1.3k` is not a whole number

            block_resize node-name=n size=16E
                                          ^^^
            `size`: integer `16E` does not fit in 64 bits

            query-named-block-nodes flat=maybe
                                         ^^^^^
            `flat` takes true or false (on, off, yes, no), not `maybe`

            query-named-block-nodes flat=1
                                         ^
            `flat` takes true or false (on, off, yes, no), not `1`

            blockdev-add driver=raw file=p cache=on
                                                 ^^
            `cache` takes an object, not `on`

            blockdev-add driver=raw file=p size.x=1
                                           ^^^^^^
            `size` takes an integer (such as 4096, 0x1000 or 4k), not an object

            blockdev-add driver=quorum vote-threshold=1 children.1=a
                                                        ^^^^^^^^^^
            array index 1 leaves a gap: 1 parts are numbered 0 to 0

            blockdev-add driver=quorum vote-threshold=1 children=["a", 5]
                                                                       ^
            `children.1` takes an object, or a string

            blockdev-add {"driver": "null-co", "size": "12"}
                                                       ^^^^
            `size` takes an integer (such as 4096, 0x1000 or 4k), not a string

            blockdev-add driver=raw file={"driver": "null-co", "size": 1.5}
                                                                       ^^^
            `file.size` takes an integer (such as 4096, 0x1000 or 4k), not a number

            {"execute": "blockdev-add", "arguments": {"driver": "raw", "fil": "p"}}
                                                                       ^^^^^
            `blockdev-add` with driver=raw has no key `fil`; did you mean `file`?

            {"execute": "blockdev-ad"}
                        ^^^^^^^^^^^^^
            the server has no command `blockdev-ad`; did you mean `blockdev-add`?

            {"exec-oob": "blockdev-add"}
                         ^^^^^^^^^^^^^^
            `blockdev-add` cannot be executed out of band

            transaction( block-dirty-bitmap-ad node=n name=b )
                         ^^^^^^^^^^^^^^^^^^^^^
            a transaction has no action `block-dirty-bitmap-ad`; did you mean `block-dirty-bitmap-add`?

            transaction( block-dirty-bitmap-add node=n nam=b )
                                                       ^^^
            `block-dirty-bitmap-add` has no key `nam`; did you mean `name`?

            transaction( block-dirty-bitmap-add node=n )
                         ^^^^^^^^^^^^^^^^^^^^^^
            `block-dirty-bitmap-add` needs a key `name` (a string)

            transaction( abort x=1 )
                               ^
            `abort` has no key `x`; it takes no keys

            transaction( abort ) completion-mode=all
                                                 ^^^
            `completion-mode` has no value `all`; it takes one of individual, grouped

            transaction( abort ) completion_mode=grouped
                                 ^^^^^^^^^^^^^^^
            `transaction` has no key `completion_mode`; did you mean `completion-mode`?

            query-nmaed-block-nodes
            ^^^^^^^^^^^^^^^^^^^^^^^
            the server has no command `query-nmaed-block-nodes`; did you mean `query-named-block-nodes`?
        "#]],
    );
}

/// Compares with one snapshot for all servers with a machine.
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
            the server has no command `info`; the human monitor has: `.hmp info status`

            x/4i $pc
            ^^^^
            the server has no command `x/4i`; the human monitor has: `.hmp x/4i $pc`

            savevm
            ^^^^^^
            the server has no command `savevm`; the human monitor has: `.hmp savevm`

            drive_mirror disk0 /x
            ^^^^^^^^^^^^
            the server has no command `drive_mirror`; the human monitor has: `.hmp drive_mirror disk0 /x`

            drive_mirror device=disk0
            ^^^^^^^^^^^^
            the server has no command `drive_mirror`; did you mean `drive-mirror`?

            device_add virtio-net-pci,id=n0
            ^^^^^^^^^^
            `device_add` needs a key `driver` (a string); the human monitor has: `.hmp device_add virtio-net-pci,id=n0`

            netdev_add user,id=n0
                       ^^^^^^^
            `netdev_add` has no key `user,id`; the human monitor has: `.hmp netdev_add user,id=n0`

            chardev-add id=c backend.type=null
                             ^^^^^^^^^^^^
            `backend` of `chardev-add`, with type=null, needs a key `data` (an object, which may be {})

            device_del net0
                       ^^^^
            expected `key=value`, found `net0`; did you mean `id=net0`?

            balloon 512M
                    ^^^^
            expected `key=value`, found `512M`; did you mean `value=512M`?

            set_link name=n
            ^^^^^^^^
            `set_link` needs a key `up` (true or false (on, off, yes, no))

            device_add id=d
            ^^^^^^^^^^
            `device_add` needs a key `driver` (a string)

            device_add driver=virtio-net-pci mq=maybe
                                                ^^^^^
            `mq` takes true or false (on, off, yes, no), not `maybe`

            device_add driver=virtio-net-pci host_mtu=x
                                                      ^
            `host_mtu` takes an integer (such as 4096, 0x1000 or 4k), not `x`

            qom-set path=/machine property=graphics value=maybe
                                                          ^^^^^
            `value` takes true or false (on, off, yes, no), not `maybe`

            qom-set path=/machine property=graphics
            ^^^^^^^
            `qom-set` needs a key `value` (any value)

            set_password protocol=vnc
            ^^^^^^^^^^^^
            `set_password` with protocol=vnc needs a key `password` (a string)

            send-key keys.0.type=qcode keys.0.data=aa
                                                   ^^
            `keys.0.data` has no value `aa`; did you mean `a`?

            migrate-set-capabilities capabilities.0.capabilty=xbzrle
                                     ^^^^^^^^^^^^^^^^^^^^^^^^
            `capabilities.0` of `migrate-set-capabilities` has no key `capabilty`; did you mean `capability`?
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
            the server has no command `query-status`; did you mean `query-blockstats`?
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
    // Words that fit are typed as usual; others are typed by their form.
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
