//! The kernel interface: passes each FUSE request to [`QomFs`] and translates the result.
//!
//! It makes no decisions of its own. It says on whose behalf the thread waits for the server, so that a signal can end the
//! wait, and it tells the kernel to cache nothing, so that the kernel asks again each time.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use fuser::{
    AccessFlags, BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    InitFlags, KernelConfig, LockOwner, OpenAccMode, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::fs::OFlags;

use super::caller;
use super::fs::{Attributes, FileKind, FsError, MAX_FILE_NAME_BYTES, OpenMode, QomFs};

/// The time for which the kernel may cache entries and attributes.
const KERNEL_CACHE_TTL: Duration = Duration::ZERO;

/// The unit of `st_blocks`, which `du` counts in.
const STAT_BLOCK_BYTES: u64 = 512;

/// The preferred size of reads and writes.
const IO_BLOCK_BYTES: u32 = 4096;

pub(super) struct FuseAdapter {
    pub(super) fs: QomFs,
    /// The owner and group of all files.
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Called when the kernel has unmounted the file system.
    pub(super) on_unmount: Box<dyn Fn() + Send + Sync>,
}

impl FuseAdapter {
    fn file_attr(&self, attributes: &Attributes) -> FileAttr {
        let Attributes { inode, kind, size, mode, changed } = *attributes;
        FileAttr {
            ino: INodeNo(inode),
            size,
            blocks: size.div_ceil(STAT_BLOCK_BYTES),
            atime: changed,
            mtime: changed,
            ctime: changed,
            crtime: changed,
            kind: file_type(kind),
            perm: mode,
            // A directory with more links would claim to have `nlink - 2` subdirectories.
            nlink: 1,
            uid: self.uid,
            gid: self.gid,
            rdev: 0,
            blksize: IO_BLOCK_BYTES,
            flags: 0,
        }
    }

    fn reply_attributes(&self, result: Result<Attributes, FsError>, reply: ReplyAttr) {
        match result {
            Ok(attributes) => reply.attr(&KERNEL_CACHE_TTL, &self.file_attr(&attributes)),
            Err(error) => reply.error(error.into()),
        }
    }
}

fn file_type(kind: FileKind) -> FileType {
    match kind {
        FileKind::Directory => FileType::Directory,
        FileKind::File => FileType::RegularFile,
        FileKind::Link => FileType::Symlink,
    }
}

impl From<FsError> for Errno {
    fn from(error: FsError) -> Errno {
        match error {
            FsError::NotFound => Errno::ENOENT,
            FsError::AccessDenied => Errno::EACCES,
            FsError::NotPermitted => Errno::EPERM,
            FsError::InvalidValue => Errno::EINVAL,
            FsError::NoValue => Errno::ENODATA,
            FsError::Disconnected => Errno::EIO,
            FsError::Interrupted => Errno::EINTR,
            FsError::IsDirectory => Errno::EISDIR,
            FsError::NotDirectory => Errno::ENOTDIR,
            FsError::TooLarge => Errno::EFBIG,
            FsError::ReadOnly => Errno::EROFS,
            FsError::BadHandle => Errno::EBADF,
            FsError::NotSupported => Errno::ENOTSUP,
            FsError::Stale => Errno::ESTALE,
        }
    }
}

fn reply_empty(result: Result<(), FsError>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error.into()),
    }
}

