//! The block layer: nodes, the drives that stand on them, and who uses whom. No byte is ever stored.
//!
//! Knows nothing of jobs: a command that takes a node away asks the jobs first.

use serde_json::{Value, json};

use super::args::{Args, check_id};
use super::bitmaps::Bitmaps;
use super::failure::Failure;

/// More nodes than this are refused.
const LIMIT: usize = 256;

/// The size of a null device for which none is given.
const DEFAULT_SIZE: u64 = 1 << 30;

/// One node of the graph.
#[derive(Debug, Clone)]
pub struct Node {
    name: String,
    driver: String,
    /// Bytes.
    pub size: u64,
    read_only: bool,
    detect_zeroes: String,
    direct: bool,
    no_flush: bool,
    /// What it is made of, as QEMU spells the name of a file that has none.
    filename: String,
    /// The nodes below: `file`, `backing`.
    below: Vec<String>,
    /// Made along with the node above it, and deleted with it.
    implicit: bool,
    /// Its dirty bitmaps.
    pub bitmaps: Bitmaps,
}

/// What the guest sees of a node.
#[derive(Debug, Clone)]
struct Drive {
    /// The name of the backend; empty for a drive made by `device_add`.
    device: String,
    /// The QOM path of its device.
    qdev: String,
    removable: bool,
    inserted: Option<String>,
}

/// All nodes and drives.
#[derive(Debug, Clone, Default)]
pub struct Blocks {
    nodes: Vec<Node>,
    drives: Vec<Drive>,
    /// Counts the names that were made up.
    made_up: u64,
}

impl Blocks {
    /// Adds a node and what its description holds nested, or nothing at all.
    pub fn add(&mut self, options: Args<'_>) -> Result<(), Failure> {
        let Some(name) = options.maybe_text("node-name") else {
            return Err(Failure::new("argument 'node-name' is missing: the topmost node needs a name"));
        };
        if name.len() > 31 {
            return Err(Failure::new("'node-name' may have 31 characters at most"));
        }
        let before = self.clone();
        self.add_tree(options, false).map(drop).inspect_err(|_| *self = before)
    }

    fn add_tree(&mut self, options: Args<'_>, implicit: bool) -> Result<String, Failure> {
        let name = match options.maybe_text("node-name") {
            Some(name) => {
                check_id("node-name", name)?;
                name.to_owned()
            }
            None => {
                self.made_up += 1;
                format!("#block{:03}", self.made_up)
            }
        };
        if self.nodes.iter().any(|node| node.name == name) || self.drives.iter().any(|drive| drive.device == name) {
            return Err(Failure::new(format!("a node or drive '{name}' exists already")));
        }
        if self.nodes.len() >= LIMIT {
            return Err(Failure::new(format!("the demo machine has room for {LIMIT} nodes at most")));
        }
        let mut below = Vec::new();
        for child in ["file", "backing"] {
            if let Some(reference) = options.get(child).filter(|value| !value.is_null()) {
                below.push(self.refer(reference)?);
            }
        }
        let driver = options.text("driver")?.to_owned();
        let under = below.first().map(|name| self.node(name)).transpose()?;
        let (size, filename) = match under {
            Some(under) => {
                let offset = options.number("offset").unwrap_or(0);
                let size = options.number("size").unwrap_or(under.size.saturating_sub(offset));
                let inner = under.filename.trim_start_matches("json:");
                (size, format!("json:{{\"driver\": \"{driver}\", \"file\": {inner}}}"))
            }
            None => {
                let size = options.number("size").unwrap_or(DEFAULT_SIZE);
                (size, format!("json:{{\"driver\": \"{driver}\", \"size\": {size}}}"))
            }
        };
        if size > i64::MAX.cast_unsigned() {
            return Err(Failure::new("'size' is out of range"));
        }
        let cache = |name| options.object("cache").and_then(|cache| cache.flag(name)).unwrap_or(false);
        self.nodes.push(Node {
            name: name.clone(),
            driver,
            size,
            read_only: options.flag("read-only").unwrap_or(false),
            detect_zeroes: options.maybe_text("detect-zeroes").unwrap_or("off").to_owned(),
            direct: cache("direct"),
            no_flush: cache("no-flush"),
            filename,
            below,
            implicit,
            bitmaps: Bitmaps::default(),
        });
        Ok(name)
    }

