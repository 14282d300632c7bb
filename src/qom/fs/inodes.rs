//! Inodes: which number stands for which object or property, and what is remembered of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::error::FsError;
use super::file_names::{file_name, number_of};
use crate::qom::path::join;
use crate::qom::property::{Kind, Property};

/// The number of the root of the tree.
pub const ROOT: u64 = 1;

/// How long a listing says which names there are. One that is not in it is looked for anew at once.
const LISTED: Duration = Duration::from_millis(100);

/// How long the size of a value is taken for granted. It spans the few questions that one command asks in a row; what
/// is read is never older than its opening.
const SEEN: Duration = Duration::from_millis(5);

/// So many values are remembered at most: properties that were seen and never asked for by name are given back by nobody.
const MOST_SEEN: usize = 1 << 16;

/// What a node is to programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// An object.
    Directory,
    /// A property.
    File,
    /// A property that leads to another object.
    Link,
}

/// An object, or a property of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) form: Form,
    /// The path of the object.
    pub(super) path: String,
    /// None for the object itself.
    pub(super) property: Option<Property>,
}

/// What `stat` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// The inode number.
    pub inode: u64,
    /// What it is.
    pub form: Form,
    /// The length of its content, or of the way that a link leads.
    pub size: u64,
    /// Its permission bits.
    pub mode: u16,
    /// When its value was seen to be another.
    pub changed: SystemTime,
}

/// A property as it is listed, and the name of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) file: String,
    pub(super) property: Property,
}

/// What was seen of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// The length of the content or of the link's way; why there is none.
    pub(super) size: Result<u64, FsError>,
    /// Whether it leads to another object.
    pub(super) is_link: bool,
    /// A number made of the value.
    pub(super) number: u64,
}

/// All nodes that the kernel knows of.
#[derive(Debug)]
pub(super) struct Nodes {
    known: HashMap<u64, Known>,
    /// What was seen of values, by the names of their properties: whether one is a link may change.
    seen: HashMap<String, Value>,
    /// [`LISTED`] and [`SEEN`].
    cache_ttl: (Duration, Duration),
    /// Counts what we set: each may have changed any value.
    age: u64,
    began: SystemTime,
}

#[derive(Debug)]
struct Known {
    node: Arc<Node>,
    /// How often the kernel was told the number and did not give it back.
    lookups: u64,
    listing: Option<(Instant, Arc<[Listed]>)>,
}

#[derive(Debug)]
struct Value {
    when: Instant,
    age: u64,
    seen: Seen,
    changed: SystemTime,
}

impl Node {
    /// The node of the object at `path`.
    pub(super) fn object(path: String) -> Node {
        Node { form: Form::Directory, path, property: None }
    }

    /// The node of a property of the object at `path`; for a child, the node of that object.
    pub(super) fn property(path: &str, property: &Property, is_link: bool) -> Node {
        if let Kind::Child(_) = property.kind() {
            return Node::object(join(path, &property.name));
        }
        let form = if is_link { Form::Link } else { Form::File };
        Node { form, path: path.to_owned(), property: Some(property.clone()) }
    }

    /// What messages call it.
    pub(super) fn name(&self) -> String {
        match &self.property {
            Some(property) => join(&self.path, &property.name),
            None => self.path.clone(),
        }
    }
}

impl Nodes {
    /// Only the root is known.
    pub(super) fn new() -> Nodes {
        let mut nodes = Nodes {
            known: HashMap::new(),
            seen: HashMap::new(),
            cache_ttl: (LISTED, SEEN),
            age: 0,
            began: SystemTime::now(),
        };
        let root = Arc::new(Node::object("/".to_owned()));
        nodes.known.insert(ROOT, Known::new(root));
        nodes
    }

    /// The node behind a number.
    pub(super) fn get(&self, inode: u64) -> Option<Arc<Node>> {
        self.known.get(&inode).map(|known| Arc::clone(&known.node))
    }

    /// The number of a node, the same at all times.
    pub(super) fn number(&self, node: &Node) -> u64 {
        if node.path == "/" && node.property.is_none() {
            return ROOT;
        }
        // Without the highest bit: there are programs that take these numbers for signed ones.
        let mut number = (number_of(&(node.form, node.name())) >> 1).max(ROOT + 1);
        while self.known.get(&number).is_some_and(|known| *known.node != *node) {
            number = number.wrapping_add(1).max(ROOT + 1);
        }
        number
    }

    /// The number of a node that the kernel is told.
    pub(super) fn tell(&mut self, node: Node) -> u64 {
        let number = self.number(&node);
        let known = self.known.entry(number).or_insert_with(|| Known::new(Arc::new(node)));
        known.lookups += 1;
        number
    }

    /// The kernel gives a number back that it was told so many times.
    pub(super) fn forget(&mut self, inode: u64, times: u64) {
        let Some(known) = self.known.get_mut(&inode) else { return };
        known.lookups = known.lookups.saturating_sub(times);
        if known.lookups == 0 && inode != ROOT {
            self.seen.remove(&known.node.name());
            self.known.remove(&inode);
        }
    }

    /// Takes what was listed and seen for granted for so long: no test depends on how fast it runs.
    #[cfg(test)]
    pub(super) fn trust_for(&mut self, time: Duration) {
        self.cache_ttl = (time, time);
    }

    /// How many nodes are known.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Keeps what an object was listed with.
    pub(super) fn keep_listing(&mut self, inode: u64, properties: Vec<Property>) -> Arc<[Listed]> {
        let listing: Arc<[Listed]> =
            properties.into_iter().map(|property| Listed { file: file_name(&property.name), property }).collect();
        if let Some(known) = self.known.get_mut(&inode) {
            known.listing = Some((Instant::now(), Arc::clone(&listing)));
        }
        listing
    }

    /// What an object was listed with just now.
    pub(super) fn listing(&self, inode: u64) -> Option<Arc<[Listed]>> {
        let (when, listing) = self.known.get(&inode)?.listing.as_ref()?;
        (when.elapsed() < self.cache_ttl.0).then(|| Arc::clone(listing))
    }

    /// Keeps what was seen of a value.
    pub(super) fn keep_seen(&mut self, node: &Node, seen: Seen) {
        if self.seen.len() > MOST_SEEN {
            self.seen.clear();
        }
        let name = node.name();
        let changed = match self.seen.get(&name) {
            None => self.began,
            Some(earlier) if earlier.seen.number == seen.number => earlier.changed,
            Some(_) => SystemTime::now(),
        };
        self.seen.insert(name, Value { when: Instant::now(), age: self.age, seen, changed });
    }

    /// What was seen of a value just now.
    pub(super) fn seen(&self, node: &Node) -> Option<Seen> {
        let value = self.seen.get(&node.name())?;
        (value.when.elapsed() < self.cache_ttl.1 && value.age == self.age).then_some(value.seen)
    }

    /// Something was set: no value is as it was seen.
    pub(super) fn invalidate(&mut self) {
        self.age += 1;
    }

    /// When a value was seen to be another.
    pub(super) fn changed(&self, node: &Node) -> SystemTime {
        self.seen.get(&node.name()).map_or(self.began, |value| value.changed)
    }
}

impl Known {
    fn new(node: Arc<Node>) -> Known {
        Known { node, lookups: 0, listing: None }
    }
}
