//! Completion on real servers: the candidates at the end of a line, row by row as in `completion.table`, whose rows
//! `UPDATE_EXPECT=1 tests/run` rewrites.
//!
//! A row is `LINE -> CANDIDATES`. A line after `TRANS> ` is part of a transaction block. In a line, `|` is the cursor,
//! `\|` a pipe, `\n` a line end and `{DIR}` the server's folder. A list that ends in `…` is cut there; one that begins
//! with it names some of the candidates. The header of a section names the servers that it is for.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use proptest::prelude::{ProptestConfig, Strategy, prop, prop_assert, proptest};
use qmp_shell::assist::{Completion, CompletionContext, Name, NameKind, complete_with};
use qmp_shell::grammar::Language;
use qmp_shell::render::Palette;
use qmp_shell::schema::Schema;
use qmp_shell::session::{Options, SharedLog};
use qmp_shell::shell::{
    Connection, Engine, EngineOptions, InputLine, ScriptOutput, Settings, complete_line, run_line, wait_for_names,
};

use crate::support::peer::Peer;
use crate::support::program::qmp_shell;
use crate::support::server::{Q35, Server};
use crate::support::snapshot::is_updating;
use crate::support::terminal::Terminal;
use crate::support::{TIMEOUT, wait_until};

const TABLE: &str = include_str!("completion.table");

/// Options of the table's machine, in addition to [`Q35`].
const DEVICES: &[&str] = &[
    "-object",
    "iothread,id=io0",
    "-object",
    "memory-backend-ram,id=mem0,size=1M",
    "-object",
    "throttle-group,id=tg0",
    "-object",
    "secret,id=sec0,data=x",
    "-chardev",
    "null,id=con0",
    "-chardev",
    "ringbuf,id=ring0",
    "-netdev",
    "hubport,id=net0,hubid=0",
    "-blockdev",
    "driver=null-co,node-name=disk0",
    "-blockdev",
    "driver=null-co,node-name=disk1",
    "-blockdev",
    "driver=null-co,node-name=spare",
    "-drive",
    "if=none,id=drive0,driver=null-co,node-name=node0",
    "-device",
    "virtio-scsi-pci,id=scsi0",
    "-device",
    "scsi-hd,id=hd0,drive=disk1,bus=scsi0.0",
    "-device",
    "virtio-blk-pci,id=vblk0,drive=disk0",
];

/// Commands that complete the machine.
const SETUP: &str = "block-dirty-bitmap-add node=disk0 name=bm0
block-dirty-bitmap-add node=disk0 name=bm1
block-dirty-bitmap-add node=spare name=other
blockdev-mirror job-id=job0 device=disk0 target=spare sync=full speed=1 filter-node-name=filter0
";

/// Stands for a pipe while the cursor is looked for.
const PIPE: &str = "\0";

struct Row<'a> {
    number: usize,
    text: &'a str,
    line: String,
    in_transaction: bool,
    expected: String,
}

/// Returns the rows of the sections for `server`.
fn rows<'a>(server: &str, folder: &str) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    let mut is_included = false;
    for (index, text) in TABLE.lines().enumerate() {
        if let Some(servers) = text.strip_prefix("== ") {
            is_included = servers.split_whitespace().any(|name| name == server);
        } else if is_included && !text.is_empty() && !text.starts_with("# ") {
            let (line, expected) = text.split_once(" ->").unwrap_or_else(|| panic!("row {}: no ` ->`", index + 1));
            let (in_transaction, line) = match line.strip_prefix("TRANS> ") {
                Some(line) => (true, line),
                None => (false, line),
            };
            let line = line.replace("\\|", PIPE);
            let line = line.split_once('|').map_or(line.as_str(), |(before, _)| before);
            let line = line.replace(PIPE, "|").replace("\\n", "\n").replace("{DIR}", folder);
            let expected = expected.trim().to_owned();
            rows.push(Row { number: index + 1, text, line, in_transaction, expected });
        }
    }
    rows
}

fn engine(address: &str) -> Engine {
    let mut connection = Connection::new(Some(address.parse().unwrap()), Options::default(), false);
    connection.open(&mut |_| {}).unwrap();
    let mut engine = Engine::new(connection, Settings::default(), EngineOptions::default(), SharedLog::default());
    wait_for_names(&mut engine, "", Instant::now() + TIMEOUT);
    engine
}

/// Formats the candidates as in the table.
fn format_candidates(completion: &Completion, folder: &str) -> Vec<String> {
    let texts = completion.candidates.iter().map(|candidate| candidate.text.trim_end().replace(folder, "{DIR}"));
    texts.collect()
}

fn is_expected(found: &[String], expected: &str) -> bool {
    let found = found.join(" ");
    if let Some(some) = expected.strip_prefix("… ") {
        let found: Vec<&str> = found.split(' ').collect();
        return some.split(' ').all(|one| found.contains(&one));
    }
    match expected.strip_suffix(" …") {
        Some(first) => found.strip_prefix(first).is_some_and(|more| more.starts_with(' ')),
        None => found == expected,
    }
}

