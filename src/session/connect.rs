//! Connecting a socket to an address.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, sockopt};

use crate::platform;

use super::address::{Address, without_secrets};
use super::error::ConnectError;
use super::libvirt::connect_libvirt;
use super::opening::{Awaited, Opening};
use super::options::{CANCEL_POLL_INTERVAL, from_now};
use super::server_process::{ProcessMessages, ServerProcess};
use super::socket::{Socket, wait_writable};
use super::ssh::connect_ssh;

/// The time between two attempts.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// The time between two attempts that start a process.
const PROCESS_RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// A connected socket.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) socket: Socket,
    /// The process at the other end, if this process has started it.
    pub(super) process: Option<ServerProcess>,
    /// The messages of that process for the user, if they are read.
    pub(super) messages: Option<ProcessMessages>,
    /// Whether the server can read a request only after it has answered the one before.
    pub(super) takes_one_request: bool,
    /// The time limit for greeting and negotiation, in multiples of [`Options::timeout`](super::options::Options::timeout).
    pub(super) timeout_factor: u32,
}

impl From<OwnedFd> for Connected {
    fn from(fd: OwnedFd) -> Self {
        Connected {
            socket: Socket::from(fd),
            process: None,
            messages: None,
            takes_one_request: false,
            timeout_factor: 1,
        }
    }
}

/// Connects to the server. Each attempt may take [`Options::timeout`](super::options::Options::timeout); attempts that may
/// succeed later are repeated until `retry_until`.
pub(super) fn connect_socket(
    opening: &mut Opening<'_>,
    retry_until: Option<Instant>,
) -> Result<Connected, ConnectError> {
    opening.wait_for(Awaited::Connection);
    let address = opening.address;
    loop {
        opening.poll()?;
        let result = match address {
            Address::Unix(path) => connect_unix(opening, SocketAddrUnix::new(path.as_path())).map(Connected::from),
            Address::Abstract(name) => {
                connect_unix(opening, platform::abstract_address(name.as_bytes())).map(Connected::from)
            }
            Address::Tcp { host, port } => connect_tcp(opening, host, *port).map(Connected::from),
            Address::Fd(fd) => duplicate_inherited(*fd).map(Connected::from),
            Address::Exec(command) => return start_exec(command),
            Address::Ssh(ssh) => connect_ssh(opening, ssh),
            Address::Libvirt(libvirt) => connect_libvirt(opening, libvirt),
            Address::Demo | Address::Replay(_) => {
                let reason = "this server is inside the program, and not reached through a socket";
                Err(ConnectError::Io { address: address.clone(), reason: io::Error::other(reason) })
            }
        };
        match (&result, retry_until) {
            (Err(error), Some(until)) if error.is_transient() && Instant::now() < until => {
                let starts_process = matches!(address, Address::Ssh(_) | Address::Libvirt(_));
                opening.pause(if starts_process { PROCESS_RETRY_INTERVAL } else { RETRY_INTERVAL })?;
            }
            _ => return result,
        }
    }
}

