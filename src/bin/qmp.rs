//! One QMP command, its answer, an exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    qmp_shell::cli::qmp()
}
