//! The house: rooms on their floors, files that say what they own. What `lib.rs` promises is read off the code here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The rooms in order: each may use those before it, and nothing behind it.
const ROOMS: &[&str] =
    &["wire", "grammar", "schema", "assist", "session", "render", "demo", "client", "qom", "shell", "cli"];

/// Of the rooms before it, what a room must all the same not use.
const APART: &[(&str, &[&str])] = &[
    ("assist", &["wire"]),
    ("session", &["grammar", "schema", "assist"]),
    ("render", &["session", "assist"]),
    ("demo", &["grammar", "schema", "assist", "session", "render"]),
    ("client", &["grammar", "assist", "render"]),
    ("qom", &["assist"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `folder`, with its text.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

/// The lines of a text, comments apart.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// The rooms named behind `crate::` in a text.
fn rooms_used(text: &str) -> Vec<&str> {
    code(text)
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
        .collect()
}

#[test]
fn no_room_uses_one_above_it() {
    let mut arrows = 0;
    for (floor, room) in ROOMS.iter().enumerate() {
        let apart = APART.iter().find(|(name, _)| name == room).map_or(&[][..], |(_, rooms)| rooms);
        for (path, text) in files(&root().join("src").join(room)) {
            for used in rooms_used(&text) {
                let at = ROOMS.iter().position(|name| *name == used);
                let at = at.unwrap_or_else(|| panic!("{}: `{used}` is no room", path.display()));
                assert!(at <= floor, "{}: `{room}` uses `{used}`, which is above it", path.display());
                assert!(!apart.contains(&used), "{}: `{room}` must not know `{used}`", path.display());
                arrows += 1;
            }
        }
    }
    assert!(arrows > 50, "the test has lost sight of the code: it found {arrows} arrows");
}

#[test]
fn lib_rs_maps_every_room_and_only_rooms_that_are_there() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut folders: Vec<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_dir() && entry.file_name() != "bin")
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let mut rooms: Vec<&str> = ROOMS.to_vec();
    rooms.sort_unstable();
    assert_eq!(folders, rooms);
    for room in ROOMS {
        assert!(lib.contains(&format!("| `{room}` |")), "`{room}` is not in the table of lib.rs");
        assert!(lib.contains(&format!("mod {room};")), "`{room}` is not a module of lib.rs");
    }
}

#[test]
fn every_file_says_what_it_owns() {
    let all = files(&root().join("src")).into_iter().chain(files(&root().join("tests")));
    let mut count = 0;
    for (path, text) in all {
        assert!(text.starts_with("//! ") && text.lines().next().unwrap().len() > 12, "{} has no `//!`", path.display());
        count += 1;
    }
    assert!(count > 40, "the test has lost sight of the code: it found {count} files");
}

#[test]
fn only_the_session_opens_sockets() {
    const OPENERS: &[&str] = &["TcpStream::connect", "UnixStream::connect", "TcpListener::bind", "UnixListener::bind"];
    for room in ROOMS.iter().filter(|room| **room != "session") {
        for (path, text) in files(&root().join("src").join(room)) {
            for opener in OPENERS {
                assert!(!code(&text).any(|line| line.contains(opener)), "{}: `{room}` opens a socket", path.display());
            }
        }
    }
}

#[test]
fn the_programs_are_short() {
    for (path, text) in files(&root().join("src/bin")) {
        assert!(text.lines().count() < 40, "{}", path.display());
    }
}

#[test]
fn the_top_level_holds_what_is_meant_to_be_there() {
    const MEANT: &[&str] = &[
        ".ci",
        ".gitattributes",
        ".gitignore",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "benches",
        "clippy.toml",
        "completions",
        "fuzz",
        "rustfmt.toml",
        "src",
        "tests",
    ];
    let listed = Command::new("git").args(["ls-files"]).current_dir(root()).output();
    // Unpacked from an archive there is no list, and nothing to be added by mistake.
    let listed = listed.ok().filter(|listed| listed.status.success()).map(|listed| listed.stdout);
    let Some(listed) = listed.filter(|listed| !listed.is_empty()) else { return };
    let listed = String::from_utf8(listed).unwrap();
    let mut tops: Vec<&str> = listed.lines().map(|path| path.split('/').next().unwrap_or(path)).collect();
    tops.dedup();
    assert_eq!(tops, MEANT);
}
