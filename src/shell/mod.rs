//! The shell: one engine, and around it the two ways to feed it, a prompt and a script.
//!
//! Owns meta commands, HMP mode, transactions, history, and (with `cli`) the standard streams. Knows nothing of
//! argument parsing.

mod commands;
mod connection;
mod engine;
mod events;
mod history;
mod output;
mod prompt;
mod script;
mod server_info;
mod settings;
mod terminal;

pub use commands::manual_section;
pub use connection::child_qemu::{QemuProcess, WrapError};
pub use connection::{Connection, ConnectionError};
pub use engine::{Engine, LineOutcome, Mode};
pub use events::filter::{EventFilter, matches_exactly};
pub use history::History;
pub use output::message_writer::JsonMessageWriter;
pub use output::one_shot::{Look, OneShotOutput, SingleForm};
pub use output::pager::show_text;
pub use output::script::ScriptOutput;
pub use output::{InputLine, Output, ReplyContext};
pub use prompt::helper::complete_line;
pub use prompt::{AsyncOutput, PromptOptions, run_prompt};
pub use script::{Ending, Script, run_scripts};
pub use server_info::LARGEST_ANSWER;
pub use settings::{OutputForm, Settings};
pub use terminal::signals::TerminationHandler;
