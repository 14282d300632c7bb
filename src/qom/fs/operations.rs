//! The file system: what each operation does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::content;
use super::error::{FsError, Operation};
use super::file_names::{number_of, segments};
use super::handle::{Access, Handle};
use super::inodes::{Attributes, Form, Listed, Node, Nodes, Seen};
use super::source::{Source, SourceError};
use crate::qom::path::parent;
use crate::qom::property::Property;
use crate::wire::is_secret_property;

/// Takes sentences for whoever runs the file system.
pub type Report = Box<dyn Fn(&str) + Send + Sync>;

/// An object tree as files.
pub struct QomFs {
    source: Box<dyn Source>,
    report: Report,
    read_only: bool,
    nodes: Mutex<Nodes>,
    open: Mutex<Open>,
}

/// What is open.
#[derive(Default)]
struct Open {
    last: u64,
    files: HashMap<u64, Arc<Mutex<Handle>>>,
    directories: HashMap<u64, Arc<[Entry]>>,
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The inode number.
    pub inode: u64,
    /// What it is.
    pub form: Form,
    /// The name of the file.
    pub name: String,
}

impl std::fmt::Debug for QomFs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QomFs").field("read_only", &self.read_only).finish_non_exhaustive()
    }
}

/// A panic elsewhere leaves what is locked here whole: every change to it is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl QomFs {
    /// The files of a tree. `report` is told what the errors of the system are too poor to say.
    pub fn new(source: Box<dyn Source>, read_only: bool, report: Report) -> QomFs {
        QomFs { source, report, read_only, nodes: Mutex::new(Nodes::new()), open: Mutex::default() }
    }

    /// The number and form of what is called `name` in a directory. To be [given back](QomFs::forget).
    pub fn lookup(&self, parent: u64, name: &str) -> Result<Attributes, FsError> {
        let directory = self.directory(parent)?;
        let find = |listing: &[Listed]| listing.iter().find(|listed| listed.file == name).cloned();
        let known = lock(&self.nodes).listing(parent).and_then(|listing| find(&listing));
        let Some(Listed { property, .. }) = (match known {
            Some(listed) => Some(listed),
            None => find(&self.list(parent, &directory)?),
        }) else {
            return Err(FsError::NotFound);
        };
        let mut is_link = false;
        if content::is_link(&property) {
            // Whether it leads anywhere, its value tells.
            let probe = Node::property(&directory.path, &property, false);
            is_link = self.look(&probe)?.is_link;
        }
        let node = Node::property(&directory.path, &property, is_link);
        let (form, mode) = (node.form, self.mode(&node, true));
        let mut nodes = lock(&self.nodes);
        let changed = nodes.changed(&node);
        let inode = nodes.tell(node);
        // The size is asked for next, and costs a question to the server.
        Ok(Attributes { inode, form, size: 0, mode, changed })
    }

    /// Gives numbers back that [`QomFs::lookup`] told so many times.
    pub fn forget(&self, inode: u64, times: u64) {
        lock(&self.nodes).forget(inode, times);
    }

    /// What is remembered.
    #[cfg(test)]
    pub(super) fn nodes(&self) -> MutexGuard<'_, Nodes> {
        lock(&self.nodes)
    }

    /// What `stat` tells. With an open file, its content counts.
    pub fn attributes(&self, inode: u64, handle: Option<u64>) -> Result<Attributes, FsError> {
        let node = self.node(inode)?;
        let open = handle.and_then(|handle| lock(&self.open).files.get(&handle).cloned());
        let held = open.and_then(|open| lock(&open).content.as_ref().map(|content| content.len() as u64));
        let size = match (held, node.form) {
            (Some(size), _) => Ok(size),
            (None, Form::Directory) => Ok(0),
            (None, _) => match self.look(&node)? {
                Seen { is_link, .. } if is_link != (node.form == Form::Link) => return Err(FsError::Stale),
                Seen { size, .. } => size,
            },
        };
        let changed = lock(&self.nodes).changed(&node);
        let mode = self.mode(&node, size.is_ok());
        Ok(Attributes { inode, form: node.form, size: size.unwrap_or(0), mode, changed })
    }

    /// Whether something may be read, written, or walked through.
    pub fn access(&self, inode: u64, read: bool, write: bool, execute: bool) -> Result<(), FsError> {
        if write && self.read_only {
            return Err(FsError::ReadOnly);
        }
        let form = self.node(inode)?.form;
        let lacks_read = read && form == Form::File && self.attributes(inode, None)?.mode & 0o400 == 0;
        if lacks_read || execute && form == Form::File { Err(FsError::Denied) } else { Ok(()) }
    }

    /// Where a link leads: a relative path.
    pub fn read_link(&self, inode: u64) -> Result<String, FsError> {
        let node = self.node(inode)?;
        let property = node.property.as_ref().ok_or(FsError::Invalid)?;
        let json = self.get(&node, property)?.map_err(|error| self.unreadable(&node, &error))?;
        content::target(property, &json).map(|target| segments(&node.path, &target)).ok_or(FsError::Stale)
    }

    /// Opens a directory: what is in it at this moment.
    pub fn open_directory(&self, inode: u64) -> Result<u64, FsError> {
        let directory = self.directory(inode)?;
        let listing = self.list(inode, &directory)?;
        let links: Vec<&Listed> = listing.iter().filter(|listed| content::is_link(&listed.property)).collect();
        let names: Vec<&str> = links.iter().map(|link| link.property.name.as_str()).collect();
        let values = self.source.get_all(&directory.path, &names);
        let mut leading = Vec::new();
        for (link, value) in links.iter().zip(values) {
            let node = Node::property(&directory.path, &link.property, false);
            if self.see(&node, &value)?.is_link {
                leading.push(link.property.name.as_str());
            }
        }
        let nodes = lock(&self.nodes);
        let entries = listing.iter().map(|Listed { file, property }| {
            let node = Node::property(&directory.path, property, leading.contains(&property.name.as_str()));
            Entry { inode: nodes.number(&node), form: node.form, name: file.clone() }
        });
        let here = Entry { inode, form: Form::Directory, name: ".".to_owned() };
        let up = Node::object(parent(&directory.path).map_or("/", |(up, _)| up).to_owned());
        let up = Entry { inode: nodes.number(&up), form: Form::Directory, name: "..".to_owned() };
        let entries: Arc<[Entry]> = [here, up].into_iter().chain(entries).collect();
        drop(nodes);
        let mut open = lock(&self.open);
        open.last += 1;
        let handle = open.last;
        open.directories.insert(handle, entries);
        Ok(handle)
    }

    /// What is in an open directory.
    pub fn entries(&self, handle: u64) -> Result<Arc<[Entry]>, FsError> {
        lock(&self.open).directories.get(&handle).cloned().ok_or(FsError::BadHandle)
    }

    /// Closes a directory.
    pub fn close_directory(&self, handle: u64) {
        lock(&self.open).directories.remove(&handle);
    }

    /// Opens a file. What is read from it is its value at this moment.
    pub fn open(&self, inode: u64, access: Access) -> Result<u64, FsError> {
        let node = self.node(inode)?;
        if node.form == Form::Directory {
            return Err(FsError::IsDirectory);
        }
        if access.write && self.read_only {
            return Err(FsError::ReadOnly);
        }
        let mut handle = Handle::new(node, access);
        if access.read && handle.content.is_none() {
            match self.fill(&mut handle, true) {
                // It may be there to be written only.
                Err(FsError::Denied | FsError::NoValue) if access.write => {}
                outcome => outcome?,
            }
        }
        let mut open = lock(&self.open);
        open.last += 1;
        let number = open.last;
        open.files.insert(number, Arc::new(Mutex::new(handle)));
        Ok(number)
    }

    /// Reads a part of an open file.
    pub fn read(&self, handle: u64, offset: u64, len: usize) -> Result<Vec<u8>, FsError> {
        let handle = self.handle(handle)?;
        let mut handle = lock(&handle);
        self.fill(&mut handle, true)?;
        Ok(handle.read(offset, len).to_vec())
    }

    /// Writes into an open file. The property is set at once, or when the file is closed where more is to come.
    pub fn write(&self, handle: u64, offset: u64, data: &[u8]) -> Result<(), FsError> {
        let handle = self.handle(handle)?;
        let mut handle = lock(&handle);
        self.fill_for_writing(&mut handle)?;
        let before = handle.content.clone();
        if handle.write(offset, data)? {
            // A write that failed has written nothing.
            self.commit(&mut handle, false).inspect_err(|_| handle.content = before)?;
        }
        Ok(())
    }

    /// Makes a file so long; without an open file the property is set at once.
    pub fn truncate(&self, inode: u64, handle: Option<u64>, size: u64) -> Result<(), FsError> {
        if let Some(handle) = handle {
            let handle = self.handle(handle)?;
            let mut handle = lock(&handle);
            self.fill_for_writing(&mut handle)?;
            return handle.truncate(size);
        }
        let access = Access { write: true, ..Access::default() };
        let handle = self.open(inode, access)?;
        let outcome = self.truncate(inode, Some(handle), size);
        let told = self.finish(handle);
        outcome.and(told)
    }

    /// A descriptor of an open file is closed, or its content is to be safe: sets the property, if it was written to.
    pub fn flush(&self, handle: u64) -> Result<(), FsError> {
        let handle = self.handle(handle)?;
        self.commit(&mut lock(&handle), false)
    }

    /// The last descriptor of an open file is closed: sets the property, if that was not done yet.
    pub fn finish(&self, handle: u64) -> Result<(), FsError> {
        let handle = lock(&self.open).files.remove(&handle).ok_or(FsError::BadHandle)?;
        self.commit(&mut lock(&handle), true)
    }

    fn commit(&self, handle: &mut Handle, at_the_end: bool) -> Result<(), FsError> {
        let Some(text) = handle.take_change(at_the_end) else { return Ok(()) };
        let node = Arc::clone(&handle.node);
        let Some(property) = &node.property else { return Err(FsError::IsDirectory) };
        let text =
            text.inspect_err(|_| (self.report)(&format!("cannot set {}: what was written is no UTF-8", node.name())))?;
        let outcome = self.source.set(&node.path, property, &text);
        lock(&self.nodes).invalidate();
        outcome.map_err(|error| {
            let fault = FsError::of(&error, Operation::Writing, &node.path);
            (self.report)(&format!("cannot set {}: {error}", node.name()));
            fault
        })
    }

    /// Gets the value that a handle sees, if it has none yet.
    fn fill(&self, handle: &mut Handle, aloud: bool) -> Result<(), FsError> {
        if handle.content.is_some() {
            return Ok(());
        }
        let node = &handle.node;
        let property = node.property.as_ref().ok_or(FsError::IsDirectory)?;
        let json = self.get(node, property)?.map_err(|error| match aloud {
            true => self.unreadable(node, &error),
            false => FsError::of(&error, Operation::Reading, &node.path),
        })?;
        handle.content = Some(content::of_value(property, &json));
        Ok(())
    }

    /// As [`QomFs::fill`]; what cannot be read is empty to those who write.
    fn fill_for_writing(&self, handle: &mut Handle) -> Result<(), FsError> {
        if !handle.access.write {
            return Err(FsError::BadHandle);
        }
        match self.fill(handle, false) {
            Err(FsError::Denied | FsError::NoValue) => {
                handle.content = Some(Vec::new());
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// The value of a property, asked for now. The outer error is that there is no such property any more, or no server.
    fn get(&self, node: &Node, property: &Property) -> Result<Result<String, SourceError>, FsError> {
        let value = self.source.get(&node.path, &property.name);
        self.see(node, &value)?;
        Ok(value)
    }

    /// What is to be seen of a value from outside, asked for now, or just before.
    fn look(&self, node: &Node) -> Result<Seen, FsError> {
        let property = node.property.as_ref().ok_or(FsError::IsDirectory)?;
        let recent = lock(&self.nodes).seen(node);
        match recent {
            Some(seen) => Ok(seen),
            None => self.see(node, &self.source.get(&node.path, &property.name)),
        }
    }

    /// Keeps what is to be seen of a value that came. That there is no such property, or no server, is an error.
    fn see(&self, node: &Node, value: &Result<String, SourceError>) -> Result<Seen, FsError> {
        let property = node.property.as_ref().ok_or(FsError::IsDirectory)?;
        let seen = match value {
            Ok(json) => match content::target(property, json) {
                Some(target) => Seen {
                    size: Ok(segments(&node.path, &target).len() as u64),
                    is_link: true,
                    number: number_of(json),
                },
                None => {
                    let content = content::of_value(property, json);
                    Seen { size: Ok(content.len() as u64), is_link: false, number: number_of(json) }
                }
            },
            Err(error) => match FsError::of(error, Operation::Reading, &node.path) {
                fault @ (FsError::Disconnected | FsError::NotFound) => return Err(fault),
                fault => Seen { size: Err(fault), is_link: false, number: 0 },
            },
        };
        lock(&self.nodes).keep_seen(node, seen);
        Ok(seen)
    }

    /// Says why a property cannot be read. That the server is gone is said elsewhere, once.
    fn unreadable(&self, node: &Node, error: &SourceError) -> FsError {
        let fault = FsError::of(error, Operation::Reading, &node.path);
        if fault != FsError::Disconnected {
            (self.report)(&format!("cannot read {}: {error}", node.name()));
        }
        fault
    }

    fn list(&self, inode: u64, directory: &Node) -> Result<Arc<[Listed]>, FsError> {
        let properties = self
            .source
            .list(&directory.path)
            .map_err(|error| FsError::of(&error, Operation::Reading, &directory.path))?;
        Ok(lock(&self.nodes).keep_listing(inode, properties))
    }

    fn node(&self, inode: u64) -> Result<Arc<Node>, FsError> {
        lock(&self.nodes).get(inode).ok_or(FsError::NotFound)
    }

    fn directory(&self, inode: u64) -> Result<Arc<Node>, FsError> {
        let node = self.node(inode)?;
        if node.form == Form::Directory { Ok(node) } else { Err(FsError::NotDirectory) }
    }

    fn handle(&self, handle: u64) -> Result<Arc<Mutex<Handle>>, FsError> {
        lock(&self.open).files.get(&handle).cloned().ok_or(FsError::BadHandle)
    }

    /// The permission bits. Nothing tells which properties may be written, so all may be tried.
    fn mode(&self, node: &Node, readable: bool) -> u16 {
        let is_secret = node.property.as_ref().is_some_and(|property| is_secret_property(&property.name));
        let bits = match (node.form, readable) {
            // A copy is to be one that can be removed.
            (Form::Directory, _) => 0o755,
            (Form::Link, _) => return 0o777,
            (Form::File, true) if is_secret => 0o600,
            (Form::File, true) => 0o644,
            (Form::File, false) => 0o200,
        };
        if self.read_only { bits & 0o555 } else { bits }
    }
}
