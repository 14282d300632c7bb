//! Mounting and unmounting: from files to a place in the system's tree, and back without a trace.

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
use super::fuse::Adapter;

/// Through what programs and the kernel talk.
const DEVICE: &str = "/dev/fuse";

/// How many requests are worked on at once: so many as a server queues.
const THREADS: usize = 8;

/// How to mount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MountOptions {
    /// Nothing can be set.
    pub read_only: bool,
    /// Other users see it too.
    pub allow_other: bool,
}

/// Why nothing was mounted.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// Nothing there to mount at.
    #[error("there is no directory `{0}` to mount at; make it first")]
    NoDirectory(PathBuf),
    /// Something else there.
    #[error("`{0}` is no directory, so nothing can be mounted there")]
    NotADirectory(PathBuf),
    /// What an earlier program left.
    #[error("`{0}` is still the mount of a program that has ended; `umount {0}` or `fusermount3 -u {0}` removes it")]
    Stale(PathBuf),
    /// It cannot be looked at.
    #[error("cannot mount at `{0}`: {1}")]
    Unreachable(PathBuf, io::Error),
    /// The kernel is without.
    #[error("this system has no file systems in programs ({DEVICE}: {0}); `modprobe fuse`, as root, may bring them")]
    NoDevice(io::Error),
    /// Not for us.
    #[error("may not open {DEVICE}: {0}")]
    DeviceDenied(io::Error),
    /// Root's business, and nobody to do it for us.
    #[error("only root may mount, or everybody through `fusermount3`, which is not installed (Debian: package fuse3)")]
    NoHelper,
    /// Not for other users.
    #[error("others may be let in by root only, or where /etc/fuse.conf says `user_allow_other`")]
    NoOthers,
    /// Anything else.
    #[error("cannot mount at `{0}`: {1}")]
    Refused(PathBuf, String),
}

impl MountError {
    /// Whether it is the mount point that is wrong.
    pub fn is_mountpoint(&self) -> bool {
        matches!(
            self,
            MountError::NoDirectory(_)
                | MountError::NotADirectory(_)
                | MountError::Stale(_)
                | MountError::Unreachable(..)
        )
    }
}

/// A mounted tree.
pub struct Mount {
    place: PathBuf,
    /// The number by which the system knows this file system, wherever it was moved to.
    device: String,
    ended: Sender<UnmountReason>,
    end: Receiver<UnmountReason>,
    /// Never dropped: it would unmount whatever is mounted at our place, though ours may be gone and another be there.
    _session: ManuallyDrop<BackgroundSession>,
}

/// Why a mount is at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnmountReason {
    /// It was unmounted by somebody.
    Unmounted,
    /// It was [asked](Mount::ending) to end, and is to be unmounted.
    Asked,
}

