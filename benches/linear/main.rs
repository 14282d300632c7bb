//! Whether costs grow as what there is to do: each piece of work at a size, at twice that size, and so on.
//!
//! ```sh
//! cargo bench --bench linear [-- [CASE…]]
//! ```
//!
//! Counts instructions with valgrind, which come out the same each time; where there is no valgrind, the shortest of some
//! runs is taken. The table has the cost of one unit at each size, and behind it by how much the whole grew since the size
//! before: 2 is in step. What has a fixed part to begin with grows by less. The exit status is 1 where the last doubling
//! costs more than 2.3 times as much.
//!
//! The cases of a `machine` are the whole program against a real QEMU; its own part, the start, is in each figure.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

mod lines;
mod machine;
#[path = "../support/mod.rs"]
mod support;
mod work;

use std::fmt::Write as _;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use lines::{array, braces, children, commas, cut, device, dots, keys, request, word};
use machine::{devices, flood};
use work::{
    SCHEMA_FILE, Work, assemble, key, manual, names, print_nesting, print_reply, read_nesting, read_reply, show_events,
    tab, typed,
};

struct Case {
    name: &'static str,
    /// What a size counts.
    unit: &'static str,
    first: usize,
    doublings: u32,
    prepare: fn(usize) -> Work,
}

const fn case(
    name: &'static str,
    unit: &'static str,
    first: usize,
    doublings: u32,
    prepare: fn(usize) -> Work,
) -> Case {
    Case { name, unit, first, doublings, prepare }
}

const CASES: &[Case] = &[
    case("reply, read", "items", 2000, 4, read_reply),
    case("reply, printed", "items", 2000, 4, print_reply),
    case("nesting, read", "levels", 62, 5, read_nesting),
    case("nesting, printed", "levels", 62, 5, print_nesting),
    case("events, shown", "events", 1000, 3, show_events),
    case("keys, by form", "keys", 100, 6, |n| typed(keys("x", n), false)),
    case("keys, by type", "keys", 100, 6, |n| typed(device(n), true)),
    case("array keys, by type", "keys", 100, 6, |n| typed(children(n), true)),
    case("commas, by type", "items", 100, 6, |n| typed(commas(n), true)),
    case("a nested key, by form", "levels", 31, 5, |n| typed(dots(n), false)),
    case("request as JSON", "members", 100, 6, |n| typed(request(n), true)),
    case("nested JSON, by type", "levels", 31, 5, |n| typed(braces(n), true)),
    case("lines of JSON", "lines", 100, 6, assemble),
    case("Tab behind keys", "keys", 100, 6, |n| tab(device(n) + " ")),
    case("Tab behind array keys", "keys", 100, 6, |n| tab(children(n) + " children.")),
    case("Tab below a nested key", "levels", 31, 5, |n| tab(dots(n) + " file.")),
    case("Tab in JSON", "members", 100, 6, |n| tab(cut(request(n), 2) + ", ")),
    case("Tab in an array", "items", 100, 6, |n| tab(array(n))),
    case("Tab in nested JSON", "levels", 31, 5, |n| tab(cut(braces(n), n + 2))),
    case("Tab among names", "names", 500, 4, names),
    case("a key pressed, long word", "bytes", 1000, 5, |n| key(word(n))),
    case("a key pressed, many keys", "keys", 100, 6, |n| key(device(n))),
    case("a key pressed, in JSON", "members", 100, 6, |n| key(request(n))),
    case("a name that is none", "bytes", 1000, 5, |n| typed("x".repeat(n), true)),
    case("a page of the manual", "entries", 100, 4, manual),
];

/// A doubling that costs more than this is out of step.
const STEP: f64 = 2.3;

// ---- measuring ----

/// The cost of a case at a size: instructions, or nanoseconds where there is no valgrind.
fn cost(case: &Case, size: usize, valgrind: bool) -> u64 {
    if valgrind {
        let counted = |work: &str| instructions(&[ONE, case.name, &size.to_string(), work]);
        return counted("yes").saturating_sub(counted("no")).max(1);
    }
    let runs = (0..9).map(|_| {
        let work = (case.prepare)(size);
        let start = Instant::now();
        work();
        start.elapsed().as_nanos()
    });
    u64::try_from(runs.min().unwrap_or_default()).unwrap_or(u64::MAX).max(1)
}

/// Asks this program to do one case at one size, once.
const ONE: &str = "--one";

/// The instructions that this program takes with these arguments.
fn instructions(arguments: &[&str]) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        // Above what nests deepest.
        .arg("--main-stacksize=67108864")
        .arg(std::env::current_exe().unwrap())
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    refs(&said).expect("a count")
}

/// What valgrind counted: `I refs: 129,909`.
fn refs(said: &str) -> Option<u64> {
    let (_, count) = said.lines().find_map(|line| line.split_once(" refs:"))?;
    count.replace(',', "").trim().parse().ok()
}

/// Prints a case's row; returns whether it stays in step.
fn row(name: &str, unit: &str, costs: &[(usize, f64)]) -> bool {
    let mut line = format!("{name:<28}{unit:<9}");
    let mut last = 0.0;
    for (at, (size, cost)) in costs.iter().enumerate() {
        let each = cost / (*size as f64);
        let _ = write!(line, " {:>7}", if each < 100.0 { format!("{each:.1}") } else { format!("{each:.0}") });
        if at > 0 {
            last = cost / costs[at - 1].1;
            let _ = write!(line, " ×{last:<4.2}");
        }
    }
    let in_step = last <= STEP;
    println!("{line}{}", if in_step { "" } else { "  <-- grows faster than what there is to do" });
    in_step
}

// ---- the edge ----

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [one, name, size, work] = arguments.as_slice()
        && one == ONE
    {
        let case = CASES.iter().find(|case| case.name == name).expect("a case");
        let ready = (case.prepare)(size.parse().unwrap());
        if work == "yes" {
            ready();
        }
        return ExitCode::SUCCESS;
    }
    if std::env::var_os(SCHEMA_FILE).is_none() {
        // From here on it is asked no more: every process that this one starts reads the file.
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("introspection.json");
        std::fs::write(&file, support::introspection(None)).unwrap();
        let me = std::env::current_exe().unwrap();
        let status = Command::new(me).args(&arguments).env(SCHEMA_FILE, &file).status().unwrap();
        return if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| name.contains(*wanted));
    let valgrind = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_ok();
    let what = if valgrind { "instructions" } else { "nanoseconds" };
    println!("{what} a unit: at the first size, then at each doubling with the growth of the whole");
    let mut in_step = true;
    for case in CASES.iter().filter(|case| wants(case.name)) {
        let sizes = (0..=case.doublings).map(|doubling| case.first << doubling);
        let costs: Vec<(usize, f64)> = sizes.map(|size| (size, cost(case, size, valgrind) as f64)).collect();
        in_step &= row(case.name, case.unit, &costs);
    }
    if wants("events, the whole program") {
        in_step &= flood(valgrind);
    }
    if wants("machine") {
        in_step &= devices(valgrind);
    }
    if in_step { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
