//! The shell: an engine that executes lines, and the two ways to feed it, a prompt and scripts.
//!
//! Owns dot commands, HMP mode, transactions, history, and (with `cli`) the standard streams. Must not know about
//! command-line options. Each module may use those listed before it:
//!
//! | module | owns |
//! |---|---|
//! | `line` | a line's origin and outcome |
//! | `events` | the event filter, the latest events, advice on failures |
//! | `output_format`, `prompt_format`, `settings` | the formats of replies and of the prompt; the settings of `.set` |
//! | `aliases` | the user's own commands |
//! | `history` | lines entered, and their files |
//! | `hmp` | HMP lines inside QMP requests, and whether they succeeded |
//! | `terminal` | modes, size and signals of the terminal |
//! | `output` | output for a terminal, a script's reader, a single command |
//! | `server` | the connected server and everything known about it |
//! | `connection` | connecting, and the QEMU that the shell started |
//! | `engine` | sending commands and receiving messages |
//! | `commands` | the dot commands, and running a line of any kind |
//! | `completion` | completion with the engine's knowledge of the server |
//! | `script`, `prompt` | the two ways to feed the engine |

mod aliases;
mod commands;
mod completion;
mod connection;
mod engine;
mod events;
mod history;
mod hmp;
mod line;
mod output;
mod output_format;
mod prompt;
mod prompt_format;
mod script;
mod server;
mod settings;
mod terminal;

pub use aliases::Aliases;
pub use commands::{ParsedLine, manual_section, run_filtered, run_line, run_parsed};
pub use completion::{addresses, complete_line, wait_for_names};
pub use connection::child_qemu::{QemuProcess, QemuStartError};
pub use connection::name::{name_servers, split_name};
pub use connection::{Connection, ConnectionError};
pub use engine::{Engine, EngineOptions, MISSING_LINES, SCRIPT_QUERY_TIMEOUT, close_log};
pub use events::filter::{EventFilter, matches_glob_exactly};
pub use history::History;
pub use line::{InputLine, LineOutcome};
pub use output::message_writer::JsonMessageWriter;
pub use output::one_shot::{OneShotOutput, OutputStyle};
pub use output::pager::show_text;
pub use output::script::ScriptOutput;
pub use output::{Output, ReplyContext, ServerLabel};
pub use output_format::{OUTPUT_FORMATS, OutputFormat, OutputFormatEntry};
pub use prompt::{PromptOptions, run_prompt};
pub use script::{Script, ScriptEnd, run_scripts};
pub use server::info::{MAX_QUERY_REPLY_BYTES, command_names};
pub use settings::{MONITOR_CHOICES, MonitorChoice, Settings};
pub use terminal::async_output::AsyncOutput;
pub use terminal::signals::{TerminationHandler, termination_signals};
