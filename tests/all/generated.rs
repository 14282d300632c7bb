//! Generated texts: completions, manual pages, help.

use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::expect;
use serde_json::Value;

use crate::support::find_program;
use crate::support::program::{Program, qmp, qmp_share, qmp_shell, qmp_shell_wrap, qom};
use crate::support::skip::{require_program, skip_optional};
use crate::support::snapshot::{Table, is_updating};

type Start = fn(&[&str]) -> Program;

const PROGRAMS: &[(&str, Start)] = &[
    ("qmp-shell", qmp_shell),
    ("qmp-shell-wrap", qmp_shell_wrap),
    ("qmp", qmp),
    ("qom", qom),
    ("qmp-share", qmp_share),
];

fn completions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("completions")
}

/// Compares a stored file with the text that a program generates, or rewrites it.
fn check_stored(file: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if is_updating() {
        return std::fs::write(path, generated).unwrap();
    }
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert!(generated == stored, "{file} is out of date; `UPDATE_EXPECT=1 tests/run generated::` updates it");
}

#[test]
fn completions_are_those_that_the_programs_generate() {
    for &(name, program) in PROGRAMS {
        for (shell, file) in [
            ("bash", format!("{name}.bash")),
            ("zsh", format!("_{name}")),
            ("fish", format!("{name}.fish")),
            ("elvish", format!("{name}.elv")),
            ("powershell", format!("_{name}.ps1")),
        ] {
            let generated = program(&["--generate", shell]).run().expect_status(0).stdout;
            check_stored(&format!("completions/{file}"), &generated);
        }
    }
}

#[test]
fn manual_pages_are_those_that_the_programs_generate() {
    for &(name, program) in PROGRAMS {
        let generated = program(&["--generate", "man"]).run().expect_status(0).stdout;
        check_stored(&format!("man/{name}.1"), &generated);
    }
}

#[test]
fn packages_have_every_program_page_and_completion() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let metadata = &metadata["packages"][0]["metadata"];
    for (package, has_links) in [("deb", true), ("generate-rpm", false)] {
        let assets = metadata[package]["assets"].as_array().unwrap();
        // An asset is a list that begins with its source, a table with one, or a link.
        let source = |asset: &Value| {
            let source = if asset.is_array() { &asset[0] } else { asset.get("source").unwrap_or(&asset["dest"]) };
            source.as_str().unwrap().to_owned()
        };
        let sources: Vec<String> = assets.iter().map(source).collect();
        for (name, _) in PROGRAMS {
            let is_link = has_links && *name != "qmp-shell";
            let program = if is_link { format!("usr/bin/{name}") } else { format!("target/release/{name}") };
            let completions = [format!("completions/{name}.bash"), format!("completions/_{name}")];
            let pages = ["man/*.1".to_owned(), "completions/*.fish".to_owned()];
            for expected in [program].iter().chain(&completions).chain(&pages) {
                assert!(sources.contains(expected), "{expected} is missing in {package}: {sources:?}");
            }
        }
    }
}

#[test]
fn shells_parse_their_completions() {
    for (shell, lead, end) in [("bash", "", ".bash"), ("zsh", "_", ""), ("fish", "", ".fish")] {
        let Some(program) = find_program(shell) else {
            skip_optional(shell);
            continue;
        };
        for (name, _) in PROGRAMS {
            let file = format!("{lead}{name}{end}");
            let output = Command::new(&program).arg("-n").arg(completions().join(&file)).output();
            let output = output.unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{file}: {output:?}");
        }
    }
}

