//! What the tests share: real servers, a scripted peer, the programs run as a script or in a real terminal.

pub mod peer;
pub mod program;
pub mod server;
pub mod terminal;

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Nothing waits this long unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks `condition` again and again until it holds; panics with `what` where it never does.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Says that a test is skipped for want of `what`; a failure where every test is required to run.
pub fn skip(what: &str) {
    assert!(std::env::var_os("QMP_SHELL_TEST_REQUIRE").is_none(), "this machine has no {what}, and it is required");
    eprintln!("skipped: this machine has no {what}; tests/run installs it");
}

/// Where `program` is, by PATH; `/usr/sbin` is looked in too.
pub fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// A line of a process's status, in KiB.
pub fn memory_of(id: &str, name: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
