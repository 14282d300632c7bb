//! The programs' edge: flags and environment to configuration, errors to message and exit status.

mod args;
mod exit_status;
mod generate;
mod qmp;
mod qmp_shell;
mod qmp_shell_wrap;
mod qom;
mod shell_completion;
mod stdio;

pub use qmp::qmp;
pub use qmp_shell::qmp_shell;
pub use qmp_shell_wrap::qmp_shell_wrap;
pub use qom::qom;
