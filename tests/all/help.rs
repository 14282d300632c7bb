//! `help`: signatures from the server's introspection, explanations from the installed manual page.

use std::path::Path;

use expect_test::expect;

use crate::support::program::{Run, qmp_shell};
use crate::support::server::{Q35, SMALL, Server, program_version};
use crate::support::skip::skip;
use crate::support::snapshot::{self, Table};
use crate::support::terminal::Terminal;

const PAGE: &str = "/usr/share/man/man7/qemu-qmp-ref.7.gz";

/// Records a skip if QEMU's manual page is missing.
fn require_page() -> Option<()> {
    if Path::new(PAGE).exists() {
        return Some(());
    }
    skip("manual page qemu-qmp-ref(7)");
    None
}

fn help(address: &str, topic: &str) -> Run {
    qmp_shell(&[address, "-c", &format!("help {topic}")]).run()
}

/// Checks that a page contains these fragments in this order.
#[track_caller]
fn expect_fragments(run: &Run, fragments: &[&str]) {
    let mut rest = run.stderr.as_str();
    for fragment in fragments {
        let at = rest
            .find(fragment)
            .unwrap_or_else(|| panic!("`{fragment}` is missing, or out of order, in\n{}", run.stderr));
        rest = &rest[at + fragment.len()..];
    }
}

/// Returns the part of a page before the text of the manual.
fn signature(run: &Run) -> &str {
    run.stderr.split("\n\n").next().unwrap()
}

