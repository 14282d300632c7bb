//! One connected stream socket.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, sendmsg};

/// How often somebody who waits is asked whether to go on.
pub(super) const BLINK: Duration = Duration::from_millis(50);

/// So many bytes go into a socket's buffer that says that it has room.
const AT_ONCE: usize = 8 << 10;

/// What is done while a peer takes nothing.
pub(super) enum WhileBlocked<'a> {
    /// Nothing.
    Wait,
    /// What it has to say is read: a server may refuse to read until we do.
    Read(&'a mut dyn FnMut() -> io::Result<()>),
    /// Somebody is asked whether to give it up.
    Ask(&'a dyn Fn() -> bool),
}

/// A connected stream socket. Sending and receiving may go on at once, from two threads.
#[derive(Debug)]
pub struct Socket {
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
    /// Appends what has arrived to `buf`'s spare capacity; waits for the first byte. Zero at the end of the stream.
    pub(super) fn receive(&self, buf: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            match rustix::io::read(&self.fd, rustix::buffer::spare_capacity(buf)) {
                Ok(len) => return Ok(len),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => wait(&[self.fd.as_fd()], None).map(drop)?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends all of `bytes`, which is what is left to send, also after a failure; `meanwhile` is what is done while the peer
    /// takes nothing.
    pub(super) fn send_all(&self, bytes: &mut &[u8], meanwhile: WhileBlocked<'_>) -> io::Result<()> {
        self.send_with_fd(bytes, None, meanwhile)
    }

    /// As [`Socket::send_all`], with a descriptor attached to the first of them.
    pub(super) fn send_with_fd(
        &self,
        bytes: &mut &[u8],
        mut passed: Option<BorrowedFd<'_>>,
        mut meanwhile: WhileBlocked<'_>,
    ) -> io::Result<()> {
        let flags = match meanwhile {
            WhileBlocked::Wait => SendFlags::NOSIGNAL,
            _ => SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
        };
        while !bytes.is_empty() {
            let sent = match passed {
                None => rustix::net::send(&self.fd, bytes, flags),
                Some(passed) => self.pass(bytes, passed, flags),
            };
            match sent {
                Ok(len) => {
                    *bytes = &bytes[len..];
                    passed = None;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let (interest, until) = match &meanwhile {
                        WhileBlocked::Wait => (PollFlags::OUT, None),
                        WhileBlocked::Read(_) => (PollFlags::IN | PollFlags::OUT, None),
                        WhileBlocked::Ask(_) => (PollFlags::OUT, Some(Instant::now() + BLINK)),
                    };
                    let mut fds = [PollFd::new(&self.fd, interest)];
                    let ready = poll_retry(&mut fds, until)?;
                    match &mut meanwhile {
                        WhileBlocked::Read(read) if ready && fds[0].revents().contains(PollFlags::IN) => read()?,
                        WhileBlocked::Ask(cancelled) if cancelled() => {
                            return Err(io::Error::other("the sending was given up half-way"));
                        }
                        _ => {}
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Whether so many bytes can be sent without waiting for the peer.
    pub(super) fn is_writable(&self, len: usize) -> bool {
        len <= AT_ONCE && wait_for_room(&self.fd, Instant::now()).is_ok_and(|ready| ready)
    }

    fn pass(&self, bytes: &[u8], passed: BorrowedFd<'_>, flags: SendFlags) -> Result<usize, Errno> {
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = [passed];
        control.push(SendAncillaryMessage::ScmRights(&fds));
        sendmsg(&self.fd, &[io::IoSlice::new(bytes)], &mut control, flags)
    }

    /// Whether descriptors can travel over it.
    pub(super) fn is_unix(&self) -> bool {
        rustix::net::sockopt::socket_domain(&self.fd) == Ok(rustix::net::AddressFamily::UNIX)
    }

    /// Ends both directions: the peer sees the end of the stream, and so does a reader of ours.
    pub(super) fn shut_down(&self) {
        // Fails only where there is no connection left to end.
        let _ = rustix::net::shutdown(&self.fd, Shutdown::Both);
    }
}

/// Waits until one of `fds` can be read or has ended, or `until` has passed; returns which can.
pub(super) fn wait(fds: &[BorrowedFd<'_>], until: Option<Instant>) -> io::Result<Vec<bool>> {
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    poll_retry(&mut polled, until)?;
    Ok(polled.iter().map(|fd| !fd.revents().is_empty()).collect())
}

/// Waits until `fd` takes bytes, or has ended, or `until` has passed; returns which.
pub(super) fn wait_for_room(fd: &OwnedFd, until: Instant) -> Result<bool, Errno> {
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
