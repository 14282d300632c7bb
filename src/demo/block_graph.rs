//! The block layer: nodes, the drives that use them, and the references between them. Stores no data.
//!
//! Must not know about jobs: a command that removes a node checks first whether a job uses it.

use serde_json::{Value, json};

use super::args::{Args, check_id};
use super::bitmaps::Bitmaps;
use super::error::CommandError;

const MAX_NODES: usize = 256;

const MAX_NODE_NAME_BYTES: usize = 31;

/// The size of a `null-co` or `null-aio` node without an option `size`.
const DEFAULT_NULL_BYTES: u64 = 1 << 30;

#[derive(Debug, Clone)]
pub struct BlockNode {
    name: String,
    driver: String,
    /// In bytes.
    pub size: u64,
    read_only: bool,
    detect_zeroes: String,
    direct: bool,
    no_flush: bool,
    /// The `json:` pseudo-file name that QEMU shows for nodes without a file.
    filename: String,
    /// The nodes that the options `file` and `backing` refer to: option and name.
    children: Vec<(&'static str, String)>,
    /// Whether the node was created along with its parent, and so is deleted with it.
    is_implicit: bool,
    pub bitmaps: Bitmaps,
}

/// A drive of the guest.
#[derive(Debug, Clone)]
struct Drive {
    /// The name of the block backend; empty for a drive from `device_add`.
    device: String,
    /// The QOM path of the device.
    qdev: String,
    removable: bool,
    /// The name of the node in the drive.
    inserted: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct BlockGraph {
    nodes: Vec<BlockNode>,
    drives: Vec<Drive>,
    generated_names: u64,
}

impl BlockGraph {
    /// Adds a node and the nodes nested in its description. Adds nothing if one of them is invalid.
    pub fn add(&mut self, options: Args<'_>) -> Result<(), CommandError> {
        let Some(name) = options.optional_str("node-name") else {
            return Err(CommandError::generic("missing argument 'node-name'; the topmost node needs a name"));
        };
        if name.len() > MAX_NODE_NAME_BYTES {
            let desc = format!("argument 'node-name' must have at most {MAX_NODE_NAME_BYTES} characters");
            return Err(CommandError::generic(desc));
        }
        let before = self.clone();
        self.add_nested(options, false).map(drop).inspect_err(|_| *self = before)
    }

    /// Adds a node and returns its name.
    fn add_nested(&mut self, options: Args<'_>, is_implicit: bool) -> Result<String, CommandError> {
        let name = match options.optional_str("node-name") {
            Some(name) => {
                check_id("node-name", name)?;
                name.to_owned()
            }
            None => {
                self.generated_names += 1;
                format!("#block{:03}", self.generated_names)
            }
        };
        if self.nodes.iter().any(|node| node.name == name) || self.drives.iter().any(|drive| drive.device == name) {
            return Err(CommandError::generic(format!("node or drive '{name}' already exists")));
        }
        if self.nodes.len() >= MAX_NODES {
            return Err(CommandError::generic(format!("the demo machine has at most {MAX_NODES} nodes")));
        }
        let mut children = Vec::new();
        for member in ["file", "backing"] {
            if let Some(reference) = options.get(member).filter(|value| !value.is_null()) {
                children.push((member, self.resolve_reference(reference)?));
            }
        }
        let driver = options.required_str("driver")?.to_owned();
        let first_child = children.first().map(|(_, name)| self.node(name)).transpose()?;
        let (size, filename) = match first_child {
            Some(child) => {
                let offset = options.optional_u64("offset").unwrap_or(0);
                let size = options.optional_u64("size").unwrap_or(child.size.saturating_sub(offset));
                let inner = child.filename.trim_start_matches("json:");
                (size, format!("json:{{\"driver\": \"{driver}\", \"file\": {inner}}}"))
            }
            None => {
                let size = options.optional_u64("size").unwrap_or(DEFAULT_NULL_BYTES);
                (size, format!("json:{{\"driver\": \"{driver}\", \"size\": {size}}}"))
            }
        };
        if size > i64::MAX.cast_unsigned() {
            return Err(CommandError::generic("argument 'size' is out of range"));
        }
        let cache =
            |name| options.optional_object("cache").and_then(|cache| cache.optional_bool(name)).unwrap_or(false);
        self.nodes.push(BlockNode {
            name: name.clone(),
            driver,
            size,
            read_only: options.optional_bool("read-only").unwrap_or(false),
            detect_zeroes: options.optional_str("detect-zeroes").unwrap_or("off").to_owned(),
            direct: cache("direct"),
            no_flush: cache("no-flush"),
            filename,
            children,
            is_implicit,
            bitmaps: Bitmaps::default(),
        });
        Ok(name)
    }

