//! Servers, and a wrapped QEMU, that never stop sending: timeouts are kept, memory is bounded, and the user can still type.

use std::time::{Duration, Instant};

use expect_test::expect;

use crate::support::peer::{EVENT, Peer};
use crate::support::program::{ADDRESS_SPACE_KIB, run_confined};
use crate::support::skip::{require_program, spawn_for_test};
use crate::support::snapshot::{self, Table};
use crate::support::terminal::Terminal;
use crate::support::{TIMEOUT, process_memory_kib, wait_until, wording};

#[test]
fn gives_up_on_a_server_that_only_sends() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        conn.flood(EVENT.repeat(500).as_bytes());
    });
    // More than any socket buffers.
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&script, format!("listen a={}\n", "x".repeat(4_000_000))).unwrap();
    let args = ["--max-message", "1M", "--no-schema", &peer.address(), "-f", script.path().to_str().unwrap()];
    let run = run_confined(&args, 2 * ADDRESS_SPACE_KIB).expect_status(4);
    snapshot::check(
        run.stderr.lines().last().unwrap(),
        expect![[r#"
            {DIR}:1: The server kept sending and read nothing before `listen` was answered. It may or may not have been executed.
        "#]],
    );
}

#[test]
fn ctrl_c_cancels_a_request_that_the_server_does_not_read() {
    let mut table = Table::new();
    for command in ["listen", ".fd /dev/null listen"] {
        let (sent_tx, sent_rx) = std::sync::mpsc::channel();
        let (end_tx, end_rx) = std::sync::mpsc::channel::<()>();
        let peer = Peer::start(move |conn| {
            conn.negotiate();
            // Reads nothing after the beginning for the rest of the test.
            conn.wait_for_data();
            sent_tx.send(()).unwrap();
            let _ = end_rx.recv();
        });
        let script = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&script, format!("{command} a={}\n", "x".repeat(4_000_000))).unwrap();
        let Some(terminal) = Terminal::qmp_shell(&format!("--no-schema {}", peer.address())) else { return };
        terminal.wait_for_last("(QEMU)");
        terminal.enter(&format!(".source {}", script.path().display()));
        sent_rx.recv_timeout(TIMEOUT).unwrap();
        // Only once: Ctrl-C also drops what the terminal has not printed yet.
        terminal.press("C-c");
        terminal.wait_for_last(wording::NOT_CONNECTED);
        let text = terminal.scrollback();
        let error = text.lines().rfind(|line| line.contains(wording::ERROR));
        table.row(command, error.unwrap_or_else(|| panic!("{text}")).trim_end());
        terminal.press("C-d");
        terminal.wait_for("[ended 0]");
        drop(end_tx);
    }
    table.check(expect![[r#"
        > listen
        error: {DIR}:1: Sending was cancelled part-way before `listen` was answered. It may or may not have been executed. The next command will reconnect.

        > .fd /dev/null listen
        error: {DIR}:1: Sending was cancelled part-way before `listen` was answered. It may or may not have been executed. The next command will reconnect.
    "#]]);
}

#[test]
fn a_flood_does_not_delay_timeouts() {
    // Everything that waits with a timeout, for a server that never replies.
    const RUNS: &[(&[&str], i32, &str)] = &[
        (&["-c", "# a script reads what has come by its end"], 0, ""),
        (&["-c", ".wait STOP timeout=0.3"], 1, ""),
        (&["--complete", "block_resize dev"], 0, ""),
    ];
    let run = |(args, status, shown): &(&[&str], i32, &str)| {
        let peer = Peer::start(|conn| {
            conn.negotiate();
            conn.flood(EVENT.repeat(500).as_bytes());
        });
        let start = Instant::now();
        let address = peer.address();
        let run = run_confined(&[&[address.as_str(), "--no-events"], *args].concat(), ADDRESS_SPACE_KIB);
        assert_eq!((run.status, run.stdout.as_str()), (*status, *shown), "{args:?}: {run:#?}");
        assert!(start.elapsed() < Duration::from_secs(20), "{args:?}: {:?}", start.elapsed());
    };
    std::thread::scope(|scope| RUNS.iter().for_each(|row| drop(spawn_for_test(scope, move || run(row)))));
}

#[test]
fn a_flood_at_a_prompt_is_bounded_in_memory() {
    let floods = ["{}\n", "\x7f\n", EVENT, "{\"return\": 1, \"id\": \"other\"}\n", "{\"QMP\": {}}\n"];
    std::thread::scope(|scope| floods.iter().for_each(|what| drop(spawn_for_test(scope, || flood_a_prompt(what)))));
}

fn flood_a_prompt(what: &'static str) {
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        conn.flood(what.repeat(1000).as_bytes());
    });
    // A pager that prints nothing keeps the prompt from reading the messages.
    let shell = env!("CARGO_BIN_EXE_qmp-shell");
    let line = format!("PAGER='sleep 0.5' {shell} --no-schema {}", peer.address());
    let Some(terminal) = Terminal::start(&line, 80, 10) else { return };
    terminal.wait("a prompt", |screen| screen.contains("(QEMU)") || screen.contains(wording::NOT_CONNECTED));
    terminal.enter(".help");
    // On the screen the output of a line would scroll away at once.
    let file = terminal.home.join("file");
    terminal.enter(&format!("!touch {}", file.display()));
    wait_until("the file that the line makes", || file.exists());
    let peak = process_memory_kib(&terminal.program_id(), "VmHWM:");
    assert!(peak < ADDRESS_SPACE_KIB, "{what:?}: {peak} KiB");
    // While `touch` runs, typed keys go to it.
    wait_until("the shell to exit", || {
        terminal.press("C-d");
        terminal.screen().contains("[ended 0]")
    });
}

/// The prompt reads keys between two redraws, so no redraw may be long.
#[test]
fn a_flood_is_shown_in_small_redraws() {
    let event = format!("{{\"event\": \"E\", \"data\": {{\"words\": \"{}\"}}}}\r\n", "word ".repeat(1000));
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        conn.flood(event.repeat(10).as_bytes());
    });
    let Some(terminal) = Terminal::qmp_shell(&format!("--no-schema {}", peer.address())) else { return };
    let raw = terminal.record();
    wait_until("a flood", || raw().len() > 4 << 20);
    wait_until("the shell to exit", || {
        terminal.press("C-d");
        terminal.screen().contains("[ended 0]")
    });
    let raw = raw();
    let longest = String::from_utf8_lossy(&raw).split("(QEMU)").map(str::len).max();
    assert!(longest.is_some_and(|longest| longest < 128 << 10), "{longest:?} of {}", raw.len());
}

