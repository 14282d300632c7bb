//! The calls that operating systems have in different forms, or not at all: sockets, descriptors, processes.
//!
//! Linux has all of them. Elsewhere a call has a substitute, or its documentation says what is missing.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
#[cfg(feature = "programs")]
use rustix::net::RecvFlags;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketType};
use rustix::process::Pid;

#[cfg(target_vendor = "apple")]
mod sockets {
    use super::*;
    use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};

    /// No flag: Rust programs ignore SIGPIPE.
    pub(crate) const NO_SIGNAL: SendFlags = SendFlags::empty();

    pub(super) fn open(family: AddressFamily) -> Result<OwnedFd, Errno> {
        let fd = rustix::net::socket(family, SocketType::STREAM, None)?;
        fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
        Ok(fd)
    }

    pub(super) fn open_nonblocking(family: AddressFamily) -> Result<OwnedFd, Errno> {
        let fd = open(family)?;
        ioctl_fionbio(&fd, true)?;
        Ok(fd)
    }

    pub(super) fn accept(listener: &OwnedFd) -> Result<OwnedFd, Errno> {
        let fd = rustix::net::accept(listener)?;
        fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
        Ok(fd)
    }

    /// No flag: child processes inherit the descriptors that a message carries.
    #[cfg(feature = "programs")]
    pub(crate) const FDS_NOT_INHERITED: RecvFlags = RecvFlags::empty();

    #[cfg(feature = "programs")]
    pub(super) fn accept_nonblocking(listener: &OwnedFd) -> Result<OwnedFd, Errno> {
        let fd = accept(listener)?;
        ioctl_fionbio(&fd, true)?;
        Ok(fd)
    }

    /// The system does not tell.
    #[cfg(feature = "programs")]
    pub(super) fn listens(_: &OwnedFd) -> bool {
        true
    }
}

#[cfg(not(target_vendor = "apple"))]
mod sockets {
    use super::*;
    use rustix::net::SocketFlags;

    /// A peer that is gone is an error, without the signal SIGPIPE.
    pub(crate) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;

    pub(super) fn open(family: AddressFamily) -> Result<OwnedFd, Errno> {
        rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)
    }

    pub(super) fn open_nonblocking(family: AddressFamily) -> Result<OwnedFd, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        rustix::net::socket_with(family, SocketType::STREAM, flags, None)
    }

    pub(super) fn accept(listener: &OwnedFd) -> Result<OwnedFd, Errno> {
        rustix::net::accept_with(listener, SocketFlags::CLOEXEC)
    }

    /// Child processes do not inherit the descriptors that a message carries.
    #[cfg(feature = "programs")]
    pub(crate) const FDS_NOT_INHERITED: RecvFlags = RecvFlags::CMSG_CLOEXEC;

    #[cfg(feature = "programs")]
    pub(super) fn accept_nonblocking(listener: &OwnedFd) -> Result<OwnedFd, Errno> {
        rustix::net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
    }

    #[cfg(feature = "programs")]
    pub(super) fn listens(socket: &OwnedFd) -> bool {
        rustix::net::sockopt::socket_acceptconn(socket) == Ok(true)
    }
}

#[cfg(feature = "programs")]
pub(crate) use sockets::FDS_NOT_INHERITED;
pub(crate) use sockets::NO_SIGNAL;

/// Opens a stream socket that child processes do not inherit.
pub(crate) fn stream_socket(family: AddressFamily) -> Result<OwnedFd, Errno> {
    sockets::open(family)
}

/// Opens a stream socket that does not block, and that child processes do not inherit.
pub(crate) fn nonblocking_stream_socket(family: AddressFamily) -> Result<OwnedFd, Errno> {
    sockets::open_nonblocking(family)
}

/// Accepts a connection that child processes do not inherit.
pub(crate) fn accept(listener: &OwnedFd) -> Result<OwnedFd, Errno> {
    sockets::accept(listener)
}

/// Accepts a connection that does not block, and that child processes do not inherit.
#[cfg(feature = "programs")]
pub(crate) fn accept_nonblocking(listener: &OwnedFd) -> Result<OwnedFd, Errno> {
    sockets::accept_nonblocking(listener)
}

