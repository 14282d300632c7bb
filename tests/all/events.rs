//! Events at the prompt: they appear above the line being typed, at once, each once and in order, and leave the line
//! intact.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};

use crate::support::peer::Peer;
use crate::support::server::{Q35, SMALL, Server, run_hmp_line};
use crate::support::terminal::Terminal;
use crate::support::wait_until;

const SHELL: &str = env!("CARGO_BIN_EXE_qmp-shell");

/// Starts a peer that sends an event for each name from the channel, and replies to nothing.
fn announcer() -> (Peer, Sender<String>) {
    let (name_tx, name_rx) = channel::<String>();
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        for name in name_rx {
            conn.send_event(&name, "{}");
        }
        conn.wait_for_close();
    });
    (peer, name_tx)
}

/// Returns the screen from the last prompt on. `None` if the terminal shows no prompt, as in the middle of a redraw.
fn typed(screen: &str) -> Option<&str> {
    let at = ["(QEMU)", "TRANS>"].iter().filter_map(|prompt| screen.rfind(prompt)).max();
    Some(&screen[at?..])
}

/// Returns the numbers of the words with this prefix, in order.
fn numbered(text: &str, prefix: &str) -> Vec<usize> {
    text.split_whitespace().filter_map(|word| word.strip_prefix(prefix)?.parse().ok()).collect()
}

struct Typing {
    what: &'static str,
    columns: usize,
    /// Texts to type, and keys in angle brackets.
    keys: &'static [&'static str],
    /// The last row afterwards.
    last: &'static str,
}

const TYPING: &[Typing] = &[
    Typing { what: "nothing", columns: 100, keys: &[], last: "(QEMU)" },
    Typing { what: "half a line", columns: 100, keys: &["block-job-cancel dev"], last: "(QEMU) block-job-cancel dev" },
    Typing {
        what: "the middle of a line",
        columns: 100,
        keys: &["query-block", "<Left>", "<Left>", "<Left>"],
        last: "(QEMU) query-block",
    },
    Typing {
        what: "a line over several rows",
        columns: 20,
        keys: &["blockdev-add driver=null-co node-name=n0"],
        last: "name=n0",
    },
    Typing {
        what: "the first row of several",
        columns: 20,
        keys: &["blockdev-add driver=null-co node-name=n0", "<Home>", "<Right>"],
        last: "name=n0",
    },
    Typing { what: "a row that is exactly full", columns: 20, keys: &["query-status1"], last: "(QEMU) query-status1" },
    Typing {
        what: "wide characters at the edge",
        columns: 20,
        keys: &["x a=漢字漢字漢字漢字", "<Left>"],
        last: "漢字漢字",
    },
    Typing { what: "an action", columns: 100, keys: &["transaction(", "<Enter>", "abort"], last: "TRANS> abort" },
    Typing {
        what: "JSON over several lines",
        columns: 100,
        keys: &["{\"execute\":", "<Enter>", "  \"query-st"],
        last: "  \"query-st",
    },
    Typing {
        what: "a line above a list of candidates",
        columns: 100,
        keys: &[".h", "<Tab>"],
        last: ".history  show the last N lines entered (defaul…",
    },
];

#[test]
fn shows_an_event_above_the_line_being_typed() {
    for typing in TYPING {
        let what = typing.what;
        let (peer, name_tx) = announcer();
        // Three hours east of Greenwich, because times are shown as local times.
        let command = format!("TZ=XYZ-3 {SHELL} --no-schema {}", peer.address());
        let Some(terminal) = Terminal::start(&command, typing.columns, 30) else { return };
        terminal.wait_for_last("(QEMU)");
        for keys in typing.keys {
            match keys.strip_prefix('<').and_then(|key| key.strip_suffix('>')) {
                Some(key) => terminal.press(key),
                None => terminal.type_text(keys),
            }
        }
        let before = terminal.wait(what, |screen| screen.lines().last() == Some(typing.last));
        // Cursor keys leave no other trace; the event is printed after all keys were handled.
        name_tx.send("E0".to_owned()).unwrap();
        terminal.wait_for("01:13:20.345 E0 {}");
        let at = terminal.cursor();
        let line = typed(&before).unwrap();
        for event in 1..3 {
            name_tx.send(format!("E{event}")).unwrap();
            let screen = terminal.wait_for(&format!("01:13:20.345 E{event} {{}}"));
            let above: String = (0..=event).map(|n| format!("01:13:20.345 E{n} {{}}\n")).collect();
            assert!(screen.ends_with(&format!("\n{above}{line}")), "{what}:\n{screen}\nfor\n{above}{line}");
            assert_eq!(terminal.cursor(), (at.0, at.1 + event), "{what}:\n{screen}");
        }
    }
}

