//! Properties that hold for any input: a module for each reader of input, with a function `check` that panics if they do not.
//!
//! Used by the test of the stored corpus, and by the fuzz targets in `fuzz/`, whose library this is.

pub mod aliases;
mod assertions;
pub mod command_line;
pub mod completion;
pub mod filtering;
pub mod framer;
pub mod guest_memory;
mod introspection;
pub mod json;
pub mod layout;
pub mod manual;
pub mod message;
pub mod monitor;
pub mod printing;
pub mod sharing;
mod spans;
pub mod typing;
pub mod upstream;
mod values;
pub mod views;
pub mod words;

/// Checks the properties of some input; panics if one does not hold.
pub type Check = fn(&[u8]);

/// The readers, by the name of the target and of the folder in the corpus.
pub const READERS: &[(&str, Check)] = &[
    ("aliases", aliases::check),
    ("command_line", command_line::check),
    ("completion", completion::check),
    ("filtering", filtering::check),
    ("framer", framer::check),
    ("guest_memory", guest_memory::check),
    ("json", json::check),
    ("layout", layout::check),
    ("manual", manual::check),
    ("message", message::check),
    ("monitor", monitor::check),
    ("printing", printing::check),
    ("sharing", sharing::check),
    ("typing", typing::check),
    ("upstream", upstream::check),
    ("views", views::check),
    ("words", words::check),
];
