//! Explanations, compared with what they explain: on one machine a line is executed, on another one its explanation is
//! entered in QMP mode. The machines must be equal afterwards.

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
            executed.run(line);
            executed.run(".qmp");
            explained.run(".qmp");
            // A secret is masked, so its line cannot be entered.
            let requests = explanation.lines().filter(|request| !request.contains("<secret>"));
            requests.for_each(|request| drop(explained.run(request)));
            let [expected, found] = [&mut executed, &mut explained].map(state);
            executed.run(".hmp");
            explained.run(".hmp");
            count += 1;
            if expected != found {
                differences
                    .push(format!("== {header}\n> {line}\n{explanation}{}", first_difference(&expected, &found)));
                // What follows would differ too.
                break;
            }
        }
    }
    assert!(count > 0, "the file has no lines");
    assert!(differences.is_empty(), "{} of {count} lines:\n{}", differences.len(), differences.join("\n"));
}

/// Returns the replies to all queries.
fn state(session: &mut HmpSession<'_>) -> String {
    STATE.iter().map(|query| format!("{query}\n{}", stable(&session.run(query).0))).collect()
}

/// Replaces the numbers in names that QEMU and the shell generate, and what changes by itself.
fn stable(text: &str) -> String {
    let mut out = String::new();
    let mut rest = normalise(&without_moving_parts(text));
    for prefix in ["#block", "thread-id\": ", "vm-clock-nsec\": ", "vm-clock-sec\": ", "date-sec\": ", "date-nsec\": "]
    {
        let mut parts = rest.split(prefix);
        out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            out.push_str(prefix);
            out.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
        }
        rest.clone_from(&out);
    }
    out
}

fn first_difference(expected: &str, found: &str) -> String {
    let lines = expected.lines().zip(found.lines()).find(|(expected, found)| expected != found);
    lines.map(|(expected, found)| format!("- {expected}\n+ {found}\n")).unwrap_or_default()
}