#[test]
fn keeps_the_cursor_where_it_was_after_an_event() {
    let (peer, name_tx) = announcer();
    let Some(terminal) = Terminal::start(&format!("{SHELL} {}", peer.address()), 20, 30) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.type_text("blockdev-add node-name=nX driver=null-co");
    for _ in 0.." driver=null-co".len() {
        terminal.press("Left");
    }
    name_tx.send("E0".to_owned()).unwrap();
    terminal.wait_for(" E0 {}");
    terminal.press("BSpace");
    name_tx.send("E1".to_owned()).unwrap();
    terminal.wait_for(" E1 {}");
    terminal.type_text("12345");
    terminal.wait_for(" E1 {}\n(QEMU) blockdev-add\nnode-name=n12345 dri\nver=null-co");
}

#[test]
fn shows_events_from_the_top_of_a_cleared_screen() {
    for colour in ["always", "never"] {
        let (peer, name_tx) = announcer();
        let command = format!("--color={colour} --no-schema {}", peer.address());
        let Some(terminal) = Terminal::qmp_shell(&command) else { return };
        terminal.wait_for_last("(QEMU)");
        // Keys to press and the row afterwards, with the cursor at the end and in the middle of the line.
        for (round, (keys, line)) in [
            (&[][..], "(QEMU)"),
            (&["s", "t", "o"], "(QEMU) sto"),
            (&["C-b"], "(QEMU) sto"),
            (&["C-b", "C-b"], "(QEMU) sto"),
        ]
        .into_iter()
        .enumerate()
        {
            terminal.press("C-l");
            terminal.wait("an empty screen", |screen| screen.lines().count() == 1);
            keys.iter().for_each(|key| terminal.press(key));
            terminal.wait_for_last(line);
            let names = ["A", "B", "C"].map(|name| format!("{name}{round}"));
            for (index, name) in names.iter().enumerate() {
                name_tx.send(name.clone()).unwrap();
                let screen = terminal.wait(name, |screen| screen.contains(name.as_str()) && screen.ends_with(line));
                assert_eq!(screen.lines().count(), index + 2, "{screen}");
            }
            let screen = terminal.screen();
            assert!(names.iter().zip(screen.lines()).all(|(name, row)| row.contains(name.as_str())), "{screen}");
        }
    }
}

#[test]
fn shows_events_while_the_history_is_searched() {
    let (peer, name_tx) = announcer();
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("# a line to be found");
    terminal.wait_for("found\n(QEMU)");
    terminal.press("C-l");
    terminal.wait("an empty screen", |screen| screen.lines().count() == 1);
    terminal.press("C-r");
    let mut shown = 0;
    // The line and the row below it after each key. F5 means nothing and ends the search.
    for (key, below) in [
        ("", "(QEMU)\n(reverse search) _"),
        ("to be", "(QEMU) # a line to be found\n(reverse search) to be_"),
        ("x", "(QEMU) # a line to be found\n(no older match) to bex_"),
        ("F5", "(QEMU) # a line to be found"),
        ("Home", "(QEMU) # a line to be found"),
    ] {
        match key {
            "F5" | "Home" => terminal.press(key),
            text => terminal.type_text(text),
        }
        terminal.wait(below, |screen| screen.ends_with(below));
        for _ in 0..2 {
            shown += 1;
            let name = format!("E{shown}");
            name_tx.send(name.clone()).unwrap();
            let screen = terminal.wait(&name, |screen| screen.contains(&name) && screen.ends_with(below));
            assert_eq!(numbered(&screen, "E"), (1..=shown).collect::<Vec<_>>(), "{screen}");
            assert_eq!(screen.lines().count(), shown + below.lines().count(), "{screen}");
        }
    }
    let (column, row) = terminal.cursor();
    assert_eq!((column, row), ("(QEMU) ".len(), shown));
}

