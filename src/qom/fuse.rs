//! The kernel's side of the files: each of its requests handed to [`QomFs`], and the answer in its words.
//!
//! Nothing is decided here. The kernel is told to remember nothing: what it asks for twice it is told anew.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::time::{Duration, SystemTime};

use fuser::{
    AccessFlags, BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    InitFlags, KernelConfig, LockOwner, OpenAccMode, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::fs::OFlags;

use super::fs::{Access, Attributes, Form, FsError, QomFs};
use super::mount::UnmountReason;

/// How long the kernel may take an answer for true.
const NOW: Duration = Duration::ZERO;

/// The length of a block in which `du` counts.
const BLOCK: u64 = 512;

/// Files for the kernel.
pub(super) struct Adapter {
    pub(super) files: QomFs,
    /// Whose the files are.
    pub(super) user: u32,
    pub(super) group: u32,
    /// Is told when the kernel has done with us.
    pub(super) ended: Sender<UnmountReason>,
}

impl Adapter {
    fn attributes(&self, attributes: &Attributes) -> FileAttr {
        let Attributes { inode, form, size, mode, changed } = *attributes;
        FileAttr {
            ino: INodeNo(inode),
            size,
            blocks: size.div_ceil(BLOCK),
            atime: changed,
            mtime: changed,
            ctime: changed,
            crtime: changed,
            kind: file_type(form),
            perm: mode,
            // No count of subdirectories, which is what 2 and more would mean.
            nlink: 1,
            uid: self.user,
            gid: self.group,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }

    fn reply_attributes(&self, outcome: Result<Attributes, FsError>, reply: ReplyAttr) {
        match outcome {
            Ok(attributes) => reply.attr(&NOW, &self.attributes(&attributes)),
            Err(fault) => reply.error(errno(fault)),
        }
    }
}

fn file_type(form: Form) -> FileType {
    match form {
        Form::Directory => FileType::Directory,
        Form::File => FileType::RegularFile,
        Form::Link => FileType::Symlink,
    }
}

fn errno(error: FsError) -> Errno {
    match error {
        FsError::NotFound => Errno::ENOENT,
        FsError::Denied => Errno::EACCES,
        FsError::NotPermitted => Errno::EPERM,
        FsError::Invalid => Errno::EINVAL,
        FsError::NoValue => Errno::ENODATA,
        FsError::Disconnected => Errno::EIO,
        FsError::IsDirectory => Errno::EISDIR,
        FsError::NotDirectory => Errno::ENOTDIR,
        FsError::TooBig => Errno::EFBIG,
        FsError::ReadOnly => Errno::EROFS,
        FsError::BadHandle => Errno::EBADF,
        FsError::NotSupported => Errno::ENOTSUP,
        FsError::Stale => Errno::ESTALE,
    }
}

fn reply_empty(outcome: Result<(), FsError>, reply: ReplyEmpty) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(fault) => reply.error(errno(fault)),
    }
}

