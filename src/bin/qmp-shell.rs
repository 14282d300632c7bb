//! An interactive QEMU monitor over QMP.

use std::process::ExitCode;

fn main() -> ExitCode {
    qmp_shell::cli::qmp_shell()
}
