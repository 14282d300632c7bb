//! An interactive QEMU monitor over QMP; under the name of another program of this package, that program.

use std::process::ExitCode;

fn main() -> ExitCode {
    qmp_shell::cli::program_by_name()
}
