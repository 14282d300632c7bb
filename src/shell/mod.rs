//! The shell: one engine, and around it the two ways to feed it, a prompt and a script.
//!
//! Owns meta commands, HMP mode, transactions, history, and (with `cli`) the standard streams. Knows nothing of
//! argument parsing.

mod advice;
mod bell;
mod editor;
mod engine;
mod exchange;
mod filter;
mod history;
mod hmp;
mod keys;
mod learned;
mod learning;
mod lines;
mod link;
mod living;
mod message;
mod meta;
mod output;
mod pager;
mod plain;
mod prompt;
mod recall;
mod recent;
mod redraw;
mod script;
mod settings;
mod signals;
mod single;
mod stop;
mod terminal;
mod transaction;
mod tty;
mod wrap;

pub use editor::complete_line;
pub use engine::{Engine, Mode, Verdict};
pub use filter::{EventFilter, matches_exactly};
pub use history::History;
pub use learned::LARGEST_ANSWER;
pub use lines::Lines;
pub use link::{Link, LinkError};
pub use message::MessageLines;
pub use meta::manual_section;
pub use output::{Answer, Output, Source};
pub use pager::show_text;
pub use prompt::{Messages, PromptOptions, run_prompt};
pub use script::{Ending, Script, run_scripts};
pub use settings::{OutputForm, Settings};
pub use signals::Watch;
pub use single::{Look, Single, SingleForm};
pub use wrap::{WrapError, Wrapped};
