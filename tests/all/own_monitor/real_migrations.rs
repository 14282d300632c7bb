//! Migrations that run: the shell's own monitor steers them, and its `info migrate` is compared with that of QEMU's own
//! monitor on the same machine.

use std::time::Duration;

use expect_test::expect;
use qmp_shell::shell::MonitorChoice;

use crate::support::hmp_machine::{HmpSession, Machine};
use crate::support::server::Server;

/// A machine with a session, which switches between the monitors.
struct Side<'a>(HmpSession<'a>);

impl Side<'_> {
    fn new(machine: &Machine) -> Side<'_> {
        Side(machine.session(MonitorChoice::Own))
    }

    /// Runs a line in the shell's monitor, which must succeed without a text.
    fn run(&mut self, line: &str) {
        assert_eq!(self.0.run(line), (String::new(), true), "{line}");
    }

    /// Returns the text of `info migrate`, which must be equal in both monitors but for what QMP does not tell. While the
    /// machine migrates, numbers are replaced, and the texts are compared again if a line came or went in between.
    fn state(&mut self) -> String {
        const ATTEMPTS: usize = 10;
        let mut texts = self.both_texts();
        for _ in 1..ATTEMPTS {
            if texts[0] == texts[1] {
                break;
            }
            texts = self.both_texts();
        }
        let [theirs, ours] = texts;
        assert_eq!(theirs, ours);
        ours
    }

    /// Returns the text of `info migrate` in QEMU's own monitor, as far as QMP tells it, and that in the shell's.
    fn both_texts(&mut self) -> [String; 2] {
        self.0.run(".set monitor server");
        let (theirs, _) = self.0.run("info migrate");
        self.0.run(".set monitor own");
        let (ours, succeeded) = self.0.run("info migrate");
        assert!(succeeded, "{ours}");
        // The last of the global settings that QMP does not tell.
        let theirs = theirs.split_once("clear-bitmap-shift: 18\n").unwrap().1;
        let (ours, notice) = ours.split_at(ours.rfind("QMP does not tell the global settings").unwrap());
        assert_eq!(notice.lines().count(), 1, "{notice}");
        let is_moving = ["active", "setup", "device", "switchover", "paused", "recover"]
            .iter()
            .any(|part| first_line(ours).contains(part));
        [theirs, ours].map(|text| if is_moving { without_numbers(text) } else { text.to_owned() })
    }

    /// Waits until the migration's status is `status`, and compares the monitors.
    fn wait_for(&mut self, status: &str) -> String {
        for _ in 0..100 {
            let (text, _) = self.0.run("info migrate");
            if first_line(&text).contains(status) {
                return self.state();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("not {status}: {}", self.state());
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            c if !c.is_ascii_digit() => out.push(c),
            _ if out.ends_with('N') => {}
            _ => out.push('N'),
        }
    }
    out
}

/// Replaces numbers, and keeps the labels that do not depend on the moment.
fn labels(text: &str) -> String {
    without_numbers(text).lines().map(|line| format!("{}\n", line.split(": N").next().unwrap_or_default())).collect()
}

fn without_a_peer(start: fn(&[&str]) -> Option<Server>) {
    let Some(machine) = Machine::start("loaded", start) else { return };
    let mut side = Side::new(&machine);
    expect![""].assert_eq(&side.state());

    // Without -d it waits, and reports why the migration failed.
    let reason = "Failed to connect to '/nonexistent/x': No such file or directory";
    assert_eq!(side.0.run("migrate unix:/nonexistent/x"), (format!("Error: {reason}\n"), false));
    assert_eq!(side.state(), format!("Migration status: failed ({reason})\ntotal time: 0 ms\n"));
    side.run("migrate -d unix:/nonexistent/x");
    side.wait_for("failed");

    side.run("migrate_set_parameter max-bandwidth 1M");
    side.run("migrate -d exec:cat>/dev/null");
    side.wait_for("active");
    let (text, succeeded) = side.0.run("migrate exec:cat>/dev/null");
    assert!(!succeeded && text.starts_with("Error: "), "{text}");
    side.run("migrate_cancel");
    assert_eq!(side.wait_for("cancelled"), "Migration status: cancelled\ntotal time: 0 ms\n");

    side.run("migrate_set_capability pause-before-switchover on");
    side.run("migrate_set_parameter max-bandwidth 1G");
    side.run("migrate exec:cat>/dev/null");
    side.wait_for("pre-switchover");
    side.run("migrate_continue pre-switchover");
    side.wait_for("completed");
    side.run("migrate_set_capability pause-before-switchover off");

    // A second one, with a cache of pages.
    side.run("cont");
    side.run("migrate_set_capability xbzrle on");
    side.run("migrate exec:cat>/dev/null");
    let state = side.state();
    assert!(
        state.starts_with("Migration status: completed\n") && state.contains("xbzrle cache miss rate: "),
        "{state}"
    );
    assert_eq!(side.0.run("info status"), ("VM status: paused (postmigrate)\n".to_owned(), true));
}

