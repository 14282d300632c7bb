//! Assistance while a line is typed: completion, hints, highlighting.
//!
//! Pure functions of the line and a [`CompletionContext`]. Introspection and live names are passed in; the kinds of
//! names that are missing are returned, to be fetched before the next call. Uses the same tokenizer as execution.

mod arguments;
mod command;
mod complete;
mod conditions;
mod current_word;
mod dot_command;
mod filter;
mod filter_tokens;
mod filter_types;
mod highlight;
mod hint;
mod hmp;
mod json;
mod matching;
mod name_kind;
mod refusals;
mod types;
mod values;

pub use complete::{complete, complete_loosely, complete_with};
pub use highlight::{TokenStyle, highlight};
pub use hint::{ArgumentHint, fit_hint, hint};
pub use matching::Matching;
pub use name_kind::{NameKind, name_kinds_of_key};
pub use types::{Candidate, Completes, Completion, CompletionContext, DotCommandEntry, Name, Names, SettingEntry};
