//! README.md and the chapters in docs/ show sessions, which are typed again in a real terminal and must look the same.
//! `UPDATE_EXPECT=1 tests/run` rewrites them. The options, dot commands and files that the documents name must exist.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use crate::support::program::{qmp, qmp_share, qmp_shell, qmp_shell_wrap, qom};
use crate::support::server::{Q35, Server};
use crate::support::skip::{require_program, spawn_for_test};
use crate::support::snapshot::{is_updating, normalise};
use crate::support::terminal::Terminal;

/// The prompts before a typed line.
const PROMPTS: [&str; 7] = ["$ ", "(QEMU) ", "(qemu) ", "TRANS> ", "(web) ", "(db) ", "(qemu db) "];

/// The number of sessions that are typed at the same time.
const SESSIONS_AT_ONCE: usize = 8;

/// Returns README.md, CONTRIBUTING.md and the chapters in docs/, each with its text.
fn documents() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    if let Ok(entries) = fs::read_dir(root.join("docs")) {
        paths.extend(entries.map(|entry| entry.unwrap().path()));
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

/// Replaces a part of a document in its file.
fn rewrite(path: &Path, old: &str, new: &str) {
    static LOCK: Mutex<()> = Mutex::new(());

    let _lock = LOCK.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(old), "{}: already rewritten:\n{old}", path.display());
    fs::write(path, text.replacen(old, new, 1)).unwrap();
}

/// Returns the sessions in a document: the lines of its console blocks.
fn sessions(text: &str) -> Vec<&str> {
    text.split("\n```console\n").skip(1).map(|block| block.split("\n```\n").next().unwrap()).collect()
}

#[test]
fn sessions_look_as_shown() {
    let documents = documents();
    let all: Vec<_> = documents
        .iter()
        .flat_map(|(path, text)| sessions(text).into_iter().map(move |session| (path, session)))
        .collect();
    assert!(all.len() >= 9, "{}", all.len());
    // More at once would leave too little of the machine for each.
    let next = Mutex::new(all.into_iter());
    let take = || next.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next();
    std::thread::scope(|scope| {
        for _ in 0..SESSIONS_AT_ONCE {
            spawn_for_test(scope, || std::iter::from_fn(take).for_each(|(path, session)| replay(path, session)));
        }
    });
}

#[test]
fn the_coverage_of_the_human_monitor_is_that_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/human-monitor.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, found) = text.split_once(" -->\n\n").unwrap();
    let expected = qmp_shell::monitor::coverage_table();
    if is_updating() {
        return rewrite(&path, &text, &format!("{before} -->\n\n{expected}"));
    }
    assert!(found == expected, "{} is out of date; `UPDATE_EXPECT=1 tests/run docs::` rewrites it", path.display());
}

/// Types a session in a folder of its own, with the servers that it uses, and compares the screen with it.
fn replay(path: &Path, session: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut servers = Vec::new();
    let machine: fn() -> Option<Server> = || Server::qemu(Q35);
    let source: fn() -> Option<Server> = || Server::qemu(&Q35[..Q35.len() - 1]);
    let destination: fn() -> Option<Server> =
        || Server::qemu(&[&Q35[..Q35.len() - 1], &["-incoming", "defer"]].concat());
    for (socket, start) in [
        ("vm.sock", machine),
        ("web.sock", machine),
        ("db.sock", machine),
        ("src.sock", source),
        ("dst.sock", destination),
        ("ga.sock", Server::guest_agent),
    ] {
        if session.contains(socket) {
            let Some(server) = start() else { return };
            symlink(server.address(), folder.path().join(socket)).unwrap();
            servers.push(server);
        }
    }
    if session.contains("qemu-system-x86_64") {
        let Some(_) = require_program("qemu-system-x86_64") else { return };
    }
    write_files(session, folder.path());
    fs::write(folder.path().join("profile"), "PS1='$ '\n").unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_qmp-shell")).parent().unwrap();
    let command = format!("cd {0}; PATH={1}:$PATH ENV={0}/profile sh -i", folder.path().display(), programs.display());
    let Some(terminal) = Terminal::start(&command, 160, 60) else { return };
    for line in session.lines() {
        if let Some((prompt, typed)) = typed_line(line) {
            terminal.wait_for_last(prompt.trim_end());
            terminal.type_text(typed);
            // Once the line is seen, this prompt cannot be mistaken for the next one. A hint may follow it.
            terminal.wait(line, |screen| screen.lines().last().is_some_and(|last| last.starts_with(line.trim_end())));
            terminal.press("Enter");
        }
    }
    let is_at_prompt = |screen: &str| {
        let last = screen.lines().last().unwrap_or_default();
        PROMPTS.iter().any(|prompt| prompt.trim_end() == last)
    };
    if !is_updating() {
        terminal.wait(&format!("this session of {}:\n{session}\n", path.display()), |screen| {
            is_at_prompt(screen) && same_lines(session, before_prompt(screen))
        });
        return;
    }
    terminal.wait("the last prompt", is_at_prompt);
    // An event may follow the last reply.
    std::thread::sleep(Duration::from_millis(300));
    let screen = terminal.wait("the last prompt", is_at_prompt);
    if !same_lines(session, before_prompt(&screen)) {
        rewrite(path, session, &updated(session, before_prompt(&screen)));
    }
}