impl Filesystem for FuseAdapter {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // Without these, an old kernel truncates with a separate request, and looks up names one at a time.
        for capability in [InitFlags::FUSE_ATOMIC_O_TRUNC, InitFlags::FUSE_PARALLEL_DIROPS] {
            let _ = config.add_capabilities(capability);
        }
        Ok(())
    }

    fn destroy(&mut self) {
        (self.on_unmount)();
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        caller::set(request.pid());
        let result = name.to_str().ok_or(FsError::NotFound).and_then(|name| self.fs.lookup(parent.0, name));
        match result {
            Ok(attributes) => reply.entry(&KERNEL_CACHE_TTL, &self.file_attr(&attributes), Generation(0)),
            Err(error) => reply.error(error.into()),
        }
    }

    fn forget(&self, _: &Request, inode: INodeNo, lookups: u64) {
        self.fs.forget(inode.0, lookups);
    }

    fn getattr(&self, request: &Request, inode: INodeNo, handle: Option<FileHandle>, reply: ReplyAttr) {
        caller::set(request.pid());
        self.reply_attributes(self.fs.attributes(inode.0, handle.map(|handle| handle.0)), reply);
    }

    fn setattr(
        &self,
        request: &Request,
        inode: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        caller::set(request.pid());
        let handle = handle.map(|handle| handle.0);
        let set = || {
            if let Some(size) = size {
                self.fs.truncate(inode.0, handle, size)?;
            }
            let attributes = self.fs.attributes(inode.0, handle)?;
            let changes_owner_or_mode = mode.is_some_and(|mode| mode & 0o7777 != u32::from(attributes.mode))
                || uid.is_some_and(|uid| uid != self.uid)
                || gid.is_some_and(|gid| gid != self.gid);
            // New times are ignored, so that `touch` and `cp -p` succeed.
            if changes_owner_or_mode { Err(FsError::NotPermitted) } else { Ok(attributes) }
        };
        self.reply_attributes(set(), reply);
    }

    fn readlink(&self, request: &Request, inode: INodeNo, reply: ReplyData) {
        caller::set(request.pid());
        match self.fs.read_link(inode.0) {
            Ok(target) => reply.data(target.as_bytes()),
            Err(error) => reply.error(error.into()),
        }
    }

    fn open(&self, request: &Request, inode: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        caller::set(request.pid());
        let (read, write) = match flags.acc_mode() {
            OpenAccMode::O_RDONLY => (true, false),
            OpenAccMode::O_WRONLY => (false, true),
            OpenAccMode::O_RDWR => (true, true),
        };
        let flags = OFlags::from_bits_retain(flags.0.cast_unsigned());
        let (append, truncate) = (flags.contains(OFlags::APPEND), flags.contains(OFlags::TRUNC));
        match self.fs.open(inode.0, OpenMode { read, write, append, truncate }) {
            // With direct I/O the kernel passes on each read, and does not shorten it to a size that it has cached.
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::FOPEN_DIRECT_IO),
            Err(error) => reply.error(error.into()),
        }
    }

    fn read(
        &self,
        request: &Request,
        _inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        caller::set(request.pid());
        match self.fs.read(handle.0, offset, size as usize) {
            Ok(data) => reply.data(&data),
            Err(error) => reply.error(error.into()),
        }
    }

    fn write(
        &self,
        request: &Request,
        _inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        caller::set(request.pid());
        match self.fs.write(handle.0, offset, data) {
            Ok(()) => reply.written(u32::try_from(data.len()).expect("a FUSE write is smaller than 4 GiB")),
            Err(error) => reply.error(error.into()),
        }
    }

    fn flush(&self, request: &Request, _inode: INodeNo, handle: FileHandle, _owner: LockOwner, reply: ReplyEmpty) {
        caller::set(request.pid());
        reply_empty(self.fs.flush(handle.0), reply);
    }

    fn fsync(&self, request: &Request, _inode: INodeNo, handle: FileHandle, _data: bool, reply: ReplyEmpty) {
        caller::set(request.pid());
        reply_empty(self.fs.flush(handle.0), reply);
    }

    fn release(
        &self,
        request: &Request,
        _inode: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        caller::set(request.pid());
        reply_empty(self.fs.release(handle.0), reply);
    }

    fn opendir(&self, request: &Request, inode: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        caller::set(request.pid());
        match self.fs.open_directory(inode.0) {
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
            Err(error) => reply.error(error.into()),
        }
    }

    fn readdir(&self, _: &Request, _inode: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let entries = match self.fs.read_directory(handle.0) {
            Ok(entries) => entries,
            Err(error) => return reply.error(error.into()),
        };
        for (entry, next_offset) in entries.iter().zip(1..).skip(usize::try_from(offset).unwrap_or(usize::MAX)) {
            if reply.add(INodeNo(entry.inode), next_offset, file_type(entry.kind), &entry.file_name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(&self, _: &Request, _inode: INodeNo, handle: FileHandle, _flags: OpenFlags, reply: ReplyEmpty) {
        self.fs.release_directory(handle.0);
        reply.ok();
    }

    fn access(&self, request: &Request, inode: INodeNo, mask: AccessFlags, reply: ReplyEmpty) {
        caller::set(request.pid());
        let [read, write, execute] =
            [AccessFlags::R_OK, AccessFlags::W_OK, AccessFlags::X_OK].map(|flag| mask.contains(flag));
        reply_empty(self.fs.access(inode.0, read, write, execute), reply);
    }

    fn statfs(&self, _: &Request, _inode: INodeNo, reply: ReplyStatfs) {
        reply.statfs(0, 0, 0, 0, 0, IO_BLOCK_BYTES, MAX_FILE_NAME_BYTES as u32, IO_BLOCK_BYTES);
    }

    // Objects are created and deleted with QMP commands (`object-add`, `device_del`), not as files.

    fn create(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, _: i32, reply: ReplyCreate) {
        reply.error(Errno::EPERM);
    }

    fn mknod(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, _: u32, reply: ReplyEntry) {
        reply.error(Errno::EPERM);
    }

    fn mkdir(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        reply.error(Errno::EPERM);
    }

    fn unlink(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EPERM);
    }

    fn rmdir(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EPERM);
    }

    fn symlink(&self, _: &Request, _: INodeNo, _: &OsStr, _: &Path, reply: ReplyEntry) {
        reply.error(Errno::EPERM);
    }

    fn rename(&self, _: &Request, _: INodeNo, _: &OsStr, _: INodeNo, _: &OsStr, _: RenameFlags, reply: ReplyEmpty) {
        reply.error(Errno::EPERM);
    }

    fn link(&self, _: &Request, _: INodeNo, _: INodeNo, _: &OsStr, reply: ReplyEntry) {
        reply.error(Errno::EPERM);
    }
}
