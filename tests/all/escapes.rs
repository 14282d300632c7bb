//! Control sequences from a server, a file or QEMU are shown as escapes and do not reach the terminal. The tests check the
//! bytes that the terminal gets, not the screen that results.

use serde_json::{Value, json};

use crate::support::peer::{GREETING, Peer, PeerConnection};
use crate::support::program::{Run, qmp_shell};
use crate::support::server::SMALL;
use crate::support::skip::require_program;
use crate::support::terminal::Terminal;
use crate::support::{wait_until, wording};

/// Returns a text with sequences that clear, recolour, rename, write to the clipboard, link, query, overwrite and change the
/// direction of text, in seven and in eight bits, between two copies of a mark.
fn planted(mark: &str) -> String {
    let seven =
        "\x1b[6661m\x1b[2J\x1b]52;c;b3duZWQ=\x07\x1b]0;owned\x1b\\\x1b]8;;http://owned\x07\x1bP+q544e\x1b\\\x1bc";
    let eight = "\u{9b}6661m\u{9d}0;owned\u{9c}\u{90}q\u{9c}";
    let bidi = "\u{202a}\u{202e}\u{202c}\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}";
    format!("{mark}-{seven}{eight}{bidi}\x08\x08\x7f\x00\rowned-{mark}")
}

/// Returns the same text as JSON with only the necessary escapes, as servers send it.
fn planted_json(mark: &str) -> String {
    Value::from(planted(mark)).to_string()
}

/// Checks that a terminal got only sequences of the shell itself: line ends, colours, cursor movements, the editor's
/// clearing and updating, and bracketed pastes.
#[track_caller]
fn expect_harmless(bytes: &[u8], source: &str) {
    let text = String::from_utf8_lossy(bytes);
    let near = |at: usize| {
        let from = text[..at].char_indices().rev().nth(60).map_or(0, |(at, _)| at);
        text[from..].chars().take(100).collect::<String>()
    };
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\n' | '\t' => {}
            // The editor's own, if Tab has several candidates.
            '\x07' => assert!(!text[..at].ends_with(['=', 'd']), "{source}: {:?}", near(at)),
            '\r' => assert!(!text[at + 1..].starts_with("owned"), "{source}: {:?}", near(at)),
            '\x1b' => {
                assert!(chars.next_if(|(_, c)| *c == '[').is_some(), "{source}: {:?}", near(at));
                let mut parameters = String::new();
                while let Some((_, c)) = chars.next_if(|(_, c)| c.is_ascii_digit() || matches!(c, ';' | '?')) {
                    parameters.push(c);
                }
                let last = chars.next().map(|(_, c)| c);
                let is_ours = match last {
                    Some('m') => parameters != "6661",
                    Some('J') => parameters != "2",
                    Some('A' | 'B' | 'C' | 'D' | 'H' | 'K') => true,
                    Some('h' | 'l') => matches!(parameters.as_str(), "?2004" | "?2026"),
                    _ => false,
                };
                assert!(is_ours, "{source}: {:?}", near(at));
            }
            c => assert!(
                !c.is_control()
                    && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'),
                "{source}: {c:?} in {:?}",
                near(at)
            ),
        }
    }
}

