//! Checks that costs grow linearly with the size of the input: each case runs at a size, at twice that size, and so on.
//!
//! ```sh
//! cargo bench --bench linear [-- [CASE…]]
//! ```
//!
//! Counts instructions with valgrind, which are reproducible; without valgrind, takes the time of the shortest of several
//! runs. The table contains the cost of one unit at each size, and the growth of the total cost since the size before: 2 is
//! linear, and a case with a fixed cost grows by less. The exit status is 1 if the last doubling costs more than 2.3 times
//! as much.
//!
//! The cases with a `machine` run the whole program against a QEMU; their figures include the start of the program.

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
use machine::{devices, flood, replay};
use work::{
    SCHEMA_FILE, Work, assemble, filter, key, manual, names, print_events, print_fitted, print_nesting, print_reply,
    print_table, read_nesting, read_reply, share, tab, type_line,
};

struct Case {
    name: &'static str,
    /// What the size counts.
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

/// A filter that can be applied to one item after the other, and is when the reply is large.
const ITEMS: &str = ".[] | select(.size > 1) | .name";

const CASES: &[Case] = &[
    case("reply, read", "items", 2000, 4, read_reply),
    case("reply, printed", "items", 2000, 4, print_reply),
    case("reply, printed as `auto`", "items", 2000, 4, print_fitted),
    case("reply, printed as a table", "items", 2000, 4, print_table),
    case("filter, of items", "items", 1000, 4, |n| filter(n, ITEMS)),
    // From one megabyte on.
    case("filter, item by item", "items", 32_000, 2, |n| filter(n, ITEMS)),
    case("filter, of the whole", "items", 2000, 4, |n| filter(n, "group_by(.name) | map(length) | add")),
    case("share, requests", "requests", 100, 5, |n| share(n, 4096)),
    case("share, requests in pieces", "requests", 100, 5, |n| share(n, 7)),
    case("nesting, read", "levels", 62, 5, read_nesting),
    case("nesting, printed", "levels", 62, 5, print_nesting),
    case("events, printed", "events", 1000, 3, print_events),
    case("keys, inferred", "keys", 100, 6, |n| type_line(keys("x", n), false)),
    case("keys, typed", "keys", 100, 6, |n| type_line(device(n), true)),
    case("array keys, typed", "keys", 100, 6, |n| type_line(children(n), true)),
    case("commas, typed", "items", 100, 6, |n| type_line(commas(n), true)),
    case("a nested key, inferred", "levels", 31, 5, |n| type_line(dots(n), false)),
    case("request as JSON", "members", 100, 6, |n| type_line(request(n), true)),
    case("nested JSON, typed", "levels", 31, 5, |n| type_line(braces(n), true)),
    case("lines of JSON", "lines", 100, 6, assemble),
    case("Tab after keys", "keys", 100, 6, |n| tab(device(n) + " ")),
    case("Tab after array keys", "keys", 100, 6, |n| tab(children(n) + " children.")),
    case("Tab below a nested key", "levels", 31, 5, |n| tab(dots(n) + " file.")),
    case("Tab in JSON", "members", 100, 6, |n| tab(cut(request(n), 2) + ", ")),
    case("Tab in an array", "items", 100, 6, |n| tab(array(n))),
    case("Tab in nested JSON", "levels", 31, 5, |n| tab(cut(braces(n), n + 2))),
    case("Tab among names", "names", 500, 4, names),
    case("a key pressed, long word", "bytes", 1000, 5, |n| key(word(n))),
    case("a key pressed, many keys", "keys", 100, 6, |n| key(device(n))),
    case("a key pressed, in JSON", "members", 100, 6, |n| key(request(n))),
    case("an unknown command", "bytes", 1000, 5, |n| type_line("x".repeat(n), true)),
    case("a page of the manual", "entries", 100, 4, manual),
];

/// The growth of cost at a doubling from which a case is reported.
const MAX_GROWTH: f64 = 2.3;

/// Returns the cost of a case at a size: instructions, or nanoseconds without valgrind.
fn cost(case: &Case, size: usize, has_valgrind: bool) -> u64 {
    if has_valgrind {
        // The difference excludes the preparation.
        let count = |work: &str| count_instructions(&[RUN_ONE, case.name, &size.to_string(), work]);
        return count("yes").saturating_sub(count("no")).max(1);
    }
    let runs = (0..9).map(|_| {
        let work = (case.prepare)(size);
        let start = Instant::now();
        work();
        start.elapsed().as_nanos()
    });
    u64::try_from(runs.min().unwrap_or_default()).unwrap_or(u64::MAX).max(1)
}

/// Makes this program run one case at one size, once.
const RUN_ONE: &str = "--one";

/// Counts the instructions of this program with these arguments.
fn count_instructions(arguments: &[&str]) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        // Enough for the deepest nesting.
        .arg("--main-stacksize=67108864")
        .arg(std::env::current_exe().unwrap())
        .args(arguments)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    instruction_count(&stderr).expect("a count")
}

/// Parses the count in the output of valgrind: `I refs: 129,909`.
fn instruction_count(stderr: &str) -> Option<u64> {
    let (_, count) = stderr.lines().find_map(|line| line.split_once(" refs:"))?;
    count.replace(',', "").trim().parse().ok()
}

/// Prints the row of a case; returns whether its cost is linear.
fn print_row(name: &str, unit: &str, costs: &[(usize, f64)]) -> bool {
    let mut line = format!("{name:<28}{unit:<9}");
    let mut growth = 0.0;
    for (index, (size, cost)) in costs.iter().enumerate() {
        let each = cost / (*size as f64);
        let _ = write!(line, " {:>7}", if each < 100.0 { format!("{each:.1}") } else { format!("{each:.0}") });
        if index > 0 {
            growth = cost / costs[index - 1].1;
            let _ = write!(line, " ×{growth:<4.2}");
        }
    }
    let is_linear = growth <= MAX_GROWTH;
    println!("{line}{}", if is_linear { "" } else { "  <-- not linear" });
    is_linear
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [option, name, size, work] = arguments.as_slice()
        && option == RUN_ONE
    {
        let case = CASES.iter().find(|case| case.name == name).expect("a case");
        let prepared = (case.prepare)(size.parse().unwrap());
        if work == "yes" {
            prepared();
        }
        return ExitCode::SUCCESS;
    }
    if std::env::var_os(SCHEMA_FILE).is_none() {
        // The processes that this one starts read the introspection from a file.
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("introspection.json");
        std::fs::write(&file, support::introspection(None)).unwrap();
        let program = std::env::current_exe().unwrap();
        let status = Command::new(program).args(&arguments).env(SCHEMA_FILE, &file).status().unwrap();
        return if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| name.contains(*wanted));
    let has_valgrind = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_ok();
    let measure = if has_valgrind { "instructions" } else { "nanoseconds" };
    println!("{measure} per unit at the first size, then at each doubling, with the growth of the total");
    let mut all_linear = true;
    for case in CASES.iter().filter(|case| wants(case.name)) {
        let sizes = (0..=case.doublings).map(|doubling| case.first << doubling);
        let costs: Vec<(usize, f64)> = sizes.map(|size| (size, cost(case, size, has_valgrind) as f64)).collect();
        all_linear &= print_row(case.name, case.unit, &costs);
    }
    if wants("events, the whole program") {
        all_linear &= flood(has_valgrind);
    }
    if wants("recording, the whole program") {
        all_linear &= replay(has_valgrind);
    }
    if wants("machine") {
        all_linear &= devices(has_valgrind);
    }
    if all_linear { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
