//! The connected stream socket.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketAddrUnix, connect, sendmsg,
};
use rustix::process::Pid;

use crate::platform::{NO_SIGNAL, nonblocking_stream_socket, peer_credentials};

use super::options::CANCEL_POLL_INTERVAL;

/// The number of bytes that a writable socket is sure to take without blocking.
const MAX_UNBLOCKED_BYTES: usize = 8 << 10;

/// The time after which a limited read returns without a byte. It spares a wait with a later deadline the `poll` before
/// each read, which takes 15 % of the time of a short command.
pub(super) const READ_LIMIT: Duration = Duration::from_secs(1);

/// The action of a sender while the peer does not read.
pub(super) enum WhileBlocked<'a> {
    /// Nothing.
    Wait,
    /// Read from it: a server may not read before its client does.
    Read(&'a mut dyn FnMut() -> io::Result<()>),
    /// Check whether sending is cancelled.
    Poll(&'a dyn Fn() -> bool),
}

/// A connected stream socket. Two threads may send and receive at the same time.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
}

impl From<OwnedFd> for Socket {
    fn from(fd: OwnedFd) -> Self {
        Socket { fd }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Socket {
    /// Reads into `buf`'s spare capacity; blocks until there is at least one byte. Returns 0 at the end of the stream.
    pub(super) fn receive(&self, buf: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            match self.receive_limited(buf)? {
                Some(len) => return Ok(len),
                None => wait_readable(&[self.fd.as_fd()], None).map(drop)?,
            }
        }
    }

    /// Reads as [`Socket::receive`] does, but returns `None` after [`READ_LIMIT`] if [`Socket::limit_reads`] succeeded.
    pub(super) fn receive_limited(&self, buf: &mut Vec<u8>) -> io::Result<Option<usize>> {
        loop {
            match rustix::io::read(&self.fd, rustix::buffer::spare_capacity(buf)) {
                Ok(len) => return Ok(Some(len)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Limits the time for which a read blocks. Returns whether that is possible: an inherited socket may not block at
    /// all.
    pub(super) fn limit_reads(&self) -> bool {
        let is_blocking = fcntl_getfl(&self.fd).is_ok_and(|flags| !flags.contains(OFlags::NONBLOCK));
        is_blocking && set_socket_timeout(&self.fd, Timeout::Recv, Some(READ_LIMIT)).is_ok()
    }

    /// Sends all of `bytes`, and advances it past the bytes sent, even on failure.
    pub(super) fn send_all(&self, bytes: &mut &[u8], while_blocked: WhileBlocked<'_>) -> io::Result<()> {
        self.send_with_fd(bytes, None, while_blocked)
    }

    /// Sends as [`Socket::send_all`] does, with a file descriptor attached to the first byte.
    pub(super) fn send_with_fd(
        &self,
        bytes: &mut &[u8],
        mut fd: Option<BorrowedFd<'_>>,
        mut while_blocked: WhileBlocked<'_>,
    ) -> io::Result<()> {
        let flags = match while_blocked {
            WhileBlocked::Wait => NO_SIGNAL,
            _ => NO_SIGNAL | SendFlags::DONTWAIT,
        };
        while !bytes.is_empty() {
            let sent = match fd {
                None => rustix::net::send(&self.fd, bytes, flags),
                Some(fd) => self.send_once_with_fd(bytes, fd, flags),
            };
            match sent {
                Ok(len) => {
                    *bytes = &bytes[len..];
                    fd = None;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let (interest, until) = match &while_blocked {
                        WhileBlocked::Wait => (PollFlags::OUT, None),
                        WhileBlocked::Read(_) => (PollFlags::IN | PollFlags::OUT, None),
                        WhileBlocked::Poll(_) => (PollFlags::OUT, Some(Instant::now() + CANCEL_POLL_INTERVAL)),
                    };
                    let mut fds = [PollFd::new(&self.fd, interest)];
                    let ready = poll_retry(&mut fds, until)?;
                    match &mut while_blocked {
                        WhileBlocked::Read(read) if ready && fds[0].revents().contains(PollFlags::IN) => read()?,
                        WhileBlocked::Poll(is_cancelled) if is_cancelled() => {
                            return Err(io::Error::other("sending was cancelled part-way"));
                        }
                        _ => {}
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Returns whether `len` bytes can be sent without waiting for the peer.
    pub(super) fn can_send_now(&self, len: usize) -> bool {
        len <= MAX_UNBLOCKED_BYTES && wait_writable(&self.fd, Instant::now()).is_ok_and(|ready| ready)
    }

    fn send_once_with_fd(&self, bytes: &[u8], fd: BorrowedFd<'_>, flags: SendFlags) -> Result<usize, Errno> {
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = [fd];
        control.push(SendAncillaryMessage::ScmRights(&fds));
        sendmsg(&self.fd, &[io::IoSlice::new(bytes)], &mut control, flags)
    }

    /// Returns whether file descriptors can be sent over it.
    pub(super) fn is_unix(&self) -> bool {
        rustix::net::getsockname(&self.fd).is_ok_and(|address| address.address_family() == AddressFamily::UNIX)
    }

    /// Returns the process at the other end, if it is on this machine.
    pub(super) fn peer_process(&self) -> Option<Pid> {
        Some(peer_credentials(&self.fd).filter(|_| self.is_unix())?.process)
    }

    /// Ends both directions: the peer and the local reader see the end of the stream.
    pub(super) fn shut_down(&self) {
        // Fails only if the connection has ended already.
        let _ = rustix::net::shutdown(&self.fd, Shutdown::Both);
    }
}

/// Waits until one of `fds` is readable or at its end, or `until` has passed. Returns for each whether it is.
pub(super) fn wait_readable(fds: &[BorrowedFd<'_>], until: Option<Instant>) -> io::Result<Vec<bool>> {
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    poll_retry(&mut polled, until)?;
    Ok(polled.iter().map(|fd| !fd.revents().is_empty()).collect())
}

/// Waits until `fd` is writable or at its end, or `until` has passed. Returns whether it is.
pub(super) fn wait_writable(fd: &OwnedFd, until: Instant) -> Result<bool, Errno> {
    poll_retry(&mut [PollFd::new(fd, PollFlags::OUT)], Some(until))
}

fn poll_retry(fds: &mut [PollFd<'_>], until: Option<Instant>) -> Result<bool, Errno> {
    loop {
        let timeout = match until {
            None => None,
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                Some(Timespec {
                    tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                    tv_nsec: i64::from(left.subsec_nanos()),
                })
            }
        };
        match poll(fds, timeout.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Returns whether no program listens on a socket file. Does not wait for one that is busy.
pub(super) fn is_refused(path: &Path) -> Result<bool, Errno> {
    let fd = nonblocking_stream_socket(AddressFamily::UNIX)?;
    Ok(connect(&fd, &SocketAddrUnix::new(path)?) == Err(Errno::CONNREFUSED))
}
