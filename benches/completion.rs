//! How long completion takes with the introspection of a whole QEMU: at every row of the test's table, and before that
//! reading the introspection. Names that live in the server are there at once: their own time is the server's.
//!
//! `cargo bench --bench completion -- [FILE]`: FILE is an answer to `query-qmp-schema`, or its value alone; without, a
//! QEMU is started and asked.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use qmp_shell::assist::{CompletionContext, Name, complete, complete_with};
use qmp_shell::grammar::LineMode;
use qmp_shell::schema::Schema;

const TABLE: &str = include_str!("../tests/all/completion.table");

/// The shortest of some runs: what the work takes when nothing is in its way.
fn best(runs: u32, mut work: impl FnMut()) -> Duration {
    let time = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    (0..runs).map(|_| time(&mut work)).min().unwrap()
}

fn micros(time: Duration) -> String {
    format!("{:.1} us", time.as_secs_f64() * 1e6)
}

fn main() {
    let file = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let raw = support::introspection(file);
    let mut reads: Vec<Duration> = (0..50)
        .map(|_| {
            let start = Instant::now();
            let schema = Schema::parse(&raw).unwrap();
            let time = start.elapsed();
            drop(schema);
            time
        })
        .collect();
    reads.sort();
    println!("Schema::parse of {} bytes: median {}, worst {}", raw.len(), micros(reads[25]), micros(reads[49]));

    let schema = Schema::parse(&raw).unwrap();
    let names: Vec<Name> = (0..200).map(|n| Name::new(format!("node{n}"), "qcow2")).collect();
    let mut times: Vec<(Duration, String)> = Vec::new();
    for row in TABLE.lines().filter(|row| row.contains(" ->") && !row.starts_with("# ")) {
        let line = row.rsplit_once(" ->").unwrap().0;
        let (in_transaction, line) = match line.strip_prefix("TRANS> ") {
            Some(line) => (true, line),
            None => (false, line),
        };
        let line = line.split_once('|').map_or(line, |(before, _)| before).replace("\\n", "\n");
        let mut context =
            CompletionContext { language: LineMode::Qmp, in_transaction, schema: Some(&schema), ..Default::default() };
        complete_with(&line, &mut context, |_| names.clone());
        times.push((best(20, || drop(std::hint::black_box(complete(&line, &context)))), line));
    }
    times.sort();
    let (worst, line) = times.last().unwrap();
    let median = times[times.len() / 2].0;
    println!("complete() at {} lines: median {}, worst {} (`{line}`)", times.len(), micros(median), micros(*worst));
}