/// Serves requests with control sequences in every text.
fn serve(conn: &mut PeerConnection) {
    conn.send_line(&GREETING.replace("\"package\": \"\"", &format!("\"package\": {}", planted_json("package"))));
    while let Some(request) = conn.next_request() {
        let (command, id) = (request["execute"].as_str().unwrap(), &request["id"]);
        let answer = match command {
            "qmp_capabilities" => json!({}),
            "query-qmp-schema" => schema(),
            "values" => {
                // Bare, which is invalid JSON, and with escapes.
                let bare = planted("bare").replace('\0', "");
                conn.send(format!("{{\"return\": {{\"{bare}\": \"{bare}\", ").as_bytes());
                conn.send_line(&format!("{0}: [{0}]}}, \"id\": {id}}}", planted_json("value")));
                continue;
            }
            "long" => (0..100).map(|_| Value::from(planted("long"))).collect(),
            "refuse" => {
                let (class, desc) = (planted_json("class"), planted_json("desc"));
                conn.send_line(&format!("{{\"error\": {{\"class\": {class}, \"desc\": {desc}}}, \"id\": {id}}}"));
                continue;
            }
            "noise" => {
                let (name, data) = (planted_json("event"), planted_json("data"));
                conn.send_line(&format!("{{\"event\": {name}, \"data\": {{{data}: {data}}}}}"));
                conn.send(planted("junk").as_bytes());
                conn.send(b"\n\x1b]0;owned\x07\x9b6661m\xc2\x9b6661m\n");
                conn.send_line(&format!("{{\"return\": {data}, \"id\": {data}}}"));
                conn.send_line(&format!("{{\"none\": {data}}}"));
                conn.send_line(&format!("{{\"return\": {data}}}, \"id\": {id}}}"));
                json!({})
            }
            "human-monitor-command" => {
                json!(format!("{0} -- {0}\r\n{1}|alias [{1}] -- {1}\r\n", planted("text"), "name\x1b[6661m\u{9b}6661m"))
            }
            "nan" => {
                conn.send_line(&format!("{{\"return\": [nan, 1], \"id\": {id}}}"));
                continue;
            }
            "query-named-block-nodes" => json!([{"node-name": planted("node"), "drv": planted("drv")},
                {"node-name": "plain-node", "drv": planted("driver")}]),
            "query-block" => json!([{"device": planted("drive"), "type": planted("type")}]),
            "qom-list" => json!([{"name": planted("child"), "type": format!("child<{}>", planted("kind"))},
                {"name": "plain-child", "type": format!("child<{}>", planted("childtype"))}]),
            "qom-list-types" => json!([{"name": planted("driver"), "parent": planted("parent")}]),
            "qom-list-properties" | "device-list-properties" => {
                json!([{"name": planted("property"), "type": planted("proptype"), "description": planted("words")}])
            }
            _ => json!({}),
        };
        conn.send_line(&format!("{{\"return\": {answer}, \"id\": {id}}}"));
    }
}

fn schema() -> Value {
    // Names with characters that need an escape make the schema unreadable; these need none.
    let plant =
        |mark: &str| format!("{mark}-\u{9b}6661m\u{9d}0;owned\u{9c}\u{90}q\u{9c}\u{202e}\u{2066}\u{61c}\x7f-{mark}");
    let commands = [
        "query-status",
        "values",
        "long",
        "refuse",
        "noise",
        "human-monitor-command",
        "query-named-block-nodes",
        "qom-list",
    ];
    let mut entities: Vec<Value> = commands
        .iter()
        .map(|name| json!({"meta-type": "command", "name": name, "arg-type": "0", "ret-type": "0"}))
        .collect();
    entities.extend([
        json!({"meta-type": "builtin", "name": "str", "json-type": "string"}),
        json!({"meta-type": "builtin", "name": "int", "json-type": "int"}),
        json!({"meta-type": "object", "name": "0", "members": []}),
        json!({"meta-type": "command", "name": plant("command"), "arg-type": "0", "ret-type": "0"}),
        json!({"meta-type": "command", "name": "querx\u{7f}", "arg-type": "0", "ret-type": "0"}),
        json!({"meta-type": "event", "name": plant("EVENT"), "arg-type": "1"}),
        json!({"meta-type": "command", "name": "good", "arg-type": "1", "ret-type": "1",
            "features": ["deprecated", plant("feature")]}),
        json!({"meta-type": "object", "name": "1", "members": [
            {"name": plant("key"), "type": "str"}, {"name": "kez\u{7f}", "type": "str", "default": null},
            {"name": "choice", "type": "2", "default": null}, {"name": "inner", "type": "3", "default": null}],
            "tag": "choice", "variants": [{"case": plant("enum"), "type": "3"}]}),
        json!({"meta-type": "enum", "name": "2", "values": [plant("enum"), "plain"],
            "members": [{"name": plant("enum")}, {"name": "plain"}]}),
        json!({"meta-type": "object", "name": "3", "members": [{"name": plant("nested"), "type": "str"}]}),
        json!({"meta-type": "command", "name": "block_resize", "arg-type": "4", "ret-type": "0"}),
        json!({"meta-type": "object", "name": "4", "members": [
            {"name": "node-name", "type": "str", "default": null}, {"name": "size", "type": "int"}]}),
        json!({"meta-type": "command", "name": "qom-get", "arg-type": "5", "ret-type": "0"}),
        json!({"meta-type": "object", "name": "5", "members": [
            {"name": "path", "type": "str"}, {"name": "property", "type": "str"}]}),
        json!({"meta-type": "command", "name": "device_add", "arg-type": "6", "ret-type": "0"}),
        json!({"meta-type": "object", "name": "6", "members": [{"name": "driver", "type": "str"}]}),
    ]);
    Value::from(entities)
}

