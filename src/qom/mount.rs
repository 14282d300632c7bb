//! Mounting and unmounting: attaches the file system to a directory, and removes it without a trace.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use fuser::{BackgroundSession, Config, MountOption, Session, SessionACL};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{getgid, getuid};

use super::fs::QomFs;
use super::fuse::FuseAdapter;

const FUSE_DEVICE: &str = "/dev/fuse";

/// The maximum number of requests that are served at a time: as many as QEMU queues for one connection.
const MAX_CONCURRENT_REQUESTS: usize = 8;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MountOptions {
    pub read_only: bool,
    /// Whether other users may access the files.
    pub allow_other: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum MountError {
    #[error("directory `{0}` does not exist; create it first")]
    NoDirectory(PathBuf),
    #[error("`{0}` is not a directory")]
    NotADirectory(PathBuf),
    #[error(
        "`{0}` is still mounted by a program that has exited; unmount it with `umount {0}` or `fusermount3 -u {0}`"
    )]
    Stale(PathBuf),
    /// The mount point cannot be accessed.
    #[error("cannot mount at `{0}`: {1}")]
    Inaccessible(PathBuf, io::Error),
    #[error("no FUSE support on this system ({FUSE_DEVICE}: {0}); try `modprobe fuse` as root")]
    NoFuse(io::Error),
    #[error("not allowed to open {FUSE_DEVICE}: {0}")]
    DeviceDenied(io::Error),
    #[error("mounting needs root or `fusermount3`, which is not installed (Debian: package fuse3)")]
    NoHelper,
    #[error("access for other users needs root, or `user_allow_other` in /etc/fuse.conf")]
    AllowOtherDenied,
    /// Mounting failed for another reason.
    #[error("cannot mount at `{0}`: {1}")]
    Failed(PathBuf, String),
}

impl MountError {
    /// Returns whether the mount point is unsuitable, as opposed to the system.
    pub fn is_unsuitable_mountpoint(&self) -> bool {
        matches!(
            self,
            MountError::NoDirectory(_)
                | MountError::NotADirectory(_)
                | MountError::Stale(_)
                | MountError::Inaccessible(..)
        )
    }
}

/// A mounted tree.
pub struct Mount {
    mountpoint: PathBuf,
    /// The device number of the file system, which identifies it even after it was moved.
    device: String,
    reason_tx: Sender<UnmountReason>,
    reason_rx: Receiver<UnmountReason>,
    /// Never dropped: dropping it unmounts whatever is at the mount point, which may be another file system by then.
    _session: ManuallyDrop<BackgroundSession>,
}

/// The reason why [`Mount::wait`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnmountReason {
    /// The file system was unmounted from outside.
    Unmounted,
    /// The function from [`Mount::unmounter`] was called; the file system is still mounted.
    Requested,
}

/// The result of [`Mount::unmount`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnmountOutcome {
    Clean,
    /// Programs were using it. It is detached, and disappears when they stop; until then their requests fail.
    Busy,
}

impl std::fmt::Debug for Mount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mount").field("mountpoint", &self.mountpoint).finish_non_exhaustive()
    }
}