#[test]
fn shows_a_thousand_events_in_order_while_a_line_is_typed() {
    let (peer, name_tx) = announcer();
    let Some(terminal) = Terminal::start(&format!("{SHELL} {}", peer.address()), 60, 20) else { return };
    terminal.wait_for("(QEMU)");
    let line = "blockdev-add driver=qcow2 node-name=n0 file.driver=file file.filename=/tmp/a.qcow2";
    let mut events = 0..1000;
    for c in line.chars() {
        for number in events.by_ref().take(10) {
            name_tx.send(format!("E{number}")).unwrap();
        }
        terminal.type_text(&c.to_string());
    }
    for number in events {
        name_tx.send(format!("E{number}")).unwrap();
    }
    terminal.wait_for(" E999 {}");
    let screen = terminal.wait("the whole line", |screen| {
        typed(screen).is_some_and(|typed| typed.replace('\n', "") == format!("(QEMU) {line}"))
    });
    assert!(screen.contains(" E999 {}\n(QEMU) blockdev-add"), "{screen}");
    // No copy of the prompt is left among them. A redraw removes it for a moment.
    let all = terminal.wait_in_scrollback("one prompt", |all| all.matches("(QEMU)").count() == 1);
    assert_eq!(numbered(&all, "E"), (0..1000).collect::<Vec<_>>());
}

#[test]
fn shows_events_once_when_they_come_with_enter() {
    const ROUNDS: usize = 60;
    let (round_tx, round_rx) = channel::<usize>();
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        for round in 0..ROUNDS {
            // Some before Enter, some as it is pressed, some with the reply.
            assert_eq!(round_rx.recv().unwrap(), round);
            for part in 0..3 {
                conn.send_event(&format!("E{}", 5 * round + part), "{}");
            }
            let id = conn.expect_command("query-uuid");
            conn.send_event(&format!("E{}", 5 * round + 3), "{}");
            conn.reply(&id, &format!("\"R{round}\""));
            conn.send_event(&format!("E{}", 5 * round + 4), "{}");
        }
        conn.wait_for_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    for round in 0..ROUNDS {
        terminal.type_text(&format!("query-uuid # {round}"));
        round_tx.send(round).unwrap();
        terminal.press("Enter");
        terminal.wait_for(&format!("\n\"R{round}\""));
    }
    let last = 5 * ROUNDS - 1;
    terminal.wait_for(&format!(" E{last} {{}}"));
    let all = terminal.scrollback();
    assert_eq!(numbered(&all, "E"), (0..=last).collect::<Vec<_>>(), "{all}");
    for round in 0..ROUNDS {
        assert_eq!(all.matches(&format!("\"R{round}\"")).count(), 1, "{all}");
        let (command, reply) = (format!("(QEMU) query-uuid # {round}"), format!("\"R{round}\""));
        let at = |text: &str| all.find(text).unwrap_or_else(|| panic!("no {text} in\n{all}"));
        assert!(at(&command) < at(&reply), "{all}");
        assert!(at(&format!(" E{} ", 5 * round + 3)) < at(&reply), "{all}");
        assert!(at(&reply) < at(&format!(" E{} ", 5 * round + 4)), "{all}");
    }
}

#[test]
fn shows_events_while_the_window_is_resized() {
    let (peer, name_tx) = announcer();
    let Some(terminal) = Terminal::start(&format!("{SHELL} {}", peer.address()), 80, 20) else { return };
    terminal.wait_for("(QEMU)");
    let line = "device_add driver=virtio-net-pci id=net0";
    terminal.type_text(line);
    let sizes = [(120, 30), (60, 10), (100, 40), (50, 20)];
    for number in 0..40 {
        name_tx.send(format!("E{number}")).unwrap();
        let (columns, rows) = sizes[number % sizes.len()];
        terminal.resize(columns, rows);
    }
    terminal.wait_for(&format!(" E39 {{}}\n(QEMU) {line}"));
    terminal.type_text("1");
    terminal.wait_for_last(&format!("(QEMU) {line}1"));
    assert_eq!(numbered(&terminal.scrollback(), "E"), (0..40).collect::<Vec<_>>());
}

#[test]
fn shows_the_events_of_a_real_machine() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.type_text("block-job-cancel dev");
    terminal.wait_for("(QEMU) block-job-cancel dev");
    run_hmp_line(&server.path("hmp.sock"), "cont");
    terminal.wait_for(" RESUME\n(QEMU) block-job-cancel dev");
    run_hmp_line(&server.path("hmp.sock"), "stop");
    let screen = terminal.wait_for(" STOP\n(QEMU) block-job-cancel dev");
    let row = screen.lines().find(|row| row.ends_with(" STOP")).unwrap();
    let shape: String = row.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "00:00:00.000 STOP");
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    // The event that a command causes comes before its reply.
    terminal.enter("cont");
    let screen = terminal.wait_for("RESUME\n{}\n(QEMU)");
    assert_eq!(screen.matches("RESUME").count(), 2, "{screen}");
    assert!(terminal.coloured_screen().contains("\x1b[1m\x1b[35mRESUME"));
}

