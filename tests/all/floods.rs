//! Servers, and a QEMU, that never stop: no time-out comes late, what waits is bounded, and the user gets a word in.

use std::time::{Duration, Instant};

use crate::support::peer::{EVENT, Peer};
use crate::support::program::{SPACE, confined};
use crate::support::terminal::Terminal;
use crate::support::{find_program, memory_of, skip, wait_until};

#[test]
fn a_server_that_talks_without_end_and_takes_nothing_is_given_up() {
    let peer = Peer::start(|talk| {
        talk.negotiate();
        talk.flood(EVENT.repeat(500).as_bytes());
    });
    // More than any socket's buffer holds.
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&script, format!("listen a={}\n", "x".repeat(4_000_000))).unwrap();
    let args = ["--max-message", "1M", "--no-schema", &peer.address(), "-f", script.path().to_str().unwrap()];
    let run = confined(&args, 2 * SPACE).expect_status(4);
    let message = "The server talks without end and takes nothing before `listen` was answered";
    assert!(run.stderr.contains(message), "{}", run.stderr);
}

/// At a prompt the user has the last word, be it half of it sent, and a descriptor with it.
#[test]
fn a_line_that_is_not_taken_is_given_up_by_ctrl_c() {
    if find_program("tmux").is_none() {
        return skip("tmux");
    }
    for command in ["listen", ".fd /dev/null listen"] {
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let peer = Peer::start(move |talk| {
            talk.negotiate();
            // Takes nothing, as long as the test lasts.
            let _ = told.recv();
        });
        let script = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&script, format!("{command} a={}\n", "x".repeat(4_000_000))).unwrap();
        let terminal = Terminal::qmp_shell(&format!("--no-schema {}", peer.address())).unwrap();
        terminal.wait_for_last("(QEMU)");
        let line = format!(".source {}", script.path().display());
        terminal.enter(&line);
        terminal.wait("the line being sent", |screen| screen.ends_with(&line));
        // Whether it is being sent already can't be seen; Ctrl-C at a prompt drops the line and does no harm.
        wait_until("the end of the wait", || {
            terminal.press("C-c");
            terminal.screen().contains("(not connected)")
        });
        assert!(terminal.screen().contains("The sending was given up half-way"), "{}", terminal.screen());
        terminal.press("C-d");
        terminal.wait_for("[ended 0]");
        drop(tell);
    }
}

/// A server that never answers, and whatever waits for it with a limit of its own.
#[test]
fn a_flood_makes_no_time_out_late() {
    const RUNS: &[(&[&str], i32, &str)] = &[
        (&["-c", "# what has come by the end of a script"], 0, ""),
        (&["-c", ".wait STOP timeout=0.3"], 1, ""),
        (&["--complete", "block_resize dev"], 0, ""),
        (
            // Introspection never comes.
            &["--dry-run", "-c", "block_resize device=x"],
            0,
            "{\"execute\": \"block_resize\", \"arguments\": {\"device\": \"x\"}}\n",
        ),
    ];
    let run = |(args, status, shown): &(&[&str], i32, &str)| {
        let peer = Peer::start(|talk| {
            talk.negotiate();
            talk.flood(EVENT.repeat(500).as_bytes());
        });
        let begun = Instant::now();
        let address = peer.address();
        let run = confined(&[&[address.as_str(), "--no-events"], *args].concat(), SPACE);
        assert_eq!((run.status, run.stdout.as_str()), (*status, *shown), "{args:?}: {run:#?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{args:?}: {:?}", begun.elapsed());
    };
    std::thread::scope(|scope| RUNS.iter().for_each(|row| drop(scope.spawn(move || run(row)))));
}

/// Endless news for a prompt at which nobody does anything: what waits is bounded, and the user gets a word in.
#[test]
fn a_flood_leaves_a_prompt_in_bounded_memory_and_the_user_a_word() {
    if find_program("tmux").is_none() {
        return skip("tmux");
    }
    let floods = ["{}\n", "\x7f\n", EVENT, "{\"return\": 1, \"id\": \"whose\"}\n", "{\"QMP\": {}}\n"];
    std::thread::scope(|scope| floods.iter().for_each(|what| drop(scope.spawn(|| flood_a_prompt(what)))));
}