/// Checks whether a tree can be mounted at `mountpoint`, as far as this is possible without mounting it. Returns the
/// absolute path.
pub fn check_mountpoint(mountpoint: &Path) -> Result<PathBuf, MountError> {
    let given = || mountpoint.to_owned();
    let absolute = mountpoint.canonicalize().and_then(|absolute| {
        let is_directory = absolute.metadata()?.is_dir();
        File::open(&absolute)?;
        Ok((is_directory, absolute))
    });
    match absolute {
        Ok((true, absolute)) => Ok(absolute),
        Ok((false, _)) => Err(MountError::NotADirectory(given())),
        Err(error) if error.raw_os_error() == Some(Errno::NOTCONN.raw_os_error()) => Err(MountError::Stale(given())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(MountError::NoDirectory(given())),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(MountError::NotADirectory(given())),
        Err(error) => Err(MountError::Inaccessible(given(), error)),
    }
}

impl Mount {
    /// Mounts the file system at a path that [`check_mountpoint`] returned.
    pub fn new(fs: QomFs, mountpoint: PathBuf, options: MountOptions) -> Result<Mount, MountError> {
        if let Err(error) = File::options().read(true).write(true).open(FUSE_DEVICE) {
            return Err(match error.kind() {
                io::ErrorKind::PermissionDenied => MountError::DeviceDenied(error),
                _ => MountError::NoFuse(error),
            });
        }
        let (reason_tx, reason_rx) = channel();
        let on_unmount = {
            let reason_tx = reason_tx.clone();
            // The send fails once the mount is no longer waited for.
            Box::new(move || _ = reason_tx.send(UnmountReason::Unmounted))
        };
        let adapter = FuseAdapter { fs, uid: getuid().as_raw(), gid: getgid().as_raw(), on_unmount };
        let session = Session::new(adapter, &mountpoint, &config(options))
            .and_then(Session::spawn)
            .map_err(|error| mount_error(&mountpoint, options, &error))?;
        // If several file systems are mounted at one place, the last one is on top.
        let entry = read_mount_table()
            .into_iter()
            .rfind(|entry| entry.mountpoint == mountpoint && entry.fs_type.starts_with("fuse"));
        let Some(MountTableEntry { device, .. }) = entry else {
            return Err(MountError::Failed(mountpoint, "it is missing from /proc/self/mountinfo".to_owned()));
        };
        Ok(Mount { mountpoint, device, reason_tx, reason_rx, _session: ManuallyDrop::new(session) })
    }

    pub fn mountpoint(&self) -> &Path {
        &self.mountpoint
    }

    /// Returns a function that makes [`Mount::wait`] return [`UnmountReason::Requested`]. It can be called in any thread.
    pub fn unmounter(&self) -> impl Fn() + Send + 'static {
        let reason_tx = self.reason_tx.clone();
        // The send fails once the mount is gone.
        move || _ = reason_tx.send(UnmountReason::Requested)
    }

    /// Waits until the file system is unmounted, or unmounting is requested.
    pub fn wait(&self) -> UnmountReason {
        self.reason_rx.recv().expect("`self` holds a sender")
    }

    /// Unmounts the file system, even if it was moved or is in use.
    pub fn unmount(&self) -> Result<UnmountOutcome, io::Error> {
        let mut outcome = UnmountOutcome::Clean;
        for entry in read_mount_table().iter().rev().filter(|entry| entry.device == self.device) {
            match unmount(&entry.mountpoint, UnmountFlags::empty()) {
                // INVAL and NOENT: another program has unmounted it in the meantime.
                Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
                Err(Errno::BUSY) => {
                    unmount(&entry.mountpoint, UnmountFlags::DETACH)?;
                    outcome = UnmountOutcome::Busy;
                }
                Err(Errno::PERM) => {
                    if !run_fusermount(&entry.mountpoint, "-u")? {
                        run_fusermount(&entry.mountpoint, "-uz")?;
                        outcome = UnmountOutcome::Busy;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(outcome)
    }
}

/// Unmounts with `fusermount3`, or with the `fusermount` of older systems. Returns whether it succeeded.
fn run_fusermount(mountpoint: &Path, flag: &str) -> Result<bool, io::Error> {
    let run = |program: &str| {
        Command::new(program).arg(flag).arg("--").arg(mountpoint).stdin(Stdio::null()).stderr(Stdio::null()).status()
    };
    let status = run("fusermount3").or_else(|_| run("fusermount"))?;
    Ok(status.success())
}

fn config(options: MountOptions) -> Config {
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName("qom".to_owned()), MountOption::NoExec];
    if options.read_only {
        config.mount_options.push(MountOption::RO);
    }
    if options.allow_other {
        config.acl = SessionACL::All;
        // The kernel checks the permission bits for other users.
        config.mount_options.push(MountOption::DefaultPermissions);
    }
    config.n_threads = Some(MAX_CONCURRENT_REQUESTS);
    config
}

/// Returns the reason why mounting failed.
fn mount_error(mountpoint: &Path, options: MountOptions, error: &io::Error) -> MountError {
    match error.kind() {
        // An error without errno comes from `fusermount3`.
        io::ErrorKind::PermissionDenied if options.allow_other && error.raw_os_error().is_none() => {
            MountError::AllowOtherDenied
        }
        // `fusermount3` could not be started: it is not in `PATH`, or in a directory that is not accessible.
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => MountError::NoHelper,
        _ => MountError::Failed(mountpoint.to_owned(), error.to_string().trim().to_owned()),
    }
}

/// One line of `/proc/self/mountinfo`.
struct MountTableEntry {
    device: String,
    mountpoint: PathBuf,
    fs_type: String,
}

/// Reads `/proc/self/mountinfo`, in which a mount comes after those below it.
fn read_mount_table() -> Vec<MountTableEntry> {
    let table = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    table.split(|byte| *byte == b'\n').filter_map(parse_mount_table_line).collect()
}

fn parse_mount_table_line(line: &[u8]) -> Option<MountTableEntry> {
    let text = |field: &[u8]| Some(std::str::from_utf8(field).ok()?.to_owned());
    let mut fields = line.split(|byte| *byte == b' ').skip(2);
    let device = text(fields.next()?)?;
    let mountpoint = PathBuf::from(OsString::from_vec(unescape(fields.nth(1)?)));
    let fs_type = text(fields.skip_while(|field| *field != b"-").nth(1)?)?;
    Some(MountTableEntry { device, mountpoint, fs_type })
}

/// Decodes a path of the mount table, where spaces, newlines and backslashes are written as `\` and three octal digits.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut parts = text.split(|byte| *byte == b'\\');
    let mut out = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        let digits = part.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                out.extend_from_slice(&part[3..]);
            }
            None => {
                out.push(b'\\');
                out.extend_from_slice(part);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_mount_table_line() {
        let line = br"129 30 0:58 / /mnt/my\040vm rw,nosuid,nodev master:1 - fuse qom rw,user_id=0,group_id=0";
        let entry = parse_mount_table_line(line).unwrap();
        assert_eq!((entry.device.as_str(), entry.fs_type.as_str()), ("0:58", "fuse"));
        assert_eq!(entry.mountpoint, PathBuf::from("/mnt/my vm"));
        assert!(parse_mount_table_line(b"nonsense").is_none());
    }

    #[test]
    fn rejects_unsuitable_mount_points() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        for (mountpoint, message) in [
            (folder.path().join("none"), "directory `MOUNTPOINT` does not exist; create it first"),
            (file.clone(), "`MOUNTPOINT` is not a directory"),
            (file.join("below"), "`MOUNTPOINT` is not a directory"),
        ] {
            let error = check_mountpoint(&mountpoint).unwrap_err();
            assert!(error.is_unsuitable_mountpoint());
            assert_eq!(error.to_string(), message.replace("MOUNTPOINT", mountpoint.to_str().unwrap()));
        }
        assert!(check_mountpoint(folder.path()).is_ok());
    }
}