#[test]
fn a_job_that_fails_looks_like_an_error_with_its_reason() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("blockdev-create job-id=j options.driver=file options.filename=/nonexistent/x options.size=1");
    terminal.wait_for("error: job `j` failed: Could not create '/nonexistent/x': No such file or directory\n");
    let failed = "\x1b[1m\x1b[31mJOB_STATUS_CHANGE";
    let screen = terminal.wait("the reply", |screen| screen.trim_end().ends_with("(QEMU)"));
    assert_eq!(screen.matches("JOB_STATUS_CHANGE").count(), 4, "{screen}");
    assert_eq!(terminal.coloured_screen().matches(failed).count(), 1, "{}", terminal.coloured_screen());
    assert_eq!(screen.matches("error: ").count(), 1, "{screen}");
    // A member `error` looks like an error in a reply too.
    terminal.enter("query-jobs");
    let reason = "\x1b[1m\x1b[31m\"Could not create '/nonexistent/x': No such file or directory\"";
    wait_until("the reply in colour", || terminal.coloured_screen().contains(reason));
}

#[test]
fn a_migration_that_fails_is_reported_with_its_reason() {
    for start in [Server::qemu, Server::qemu_7_2] {
        let Some(server) = start(Q35) else { return };
        let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
        terminal.wait_for_last("(QEMU)");
        terminal.enter("migrate-set-capabilities capabilities.0.capability=events capabilities.0.state=on");
        terminal.wait_for("{}\n(QEMU)");
        terminal.enter("migrate uri=unix:/nonexistent/socket");
        terminal.wait_for("error: the migration failed: Failed to connect to '/nonexistent/socket': No such file");
    }
}

#[test]
fn a_job_that_stops_at_an_error_says_how_to_go_on() {
    let Some(server) = Server::qemu(SMALL) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    terminal.wait_for_last("(QEMU)");
    let inject = |number: usize, kind: &str| {
        format!(
            "inject-error.{number}.event=none inject-error.{number}.once=off inject-error.{number}.errno=28 \
             inject-error.{number}.iotype={kind}"
        )
    };
    for (name, errors) in [("good", String::new()), ("bad", inject(0, "write") + " " + &inject(1, "write-zeroes"))] {
        terminal.enter(&format!(
            "blockdev-add driver=blkdebug node-name={name} image.driver=null-co image.size=1M {errors}"
        ));
        terminal.wait_for("{}\n(QEMU)");
    }
    terminal.enter("blockdev-backup job-id=j device=good target=bad sync=full on-target-error=stop");
    terminal.wait_for("error: job `j` is paused after a write error; `job-resume id=j` tries again: no space left");
}

#[test]
fn a_failure_whose_reason_is_gone_is_reported_without() {
    let peer = Peer::start(|conn| {
        conn.negotiate();
        conn.send_event("JOB_STATUS_CHANGE", r#"{"id": "j", "status": "aborting"}"#);
        conn.send_event("JOB_STATUS_CHANGE", r#"{"id": "j", "status": "concluded"}"#);
        let id = conn.expect_command("query-jobs");
        conn.reply(&id, "[]");
        conn.refuse_until_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else { return };
    terminal.wait_for("error: job `j` failed\n(QEMU)");
}

#[test]
fn a_flood_of_events_prevents_neither_typing_nor_leaving() {
    let left = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&left);
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        let block = "{\"event\": \"TICK\", \"data\": {\"value\": 12345678}}\r\n".repeat(3000);
        while !flag.load(Ordering::SeqCst) {
            conn.send(block.as_bytes());
        }
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else { return };
    terminal.wait_for(" TICK ");
    let program = format!("/proc/{}", terminal.program_id());
    // Nothing can be read on a screen that scrolls this fast, so the test looks at the effects of the line.
    let file = terminal.home.join("typed");
    terminal.enter(&format!("!touch {}", file.display()));
    wait_until("the file that the line makes", || file.exists());
    wait_until("the shell to exit", || {
        // Between two prompts the key is lost.
        terminal.press("C-d");
        !Path::new(&program).exists()
    });
    left.store(true, Ordering::SeqCst);
}