#[test]
fn explains_commands_from_introspection_and_manual() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(()) = require_page() else { return };
    let mut table = Table::new();
    for topic in ["block_resize", "query-status", "migrate-pause"] {
        let run = help(&server.address(), topic).expect_status(0);
        expect_fragments(&run, &["\n\n", "-> {"]);
        table.row(topic, signature(&run));
    }
    table.check(expect![[r#"
        > block_resize
        block_resize  command
          device     [str]
          node-name  [str]
          size       int
          since 0.14

        > query-status
        query-status  command
          takes no arguments
          returns an object with running status
          since 0.14

        > migrate-pause
        migrate-pause  command  allow-oob
          takes no arguments
          since 3.0
    "#]]);
    // Its list of variants grows from one QEMU to the next.
    let run = help(&server.address(), "blockdev-add").expect_status(0);
    expect_fragments(&run, &["driver", "enum", "node-name", "driver=null-co: [size]"]);
}

#[test]
fn explains_events_members_types_and_words() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(()) = require_page() else { return };
    let address = server.address();
    expect_fragments(
        &help(&address, "JOB_STATUS_CHANGE").expect_status(0),
        &["JOB_STATUS_CHANGE  event\n", "  id", "  status", "enum"],
    );
    expect_fragments(
        &help(&address, "blockdev-add.driver").expect_status(0),
        &["blockdev-add.driver  enum", " blkdebug", "qcow2"],
    );
    expect_fragments(&help(&address, "BlockdevOptionsQcow2.lazy-refcounts").expect_status(0), &["lazy-refcounts"]);
    expect_fragments(&help(&address, "apropos lazy_refcounts").expect_status(0), &["BlockdevOptionsQcow2"]);
    // Commands come before types, and sentences are aligned.
    let found = help(&address, "apropos powerdown").expect_status(0).stderr;
    let rows: Vec<&str> = found.lines().collect();
    assert!(rows[0].starts_with("POWERDOWN ") || rows[0].starts_with("system_powerdown "), "{found}");
    let columns: Vec<Option<usize>> =
        rows.iter().map(|row| row.find("  ").map(|at| row.len() - row[at..].trim_start().len())).collect();
    assert!(columns.iter().all(|column| *column == columns[0]), "{found}");
    // Tab describes commands by the first sentence.
    let run = qmp_shell(&["--complete", "query-yan", &address]).run().expect_status(0);
    assert_eq!(run.stdout, "query-yank\tQuery yank instances.\n");
    // A topic that begins with a dot is a dot command.
    expect_fragments(&help(&address, ".wait").expect_status(0), &[".wait EVENT"]);
    let mut table = Table::new();
    for topic in ["blockdv-add", "zzzzzz", "apropos zzzzzz", "apropos"] {
        table.row(topic, &help(&address, topic).expect_status(1).stderr);
    }
    table.check(expect![[r#"
        > blockdv-add
        -c:1: unknown topic `blockdv-add`; did you mean `help blockdev-add`?
          help blockdv-add
               ^^^^^^^^^^^

        > zzzzzz
        -c:1: unknown topic `zzzzzz`; `help apropos WORD` searches for a word
          help zzzzzz
               ^^^^^^

        > apropos zzzzzz
        -c:1: no documentation for `zzzzzz`
          help apropos zzzzzz
                       ^^^^^^

        > apropos
        -c:1: missing argument: expected a word to search for
          help apropos
                      ^
    "#]]);
}

#[test]
fn explains_variants_devices_and_the_shell_escape() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(()) = require_page() else { return };
    let address = server.address();
    expect_fragments(
        &help(&address, "blockdev-add driver=qcow2").expect_status(0),
        &[
            "blockdev-add  command with driver=qcow2\n  node-name ",
            "\n  lazy-refcounts ",
            "\nlazy-refcounts: boolean, optional  of BlockdevOptionsQcow2\n",
        ],
    );
    // The manual documents these keys with the first driver that has them.
    expect_fragments(
        &help(&address, "blockdev-add driver=host_device").expect_status(0),
        &["\n  filename ", "\nfilename: string  of BlockdevOptionsFile\n"],
    );
    for (kind, title, row) in [
        ("virtio-blk-pci", "virtio-blk-pci device, with these properties", "ioeventfd bool on/off (default: on)"),
        ("virtio-blk-pci", "virtio-blk-pci device, with these properties", "serial str"),
        ("iothread", "iothread object type, with these properties", "poll-max-ns int"),
    ] {
        let page = help(&address, kind).expect_status(0).stderr;
        let rows: Vec<String> =
            page.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert!(rows[0] == title && rows.iter().any(|found| found == row), "{kind}: {page}");
    }
    let mut table = Table::new();
    for topic in ["!", "!ls", "blockdev-add driver=qcow3", "blockdev-add drivr=raw", "STOP x", "virtio-blk-pc"] {
        table.run(topic, &help(&address, topic));
    }
    table.check(expect![[r#"
        > !
        stderr: !COMMAND
        stderr:     run a command in the system's shell
        stderr:
        stderr: Runs a command in the system's shell.

        > !ls
        stderr: !COMMAND
        stderr:     run a command in the system's shell
        stderr:
        stderr: Runs a command in the system's shell.

        > blockdev-add driver=qcow3
        stderr: -c:1: unknown value `qcow3` for `driver`; did you mean `qcow2`?
        stderr:   help blockdev-add driver=qcow3
        stderr:                            ^^^^^
        status: 1

        > blockdev-add drivr=raw
        stderr: -c:1: unknown key `drivr`; did you mean `driver`?
        stderr:   help blockdev-add drivr=raw
        stderr:                     ^^^^^
        status: 1

        > STOP x
        stderr: -c:1: unexpected argument `x`
        stderr:   help STOP x
        stderr:             ^
        status: 1

        > virtio-blk-pc
        stderr: -c:1: unknown topic `virtio-blk-pc`; did you mean `help virtio-blk-pci`?
        stderr:   help virtio-blk-pc
        stderr:        ^^^^^^^^^^^^^
        status: 1
    "#]]);
}

#[test]
fn names_the_package_of_a_missing_manual_page() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let nowhere = tempfile::tempdir().unwrap();
    let program = |topic: &str| {
        let run = qmp_shell(&[&server.address(), "-c", &format!("help {topic}")]);
        run.env("MANPATH", nowhere.path().to_str().unwrap()).run().expect_status(0)
    };
    snapshot::check(
        &program("block_resize").stderr,
        expect![[r#"
            block_resize  command
              device     [str]
              node-name  [str]
              size       int

            qemu-qmp-ref(7) says more; it is in Debian's package qemu-system-common.
        "#]],
    );
    expect_fragments(&program("apropos resize"), &["block_resize", "qemu-system-common"]);
}

#[test]
fn reads_both_layouts_and_mentions_another_version() {
    let Some(server) = Server::qemu_7_2(SMALL) else { return };
    let Some(()) = require_page() else { return };
    let run = help(&server.address(), "block_resize").expect_status(0);
    // The versions of the page and of the server, without the last number.
    let release = |version: String| version.rsplit_once('.').unwrap().0.to_owned();
    let old = release(program_version(&std::env::var("QMP_SHELL_TEST_QEMU72").unwrap()));
    let new = release(program_version("qemu-system-x86_64"));
    let notice = run.stderr.lines().find(|line| line.contains(&new) && line.contains(&old));
    let notice = notice.unwrap_or_else(|| panic!("{run:#?}"));
    let words =
        notice.split(' ').map(|word| if word.starts_with(|c: char| c.is_ascii_digit()) { "{VERSION}" } else { word });
    snapshot::check(
        words.collect::<Vec<_>>().join(" "),
        expect![[r#"
            The manual page is for QEMU {VERSION} the server is QEMU {VERSION}
        "#]],
    );
    let pages = std::env::var("QMP_SHELL_TEST_QEMU72").unwrap();
    let pages = Path::new(&pages).parent().unwrap().join("../share/man");
    let run = qmp_shell(&[&server.address(), "-c", "help block_resize"]).env("MANPATH", pages.to_str().unwrap()).run();
    expect_fragments(&run, &["block_resize  command\n", "0.14", "-> {"]);
    assert!(!run.stderr.contains(&new), "{run:#?}");
}

#[test]
fn pages_long_help_and_leaves_help_to_hmp() {
    let Some(server) = Server::qemu(Q35) else { return };
    let command = format!("{} {}", env!("CARGO_BIN_EXE_qmp-shell"), server.address());
    let Some(terminal) = Terminal::start(&command, 72, 20) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("help blockdev-add");
    terminal.wait("the pager", |screen| screen.lines().count() == 20 && screen.contains("blockdev-add  command"));
    assert!(!terminal.screen().contains("(QEMU)\n"));
    terminal.press("q");
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".hmp");
    terminal.wait_for_last("(qemu)");
    terminal.enter("help stop");
    terminal.wait_for("stop|s  -- stop emulation");
}
