//! The file system: one method for each operation that the kernel asks for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::content;
use super::error::{FsError, Operation};
use super::file_names::{relative_path, stable_hash};
use super::inodes::{Attributes, FileKind, FsNode, InodeTable, NamedProperty, ValueInfo};
use super::open_file::{OpenFile, OpenMode};
use super::source::ObjectSource;
use crate::qom::error::QomError;
use crate::qom::path::split_last;
use crate::qom::property::Property;
use crate::wire::is_secret_property;

/// A function that is called with messages for the user who mounted the file system. They say more than the errno
/// value, which is all that the failing program gets.
pub type ReportProblem = Box<dyn Fn(&str) + Send + Sync>;

/// An object tree as files.
pub struct QomFs {
    source: Box<dyn ObjectSource>,
    report: ReportProblem,
    read_only: bool,
    inodes: Mutex<InodeTable>,
    open: Mutex<OpenHandles>,
}

/// Open files and directories by handle.
#[derive(Default)]
struct OpenHandles {
    last_handle: u64,
    files: HashMap<u64, Arc<Mutex<OpenFile>>>,
    directories: HashMap<u64, Arc<[DirectoryEntry]>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    pub inode: u64,
    pub kind: FileKind,
    pub file_name: String,
}

impl std::fmt::Debug for QomFs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QomFs").field("read_only", &self.read_only).finish_non_exhaustive()
    }
}

/// Locks a mutex, poisoned or not: each change of the data is a single step, so a panic leaves it consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OpenHandles {
    fn next_handle(&mut self) -> u64 {
        self.last_handle += 1;
        self.last_handle
    }
}

impl QomFs {
    pub fn new(source: Box<dyn ObjectSource>, read_only: bool, report: ReportProblem) -> QomFs {
        QomFs { source, report, read_only, inodes: Mutex::new(InodeTable::new()), open: Mutex::default() }
    }

    /// Looks up a name in a directory and counts a lookup of its inode, which [`QomFs::forget`] undoes. The size in the
    /// result is 0, because it costs a request to the server and the kernel asks for it separately.
    pub fn lookup(&self, parent: u64, file_name: &str) -> Result<Attributes, FsError> {
        let directory = self.directory(parent)?;
        let find = |listing: &[NamedProperty]| listing.iter().find(|named| named.file_name == file_name).cloned();
        let cached = lock(&self.inodes).cached_listing(parent).and_then(|listing| find(&listing));
        let found = match cached {
            Some(named) => Some(named),
            None => find(&self.list(parent, &directory)?),
        };
        let property = found.ok_or(FsError::NotFound)?.property;
        // Only the value of a link property shows whether it is set.
        let is_link = content::is_link_property(&property)
            && self.value_info(&FsNode::property(&directory.path, &property, false))?.is_link;
        let node = FsNode::property(&directory.path, &property, is_link);
        let (kind, mode) = (node.kind, self.mode(&node, true));
        let mut inodes = lock(&self.inodes);
        let changed = inodes.changed(&node);
        let inode = inodes.add_lookup(node);
        Ok(Attributes { inode, kind, size: 0, mode, changed })
    }

    /// Takes back `lookups` lookups of an inode.
    pub fn forget(&self, inode: u64, lookups: u64) {
        lock(&self.inodes).forget(inode, lookups);
    }

