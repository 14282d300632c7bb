//! Inode numbers of objects and properties, and cached listings and values.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::error::FsError;
use super::file_names::{file_name, stable_hash};
use crate::qom::path::join;
use crate::qom::property::{Property, PropertyKind};

/// The inode number of the root object.
pub const ROOT: u64 = 1;

/// The lifetime of a listing in the cache. A name that it lacks is looked up on the server at once.
const LISTING_TTL: Duration = Duration::from_millis(100);

/// The lifetime of a value's size in the cache: long enough for the few system calls that a program makes in a row. Content is
/// never taken from the cache.
const VALUE_TTL: Duration = Duration::from_millis(5);

/// The maximum number of cached values. The kernel never forgets properties that it has only seen in a directory.
const MAX_CACHED_VALUES: usize = 1 << 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// An object.
    Directory,
    /// A property.
    File,
    /// A link property that is set.
    Link,
}

/// An object, or a property of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FsNode {
    pub(super) kind: FileKind,
    /// The path of the object.
    pub(super) path: String,
    /// `None` for the object itself.
    pub(super) property: Option<Property>,
}

/// The result of `stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    pub inode: u64,
    pub kind: FileKind,
    /// In bytes: of the content, or of the relative path in a link.
    pub size: u64,
    /// The permission bits.
    pub mode: u16,
    /// The time at which the value was last seen to differ from the one before.
    pub changed: SystemTime,
}

/// A property and its file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedProperty {
    pub(super) file_name: String,
    pub(super) property: Property,
}

/// The properties of a value that `stat` returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ValueInfo {
    /// In bytes: of the content, or of the relative path in a link. An error if the value cannot be read.
    pub(super) size: Result<u64, FsError>,
    /// Whether the property is a link that is set.
    pub(super) is_link: bool,
    pub(super) hash: u64,
}

/// The inodes that the kernel knows, and the caches.
#[derive(Debug)]
pub(super) struct InodeTable {
    inodes: HashMap<u64, Inode>,
    /// By full path. Not by inode, because a link property gets another inode when it is set or unset.
    values: HashMap<String, CachedValue>,
    listing_ttl: Duration,
    value_ttl: Duration,
    /// Incremented by each write, because it may have changed any value.
    generation: u64,
    created: SystemTime,
}

#[derive(Debug)]
struct Inode {
    node: Arc<FsNode>,
    /// The number of times that the kernel looked the inode up without forgetting it.
    lookups: u64,
    listing: Option<(Instant, Arc<[NamedProperty]>)>,
}

#[derive(Debug)]
struct CachedValue {
    read_at: Instant,
    generation: u64,
    info: ValueInfo,
    changed: SystemTime,
}

impl FsNode {
    /// Creates the node of the object at `path`.
    pub(super) fn object(path: String) -> FsNode {
        FsNode { kind: FileKind::Directory, path, property: None }
    }

    /// Creates the node of a property of the object at `path`. For a child, that is the node of the child object.
    pub(super) fn property(path: &str, property: &Property, is_link: bool) -> FsNode {
        if let PropertyKind::Child(_) = property.kind() {
            return FsNode::object(join(path, &property.name));
        }
        let kind = if is_link { FileKind::Link } else { FileKind::File };
        FsNode { kind, path: path.to_owned(), property: Some(property.clone()) }
    }

    /// Returns the path of the object, with the property's name appended.
    pub(super) fn full_path(&self) -> String {
        match &self.property {
            Some(property) => join(&self.path, &property.name),
            None => self.path.clone(),
        }
    }
}

impl InodeTable {
    /// Creates a table with the root only.
    pub(super) fn new() -> InodeTable {
        let root = Inode::new(FsNode::object("/".to_owned()));
        InodeTable {
            inodes: HashMap::from([(ROOT, root)]),
            values: HashMap::new(),
            listing_ttl: LISTING_TTL,
            value_ttl: VALUE_TTL,
            generation: 0,
            created: SystemTime::now(),
        }
    }

