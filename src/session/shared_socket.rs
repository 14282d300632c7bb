//! Unix sockets that other programs connect to, with the permissions of a file: for shared monitors.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Permissions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::platform::{PeerCredentials, accept_nonblocking, is_listening_unix_socket, peer_credentials};

use super::address::Address;
use super::connect::duplicate_inherited;
use super::owned_file::OwnedFile;
use super::socket::is_refused;

/// The time for which the lock of another program is waited for.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// The time between two attempts to lock.
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The permissions of a socket file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedSocketOptions {
    /// The mode bits of the file, such as 0600.
    pub mode: u32,
    /// The id of the group that owns the file; `None` leaves that to the system.
    pub group: Option<u32>,
}

/// The error of creating a socket.
#[derive(Debug, thiserror::Error)]
pub enum SharedSocketError {
    /// A program listens there.
    #[error("cannot listen on `{0}`: another program is listening there")]
    InUse(PathBuf),
    /// The file is not a socket, and is left alone.
    #[error("cannot listen on `{0}`: the file exists, and is not a socket")]
    NotASocket(PathBuf),
    /// The address has no permissions of a file.
    #[error("cannot listen on `{0}`: expected the path of a socket, or `fd:N`")]
    Address(Address),
    /// The descriptor is not a socket that listens.
    #[error("file descriptor {0} is not an inherited Unix socket that listens")]
    InvalidFd(i32),
    /// The operating system reported an error.
    #[error("cannot listen on `{path}`: {reason}")]
    Io {
        /// The path of the socket.
        path: PathBuf,
        /// The error of the operating system.
        reason: io::Error,
    },
}

/// A listening Unix socket. Dropping it removes its file, unless that was replaced.
#[derive(Debug)]
pub struct SharedSocket {
    fd: OwnedFd,
    address: Address,
    /// Removed with the socket.
    _file: Option<OwnedFile>,
}

impl SharedSocket {
    /// Listens at a path, or on an inherited socket that listens already (`fd:N`), whose permissions stay as they are.
    ///
    /// The file appears at its path with its permissions, so that no client connects before they are set. A socket file on
    /// which no program listens is replaced; any other file, and a symbolic link, is left alone.
    pub fn bind(address: &Address, options: SharedSocketOptions) -> Result<SharedSocket, SharedSocketError> {
        let socket = match address {
            Address::Unix(path) => bind_at(path, options)?,
            &Address::Fd(inherited) => {
                let fd = duplicate_inherited(inherited).map_err(|_| SharedSocketError::InvalidFd(inherited))?;
                if !is_listening_unix_socket(&fd) {
                    return Err(SharedSocketError::InvalidFd(inherited));
                }
                SharedSocket { fd, address: address.clone(), _file: None }
            }
            _ => return Err(SharedSocketError::Address(address.clone())),
        };
        // A client may leave between `poll` and `accept`.
        let failed =
            |error: Errno| SharedSocketError::Io { path: PathBuf::from(address.to_os_string()), reason: error.into() };
        rustix::io::ioctl_fionbio(&socket.fd, true).map_err(failed)?;
        Ok(socket)
    }