    #[cfg(test)]
    pub(super) fn inodes(&self) -> MutexGuard<'_, InodeTable> {
        lock(&self.inodes)
    }

    /// Returns the result of `stat`. If the file is open at `handle`, the size is that of the content it holds.
    pub fn attributes(&self, inode: u64, handle: Option<u64>) -> Result<Attributes, FsError> {
        let node = self.node(inode)?;
        let file = handle.and_then(|handle| lock(&self.open).files.get(&handle).cloned());
        let open_size = file.and_then(|file| lock(&file).content.as_ref().map(|content| content.len() as u64));
        let size = match (open_size, node.kind) {
            (Some(size), _) => Ok(size),
            (None, FileKind::Directory) => Ok(0),
            (None, kind) => {
                let info = self.value_info(&node)?;
                if info.is_link != (kind == FileKind::Link) {
                    return Err(FsError::Stale);
                }
                info.size
            }
        };
        let changed = lock(&self.inodes).changed(&node);
        let mode = self.mode(&node, size.is_ok());
        Ok(Attributes { inode, kind: node.kind, size: size.unwrap_or(0), mode, changed })
    }

    /// Checks whether a file may be read, written or executed. To execute a directory means to walk through it.
    pub fn access(&self, inode: u64, read: bool, write: bool, execute: bool) -> Result<(), FsError> {
        if write && self.read_only {
            return Err(FsError::ReadOnly);
        }
        let is_file = self.node(inode)?.kind == FileKind::File;
        let is_unreadable = read && is_file && self.attributes(inode, None)?.mode & 0o400 == 0;
        if is_unreadable || execute && is_file { Err(FsError::AccessDenied) } else { Ok(()) }
    }

    /// Returns the relative path in a symbolic link.
    pub fn read_link(&self, inode: u64) -> Result<String, FsError> {
        let node = self.node(inode)?;
        let property = node.property.as_ref().ok_or(FsError::InvalidValue)?;
        let json = self.get(&node, property)?.map_err(|error| self.report_unreadable(&node, &error))?;
        let target = content::link_target(property, &json).ok_or(FsError::Stale)?;
        Ok(relative_path(&node.path, &target))
    }

    /// Opens a directory and returns its handle. Later changes do not affect the entries.
    pub fn open_directory(&self, inode: u64) -> Result<u64, FsError> {
        let directory = self.directory(inode)?;
        let listing = self.list(inode, &directory)?;
        let links: Vec<&Property> = listing
            .iter()
            .map(|named| &named.property)
            .filter(|property| content::is_link_property(property))
            .collect();
        let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
        let mut set_links = Vec::new();
        for (link, value) in links.iter().zip(self.source.get_all(&directory.path, &names)) {
            if self.observe(&FsNode::property(&directory.path, link, false), &value)?.is_link {
                set_links.push(link.name.as_str());
            }
        }
        let inodes = lock(&self.inodes);
        let entries = listing.iter().map(|NamedProperty { file_name, property }| {
            let node = FsNode::property(&directory.path, property, set_links.contains(&property.name.as_str()));
            DirectoryEntry { inode: inodes.inode_of(&node), kind: node.kind, file_name: file_name.clone() }
        });
        let parent = FsNode::object(split_last(&directory.path).map_or("/", |(parent, _)| parent).to_owned());
        let dots = [(inode, "."), (inodes.inode_of(&parent), "..")].map(|(inode, file_name)| DirectoryEntry {
            inode,
            kind: FileKind::Directory,
            file_name: file_name.to_owned(),
        });
        let entries: Arc<[DirectoryEntry]> = dots.into_iter().chain(entries).collect();
        drop(inodes);
        let mut open = lock(&self.open);
        let handle = open.next_handle();
        open.directories.insert(handle, entries);
        Ok(handle)
    }

    /// Returns the entries of an open directory, `.` and `..` first.
    pub fn read_directory(&self, handle: u64) -> Result<Arc<[DirectoryEntry]>, FsError> {
        lock(&self.open).directories.get(&handle).cloned().ok_or(FsError::BadHandle)
    }

    /// Closes a directory.
    pub fn release_directory(&self, handle: u64) {
        lock(&self.open).directories.remove(&handle);
    }

    /// Opens a file and returns its handle. Later changes of the property do not affect reads from it.
    pub fn open(&self, inode: u64, mode: OpenMode) -> Result<u64, FsError> {
        let node = self.node(inode)?;
        if node.kind == FileKind::Directory {
            return Err(FsError::IsDirectory);
        }
        if mode.write && self.read_only {
            return Err(FsError::ReadOnly);
        }
        let mut file = OpenFile::new(node, mode);
        if mode.read && file.content.is_none() {
            match self.load(&mut file, true) {
                // The property may be write-only.
                Err(FsError::AccessDenied | FsError::NoValue) if mode.write => {}
                result => result?,
            }
        }
        let mut open = lock(&self.open);
        let handle = open.next_handle();
        open.files.insert(handle, Arc::new(Mutex::new(file)));
        Ok(handle)
    }

    /// Reads at most `len` bytes from an open file.
    pub fn read(&self, handle: u64, offset: u64, len: usize) -> Result<Vec<u8>, FsError> {
        let file = self.file(handle)?;
        let mut file = lock(&file);
        self.load(&mut file, true)?;
        Ok(file.read(offset, len).to_vec())
    }

    /// Writes to an open file. Sets the property at once if the value seems complete, otherwise when the file is flushed
    /// or released.
    pub fn write(&self, handle: u64, offset: u64, data: &[u8]) -> Result<(), FsError> {
        let file = self.file(handle)?;
        let mut file = lock(&file);
        self.load_for_writing(&mut file)?;
        let before = file.content.clone();
        if file.write(offset, data)? {
            // A failed write must leave the content unchanged.
            self.commit(&mut file, false).inspect_err(|_| file.content = before)?;
        }
        Ok(())
    }

    /// Sets the size of a file. Without a handle the property is set at once.
    pub fn truncate(&self, inode: u64, handle: Option<u64>, size: u64) -> Result<(), FsError> {
        if let Some(handle) = handle {
            let file = self.file(handle)?;
            let mut file = lock(&file);
            self.load_for_writing(&mut file)?;
            return file.truncate(size);
        }
        let handle = self.open(inode, OpenMode { write: true, ..OpenMode::default() })?;
        let truncated = self.truncate(inode, Some(handle), size);
        let released = self.release(handle);
        truncated.and(released)
    }

    /// Handles the closing of one of the file's descriptors, and `fsync`: sets the property if the file was written to.
    pub fn flush(&self, handle: u64) -> Result<(), FsError> {
        let file = self.file(handle)?;
        self.commit(&mut lock(&file), false)
    }

    /// Handles the closing of the file's last descriptor: sets the property if that has not been done yet.
    pub fn release(&self, handle: u64) -> Result<(), FsError> {
        let file = lock(&self.open).files.remove(&handle).ok_or(FsError::BadHandle)?;
        self.commit(&mut lock(&file), true)
    }

    /// Sets the property to the changed content of an open file, if it was changed.
    fn commit(&self, file: &mut OpenFile, is_release: bool) -> Result<(), FsError> {
        let Some(text) = file.take_change(is_release) else { return Ok(()) };
        let node = &file.node;
        let property = node.property.as_ref().ok_or(FsError::IsDirectory)?;
        let report = |reason: &str| (self.report)(&format!("cannot set {}: {reason}", node.full_path()));
        let text = text.inspect_err(|_| report("invalid UTF-8"))?;
        let result = self.source.set(&node.path, property, &text);
        lock(&self.inodes).invalidate_values();
        result.map_err(|error| {
            let fs_error = FsError::from_qom(&error, Operation::Write, &node.path);
            if fs_error != FsError::Interrupted {
                report(&error.reason());
            }
            fs_error
        })
    }

    /// Reads the value into an open file that has no content yet.
    fn load(&self, file: &mut OpenFile, report_failure: bool) -> Result<(), FsError> {
        if file.content.is_some() {
            return Ok(());
        }
        let node = &file.node;
        let property = node.property.as_ref().ok_or(FsError::IsDirectory)?;
        let json = self.get(node, property)?.map_err(|error| match report_failure {
            true => self.report_unreadable(node, &error),
            false => FsError::from_qom(&error, Operation::Read, &node.path),
        })?;
        file.content = Some(content::to_content(property, &json));
        Ok(())
    }

    /// Reads the value into a file open for writing. A value that cannot be read counts as empty.
    fn load_for_writing(&self, file: &mut OpenFile) -> Result<(), FsError> {
        if !file.mode.write {
            return Err(FsError::BadHandle);
        }
        match self.load(file, false) {
            Err(FsError::AccessDenied | FsError::NoValue) => {
                file.content = Some(Vec::new());
                Ok(())
            }
            result => result,
        }
    }

    /// Reads a property from the server. The outer error means that the property, or the connection, no longer exists.
    fn get(&self, node: &FsNode, property: &Property) -> Result<Result<String, QomError>, FsError> {
        let value = self.source.get(&node.path, &property.name);
        self.observe(node, &value)?;
        Ok(value)
    }

    /// Returns the data about a value that `stat` needs, from the cache or from the server.
    fn value_info(&self, node: &FsNode) -> Result<ValueInfo, FsError> {
        let property = node.property.as_ref().ok_or(FsError::IsDirectory)?;
        let cached = lock(&self.inodes).cached_value(node);
        match cached {
            Some(info) => Ok(info),
            None => self.observe(node, &self.source.get(&node.path, &property.name)),
        }
    }

    /// Caches what `stat` needs to know about a value that was just read. Fails if the property, or the connection, no
    /// longer exists.
    fn observe(&self, node: &FsNode, value: &Result<String, QomError>) -> Result<ValueInfo, FsError> {
        let property = node.property.as_ref().ok_or(FsError::IsDirectory)?;
        let info = match value {
            Ok(json) => {
                let target = content::link_target(property, json);
                let size = match &target {
                    Some(target) => relative_path(&node.path, target).len(),
                    None => content::to_content(property, json).len(),
                };
                ValueInfo { size: Ok(size as u64), is_link: target.is_some(), hash: stable_hash(json) }
            }
            Err(error) => match FsError::from_qom(error, Operation::Read, &node.path) {
                error @ (FsError::Disconnected | FsError::Interrupted | FsError::NotFound) => return Err(error),
                error => ValueInfo { size: Err(error), is_link: false, hash: 0 },
            },
        };
        lock(&self.inodes).cache_value(node, info);
        Ok(info)
    }

    /// Reports why a property cannot be read, and maps the error. A lost connection is not reported, because there
    /// would be a report for each file.
    fn report_unreadable(&self, node: &FsNode, error: &QomError) -> FsError {
        let fs_error = FsError::from_qom(error, Operation::Read, &node.path);
        if !matches!(fs_error, FsError::Disconnected | FsError::Interrupted) {
            (self.report)(&format!("cannot read {}: {}", node.full_path(), error.reason()));
        }
        fs_error
    }

    /// Lists an object and caches the listing.
    fn list(&self, inode: u64, directory: &FsNode) -> Result<Arc<[NamedProperty]>, FsError> {
        let properties = self
            .source
            .list(&directory.path)
            .map_err(|error| FsError::from_qom(&error, Operation::Read, &directory.path))?;
        Ok(lock(&self.inodes).cache_listing(inode, properties))
    }

    fn node(&self, inode: u64) -> Result<Arc<FsNode>, FsError> {
        lock(&self.inodes).get(inode).ok_or(FsError::NotFound)
    }

    fn directory(&self, inode: u64) -> Result<Arc<FsNode>, FsError> {
        let node = self.node(inode)?;
        if node.kind == FileKind::Directory { Ok(node) } else { Err(FsError::NotDirectory) }
    }

    fn file(&self, handle: u64) -> Result<Arc<Mutex<OpenFile>>, FsError> {
        lock(&self.open).files.get(&handle).cloned().ok_or(FsError::BadHandle)
    }

    /// Returns the permission bits. Every file is marked writable, because only an attempt shows whether a property is.
    fn mode(&self, node: &FsNode, is_readable: bool) -> u16 {
        let is_secret = node.property.as_ref().is_some_and(|property| is_secret_property(&property.name));
        let mode = match (node.kind, is_readable) {
            // Writable although nothing can be created in it, so that a copy made with `cp -r` can be removed.
            (FileKind::Directory, _) => 0o755,
            (FileKind::Link, _) => return 0o777,
            (FileKind::File, true) if is_secret => 0o600,
            (FileKind::File, true) => 0o644,
            (FileKind::File, false) => 0o200,
        };
        if self.read_only { mode & 0o555 } else { mode }
    }
}
