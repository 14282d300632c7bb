//! Connecting to a VM of libvirt through its `virt-qemu-qmp-proxy`.
//!
//! The proxy listens on a socket in a private directory. It leads to one client, and reads a request only after it has
//! answered the one before.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::connect::{Connected, find_program};
use super::error::ConnectError;
use super::opening::{Awaited, Opening};
use super::options::from_now;
use super::remote_address::LibvirtAddress;
use super::server_process::{ProcessMessages, Stream, Supervised, start_supervised};
use super::ssh::MAX_LOGIN_TIME;

const PROXY: &str = "virt-qemu-qmp-proxy";

/// The time limit for each step, in multiples of [`Options::timeout`](super::options::Options::timeout): libvirt's daemon
/// examines a QEMU binary that it does not know before it answers, for seconds.
const TIMEOUT_FACTOR: u32 = 6;

/// The time between two looks whether the proxy listens.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// The length of a directory in which the path of a socket fits an address of the system: 104 bytes on macOS and the BSDs.
const MAX_DIRECTORY_BYTES: usize = 60;

/// Starts the proxy and connects to it.
pub(super) fn connect_libvirt(opening: &mut Opening<'_>, address: &LibvirtAddress) -> Result<Connected, ConnectError> {
    let failed =
        |reason: String| ConnectError::Gateway { address: opening.address.clone(), reason, is_transient: false };
    let Some(proxy) = find_program(PROXY) else {
        let reason = format!("libvirt's `{PROXY}` is not installed (Debian: package libvirt-clients-qemu)");
        return Err(failed(reason));
    };
    let io_failed = |error: io::Error| failed(format!("cannot start `{PROXY}`: {error}"));
    let directory = make_private_directory().map_err(io_failed)?;
    let socket = directory.join("qmp.sock");
    let started = start_supervised(Stream::In(&directory), |command| {
        // The proxy is a script for the Python of the system, not for another one that comes first in PATH.
        command.env("PATH", path_beginning_with(proxy.parent())).env("LC_ALL", "C");
        command.arg(&proxy);
        if let Some(uri) = address.uri() {
            command.arg(format!("--connect={uri}"));
        }
        command.args(["--", address.domain()]).arg(&socket);
    });
    let Supervised { process, messages } = started.map_err(|error| {
        let _ = std::fs::remove_dir_all(&directory);
        io_failed(error)
    })?;
    let stream = wait_for_proxy(opening, &socket, &messages, address)?;
    if !opening.options.taint_is_known.swap(true, Ordering::SeqCst) {
        let domain = address.domain();
        opening.tell(&format!("libvirt marks `{domain}` as tainted, because it does not see what commands change."));
    }
    let connected = Connected::from(OwnedFd::from(stream));
    Ok(Connected {
        process: Some(process),
        messages: Some(messages),
        takes_one_request: true,
        timeout_factor: TIMEOUT_FACTOR,
        ..connected
    })
}

/// Connects to the proxy as soon as it listens.
fn wait_for_proxy(
    opening: &mut Opening<'_>,
    socket: &Path,
    messages: &ProcessMessages,
    address: &LibvirtAddress,
) -> Result<UnixStream, ConnectError> {
    let default_uri = std::env::var("LIBVIRT_DEFAULT_URI").unwrap_or_default();
    // `ssh` may ask for a password.
    let may_ask = address.uri().unwrap_or(&default_uri).contains("ssh");
    let limit = if may_ask { MAX_LOGIN_TIME } else { opening.options.timeout.saturating_mul(TIMEOUT_FACTOR) };
    opening.wait_for(if may_ask { Awaited::Login } else { Awaited::Connection });
    let until = from_now(limit);
    loop {
        opening.poll()?;
        if let Ok(stream) = UnixStream::connect(socket) {
            opening.wait_for(Awaited::Connection);
            return Ok(stream);
        }
        if messages.have_ended() {
            let (reason, is_transient) = explain(messages.last().as_deref(), address);
            return Err(ConnectError::Gateway { address: opening.address.clone(), reason, is_transient });
        }
        if Instant::now() >= until {
            return Err(ConnectError::Timeout { address: opening.address.clone(), seconds: limit.as_secs_f64() });
        }
        std::thread::sleep(RETRY_INTERVAL);
    }
}

/// Returns a reason for the proxy's last message, and whether another attempt may succeed.
fn explain(message: Option<&str>, address: &LibvirtAddress) -> (String, bool) {
    let domain = address.domain();
    let Some(message) = message else { return (format!("`{PROXY}` has exited without a message"), false) };
    let message = message.split_once(&format!("{PROXY}: ")).map_or(message, |(_, message)| message);
    let has = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    if has(&["Domain not found", "no domain with matching"]) {
        (format!("libvirt has no domain `{domain}`; `virsh list --all` shows those that it has"), true)
    } else if has(&["must be running", "domain is not running"]) {
        (format!("the domain `{domain}` is not running; `virsh start` starts it"), true)
    } else if has(&["No module named 'libvirt"]) {
        (format!("`{PROXY}` needs libvirt's Python module (Debian: package python3-libvirt)"), false)
    } else if has(&["Permission denied", "authentication unavailable", "authentication failed", "access denied"]) {
        (format!("no permission to use libvirt: {message}"), false)
    } else if has(&["Failed to connect socket"]) {
        (format!("libvirt's daemon is not running: {message}"), true)
    } else {
        (message.to_owned(), false)
    }
}

/// Returns `PATH` with `folder` before all others.
fn path_beginning_with(folder: Option<&Path>) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = folder.map(Path::to_owned).into_iter().chain(std::env::split_paths(&path));
    std::env::join_paths(folders).unwrap_or(path)
}

/// Creates a directory that only this user can open, with a short path.
fn make_private_directory() -> io::Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty()).map(PathBuf::from);
    let mut last_error = io::Error::other("no directory for temporary files");
    for parent in runtime.into_iter().chain([std::env::temp_dir(), PathBuf::from("/tmp")]) {
        if !parent.is_absolute() || parent.as_os_str().as_bytes().len() > MAX_DIRECTORY_BYTES {
            continue;
        }
        // A name that is taken is left over, or someone else's.
        for _ in 0..100 {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("qmp-shell-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last_error = error,
                Err(error) => {
                    last_error = error;
                    break;
                }
            }
        }
    }
    Err(last_error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn explains_the_messages_of_the_proxy() {
        let address: LibvirtAddress = "vm".parse().unwrap();
        for (message, expected) in [
            ("/usr/bin/virt-qemu-qmp-proxy: Domain must be running to use QMP", "the domain `vm` is not running"),
            ("virt-qemu-qmp-proxy: QMP proxy requires a QEMU driver connection not TEST", "QMP proxy requires"),
            ("ModuleNotFoundError: No module named 'libvirt'", "`virt-qemu-qmp-proxy` needs libvirt's Python module"),
            ("x: Failed to connect socket to '/s': Permission denied", "no permission to use libvirt: x: Failed"),
            ("x: Failed to connect socket to '/s': No such file or directory", "libvirt's daemon is not running"),
        ] {
            let (reason, _) = explain(Some(message), &address);
            assert!(reason.starts_with(expected), "{reason}");
        }
    }

    #[test]
    fn the_directory_is_private() {
        let directory = make_private_directory().unwrap();
        assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::remove_dir(&directory).unwrap();
    }
}
