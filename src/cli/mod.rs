//! The programs' edge: flags and environment to configuration, errors to message and exit status.

mod flags;
mod generate;
mod qmp;
mod qom;
mod shell;
mod status;
mod streams;
mod tab;
mod wrap;

pub use qmp::qmp;
pub use qom::qom;
pub use shell::qmp_shell;
pub use wrap::qmp_shell_wrap;
