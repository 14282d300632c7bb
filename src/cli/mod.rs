//! The programs, which turn arguments and environment into configuration, and errors into messages and exit statuses.
//!
//! Each module may use those listed before it:
//!
//! | module | owns |
//! |---|---|
//! | `exit_status` | exit statuses, and errors with the status that they cause |
//! | `stdio` | the inherited standard streams, and writing to them |
//! | `args` | the options: their names, values and help |
//! | `color` | the decision whether to use colour |
//! | `manual_page` | the manual page of a program, from the tables of its help |
//! | `generate` | `--generate`: the manual page, completions |
//! | `program` | the frame of every program, from its arguments to its exit status |
//! | `shell_completion` | `--complete`: completion in the user's own shell |
//! | `running_servers` | the servers that run on this machine: `--list`, the choice of one, completion of ADDRESS |
//! | `shell_session` | an engine fed by a prompt or scripts, for `qmp-shell` and `qmp-shell-wrap` |
//! | `qmp_shell`, `qmp_shell_wrap`, `qmp`, `qom`, `qmp_share` | one program each |
//! | `by_name` | all programs in one, selected by its name |

mod args;
mod by_name;
mod color;
mod exit_status;
mod generate;
mod manual_page;
mod program;
mod qmp;
mod qmp_share;
mod qmp_shell;
mod qmp_shell_wrap;
mod qom;
mod running_servers;
mod shell_completion;
mod shell_session;
mod stdio;

pub use by_name::program_by_name;
pub use qmp::qmp;
pub use qmp_share::qmp_share;
pub use qmp_shell::qmp_shell;
pub use qmp_shell_wrap::qmp_shell_wrap;
pub use qom::qom;