    /// Returns the name of the node that a `BlockdevRef` names or describes. A described node is added.
    fn resolve_reference(&mut self, reference: &Value) -> Result<String, CommandError> {
        match reference {
            Value::String(name) => self.node(name).map(|node| node.name.clone()),
            Value::Object(options) => self.add_nested(Args(options), true),
            _ => Err(CommandError::generic("a reference to a node must be a name or an object")),
        }
    }

    /// Removes an unused node and its implicit children.
    pub fn remove(&mut self, name: &str) -> Result<(), CommandError> {
        let node = self.node(name)?;
        self.check_unused(name)?;
        let children = node.children.clone();
        self.nodes.retain(|node| node.name != name);
        for (_, child) in children {
            if self.node(&child).is_ok_and(|node| node.is_implicit) && self.check_unused(&child).is_ok() {
                self.remove(&child)?;
            }
        }
        Ok(())
    }

    /// Returns an error if a node or drive uses the node.
    pub fn check_unused(&self, name: &str) -> Result<(), CommandError> {
        let parent = self.nodes.iter().find(|node| node.children.iter().any(|(_, child)| child == name));
        let drive = self.drives.iter().find(|drive| drive.inserted.as_deref() == Some(name));
        let user = match (parent, drive) {
            (Some(parent), _) => format!("node '{}'", parent.name),
            (None, Some(drive)) => format!("the device at {}", drive.qdev),
            (None, None) => return Ok(()),
        };
        Err(CommandError::generic(format!("node '{name}' is in use by {user}")))
    }

    pub fn node(&self, name: &str) -> Result<&BlockNode, CommandError> {
        self.nodes.iter().find(|node| node.name == name).ok_or_else(|| node_not_found(name))
    }

    pub fn node_mut(&mut self, name: &str) -> Result<&mut BlockNode, CommandError> {
        self.nodes.iter_mut().find(|node| node.name == name).ok_or_else(|| node_not_found(name))
    }

    /// Returns the name of a node, given its own name or that of its drive.
    pub fn node_name_of(&self, name: &str) -> Result<String, CommandError> {
        let drive = self.drives.iter().find(|drive| !drive.device.is_empty() && drive.device == name);
        match drive.map(|drive| drive.inserted.clone()) {
            Some(Some(node)) => Ok(node),
            Some(None) => Err(CommandError::generic(format!("drive '{name}' has no medium"))),
            None => self.node(name).map(|node| node.name.clone()),
        }
    }

    /// Adds a drive with an unused node in it, or an empty drive.
    pub fn add_drive(&mut self, device: &str, qdev: &str, node: Option<&str>) -> Result<(), CommandError> {
        if let Some(node) = node {
            self.node(node)?;
            self.check_unused(node)?;
        }
        let inserted = node.map(str::to_owned);
        let (device, qdev) = (device.to_owned(), qdev.to_owned());
        self.drives.push(Drive { device, qdev, removable: node.is_none(), inserted });
        Ok(())
    }

    /// Gives the drive of a device a name, as QEMU's option `-drive id=` does.
    pub fn name_drive(&mut self, qdev: &str, name: &str) {
        for drive in self.drives.iter_mut().filter(|drive| drive.qdev == qdev) {
            name.clone_into(&mut drive.device);
        }
    }

    /// Removes the drive of a device.
    pub fn remove_drive(&mut self, qdev: &str) {
        self.drives.retain(|drive| drive.qdev != qdev);
    }

    /// Replaces `source` with `target` in all drives and nodes that use it.
    pub fn pivot(&mut self, source: &str, target: &str) {
        for drive in &mut self.drives {
            if drive.inserted.as_deref() == Some(source) {
                drive.inserted = Some(target.to_owned());
            }
        }
        for node in self.nodes.iter_mut().filter(|node| node.name != target) {
            for (_, child) in node.children.iter_mut().filter(|(_, child)| *child == source) {
                target.clone_into(child);
            }
        }
    }

    /// Returns the result of `query-named-block-nodes`.
    pub fn query_nodes(&self) -> Value {
        self.nodes.iter().map(BlockNode::describe).collect()
    }