fn flood_a_prompt(what: &'static str) {
    let peer = Peer::start(move |talk| {
        talk.negotiate();
        talk.flood(what.repeat(1000).as_bytes());
    });
    // A pager that shows nothing keeps the prompt from taking what comes.
    let shell = env!("CARGO_BIN_EXE_qmp-shell");
    let line = format!("PAGER='sleep 0.5' {shell} --no-schema {}", peer.address());
    let terminal = Terminal::start(&line, 80, 10).unwrap();
    terminal.wait("a prompt", |screen| screen.contains("(QEMU)") || screen.contains("(not connected)"));
    terminal.enter(".help");
    // On the screen it would be gone in no time.
    let word = terminal.home.join("word");
    terminal.enter(&format!("!touch {}", word.display()));
    wait_until("what the user said", || word.exists());
    let peak = memory_of(&terminal.program_id(), "VmHWM:");
    assert!(peak < SPACE, "{what:?}: {peak} KiB");
    // While the word is said, the terminal is somebody else's, and so is what is typed.
    wait_until("the end", || {
        terminal.press("C-d");
        terminal.screen().contains("[ended 0]")
    });
}

/// A terminal may take its time over what it is given; a key is looked at between two redraws.
#[test]
fn a_flood_is_shown_in_pieces() {
    if find_program("tmux").is_none() {
        return skip("tmux");
    }
    let event = format!("{{\"event\": \"E\", \"data\": {{\"words\": \"{}\"}}}}\r\n", "word ".repeat(1000));
    let peer = Peer::start(move |talk| {
        talk.negotiate();
        talk.flood(event.repeat(10).as_bytes());
    });
    let terminal = Terminal::qmp_shell(&format!("--no-schema {}", peer.address())).unwrap();
    let raw = terminal.record();
    wait_until("a flood", || raw().len() > 4 << 20);
    wait_until("the end", || {
        terminal.press("C-d");
        terminal.screen().contains("[ended 0]")
    });
    let raw = raw();
    let longest = String::from_utf8_lossy(&raw).split("(QEMU)").map(str::len).max();
    assert!(longest.is_some_and(|longest| longest < 128 << 10), "{longest:?} of {}", raw.len());
}

/// A QEMU that never stops complaining, with line ends and without, while nobody can be shown it.
#[test]
fn a_wrapped_qemu_that_never_stops_complaining_fills_no_memory() {
    let Some(qemu) = find_program("qemu-system-x86_64") else {
        return skip("qemu-system-x86_64");
    };
    if find_program("tmux").is_none() {
        return skip("tmux");
    }
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("loud-qemu");
    let text = format!("#!/bin/sh\nyes >&2 &\ntr '\\0' x < /dev/zero >&2 &\nexec {} \"$@\"\n", qemu.display());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let shell = env!("CARGO_BIN_EXE_qmp-shell-wrap");
    let machine = "-machine none -display none -nodefaults";
    let line = format!("PAGER='sleep 1' {shell} --no-history {} {machine}", script.display());
    let terminal = Terminal::start(&line, 80, 10).unwrap();
    let raw = terminal.record();
    terminal.wait_for("(QEMU)");
    terminal.enter(".help");
    // It scrolls by.
    let left_out = || String::from_utf8_lossy(&raw()).contains(" lines were left out here.)");
    wait_until("a word on what was left out", left_out);
    let word = terminal.home.join("word");
    terminal.enter(&format!("!touch {}; sleep 0.1", word.display()));
    wait_until("what the user said", || word.exists());
    let peak = memory_of(&terminal.program_id(), "VmHWM:");
    assert!(peak < SPACE, "{peak} KiB");
    wait_until("the end", || {
        terminal.press("C-d");
        terminal.screen().contains("[ended 0]")
    });
}
