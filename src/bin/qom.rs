//! QEMU's object tree: list, get, set, draw and mount it.

use std::process::ExitCode;

fn main() -> ExitCode {
    qmp_shell::cli::qom()
}
