//! Rendering: values, events, errors and help as text.
//!
//! Writes to any `Write` or returns text, with or without colour. Pretty printing goes from the server's bytes to the
//! reader's, so that every number and string keeps its spelling. Knows neither sockets nor streams.

mod caret;
mod event;
mod flat;
mod json;
mod manual;
mod palette;
mod sanitize;
mod wrap;

pub use caret::{caret_under, excerpt};
pub use event::event_line;
pub use flat::write_flat;
pub use json::{Layout, write_json};
pub use manual::manual_text;
pub use palette::Palette;
pub use sanitize::{is_printable, printable, sanitize, without_controls};
pub use wrap::fill;
