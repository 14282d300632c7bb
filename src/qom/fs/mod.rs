//! The object tree as files: objects are directories, properties are files, links are symbolic links.
//!
//! Owns inode numbers, names, contents and open handles; everything that `qom fuse` does but talk to the kernel, so
//! that it is tested without one. Values are read anew each time a file is opened or looked at; an open file keeps the
//! one value that it was opened with. Knows neither the kernel's types nor sockets.

mod content;
mod error;
mod file_names;
mod handle;
mod inodes;
mod operations;
mod source;

pub use error::FsError;
pub use handle::Access;
pub use inodes::{Attributes, Form};
pub use operations::{QomFs, Report};

#[cfg(test)]
mod tests;
