//! Explanations, compared with what they explain: on one machine a line is executed, on another one its explanation is
//! entered in QMP mode. The machines must be equal afterwards.

use std::time::Duration;

use qmp_shell::shell::MonitorChoice;

use crate::support::hmp_machine::{HmpSession, Machine};
use crate::support::server::Server;

use crate::support::snapshot::normalise;

use super::{sections, without_moving_parts};

/// Queries about everything that lines change.
const STATE: &[&str] = &[
    "query-status",
    "query-block",
    "query-named-block-nodes",
    "query-jobs",
    "query-chardev",
    "query-migrate-capabilities",
    "query-migrate-parameters",
    "query-memdev",
    "query-iothreads",
    "query-block-exports",
    "qom-list path=/machine/peripheral",
    "qom-list path=/objects",
];

/// The beginnings of names and members whose values differ from one machine to the next.
const MOVING_MEMBERS: &[&str] = &[
    "#block",
    "thread-id\": ",
    "vm-clock-nsec\": ",
    "vm-clock-sec\": ",
    "date-sec\": ",
    "date-nsec\": ",
    "actual-size\": ",
    "vm-state-size\": ",
    "cid\": ",
];

/// The time between two checks whether jobs have ended, and the number of checks.
const JOB_CHECK_INTERVAL: Duration = Duration::from_millis(50);
const MAX_JOB_CHECKS: usize = 40;

/// Compares the machines after each line of a file.
pub fn compare(file: &str) {
    let mut differences = Vec::new();
    let mut count = 0;
    for (header, rows) in sections(file) {
        let start = |options: &[&str]| Server::qemu(options);
        let (Some(executing), Some(explaining)) = (Machine::start(header, start), Machine::start(header, start)) else {
            return;
        };
        let mut executed = executing.session(MonitorChoice::Own);
        let mut explained = explaining.session(MonitorChoice::Own);
        for (_, line) in rows {
            let (explanation, _) = explained.run(&format!(".explain {line}"));
            let (_, has_succeeded) = executed.run(line);
            // A masked secret cannot be entered, and requests after one that failed may do more.
            let is_entered = has_succeeded && !explanation.contains("<secret>");
            if !is_entered {
                explained.run(line);
            }
            executed.run(".qmp");
            explained.run(".qmp");
            explanation.lines().filter(|_| is_entered).for_each(|request| drop(explained.run(request)));
            let [expected, found] = settled_states(&mut executed, &mut explained);
            executed.run(".hmp");
            explained.run(".hmp");
            count += 1;
            // A guest that runs does as it likes.
            if expected.contains("\"running\": true") {
                break;
            }
            if expected != found {
                let difference = first_difference(&expected, &found);
                differences.push(format!("== {header}\n> {line}\n{explanation}{difference}"));
                // What follows would differ too.
                break;
            }
        }
    }
    assert!(count > 0, "the file has no lines");
    assert!(differences.is_empty(), "{} of {count} lines:\n{}", differences.len(), differences.join("\n"));
}

/// Returns the states of two machines, once they are equal or have had time for their jobs.
fn settled_states(executed: &mut HmpSession<'_>, explained: &mut HmpSession<'_>) -> [String; 2] {
    let mut states = [state(executed), state(explained)];
    for _ in 0..MAX_JOB_CHECKS {
        if states[0] == states[1] || states[0].contains("\"running\": true") {
            break;
        }
        std::thread::sleep(JOB_CHECK_INTERVAL);
        states = [state(executed), state(explained)];
    }
    states
}

/// Returns the replies to all queries.
fn state(session: &mut HmpSession<'_>) -> String {
    STATE.iter().map(|query| format!("{query}\n{}", stable(&session.run(query).0))).collect()
}

/// Replaces the numbers in names that QEMU and the shell generate, and what changes by itself.
fn stable(text: &str) -> String {
    let mut out = String::new();
    let mut rest = normalise(&without_moving_parts(text));
    for prefix in MOVING_MEMBERS {
        let mut parts = rest.split(prefix);
        out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            out.push_str(prefix);
            out.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit() || c == '-'));
        }
        rest.clone_from(&out);
    }
    out
}

fn first_difference(expected: &str, found: &str) -> String {
    let lines = expected.lines().zip(found.lines()).find(|(expected, found)| expected != found);
    lines.map(|(expected, found)| format!("- {expected}\n+ {found}\n")).unwrap_or_default()
}