impl Filesystem for Adapter {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // An old kernel goes without: it says in two requests what it could say in one, and waits between them.
        for wish in [InitFlags::FUSE_ATOMIC_O_TRUNC, InitFlags::FUSE_PARALLEL_DIROPS] {
            let _ = config.add_capabilities(wish);
        }
        Ok(())
    }

    fn destroy(&mut self) {
        // Who has stopped waiting for it knows already.
        let _ = self.ended.send(UnmountReason::Unmounted);
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = name.to_str().ok_or(FsError::NotFound).and_then(|name| self.files.lookup(parent.0, name));
        match found {
            Ok(attributes) => reply.entry(&NOW, &self.attributes(&attributes), Generation(0)),
            Err(fault) => reply.error(errno(fault)),
        }
    }

    fn forget(&self, _: &Request, inode: INodeNo, times: u64) {
        self.files.forget(inode.0, times);
    }

    fn getattr(&self, _: &Request, inode: INodeNo, handle: Option<FileHandle>, reply: ReplyAttr) {
        self.reply_attributes(self.files.attributes(inode.0, handle.map(|handle| handle.0)), reply);
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        mode: Option<u32>,
        user: Option<u32>,
        group: Option<u32>,
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
        let handle = handle.map(|handle| handle.0);
        let set = || {
            if let Some(size) = size {
                self.files.truncate(inode.0, handle, size)?;
            }
            let now = self.files.attributes(inode.0, handle)?;
            let differs = mode.is_some_and(|mode| mode & 0o7777 != u32::from(now.mode))
                || user.is_some_and(|user| user != self.user)
                || group.is_some_and(|group| group != self.group);
            // Times are taken and forgotten: `touch` does no harm.
            if differs { Err(FsError::NotPermitted) } else { Ok(now) }
        };
        self.reply_attributes(set(), reply);
    }

    fn readlink(&self, _: &Request, inode: INodeNo, reply: ReplyData) {
        match self.files.read_link(inode.0) {
            Ok(way) => reply.data(way.as_bytes()),
            Err(fault) => reply.error(errno(fault)),
        }
    }

    fn open(&self, _: &Request, inode: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let (read, write) = match flags.acc_mode() {
            OpenAccMode::O_RDONLY => (true, false),
            OpenAccMode::O_WRONLY => (false, true),
            OpenAccMode::O_RDWR => (true, true),
        };
        let more = OFlags::from_bits_retain(flags.0.cast_unsigned());
        let access =
            Access { read, write, append: more.contains(OFlags::APPEND), truncate: more.contains(OFlags::TRUNC) };
        match self.files.open(inode.0, access) {
            // Each read comes to us, and ends where we say it does, whatever size was told before.
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::FOPEN_DIRECT_IO),
            Err(fault) => reply.error(errno(fault)),
        }
    }

    fn read(
        &self,
        _: &Request,
        _inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.files.read(handle.0, offset, size as usize) {
            Ok(data) => reply.data(&data),
            Err(fault) => reply.error(errno(fault)),
        }
    }

    fn write(
        &self,
        _: &Request,
        _inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        _how: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.files.write(handle.0, offset, data) {
            Ok(()) => reply.written(u32::try_from(data.len()).expect("a write that came in one message")),
            Err(fault) => reply.error(errno(fault)),
        }
    }

    fn flush(&self, _: &Request, _inode: INodeNo, handle: FileHandle, _owner: LockOwner, reply: ReplyEmpty) {
        reply_empty(self.files.flush(handle.0), reply);
    }

    fn fsync(&self, _: &Request, _inode: INodeNo, handle: FileHandle, _data: bool, reply: ReplyEmpty) {
        reply_empty(self.files.flush(handle.0), reply);
    }

    fn release(
        &self,
        _: &Request,
        _inode: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        reply_empty(self.files.finish(handle.0), reply);
    }

    fn opendir(&self, _: &Request, inode: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.files.open_directory(inode.0) {
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
            Err(fault) => reply.error(errno(fault)),
        }
    }

    fn readdir(&self, _: &Request, _inode: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let entries = match self.files.entries(handle.0) {
            Ok(entries) => entries,
            Err(fault) => return reply.error(errno(fault)),
        };
        for (entry, place) in entries.iter().zip(1..).skip(usize::try_from(offset).unwrap_or(usize::MAX)) {
            if reply.add(INodeNo(entry.inode), place, file_type(entry.form), &entry.name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(&self, _: &Request, _inode: INodeNo, handle: FileHandle, _flags: OpenFlags, reply: ReplyEmpty) {
        self.files.close_directory(handle.0);
        reply.ok();
    }

    fn access(&self, _: &Request, inode: INodeNo, mask: AccessFlags, reply: ReplyEmpty) {
        let [read, write, execute] =
            [AccessFlags::R_OK, AccessFlags::W_OK, AccessFlags::X_OK].map(|flag| mask.contains(flag));
        reply_empty(self.files.access(inode.0, read, write, execute), reply);
    }

    fn statfs(&self, _: &Request, _inode: INodeNo, reply: ReplyStatfs) {
        const NAME: u32 = 255;
        reply.statfs(0, 0, 0, 0, 0, 4096, NAME, 4096);
    }

    // Objects are made and removed by commands of the server's. Files cannot do it.

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