/// Lines to enter, and a part of their output: a mark of a planted text, if it is shown at all.
const TYPED: &[(&str, &str)] = &[
    ("values", "value-\\u001b[6661m"),
    ("refuse", "desc-\\x1b[6661m"),
    ("noise", "event-\\x1b[6661m"),
    (".hmp info x", "text-\\x1b[6661m"),
    ("long", "long-\\u001b[6661m"),
    (".events 3", "data-\\u001b[6661m"),
    ("good kez=1", "kez\\x7f"),
    ("good choice=plaim", "plain"),
    ("good choice=plain", "key-\\x9b6661m"),
    ("querx", "querx\\x7f"),
    ("help good", "enum-\\x9b6661m"),
    ("help good.choice", "enum-"),
    ("help apropos comm", "command-"),
    (".wait STOP timeout=0.01", "`STOP`"),
    ("good '\u{202e}'=1", "\\u{202e}"),
    (".set verbose on", ""),
    ("refuse", "-> {"),
];

/// Texts to type before Tab. The shell must go on; its output is not checked any further.
const TABS: &[&str] = &[
    "",
    "com",
    "good ",
    "good choice=",
    "good inner.",
    "good choice=plain ",
    "help ",
    "block_resize node-name=",
    "block_resize ",
    "qom-get path=/",
    "qom-get path=/x property=",
    "device_add driver=",
    "device_add driver=x ",
    ".hmp ",
    ".hmp info ",
    ".events only ",
    "{\"execute\": \"good\", \"arguments\": {\"",
    ".source ",
];

#[test]
fn a_server_cannot_control_the_terminal_at_a_prompt() {
    let peer = Peer::start(serve);
    let Some(terminal) = Terminal::start("PS1='$ ' /bin/sh", 200, 60) else { return };
    let raw = terminal.record();
    terminal.wait_for_last("$");
    let files = terminal.home.join("files");
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join(planted("file").replace(['/', '\0'], "")), "").unwrap();
    let shell = env!("CARGO_BIN_EXE_qmp-shell");
    terminal.enter(&format!("cd {}; MANPATH=/nonexistent PAGER=cat {shell} {}", files.display(), peer.address()));
    terminal.wait_for_last("(QEMU)");
    let mut seen = raw().len();
    let mut look = |what: &str, shown: &str| {
        wait_until(what, || String::from_utf8_lossy(&raw()[seen..]).contains(shown));
        let bytes = raw();
        expect_harmless(&bytes[seen..], what);
        seen = bytes.len();
    };
    for (line, shown) in TYPED {
        terminal.enter(line);
        terminal.wait(line, |screen| screen.ends_with("\n(QEMU)"));
        look(line, shown);
    }
    for (language, lines) in [("(QEMU)", TABS), ("(qemu)", &["", "na", "info ", "help "])] {
        if language == "(qemu)" {
            terminal.enter(".hmp");
        }
        for line in lines {
            terminal.wait_for_last(language);
            terminal.type_text(line);
            terminal.press("Tab");
            // Drops the line, and enters a comment to see that all of it is done.
            terminal.press("C-c");
            let word = format!("# {}", line.len() * 7 + 1000);
            terminal.enter(&word);
            terminal.wait(line, |screen| screen.ends_with(&format!("{word}\n{language}")));
            look(line, "");
        }
    }
    terminal.press("C-d");
    terminal.wait_for_last("$");
    look("the end", "");
    terminal
        .enter(&format!("exec {shell} \"$(printf 'unix:/nonexistent/\\033]0;owned\\007\\302\\233\\342\\200\\256')\""));
    terminal.wait_for("[ended 3]");
    look("an address", "\\x1b]0;owned");
}