#[test]
fn a_flood_from_a_wrapped_qemu_is_bounded_in_memory() {
    let Some(qemu) = require_program("qemu-system-x86_64") else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("loud-qemu");
    // Floods with line ends and without.
    let text = format!("#!/bin/sh\nyes >&2 &\ntr '\\0' x < /dev/zero >&2 &\nexec {} \"$@\"\n", qemu.display());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let shell = env!("CARGO_BIN_EXE_qmp-shell-wrap");
    let machine = "-machine none -display none -nodefaults";
    let line = format!("PAGER='sleep 1' {shell} --no-history {} {machine}", script.display());
    let Some(terminal) = Terminal::start(&line, 80, 10) else { return };
    let raw = terminal.record();
    terminal.wait_for("(QEMU)");
    terminal.enter(".help");
    // It scrolls away at once.
    let left_out = || String::from_utf8_lossy(&raw()).contains(wording::LINES_DROPPED);
    wait_until("the notice of dropped lines", left_out);
    let file = terminal.home.join("file");
    terminal.enter(&format!("!touch {}; sleep 0.1", file.display()));
    wait_until("the file that the line makes", || file.exists());
    let peak = process_memory_kib(&terminal.program_id(), "VmHWM:");
    assert!(peak < ADDRESS_SPACE_KIB, "{peak} KiB");
    wait_until("the shell to exit", || {
        terminal.press("C-d");
        terminal.screen().contains("[ended 0]")
    });
}
