//! The render layer: values, events, errors and help as text, with or without colour.
//!
//! Writes to any `Write` or returns text. JSON is printed from the server's text, so that every number and string keeps
//! its spelling; servers also write what is not JSON, such as `nan`. Must not know about sockets or the standard streams.

mod caret;
pub(crate) mod columns;
mod event;
mod fitted;
mod flat;
mod json;
mod json_tokens;
mod manual;
mod medium;
mod palette;
#[cfg(test)]
mod random_json;
mod sanitize;
mod table;
pub(crate) mod units;
mod wrap;

pub use caret::{caret_under, excerpt};
pub use event::{event_line, event_palette};
pub use fitted::write_fitted;
pub use flat::write_flat;
pub use json::{JsonStyle, write_json};
pub use manual::manual_text;
pub use medium::Medium;
pub use palette::Palette;
pub use sanitize::{capitalise, is_printable, printable, sanitize, without_controls};
pub use table::write_table;
pub use wrap::fill;

/// The size at which buffered output is written.
const CHUNK_BYTES: usize = 64 * 1024;
