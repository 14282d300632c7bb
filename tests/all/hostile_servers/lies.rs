//! Valid replies that lie: a real QEMU, each of whose replies is changed on the way, and all that the shell asks by itself.
//!
//! Each line must have an outcome, in bounded time and memory, without control characters. Unit tests try all commands of the
//! shell's own monitor and all views with replies of every form.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Map, Value, json};

use crate::support::peer::{Peer, PeerConnection};
use crate::support::program::qmp_shell;
use crate::support::server::{Q35, Server};
use crate::support::terminal::Terminal;

/// Text that would change a terminal, and a mark to look for.
const EVIL: &str = "\u{1b}]0;evil\u{7}\u{1b}[2J\n\r\u{202e}evil\u{2066}\u{9b}31m";

/// Characters that must not reach a terminal.
const EVIL_MARKS: [&str; 4] = ["\u{1b}]0;evil", "\u{202e}", "\u{2066}", "\u{9b}"];

/// Options of a machine with something to show for each topic.
const DEVICES: &[&str] = &[
    "-blockdev",
    "null-co,node-name=disk0,size=1048576",
    "-device",
    "virtio-blk-pci,drive=disk0,id=blk0",
    "-device",
    "pcie-root-port,id=port0",
    "-netdev",
    "user,id=n0,restrict=on",
    "-device",
    "virtio-net-pci,netdev=n0,id=net0",
    "-chardev",
    "null,id=c0",
    "-object",
    "memory-backend-ram,id=m0,size=1M",
    "-vga",
    "std",
];

/// Lines for which the shell asks the server by itself.
const LINES: &[&str] = &[
    ".show blocks",
    ".show chardevs",
    ".show cpus",
    ".show devices",
    ".show jobs",
    ".show memory",
    ".show migration",
    ".show network",
    ".show qom /objects",
    ".show screen",
    ".follow nothing",
    "help virtio-blk-pci",
    ".until query-status status=nothing every=0.05 timeout=0.2",
    ".until query-status | .status == \"nothing\" every=0.05 timeout=0.2",
    ".expect query-status status=nothing",
    ".wait job nothing timeout=0.2",
    ".explain savevm x",
    ".hmp info block -v",
    ".hmp info pci",
    ".hmp info network",
    ".hmp info migrate",
    ".hmp info registers",
    ".hmp info snapshots",
    ".hmp x/4xg 0",
    ".hmp commit all",
    ".hmp device_add virtio-blk-pci,help",
];

/// A change of a return value.
type Lie = fn(Value) -> Value;

const LIES: &[(&str, Lie)] = &[
    ("null", |_| Value::Null),
    ("a boolean", |_| true.into()),
    ("a number", |_| (-1).into()),
    ("text", |_| EVIL.into()),
    ("an empty list", |_| json!([])),
    ("an empty object", |_| json!({})),
    ("lists in lists", |_| json!([[[]]])),
    ("no empty list", |value| if value == json!([]) { json!([{}]) } else { value }),
    ("evil strings", |value| change(value, &|value| if value.is_string() { EVIL.into() } else { value })),
    ("evil ends of strings", |value| {
        change(value, &|value| value.as_str().map_or(value.clone(), |s| format!("{s}{EVIL}").into()))
    }),
    ("equal strings", |value| change(value, &|value| if value.is_string() { "x".into() } else { value })),
    ("empty strings", |value| change(value, &|value| if value.is_string() { "".into() } else { value })),
    ("paths to parents", |value| change(value, &|value| if value.is_string() { "../..".into() } else { value })),
    ("strings of 100,000 characters", |value| {
        change(value, &|value| if value.is_string() { "n".repeat(100_000).into() } else { value })
    }),
    ("negative numbers", |value| change(value, &|value| if value.is_number() { (-1).into() } else { value })),
    ("huge numbers", |value| change(value, &|value| if value.is_number() { u64::MAX.into() } else { value })),
    ("fractions", |value| change(value, &|value| if value.is_number() { json!(1e300) } else { value })),
    ("numbers as strings", |value| change(value, &|value| if value.is_number() { "12".into() } else { value })),
    ("missing members", |value| change(value, &without_every_third)),
    ("lists of twice as many", |value| match value {
        Value::Array(items) => items.iter().cycle().take(items.len() * 2).cloned().collect(),
        value => value,
    }),
];

/// Changes all values in a value, the inner ones first.
fn change(value: Value, to: &dyn Fn(Value) -> Value) -> Value {
    to(match value {
        Value::Array(items) => items.into_iter().map(|item| change(item, to)).collect(),
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, change(value, to))).collect(),
        value => value,
    })
}

