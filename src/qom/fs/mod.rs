//! The object tree as a file system: objects are directories, properties are files, links are symbolic links.
//!
//! Owns inode numbers, file names, contents and open files: everything in `qom fuse` except the kernel interface, so
//! that tests need no kernel. A value is read each time a file is opened or its size is needed; an open file keeps the
//! value that it was opened with. Must not know about the kernel's types or sockets.

mod content;
mod error;
mod file_names;
mod inodes;
mod open_file;
mod operations;
mod source;

pub use error::FsError;
#[cfg(all(feature = "fuse", target_os = "linux"))]
pub use file_names::MAX_FILE_NAME_BYTES;
pub use inodes::{Attributes, FileKind};
pub use open_file::OpenMode;
pub use operations::{QomFs, ReportProblem};

#[cfg(test)]
mod tests;
