//! What the server would refuse for its name or its type is refused before it is sent, with a caret under the place.
//! Tables of lines, put to real servers by `--dry-run`.

use crate::support::program::{Run, dry_run, qmp_shell};
use crate::support::server::{Q35, SMALL, Server};

/// A line, what is pointed at in it (there last), and a part of what is said.
type Mistake = (&'static str, &'static str, &'static str);

#[track_caller]
fn expect_mistakes(address: &str, rows: &[Mistake]) {
    let run = dry_run(address, rows.iter().map(|(line, ..)| *line));
    assert_eq!(run.status, 1, "{run:#?}");
    assert_eq!(run.lines().len(), rows.len(), "{run:#?}");
    let mut said = run.stderr.lines();
    for (index, (line, marked, message)) in rows.iter().enumerate() {
        let place = format!("<stdin>:{}: ", index + 1);
        let first = said.next().unwrap_or_default();
        let found = first.strip_prefix(&place).unwrap_or_else(|| panic!("{line}: `{first}`\n{run:#?}"));
        assert!(found.contains(message), "{line}: {found}");
        assert_eq!(said.next(), Some(format!("  {line}").as_str()));
        let carets = " ".repeat(line.rfind(marked).unwrap()) + &"^".repeat(marked.len());
        assert_eq!(said.next(), Some(format!("  {carets}").as_str()), "{line}");
        let not_sent = run.lines()[index].starts_with("{\"error\": {\"class\": \"NotSent\", \"desc\": ");
        assert!(not_sent, "{line}: {}", run.lines()[index]);
    }
    assert_eq!(said.next(), None, "{run:#?}");
}

/// What every server with block devices refuses.
const BLOCK_MISTAKES: &[Mistake] = &[
    // Commands.
    ("query-nmaed-block-nodes", "query-nmaed-block-nodes", "did you mean `query-named-block-nodes`?"),
    ("blockdev_add driver=null-co", "blockdev_add", "has no command `blockdev_add`; did you mean `blockdev-add`?"),
    ("frobnicate", "frobnicate", "the server has no command `frobnicate`"),
    ("exec-oob blockdev-add driver=null-co", "blockdev-add", "`blockdev-add` cannot be executed out of band"),
    ("query-jobs; query-block", "query-jobs;", "the server has no command `query-jobs;`; did you mean `query-jobs`?"),
    ("frobnicate the machine", "frobnicate", "the server has no command `frobnicate`"),
    // Commands to the shell, and what leads out of other shells.
    ("events 5", "events", "the server has no command `events`; did you mean `.events`?"),
    ("hlep", "hlep", "the server has no command `hlep`; did you mean `.help`?"),
    ("exit", "exit", "the server has no command `exit`; `.exit` or Ctrl-D leaves the shell"),
    // Words without a key.
    ("job-dismiss 'j 0'", "'j 0'", "expected `key=value`, found `j 0`; did you mean `id='j 0'`?"),
    ("block-export-add type=nbd id=e node-name=n writable", "writable", "; did you mean `writable=…`?"),
    // Keys: unknown, mistyped, spelled with the wrong dash, of another variant, twice, missing.
    (
        "blockdev-add driver=qcow2 node-nme=n0 file=p",
        "node-nme",
        "`blockdev-add` with driver=qcow2 has no key `node-nme`; did you mean `node-name`?",
    ),
    ("blockdev-add driver=raw node_name=n file=p", "node_name", "did you mean `node-name`?"),
    ("block-job-pause dev=j0", "dev", "`block-job-pause` has no key `dev`; did you mean `device`?"),
    ("query-jobs id=1", "id", "`query-jobs` has no key `id`; it takes no keys"),
    ("blockdev-add driver=null-co filename=/x", "filename", "`blockdev-add` with driver=null-co has no key `filename`"),
    ("blockdev-add filename=/x driver=null-co", "filename", "`blockdev-add` with driver=null-co has no key `filename`"),
    ("blockdev-add driver=raw file=p node-name=a node-name=b", "node-name", "key `node-name` is given twice"),
    ("blockdev-add driver=raw file=p file.driver=file", "file.driver", "`file` has a value already"),
    ("blockdev-add {\"driver\": \"raw\", \"file\": \"p\"} file=q", "file", "key `file` is given twice"),
    ("blockdev-add node-name=n", "blockdev-add", "`blockdev-add` needs a key `driver` (one of "),
    ("blockdev-add", "blockdev-add", "`blockdev-add` needs a key `driver` (one of "),
    ("blockdev-add driver=qcow2", "blockdev-add", "with driver=qcow2 needs a key `file` (an object, or a string)"),
    (
        "blockdev-add driver=raw file.driver=file",
        "file.driver",
        "`file` of `blockdev-add`, with driver=file, needs a key `filename` (a string)",
    ),
    (
        "blockdev-add driver=raw file.driver=file file.filname=/x",
        "file.filname",
        "`file` of `blockdev-add`, with driver=file, has no key `filname`; did you mean `filename`?",
    ),
    // Values.
    ("blockdev-add driver=qcow3 file=p", "qcow3", "`driver` has no value `qcow3`; did you mean `qcow2`?"),
    ("blockdev-add driver=raw file.driver=fil", "fil", "`file.driver` has no value `fil`; did you mean `file`?"),
    (
        "blockdev-add driver=raw file=p discard=zzz",
        "zzz",
        "`discard` has no value `zzz`; it takes one of ignore, unmap",
    ),
    ("block_resize node-name=n size=big", "big", "`size` takes an integer (such as 4096, 0x1000 or 4k), not `big`"),
    ("block_resize node-name=n size=1.5", "1.5", "`size` takes an integer"),
    ("block_resize node-name=n size=1.3k", "1.3k", "`1.3k` is not a whole number"),
    ("block_resize node-name=n size=16E", "16E", "integer `16E` does not fit in 64 bits"),
    ("query-named-block-nodes flat=maybe", "maybe", "`flat` takes true or false (on, off, yes, no), not `maybe`"),
    ("query-named-block-nodes flat=1", "1", "`flat` takes true or false"),
    ("blockdev-add driver=raw file=p cache=on", "on", "`cache` takes an object, not `on`"),
    ("blockdev-add driver=raw file=p size.x=1", "size.x", "`size` takes an integer"),
    ("blockdev-add driver=quorum vote-threshold=1 children.1=a", "children.1", "array index 1 leaves a gap"),
    (
        "blockdev-add driver=quorum vote-threshold=1 children=[\"a\", 5]",
        "5",
        "`children.1` takes an object, or a string",
    ),
    // JSON is held to the server's own rules: a string is no integer there.
    ("blockdev-add {\"driver\": \"null-co\", \"size\": \"12\"}", "\"12\"", "`size` takes an integer"),
    ("blockdev-add driver=raw file={\"driver\": \"null-co\", \"size\": 1.5}", "1.5", "`file.size` takes an integer"),
    (
        "{\"execute\": \"blockdev-add\", \"arguments\": {\"driver\": \"raw\", \"fil\": \"p\"}}",
        "\"fil\"",
        "has no key `fil`; did you mean `file`?",
    ),
    ("{\"execute\": \"blockdev-ad\"}", "\"blockdev-ad\"", "did you mean `blockdev-add`?"),
    ("{\"exec-oob\": \"blockdev-add\"}", "\"blockdev-add\"", "cannot be executed out of band"),
    // Transactions. A wrong block on one line is over with it.
    (
        "transaction( block-dirty-bitmap-ad node=n name=b )",
        "block-dirty-bitmap-ad",
        "a transaction has no action `block-dirty-bitmap-ad`; did you mean `block-dirty-bitmap-add`?",
    ),
    ("transaction( block-dirty-bitmap-add node=n nam=b )", "nam", "has no key `nam`; did you mean `name`?"),
    (
        "transaction( block-dirty-bitmap-add node=n )",
        "block-dirty-bitmap-add",
        "`block-dirty-bitmap-add` needs a key `name` (a string)",
    ),
    ("transaction( abort x=1 )", "x", "`abort` has no key `x`; it takes no keys"),
    ("transaction( abort ) completion-mode=all", "all", "`completion-mode` has no value `all`; it takes one of "),
    ("transaction( abort ) completion_mode=grouped", "completion_mode", "did you mean `completion-mode`?"),
    ("query-nmaed-block-nodes", "query-nmaed-block-nodes", "did you mean `query-named-block-nodes`?"),
];

/// What a whole machine refuses.
const MACHINE_MISTAKES: &[Mistake] = &[
    ("query-staus", "query-staus", "the server has no command `query-staus`; did you mean `query-status`?"),
    // Commands of the human monitor, unless they are QMP's with another dash and arguments.
    ("info status", "info", "the server has no command `info`; the human monitor has: `.hmp info status`"),
    ("x/4i $pc", "x/4i", "the human monitor has: `.hmp x/4i $pc`"),
    ("savevm", "savevm", "the human monitor has: `.hmp savevm`"),
    ("drive_mirror disk0 /x", "drive_mirror", "the human monitor has: `.hmp drive_mirror disk0 /x`"),
    ("drive_mirror device=disk0", "drive_mirror", "did you mean `drive-mirror`?"),
    (
        "device_add virtio-net-pci,id=n0",
        "device_add",
        "needs a key `driver` (a string); the human monitor has: `.hmp device_add virtio-net-pci,id=n0`",
    ),
    ("netdev_add user,id=n0", "user,id", "the human monitor has: `.hmp netdev_add user,id=n0`"),
    ("chardev-add id=c backend.type=null", "backend.type", "needs a key `data` (an object, which may be {})"),
    ("device_del net0", "net0", "expected `key=value`, found `net0`; did you mean `id=net0`?"),
    ("balloon 512M", "512M", "did you mean `value=512M`?"),
    ("set_link name=n", "set_link", "`set_link` needs a key `up` (true or false"),
    ("device_add id=d", "device_add", "`device_add` needs a key `driver` (a string)"),
    ("device_add driver=virtio-net-pci mq=maybe", "maybe", "`mq` takes true or false"),
    ("device_add driver=virtio-net-pci host_mtu=x", "x", "`host_mtu` takes an integer"),
    ("qom-set path=/machine property=graphics value=maybe", "maybe", "`value` takes true or false"),
    ("qom-set path=/machine property=graphics", "qom-set", "`qom-set` needs a key `value`"),
    ("set_password protocol=vnc", "set_password", "`set_password` with protocol=vnc needs a key `password`"),
    ("send-key keys.0.type=qcode keys.0.data=aa", "aa", "`keys.0.data` has no value `aa`"),
    (
        "migrate-set-capabilities capabilities.0.capabilty=xbzrle",
        "capabilities.0.capabilty",
        "`capabilities.0` of `migrate-set-capabilities` has no key `capabilty`; did you mean `capability`?",
    ),
];

#[test]
fn mistakes_are_pointed_at_before_anything_is_sent_to_qemu_10() {
    let Some(server) = Server::qemu(Q35) else { return };
    expect_mistakes(&server.address(), &[BLOCK_MISTAKES, MACHINE_MISTAKES].concat());
}

#[test]
fn mistakes_are_pointed_at_before_anything_is_sent_to_qemu_7_2() {
    let Some(server) = Server::qemu_7_2(Q35) else { return };
    expect_mistakes(&server.address(), &[BLOCK_MISTAKES, MACHINE_MISTAKES].concat());
}

#[test]
fn mistakes_are_pointed_at_before_anything_is_sent_to_the_storage_daemon() {
    let Some(server) = Server::storage_daemon() else { return };
    expect_mistakes(&server.address(), BLOCK_MISTAKES);
    let only_here = [("query-status x=1", "query-status", "the server has no command `query-status`")];
    expect_mistakes(&server.address(), &only_here);
}

#[test]
fn without_the_check_everything_is_sent() {
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
    assert_eq!(classes(&run), refused, "the server judges: {run:#?}");
    let script = format!(".set check off\n{lines}.set check on\n{lines}");
    let run = qmp_shell(&[&server.address()]).input(script).run().expect_status(1);
    assert_eq!(classes(&run), [refused, ["NotSent"; 4]].concat(), "{run:#?}");
    // What fits is typed all the same; what does not goes by its form.
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
fn what_is_deprecated_or_unstable_is_warned_of_once_and_sent() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let lines = "nbd-server-remove name=a\nnbd-server-remove name=b\nblock-commit device=a top=/x\n\
                 transaction( drive-backup device=a target=x sync=full )\nblock-commit device=b top=/y\n\
                 blockdev-add driver=nbd node-name=n x-dirty-bitmap=b server.type=unix server.path=/nonexistent\n";
    let warnings = "<stdin>:1: warning: `nbd-server-remove` is deprecated\n\
                    <stdin>:3: warning: `top` of `block-commit` is deprecated\n\
                    <stdin>:4: warning: `drive-backup` of `transaction` is deprecated\n\
                    <stdin>:6: warning: `x-dirty-bitmap` of `blockdev-add` is unstable\n";
    let run = qmp_shell(&[&server.address()]).input(lines).run().expect_status(1);
    assert_eq!(run.stderr, warnings);
    assert_eq!(run.lines().len(), 6);
    assert!(!run.stdout.contains("NotSent"), "{run:#?}");
    let run = qmp_shell(&["--no-check", &server.address()]).input(lines).run().expect_status(1);
    assert_eq!(run.stderr, "");
}
