//! The processes of this machine, in `/proc`. A process may end at any time; then it is left out.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::command_line::is_server;
use super::socket_tables::{TcpSocket, UnixSocket, parse_tcp_sockets, parse_unix_sockets};

/// The number of bytes of a command line that are read. That of a large VM of libvirt has some 20 KiB.
const MAX_COMMAND_LINE_BYTES: u64 = 1 << 20;

/// The number of bytes of another file of `/proc`, or of a configuration file, that are read.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// A running QEMU or storage daemon.
pub(super) struct Process {
    pub(super) id: u32,
    pub(super) command_line: Vec<u8>,
    folder: PathBuf,
    /// The inodes of its sockets. `None` if the kernel does not show them to this user.
    inodes: Option<HashSet<u64>>,
}

/// Returns the running servers, by process id.
pub(super) fn server_processes() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut ids: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    ids.sort_unstable();
    ids.into_iter().filter_map(Process::read).collect()
}

impl Process {
    /// Reads a process, if it is a server.
    fn read(id: u32) -> Option<Process> {
        let folder = PathBuf::from(format!("/proc/{id}"));
        let command_line = read_limited(&folder.join("cmdline"), MAX_COMMAND_LINE_BYTES)?;
        let program = command_line.split(|byte| *byte == 0).next().unwrap_or_default();
        let is_known = is_server(program)
            || std::fs::read_link(folder.join("exe")).is_ok_and(|exe| is_server(exe.as_os_str().as_bytes()));
        if command_line.is_empty() || !is_known {
            return None;
        }
        let mut process = Process { id, command_line, folder, inodes: None };
        process.inodes = process.socket_inodes();
        Some(process)
    }

    fn socket_inodes(&self) -> Option<HashSet<u64>> {
        let entries = std::fs::read_dir(self.folder.join("fd")).ok()?.flatten();
        Some(entries.filter_map(|entry| inode_of_link(&std::fs::read_link(entry.path()).ok()?)).collect())
    }

    /// Returns the inode of the socket at a descriptor.
    pub(super) fn socket_at(&self, fd: RawFd) -> Option<u64> {
        inode_of_link(&std::fs::read_link(self.folder.join(format!("fd/{fd}"))).ok()?)
    }

    /// Returns whether a socket is the process's own. If its sockets cannot be seen, any socket may be.
    pub(super) fn may_have(&self, inode: u64) -> bool {
        self.inodes.as_ref().is_none_or(|inodes| inodes.contains(&inode))
    }

    /// Returns the Unix sockets of its network namespace.
    pub(super) fn unix_sockets(&self) -> Vec<UnixSocket> {
        parse_unix_sockets(&read_limited(&self.folder.join("net/unix"), MAX_FILE_BYTES).unwrap_or_default())
    }

    /// Returns the TCP sockets of its network namespace.
    pub(super) fn tcp_sockets(&self) -> Vec<TcpSocket> {
        let tables = ["net/tcp", "net/tcp6"].map(|name| read_limited(&self.folder.join(name), MAX_FILE_BYTES));
        tables.into_iter().flatten().flat_map(|table| parse_tcp_sockets(&table)).collect()
    }

    /// Reads a file that the command line names.
    pub(super) fn read_file(&self, path: &[u8]) -> Option<Vec<u8>> {
        let path = self.locate(path, Path::is_file);
        // Reading a pipe would wait for its writer.
        if path.is_file() { read_limited(&path, MAX_FILE_BYTES) } else { None }
    }

    /// Returns the path of a socket for this process.
    pub(super) fn locate_socket(&self, path: &[u8]) -> PathBuf {
        self.locate(path, |path| path.metadata().is_ok_and(|meta| meta.file_type().is_socket()))
    }

    /// Returns the path of a file that the command line names, for this process. `exists` tells whether there is one. A
    /// container's files are below the root of its processes.
    fn locate(&self, path: &[u8], exists: impl Fn(&Path) -> bool) -> PathBuf {
        let path = Path::new(OsStr::from_bytes(path));
        let absolute = match path.is_absolute() {
            true => path.to_owned(),
            false => {
                let cwd = std::fs::read_link(self.folder.join("cwd")).unwrap_or_default().join(path);
                // With `-daemonize`, QEMU has left the directory in which it was started.
                match self.starting_directory() {
                    Some(started) if !exists(&self.inside(&cwd)) && !exists(&cwd) => started.join(path),
                    _ => cwd,
                }
            }
        };
        let inside = self.inside(&absolute);
        let id = |path: &Path| path.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
        match exists(&inside) && id(&inside) != id(&absolute) {
            true => inside,
            false => absolute,
        }
    }

    /// Returns an absolute path as seen from this process, through the process's root directory.
    fn inside(&self, path: &Path) -> PathBuf {
        self.folder.join("root").join(path.strip_prefix("/").unwrap_or(path))
    }

    fn starting_directory(&self) -> Option<PathBuf> {
        let environment = read_limited(&self.folder.join("environ"), MAX_COMMAND_LINE_BYTES)?;
        let mut variables = environment.split(|byte| *byte == 0);
        let pwd = variables.find_map(|variable| variable.strip_prefix(b"PWD="))?;
        Some(PathBuf::from(std::ffi::OsString::from_vec(pwd.to_vec()))).filter(|path| path.is_absolute())
    }
}

/// Returns the inode in `socket:[INODE]`.
fn inode_of_link(link: &Path) -> Option<u64> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// Reads the beginning of a file. `None` if it cannot be read. A pipe in its place is empty, even without a writer.
fn read_limited(path: &Path, max_bytes: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).ok()?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    file.take(max_bytes).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