    /// Returns the address it listens on.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Accepts a connection that does not block, and returns the process, user and group at its other end. `None` if no
    /// client is waiting.
    pub(crate) fn accept(&self) -> io::Result<Option<(OwnedFd, Option<PeerCredentials>)>> {
        match accept_nonblocking(&self.fd) {
            Ok(fd) => {
                let credentials = peer_credentials(&fd);
                Ok(Some((fd, credentials)))
            }
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for SharedSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A folder that only this user can enter, in which a socket gets its permissions. Dropping it removes it.
struct PrivateFolder {
    path: PathBuf,
    socket: PathBuf,
}

impl PrivateFolder {
    /// Creates a folder in `parent` for a socket called `name`, by which tools that list sockets show it.
    fn create(parent: &Path, name: &OsStr) -> io::Result<PrivateFolder> {
        // Short, because the path of a socket must be.
        let random = RandomState::new();
        for attempt in 0..100_u32 {
            let path = parent.join(format!(".{:06x}", random.hash_one(attempt) & 0xFF_FFFF));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(PrivateFolder { socket: path.join(name), path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
        let _ = fs::remove_dir(&self.path);
    }
}

fn bind_at(path: &Path, options: SharedSocketOptions) -> Result<SharedSocket, SharedSocketError> {
    let failed = |reason: io::Error| SharedSocketError::Io { path: path.to_owned(), reason };
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Two programs that find the same stale file must not both replace it.
    let _lock = lock_folder(parent);
    let is_stale = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(failed(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(SharedSocketError::NotASocket(path.to_owned()));
        }
        Ok(_) if is_refused(path).map_err(|error| failed(error.into()))? => true,
        Ok(_) => return Err(SharedSocketError::InUse(path.to_owned())),
    };
    let Some(name) = path.file_name() else { return Err(failed(io::ErrorKind::InvalidInput.into())) };
    let folder = PrivateFolder::create(parent, name).map_err(failed)?;
    let private = &folder.socket;
    let listener = UnixListener::bind(private).map_err(failed)?;
    if let Some(group) = options.group {
        std::os::unix::fs::chown(private, None, Some(group)).map_err(failed)?;
    }
    // After the group, because changing that may clear bits of the mode.
    fs::set_permissions(private, Permissions::from_mode(options.mode)).map_err(failed)?;
    let metadata = fs::symlink_metadata(private).map_err(failed)?;
    let moved = match is_stale {
        true => fs::rename(private, path),
        // Fails if there is a file now.
        false => match fs::hard_link(private, path) {
            // A file system without links.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists && fs::symlink_metadata(path).is_err() => {
                fs::rename(private, path)
            }
            result => result,
        },
    };
    moved.map_err(failed)?;
    let file = OwnedFile::new(path.to_owned(), &metadata);
    Ok(SharedSocket { fd: listener.into(), address: Address::Unix(path.to_owned()), _file: Some(file) })
}

/// Locks a folder against other programs that create sockets in it, until the returned file is closed. A lock that is not
/// free soon is done without: any program that can read the folder can hold it.
fn lock_folder(folder: &Path) -> Option<File> {
    let file = File::open(folder).ok()?;
    let deadline = Instant::now() + LOCK_TIMEOUT;
    while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() && Instant::now() < deadline {
        std::thread::sleep(LOCK_POLL_INTERVAL);
    }
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    const OPTIONS: SharedSocketOptions = SharedSocketOptions { mode: 0o640, group: None };

    fn bind(path: &Path) -> Result<SharedSocket, SharedSocketError> {
        SharedSocket::bind(&Address::Unix(path.to_owned()), OPTIONS)
    }

    #[test]
    fn listens_with_the_permissions_given_and_cleans_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        let socket = bind(&path).unwrap();
        assert_eq!(fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "only the socket is left");
        assert!(socket.accept().unwrap().is_none());
        let mut client = UnixStream::connect(&path).unwrap();
        let (fd, credentials) = socket.accept().unwrap().unwrap();
        assert_eq!(credentials.unwrap().process.as_raw_nonzero().get().cast_unsigned(), std::process::id());
        UnixStream::from(fd).write_all(b"x").unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn replaces_only_sockets_on_which_nothing_listens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        drop(UnixListener::bind(&path).unwrap());
        let socket = bind(&path).unwrap();
        assert!(matches!(bind(&path), Err(SharedSocketError::InUse(_))));
        // A file that has replaced the socket is left alone.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        drop(socket);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        assert!(matches!(bind(&path), Err(SharedSocketError::NotASocket(_))));
        let link = folder.path().join("link.sock");
        std::os::unix::fs::symlink(folder.path().join("target.sock"), &link).unwrap();
        assert!(matches!(bind(&link), Err(SharedSocketError::NotASocket(_))));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    }

    #[test]
    fn other_addresses_are_refused() {
        for address in ["localhost:4444", "unix:@name", "demo:"] {
            let bound = SharedSocket::bind(&address.parse().unwrap(), OPTIONS);
            assert!(matches!(bound, Err(SharedSocketError::Address(_))), "{address}");
        }
        let bound = SharedSocket::bind(&Address::Fd(1), OPTIONS);
        assert!(matches!(bound, Err(SharedSocketError::InvalidFd(1))));
    }
}
