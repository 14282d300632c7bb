//! `help`: what may be sent by the server's own word, what it means by the manual page that is installed.

use std::path::Path;

use crate::support::program::{Run, qmp_shell};
use crate::support::server::{Q35, SMALL, Server};
use crate::support::skip;
use crate::support::terminal::Terminal;

const PAGE: &str = "/usr/share/man/man7/qemu-qmp-ref.7.gz";

fn page_is_installed() -> bool {
    if !Path::new(PAGE).exists() {
        skip("manual page qemu-qmp-ref(7)");
    }
    Path::new(PAGE).exists()
}

fn help(address: &str, topic: &str) -> Run {
    qmp_shell(&[address, "-c", &format!("help {topic}")]).run()
}

/// Holds a page to fragments that stand in it in this order.
#[track_caller]
fn holds(run: &Run, fragments: &[&str]) {
    let mut rest = run.stderr.as_str();
    for fragment in fragments {
        let at =
            rest.find(fragment).unwrap_or_else(|| panic!("`{fragment}` is not where it should be in\n{}", run.stderr));
        rest = &rest[at + fragment.len()..];
    }
}

#[test]
fn a_command_is_explained_by_introspection_and_manual() {
    let Some(server) = Server::qemu(Q35) else { return };
    if !page_is_installed() {
        return;
    }
    let run = help(&server.address(), "block_resize").expect_status(0);
    holds(
        &run,
        &["block_resize  command\n", "  device     [str]\n", "  size       int\n", "0.14", "Arguments\n", "-> {"],
    );
    let run = help(&server.address(), "query-status").expect_status(0);
    holds(&run, &["takes no arguments", "returns an object with running status"]);
    let run = help(&server.address(), "migrate-pause").expect_status(0);
    holds(&run, &["migrate-pause  command  allow-oob"]);
    let run = help(&server.address(), "blockdev-add").expect_status(0);
    holds(&run, &["driver", "enum", "node-name", "with driver=null-co: [size]"]);
}

#[test]
fn events_members_types_and_words_are_found() {
    let Some(server) = Server::qemu(Q35) else { return };
    if !page_is_installed() {
        return;
    }
    let address = server.address();
    holds(
        &help(&address, "JOB_STATUS_CHANGE").expect_status(0),
        &["JOB_STATUS_CHANGE  event\n", "  id", "  status", "enum"],
    );
    holds(
        &help(&address, "blockdev-add.driver").expect_status(0),
        &["blockdev-add.driver  enum", "one of blkdebug", "qcow2"],
    );
    holds(&help(&address, "BlockdevOptionsQcow2.lazy-refcounts").expect_status(0), &["lazy-refcounts"]);
    holds(&help(&address, "apropos lazy_refcounts").expect_status(0), &["BlockdevOptionsQcow2"]);
    // A dot before it makes it a command of the shell; a topic of the shell needs none.
    holds(&help(&address, ".wait").expect_status(0), &[".wait EVENT"]);
    for (topic, sentence) in [
        ("blockdv-add", "there is no help on `blockdv-add`; did you mean `help blockdev-add`?"),
        ("zzzzzz", "there is no help on `zzzzzz`; `help apropos WORD` searches"),
        ("apropos zzzzzz", "nothing is said of `zzzzzz`"),
        ("apropos", "`.help` needs a word to search for here"),
    ] {
        holds(&help(&address, topic).expect_status(1), &[sentence]);
    }
}

#[test]
fn without_a_manual_page_the_signature_stands_and_the_package_is_named() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let nowhere = tempfile::tempdir().unwrap();
    let program = |topic: &str| {
        let run = qmp_shell(&[&server.address(), "-c", &format!("help {topic}")]);
        run.env("MANPATH", nowhere.path().to_str().unwrap()).run().expect_status(0)
    };
    holds(&program("block_resize"), &["  size       int\n", "qemu-qmp-ref(7)", "qemu-system-common"]);
    holds(&program("apropos resize"), &["block_resize", "qemu-system-common"]);
}

#[test]
fn both_layouts_of_the_page_are_read_and_another_version_is_mentioned() {
    let Some(server) = Server::qemu_7_2(SMALL) else { return };
    if !page_is_installed() {
        return;
    }
    holds(
        &help(&server.address(), "block_resize").expect_status(0),
        &["size", "The manual page is of QEMU 10", "the server of 7.2"],
    );
    let pages = std::env::var("QMP_SHELL_TEST_QEMU72").unwrap();
    let pages = Path::new(&pages).parent().unwrap().join("../share/man");
    let run = qmp_shell(&[&server.address(), "-c", "help block_resize"]).env("MANPATH", pages.to_str().unwrap()).run();
    holds(&run, &["block_resize  command\n", "0.14", "Arguments\n", "-> {"]);
    assert!(!run.stderr.contains("The manual page is of"), "{run:#?}");
}

#[test]
fn at_a_prompt_long_help_is_paged_and_hmp_keeps_its_own() {
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
