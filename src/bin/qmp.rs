//! Sends one QMP command and prints the reply.

use std::process::ExitCode;

fn main() -> ExitCode {
    qmp_shell::cli::qmp()
}
