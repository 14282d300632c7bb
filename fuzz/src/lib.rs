//! What must hold of any input at all: one module a reader, each with a `check` that panics where it does not.
//!
//! Two take it: the fuzz targets beside this folder, and a test of the main package that shows it the stored corpus.

pub mod completion;
pub mod framer;
pub mod json;
pub mod manual;
pub mod message;
pub mod printing;
pub mod setter;
mod spans;
mod strict;
pub mod typing;
pub mod words;
mod world;

/// Looks at some bytes; panics where something does not hold of them.
pub type Check = fn(&[u8]);

/// Every reader, by the name of its target and of its folder in the corpus.
pub const READERS: &[(&str, Check)] = &[
    ("completion", completion::check),
    ("framer", framer::check),
    ("json", json::check),
    ("manual", manual::check),
    ("message", message::check),
    ("printing", printing::check),
    ("setter", setter::check),
    ("typing", typing::check),
    ("words", words::check),
];
