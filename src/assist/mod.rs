//! Assistance: a line and a cursor in, what may stand there out.
//!
//! Pure: names, files, introspection and what lives in the server come in as data. Sees the line through the grammar's own
//! tokenizer, finished or not: to complete it, to hint at what is missing, to tell what each piece of it is.

mod arguments;
mod complete;
mod current_word;
mod highlight;
mod hint;
mod json;
mod last;
mod live;
mod monitor;
mod values;

pub use arguments::AskLive;
pub use complete::{Candidate, Completes, Completion, CompletionContext, complete};
pub use highlight::{TokenStyle, token_styles};
pub use hint::hint;
pub use live::{NameKind, name_kind_of_key};
