//! The architecture of the package as src/lib.rs and src/shell/mod.rs describe it: layers, modules, and rules for files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Modules whose own modules are checked for circles one by one.
const DIVIDED: [&str; 2] = ["shell", "cli"];

/// The folders whose files are checked, and the maximum number of lines of a file in each. Tests contain snapshots of
/// whole outputs.
const MAX_LINES: [(&str, usize); 2] = [("src", 520), ("tests", 800)];

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

/// Returns the names between backticks.
fn quoted_names(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Returns the rows below the header `| module |` of a table in comments, as the cells between the bars.
fn module_table(file: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let lines = text.lines().map(|line| line.trim_start_matches(['/', '!']).trim());
    let rows =
        lines.skip_while(|line| !line.starts_with("| module |")).skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn modules_use_those_listed_in_lib_rs() {
    let table = module_table("src/lib.rs");
    let order: Vec<String> = table.iter().map(|row| quoted_names(&row[0]).remove(0)).collect();
    let mut folders: Vec<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_dir() && entry.file_name() != "bin")
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let mut sorted = order.clone();
    sorted.sort();
    assert_eq!(folders, sorted, "the folders of src, and the table of lib.rs");

    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in source_files() {
        let Some(module) = file.module.first() else { continue };
        let others = file.uses.iter().filter_map(|path| path.first()).filter(|other| order.contains(other));
        used.entry(module.clone()).or_default().extend(others.filter(|other| *other != module).cloned());
    }
    for (position, row) in table.iter().enumerate() {
        let used = &used[&order[position]];
        let documented: BTreeSet<String> = quoted_names(&row[2]).into_iter().collect();
        assert_eq!(*used, documented, "the modules that `{}` uses, and the table of lib.rs", order[position]);
        let later = used.iter().find(|other| !order[..position].contains(other));
        assert_eq!(later, None, "`{}` comes before what it uses", order[position]);
    }
}

/// A file of src, its module path, and the paths that it uses.
struct SourceFile {
    name: String,
    module: Vec<String>,
    /// Its code without comments and tests.
    code: String,
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
        let without_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let code = code(without_tests).collect::<Vec<_>>().join("\n");
        let uses = used_paths(&module, &code);
        found.push(SourceFile { name, module, code, uses });
    }
    found
}

/// Returns the paths after `crate::` and `super::` in the code of a module, from the root of the crate.
fn used_paths(module: &[String], code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (start, word) in ["crate::", "super::"].iter().flat_map(|word| code.match_indices(word)) {
        let before = &code[..start];
        // The match is a later part of a path, or a part of another word.
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
            // The arguments of a generic type are not part of the path.
            Some(more) if !more.starts_with('<') => *rest = more,
            _ => return found.push(path),
        }
    }
}

/// Returns the uses of one module by another, each with a file in which it occurs. The modules inside those in
/// [`DIVIDED`] count separately.
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
fn modules_of_shell_and_cli_use_only_those_before_them() {
    let dependencies = dependencies();
    for folder in DIVIDED {
        let table = module_table(&format!("src/{folder}/mod.rs"));
        let order: Vec<String> = table.iter().flat_map(|row| quoted_names(&row[0])).collect();
        let position = |name: &str| {
            let position = order.iter().position(|module| module == name);
            position.unwrap_or_else(|| panic!("`{name}` is not in the table of {folder}/mod.rs"))
        };
        let within = |module: &str| module.strip_prefix(folder)?.strip_prefix('/').map(str::to_owned);
        let mut count = 0;
        for ((from, to), file) in &dependencies {
            let (Some(from), Some(to)) = (within(from), within(to)) else { continue };
            assert!(position(&from) > position(&to), "`{from}` uses `{to}`, which comes after it ({file})");
            count += 1;
        }
        assert!(count > 10, "the test found only {count} uses in {folder}");
    }
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
    assert!(
        circles.is_empty(),
        "modules that use each other in a circle: {circles:#?}; the uses are {:#?}",
        dependencies()
    );
}

#[test]
fn files_are_short_and_begin_with_a_sentence() {
    let mut violations = Vec::new();
    let mut count = 0;
    for (folder, max_lines) in MAX_LINES {
        for (path, text) in files(&root().join(folder)) {
            count += 1;
            let name = path.strip_prefix(root()).unwrap().display();
            let lines = text.lines().count();
            if lines > max_lines {
                violations.push(format!("{name}: {lines} lines"));
            }
            if let Err(reason) = check_first_paragraph(&text) {
                violations.push(format!("{name}: {reason}"));
            }
        }
    }
    assert!(count > 40, "the test found only {count} files");
    assert!(violations.is_empty(), "see \"Style\" in CONTRIBUTING.md: {violations:#?}");
}

#[test]
fn documentation_begins_with_a_verb_or_a_noun() {
    let mut violations = Vec::new();
    let mut count = 0;
    for (path, text) in files(&root().join("src")) {
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        let is_doc = |index: usize| lines[index].starts_with("/// ");
        let first_lines =
            (0..lines.len()).filter(|index| is_doc(*index) && (*index == 0 || !lines[index - 1].starts_with("///")));
        for index in first_lines {
            count += 1;
            let first = lines[index][4..].split(' ').next().unwrap_or_default();
            if CLAUSE_WORDS.contains(&first) {
                violations.push(format!("{}:{}: {}", path.display(), index + 1, lines[index]));
            }
        }
    }
    assert!(count > 500, "the test found only {count} items");
    assert!(violations.is_empty(), "see \"Style\" in CONTRIBUTING.md: {violations:#?}");
}

/// Words that begin a clause, which should not be the subject of documentation.
const CLAUSE_WORDS: &[&str] = &["What", "Whatever", "Who", "Whoever", "Whom", "Whose", "How", "Where", "That", "So"];

/// Checks that the documentation of a file begins with a sentence whose subject is not a clause.
fn check_first_paragraph(text: &str) -> Result<(), String> {
    let lines = text.lines().map_while(|line| line.strip_prefix("//! "));
    let paragraph = lines.collect::<Vec<_>>().join(" ");
    let first = paragraph.split(' ').next().unwrap_or_default();
    if paragraph.split(' ').count() < 2 {
        return Err("no `//!` sentence".to_owned());
    }
    if CLAUSE_WORDS.contains(&first) {
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
    for file in source_files() {
        if file.module.first().is_some_and(|module| module != "session") && file.module != ["test_server"] {
            let opener = OPENERS.iter().find(|opener| file.code.contains(**opener));
            assert_eq!(opener, None, "{} opens a socket", file.name);
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
        "man",
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
