//! The reference manual pages that are installed, in the layouts of QEMU 10.0 and 7.2: every entry is found, nothing
//! of roff is left, and what is set reads well. No sentence of a page stands here, only facts about them.

use std::path::PathBuf;

use qmp_shell::schema::manual::{Block, Entry, EntryKind, Item, Manual, Member, Role, man_path};
use serde_json::Value;

use crate::support::program::qmp_shell;
use crate::support::server::{Q35, Server};
use crate::support::skip;

const QEMU: &str = "qemu-qmp-ref";
const STORAGE_DAEMON: &str = "qemu-storage-daemon-qmp-ref";
const GUEST_AGENT: &str = "qemu-ga-ref";

/// The page of QEMU 10.0 of that name.
fn newer(name: &str) -> Option<Manual> {
    let manual = man_path::load(name, &man_path::folders(None)).unwrap();
    let manual = manual.filter(|manual| manual.version().is_some_and(|version| version.starts_with("10.0")));
    if manual.is_none() {
        skip(&format!("manual page {name}(7) of QEMU 10.0"));
    }
    manual
}

/// The page of QEMU 7.2 of that name, beside its program.
fn older(name: &str) -> Option<Manual> {
    let program = std::env::var_os("QMP_SHELL_TEST_QEMU72").map(PathBuf::from);
    let folder = program.and_then(|program| Some(program.parent()?.parent()?.join("share/man")));
    let manual = folder.and_then(|folder| man_path::load(name, &[folder]).unwrap());
    if manual.is_none() {
        skip(&format!("manual page {name}(7) of QEMU 7.2"));
    }
    manual
}

/// All pages that are there, each with a name for messages.
fn pages() -> Vec<(String, Manual)> {
    let newer = [QEMU, STORAGE_DAEMON, GUEST_AGENT].map(|name| (format!("{name} 10.0"), newer(name)));
    // No package of 7.2 that the tests take has the guest agent's page.
    let older = [QEMU, STORAGE_DAEMON].map(|name| (format!("{name} 7.2"), older(name)));
    let all = newer.into_iter().chain(older);
    all.filter_map(|(name, manual)| Some((name, manual?))).collect()
}

fn count(manual: &Manual, kind: EntryKind) -> usize {
    manual.entries().iter().filter(|entry| entry.kind == kind).count()
}

fn examples(manual: &Manual) -> Vec<(&str, String)> {
    let of = |entry: &'_ Entry| entry.examples();
    manual.entries().iter().flat_map(|entry| of(entry).into_iter().map(|text| (entry.name.as_str(), text))).collect()
}

fn names<'a>(members: impl IntoIterator<Item = &'a Member>) -> Vec<&'a str> {
    members.into_iter().map(|member| member.name.as_str()).collect()
}

fn own<'a>(manual: &'a Manual, name: &str) -> Vec<&'a Member> {
    let items = manual.entry(name).unwrap().items();
    items
        .filter_map(|item| match item {
            Item::Member(member) => Some(member),
            _ => None,
        })
        .collect()
}

/// Every text of an entry: names, types, prose, examples.
fn texts(entry: &Entry) -> Vec<String> {
    fn of(blocks: &[Block], found: &mut Vec<String>) {
        for block in blocks {
            match block {
                Block::Paragraph(text) => found.push(text.plain()),
                Block::Verbatim(lines) => found.extend(lines.iter().cloned()),
                Block::Table(rows) => found.extend(rows.iter().flatten().map(|cell| cell.plain())),
                Block::Quote(body) => of(body, found),
                Block::Section { title, body } => {
                    found.push(title.clone());
                    of(body, found);
                }
                Block::List(items) => items.iter().for_each(|item| of(&item.body, found)),
                Block::Members(members) => {
                    for item in &members.items {
                        match item {
                            Item::Member(member) => {
                                found.extend([member.name.clone(), member.type_text.clone()]);
                                found.extend(member.condition.clone());
                                of(&member.body, found);
                            }
                            Item::Include(include) => found.push(include.type_name.clone()),
                            Item::Other(body) => of(body, found),
                        }
                    }
                }
            }
        }
    }
    let mut found = vec![entry.name.clone()];
    found.extend(entry.since.clone());
    found.extend(entry.condition.clone());
    of(&entry.body, &mut found);
    found
}

#[test]
fn every_entry_of_the_10_0_page_is_read() {
    let Some(manual) = newer(QEMU) else { return };
    assert_eq!(count(&manual, EntryKind::Command), 240);
    assert_eq!(count(&manual, EntryKind::Event), 56);
    assert_eq!(manual.entries().len(), 994);
    // One more stands in the introduction.
    assert_eq!(manual.entries().iter().map(|entry| entry.verbatim().len()).sum::<usize>(), 253);
    let examples = examples(&manual);
    let broken: Vec<&str> = examples
        .iter()
        .filter(|(_, text)| serde_json::from_str::<Value>(text).is_err())
        .map(|(name, _)| *name)
        .collect();
    // A comma stands behind its request.
    assert_eq!((examples.len(), broken), (213, vec!["cancel-vcpu-dirty-limit"]));
}