fn with_a_peer(start: fn(&[&str]) -> Option<Server>) {
    let (Some(source), Some(target)) =
        (Machine::start("loaded", start), Machine::start("loaded -incoming defer", start))
    else {
        return;
    };
    let (first_path, second_path) = (target.path("first.sock"), target.path("second.sock"));
    let (mut source, mut target) = (Side::new(&source), Side::new(&target));
    // Not every system lets QEMU copy on demand.
    let (refusal, can_copy_on_demand) = target.0.run("migrate_set_capability postcopy-ram on");
    if !can_copy_on_demand {
        return crate::support::skip::skip(&refusal);
    }
    for side in [&mut source, &mut target] {
        side.0.run("migrate_set_capability postcopy-ram on");
        side.run("migrate_set_capability return-path on");
        side.run("migrate_set_capability postcopy-blocktime on");
    }
    target.run(&format!("migrate_incoming unix:{first_path}"));
    target.state();
    source.run("cont");
    source.run("migrate_set_parameter max-bandwidth 1M");
    source.run("migrate_set_parameter max-postcopy-bandwidth 1M");
    source.run(&format!("migrate -d unix:{first_path}"));
    source.wait_for("active");
    target.wait_for("active");

    source.run("migrate_start_postcopy");
    source.wait_for("postcopy-active");
    target.wait_for("postcopy-active");
    source.run("migrate_pause");
    source.wait_for("postcopy-paused");
    target.wait_for("postcopy-paused");

    target.run(&format!("migrate_recover unix:{second_path}"));
    target.state();
    source.run(&format!("migrate -d -r unix:{second_path}"));
    source.wait_for("postcopy-active");
    source.run("migrate_set_parameter max-postcopy-bandwidth 0");
    let state = source.wait_for("completed");
    assert!(state.contains("\npostcopy ram: "), "{state}");
    expect![[r#"
        Migration status: completed
        total time
        postcopy blocktime
        postcopy vcpu blocktime
    "#]]
    .assert_eq(&labels(&target.wait_for("completed")));
    // It was started with -S.
    assert_eq!(target.0.run("info status"), ("VM status: paused\n".to_owned(), true));
}

#[test]
fn a_migration_is_started_followed_and_cancelled() {
    without_a_peer(Server::qemu);
}

#[test]
fn a_migration_of_qemu_7_2_is_started_followed_and_cancelled() {
    without_a_peer(Server::qemu_7_2);
}

#[test]
fn a_migration_to_a_peer_is_paused_and_recovered() {
    with_a_peer(Server::qemu);
}

#[test]
fn a_migration_of_qemu_7_2_to_a_peer_is_paused_and_recovered() {
    with_a_peer(Server::qemu_7_2);
}

#[test]
fn reasons_against_migration_are_listed() {
    let Some(machine) = Machine::start("rocker", Server::qemu) else { return };
    let mut side = Side::new(&machine);
    let state = side.state();
    assert!(state.starts_with("Outgoing migration blocked:\n  "), "{state}");
    let (text, succeeded) = side.0.run("migrate exec:cat>/dev/null");
    assert!(!succeeded && text.starts_with("Error: "), "{text}");
}
