//! The architecture of the package as src/lib.rs describes it: layers, modules, and rules for files.
//!
//! A rule that some files do not keep yet has a snapshot of the exceptions. The goal is an empty snapshot; then the check
//! becomes an `assert!` that there are none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::expect;

use crate::support::snapshot;

/// The modules in order: each may use those before it.
const MODULES: &[&str] =
    &["wire", "grammar", "schema", "assist", "session", "render", "demo", "client", "qom", "shell", "cli"];

/// Modules that a module must not use although they come before it.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("assist", &["wire"]),
    ("session", &["grammar", "schema", "assist"]),
    ("render", &["session", "assist"]),
    ("demo", &["grammar", "schema", "assist", "session", "render"]),
    ("client", &["grammar", "assist", "render"]),
    ("qom", &["assist"]),
];

/// The modules of `shell` in order: each may use those before it.
const SHELL_MODULES: &[&str] = &[
    "events",
    "settings",
    "history",
    "terminal",
    "hmp",
    "output",
    "connection",
    "server_info",
    "engine",
    "commands",
    "completion",
    "script",
    "prompt",
];

/// Modules whose own modules are checked for circles one by one.
const DIVIDED: [&str; 2] = ["shell", "cli"];

/// The longest file that is allowed.
const MAX_LINES: usize = 520;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Returns every Rust file below `folder`, with its text.
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
    found.sort();
    found
}

/// Returns the lines of a text without comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// Returns the modules named after `crate::` in a text.
fn modules_used(text: &str) -> Vec<&str> {
    code(text)
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
        .collect()
}

#[test]
fn modules_use_only_earlier_modules() {
    let mut uses = 0;
    for (position, module) in MODULES.iter().enumerate() {
        let forbidden = FORBIDDEN.iter().find(|(name, _)| name == module).map_or(&[][..], |(_, modules)| modules);
        for (path, text) in files(&root().join("src").join(module)) {
            for used in modules_used(&text) {
                let at = MODULES.iter().position(|name| *name == used);
                let at = at.unwrap_or_else(|| panic!("{}: `{used}` is not a module", path.display()));
                assert!(at <= position, "{}: `{module}` uses `{used}`, which comes after it", path.display());
                assert!(!forbidden.contains(&used), "{}: `{module}` must not use `{used}`", path.display());
                uses += 1;
            }
        }
    }
    assert!(uses > 50, "the test found only {uses} uses");
}

#[test]
fn lib_rs_describes_every_module() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut folders: Vec<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_dir() && entry.file_name() != "bin")
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let mut modules: Vec<&str> = MODULES.to_vec();
    modules.sort_unstable();
    assert_eq!(folders, modules);
    for module in MODULES {
        assert!(lib.contains(&format!("| `{module}` |")), "`{module}` is not in the table of lib.rs");
        assert!(lib.contains(&format!("mod {module};")), "`{module}` is not a module of lib.rs");
    }
}

/// A file of src, its module path, and the paths that it uses.
struct SourceFile {
    name: String,
    module: Vec<String>,
    uses: Vec<Vec<String>>,
}

/// Parses every file of src except the programs and files of tests.
fn source_files() -> Vec<SourceFile> {
    let src = root().join("src");
    let mut found = Vec::new();
    for (path, text) in files(&src) {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        let mut module: Vec<String> = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if module[0] == "bin" || module.last().is_some_and(|last| last == "tests") {
            continue;
        }
        if module.last().is_some_and(|last| last == "mod" || last == "lib") {
            module.pop();
        }
        let without_tests = text.split("#[cfg(test)]\nmod ").next().unwrap();
        let code = code(without_tests).collect::<Vec<_>>().join("\n");
        let uses = used_paths(&module, &code);
        found.push(SourceFile { name, module, uses });
    }
    found
}

/// Returns the paths after `crate::` and `super::` in the code of a module, from the root of the crate.
fn used_paths(module: &[String], code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (start, word) in ["crate::", "super::"].iter().flat_map(|word| code.match_indices(word)) {
        let before = &code[..start];
        // A later part of a path, or of another word.
        if before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let mut rest = &code[start + word.len()..];
        let mut base = module.to_vec();
        if word == "crate::" {
            base.clear();
        } else {
            base.pop();
            while let Some(more) = rest.strip_prefix("super::") {
                base.pop();
                rest = more;
            }
        }
        parse_paths(&mut rest, base, &mut found);
    }
    found
}

