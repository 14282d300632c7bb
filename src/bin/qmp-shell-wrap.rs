//! Starts QEMU and opens a shell on it.

use std::process::ExitCode;

fn main() -> ExitCode {
    qmp_shell::cli::qmp_shell_wrap()
}