#[test]
fn every_entry_of_the_other_pages_is_read() {
    for (manual, commands, events, requests) in [
        (newer(STORAGE_DAEMON), 76, 13, 54),
        (newer(GUEST_AGENT), 44, 0, 0),
        (older(QEMU), 220, 52, 194),
        (older(STORAGE_DAEMON), 74, 13, 53),
    ] {
        let Some(manual) = manual else { continue };
        assert_eq!(count(&manual, EntryKind::Command), commands);
        assert_eq!(count(&manual, EntryKind::Event), events);
        let examples = examples(&manual);
        assert_eq!(examples.len(), requests);
        for (name, text) in examples {
            serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
        }
    }
}

#[test]
fn commands_and_events_of_a_real_server_are_found() {
    for (server, manual) in [
        (Server::qemu(Q35), newer(QEMU)),
        (Server::qemu_7_2(Q35), older(QEMU)),
        (Server::storage_daemon(), newer(STORAGE_DAEMON)),
    ] {
        let (Some(server), Some(manual)) = (server, manual) else {
            continue;
        };
        let run = qmp_shell(&[&server.address()]).input("query-qmp-schema\n").run().expect_status(0);
        let reply: Value = serde_json::from_str(run.lines()[0]).unwrap();
        let mut found = 0;
        let mut not_found = Vec::new();
        for entity in reply["return"].as_array().unwrap() {
            let kind = match entity["meta-type"].as_str() {
                Some("command") => EntryKind::Command,
                Some("event") => EntryKind::Event,
                _ => continue,
            };
            let name = entity["name"].as_str().unwrap();
            match manual.entry(name) {
                Some(entry) if entry.kind == kind => found += 1,
                _ => not_found.push(name.to_owned()),
            }
        }
        assert_eq!(not_found, Vec::<String>::new());
        assert!(found > 80, "{found}");
    }
}

#[test]
fn nothing_of_roff_is_left() {
    for (page, manual) in pages() {
        for entry in manual.entries() {
            for text in texts(entry) {
                for left in ["\\f", "\\(", "\\-", "\\&", "\\%", "\\*", ".INDENT", ".UNINDENT"] {
                    assert!(!text.contains(left), "{page}: {}: {text}", entry.name);
                }
            }
        }
    }
}

#[test]
fn every_type_that_an_entry_names_has_an_entry() {
    const BUILTIN: &[&str] = &["string", "int", "boolean", "number", "value", "any", "null"];
    for (page, manual) in pages() {
        for entry in manual.entries() {
            for item in entry.items() {
                let of = match item {
                    Item::Member(member) => member.type_text.trim_matches(['[', ']']),
                    Item::Include(include) => include.type_name.as_str(),
                    Item::Other(body) => panic!("{page}: {}: {body:?}", entry.name),
                };
                let known = of.is_empty() || BUILTIN.contains(&of) || manual.entry(of).is_some();
                assert!(known, "{page}: {}: {of}", entry.name);
            }
        }
    }
}

#[test]
fn what_is_known_of_some_entries_is_read() {
    for (manual, is_newer) in [(newer(QEMU), true), (older(QEMU), false)] {
        let Some(manual) = manual else { continue };
        let add = manual.entry("blockdev-add").unwrap();
        assert_eq!((add.kind, add.since.as_deref()), (EntryKind::Command, Some("2.9")));
        assert_eq!(add.examples().len(), 2);
        assert_eq!(own(&manual, "blockdev-add"), Vec::<&Member>::new());
        let common = names(own(&manual, "BlockdevOptions"));
        assert_eq!(common.first(), Some(&"driver"));
        assert_eq!(common.len(), if is_newer { 9 } else { 8 });
        let variants = manual.entry("BlockdevOptions").unwrap().items();
        let drivers = variants.filter(|item| matches!(item, Item::Include(_))).count();
        assert_eq!(drivers, 47);
        let found = manual.member("blockdev-add", "overlap-check").unwrap();
        assert_eq!(found.entry.name, "BlockdevOptionsQcow2");
        assert_eq!(found.when, Some(("driver", "qcow2")));
        assert!(found.member.optional && found.member.type_text == "Qcow2OverlapChecks");
        let found = manual.member("blockdev-add", "encrypt.key-secret").unwrap();
        assert_eq!(found.member.type_text, "string");

        let migrate = names(own(&manual, "migrate"));
        let expected = if is_newer {
            &["uri", "channels", "detach", "resume"][..]
        } else {
            &["uri", "blk", "inc", "detach", "resume"]
        };
        assert_eq!(migrate, expected);
        assert_eq!(manual.entry("migrate").unwrap().examples().len(), if is_newer { 5 } else { 1 });

        let completed = manual.entry("BLOCK_JOB_COMPLETED").unwrap();
        assert_eq!((completed.kind, completed.since.as_deref()), (EntryKind::Event, Some("1.1")));
        let members = own(&manual, "BLOCK_JOB_COMPLETED");
        assert_eq!(names(members.iter().copied()), ["type", "device", "len", "offset", "speed", "error"]);
        assert_eq!(names(members.into_iter().filter(|member| member.optional)), ["error"]);

        let vnc = manual.entry("query-vnc").unwrap();
        assert_eq!(vnc.condition.as_deref(), Some("CONFIG_VNC"));
        let hits: Vec<&str> = manual.search("overlap_check").iter().map(|hit| hit.entry.name.as_str()).collect();
        assert!(hits.contains(&"BlockdevOptionsQcow2"), "{hits:?}");
        assert_eq!(manual.search("device_add")[0].entry.name, "device_add");
    }
}

