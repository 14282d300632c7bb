//! Listening for a server that connects to this process (`--listen`).

use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Instant;

use rustix::net::{AddressFamily, bind, listen};

use crate::platform;

use super::address::Address;
use super::connect::Connected;
use super::error::ConnectError;
use super::options::{CANCEL_POLL_INTERVAL, Options, from_now};
use super::owned_file::OwnedFile;
use super::socket::{is_refused, wait_readable};

/// A socket that servers connect to, for [`Client::accept`](crate::Client::accept). Dropping it removes its socket file, if
/// it has one.
///
/// ```
/// use std::time::Duration;
/// use qmp_shell::{Client, ConnectError, Listener, Options};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("vm.sock").display().to_string();
/// let listener = Listener::bind(&path.parse()?)?;
/// assert_eq!(listener.address().to_string(), path);
///
/// // No QEMU is started here, so no server connects.
/// let mut options = Options::default();
/// options.wait = Some(Duration::from_millis(10));
/// assert!(matches!(Client::accept(&listener, &options), Err(ConnectError::Timeout { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    address: Address,
    /// Removed with the socket.
    _file: Option<OwnedFile>,
}

impl Listener {
    /// Listens on `address`. Replaces a socket file that nothing listens on any more; leaves any other file alone.
    pub fn bind(address: &Address) -> Result<Listener, ConnectError> {
        let failed = |reason: io::Error| ConnectError::Listen { address: address.clone(), reason };
        let (fd, file) = match address {
            Address::Unix(path) => {
                remove_stale(path);
                let listener = UnixListener::bind(path).map_err(failed)?;
                let metadata = std::fs::symlink_metadata(path).map_err(failed)?;
                (OwnedFd::from(listener), Some(OwnedFile::new(path.clone(), &metadata)))
            }
            Address::Abstract(name) => {
                let bound = || -> Result<OwnedFd, rustix::io::Errno> {
                    let fd = platform::stream_socket(AddressFamily::UNIX)?;
                    bind(&fd, &platform::abstract_address(name.as_bytes())?)?;
                    listen(&fd, 1)?;
                    Ok(fd)
                };
                (bound().map_err(|error| failed(error.into()))?, None)
            }
            Address::Tcp { host, port } => {
                let targets: Vec<_> = (host.as_str(), *port)
                    .to_socket_addrs()
                    .map_err(|reason| ConnectError::Host { host: host.clone(), reason })?
                    .collect();
                (OwnedFd::from(TcpListener::bind(targets.as_slice()).map_err(failed)?), None)
            }
            Address::Fd(_)
            | Address::Exec(_)
            | Address::Ssh(_)
            | Address::Libvirt(_)
            | Address::Replay(_)
            | Address::Demo => {
                return Err(failed(io::Error::other("cannot listen on this kind of address")));
            }
        };
        Ok(Listener { fd, address: address.clone(), _file: file })
    }

    /// Returns the address it listens on.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Waits for the next server to connect, up to [`Options::wait`].
    pub(super) fn accept(&self, options: &Options) -> Result<Connected, ConnectError> {
        let failed = |reason: io::Error| ConnectError::Listen { address: self.address.clone(), reason };
        let deadline = options.wait.map(from_now);
        let poll_until =
            || deadline.map_or(from_now(CANCEL_POLL_INTERVAL), |at| from_now(CANCEL_POLL_INTERVAL).min(at));
        while !wait_readable(&[self.fd.as_fd()], Some(poll_until())).map_err(failed)?[0] {
            if options.is_cancelled() {
                return Err(ConnectError::Cancelled(self.address.clone()));
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                let seconds = options.wait.unwrap_or_default().as_secs_f64();
                return Err(ConnectError::Timeout { address: self.address.clone(), seconds });
            }
        }
        let fd = platform::accept(&self.fd).map_err(|error| failed(error.into()))?;
        Ok(fd.into())
    }
}

fn remove_stale(path: &Path) {
    let refused = is_refused(path).unwrap_or(false);
    let is_socket =
        std::fs::symlink_metadata(path).is_ok_and(|meta| std::os::unix::fs::FileTypeExt::is_socket(&meta.file_type()));
    if refused && is_socket {
        let _ = std::fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::{SocketAddrUnix, connect};

    use super::*;

    /// Connecting to a socket whose queue is full would wait for its program.
    #[test]
    fn a_socket_that_is_busy_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("q.sock");
        let name = SocketAddrUnix::new(&path).unwrap();
        let listening = platform::stream_socket(AddressFamily::UNIX).unwrap();
        bind(&listening, &name).unwrap();
        listen(&listening, 0).unwrap();
        let clients: Vec<OwnedFd> =
            (0..4).map(|_| platform::nonblocking_stream_socket(AddressFamily::UNIX).unwrap()).collect();
        let connected = clients.iter().filter(|client| connect(client, &name).is_ok()).count();
        assert!(connected < clients.len(), "the queue is not full");
        assert!(matches!(Listener::bind(&Address::Unix(path.clone())), Err(ConnectError::Listen { .. })));
        assert!(path.exists());
    }
}