/// Compares every row of `server` with the candidates there. Reports, or rewrites, all rows that differ.
fn check(name: &str, server: &Server) {
    let folder = server.path("").trim_end_matches('/').to_owned();
    std::fs::create_dir(server.path("files")).unwrap();
    for file in ["a.qcow2", "a b.img", "it's.raw"] {
        std::fs::write(server.path(&format!("files/{file}")), "").unwrap();
    }
    std::fs::create_dir(server.path("files/sub")).unwrap();
    let mut engine = engine(&server.address());
    let mut out = ScriptOutput::new(Palette::new(false));
    let mut wrong = Vec::new();
    let rows = rows(name, &folder);
    for row in &rows {
        if row.in_transaction != engine.in_transaction() {
            match row.in_transaction {
                true => {
                    let _ =
                        run_line(&mut engine, &InputLine { text: "transaction(", script: None, number: 1 }, &mut out);
                }
                false => drop(engine.abandon_transaction()),
            }
        }
        let mut completion = complete_line(&mut engine, &row.line);
        // A busy machine may reply too late for the first Tab; a later Tab then gets the candidates.
        for _ in 0..5 {
            if is_expected(&format_candidates(&completion, &folder), &row.expected) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
            completion = complete_line(&mut engine, &row.line);
        }
        let found = format_candidates(&completion, &folder);
        let (line, _) = row.text.split_once(" ->").unwrap();
        let is_right = is_expected(&found, &row.expected);
        if is_updating() {
            let list = if is_right { row.expected.clone() } else { abbreviate(&found) };
            update_row(row, format!("{line} -> {list}").trim_end());
        } else if !is_right {
            wrong.push(format!("{}: {line} -> {}", row.number, abbreviate(&found)));
        }
        let typed = &row.line[completion.start..];
        for candidate in &completion.candidates {
            let quoted = |text: &str| text.starts_with(['"', '\'']);
            // The names of events are matched in any case.
            let is_event = row.line.starts_with('.') && candidate.text.starts_with(&typed.to_uppercase());
            let begins = candidate.text.starts_with(typed) || is_event || quoted(&candidate.text) || quoted(typed);
            assert!(begins, "{line}: `{}` does not continue `{typed}`", candidate.text);
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows differ:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

fn abbreviate(found: &[String]) -> String {
    if found.len() > 14 { format!("{} …", found[..8].join(" ")) } else { found.join(" ") }
}

/// Rewrites a row of the table. Rows stay on their lines.
fn update_row(row: &Row<'_>, text: &str) {
    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/completion.table");
    static SEEN: Mutex<Option<HashMap<usize, String>>> = Mutex::new(None);

    let mut seen = SEEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(before) = seen.get_or_insert_default().insert(row.number, text.to_owned()) {
        return assert_eq!(before, text, "row {}: two servers differ", row.number);
    }
    if row.text != text {
        let table = std::fs::read_to_string(PATH).unwrap();
        let mut lines: Vec<&str> = table.lines().collect();
        lines[row.number - 1] = text;
        std::fs::write(PATH, lines.join("\n") + "\n").unwrap();
    }
}

fn machine() -> Option<Server> {
    let options: Vec<&str> = Q35.iter().chain(DEVICES).copied().collect();
    let server = Server::qemu(&options)?;
    qmp_shell(&["-e", &server.address()]).input(SETUP).run().expect_status(0);
    Some(server)
}

#[test]
fn completes_as_in_the_table_on_qemu() {
    let Some(server) = machine() else { return };
    check("qemu", &server);
}

#[test]
fn completes_as_in_the_table_on_qemu_7_2() {
    let options: Vec<&str> = Q35.iter().chain(DEVICES).copied().collect();
    let Some(server) = Server::qemu_7_2(&options) else { return };
    qmp_shell(&["-e", &server.address()]).input(SETUP).run().expect_status(0);
    check("qemu-7.2", &server);
}

#[test]
fn completes_as_in_the_table_on_the_storage_daemon() {
    let Some(server) = Server::storage_daemon() else { return };
    let setup = "blockdev-add driver=null-co node-name=disk0\nblock-dirty-bitmap-add node=disk0 name=bm0\n";
    qmp_shell(&["-e", &server.address()]).input(setup).run().expect_status(0);
    check("storage-daemon", &server);
}

#[test]
fn a_reply_that_came_too_late_serves_the_next_tab() {
    const SCHEMA: &str = r#"[
        {"name": "device_del", "meta-type": "command", "arg-type": "1", "ret-type": "0", "features": []},
        {"name": "0", "meta-type": "object", "members": []},
        {"name": "1", "meta-type": "object", "members": [{"name": "id", "type": "str"}]},
        {"name": "str", "meta-type": "builtin", "json-type": "string"}]"#;
    let (go_tx, go_rx) = std::sync::mpsc::channel();
    let peer = Peer::start(move |conn| {
        conn.negotiate();
        let (command, id) = conn.read_request();
        assert_eq!(command, "query-qmp-schema");
        conn.reply(&id, &SCHEMA.replace('\n', ""));
        let (command, id) = conn.read_request();
        assert_eq!(command, "qom-list");
        go_rx.recv_timeout(TIMEOUT).unwrap();
        conn.reply(&id, r#"[{"name": "dev0", "type": "child<scsi-hd>"}]"#);
        assert_eq!(conn.read_line(), "", "the query was sent twice");
    });
    let mut engine = engine(&peer.address());
    // Completion does not wait for the reply.
    assert!(complete_line(&mut engine, "device_del id=").candidates.is_empty());
    go_tx.send(()).unwrap();
    wait_until("the late reply", || {
        let completion = complete_line(&mut engine, "device_del id=");
        completion.candidates.first().is_some_and(|candidate| candidate.text == "dev0")
    });
}

#[test]
fn tab_adds_spaces_only_between_words() {
    let Some(server) = Server::qemu(Q35) else { return };
    let Some(terminal) = Terminal::qmp_shell(&server.address()) else { return };
    // Tab does not wait long for names, so they are fetched before.
    terminal.wait_for_queries();
    let tab = |typed: &str, shown: &str| {
        terminal.type_text(typed);
        terminal.press("Tab");
        // A hint may follow, or candidates below it.
        let line = format!("(QEMU) {shown}");
        terminal.wait(&line, |screen| screen.lines().any(|row| row.starts_with(&line)));
    };
    tab("blockdev-a", "blockdev-add");
    tab("driver=qco", "blockdev-add driver=qcow");
    tab("2", "blockdev-add driver=qcow2");
    // A complete word is followed by a space.
    tab("file={\"dri", "blockdev-add driver=qcow2 file={\"driver\":");
    tab("\"nb", "blockdev-add driver=qcow2 file={\"driver\": \"nbd\"");
    // Not inside JSON, where a comma comes next.
    terminal.type_text(", \"");
    tab("ser", "blockdev-add driver=qcow2 file={\"driver\": \"nbd\", \"server\":");
    terminal.press("C-u");
    terminal.type_text("blockdev-add driver=\"nb\" read-only=on");
    (0.." read-only=on".len() + 1).for_each(|_| terminal.press("Left"));
    tab("", "blockdev-add driver=\"nbd\" read-only=on");
}

/// Returns the schemas of QEMU, if it is installed, and of the demo machine.
fn schemas() -> Vec<Schema> {
    let server = Server::qemu(Q35);
    let addresses = server.iter().map(Server::address).chain(["demo:".to_owned()]);
    addresses
        .map(|address| {
            let run = qmp_shell(&[&address, "-c", "query-qmp-schema"]).run().expect_status(0);
            let raw = run.lines()[0].strip_prefix("{\"return\": ").unwrap();
            Schema::parse(raw.strip_suffix('}').unwrap()).unwrap()
        })
        .collect()
}

/// Completes at the end of `text`, with live names of every kind.
fn offered(text: &str, schema: &Schema, in_transaction: bool) -> Completion {
    let mut context =
        CompletionContext { language: Language::Qmp, in_transaction, schema: Some(schema), ..Default::default() };
    complete_with(text, &mut context, |kind| match kind {
        NameKind::Files(_) => vec![Name::new("f g/", "folder")],
        _ => vec![Name::new("/a b'c\"d", "bool"), Name::new("n0", "")],
    })
}

#[test]
fn completes_any_input_without_panic() {
    let schemas = schemas();
    // Lines have beginnings in common.
    let completed = RefCell::new(HashSet::new());
    let hold = |text: &str| {
        for (at, _) in text.char_indices().chain([(text.len(), ' ')]) {
            if !completed.borrow_mut().insert(text[..at].to_owned()) {
                continue;
            }
            for schema in &schemas {
                for in_transaction in [false, true] {
                    let completion = offered(&text[..at], schema, in_transaction);
                    assert!(text[..at].is_char_boundary(completion.start), "{:?}", &text[..at]);
                }
            }
        }
    };
    for row in rows("qemu", "/tmp") {
        hold(&row.line);
    }
    for deep in ["[", "{\"a\": ", "a.", "[{'a':"] {
        for line in [format!("blockdev-add driver=qcow2 file={}", deep.repeat(5000)), deep.repeat(5000)] {
            offered(&line, &schemas[0], false);
        }
    }
    const PIECES: &[&str] = &[
        "blockdev-add",
        "transaction(",
        ")",
        "exec-oob",
        "driver",
        "=",
        "qcow2",
        "file",
        "children",
        ".",
        "0",
        "1",
        "99999999999999999999",
        " ",
        "\n",
        "\\",
        "'",
        "\"",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"execute\"",
        "\"arguments\"",
        "-> ",
        "#",
        "//",
        "/*",
        "é",
        "😀",
        "null",
        "|",
        "qom-list",
        "path",
        "/",
        "device_add",
        "bus",
        "=/a b",
    ];
    let lines = prop::collection::vec(prop::sample::select(PIECES), 0..16).prop_map(|pieces| pieces.concat());
    proptest!(ProptestConfig::with_cases(100), |(line in lines, any in "\\PC{0,20}")| {
        hold(&line);
        hold(&format!("blockdev-add {any}"));
        prop_assert!(true);
    });
}
