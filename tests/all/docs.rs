//! The README shows what the programs do. Each session in it is typed again in a real terminal, and what then stands
//! there has to be what the README shows; the flags, commands and files that it names have to exist.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::find_program;
use crate::support::program::{qmp, qmp_shell, qmp_shell_wrap, qom};
use crate::support::server::{Q35, Server};
use crate::support::skip::skip;
use crate::support::terminal::Terminal;

const README: &str = include_str!("../../README.md");

/// What stands before a line that was typed.
const PROMPTS: [&str; 4] = ["$ ", "(QEMU) ", "(qemu) ", "TRANS> "];

#[test]
fn every_session_in_it_goes_as_shown() {
    let sessions: Vec<&str> =
        README.split("\n```console\n").skip(1).map(|text| text.split("\n```\n").next().unwrap()).collect();
    assert!(sessions.len() >= 9, "{}", sessions.len());
    std::thread::scope(|scope| {
        for session in sessions {
            scope.spawn(move || repeat(session));
        }
    });
}

/// Types a session in a folder of its own, with the servers that it speaks of.
fn repeat(session: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut servers = Vec::new();
    let machine: fn() -> Option<Server> = || Server::qemu(Q35);
    for (socket, start) in
        [("vm.sock", machine), ("web.sock", machine), ("db.sock", machine), ("ga.sock", Server::guest_agent)]
    {
        if session.contains(socket) {
            let Some(server) = start() else { return };
            symlink(server.address(), folder.path().join(socket)).unwrap();
            servers.push(server);
        }
    }
    if session.contains("qemu-system-x86_64") && find_program("qemu-system-x86_64").is_none() {
        return skip("qemu-system-x86_64");
    }
    write_files(session, folder.path());
    std::fs::write(folder.path().join("profile"), "PS1='$ '\n").unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_qmp-shell")).parent().unwrap();
    let command = format!("cd {0}; PATH={1}:$PATH ENV={0}/profile sh -i", folder.path().display(), programs.display());
    let Some(terminal) = Terminal::start(&command, 160, 60) else {
        return;
    };
    for line in session.lines() {
        if let Some((prompt, typed)) = typed(line) {
            terminal.wait_for_last(prompt.trim_end());
            terminal.type_text(typed);
            // Seen, so that this prompt is not taken for the next one.
            terminal.wait_for_last(line.trim_end());
            terminal.press("Enter");
        }
    }
    terminal.wait(&format!("this session:\n{session}\n"), |screen| {
        let shown: Vec<String> = screen.lines().map(steady).collect();
        let (last, shown) = shown.split_last().unwrap();
        PROMPTS.iter().any(|prompt| prompt.trim_end() == last) && session.lines().map(steady).eq(shown.iter().cloned())
    });
}

/// The prompt of a line that was typed, and what was typed.
fn typed(line: &str) -> Option<(&'static str, &str)> {
    PROMPTS.into_iter().find_map(|prompt| Some((prompt, line.strip_prefix(prompt)?)))
}

/// The files that a session shows by `cat FILE`.
fn write_files(session: &str, folder: &Path) {
    let mut lines = session.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("$ cat ") else {
            continue;
        };
        let mut text = String::new();
        while let Some(line) = lines.next_if(|line| typed(line).is_none()) {
            text.push_str(line);
            text.push('\n');
        }
        std::fs::write(folder.join(name), text).unwrap();
    }
}

/// A line without what is different each time: times of day, and QEMU's version behind the last dot.
fn steady(line: &str) -> String {
    let words = line.trim_end().split(' ').map(|word| {
        let shape: String = word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        match (shape.as_str(), word.rsplit_once('.')) {
            ("00:00:00.000", _) => "TIME".to_owned(),
            ("0.0.0" | "0.0.00", Some((release, _))) => format!("{release}.x"),
            _ => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_flags_that_it_names_exist() {
    let programs = [
        qmp_shell(&["--help"]),
        qmp_shell_wrap(&["--help"]),
        qmp(&["--help"]),
        qom(&["--help"]),
        qom(&["tree", "--help"]),
        qom(&["fuse", "--help"]),
    ];
    let helps = programs.map(|program| program.run().stdout);
    let flags_of = |text: &str| -> BTreeSet<String> {
        text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .filter(|word| word.len() > 2 && word.starts_with("--") && !word.starts_with("---"))
            .map(str::to_owned)
            .collect()
    };
    // Behind a command, `qmp` takes the keys of its arguments in this form.
    const KEYS: &str = "--key --flag --driver --node-name --size --read-only --command-line --id --qom-type";
    let known = flags_of(&[&helps.join("\n"), KEYS].join("\n"));
    let named: String = README.lines().filter(|line| !line.contains("cargo ")).collect::<Vec<_>>().join("\n");
    let named = flags_of(&named);
    assert!(named.len() >= 6, "{named:?}");
    assert!(named.is_subset(&known), "{:?}", named.difference(&known));
}

#[test]
fn its_table_of_commands_is_the_one_of_help() {
    let help = qmp_shell(&["--dry-run", "-c", ".help"]).run().expect_status(0).stderr;
    let of_help: Vec<String> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| line.starts_with(['.', '!']))
        .map(|line| {
            let (name, what) = line.split_once(' ').unwrap();
            format!("| `{name}` | {} |", what.trim())
        })
        .collect();
    let of_readme: Vec<&str> =
        README.lines().filter(|line| line.starts_with("| `.") || line.starts_with("| `!")).collect();
    assert!(of_help.len() > 10, "{help}");
    assert_eq!(of_help, of_readme);
}

#[test]
fn what_it_links_to_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let links: Vec<&str> = README.split("](").skip(1).map(|text| text.split(')').next().unwrap()).collect();
    assert!(links.len() >= 4, "{links:?}");
    for link in links {
        match link.strip_prefix('#') {
            Some(anchor) => {
                assert!(README.lines().any(|line| line.starts_with('#') && anchor_of(line) == anchor), "{anchor}")
            }
            None => assert!(folder.join(link).exists(), "{link}"),
        }
    }
}

/// The anchor of a heading: itself in small letters, blanks as dashes, without any marks.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    text.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect()
}
