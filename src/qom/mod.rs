//! The QOM object tree of a server: list, get, set and tree over a client, and the file system of `qom fuse`.
//!
//! Must not know about the shell or the terminal.

#[cfg(all(feature = "fuse", target_os = "linux"))]
mod caller;
mod client;
mod error;
#[cfg(any(all(feature = "fuse", target_os = "linux"), test))]
mod fs;
#[cfg(all(feature = "fuse", target_os = "linux"))]
mod fuse;
#[cfg(all(feature = "fuse", target_os = "linux"))]
mod mount;
mod path;
mod property;
mod render_tree;
mod tree;
mod tree_reader;

#[cfg(all(feature = "fuse", target_os = "linux"))]
pub use caller::caller_is_interrupted;
pub use client::QomClient;
pub use error::QomError;
#[cfg(any(all(feature = "fuse", target_os = "linux"), test))]
pub use fs::{QomFs, ReportProblem};
#[cfg(all(feature = "fuse", target_os = "linux"))]
pub use mount::{Mount, MountError, MountOptions, UnmountOutcome, UnmountReason, check_mountpoint};
pub use path::property_splits;
pub use property::{Property, PropertyKind};
pub use render_tree::{TreeGlyphs, natural_cmp, write_tree, write_tree_json};
pub use tree::Tree;