/// Parses a path, which may end in a list in braces.
fn parse_paths(rest: &mut &str, mut path: Vec<String>, found: &mut Vec<Vec<String>>) {
    loop {
        *rest = rest.trim_start();
        if let Some(list) = rest.strip_prefix('{') {
            *rest = list;
            while !rest.trim_start().starts_with('}') {
                parse_paths(rest, path.clone(), found);
                *rest = rest.trim_start();
                *rest = rest.strip_prefix(',').unwrap_or(rest);
                if let Some(renamed) = rest.strip_prefix("as ") {
                    *rest = renamed.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').trim_start();
                    *rest = rest.strip_prefix(',').unwrap_or(rest);
                }
            }
            *rest = &rest.trim_start()[1..];
            return;
        }
        let len = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let len = if len == 0 && rest.starts_with('*') { 1 } else { len };
        let (word, after) = rest.split_at(len);
        path.push(word.to_owned());
        *rest = after;
        match rest.strip_prefix("::") {
            // The arguments of a generic type are no part of the path.
            Some(more) if !more.starts_with('<') => *rest = more,
            _ => return found.push(path),
        }
    }
}

/// Uses of one module by another, each with a file in which it occurs. A module of [`DIVIDED`] counts as its own modules.
fn dependencies() -> BTreeMap<(String, String), String> {
    let files = source_files();
    // Names that `shell` and `cli` re-export from their modules.
    let mut exports: BTreeMap<(String, String), String> = BTreeMap::new();
    for divided in DIVIDED {
        let text = fs::read_to_string(root().join("src").join(divided).join("mod.rs")).unwrap();
        for (start, word) in text.match_indices("pub use ") {
            let mut paths = Vec::new();
            parse_paths(&mut &text[start + word.len()..], Vec::new(), &mut paths);
            for path in paths {
                exports.insert((divided.to_owned(), path.last().unwrap().clone()), path[0].clone());
            }
        }
    }
    let node = |path: &[String]| -> Option<String> {
        let (first, second) = (path.first()?, path.get(1));
        if !DIVIDED.contains(&first.as_str()) {
            return Some(first.clone());
        }
        let folder = root().join("src").join(first);
        let second = second?;
        if folder.join(second).is_dir() || folder.join(format!("{second}.rs")).exists() {
            return Some(format!("{first}/{second}"));
        }
        exports.get(&(first.clone(), second.clone())).map(|module| format!("{first}/{module}"))
    };
    let mut found = BTreeMap::new();
    for file in &files {
        let Some(from) = node(&file.module) else { continue };
        for to in file.uses.iter().filter_map(|path| node(path)) {
            if to != from {
                found.entry((from.clone(), to)).or_insert_with(|| file.name.clone());
            }
        }
    }
    found
}

