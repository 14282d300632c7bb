//! Files in the shell's memory that the server writes to: their descriptors are passed to it over the socket.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::SystemTime;

use rustix::fs::OFlags;
use serde_json::{Value, json};

use crate::platform::unnamed_file;

use super::super::command::request;
use super::super::server::{Failure, QmpServer};

/// A file that the server can open by a name of its own.
pub(crate) struct PassedFile {
    kind: Kind,
    /// The name of the file in the server.
    pub(crate) server_path: String,
}

enum Kind {
    /// A file in memory, and the set of descriptors that the server holds it in.
    Memory { file: File, fdset: Option<u64> },
    /// A file in a folder that only this user can enter, for a server on the same host.
    Temporary { folder: PathBuf },
}

impl PassedFile {
    /// Passes a file in memory to the server. The set of descriptors stays until [`PassedFile::remove`].
    pub(crate) fn in_memory(server: &mut dyn QmpServer) -> Result<PassedFile, Failure> {
        let file = memory_file()?;
        let reply = server.execute_with_fd(&request("add-fd", json!({})), file.as_fd())?;
        // A line that is explained gets no number.
        let fd = reply.get("fd").and_then(Value::as_u64).map_or_else(|| "N".to_owned(), |fd| fd.to_string());
        let fdset = reply.get("fdset-id").and_then(Value::as_u64);
        Ok(PassedFile { kind: Kind::Memory { file, fdset }, server_path: format!("/proc/self/fd/{fd}") })
    }

    /// Creates a folder for a file that the server creates.
    pub(crate) fn temporary() -> Result<PassedFile, Failure> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let name = format!("qmp-shell-{}-{}", std::process::id(), now.as_nanos());
        let folder = std::env::temp_dir().join(name);
        let created = DirBuilder::new().mode(0o700).create(&folder);
        created.map_err(|error| Failure::error(format!("cannot create `{}`: {error}", folder.display())))?;
        let server_path = folder.join("memory").display().to_string();
        Ok(PassedFile { kind: Kind::Temporary { folder }, server_path })
    }

    /// Reads what the server wrote, up to `length` bytes. Where it wrote less, the rest is left out.
    pub(crate) fn read(&self, length: usize) -> Result<Vec<u8>, Failure> {
        match &self.kind {
            Kind::Memory { file, .. } => read_file(file, length),
            Kind::Temporary { .. } => read_file(&open_regular(&self.server_path).map_err(unreadable)?, length),
        }
    }

    /// Takes the file away from the server. Nothing is reported if that fails: its connection may have ended.
    pub(crate) fn remove(self, server: &mut dyn QmpServer) {
        match self.kind {
            Kind::Memory { fdset: Some(fdset), .. } => {
                let _ = server.execute(&request("remove-fd", json!({ "fdset-id": fdset })));
            }
            Kind::Memory { fdset: None, .. } => {}
            Kind::Temporary { folder } => {
                let _ = fs::remove_dir_all(folder);
            }
        }
    }
}

/// Creates an empty file in memory.
pub(crate) fn memory_file() -> Result<File, Failure> {
    unnamed_file().map_err(|error| Failure::error(format!("cannot create a file in memory: {error}")))
}

/// Reads a file that the server wrote, up to `length` bytes.
pub(crate) fn read_file(file: &File, length: usize) -> Result<Vec<u8>, Failure> {
    let written = usize::try_from(file.metadata().map_err(unreadable)?.len()).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length.min(written)];
    file.read_exact_at(&mut bytes, 0).map_err(unreadable)?;
    Ok(bytes)
}

/// Opens a file that the server created. It could have made a link to a file of the user, or a pipe, which would block.
fn open_regular(path: &str) -> io::Result<File> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
}

fn unreadable(error: io::Error) -> Failure {
    Failure::error(format!("cannot read what the server wrote: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_read() {
        let file = PassedFile::temporary().unwrap();
        let Kind::Temporary { folder } = &file.kind else { panic!("not a temporary file") };
        let path = std::path::Path::new(&file.server_path);
        std::os::unix::fs::symlink("/etc/passwd", path).unwrap();
        assert!(file.read(10).is_err());
        fs::remove_file(path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RWXU).unwrap();
        let Err(failure) = file.read(10) else { panic!("a pipe was read") };
        assert!(failure.text().contains("it is not a regular file"), "{}", failure.text());
        fs::remove_file(path).unwrap();
        fs::write(path, "0123456789abcdef").unwrap();
        assert_eq!(file.read(10).unwrap(), b"0123456789");
        fs::remove_dir_all(folder).unwrap();
    }
}