#[test]
fn files_pastes_and_manual_pages_cannot_control_the_terminal() {
    let peer = Peer::start(serve);
    let Some(terminal) = Terminal::start("PS1='$ ' /bin/sh", 200, 60) else { return };
    let raw = terminal.record();
    terminal.wait_for_last("$");
    let folder = terminal.home.join("qmp-shell");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("history"), format!("plain\nquery-{}\n", planted("history"))).unwrap();
    let script = terminal.home.join("script");
    std::fs::write(&script, format!("refuse\nvalues {}\nunknown{}\n", planted("words"), planted("command"))).unwrap();
    let manual = terminal.home.join("man/man7");
    std::fs::create_dir_all(&manual).unwrap();
    std::fs::write(manual.join("qemu-qmp-ref.7"), page()).unwrap();
    let shell = env!("CARGO_BIN_EXE_qmp-shell");
    terminal.enter(&format!("MANPATH={} PAGER=cat {shell} {}", terminal.home.join("man").display(), peer.address()));
    terminal.wait_for_last("(QEMU)");
    let from = raw().len();
    terminal.press("Up");
    terminal.wait_for_last("(QEMU) plain");
    terminal.press("C-c");
    terminal.wait_for_last("(QEMU)");
    terminal.press("C-r");
    terminal.type_text("ry-history");
    terminal.wait_for(") ry-history_");
    terminal.press("C-g");
    terminal.wait_for_last("(QEMU)");
    terminal.enter(".history 5");
    terminal.wait("the history again", |screen| screen.contains("plain\n") && screen.ends_with("\n(QEMU)"));
    terminal.paste(&format!("query-{}", planted("paste").replace(['\0', '\r', '\x7f', '\x08'], "")));
    terminal.wait_for("query-paste");
    terminal.press("Enter");
    terminal.wait_for(wording::ERROR);
    terminal.wait("a prompt", |screen| screen.ends_with("\n(QEMU)"));
    terminal.enter(&format!(".source {}", script.display()));
    terminal.wait_for("script:3");
    terminal.enter("help good");
    terminal.wait_for("manual-\\x1b");
    terminal.enter("help apropos manual");
    terminal.wait("the end", |screen| screen.ends_with("\n(QEMU)"));
    terminal.press("C-d");
    terminal.wait_for_last("$");
    expect_harmless(&raw()[from..], "files");
}

/// Returns a manual page about the command `good`, with control sequences in it.
fn page() -> String {
    let words = planted("manual").replace(['\0', '\r'], "");
    let head = ".TH \"QEMU-QMP-REF\" \"7\" \"2025\" \"1.2.3\" \"QEMU\"\n.SH DOCUMENT\n.INDENT 0.0\n.TP\n";
    format!("{head}.B Command  good  (Since: 2.9)\n{words}\n.sp\n\\fB{words}\\fP manual\n.UNINDENT\n")
}

