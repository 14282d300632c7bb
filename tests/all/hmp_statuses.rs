//! The verdicts on all commands of the human monitor, row by row as in `hmp_statuses.table`, whose rows
//! `UPDATE_EXPECT=1 tests/run` rewrites.
//!
//! A row is `> LINE`, and after it the verdict and the text, or those of each QEMU. The header of a section names its
//! machine.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use qmp_shell::shell::MonitorChoice;

use crate::support::hmp_machine::{Machine, command_name};
use crate::support::server::{Server, program_version};
use crate::support::skip::{require_program, skip};
use crate::support::snapshot::{is_updating, normalise};

const TABLE: &str = include_str!("hmp_statuses.table");

/// The number of lines of a text that the table shows, and of characters of each. A longer answer is not shown at all.
const SHOWN_LINES: usize = 2;
const SHOWN_COLUMNS: usize = 110;

/// The verdict and the text of a row on one server, as in the table.
type Verdict = (u8, Vec<String>);

/// Returns the part of a text that the table shows, with placeholders for what varies.
fn shown(text: &str, is_answer: bool) -> Vec<String> {
    // QEMU 7.2 may lack modules that 10.0 brings along.
    let is_shown = |line: &&str| !line.trim().is_empty() && !line.starts_with("failed to open module");
    let lines: Vec<&str> = text.lines().filter(is_shown).collect();
    let count = if is_answer && lines.len() > SHOWN_LINES { 0 } else { lines.len().min(SHOWN_LINES) };
    let mut shown: Vec<String> = lines[..count].iter().map(|line| without_numbers(line)).collect();
    if lines.len() > count {
        shown.push("…".to_owned());
    }
    shown
}

/// Replaces the numbers of threads and terminals, and long ones, which are addresses and times. Cuts the line.
fn without_numbers(line: &str) -> String {
    const MIN_DIGITS: usize = 4;
    let line = normalise(&line.trim_end().replace('\t', " "));
    let mut out = String::new();
    let mut rest = line.trim_end();
    while let Some(c) = rest.chars().next() {
        let run = &rest[..rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len())];
        let is_number = run.contains(|c: char| c.is_ascii_digit());
        let is_id = ["thread_id=", "/dev/pts/"].iter().any(|name| out.ends_with(name));
        let (shown, len) = match is_number && (is_id || run.len() >= MIN_DIGITS) {
            true => ("{N}", run.len()),
            // A run of letters and digits is shown whole, lest its end be taken for a number.
            false => (&rest[..run.len().max(c.len_utf8())], run.len().max(c.len_utf8())),
        };
        out.push_str(shown);
        rest = &rest[len..];
    }
    let cut: String = out.chars().take(SHOWN_COLUMNS).collect();
    if cut == out { out } else { format!("{cut}…") }
}

/// Writes the verdicts of a row.
fn write_verdicts(new: Verdict, old: Verdict, table: &mut String) {
    let rows = if new == old { vec![("", new)] } else { vec![("10.0: ", new), ("7.2:  ", old)] };
    for (qemu, (status, text)) in rows {
        writeln!(table, "{}", format!("  {qemu}{status} {}", text.join(" ⏎ ")).trim_end()).unwrap();
    }
}

/// Compares the table with the one that was found, or rewrites it.
fn check(found: &str) {
    if is_updating() {
        return std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/hmp_statuses.table"), found).unwrap();
    }
    let lines = TABLE.lines().zip(found.lines()).filter(|(expected, found)| expected != found);
    let differing: Vec<String> = lines.map(|(expected, found)| format!("-{expected}\n+{found}")).collect();
    assert!(found == TABLE, "{} lines differ:\n{}", differing.len(), differing.join("\n"));
}

#[test]
fn every_command_has_the_verdict_of_the_table() {
    let Some(_) = require_program("qemu-system-x86_64") else { return };
    if !program_version("qemu-system-x86_64").starts_with("10.0.") {
        return skip("QEMU 10.0");
    }
    let mut sections = TABLE.split("\n== ");
    let mut table = sections.next().unwrap().to_owned();
    let (mut known, mut tried) = (BTreeSet::new(), BTreeSet::new());
    for section in sections {
        let (name, rows) = section.split_once('\n').unwrap();
        let (Some(new), Some(old)) = (Machine::start(name, Server::qemu), Machine::start(name, Server::qemu_7_2))
        else {
            return;
        };
        let lines: Vec<&str> = rows.lines().filter_map(|line| line.strip_prefix("> ")).collect();
        known.extend([&new, &old].into_iter().flat_map(Machine::command_names));
        tried.extend(lines.iter().map(|line| command_name(line)));
        let verdicts = |machine: &Machine| -> Vec<Verdict> {
            let run = machine.run(&lines, MonitorChoice::Server);
            run.into_iter().map(|(text, succeeded)| (u8::from(!succeeded), shown(&text, succeeded))).collect()
        };
        let mut verdicts = verdicts(&new).into_iter().zip(verdicts(&old));
        writeln!(table, "\n== {name}").unwrap();
        for line in rows.lines().filter(|line| !line.starts_with("  ")) {
            writeln!(table, "{line}").unwrap();
            if line.starts_with("> ") {
                let (new, old) = verdicts.next().unwrap();
                write_verdicts(new, old, &mut table);
            }
        }
    }
    let missing: Vec<&String> = known.difference(&tried).collect();
    assert!(missing.is_empty(), "the table has no rows for {missing:?}");
    check(&table);
}