#[test]
fn bash_completes_options_and_their_values() {
    let Some(bash) = require_program("bash") else { return };
    let script = "source qmp-shell.bash
        offer() {
            COMP_WORDS=(qmp-shell \"$@\") COMP_CWORD=$#
            _qmp__shell qmp-shell \"${!#}\" \"${COMP_WORDS[$#-1]}\"
            echo \"${COMPREPLY[@]}\"
        }
        offer --dr; offer --color ''; offer -o p";
    let output = Command::new(bash).args(["--norc", "-c", script]).current_dir(completions()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "--dry-run\nauto always never\npretty\n", "{output:?}");
}

#[test]
fn manual_pages_are_formatted_without_warnings() {
    let Some(man) = find_program("man") else { return skip_optional("man") };
    let mut table = Table::new();
    let folder = tempfile::tempdir().unwrap();
    for &(name, program) in PROGRAMS {
        let page = folder.path().join(format!("{name}.1"));
        std::fs::write(&page, program(&["--generate", "man"]).run().expect_status(0).stdout).unwrap();
        let output = Command::new(&man)
            .args(["--warnings", "-E", "UTF-8", "-P", "cat", "-l"])
            .arg(&page)
            .env("MANWIDTH", "80")
            .output()
            .unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let text = without_markup(&String::from_utf8_lossy(&output.stdout));
        let headings = text.lines().filter(|line| line.starts_with(char::is_uppercase) && !line.contains("(1)"));
        table.row(name, headings.collect::<Vec<_>>().join("\n"));
        if name == "qmp-shell" {
            for part in [".wait EVENT [KEY=VALUE]…", "--skip-negotiation", "QMP_SOCKET"] {
                assert!(text.contains(part), "{part} in\n{text}");
            }
        }
    }
    table.check(expect![[r#"
        > qmp-shell
        NAME
        SYNOPSIS
        DESCRIPTION
        OPTIONS
        ADDRESSES
        LINES
        DOT COMMANDS
        EXAMPLES
        ENVIRONMENT
        FILES
        EXIT STATUS
        SEE ALSO

        > qmp-shell-wrap
        NAME
        SYNOPSIS
        DESCRIPTION
        OPTIONS
        EXAMPLES
        ENVIRONMENT
        FILES
        EXIT STATUS
        SEE ALSO

        > qmp
        NAME
        SYNOPSIS
        DESCRIPTION
        OPTIONS
        EXAMPLES
        ENVIRONMENT
        EXIT STATUS
        SEE ALSO

        > qom
        NAME
        SYNOPSIS
        DESCRIPTION
        OPTIONS
        COMMANDS
        EXAMPLES
        ENVIRONMENT
        FILES
        EXIT STATUS
        SEE ALSO

        > qmp-share
        NAME
        SYNOPSIS
        DESCRIPTION
        OPTIONS
        EXAMPLES
        ENVIRONMENT
        FILES
        EXIT STATUS
        SEE ALSO
    "#]]);
}

/// Removes markup for bold text: overstriking and escape sequences.
fn without_markup(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{8}' => drop(out.pop()),
            '\u{1b}' => drop(chars.find(|c| c.is_ascii_alphabetic())),
            c => out.push(c),
        }
    }
    out
}

#[test]
fn help_names_every_option_in_80_columns() {
    const ALL: &[&str] = &["-l, --logfile", "--timeout", "--color", "--generate", "-h, --help", "-V, --version"];
    const LINES: &[&str] = &["-v, --verbose", "-o, --output", "--dry-run", "--no-schema"];
    const SHELLS: &[&str] = &[
        "-H, --hmp",
        "-p, --pretty",
        "-c, --command",
        "-f, --file",
        "-e, --exit-on-error",
        "--no-events",
        "--no-history",
    ];
    const OF_SHELL: &[&str] = &["-N, --skip-negotiation", "--complete", "--wait", "--listen", "QMP_SOCKET", "demo:"];
    const OF_WRAP: &[&str] = &["QEMU-COMMAND"];
    const OF_QMP: &[&str] =
        &["-N, --skip-negotiation", "--path", "--wait", "--jobs", "--events", "--count", "$QMP_PATH", "demo:"];
    const OF_QOM: &[&str] = &["-s, --socket", "--wait", "list", "get", "set", "tree", "QMP_SOCKET", "demo:"];
    const OF_SHARE: &[&str] = &["--read-only", "--mode", "--group", "--wait", "[ADDRESS] SOCKET", "QMP_PATH"];
    for &(name, program) in PROGRAMS {
        let own = match name {
            "qmp-shell" => [LINES, SHELLS, OF_SHELL].concat(),
            "qmp-shell-wrap" => [LINES, SHELLS, OF_WRAP].concat(),
            "qmp" => [LINES, OF_QMP].concat(),
            "qmp-share" => OF_SHARE.to_vec(),
            _ => OF_QOM.to_vec(),
        };
        let help = program(&["--help"]).env("COLUMNS", "80").run().expect_status(0).stdout;
        for option in ALL.iter().chain(&own) {
            assert!(help.contains(option), "{option} in\n{help}");
        }
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
    }
}

#[test]
fn short_help_fits_on_a_screen() {
    let qom_commands = ["list", "get", "set", "tree", "fuse"].map(|command| ("qom", qom as Start, Some(command)));
    for (name, program, command) in PROGRAMS.iter().map(|&(name, program)| (name, program, None)).chain(qom_commands) {
        let args: Vec<&str> = command.into_iter().chain(["-h"]).collect();
        let help = program(&args).env("COLUMNS", "80").run().expect_status(0).stdout;
        // The next prompt of the user's shell takes the last row.
        assert!(help.lines().count() <= 23, "{name}: {} rows\n{help}", help.lines().count());
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        for option in ["Usage: ", "-h, --help", "--wait", "-v, --verbose"].iter().filter(|_| name != "qmp-shell-wrap") {
            assert!(help.contains(option), "{option} in\n{help}");
        }
    }
}
