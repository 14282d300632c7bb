//! The human monitor over QMP alone: a line of HMP becomes QMP requests, and their replies become the text that QEMU's
//! own monitor prints.
//!
//! Pure: commands reach the server through [`QmpServer`], which the shell implements on its session, `.explain` on a
//! recorder, and tests on scripted replies. Each module may use those listed before it:
//!
//! | module | owns |
//! |---|---|
//! | `server` | the needs of a command, and the ways in which it fails |
//! | `parameter` | the declaration of a command's arguments |
//! | `expression` | integer expressions |
//! | `arguments` | the arguments in a line, parsed as QEMU's own monitor does |
//! | `state` | the memory of the monitor from one line to the next |
//! | `command` | one command, and a line that calls it |
//! | `explain` | the requests that a line becomes |
//! | `text` | layouts that several commands share |
//! | `commands` | the table of all commands, in files by subject |
//! | `coverage` | the same table as a chapter of the manual |

#![allow(dead_code)]

mod arguments;
mod command;
mod commands;
mod coverage;
mod explain;
mod expression;
mod parameter;
mod server;
mod state;
mod text;

pub(crate) use command::{Command, run_line};
pub(crate) use commands::{INFO_PREFIX, commands, info_commands};
pub use coverage::coverage_table;
pub(crate) use explain::{Explanation, explain_line};
pub(crate) use server::{Failure, QmpServer, ServerError};
pub(crate) use state::MonitorState;
