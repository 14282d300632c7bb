//! The reference manual pages of the installed QEMU and of QEMU 7.2, which have two different layouts: every entry is
//! parsed, and no roff markup is left. The pages themselves are not quoted here, only facts about them.

use std::io::Read;
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;

use qmp_shell::schema::manual::{Block, Entry, EntryKind, Item, Manual, Member, Role, man_path};
use serde_json::Value;

use crate::support::program::qmp_shell;
use crate::support::server::{Q35, Server};
use crate::support::skip::skip;

const QEMU: &str = "qemu-qmp-ref";
const STORAGE_DAEMON: &str = "qemu-storage-daemon-qmp-ref";
const GUEST_AGENT: &str = "qemu-ga-ref";

/// Returns the folders of the installed pages.
fn installed_folders() -> Vec<PathBuf> {
    man_path::folders(None)
}

/// Returns the folders of the pages of QEMU 7.2, next to its program.
fn old_folders() -> Vec<PathBuf> {
    let program = std::env::var_os("QMP_SHELL_TEST_QEMU72").map(PathBuf::from);
    program.and_then(|program| Some(program.parent()?.parent()?.join("share/man"))).into_iter().collect()
}

/// Loads an installed page; records a skip if it is missing.
fn installed(name: &str) -> Option<Manual> {
    let manual = man_path::load(name, &installed_folders()).unwrap();
    if manual.is_none() {
        skip(&format!("manual page {name}(7)"));
    }
    manual
}

/// Loads a page of QEMU 7.2; records a skip if it is missing.
fn old(name: &str) -> Option<Manual> {
    let manual = man_path::load(name, &old_folders()).unwrap();
    if manual.is_none() {
        skip(&format!("manual page {name}(7) of QEMU 7.2"));
    }
    manual
}

/// Reads the source of a compressed page.
fn source(name: &str, folders: &[PathBuf]) -> String {
    let mut files = folders.iter().map(|folder| folder.join("man7").join(format!("{name}.7.gz")));
    let file = files.find(|file| file.exists()).unwrap_or_else(|| panic!("no {name}.7.gz in {folders:?}"));
    let mut text = String::new();
    MultiGzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// The installed pages.
const PAGES: [&str; 3] = [QEMU, STORAGE_DAEMON, GUEST_AGENT];

/// The pages of QEMU 7.2. The package that the tests download does not contain the one of the guest agent.
const OLD_PAGES: [&str; 2] = [QEMU, STORAGE_DAEMON];

/// Loads all pages, each with a label for messages.
fn pages() -> Vec<(String, Manual)> {
    let installed = PAGES.map(|name| (name.to_owned(), installed(name)));
    let old = OLD_PAGES.map(|name| (format!("{name} 7.2"), old(name)));
    installed.into_iter().chain(old).filter_map(|(name, manual)| Some((name, manual?))).collect()
}

fn count(manual: &Manual, kind: EntryKind) -> usize {
    manual.entries().iter().filter(|entry| entry.kind == kind).count()
}

fn examples(manual: &Manual) -> Vec<(&str, String)> {
    let entries = manual.entries().iter();
    entries.flat_map(|entry| entry.examples().into_iter().map(|text| (entry.name.as_str(), text))).collect()
}

fn names<'a>(members: impl IntoIterator<Item = &'a Member>) -> Vec<&'a str> {
    members.into_iter().map(|member| member.name.as_str()).collect()
}

/// Returns the members that are listed in the entry itself.
fn own_members<'a>(manual: &'a Manual, name: &str) -> Vec<&'a Member> {
    let items = manual.entry(name).unwrap().items();
    items
        .filter_map(|item| match item {
            Item::Member(member) => Some(member),
            _ => None,
        })
        .collect()
}

/// Returns every text of an entry: names, types, prose, examples.
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

/// Examples that are invalid JSON in a page, by their commands. This one ends in a comma.
const BROKEN_EXAMPLES: &[&str] = &["cancel-vcpu-dirty-limit"];