#[test]
fn shell_modules_use_only_earlier_modules() {
    let mut violations = Vec::new();
    let mut count = 0;
    for ((from, to), file) in dependencies() {
        let (Some(from), Some(to)) = (from.strip_prefix("shell/"), to.strip_prefix("shell/")) else { continue };
        let position = |name: &str| {
            let at = SHELL_MODULES.iter().position(|module| *module == name);
            at.unwrap_or_else(|| panic!("`shell/{name}` is not in SHELL_MODULES"))
        };
        if position(from) < position(to) {
            violations.push(format!("{from} -> {to} ({file})\n"));
        }
        count += 1;
    }
    assert!(count > 10, "the test found only {count} uses");
    snapshot::check(
        violations.concat(),
        expect![[r#"
        connection -> prompt (shell/connection/child_qemu.rs)
        engine -> commands (shell/engine/hmp.rs)
        output -> engine (shell/output/terminal.rs)
        server_info -> engine (shell/server_info/live_names.rs)
    "#]],
    );
}

#[test]
fn modules_do_not_use_each_other_in_circles() {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in dependencies().into_keys() {
        used.entry(from).or_default().insert(to);
    }
    let reachable = |from: &String| {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(module) = open.pop() {
            open.extend(used.get(module).into_iter().flatten().filter(|next| reached.insert((*next).clone())));
        }
        reached
    };
    let all: BTreeMap<&String, BTreeSet<String>> = used.keys().map(|module| (module, reachable(module))).collect();
    let circle_of = |module: &String| -> Vec<String> {
        let is_in_circle = |other: &&String| all.get(other).is_some_and(|back| back.contains(module));
        all[module].iter().filter(is_in_circle).cloned().collect()
    };
    let circles: BTreeSet<Vec<String>> = used.keys().map(circle_of).filter(|circle| circle.len() > 1).collect();
    let circles: String = circles.iter().map(|circle| circle.join(", ") + "\n").collect();
    snapshot::check(
        circles,
        expect![[r#"
        cli/qmp_shell, cli/shell_completion
        shell/commands, shell/connection, shell/engine, shell/output, shell/prompt, shell/server_info
    "#]],
    );
}

#[test]
fn files_are_short_and_begin_with_a_sentence() {
    let all = files(&root().join("src")).into_iter().chain(files(&root().join("tests")));
    let mut violations = Vec::new();
    let mut count = 0;
    for (path, text) in all {
        count += 1;
        let name = path.strip_prefix(root()).unwrap().display();
        let lines = text.lines().count();
        if lines > MAX_LINES {
            violations.push(format!("{name}: {lines} lines\n"));
        }
        if let Err(reason) = check_first_paragraph(&text) {
            violations.push(format!("{name}: {reason}\n"));
        }
    }
    assert!(count > 40, "the test found only {count} files");
    snapshot::check(
        violations.concat(),
        expect![[r#"
            src/assist/complete.rs: no `//!` sentence
            src/assist/highlight.rs: begins with `What`
            src/assist/json.rs: begins with `Where`
            src/cli/qmp_shell.rs: no `//!` sentence
            src/cli/qmp_shell_wrap.rs: no `//!` sentence
            src/cli/qom/commands.rs: begins with `What`
            src/cli/qom/fuse.rs: begins with `What`
            src/cli/shell_completion.rs: begins with `What`
            src/client/dispatcher.rs: begins with `Who`
            src/client/error.rs: begins with `What`
            src/client/request.rs: begins with `What`
            src/demo/reply.rs: begins with `What`
            src/demo/types.rs: begins with `What`
            src/qom/fs/error.rs: begins with `What`
            src/qom/fs/source.rs: begins with `Where`
            src/schema/extent.rs: begins with `How`
            src/schema/introspection.rs: begins with `What`
            src/schema/manual/layout/tests.rs: begins with `What`
            src/schema/manual/man_path.rs: begins with `Where`
            src/schema/mod.rs: begins with `What`
            src/schema/partial_arguments.rs: begins with `What`
            src/schema/signature.rs: begins with `What`
            src/session/address.rs: begins with `Where`
            src/session/received.rs: begins with `What`
            src/shell/commands/connect.rs: no `//!` sentence
            src/shell/engine/prepare.rs: begins with `How`
            src/shell/output/mod.rs: begins with `What`
            src/shell/output/one_shot.rs: begins with `What`
            src/shell/output/script.rs: begins with `What`
            src/shell/output/terminal.rs: begins with `What`
            src/shell/prompt/block_history.rs: begins with `What`
            src/shell/prompt/redraw.rs: begins with `What`
            src/shell/server_info/mod.rs: begins with `What`
            src/shell/settings.rs: begins with `What`
            src/wire/message.rs: begins with `What`
            src/wire/recover.rs: begins with `What`
            src/wire/request.rs: begins with `What`
            tests/all/dot_commands.rs: 547 lines
            tests/all/environment.rs: 593 lines
            tests/all/fuse.rs: 536 lines
            tests/all/hostile_servers.rs: 782 lines
        "#]],
    );
}

/// Checks that the documentation of a file begins with a sentence whose subject is not a clause.
fn check_first_paragraph(text: &str) -> Result<(), String> {
    let lines = text.lines().map_while(|line| line.strip_prefix("//! "));
    let paragraph = lines.collect::<Vec<_>>().join(" ");
    let first = paragraph.split(' ').next().unwrap_or_default();
    if paragraph.split(' ').count() < 2 {
        return Err("no `//!` sentence".to_owned());
    }
    if ["What", "Whatever", "Who", "Whoever", "Whom", "Whose", "How", "Where", "That", "So"].contains(&first) {
        return Err(format!("begins with `{first}`"));
    }
    if !paragraph.ends_with(['.', ':']) {
        return Err("does not end with a full stop".to_owned());
    }
    Ok(())
}

#[test]
fn only_the_session_opens_sockets() {
    const OPENERS: &[&str] = &["TcpStream::connect", "UnixStream::connect", "TcpListener::bind", "UnixListener::bind"];
    for module in MODULES.iter().filter(|module| **module != "session") {
        for (path, text) in files(&root().join("src").join(module)) {
            for opener in OPENERS {
                let opens = code(&text).any(|line| line.contains(opener));
                assert!(!opens, "{}: `{module}` opens a socket", path.display());
            }
        }
    }
}

#[test]
fn program_files_are_short() {
    for (path, text) in files(&root().join("src/bin")) {
        assert!(text.lines().count() < 40, "{}", path.display());
    }
}

#[test]
fn the_top_level_has_no_other_files() {
    const ALLOWED: &[&str] = &[
        ".ci",
        ".gitattributes",
        ".gitignore",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "benches",
        "clippy.toml",
        "completions",
        "docs",
        "examples",
        "fuzz",
        "rustfmt.toml",
        "src",
        "tests",
    ];
    let listed = Command::new("git").args(["ls-files"]).current_dir(root()).output();
    // An unpacked archive has no list of files.
    let listed = listed.ok().filter(|listed| listed.status.success()).map(|listed| listed.stdout);
    let Some(listed) = listed.filter(|listed| !listed.is_empty()) else { return };
    let listed = String::from_utf8(listed).unwrap();
    let names: BTreeSet<&str> = listed.lines().map(|path| path.split('/').next().unwrap_or(path)).collect();
    let others: Vec<&&str> = names.iter().filter(|name| !ALLOWED.contains(name)).collect();
    assert!(others.is_empty(), "{others:?}");
}
