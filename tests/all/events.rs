//! Events at the prompt: above the line being typed, at once, each once and in order; the line stays whole.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};

use crate::support::peer::Peer;
use crate::support::server::{Q35, Server, say_to_human_monitor};
use crate::support::terminal::Terminal;
use crate::support::wait_until;

const SHELL: &str = env!("CARGO_BIN_EXE_qmp-shell");

/// A peer that says an event for each name it is given, until the client closes. It answers nothing.
fn announcer() -> (Peer, Sender<String>) {
    let (say, told) = channel::<String>();
    let peer = Peer::start(move |talk| {
        talk.negotiate();
        for name in told {
            talk.event(&name, "{}");
        }
        talk.wait_for_close();
    });
    (peer, say)
}

/// What is being typed: the screen from the last prompt on.
fn typed(screen: &str) -> &str {
    let at = ["(QEMU)", "TRANS>"].iter().filter_map(|prompt| screen.rfind(prompt)).max();
    &screen[at.unwrap_or_else(|| panic!("no prompt on\n{screen}"))..]
}

/// The words of this shape in `text`, in order.
fn numbered(text: &str, prefix: &str) -> Vec<usize> {
    text.split_whitespace().filter_map(|word| word.strip_prefix(prefix)?.parse().ok()).collect()
}

/// One thing being typed as an event comes.
struct Typing {
    what: &'static str,
    columns: usize,
    /// What is typed, and keys by name in angle brackets.
    keys: &'static [&'static str],
    /// The last row that this leaves.
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
    Typing { what: "a row that is just full", columns: 20, keys: &["query-status1"], last: "(QEMU) query-status1" },
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
    Typing { what: "a line behind a list of completions", columns: 100, keys: &[".e", "<Tab>"], last: "(QEMU) .e" },
];

#[test]
fn an_event_stands_above_whatever_is_being_typed_and_leaves_it_whole() {
    for typing in TYPING {
        let what = typing.what;
        let (peer, say) = announcer();
        // Three hours east of Greenwich: the time shown is local.
        let command = format!("TZ=XYZ-3 {SHELL} --no-schema {}", peer.address());
        let Some(terminal) = Terminal::start(&command, typing.columns, 30) else {
            return;
        };
        terminal.wait_for_last("(QEMU)");
        for keys in typing.keys {
            match keys.strip_prefix('<').and_then(|key| key.strip_suffix('>')) {
                Some(key) => terminal.press(key),
                None => terminal.type_text(keys),
            }
        }
        let before = terminal.wait(what, |screen| screen.lines().last() == Some(typing.last));
        // Keys that move the cursor leave no other trace, and what is printed comes after all that was typed.
        say.send("E0".to_owned()).unwrap();
        terminal.wait_for("01:13:20.345 E0 {}");
        let at = terminal.cursor();
        let line = typed(&before);
        for event in 1..3 {
            say.send(format!("E{event}")).unwrap();
            let screen = terminal.wait_for(&format!("01:13:20.345 E{event} {{}}"));
            let above: String = (0..=event).map(|n| format!("01:13:20.345 E{n} {{}}\n")).collect();
            assert!(screen.ends_with(&format!("\n{above}{line}")), "{what}:\n{screen}\nfor\n{above}{line}");
            assert_eq!(terminal.cursor(), (at.0, at.1 + event), "{what}:\n{screen}");
        }
    }
}

#[test]
fn keys_go_on_where_they_were_after_an_event() {
    let (peer, say) = announcer();
    let Some(terminal) = Terminal::start(&format!("{SHELL} {}", peer.address()), 20, 30) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    terminal.type_text("blockdev-add node-name=nX driver=null-co");
    for _ in 0.." driver=null-co".len() {
        terminal.press("Left");
    }
    say.send("E0".to_owned()).unwrap();
    terminal.wait_for(" E0 {}");
    terminal.press("BSpace");
    say.send("E1".to_owned()).unwrap();
    terminal.wait_for(" E1 {}");
    terminal.type_text("12345");
    terminal.wait_for(" E1 {}\n(QEMU) blockdev-add\nnode-name=n12345 dri\nver=null-co");
}

#[test]
fn on_a_screen_just_cleared_events_begin_at_its_top() {
    for colour in ["always", "never"] {
        let (peer, say) = announcer();
        let command = format!("--color={colour} --no-schema {}", peer.address());
        let Some(terminal) = Terminal::qmp_shell(&command) else { return };
        terminal.wait_for_last("(QEMU)");
        // What is pressed then, and what it leaves: with the cursor at the end of the line and in the middle of it.
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
                say.send(name.clone()).unwrap();
                let screen = terminal.wait(name, |screen| screen.contains(name.as_str()) && screen.ends_with(line));
                assert_eq!(screen.lines().count(), index + 2, "{screen}");
            }
            let screen = terminal.screen();
            assert!(names.iter().zip(screen.lines()).all(|(name, row)| row.contains(name.as_str())), "{screen}");
        }
    }
}

#[test]
fn a_search_through_the_history_is_not_disturbed_and_events_are_shown_after_it() {
    let (peer, say) = announcer();
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    terminal.enter("# a line to be found");
    terminal.wait_for("found\n(QEMU)");
    terminal.press("C-r");
    terminal.type_text("to be");
    let search = "(reverse-i-search)`to be': # a line to be found";
    terminal.wait_for_last(search);
    for number in 0..5 {
        say.send(format!("E{number}")).unwrap();
    }
    terminal.press("End");
    let screen = terminal.wait("five events above the line", |screen| {
        numbered(screen, "E").len() == 5 && screen.ends_with("\n(QEMU) # a line to be found")
    });
    assert_eq!(numbered(&screen, "E"), [0, 1, 2, 3, 4], "{screen}");
    assert_eq!(screen.matches("reverse-i-search").count(), 0, "{screen}");
}

