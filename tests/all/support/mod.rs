//! Shared test support: real servers, a scripted peer, the programs run as a script or in a real terminal, snapshots.

pub mod hmp_machine;
pub mod jobs;
pub mod libvirt;
pub mod peer;
pub mod program;
pub mod random;
pub mod raw;
pub mod server;
pub mod share;
pub mod skip;
pub mod snapshot;
pub mod stand_in;
pub mod terminal;
pub mod without_hmp;
pub mod wording;
pub mod x86_guest;

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The time after which a test gives up waiting. A working program never takes this long.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// Polls `condition` until it holds; panics with `what` after [`TIMEOUT`].
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal to a process: `STOP`, `INT`.
pub fn send_signal(id: impl std::fmt::Display, signal: &str) {
    // The shell has it built in; the program is in a package of its own.
    let status = std::process::Command::new("sh").args(["-c", &format!("kill -s {signal} {id}")]).status();
    assert!(status.unwrap().success());
}

/// Finds a program in PATH, or in `/usr/sbin` and `/sbin`.
pub fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Reads a value in KiB from a process's status, such as `VmRSS:`.
pub fn process_memory_kib(id: &str, name: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