#[test]
fn every_entry_is_set_within_the_width() {
    for (page, manual) in pages() {
        for entry in manual.entries() {
            for width in [60, 80, 132] {
                let lines = manual.layout(entry, width);
                for line in &lines {
                    let text: String = line.iter().map(|run| run.text.as_str()).collect();
                    let as_it_is = line.iter().any(|run| matches!(run.role, Role::Sent | Role::Received));
                    let one_word = text.split_whitespace().count() < 4;
                    assert!(as_it_is || one_word || text.chars().count() <= width, "{page}: {}: {text}", entry.name);
                    assert_eq!(text.trim_end(), text, "{page}: {}", entry.name);
                }
                let two_empty = lines.windows(2).any(|two| two.iter().all(Vec::is_empty));
                let has_examples = !entry.verbatim().is_empty();
                assert!(has_examples || !two_empty, "{page}: {}", entry.name);
            }
        }
    }
}

/// Examples of the pages that the check refuses: the command, what the check says, and why that is the manual's fault.
/// The test asks the server too.
const FAULTS: &[(&str, &str, &str)] = &[
    ("migrate", "`channels.0.addr.offset` takes an integer", "a size is written as a string"),
    ("set-vcpu-dirty-limit", "needs a key `dirty-rate`", "the arguments stand outside of `arguments`"),
    ("dumpdtb", "needs a key `filename`", "the arguments stand outside of `arguments`"),
    ("get-win32-socket", "no command", "only QEMU for Windows has it"),
    ("dump-skeys", "no command", "only QEMU for s390x has it"),
    ("query-gic-capabilities", "no command", "only QEMU for Arm has it"),
];

/// Puts every request example of a page through `--dry-run` of a server: what would be sent means what stands there.
/// What the check refuses must stand in [`FAULTS`], and the server must refuse it as well.
fn examples_go_through(page: &str, manual: &Manual, server: &Server) -> Vec<String> {
    let examples: Vec<(String, Value)> = examples(manual)
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), serde_json::from_str(&text).ok()?)))
        .collect();
    let address = server.address();
    let script: String = examples.iter().map(|(_, request)| format!("{request}\n")).collect();
    let run = qmp_shell(&["--dry-run", &address]).input(script).run();
    let lines = run.lines();
    assert_eq!(lines.len(), examples.len(), "{page}: {run:#?}");
    let mut wrong = Vec::new();
    for ((name, request), line) in examples.iter().zip(lines) {
        let sent: Value = serde_json::from_str(line).unwrap();
        if let Some(desc) = sent["error"]["desc"].as_str() {
            if !FAULTS.iter().any(|(command, words, _)| command == name && desc.contains(words)) {
                wrong.push(format!("{name}: {desc}: {request}"));
            }
            // The server's own verdict, on what it would refuse before it does anything.
            let run =
                qmp_shell(&[&[address.as_str(), "--no-schema", "-c"], &[request.to_string().as_str()][..]].concat());
            let reply: Value = serde_json::from_str(run.run().replies()[0]).unwrap();
            if reply["error"].is_null() {
                wrong.push(format!("{name}: the server takes what we refuse: {request}"));
            }
        } else if sent != *request {
            wrong.push(format!("{name}: {sent} is not {request}"));
        }
    }
    wrong
}

#[test]
fn every_example_goes_through_unchanged() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (page, server, manual) in [
        ("qemu 10.0", Server::qemu(Q35), newer(QEMU)),
        ("qemu 7.2", Server::qemu_7_2(Q35), older(QEMU)),
        ("storage daemon 10.0", Server::storage_daemon(), newer(STORAGE_DAEMON)),
    ] {
        let (Some(server), Some(manual)) = (server, manual) else { continue };
        seen += 1;
        wrong.extend(examples_go_through(page, &manual, &server).into_iter().map(|text| format!("{page}: {text}")));
    }
    assert!(wrong.is_empty(), "{seen} servers:\n{}", wrong.join("\n"));
}