#[test]
fn a_thousand_events_while_typing_are_all_shown_once_and_in_order() {
    let (peer, say) = announcer();
    let Some(terminal) = Terminal::start(&format!("{SHELL} {}", peer.address()), 60, 20) else {
        return;
    };
    terminal.wait_for("(QEMU)");
    let line = "blockdev-add driver=qcow2 node-name=n0 file.driver=file file.filename=/tmp/a.qcow2";
    let mut events = 0..1000;
    for c in line.chars() {
        for number in events.by_ref().take(10) {
            say.send(format!("E{number}")).unwrap();
        }
        terminal.type_text(&c.to_string());
    }
    for number in events {
        say.send(format!("E{number}")).unwrap();
    }
    terminal.wait_for(" E999 {}");
    let screen = terminal.wait("the whole line", |screen| typed(screen).replace('\n', "") == format!("(QEMU) {line}"));
    assert!(screen.contains(" E999 {}\n(QEMU) blockdev-add"), "{screen}");
    let all = terminal.scrollback();
    assert_eq!(numbered(&all, "E"), (0..1000).collect::<Vec<_>>());
    // No copy of the prompt is left between them.
    assert_eq!(all.matches("(QEMU)").count(), 1, "{all}");
}

#[test]
fn events_just_as_enter_is_pressed_are_neither_lost_nor_doubled() {
    const ROUNDS: usize = 60;
    let (say, told) = channel::<usize>();
    let peer = Peer::start(move |talk| {
        talk.negotiate();
        for round in 0..ROUNDS {
            // Some before Enter, some as it is pressed, some with the reply.
            assert_eq!(told.recv().unwrap(), round);
            for part in 0..3 {
                talk.event(&format!("E{}", 5 * round + part), "{}");
            }
            let id = talk.expect("query-name");
            talk.event(&format!("E{}", 5 * round + 3), "{}");
            talk.answer(&id, &format!("\"R{round}\""));
            talk.event(&format!("E{}", 5 * round + 4), "{}");
        }
        talk.wait_for_close();
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    for round in 0..ROUNDS {
        terminal.type_text(&format!("query-name # {round}"));
        say.send(round).unwrap();
        terminal.press("Enter");
        terminal.wait_for(&format!("\n\"R{round}\""));
    }
    let last = 5 * ROUNDS - 1;
    terminal.wait_for(&format!(" E{last} {{}}"));
    let all = terminal.scrollback();
    assert_eq!(numbered(&all, "E"), (0..=last).collect::<Vec<_>>(), "{all}");
    for round in 0..ROUNDS {
        assert_eq!(all.matches(&format!("\"R{round}\"")).count(), 1, "{all}");
        let (command, reply) = (format!("(QEMU) query-name # {round}"), format!("\"R{round}\""));
        let at = |text: &str| all.find(text).unwrap_or_else(|| panic!("no {text} in\n{all}"));
        assert!(at(&command) < at(&reply), "{all}");
        assert!(at(&format!(" E{} ", 5 * round + 3)) < at(&reply), "{all}");
        assert!(at(&reply) < at(&format!(" E{} ", 5 * round + 4)), "{all}");
    }
}

#[test]
fn the_window_may_change_its_size_as_events_come() {
    let (peer, say) = announcer();
    let Some(terminal) = Terminal::start(&format!("{SHELL} {}", peer.address()), 80, 20) else {
        return;
    };
    terminal.wait_for("(QEMU)");
    let line = "device_add driver=virtio-net-pci id=net0";
    terminal.type_text(line);
    let sizes = [(120, 30), (60, 10), (100, 40), (50, 20)];
    for number in 0..40 {
        say.send(format!("E{number}")).unwrap();
        let (columns, rows) = sizes[number % sizes.len()];
        terminal.resize(columns, rows);
    }
    terminal.wait_for(&format!(" E39 {{}}\n(QEMU) {line}"));
    terminal.type_text("1");
    terminal.wait_for_last(&format!("(QEMU) {line}1"));
    assert_eq!(numbered(&terminal.scrollback(), "E"), (0..40).collect::<Vec<_>>());
}

#[test]
fn a_machine_tells_what_happens_to_it() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else {
        return;
    };
    terminal.wait_for_last("(QEMU)");
    terminal.type_text("block-job-cancel dev");
    terminal.wait_for_last("(QEMU) block-job-cancel dev");
    say_to_human_monitor(&server.path("hmp.sock"), "cont");
    terminal.wait_for(" RESUME\n(QEMU) block-job-cancel dev");
    say_to_human_monitor(&server.path("hmp.sock"), "stop");
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
fn a_server_that_never_stops_talking_keeps_nobody_from_typing_and_leaving() {
    let left = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&left);
    let peer = Peer::start(move |talk| {
        talk.negotiate();
        let block = "{\"event\": \"TICK\", \"data\": {\"value\": 12345678}}\r\n".repeat(3000);
        while !flag.load(Ordering::SeqCst) {
            talk.say_raw(block.as_bytes());
        }
    });
    let Some(terminal) = Terminal::qmp_shell(&peer.address()) else {
        return;
    };
    terminal.wait_for(" TICK ");
    let program = format!("/proc/{}", terminal.program_id());
    // On a screen that rushes past nothing can be read, so look at what the keys bring about.
    let file = terminal.home.join("typed");
    terminal.enter(&format!("!touch {}", file.display()));
    wait_until("what the line does", || file.exists());
    wait_until("the shell's end", || {
        // Between two prompts the key goes to nobody.
        terminal.press("C-d");
        !Path::new(&program).exists()
    });
    left.store(true, Ordering::SeqCst);
}