#[test]
fn parses_every_entry_of_every_page() {
    for name in PAGES {
        let Some(manual) = installed(name) else { continue };
        check_entries(name, &manual, &source(name, &installed_folders()));
    }
    for name in OLD_PAGES {
        let Some(manual) = old(name) else { continue };
        check_entries(&format!("{name} 7.2"), &manual, &source(name, &old_folders()));
    }
}

/// Compares the entries and examples of a page with the headings and examples in its source.
fn check_entries(page: &str, manual: &Manual, source: &str) {
    // A heading is `.B Command  stop  (Since: 0.14)`, and in the older layout `.SS stop (Command)`.
    let headings = |kind: &str| {
        let (heading, old_heading) = (format!(".B {kind} "), format!(" ({kind})"));
        let is_heading =
            |line: &&str| line.starts_with(&heading) || line.starts_with(".SS ") && line.ends_with(&old_heading);
        source.lines().filter(is_heading).count()
    };
    assert_eq!(count(manual, EntryKind::Command), headings("Command"), "{page}");
    assert_eq!(count(manual, EntryKind::Event), headings("Event"), "{page}");
    let all: usize = ["Command", "Event", "Object", "Enum", "Alternate", "Struct"].map(headings).iter().sum();
    assert_eq!(manual.entries().len(), all, "{page}");
    assert!(count(manual, EntryKind::Command) > 40, "{page}");

    let examples = examples(manual);
    for (name, text) in &examples {
        let is_broken = serde_json::from_str::<Value>(text).is_err();
        assert!(!is_broken || BROKEN_EXAMPLES.contains(name), "{page}: {name}: {text}");
    }
    // The introduction of a page has one more.
    let is_request = |line: &&str| line.trim_start().trim_start_matches('\\').starts_with("-> {");
    let requests = source.lines().filter(is_request).count();
    let count = examples.len();
    assert!(count == requests || count + 1 == requests, "{page}: {count} of {requests}");
}

