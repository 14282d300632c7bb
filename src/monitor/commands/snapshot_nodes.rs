//! The block nodes that a snapshot of the VM includes, in the order of QEMU's own monitor.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::super::command::{Invocation, request};
use super::super::server::Failure;
use super::super::text::{is_true, items, string};

/// A node that a snapshot of the VM includes.
pub(super) struct SnapshotNode {
    pub(super) name: String,
    /// The name of the device, or else of the node.
    pub(super) label: String,
    /// Whether the state of the VM can be stored in it.
    pub(super) can_hold_state: bool,
    /// The snapshots in its image.
    pub(super) snapshots: Vec<Value>,
}

/// Returns the writable nodes that devices or others use, and those that nothing uses.
pub(super) fn snapshot_nodes(call: &mut Invocation<'_>) -> Result<Vec<SnapshotNode>, Failure> {
    let requests = [request("query-block", Value::Null), request("x-debug-query-block-graph", Value::Null)];
    let mut replies = call.server.query_all(&requests)?.into_iter();
    let mut next = || replies.next().unwrap_or(Ok(Value::Null));
    let (devices, graph) = (next()?, Graph(next().unwrap_or_default()));
    let devices = items(&devices);
    let nodes = match nodes_of_devices(devices, &graph) {
        Some(nodes) => nodes,
        None => call.query("query-named-block-nodes", json!({ "flat": true }))?,
    };
    let nodes = items(&nodes);
    let says_active = |node: &Value| node.get("active").is_some();
    let are_active = nodes.is_empty() || nodes.iter().any(says_active) || !has_lent_disks(call)?;
    let blocks = Blocks { devices, nodes, graph, are_active };

    let mut names = blocks.names_of_used_nodes();
    let mut unused = blocks.names_of_unused_nodes();
    // QEMU 7.2 finds all unused nodes, 10.0 does not.
    if !unused.is_empty() && !call.is_older_than(8, 0)? {
        blocks.retain_found_nodes(&mut unused, names.last());
    }
    names.extend(unused);
    Ok(names.iter().filter_map(|name| blocks.snapshot_node(name)).collect())
}

/// Returns the nodes of the devices, if these tell all: each node that is used is that of a device and a qcow2 image, and
/// none is unused. Then the server need not describe every node.
fn nodes_of_devices(devices: &[Value], graph: &Graph) -> Option<Value> {
    let inserted: Vec<&Value> =
        devices.iter().map(|device| &device["inserted"]).filter(|node| !node.is_null()).collect();
    let is_told =
        |name: &String| inserted.iter().any(|node| string(node, "node-name") == name && string(node, "drv") == "qcow2");
    let used = graph.names_of_used_roots();
    let tells_all = !used.is_empty() && used.iter().all(is_told) && graph.names_of_unused_nodes().is_empty();
    tells_all.then(|| inserted.into_iter().cloned().collect())
}

/// Returns whether the disks belong to the other side of a migration.
fn has_lent_disks(call: &mut Invocation<'_>) -> Result<bool, Failure> {
    let status = call.query("query-status", Value::Null)?;
    Ok(matches!(string(&status, "status"), "inmigrate" | "postmigrate"))
}

/// The devices and nodes of a server.
struct Blocks<'a> {
    devices: &'a [Value],
    /// The latest one first.
    nodes: &'a [Value],
    graph: Graph,
    /// Whether nodes are active that do not say so.
    are_active: bool,
}

