//! The programs' edge: flags and environment to configuration, errors to message and exit status.

mod flags;
mod generate;
mod qmp;
mod shell;
mod status;
mod wrap;

pub use qmp::qmp;
pub use shell::qmp_shell;
pub use wrap::qmp_shell_wrap;