#[test]
fn finds_the_commands_and_events_of_real_servers() {
    for (server, manual) in [
        (Server::qemu(Q35), installed(QEMU)),
        (Server::qemu_7_2(Q35), old(QEMU)),
        (Server::storage_daemon(), installed(STORAGE_DAEMON)),
    ] {
        let (Some(server), Some(manual)) = (server, manual) else { continue };
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
fn leaves_no_roff_markup() {
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
fn finds_an_entry_for_every_type() {
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
fn parses_known_entries() {
    for (manual, is_old) in [(installed(QEMU), false), (old(QEMU), true)] {
        let Some(manual) = manual else { continue };
        let add = manual.entry("blockdev-add").unwrap();
        assert_eq!((add.kind, add.since.as_deref()), (EntryKind::Command, Some("2.9")));
        assert_eq!(add.examples().len(), 2);
        assert_eq!(own_members(&manual, "blockdev-add"), Vec::<&Member>::new());
        let common = names(own_members(&manual, "BlockdevOptions"));
        assert_eq!(common.first(), Some(&"driver"));
        assert!(common.len() == 8 || !is_old && common.len() > 8, "{common:?}");
        let variants = manual.entry("BlockdevOptions").unwrap().items();
        let drivers = variants.filter(|item| matches!(item, Item::Include(_))).count();
        assert!(drivers == 47 || !is_old && drivers > 40, "{drivers}");
        let found = manual.member("blockdev-add", "overlap-check").unwrap();
        assert_eq!(found.entry.name, "BlockdevOptionsQcow2");
        assert_eq!(found.when, Some(("driver", "qcow2")));
        assert!(found.member.optional && found.member.type_text == "Qcow2OverlapChecks");
        let found = manual.member("blockdev-add", "encrypt.key-secret").unwrap();
        assert_eq!(found.member.type_text, "string");

        let migrate = names(own_members(&manual, "migrate"));
        if is_old {
            assert_eq!(migrate, ["uri", "blk", "inc", "detach", "resume"]);
            assert_eq!(manual.entry("migrate").unwrap().examples().len(), 1);
        } else {
            assert!(["uri", "channels", "resume"].iter().all(|name| migrate.contains(name)), "{migrate:?}");
            assert!(manual.entry("migrate").unwrap().examples().len() > 1);
        }

        let completed = manual.entry("BLOCK_JOB_COMPLETED").unwrap();
        assert_eq!((completed.kind, completed.since.as_deref()), (EntryKind::Event, Some("1.1")));
        let members = own_members(&manual, "BLOCK_JOB_COMPLETED");
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
fn lays_out_every_entry_within_the_width() {
    for (page, manual) in pages() {
        for entry in manual.entries() {
            for width in [60, 80, 132] {
                let lines = manual.layout(entry, width);
                for line in &lines {
                    let text: String = line.iter().map(|run| run.text.as_str()).collect();
                    let is_verbatim = line.iter().any(|run| matches!(run.role, Role::Sent | Role::Received));
                    let one_word = text.split_whitespace().count() < 4;
                    assert!(is_verbatim || one_word || text.chars().count() <= width, "{page}: {}: {text}", entry.name);
                    assert_eq!(text.trim_end(), text, "{page}: {}", entry.name);
                }
                let two_empty = lines.windows(2).any(|two| two.iter().all(Vec::is_empty));
                let has_examples = !entry.verbatim().is_empty();
                assert!(has_examples || !two_empty, "{page}: {}", entry.name);
            }
        }
    }
}

/// Invalid examples in the pages, which the check refuses: the command, a name in the error, and the mistake. The test makes
/// sure that the server refuses them, too.
const INVALID_EXAMPLES: &[(&str, &str, &str)] = &[
    ("migrate", "`channels.0.addr.offset`", "a size is written as a string"),
    ("set-vcpu-dirty-limit", "`dirty-rate`", "the arguments are not inside `arguments`"),
    ("dumpdtb", "`filename`", "the arguments are not inside `arguments`"),
    ("get-win32-socket", "`get-win32-socket`", "only QEMU for Windows has it"),
    ("dump-skeys", "`dump-skeys`", "only QEMU for s390x has it"),
    ("query-gic-capabilities", "`query-gic-capabilities`", "only QEMU for Arm has it"),
];

/// Runs every example of a page with `--dry-run`: it must be sent unchanged, or be one of [`INVALID_EXAMPLES`], which the
/// server must refuse, too.
fn check_examples(page: &str, manual: &Manual, server: &Server) -> Vec<String> {
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
            if !INVALID_EXAMPLES.iter().any(|(command, part, _)| command == name && desc.contains(part)) {
                wrong.push(format!("{name}: {desc}: {request}"));
            }
            // The server refuses it before it does anything.
            let run =
                qmp_shell(&[&[address.as_str(), "--no-schema", "-c"], &[request.to_string().as_str()][..]].concat());
            let reply: Value = serde_json::from_str(run.run().replies()[0]).unwrap();
            if reply["error"].is_null() {
                wrong.push(format!("{name}: the server accepts what the check refuses: {request}"));
            }
        } else if sent != *request {
            wrong.push(format!("{name}: {sent} is not {request}"));
        }
    }
    wrong
}

#[test]
fn sends_every_example_unchanged() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (page, server, manual) in [
        ("qemu", Server::qemu(Q35), installed(QEMU)),
        ("qemu 7.2", Server::qemu_7_2(Q35), old(QEMU)),
        ("storage daemon", Server::storage_daemon(), installed(STORAGE_DAEMON)),
    ] {
        let (Some(server), Some(manual)) = (server, manual) else { continue };
        seen += 1;
        wrong.extend(check_examples(page, &manual, &server).into_iter().map(|text| format!("{page}: {text}")));
    }
    assert!(wrong.is_empty(), "{seen} servers:\n{}", wrong.join("\n"));
}
