//! The QOM object tree of a server: list, get, set and tree over a client, and the file system of `qom fuse`.
//!
//! Must not know about the shell or the terminal.

#[cfg(feature = "fuse")]
mod caller;
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

#[cfg(feature = "fuse")]
pub use caller::caller_is_interrupted;
pub use client::QomClient;
pub use error::QomError;
#[cfg(any(feature = "fuse", test))]
pub use fs::{QomFs, ReportProblem};
#[cfg(feature = "fuse")]
pub use mount::{Mount, MountError, MountOptions, UnmountOutcome, UnmountReason, check_mountpoint};
pub use path::property_splits;
pub use property::{Property, PropertyKind};
pub use render_tree::{TreeGlyphs, natural_cmp, write_tree, write_tree_json};
pub use tree::Tree;
