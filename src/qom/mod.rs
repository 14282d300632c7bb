//! The object tree: list, get, set and tree over a client, and the file system behind `qom fuse`.
//!
//! Knows neither the shell nor the terminal.

mod error;
mod objects;
mod path;
mod property;

pub use error::QomError;
pub use objects::Objects;
pub use path::{join, parent, splits};
pub use property::{Kind, Property};
