//! Dialing: from an address to a connected socket.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt};

use super::address::Address;
use super::error::ConnectError;
use super::negotiate::Options;
use super::socket::{BLINK, Socket, wait_for_room};

/// How long to rest between two tries.
const REST: Duration = Duration::from_millis(20);

/// A connected socket, and the process at its other end where we started it.
#[derive(Debug)]
pub struct Connected {
    /// The socket.
    pub socket: Socket,
    /// The process of an `exec:` address.
    pub peer: Option<PeerProcess>,
}

/// A process that we started to be talked to. It is ended, and waited for, when this is dropped.
#[derive(Debug)]
pub struct PeerProcess(Child);

impl Drop for PeerProcess {
    fn drop(&mut self) {
        // Its stream has ended, so it should end by itself; one that does not is helped along.
        let patience = Instant::now() + Duration::from_millis(500);
        while Instant::now() < patience {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Connects to `address`; each try may take [`Options::timeout`]. A server that is not there yet is waited for until
/// `wait_until`.
pub(super) fn connect_socket(
    address: &Address,
    options: &Options,
    wait_until: Option<Instant>,
) -> Result<Connected, ConnectError> {
    loop {
        options.check_cancelled(address)?;
        let result = match address {
            Address::Unix(path) => unix(address, SocketAddrUnix::new(path.as_path()), options),
            Address::Abstract(name) => unix(address, SocketAddrUnix::new_abstract_name(name.as_bytes()), options),
            Address::Tcp { host, port } => tcp(address, host, *port, options),
            Address::Fd(fd) => inherited(*fd),
            Address::Exec(command) => return exec(command),
            Address::Demo => {
                let reason = "the demo machine is started by the program, not by the session";
                Err(ConnectError::Io { address: address.clone(), reason: io::Error::other(reason) })
            }
        };
        match (&result, wait_until) {
            (Err(error), Some(until)) if error.may_pass() && Instant::now() < until => std::thread::sleep(REST),
            _ => {
                return result.map(|fd| Connected { socket: Socket::from(fd), peer: None });
            }
        }
    }
}

/// The time when so long has passed; so far away that no one will see it, where the clock could not count so far.
pub(super) fn from_now(span: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(span).unwrap_or(now + Duration::from_secs(u32::MAX.into()))
}

fn unix(address: &Address, target: Result<SocketAddrUnix, Errno>, options: &Options) -> Result<OwnedFd, ConnectError> {
    let timeout = options.timeout;
    let failed = |error: Errno| ConnectError::Io { address: address.clone(), reason: error.into() };
    let target = target.map_err(failed)?;
    let until = from_now(timeout);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(failed)?;
    loop {
        match connect(&fd, &target) {
            Ok(()) => break,
            // The listener's queue is full; a blocking connect would wait in it for ever.
            Err(Errno::AGAIN) if Instant::now() < until => {
                options.check_cancelled(address)?;
                std::thread::sleep(REST);
            }
            Err(Errno::AGAIN) => {
                return Err(ConnectError::Crowded { address: address.clone(), seconds: timeout.as_secs_f64() });
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(unix_error(address, error)),
        }
    }
    rustix::io::ioctl_fionbio(&fd, false).map_err(failed)?;
    Ok(fd)
}

fn unix_error(address: &Address, error: Errno) -> ConnectError {
    let path = match address {
        Address::Unix(path) => Some(path.as_path()),
        _ => None,
    };
    let shown = path.map_or_else(|| address.to_string(), |path| path.display().to_string());
    match error {
        Errno::NOENT => ConnectError::NoSuchSocket(shown),
        Errno::CONNREFUSED if path.is_some_and(|path| !is_socket(path)) => ConnectError::NotASocket(shown),
        Errno::CONNREFUSED => ConnectError::Refused(address.clone()),
        Errno::NOTSOCK | Errno::PROTOTYPE => ConnectError::NotASocket(shown),
        error => ConnectError::Io { address: address.clone(), reason: error.into() },
    }
}

fn is_socket(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
}

/// Connects to a host, which may have several addresses. One that is silent leaves the others their share of the time.
fn tcp(address: &Address, host: &str, port: u16, options: &Options) -> Result<OwnedFd, ConnectError> {
    let until = from_now(options.timeout);
    let named = (host, port).to_socket_addrs();
    let targets: Vec<SocketAddr> =
        named.map_err(|reason| ConnectError::Host { host: host.to_owned(), reason })?.collect();
    let mut last = Errno::ADDRNOTAVAIL;
    for (tried, target) in targets.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let share = u32::try_from(targets.len() - tried).map_or(left, |untried| left / untried);
        match tcp_to(target, address, from_now(share), options)? {
            Ok(fd) => return Ok(fd),
            Err(error) => last = error,
        }
    }
    Err(match last {
        Errno::CONNREFUSED => ConnectError::Refused(address.clone()),
        Errno::TIMEDOUT => ConnectError::Timeout { address: address.clone(), seconds: options.timeout.as_secs_f64() },
        error => ConnectError::Io { address: address.clone(), reason: error.into() },
    })
}

/// One address of a host. The error outside is for them all: it is given up.
fn tcp_to(
    target: &SocketAddr,
    address: &Address,
    until: Instant,
    options: &Options,
) -> Result<Result<OwnedFd, Errno>, ConnectError> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = match socket_with(family, SocketType::STREAM, flags, None) {
        Ok(fd) => fd,
        Err(error) => return Ok(Err(error)),
    };
    match connect(&fd, target) {
        Ok(()) => {}
        Err(Errno::INPROGRESS | Errno::INTR) => loop {
            options.check_cancelled(address)?;
            match wait_for_room(&fd, from_now(BLINK).min(until)) {
                Ok(true) => break,
                Ok(false) if Instant::now() >= until => return Ok(Err(Errno::TIMEDOUT)),
                Ok(false) => {}
                Err(error) => return Ok(Err(error)),
            }
        },
        Err(error) => return Ok(Err(error)),
    }
    // What came of a connect that did not wait is kept by the socket.
    let ready = || -> Result<(), Errno> {
        sockopt::socket_error(&fd)??;
        sockopt::set_tcp_nodelay(&fd, true)?;
        rustix::io::ioctl_fionbio(&fd, false)
    };
    Ok(ready().map(|()| fd))
}

#[allow(unsafe_code)]
fn inherited(fd: RawFd) -> Result<OwnedFd, ConnectError> {
    // The three standard streams have owners in this process.
    if fd <= 2 {
        return Err(ConnectError::BadDescriptor(fd));
    }
    // SAFETY: borrowed for no longer than this call, and never closed: once the session that used it has ended, the number
    // may be asked for again, and a number that others closed may by then be somebody else's. That it is open at all,
    // and a socket, is looked at first.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    if rustix::net::sockopt::socket_type(borrowed) != Ok(SocketType::STREAM) {
        return Err(ConnectError::BadDescriptor(fd));
    }
    // Children of ours must not hold the session open.
    let _ = rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC);
    rustix::io::fcntl_dupfd_cloexec(borrowed, 0).map_err(|_| ConnectError::BadDescriptor(fd))
}

fn exec(command: &str) -> Result<Connected, ConnectError> {
    let failed = |reason: String| ConnectError::Exec { command: command.to_owned(), reason };
    let words = shlex::split(command).filter(|words| !words.is_empty());
    let words = words.ok_or_else(|| failed("a quote is not closed".to_owned()))?;
    let program = words.first().map(String::as_str).unwrap_or_default();
    if !is_runnable(program) {
        return Err(failed("no such program".to_owned()));
    }
    let (ours, theirs) = UnixStream::pair().map_err(|error| failed(error.to_string()))?;
    let theirs = OwnedFd::from(theirs);
    let output = theirs.try_clone().map_err(|error| failed(error.to_string()))?;
    // The trap keeps our Ctrl-C, which goes to the whole foreground group, from ending the connection.
    let child = Command::new("/bin/sh")
        .args(["-c", "trap '' INT; exec \"$@\"", "sh"])
        .args(&words)
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::from(output))
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    Ok(Connected { socket: Socket::from(OwnedFd::from(ours)), peer: Some(PeerProcess(child)) })
}

fn is_runnable(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
