//! Disks for jobs, and servers that have jobs.

use super::program::{Run, qmp_shell};
use super::server::{SMALL, Server};

/// A disk, a place to copy it to, and one that fails all writes.
const DISKS: &str = "\
    blockdev-add driver=null-co node-name=disk0 size=64M\n\
    blockdev-add driver=null-co node-name=copy size=64M\n\
    blockdev-add driver=blkdebug node-name=bad image.driver=null-co image.size=64M \
    inject-error.0.event=none inject-error.0.once=off inject-error.0.iotype=write \
    inject-error.1.event=none inject-error.1.once=off inject-error.1.iotype=write-zeroes\n";

/// Runs lines as a script after [`DISKS`], without events.
pub fn run_with_disks(server: &Server, lines: &str) -> Run {
    qmp_shell(&["--no-events", &server.address()]).input(format!("{DISKS}{lines}")).run()
}

/// Starts each kind of server that has jobs.
pub fn servers_with_jobs() -> impl Iterator<Item = Server> {
    [Server::qemu(SMALL), Server::qemu_7_2(SMALL), Server::storage_daemon()].into_iter().flatten()
}
