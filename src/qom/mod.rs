//! The object tree: list, get, set and tree over a client, and the file system behind `qom fuse`.
//!
//! Knows neither the shell nor the terminal.

mod draw;
mod error;
#[cfg(any(feature = "fuse", test))]
mod files;
#[cfg(feature = "fuse")]
mod fuse;
#[cfg(feature = "fuse")]
mod mount;
mod objects;
mod path;
mod property;
mod tree;
mod walk;

pub use draw::{Strokes, natural, write_tree, write_tree_json};
pub use error::QomError;
#[cfg(any(feature = "fuse", test))]
pub use files::{Files, Report};
#[cfg(feature = "fuse")]
pub use mount::{Ended, Mount, MountError, MountOptions, Unmounted, check_mountpoint};
pub use objects::Objects;
pub use path::{join, parent, splits};
pub use property::{Kind, Property};
pub use tree::{Member, Node, State, Tree, Value};
