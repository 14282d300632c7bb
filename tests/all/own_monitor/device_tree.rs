//! `info qtree` and `info network`, of which QMP tells a part: everything that QEMU's own monitor shows is there, but for
//! what is known to be missing.

use qmp_shell::shell::MonitorChoice;

use crate::support::hmp_machine::Machine;
use crate::support::server::Server;

/// Returns the texts of a line in QEMU's own monitor and in the shell's, on equal machines.
fn texts(line: &str, start: fn(&[&str]) -> Option<Server>) -> Option<[String; 2]> {
    let run = |monitor| Some(Machine::start("q35", start)?.run(&[line], monitor).remove(0).0);
    Some([run(MonitorChoice::Server)?, run(MonitorChoice::Own)?])
}

/// Checks that `ours` has all lines of `theirs`, as often, but for those that begin with one of `missing`.
fn check_lines([theirs, ours]: [String; 2], missing: &[&str]) {
    let mut found: Vec<&str> = ours.lines().collect();
    let mut lost = Vec::new();
    for line in theirs.lines() {
        match found.iter().position(|other| *other == line) {
            Some(at) => drop(found.remove(at)),
            None if missing.iter().any(|start| line.trim_start().starts_with(start)) => {}
            None => lost.push(line),
        }
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}

#[test]
fn the_device_tree_has_all_but_memory_regions_and_usb_addresses() {
    for start in [Server::qemu, Server::qemu_7_2] {
        let Some(texts) = texts("info qtree", start) else { return };
        check_lines(texts, &["mmio ", "addr 0.0, port "]);
    }
}

#[test]
fn the_network_has_all_cards() {
    for start in [Server::qemu, Server::qemu_7_2] {
        let Some(texts) = texts("info network", start) else { return };
        check_lines(texts, &["\\ n0: index=0,type=user"]);
    }
}