#[test]
fn a_wrapped_qemu_cannot_control_the_terminal() {
    let Some(qemu) = require_program("qemu-system-x86_64") else { return };
    let Some(terminal) = Terminal::start("PS1='$ ' /bin/sh", 200, 60) else { return };
    let raw = terminal.record();
    terminal.wait_for_last("$");
    let words = terminal.home.join("words");
    std::fs::write(&words, planted("stderr") + "\n").unwrap();
    let script = terminal.home.join("loud-qemu");
    // Before the prompt, at the prompt, and at the end; then a line that does not end.
    let text = format!(
        "#!/bin/sh\ncat {0} >&2; {1} \"$@\" & sleep 0.5; cat {0}; head -c 30000 /dev/zero | tr '\\0' x; wait; cat {0} >&2\n",
        words.display(),
        qemu.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let shell = env!("CARGO_BIN_EXE_qmp-shell-wrap");
    let from = raw().len();
    terminal.enter(&format!("{shell} {} {}; echo over", script.display(), SMALL.join(" ")));
    wait_until("both texts", || String::from_utf8_lossy(&raw()).matches("stderr-\\x1b").count() == 2);
    terminal.wait("the line that does not end", |screen| screen.contains("xxxx") && screen.ends_with("(QEMU)"));
    terminal.enter(".exit");
    terminal.wait("its end", |screen| screen.ends_with("over\n$"));
    expect_harmless(&raw()[from..], "QEMU's output");
}

#[test]
fn every_line_of_the_log_is_json() {
    let peer = Peer::start(serve);
    let log = tempfile::NamedTempFile::new().unwrap();
    let path = log.path().to_str().unwrap();
    qmp_shell(&["-l", path, "--no-schema", "-c", "values", "-c", "noise", "-c", "nan", &peer.address()]).run();
    let text = std::fs::read_to_string(path).unwrap();
    expect_harmless(text.replace(|c| c >= '\x7f', "").as_bytes(), "the log");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let received = |line: &&Value| line.get("received").is_some();
    assert_eq!(lines.iter().filter(received).count(), 9, "{text}");
    let bare = planted("bare").replace('\0', "");
    let bare: String = bare.replace("\x1b\\\x1b", "\x1b\\u001b");
    assert!(lines.iter().any(|line| line["received"]["return"].get(&bare).is_some()), "{text}");
    // Invalid JSON is logged as a string.
    assert!(lines.iter().any(|line| line["received"].as_str().is_some_and(|text| text.contains("[nan, 1]"))), "{text}");
}

#[test]
fn scripts_print_valid_json_and_harmless_messages() {
    let run = |args: &[&str]| -> Run {
        let peer = Peer::start(serve);
        qmp_shell(&[args, &[&peer.address()]].concat()).env("MANPATH", "/nonexistent").run()
    };
    let lines = ["values", "refuse", "noise", ".hmp info x", "good kez=1", "querx", "help good"];
    let lines: Vec<&str> = lines.iter().flat_map(|line| ["-c", line]).collect();
    let json = run(&[&lines[..], &["-v"]].concat());
    assert!(json.lines().len() >= 7, "{json:#?}");
    for line in json.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    }
    assert!(json.stdout.contains("value-") && json.stdout.contains("bare-\\u001b[6661m"), "{json:#?}");
    expect_harmless(json.stderr.as_bytes(), "messages");
    let pretty = run(&[&lines[..], &["-p"]].concat());
    assert!(pretty.stdout.contains("value-\\u001b[6661m") && pretty.stderr.contains("desc-\\x1b[6661m"), "{pretty:#?}");
    expect_harmless(pretty.stdout.as_bytes(), "-p");
    expect_harmless(pretty.stderr.as_bytes(), "-p's messages");
    // The human monitor's text goes into a pipe as it is.
    let monitor = run(&["-H", "-c", "info x"]);
    assert!(monitor.stdout.contains(&planted("text")), "{monitor:#?}");
    for line in TABS.iter().filter(|line| !line.starts_with(".source")) {
        let offered = run(&["--complete", line]);
        assert_eq!(offered.status, 0, "{line}: {offered:#?}");
        expect_harmless(offered.stdout.as_bytes(), line);
        assert!(offered.lines().iter().all(|line| line.matches('\t').count() == 1), "{line}: {offered:#?}");
    }
}
