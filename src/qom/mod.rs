//! The object tree: list, get, set and tree over a client, and the file system behind `qom fuse`.
//!
//! Knows neither the shell nor the terminal.

mod client;
mod error;
#[cfg(any(feature = "fuse", test))]
mod fs;
#[cfg(feature = "fuse")]
mod fuse;
#[cfg(feature = "fuse")]
mod mount;
mod path;
mod property;
mod render_tree;
mod tree;
mod tree_reader;

pub use client::QomClient;
pub use error::QomError;
#[cfg(any(feature = "fuse", test))]
pub use fs::{QomFs, Report};
#[cfg(feature = "fuse")]
pub use mount::{Mount, MountError, MountOptions, UnmountReason, Unmounted, check_mountpoint};
pub use path::{join, parent, splits};
pub use property::{Kind, Property};
pub use render_tree::{TreeGlyphs, natural_cmp, write_tree, write_tree_json};
pub use tree::{Member, Node, State, Tree, Value};
