//! The object tree: list, get, set, draw.

use std::process::ExitCode;

fn main() -> ExitCode {
    qmp_shell::cli::qom()
}