/// Returns the screen without its last line.
fn before_prompt(screen: &str) -> &str {
    screen.rsplit_once('\n').map_or("", |(before, _)| before)
}

/// Compares sessions without what differs each time: times and the version of QEMU.
fn same_lines(session: &str, screen: &str) -> bool {
    // A busy machine may be slow enough for this notice.
    let screen = screen.lines().filter(|line| *line != "Waiting for the server's introspection.");
    session.lines().map(stable).eq(screen.map(stable))
}

fn stable(line: &str) -> String {
    normalise(line.trim_end())
}

/// Returns the session of a screen. Lines that differ only in times or versions stay as they are in the document.
fn updated(session: &str, screen: &str) -> String {
    let mut old: Vec<&str> = session.lines().collect();
    let mut take = |new: &str| match old.iter().position(|line| stable(line) == stable(new)) {
        Some(at) => old.remove(at).to_owned(),
        None => new.to_owned(),
    };
    screen.lines().map(|line| take(line.trim_end())).collect::<Vec<_>>().join("\n")
}

/// Splits a line that was typed into the prompt and the typed text.
fn typed_line(line: &str) -> Option<(&'static str, &str)> {
    PROMPTS.into_iter().find_map(|prompt| Some((prompt, line.strip_prefix(prompt)?)))
}

/// Writes the files that a session shows with `cat FILE`.
fn write_files(session: &str, folder: &Path) {
    let mut lines = session.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("$ cat ") else { continue };
        let mut text = String::new();
        while let Some(line) = lines.next_if(|line| typed_line(line).is_none()) {
            text.push_str(line);
            text.push('\n');
        }
        fs::write(folder.join(name), text).unwrap();
    }
}

#[test]
fn options_exist() {
    let programs = [
        qmp_shell(&["--help"]),
        qmp_shell_wrap(&["--help"]),
        qmp(&["--help"]),
        qmp_share(&["--help"]),
        qom(&["--help"]),
        qom(&["tree", "--help"]),
        qom(&["fuse", "--help"]),
        qmp_share(&["--help"]),
    ];
    let helps = programs.map(|program| program.run().stdout);
    let options_in = |text: &str| -> BTreeSet<String> {
        text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .filter(|word| word.len() > 2 && word.starts_with("--") && !word.starts_with("---"))
            .map(str::to_owned)
            .collect()
    };
    // After a command, `qmp` takes the keys of its arguments in this form.
    const KEYS: &str = "--key --flag --driver --node-name --size --read-only --command-line --id --qom-type";
    let known = options_in(&[&helps.join("\n"), KEYS].join("\n"));
    let mut named = BTreeSet::new();
    for (_, text) in documents() {
        // Lines with another program contain options of that.
        let others = ["cargo ", "exec:gnutls-cli "];
        let lines: Vec<&str> = text.lines().filter(|line| !others.iter().any(|other| line.contains(other))).collect();
        named.extend(options_in(&lines.join("\n")));
    }
    assert!(named.len() >= 6, "{named:?}");
    assert!(named.is_subset(&known), "{:?}", named.difference(&known));
}

#[test]
fn the_table_of_dot_commands_agrees_with_help() {
    let help = qmp_shell(&["--dry-run", "-c", ".help"]).run().expect_status(0).stderr;
    let rows_of_help: Vec<String> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| line.starts_with(['.', '!']))
        .map(|line| {
            let (name, summary) = line.split_once(' ').unwrap();
            format!("| `{name}` | {} |", summary.trim())
        })
        .collect();
    assert!(rows_of_help.len() > 10, "{help}");
    let is_row = |line: &&str| line.starts_with("| `.") || line.starts_with("| `!");
    let documents = documents();
    let mut tables = documents.iter().filter(|(_, text)| text.lines().any(|line| line.starts_with("| `.connect` ")));
    let (Some((path, text)), None) = (tables.next(), tables.next()) else { panic!("not one table of dot commands") };
    let rows: Vec<&str> = text.lines().filter(is_row).collect();
    if is_updating() && rows != rows_of_help {
        return rewrite(path, &rows.join("\n"), &rows_of_help.join("\n"));
    }
    assert_eq!(rows_of_help, rows, "{}", path.display());
}

#[test]
fn links_lead_to_files_and_headings() {
    let mut count = 0;
    for (path, text) in documents() {
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", path.display());
            if let Some(anchor) = anchor {
                let text = fs::read_to_string(&target).unwrap();
                let has_heading = text.lines().any(|line| line.starts_with('#') && anchor_of(line) == anchor);
                assert!(has_heading, "{}: {link}", path.display());
            }
            count += 1;
        }
    }
    assert!(count >= 4, "{count}");
}

#[test]
fn files_that_are_named_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for (path, text) in documents() {
        for name in
            text.split('`').skip(1).step_by(2).filter(|name| name.starts_with("src/") || name.starts_with("tests/"))
        {
            // A word after the path is an argument; a word in capitals stands for a name.
            let name = name.split(' ').next().unwrap();
            if name.chars().any(|c| c.is_ascii_uppercase()) {
                continue;
            }
            assert!(root.join(name).exists(), "{}: `{name}`", path.display());
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
}

/// Returns the anchor of a heading: in lower case, with dashes for spaces, without punctuation.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    text.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect()
}