    pub(super) fn get(&self, inode: u64) -> Option<Arc<FsNode>> {
        self.inodes.get(&inode).map(|inode| Arc::clone(&inode.node))
    }

    /// Returns the inode number of a node, which stays the same when the kernel forgets the inode and looks it up again.
    pub(super) fn inode_of(&self, node: &FsNode) -> u64 {
        if node.path == "/" && node.property.is_none() {
            return ROOT;
        }
        // Without the highest bit, because some programs read inode numbers as signed.
        let mut inode = (stable_hash(&(node.kind, node.full_path())) >> 1).max(ROOT + 1);
        while self.inodes.get(&inode).is_some_and(|known| *known.node != *node) {
            inode = inode.wrapping_add(1).max(ROOT + 1);
        }
        inode
    }

    /// Counts a lookup of a node by the kernel, and returns its inode number.
    pub(super) fn add_lookup(&mut self, node: FsNode) -> u64 {
        let inode = self.inode_of(&node);
        self.inodes.entry(inode).or_insert_with(|| Inode::new(node)).lookups += 1;
        inode
    }

    /// Takes back `lookups` lookups of an inode.
    pub(super) fn forget(&mut self, inode: u64, lookups: u64) {
        let Some(known) = self.inodes.get_mut(&inode) else { return };
        known.lookups = known.lookups.saturating_sub(lookups);
        if known.lookups == 0 && inode != ROOT {
            self.values.remove(&known.node.full_path());
            self.inodes.remove(&inode);
        }
    }

    /// Sets both cache times, so that no test depends on how fast it runs.
    #[cfg(test)]
    pub(super) fn set_cache_ttl(&mut self, ttl: Duration) {
        (self.listing_ttl, self.value_ttl) = (ttl, ttl);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.inodes.len()
    }

    /// Adds file names to the properties of an object and caches them.
    pub(super) fn cache_listing(&mut self, inode: u64, properties: Vec<Property>) -> Arc<[NamedProperty]> {
        let named = |property: Property| NamedProperty { file_name: file_name(&property.name), property };
        let listing: Arc<[NamedProperty]> = properties.into_iter().map(named).collect();
        if let Some(known) = self.inodes.get_mut(&inode) {
            known.listing = Some((Instant::now(), Arc::clone(&listing)));
        }
        listing
    }

    /// Returns the properties of an object if they were listed recently.
    pub(super) fn cached_listing(&self, inode: u64) -> Option<Arc<[NamedProperty]>> {
        let (listed_at, listing) = self.inodes.get(&inode)?.listing.as_ref()?;
        (listed_at.elapsed() < self.listing_ttl).then(|| Arc::clone(listing))
    }

    pub(super) fn cache_value(&mut self, node: &FsNode, info: ValueInfo) {
        if self.values.len() > MAX_CACHED_VALUES {
            self.values.clear();
        }
        let path = node.full_path();
        let changed = match self.values.get(&path) {
            None => self.created,
            Some(earlier) if earlier.info.hash == info.hash => earlier.changed,
            Some(_) => SystemTime::now(),
        };
        self.values.insert(path, CachedValue { read_at: Instant::now(), generation: self.generation, info, changed });
    }

    /// Returns the cached data about a value, if it was read recently and nothing has been written since.
    pub(super) fn cached_value(&self, node: &FsNode) -> Option<ValueInfo> {
        let value = self.values.get(&node.full_path())?;
        let is_current = value.read_at.elapsed() < self.value_ttl && value.generation == self.generation;
        is_current.then_some(value.info)
    }

    /// Invalidates all cached values.
    pub(super) fn invalidate_values(&mut self) {
        self.generation += 1;
    }

    /// Returns the time at which the value was last seen to differ from the one before.
    pub(super) fn changed(&self, node: &FsNode) -> SystemTime {
        self.values.get(&node.full_path()).map_or(self.created, |value| value.changed)
    }
}

impl Inode {
    fn new(node: FsNode) -> Inode {
        Inode { node: Arc::new(node), lookups: 0, listing: None }
    }
}