    /// Returns the result of `x-debug-query-block-graph`. A job is its id with the roles and names of its nodes.
    pub fn query_graph(&self, jobs: &[(&str, [(&str, &str); 2])]) -> Value {
        let mut vertices: Vec<Value> = Vec::new();
        let mut edges: Vec<Value> = Vec::new();
        let mut add_vertex = |kind: &str, name: &str| {
            vertices.push(json!({"id": vertices.len() + 1, "type": kind, "name": name}));
            vertices.len()
        };
        let mut add_edge = |parent: usize, role: &str, child: &str| {
            let child = self.nodes.iter().position(|node| node.name == child).map(|index| index + 1);
            edges.push(json!({"parent": parent, "child": child, "name": role, "perm": [], "shared-perm": []}));
        };
        for node in &self.nodes {
            let parent = add_vertex("block-driver", &node.name);
            node.children.iter().for_each(|(role, child)| add_edge(parent, role, child));
        }
        for drive in &self.drives {
            let name = if drive.device.is_empty() { &drive.qdev } else { &drive.device };
            let parent = add_vertex("block-backend", name);
            drive.inserted.iter().for_each(|node| add_edge(parent, "root", node));
        }
        for (id, nodes) in jobs {
            let parent = add_vertex("block-job", id);
            nodes.iter().for_each(|(role, node)| add_edge(parent, role, node));
        }
        json!({"nodes": vertices, "edges": edges})
    }

    /// Returns the result of `query-block`.
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
                value["inserted"] = node.describe();
                value["io-status"] = "ok".into();
            }
            value
        };
        self.drives.iter().map(entry).collect()
    }
}

impl BlockNode {
    /// Returns the node's entry in `query-named-block-nodes`.
    fn describe(&self) -> Value {
        let mut value = json!({
            "file": self.filename, "node-name": self.name, "ro": self.read_only, "drv": self.driver,
            "backing_file_depth": self.children.len().saturating_sub(1), "active": true, "encrypted": false,
            "detect_zeroes": self.detect_zeroes, "bps": 0, "bps_rd": 0, "bps_wr": 0,
            "iops": 0, "iops_rd": 0, "iops_wr": 0,
            "image": {
                "filename": self.filename, "format": self.driver, "virtual-size": self.size, "actual-size": 0,
            },
            "cache": {"writeback": true, "direct": self.direct, "no-flush": self.no_flush},
            "write_threshold": 0,
        });
        if let Some(bitmaps) = self.bitmaps.query() {
            value["dirty-bitmaps"] = bitmaps;
        }
        value
    }
}

fn node_not_found(name: &str) -> CommandError {
    CommandError::generic(format!("node '{name}' not found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(graph: &mut BlockGraph, options: Value) -> Result<(), CommandError> {
        graph.add(Args(options.as_object().unwrap()))
    }

    fn names(graph: &BlockGraph) -> Vec<&str> {
        graph.nodes.iter().map(|node| node.name.as_str()).collect()
    }

    #[test]
    fn adds_and_removes_nested_nodes_with_their_parent() {
        let mut graph = BlockGraph::default();
        let nested = json!({"driver": "qcow2", "node-name": "top", "file": {"driver": "null-co", "size": 4096}});
        add(&mut graph, nested).unwrap();
        assert_eq!(names(&graph), ["#block001", "top"]);
        assert_eq!(graph.node("top").unwrap().size, 4096);
        assert_eq!(graph.remove("#block001").unwrap_err().desc, "node '#block001' is in use by node 'top'");
        let edge = &graph.query_graph(&[])["edges"][0];
        assert_eq!((&edge["parent"], &edge["name"], &edge["child"]), (&json!(2), &json!("file"), &json!(1)));
        graph.remove("top").unwrap();
        assert!(names(&graph).is_empty());
    }

    #[test]
    fn adds_nothing_if_a_nested_node_fails() {
        let mut graph = BlockGraph::default();
        add(&mut graph, json!({"driver": "null-co", "node-name": "a"})).unwrap();
        let nested = json!({"driver": "raw", "node-name": "b", "file": {"driver": "raw", "file": "missing"}});
        assert_eq!(add(&mut graph, nested).unwrap_err().desc, "node 'missing' not found");
        assert!(add(&mut graph, json!({"driver": "null-co", "node-name": "a"})).is_err());
        assert!(add(&mut graph, json!({"driver": "null-co"})).is_err());
        assert_eq!(names(&graph), ["a"]);
    }

    #[test]
    fn replaces_the_node_in_a_drive() {
        let mut graph = BlockGraph::default();
        for name in ["a", "b"] {
            add(&mut graph, json!({"driver": "null-co", "node-name": name})).unwrap();
        }
        graph.add_drive("drive0", "/dev", Some("a")).unwrap();
        assert!(graph.remove("a").is_err());
        assert_eq!(graph.node_name_of("drive0").unwrap(), "a");
        graph.pivot("a", "b");
        assert_eq!(graph.node_name_of("drive0").unwrap(), "b");
        graph.remove("a").unwrap();
        graph.remove_drive("/dev");
        graph.remove("b").unwrap();
    }
}
