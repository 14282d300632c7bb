//! The files of listening sockets. Each is removed with its socket, and all before a signal ends the program.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// The files of this program's sockets.
static FILES: Mutex<Vec<(PathBuf, Identity)>> = Mutex::new(Vec::new());

/// The device and the inode by which a file is recognised after it was created.
type Identity = (u64, u64);

/// The file of a listening socket. Dropping it removes the file, unless that was replaced.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: Identity,
}

impl SocketFile {
    /// `metadata` is that of the file itself, not of one that a symbolic link leads to.
    pub(super) fn new(path: PathBuf, metadata: &fs::Metadata) -> SocketFile {
        let identity = (metadata.dev(), metadata.ino());
        FILES.lock().unwrap_or_else(PoisonError::into_inner).push((path.clone(), identity));
        SocketFile { path, identity }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = files.iter().position(|(path, identity)| (path, identity) == (&self.path, &self.identity))
        {
            let (path, identity) = files.swap_remove(index);
            remove(&path, identity);
        }
    }
}

/// Removes the files of all listening sockets, for a program that ends without dropping them.
#[cfg(feature = "programs")]
pub fn remove_socket_files() {
    for (path, identity) in FILES.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        remove(&path, identity);
    }
}

/// Removes a file unless another one has taken its place.
fn remove(path: &std::path::Path, identity: Identity) {
    if fs::symlink_metadata(path).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == identity) {
        // It may be gone, or its folder closed to this user by now.
        let _ = fs::remove_file(path);
    }
}
