//! Shares one QMP monitor with many clients.

use std::process::ExitCode;

fn main() -> ExitCode {
    qmp_shell::cli::qmp_share()
}
