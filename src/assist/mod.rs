//! Assistance: a line and a cursor in, what may stand there out.
//!
//! Pure: names, files and commands come in as data. Sees the line through the grammar's own tokenizer. Keys, values
//! and hints, which need introspection, belong here too.

mod arguments;
mod complete;
mod json;
mod live;
mod quoting;

pub use arguments::AskLive;
pub use complete::{Candidate, Completes, Completion, Known, complete};
pub use live::Live;
