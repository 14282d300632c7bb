//! The human monitor over QMP alone: a line of HMP becomes QMP requests, and their replies become the text that QEMU's
//! own monitor prints.
//!
//! Pure: commands reach the server through `QmpServer`, which the shell implements on its session, `.explain` on a
//! recorder, and tests on scripted replies. Each module may use those listed before it:
//!
//! | module | owns |
//! |---|---|
//! | `server` | the needs of a command, and the ways in which it fails |
//! | `state` | the memory of the monitor from one line to the next |
//! | `parameter` | the declaration of a command's arguments |
//! | `words` | the characters of a line: white space, words, and text in quotes |
//! | `expression` | integer expressions |
//! | `size` | sizes with a fraction and a suffix |
//! | `options` | option lists, `KEY=VALUE,…` |
//! | `arguments` | the arguments in a line, parsed as QEMU's own monitor does |
//! | `command` | one command, and the call of it |
//! | `socket_address` | addresses of sockets as QEMU's own monitor takes them |
//! | `jobs` | jobs that a command starts in the server and waits for |
//! | `features` | differences between servers, by their introspection and version |
//! | `option_types` | the types of the values in option lists |
//! | `property_help` | the properties of devices and objects, as their help lists them |
//! | `object_tree` | the object tree, many paths at a time |
//! | `text` | layouts that several commands share |
//! | `bus_tree` | the tree of buses and devices |
//! | `memory` | a guest's memory and registers |
//! | `commands` | the table of all commands, in files by subject |
//! | `line` | a line: the command that it calls, and the arguments |
//! | `explain` | the requests that a line becomes |
//! | `simulation` | a server for fuzzing |
//! | `coverage` | the table of commands as a chapter of the manual |

mod arguments;
pub(crate) mod bus_tree;
mod command;
mod commands;
mod coverage;
mod explain;
mod expression;
mod features;
#[cfg(test)]
mod hostile_server;
mod jobs;
mod line;
mod memory;
pub(crate) mod object_tree;
mod option_types;
mod options;
mod parameter;
mod property_help;
#[cfg(test)]
mod scripted_server;
mod server;
mod simulation;
mod size;
mod socket_address;
mod state;
pub(crate) mod text;
mod words;

pub(crate) use command::request;
pub(crate) use commands::command_names;
pub use coverage::coverage_table;
pub(crate) use explain::{Explanation, Step, explain_line};
#[cfg(test)]
pub(crate) use hostile_server::replies as hostile_replies;
pub(crate) use line::{missing_arguments, run_line};
pub(crate) use memory::PassedFile;
pub(crate) use server::{Failure, QmpServer, ServerError};
pub use simulation::SimulatedServer;
pub(crate) use state::MonitorState;
pub(crate) use text::{size as size_text, string};
