//! Files that belong to this process, such as those of listening sockets. Each is removed with its value, and all of them before
//! a signal ends the program.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// All of them.
static FILES: Mutex<Vec<(PathBuf, Option<Identity>)>> = Mutex::new(Vec::new());

/// The device and the inode by which a file is recognised after it was created.
type Identity = (u64, u64);

/// A file of this process. Dropping the value removes the file.
#[derive(Debug)]
pub(crate) struct OwnedFile {
    path: PathBuf,
    /// `None` if whatever has its name is removed.
    identity: Option<Identity>,
}

impl OwnedFile {
    /// `metadata` is that of the file itself, not of one that a symbolic link leads to.
    pub(super) fn new(path: PathBuf, metadata: &fs::Metadata) -> OwnedFile {
        OwnedFile::register(path, Some((metadata.dev(), metadata.ino())))
    }

    /// Creates one that is removed even if it was replaced, as an editor does.
    #[cfg(feature = "programs")]
    pub(crate) fn by_name(path: PathBuf) -> OwnedFile {
        OwnedFile::register(path, None)
    }

    fn register(path: PathBuf, identity: Option<Identity>) -> OwnedFile {
        FILES.lock().unwrap_or_else(PoisonError::into_inner).push((path.clone(), identity));
        OwnedFile { path, identity }
    }
}

impl Drop for OwnedFile {
    fn drop(&mut self) {
        let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = files.iter().position(|(path, identity)| (path, identity) == (&self.path, &self.identity))
        {
            let (path, identity) = files.swap_remove(index);
            remove(&path, identity);
        }
    }
}

/// Removes all of them, for a program that ends without dropping them.
#[cfg(feature = "programs")]
pub fn remove_owned_files() {
    for (path, identity) in FILES.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        remove(&path, identity);
    }
}

/// Removes a file unless another one has taken its place.
fn remove(path: &std::path::Path, identity: Option<Identity>) {
    let is_own = |metadata: fs::Metadata| identity.is_none_or(|own| (metadata.dev(), metadata.ino()) == own);
    if fs::symlink_metadata(path).is_ok_and(is_own) {
        // It may be gone, or its folder closed to this user by now.
        let _ = fs::remove_file(path);
    }
}