impl std::fmt::Debug for Mount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mount").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Whether a tree can be mounted at `place`, as far as can be told beforehand. Returns the whole path.
pub fn check_mountpoint(place: &Path) -> Result<PathBuf, MountError> {
    let here = || place.to_owned();
    let whole = place.canonicalize().and_then(|whole| {
        let is_directory = whole.metadata()?.is_dir();
        File::open(&whole)?;
        Ok((is_directory, whole))
    });
    match whole {
        Ok((true, whole)) => Ok(whole),
        Ok((false, _)) => Err(MountError::NotADirectory(here())),
        Err(error) if error.raw_os_error() == Some(Errno::NOTCONN.raw_os_error()) => Err(MountError::Stale(here())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(MountError::NoDirectory(here())),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(MountError::NotADirectory(here())),
        Err(error) => Err(MountError::Unreachable(here(), error)),
    }
}

impl Mount {
    /// Mounts the files at `place`, which [`check_mountpoint`] has found good.
    pub fn new(files: QomFs, place: PathBuf, options: MountOptions) -> Result<Mount, MountError> {
        if let Err(error) = File::options().read(true).write(true).open(DEVICE) {
            return Err(match error.kind() {
                io::ErrorKind::PermissionDenied => MountError::DeviceDenied(error),
                _ => MountError::NoDevice(error),
            });
        }
        let (ended, end) = channel();
        let adapter = Adapter { files, user: getuid().as_raw(), group: getgid().as_raw(), ended: ended.clone() };
        let session = Session::new(adapter, &place, &config(options))
            .and_then(Session::spawn)
            .map_err(|error| refused(&place, options, &error))?;
        let mounts = read_mounts();
        // Of several at one place the last is on top.
        let Some(mounted) = mounts.iter().rfind(|mounted| mounted.place == place && mounted.kind.starts_with("fuse"))
        else {
            return Err(MountError::Refused(place, "it is not among the system's mounts".to_owned()));
        };
        let device = mounted.device.clone();
        Ok(Mount { place, device, ended, end, _session: ManuallyDrop::new(session) })
    }

    /// Where it is mounted.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// What asks it to end, from any thread.
    pub fn unmounter(&self) -> impl Fn() + Send + 'static {
        let ended = self.ended.clone();
        // A mount that is no longer waited for has ended.
        move || {
            let _ = ended.send(UnmountReason::Asked);
        }
    }

    /// Waits for its end.
    pub fn wait(&self) -> UnmountReason {
        self.end.recv().expect("a sender, since this holds one")
    }

    /// Unmounts it, wherever it is by now and whoever is in it.
    pub fn unmount(&self) -> Result<Unmounted, io::Error> {
        let mut outcome = Unmounted::Clean;
        for mounted in read_mounts().iter().rev().filter(|mounted| mounted.device == self.device) {
            match unmount(&mounted.place, UnmountFlags::empty()) {
                // It was unmounted by somebody else meanwhile.
                Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
                Err(Errno::BUSY) => {
                    unmount(&mounted.place, UnmountFlags::DETACH)?;
                    outcome = Unmounted::Busy;
                }
                Err(Errno::PERM) => {
                    if !ask_helper(&mounted.place, "-u")? {
                        ask_helper(&mounted.place, "-uz")?;
                        outcome = Unmounted::Busy;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(outcome)
    }
}

/// How an unmounting went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmounted {
    /// Nothing is left.
    Clean,
    /// Programs were in it. It is out of their sight as soon as they let go, and everything they still ask for fails.
    Busy,
}

/// Has `fusermount3` unmount what it has mounted for us; returns whether it did.
fn ask_helper(place: &Path, how: &str) -> Result<bool, io::Error> {
    let ask = |program: &str| {
        Command::new(program).arg(how).arg("--").arg(place).stdin(Stdio::null()).stderr(Stdio::null()).status()
    };
    let status = ask("fusermount3").or_else(|_| ask("fusermount"))?;
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
        // Others may do what the permission bits say.
        config.mount_options.push(MountOption::DefaultPermissions);
    }
    config.n_threads = Some(THREADS);
    config
}

/// What the system's words for a failed mount mean.
fn refused(place: &Path, options: MountOptions, error: &io::Error) -> MountError {
    match error.kind() {
        // The helper's own words are no error of the system's.
        io::ErrorKind::PermissionDenied if options.allow_other && error.raw_os_error().is_none() => {
            MountError::NoOthers
        }
        // The helper could not be started: it is in none of the folders of PATH, or in one that is closed to us.
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => MountError::NoHelper,
        _ => MountError::Refused(place.to_owned(), error.to_string().trim().to_owned()),
    }
}

/// One line of the system's list of mounts.
struct Mounted {
    device: String,
    place: PathBuf,
    kind: String,
}

/// The system's list of mounts, those on top behind those below.
fn read_mounts() -> Vec<Mounted> {
    let list = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    list.split(|byte| *byte == b'\n').filter_map(read_mount).collect()
}

fn read_mount(line: &[u8]) -> Option<Mounted> {
    let text = |field: &[u8]| Some(std::str::from_utf8(field).ok()?.to_owned());
    let mut fields = line.split(|byte| *byte == b' ').skip(2);
    let (device, place) = (text(fields.next()?)?, PathBuf::from(OsString::from_vec(unescape(fields.nth(1)?))));
    let kind = text(fields.skip_while(|field| *field != b"-").nth(1)?)?;
    Some(Mounted { device, place, kind })
}

/// A path as the list of mounts spells it: blanks, line ends and backslashes are `\` and three octal digits.
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
    fn a_line_of_the_list_of_mounts_is_read() {
        let line = br"129 30 0:58 / /mnt/my\040vm rw,nosuid,nodev master:1 - fuse qom rw,user_id=0,group_id=0";
        let mounted = read_mount(line).unwrap();
        assert_eq!((mounted.device.as_str(), mounted.kind.as_str()), ("0:58", "fuse"));
        assert_eq!(mounted.place, PathBuf::from("/mnt/my vm"));
        assert!(read_mount(b"nonsense").is_none());
    }

    #[test]
    fn a_bad_place_is_found_before_anything_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        for (place, sentence) in [
            (folder.path().join("none"), "there is no directory `PLACE` to mount at; make it first"),
            (file.clone(), "`PLACE` is no directory, so nothing can be mounted there"),
            (file.join("below"), "`PLACE` is no directory, so nothing can be mounted there"),
        ] {
            let error = check_mountpoint(&place).unwrap_err();
            assert!(error.is_mountpoint());
            assert_eq!(error.to_string(), sentence.replace("PLACE", place.to_str().unwrap()));
        }
        assert!(check_mountpoint(folder.path()).is_ok());
    }
}