fn connect_unix(opening: &mut Opening<'_>, target: Result<SocketAddrUnix, Errno>) -> Result<OwnedFd, ConnectError> {
    let (address, timeout) = (opening.address, opening.options.timeout);
    let failed = |error: Errno| ConnectError::Io { address: address.clone(), reason: error.into() };
    let target = target.map_err(failed)?;
    let until = from_now(timeout);
    let fd = platform::nonblocking_stream_socket(AddressFamily::UNIX).map_err(failed)?;
    loop {
        match connect(&fd, &target) {
            Ok(()) => break,
            // The listener's queue is full. A blocking connect would wait without a limit.
            Err(Errno::AGAIN) if Instant::now() < until => {
                opening.poll()?;
                std::thread::sleep(RETRY_INTERVAL);
            }
            Err(Errno::AGAIN) => {
                return Err(ConnectError::Busy { address: address.clone(), seconds: timeout.as_secs_f64() });
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

/// Connects to a host, which may have several addresses. The remaining time is shared among those not tried yet.
fn connect_tcp(opening: &mut Opening<'_>, host: &str, port: u16) -> Result<OwnedFd, ConnectError> {
    let (address, timeout) = (opening.address, opening.options.timeout);
    let until = from_now(timeout);
    let targets = match host.parse() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => {
            let name = host.to_owned();
            resolve(opening, host, until, move || Ok((name.as_str(), port).to_socket_addrs()?.collect()))?
        }
    };
    opening.wait_for(Awaited::Connection);
    let mut last = Errno::ADDRNOTAVAIL;
    for (tried, target) in targets.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let share = u32::try_from(targets.len() - tried).map_or(left, |untried| left / untried);
        match connect_tcp_to(opening, target, from_now(share))? {
            Ok(fd) => return Ok(fd),
            Err(error) => last = error,
        }
    }
    Err(match last {
        Errno::CONNREFUSED => ConnectError::Refused(address.clone()),
        Errno::TIMEDOUT => ConnectError::Timeout { address: address.clone(), seconds: timeout.as_secs_f64() },
        error => ConnectError::Io { address: address.clone(), reason: error.into() },
    })
}

/// Returns the addresses that `resolver` finds for a host. It runs in a thread, because the system's resolver cannot be
/// interrupted; the thread is left alone if it takes longer than until `until`, or connecting is cancelled.
fn resolve(
    opening: &mut Opening<'_>,
    host: &str,
    until: Instant,
    resolver: impl FnOnce() -> io::Result<Vec<SocketAddr>> + Send + 'static,
) -> Result<Vec<SocketAddr>, ConnectError> {
    let failed = |reason| ConnectError::Host { host: host.to_owned(), reason };
    opening.wait_for(Awaited::Resolution);
    let (sender, receiver) = mpsc::channel();
    let run = move || {
        let _ = sender.send(resolver());
    };
    std::thread::Builder::new().name("resolver".to_owned()).spawn(run).map_err(failed)?;
    loop {
        opening.poll()?;
        match receiver.recv_timeout(CANCEL_POLL_INTERVAL) {
            Ok(targets) => return targets.map_err(failed),
            Err(RecvTimeoutError::Disconnected) => return Err(failed(io::Error::other("the resolver has failed"))),
            Err(RecvTimeoutError::Timeout) if Instant::now() >= until => {
                return Err(failed(io::ErrorKind::TimedOut.into()));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Connects to one address of a host. The outer error means that connecting was cancelled.
fn connect_tcp_to(
    opening: &mut Opening<'_>,
    target: &SocketAddr,
    until: Instant,
) -> Result<Result<OwnedFd, Errno>, ConnectError> {
    let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = match platform::nonblocking_stream_socket(family) {
        Ok(fd) => fd,
        Err(error) => return Ok(Err(error)),
    };
    match connect(&fd, target) {
        Ok(()) => {}
        Err(Errno::INPROGRESS | Errno::INTR) => loop {
            opening.poll()?;
            match wait_writable(&fd, from_now(CANCEL_POLL_INTERVAL).min(until)) {
                Ok(true) => break,
                Ok(false) if Instant::now() >= until => return Ok(Err(Errno::TIMEDOUT)),
                Ok(false) => {}
                Err(error) => return Ok(Err(error)),
            }
        },
        Err(error) => return Ok(Err(error)),
    }
    // The socket keeps the outcome of a connect that did not block.
    let finish = || -> Result<(), Errno> {
        sockopt::socket_error(&fd)??;
        sockopt::set_tcp_nodelay(&fd, true)?;
        rustix::io::ioctl_fionbio(&fd, false)
    };
    Ok(finish().map(|()| fd))
}

#[allow(unsafe_code)]
pub(super) fn duplicate_inherited(fd: RawFd) -> Result<OwnedFd, ConnectError> {
    // The standard streams are in use by this process.
    if fd <= 2 {
        return Err(ConnectError::InvalidFd(fd));
    }
    // SAFETY: the descriptor is borrowed for this call only and never closed here, because an address may be used again
    // after its session has ended. If it was closed and its number reused, the check below rejects all but stream
    // sockets.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    if rustix::net::sockopt::socket_type(borrowed) != Ok(SocketType::STREAM) {
        return Err(ConnectError::InvalidFd(fd));
    }
    // Child processes must not keep the connection open.
    let _ = rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC);
    rustix::io::fcntl_dupfd_cloexec(borrowed, 0).map_err(|_| ConnectError::InvalidFd(fd))
}

fn start_exec(command: &str) -> Result<Connected, ConnectError> {
    let failed = |reason: String| ConnectError::Exec { command: without_secrets(command).into_owned(), reason };
    let words = shlex::split(command).filter(|words| !words.is_empty());
    let words = words.ok_or_else(|| failed("a quote is not closed".to_owned()))?;
    let program = words.first().map(String::as_str).unwrap_or_default();
    if !is_runnable(program) {
        return Err(failed("no such program".to_owned()));
    }
    let (socket, child_socket) = UnixStream::pair().map_err(|error| failed(error.to_string()))?;
    let child_input = OwnedFd::from(child_socket);
    let child_output = child_input.try_clone().map_err(|error| failed(error.to_string()))?;
    // Ctrl-C signals the whole foreground process group; the trap keeps it from ending the connection.
    let child = Command::new("/bin/sh")
        .args(["-c", "trap '' INT; exec \"$@\"", "sh"])
        .args(&words)
        .stdin(Stdio::from(child_input))
        .stdout(Stdio::from(child_output))
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    Ok(Connected { process: Some(child.into()), ..Connected::from(OwnedFd::from(socket)) })
}

/// Returns whether `program` is a file, or the name of one in `PATH`.
pub(crate) fn is_runnable(program: &str) -> bool {
    find_program(program).is_some()
}

/// Returns the path of a program, if it is a file, or the name of one in `PATH`.
pub(super) fn find_program(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::super::options::Options;
    use super::*;

    /// Resolves a name with a resolver that never answers. Returns the sentences about the wait, and the error.
    fn wait_for_resolver(options: &Options) -> (Vec<String>, String) {
        let address: Address = "qemu.example:4444".parse().unwrap();
        let mut sentences = Vec::new();
        let mut progress = |sentence: &str| sentences.push(sentence.to_owned());
        let mut opening = Opening::new(&address, options, &mut progress);
        let (_keep, never) = mpsc::channel();
        let resolver = move || never.recv().map_err(io::Error::other);
        let error = resolve(&mut opening, "qemu.example", from_now(options.timeout), resolver).unwrap_err();
        (sentences, error.to_string())
    }

    #[test]
    fn a_resolver_that_does_not_answer_is_announced_and_given_up() {
        let (sentences, error) =
            wait_for_resolver(&Options { timeout: Duration::from_millis(1200), ..Options::default() });
        assert_eq!(sentences, ["Waiting for the name in qemu.example:4444 to be resolved."]);
        assert_eq!(error, "cannot find host `qemu.example`: timed out");
    }

    #[test]
    fn ctrl_c_ends_the_wait_for_a_resolver() {
        let options = Options::default();
        options.cancelled.store(true, std::sync::atomic::Ordering::SeqCst);
        let (sentences, error) = wait_for_resolver(&options);
        assert_eq!((sentences.len(), error.as_str()), (0, "connecting to `qemu.example:4444` was cancelled"));
    }
}