    /// The node that a reference means: an existing one by name, or a new one by description.
    fn refer(&mut self, reference: &Value) -> Result<String, Failure> {
        match reference {
            Value::String(name) => self.node(name).map(|node| node.name.clone()),
            Value::Object(options) => self.add_tree(Args(options), true),
            _ => Err(Failure::new("a reference to a node is a name or an object")),
        }
    }

    /// Removes a node that nothing uses.
    pub fn remove(&mut self, name: &str) -> Result<(), Failure> {
        let node = self.node(name)?;
        if let Some(user) = self.user_of(name) {
            return Err(Failure::new(format!("node '{name}' is in use by {user}")));
        }
        let below = node.below.clone();
        self.nodes.retain(|node| node.name != name);
        for child in below {
            let goes_along = self.node(&child).is_ok_and(|node| node.implicit) && self.user_of(&child).is_none();
            if goes_along {
                self.remove(&child)?;
            }
        }
        Ok(())
    }

    /// Who stands on a node, in words.
    pub fn user_of(&self, name: &str) -> Option<String> {
        let above = self.nodes.iter().find(|node| node.below.iter().any(|below| below == name));
        let drive = self.drives.iter().find(|drive| drive.inserted.as_deref() == Some(name));
        let above = above.map(|node| format!("node '{}'", node.name));
        above.or_else(|| drive.map(|drive| format!("the device at {}", drive.qdev)))
    }

    /// A node by name.
    pub fn node(&self, name: &str) -> Result<&Node, Failure> {
        self.nodes.iter().find(|node| node.name == name).ok_or_else(|| no_node(name))
    }

    /// A node by name, to be changed.
    pub fn node_mut(&mut self, name: &str) -> Result<&mut Node, Failure> {
        self.nodes.iter_mut().find(|node| node.name == name).ok_or_else(|| no_node(name))
    }

    /// The name of the node that `name` means: a node's own, or that of the node in a drive.
    pub fn root_of(&self, name: &str) -> Result<String, Failure> {
        let drive = self.drives.iter().find(|drive| !drive.device.is_empty() && drive.device == name);
        match drive.map(|drive| drive.inserted.clone()) {
            Some(Some(node)) => Ok(node),
            Some(None) => Err(Failure::new(format!("drive '{name}' has no medium"))),
            None => self.node(name).map(|node| node.name.clone()),
        }
    }

    /// Puts a drive in front of a node, which must have no other user; `None` is an empty one.
    pub fn plug(&mut self, device: &str, qdev: &str, node: Option<&str>) -> Result<(), Failure> {
        if let Some(node) = node {
            self.node(node)?;
            if let Some(user) = self.user_of(node) {
                return Err(Failure::new(format!("node '{node}' is in use by {user}")));
            }
        }
        let inserted = node.map(str::to_owned);
        let (device, qdev) = (device.to_owned(), qdev.to_owned());
        self.drives.push(Drive { device, qdev, removable: node.is_none(), inserted });
        Ok(())
    }

    /// Gives the drive of a device a name of its own, as QEMU's option `-drive id=` does.
    pub fn name_drive(&mut self, qdev: &str, name: &str) {
        for drive in self.drives.iter_mut().filter(|drive| drive.qdev == qdev) {
            name.clone_into(&mut drive.device);
        }
    }

    /// Takes away the drive of a device.
    pub fn unplug(&mut self, qdev: &str) {
        self.drives.retain(|drive| drive.qdev != qdev);
    }

    /// Whatever stood on `source` stands on `target` from now on.
    pub fn pivot(&mut self, source: &str, target: &str) {
        for drive in &mut self.drives {
            if drive.inserted.as_deref() == Some(source) {
                drive.inserted = Some(target.to_owned());
            }
        }
        for node in self.nodes.iter_mut().filter(|node| node.name != target) {
            for below in node.below.iter_mut().filter(|below| *below == source) {
                target.clone_into(below);
            }
        }
    }

