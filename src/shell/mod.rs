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
pub use connection::child_qemu::{WrapError, Wrapped};
pub use connection::{Link, LinkError};
pub use engine::{Engine, Mode, Verdict};
pub use events::filter::{EventFilter, matches_exactly};
pub use history::History;
pub use output::json_lines::Lines;
pub use output::message_writer::MessageLines;
pub use output::one_shot::{Look, Single, SingleForm};
pub use output::pager::show_text;
pub use output::{Answer, Output, Source};
pub use prompt::helper::complete_line;
pub use prompt::{Messages, PromptOptions, run_prompt};
pub use script::{Ending, Script, run_scripts};
pub use server_info::LARGEST_ANSWER;
pub use settings::{OutputForm, Settings};
pub use terminal::signals::Watch;