fn without_every_third(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let kept = members.into_iter().enumerate().filter(|(index, _)| index % 3 != 1);
    Value::Object(kept.map(|(_, member)| member).collect::<Map<String, Value>>())
}

/// Passes messages between a client and the server at `path`, and changes the return values.
fn lie(conn: &mut PeerConnection, path: &str, lie: Lie) {
    let mut server = UnixStream::connect(path).unwrap();
    let mut lines = BufReader::new(server.try_clone().unwrap()).lines();
    conn.send_line(&lines.next().unwrap().unwrap());
    loop {
        let request = conn.read_line();
        if request.is_empty() {
            return;
        }
        server.write_all(format!("{request}\n").as_bytes()).unwrap();
        let request: Value = serde_json::from_str(&request).unwrap();
        let is_true = ["qmp_capabilities", "query-qmp-schema"].iter().any(|name| request["execute"] == *name);
        let mut reply = loop {
            let reply: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            if reply.get("id") == request.get("id") && reply.get("event").is_none() {
                break reply;
            }
        };
        if let Some(value) = reply.get_mut("return").filter(|_| !is_true) {
            *value = lie(value.take());
        }
        conn.send_line(&reply.to_string());
    }
}

#[test]
fn every_line_has_an_outcome_whatever_the_server_says() {
    let Some(server) = Server::qemu(&[Q35, DEVICES].concat()) else { return };
    for (name, change) in LIES {
        let path = server.path("q.sock");
        let peer = Peer::start(move |conn| lie(conn, &path, *change));
        let address = peer.address();
        let mut args = vec!["--monitor", "own", "--no-events", "-o", "auto", &address];
        let marks: Vec<String> = (0..LINES.len()).map(|number| format!("mark-{number}")).collect();
        for (line, mark) in LINES.iter().zip(&marks) {
            args.extend(["-c", line, "-c", mark]);
        }
        let script = "ulimit -v 1000000; exec \"$0\" \"$@\" 2>&1";
        let run = qmp_shell(&args).under(&["/bin/sh", "-c", script]).run();
        assert!(run.status <= 1, "{name}: {run:#?}");
        let mut rest = run.stdout.as_str();
        for (line, mark) in LINES.iter().zip(&marks) {
            // The error about the mark names it twice: where it is, and what it is.
            let at = rest.find(&format!("`{mark}`")).unwrap_or_else(|| panic!("{name}: {line}: {rest}"));
            let (output, after) = rest.split_at(at);
            rest = after;
            let (output, _) = output.rsplit_once("-c:").unwrap_or((output, ""));
            assert!(!output.trim().is_empty(), "{name}: {line}: no outcome");
            assert!(output.len() < 64 << 20, "{name}: {line}: {} bytes", output.len());
            let evil = EVIL_MARKS.iter().find(|mark| output.contains(**mark));
            assert!(evil.is_none() && !output.contains("panicked"), "{name}: {line}: {output}");
        }
    }
}

#[test]
fn a_terminal_gets_no_codes_of_the_server() {
    let Some(server) = Server::qemu(&[Q35, DEVICES, &["-name", "vm"]].concat()) else { return };
    let path = server.path("q.sock");
    let evil: Lie =
        |value| change(value, &|value| value.as_str().map_or(value.clone(), |s| format!("{s}{EVIL}").into()));
    let peer = Peer::start(move |conn| lie(conn, &path, evil));
    let shell = format!("{} --monitor own {}", env!("CARGO_BIN_EXE_qmp-shell"), peer.address());
    let Some(terminal) = Terminal::start(&shell, 100, 40) else { return };
    let raw = terminal.record();
    terminal.wait("the prompt", |screen| screen.trim_end().ends_with(')'));
    terminal.enter(".set pager off");
    for (number, line) in LINES.iter().filter(|line| !line.starts_with(".follow")).enumerate() {
        terminal.enter(line);
        let end = format!("mark-{number}");
        terminal.enter(&end);
        terminal.wait(line, |screen| screen.contains(&format!("`{end}`")));
    }
    // Candidates of Tab, and hints.
    for line in ["block_resize node-name=", "device_del id=", ".show qom /objects/"] {
        terminal.type_text(line);
        terminal.press("Tab");
        terminal.press("Tab");
        std::thread::sleep(std::time::Duration::from_millis(300));
        terminal.press("C-c");
    }
    terminal.enter("mark-end");
    terminal.wait("the last line", |screen| screen.contains("`mark-end`"));
    let raw = String::from_utf8_lossy(&raw()).into_owned();
    for mark in EVIL_MARKS {
        assert!(!raw.contains(mark), "{mark:?} reaches the terminal");
    }
    assert!(raw.contains("\\x1b]0;evil"), "nothing was shown");
}
