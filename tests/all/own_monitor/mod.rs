//! The shell's own monitor, compared with QEMU's: the same lines on two equal machines, one for each monitor. Texts and
//! outcomes must be equal.
//!
//! The lines are in files by subject. `== NAME` begins a new pair of machines (see `support::hmp_machine`), with further
//! options of QEMU after the name; `#` begins a comment. A line after `~ ` is run, but its text may differ; so must one
//! after `! `, which is a difference that is known and explained in the comment above it.

mod device_tree;
mod explained;
mod generated_lines;
mod real_migrations;
mod scripted;
mod storage_daemon;

use qmp_shell::shell::MonitorChoice;

use crate::support::hmp_machine::Machine;
use crate::support::server::Server;

/// How a line is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Skipped,
    Different,
}

/// Returns the machine and the rows of each section of a file.
fn sections(file: &str) -> impl Iterator<Item = (&str, Vec<(Comparison, &str)>)> {
    file.split("\n== ").skip(1).map(|section| {
        let (header, rows) = section.split_once('\n').unwrap();
        let is_row = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
        (header, rows.lines().filter(is_row).map(parse_row).collect())
    })
}

fn parse_row(row: &str) -> (Comparison, &str) {
    match (row.strip_prefix("~ "), row.strip_prefix("! ")) {
        (Some(line), _) => (Comparison::Skipped, line),
        (_, Some(line)) => (Comparison::Different, line),
        _ => (Comparison::Equal, row),
    }
}

/// The beginnings of values that differ from one machine to the next, or change by themselves.
const MOVING: &[&str] = &[
    "thread_id=",
    "idle_time_ns=",
    "_total_time_ns=",
    "/dev/pts/",
    "qemu.sock.",
    "HVA ",
    "#block",
    "/var/tmp/vl.",
    "uuid: ",
    "iters: ",
    "cid: ",
    "Start Time: ",
    "instruction count = ",
    "#block",
    "cid: ",
];

/// Replaces what differs from one machine to the next: values after [`MOVING`], dates, addresses of the host.
fn without_moving_parts(text: &str) -> String {
    let mut text = text.to_owned();
    for prefix in MOVING {
        let mut parts = text.split(prefix);
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let rest = part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-');
            out.push_str(prefix);
            out.push_str("{N}");
            out.push_str(rest);
        }
        text = out;
    }
    without_dates(&text)
}

/// Replaces dates such as `2026-11-26 15:04:05`.
fn without_dates(text: &str) -> String {
    const FORM: &[u8] = b"0000-00-00 00:00:00";
    let is_date = |at: usize| {
        let window = text.as_bytes().get(at..at + FORM.len());
        window.is_some_and(|window| {
            window.iter().zip(FORM).all(|(c, form)| if *form == b'0' { c.is_ascii_digit() } else { c == form })
        })
    };
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match is_date(at) {
            true => {
                out.push_str("{DATE}");
                chars.nth(FORM.len() - 2);
            }
            false => out.push(c),
        }
    }
    out
}

/// Runs all sections of a file on pairs of machines that `start` starts, and compares the monitors.
fn compare(file: &str, start: fn(&[&str]) -> Option<Server>) {
    let mut differences = Vec::new();
    let mut count = 0;
    for (header, rows) in sections(file) {
        let (Some(theirs), Some(ours)) = (Machine::start(header, start), Machine::start(header, start)) else { return };
        let lines: Vec<&str> = rows.iter().map(|(_, line)| *line).collect();
        let expected = theirs.run(&lines, MonitorChoice::Server);
        let found = ours.run(&lines, MonitorChoice::Own);
        for (((comparison, line), expected), found) in rows.iter().zip(expected).zip(found) {
            let [expected, found] = [expected, found].map(|(text, ok)| (without_moving_parts(&text), ok));
            count += 1;
            let is_right = match comparison {
                Comparison::Equal => expected == found,
                Comparison::Skipped => true,
                Comparison::Different => expected != found,
            };
            if !is_right {
                let show =
                    |(text, ok): (String, bool)| format!("({})\n{text}", if ok { "succeeded" } else { "failed" });
                differences.push(format!("== {header}\n> {line}\nQEMU {}ours {}", show(expected), show(found)));
            }
        }
    }
    assert!(count > 0, "the file has no lines");
    assert!(differences.is_empty(), "{} of {count} lines:\n{}", differences.len(), differences.join("\n"));
}

/// Declares the tests for a file of lines, on the installed QEMU and on QEMU 7.2.
macro_rules! compared_lines {
    ($($subject:ident)*) => {
        $(mod $subject {
            use crate::support::server::Server;

            const LINES: &str = include_str!(concat!(stringify!($subject), ".lines"));

            #[test]
            fn equals_qemus_own() {
                super::compare(LINES, Server::qemu);
            }

            #[test]
            fn equals_that_of_qemu_7_2() {
                super::compare(LINES, Server::qemu_7_2);
            }

            #[test]
            fn explanations_do_the_same() {
                super::explained::compare(LINES);
            }
        })*
    };
}

compared_lines! {
    backends
    block
    block_jobs
    chardevs
    devices
    dirty_rates
    display
    drives
    help
    input
    machine
    media
    memory
    memory_devices
    migration
    nbd
    netdevs
    objects
    pci
    qom
    replay
    rocker
    sizes
    snapshots
    statistics
    text_replies
    tracing
    unavailable
    virtio
}

/// QEMU 7.2 has no `info qtree -b`.
#[test]
fn brief_device_trees_equal_qemus_own() {
    compare(include_str!("qtree.lines"), Server::qemu);
}
