//! Time of completion with the introspection of a QEMU, for every row of the test's table, and time to parse that
//! introspection. The time in which a server returns live names is not included.
//!
//! `cargo bench --bench completion -- [FILE]`: FILE is a reply to `query-qmp-schema`, or its value alone. Without it a QEMU
//! is started.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use qmp_shell::assist::{CompletionContext, Name, complete, complete_with};
use qmp_shell::grammar::Language;
use qmp_shell::schema::Schema;

const TABLE: &str = include_str!("../tests/all/completion.table");

fn time(f: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    f();
    start.elapsed()
}

fn micros(time: Duration) -> String {
    format!("{:.1} us", time.as_secs_f64() * 1e6)
}

fn main() {
    let file = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let raw = support::introspection(file);
    let parse = |_| {
        let start = Instant::now();
        let schema = Schema::parse(&raw).unwrap();
        let elapsed = start.elapsed();
        drop(schema);
        elapsed
    };
    let mut times: Vec<Duration> = (0..50).map(parse).collect();
    times.sort();
    println!("Schema::parse of {} bytes: median {}, worst {}", raw.len(), micros(times[25]), micros(times[49]));

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
            CompletionContext { language: Language::Qmp, in_transaction, schema: Some(&schema), ..Default::default() };
        complete_with(&line, &mut context, |_| names.clone());
        let mut run = || drop(std::hint::black_box(complete(&line, &context)));
        let shortest = (0..20).map(|_| time(&mut run)).min().unwrap();
        times.push((shortest, line));
    }
    times.sort();
    let (worst, line) = times.last().unwrap();
    let median = times[times.len() / 2].0;
    println!("complete() at {} lines: median {}, worst {} (`{line}`)", times.len(), micros(median), micros(*worst));
}