impl Blocks<'_> {
    /// Returns the names of the nodes that devices, exports and jobs use.
    fn names_of_used_nodes(&self) -> Vec<String> {
        let mut names = self.graph.names_of_used_roots();
        if names.is_empty() {
            names = self.devices.iter().map(|device| string(&device["inserted"], "node-name").to_owned()).collect();
        }
        let mut seen = HashSet::new();
        names.retain(|name| !name.is_empty() && seen.insert(name.clone()));
        names
    }

    /// Returns the names of the nodes that nothing uses, oldest first.
    fn names_of_unused_nodes(&self) -> Vec<String> {
        let unused = self.graph.names_of_unused_nodes();
        let oldest_first = self.nodes.iter().rev().map(|node| string(node, "node-name"));
        oldest_first.filter(|name| unused.contains(name)).map(str::to_owned).collect()
    }

    /// Retains the unused nodes that QEMU's own monitor finds: those that are newer than the last node that is used, and
    /// none if that belongs to a `-drive`.
    fn retain_found_nodes(&self, unused: &mut Vec<String>, last_used: Option<&String>) {
        let Some(last_used) = last_used else { return };
        let oldest_first = || self.nodes.iter().rev().map(|node| string(node, "node-name"));
        let newer: HashSet<&str> = match self.belongs_to_drive(last_used) {
            true => HashSet::new(),
            false => oldest_first().skip_while(|name| name != last_used).collect(),
        };
        unused.retain(|name| newer.contains(name.as_str()));
    }

    /// Returns whether a node was made by `-drive`, not by `-blockdev`.
    fn belongs_to_drive(&self, name: &str) -> bool {
        name.starts_with('#') || self.device_of(name).is_some()
    }

    /// Returns the name of the device whose medium is the node, if it has a name.
    fn device_of(&self, node: &str) -> Option<&str> {
        let mut names = self.devices.iter().filter(|device| string(&device["inserted"], "node-name") == node);
        names.find_map(|device| device["device"].as_str().filter(|name| !name.is_empty()))
    }

    fn node(&self, name: &str) -> Option<&Value> {
        self.nodes.iter().find(|node| string(node, "node-name") == name)
    }

    /// Returns the node, unless it is read-only.
    fn snapshot_node(&self, name: &str) -> Option<SnapshotNode> {
        let node = self.node(name).filter(|node| !is_true(node, "ro"))?;
        Some(SnapshotNode {
            name: name.to_owned(),
            label: self.device_of(name).unwrap_or(name).to_owned(),
            can_hold_state: self.can_hold_state(name),
            snapshots: items(&node["image"]["snapshots"]).to_vec(),
        })
    }

    /// Returns whether a node is active, and it or one below it is a qcow2 image, the only one that holds the state of a
    /// VM.
    fn can_hold_state(&self, name: &str) -> bool {
        let is_active = self.node(name).and_then(|node| node["active"].as_bool()).unwrap_or(self.are_active);
        let is_qcow2 = |name: &str| self.node(name).is_some_and(|node| string(node, "drv") == "qcow2");
        let below = std::iter::successors(Some(name), |name| self.graph.main_child(name));
        // A hostile server might send a circle.
        is_active && below.take(self.nodes.len().max(1)).any(is_qcow2)
    }
}

/// The reply to `x-debug-query-block-graph`: nodes with their users.
struct Graph(Value);

impl Graph {
    fn vertices(&self) -> &[Value] {
        items(&self.0["nodes"])
    }

    fn edges(&self) -> &[Value] {
        items(&self.0["edges"])
    }

    fn id_of(&self, name: &str) -> Option<&Value> {
        let is_node = |vertex: &&Value| string(vertex, "type") == "block-driver" && string(vertex, "name") == name;
        self.vertices().iter().find(is_node).map(|vertex| &vertex["id"])
    }

    fn name_of(&self, id: &Value) -> Option<&str> {
        self.vertices().iter().find(|vertex| vertex["id"] == *id)?["name"].as_str()
    }

    /// Returns the nodes that devices, exports and jobs use, in the order in which these were made.
    fn names_of_used_roots(&self) -> Vec<String> {
        let mut backends: Vec<&Value> =
            self.vertices().iter().filter(|vertex| string(vertex, "type") == "block-backend").collect();
        backends.sort_by_key(|backend| backend["id"].as_i64());
        let root_of = |backend: &Value| {
            let root = self.edges().iter().find(|edge| edge["parent"] == backend["id"])?;
            self.name_of(&root["child"]).map(str::to_owned)
        };
        backends.into_iter().filter_map(root_of).collect()
    }

    /// Returns the names of the nodes without a user.
    fn names_of_unused_nodes(&self) -> HashSet<&str> {
        let used: HashSet<String> = self.edges().iter().map(|edge| edge["child"].to_string()).collect();
        let is_unused =
            |vertex: &&Value| string(vertex, "type") == "block-driver" && !used.contains(&vertex["id"].to_string());
        self.vertices().iter().filter(is_unused).map(|vertex| string(vertex, "name")).collect()
    }

    /// Returns the node whose data a node passes on.
    fn main_child(&self, name: &str) -> Option<&str> {
        let id = self.id_of(name)?;
        let child = |role: &str| {
            let edge = self.edges().iter().find(|edge| edge["parent"] == *id && string(edge, "name") == role)?;
            self.name_of(&edge["child"])
        };
        child("file").or_else(|| child("backing"))
    }
}