    /// What `query-named-block-nodes` returns.
    pub fn query_nodes(&self) -> Value {
        self.nodes.iter().map(|node| self.info(node)).collect()
    }

    /// What `query-block` returns.
    pub fn query_drives(&self) -> Value {
        let entry = |drive: &Drive| {
            let mut value = json!({
                "device": drive.device, "qdev": drive.qdev, "type": "unknown", "removable": drive.removable,
                "locked": false,
            });
            if drive.removable {
                value["tray_open"] = false.into();
            }
            if let Some(node) = drive.inserted.as_deref().and_then(|name| self.node(name).ok()) {
                value["inserted"] = self.info(node);
                value["io-status"] = "ok".into();
            }
            value
        };
        self.drives.iter().map(entry).collect()
    }

    fn info(&self, node: &Node) -> Value {
        let mut value = json!({
            "file": node.filename, "node-name": node.name, "ro": node.read_only, "drv": node.driver,
            "backing_file_depth": node.below.len().saturating_sub(1), "active": true, "encrypted": false,
            "detect_zeroes": node.detect_zeroes, "bps": 0, "bps_rd": 0, "bps_wr": 0,
            "iops": 0, "iops_rd": 0, "iops_wr": 0,
            "image": {
                "filename": node.filename, "format": node.driver, "virtual-size": node.size, "actual-size": 0,
            },
            "cache": {"writeback": true, "direct": node.direct, "no-flush": node.no_flush},
            "write_threshold": 0,
        });
        if let Some(bitmaps) = node.bitmaps.query() {
            value["dirty-bitmaps"] = bitmaps;
        }
        value
    }
}

fn no_node(name: &str) -> Failure {
    Failure::new(format!("there is no block node '{name}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(blocks: &mut Blocks, options: Value) -> Result<(), Failure> {
        blocks.add(Args(options.as_object().unwrap()))
    }

    fn names(blocks: &Blocks) -> Vec<&str> {
        blocks.nodes.iter().map(|node| node.name.as_str()).collect()
    }

    #[test]
    fn nested_nodes_come_and_go_with_the_one_above() {
        let mut blocks = Blocks::default();
        let nested = json!({"driver": "qcow2", "node-name": "top", "file": {"driver": "null-co", "size": 4096}});
        add(&mut blocks, nested).unwrap();
        assert_eq!(names(&blocks), ["#block001", "top"]);
        assert_eq!(blocks.node("top").unwrap().size, 4096);
        assert_eq!(blocks.remove("#block001").unwrap_err().desc, "node '#block001' is in use by node 'top'");
        blocks.remove("top").unwrap();
        assert!(names(&blocks).is_empty());
    }

    #[test]
    fn what_fails_leaves_nothing_behind() {
        let mut blocks = Blocks::default();
        add(&mut blocks, json!({"driver": "null-co", "node-name": "a"})).unwrap();
        let nested = json!({"driver": "raw", "node-name": "b", "file": {"driver": "raw", "file": "missing"}});
        assert_eq!(add(&mut blocks, nested).unwrap_err().desc, "there is no block node 'missing'");
        assert!(add(&mut blocks, json!({"driver": "null-co", "node-name": "a"})).is_err());
        assert!(add(&mut blocks, json!({"driver": "null-co"})).is_err());
        assert_eq!(names(&blocks), ["a"]);
    }

    #[test]
    fn a_drive_holds_its_node_and_follows_a_pivot() {
        let mut blocks = Blocks::default();
        for name in ["a", "b"] {
            add(&mut blocks, json!({"driver": "null-co", "node-name": name})).unwrap();
        }
        blocks.plug("drive0", "/dev", Some("a")).unwrap();
        assert!(blocks.remove("a").is_err());
        assert_eq!(blocks.root_of("drive0").unwrap(), "a");
        blocks.pivot("a", "b");
        assert_eq!(blocks.root_of("drive0").unwrap(), "b");
        blocks.remove("a").unwrap();
        blocks.unplug("/dev");
        blocks.remove("b").unwrap();
    }
}