/// Returns whether a descriptor is a Unix socket that listens. Apple's systems do not tell whether it listens.
#[cfg(feature = "programs")]
pub(crate) fn is_listening_unix_socket(fd: &OwnedFd) -> bool {
    let family = rustix::net::getsockname(fd).map(|address| address.address_family());
    family == Ok(AddressFamily::UNIX) && sockets::listens(fd)
}

/// Returns the address of a Unix socket without a file. Only Linux has them.
pub(crate) fn abstract_address(name: &[u8]) -> Result<SocketAddrUnix, Errno> {
    #[cfg(target_os = "linux")]
    return SocketAddrUnix::new_abstract_name(name);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = name;
        Err(Errno::OPNOTSUPP)
    }
}

/// The process at the other end of a Unix socket, when it connected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerCredentials {
    pub(crate) process: Pid,
    #[cfg(feature = "programs")]
    pub(crate) uid: u32,
    #[cfg(feature = "programs")]
    pub(crate) gid: u32,
}

/// Returns the process at the other end of a Unix socket, with its user and group. `None` except on Linux.
pub(crate) fn peer_credentials(socket: impl AsFd) -> Option<PeerCredentials> {
    #[cfg(target_os = "linux")]
    {
        let peer = rustix::net::sockopt::socket_peercred(socket).ok()?;
        Some(PeerCredentials {
            process: peer.pid,
            #[cfg(feature = "programs")]
            uid: peer.uid.as_raw(),
            #[cfg(feature = "programs")]
            gid: peer.gid.as_raw(),
        })
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = socket;
        None
    }
}

/// Lets the kernel end the child with SIGTERM when this process ends without doing so, as after SIGKILL. It must be spawned
/// by the main thread, because the end of its thread counts. Except on Linux, nothing happens.
#[cfg(feature = "programs")]
pub(crate) fn end_with_this_process(command: &mut std::process::Command) {
    #[cfg(target_os = "linux")]
    set_parent_death_signal(command);
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}

#[cfg(all(feature = "programs", target_os = "linux"))]
#[allow(unsafe_code)]
fn set_parent_death_signal(command: &mut std::process::Command) {
    use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};
    use std::os::unix::process::CommandExt;

    let parent = getpid();
    let set_signal = move || {
        set_parent_process_death_signal(Some(Signal::TERM))?;
        // This process may have ended before the signal was set.
        match getppid() == Some(parent) {
            true => Ok(()),
            false => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    };
    // SAFETY: between fork and exec the closure only makes system calls; it neither allocates nor locks.
    unsafe { command.pre_exec(set_signal) };
}

/// Creates an empty file that has no name, to be passed to a server.
#[cfg(feature = "programs")]
pub(crate) fn unnamed_file() -> std::io::Result<std::fs::File> {
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    return Ok(rustix::fs::memfd_create("qmp-shell", rustix::fs::MemfdFlags::CLOEXEC)?.into());
    #[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
    {
        use std::os::unix::fs::OpenOptionsExt;
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("qmp-shell-{}-file-{number}", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(file)
    }
}

/// Returns whether this process ignores a signal. Without Linux's `/proc`, always `false`.
#[cfg(feature = "programs")]
pub(crate) fn ignores_signal(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    ignored & (1 << (signal - 1)) != 0
}

/// Returns the parent of a process. Without Linux's `/proc`, always `None`.
#[cfg(feature = "programs")]
pub(crate) fn parent_of(process: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).ok()?;
    // The program's name is in parentheses and may contain anything.
    let (_, fields) = stat.rsplit_once(')')?;
    Pid::from_raw(fields.split_whitespace().nth(1)?.parse().ok()?)
}

/// Returns where this program finds a directory of a process: `cwd` or `root`. Without Linux's `/proc`, it does not exist.
#[cfg(feature = "programs")]
pub(crate) fn directory_of(process: Pid, link: &str) -> std::path::PathBuf {
    format!("/proc/{}/{link}", process.as_raw_nonzero()).into()
}
