//! The block nodes that a snapshot of the VM includes, in the order of QEMU's own monitor.

use std::collections::{HashMap, HashSet};

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
    let (devices, graph) = (next()?, Graph::new(&next().unwrap_or_default()));
    let devices = items(&devices);
    let nodes = match nodes_of_devices(devices, &graph) {
        Some(nodes) => nodes,
        None => call.query("query-named-block-nodes", json!({ "flat": true }))?,
    };
    let nodes = items(&nodes);
    let says_active = |node: &Value| node.get("active").is_some();
    let are_active = nodes.is_empty() || nodes.iter().any(says_active) || !has_lent_disks(call)?;
    let blocks = Blocks::new(devices, nodes, graph, are_active);
    let state_holders = blocks.names_of_state_holders();

    let mut names = blocks.names_of_used_nodes();
    let mut unused = blocks.names_of_unused_nodes();
    // QEMU 7.2 finds all unused nodes, 10.0 does not.
    if !unused.is_empty() && !call.is_older_than(8, 0)? {
        blocks.retain_found_nodes(&mut unused, names.last());
    }
    names.extend(unused);
    Ok(names.iter().filter_map(|name| blocks.snapshot_node(name, &state_holders)).collect())
}

/// Returns the nodes of the devices, if these tell all: each node that is used is that of a device and a qcow2 image, and
/// none is unused. Then the server need not describe every node.
fn nodes_of_devices(devices: &[Value], graph: &Graph) -> Option<Value> {
    let inserted: Vec<&Value> =
        devices.iter().map(|device| &device["inserted"]).filter(|node| !node.is_null()).collect();
    let is_qcow2 = |node: &&&Value| string(node, "drv") == "qcow2";
    let told: HashSet<&str> = inserted.iter().filter(is_qcow2).map(|node| string(node, "node-name")).collect();
    let used = &graph.used_roots;
    let tells_all =
        !used.is_empty() && used.iter().all(|name| told.contains(name.as_str())) && graph.unused_nodes.is_empty();
    tells_all.then(|| inserted.into_iter().cloned().collect())
}

/// Returns whether the disks belong to the other side of a migration.
fn has_lent_disks(call: &mut Invocation<'_>) -> Result<bool, Failure> {
    let status = call.query("query-status", Value::Null)?;
    Ok(matches!(string(&status, "status"), "inmigrate" | "postmigrate"))
}

/// The devices and nodes of a server, which may have very many.
struct Blocks<'a> {
    devices: &'a [Value],
    /// The latest one first.
    nodes: &'a [Value],
    nodes_by_name: HashMap<&'a str, &'a Value>,
    /// The names of the devices that have one, by the nodes of their media.
    names_of_devices: HashMap<&'a str, &'a str>,
    graph: Graph,
    /// Whether nodes are active that do not say so.
    are_active: bool,
}

impl<'a> Blocks<'a> {
    fn new(devices: &'a [Value], nodes: &'a [Value], graph: Graph, are_active: bool) -> Blocks<'a> {
        // The first of several wins.
        let nodes_by_name = nodes.iter().rev().map(|node| (string(node, "node-name"), node)).collect();
        let named =
            devices.iter().rev().map(|device| (string(&device["inserted"], "node-name"), string(device, "device")));
        let names_of_devices = named.filter(|(_, name)| !name.is_empty()).collect();
        Blocks { devices, nodes, nodes_by_name, names_of_devices, graph, are_active }
    }

    /// Returns the names of the nodes that devices, exports and jobs use.
    fn names_of_used_nodes(&self) -> Vec<String> {
        let mut names = self.graph.used_roots.clone();
        if names.is_empty() {
            names = self.devices.iter().map(|device| string(&device["inserted"], "node-name").to_owned()).collect();
        }
        let mut seen = HashSet::new();
        names.retain(|name| !name.is_empty() && seen.insert(name.clone()));
        names
    }

    /// Returns the names of the nodes that nothing uses, oldest first.
    fn names_of_unused_nodes(&self) -> Vec<String> {
        let oldest_first = self.nodes.iter().rev().map(|node| string(node, "node-name"));
        oldest_first.filter(|name| self.graph.unused_nodes.contains(*name)).map(str::to_owned).collect()
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
        name.starts_with('#') || self.names_of_devices.contains_key(name)
    }

    /// Returns the node, unless it is read-only.
    fn snapshot_node(&self, name: &str, state_holders: &HashSet<&str>) -> Option<SnapshotNode> {
        let node = self.nodes_by_name.get(name).filter(|node| !is_true(node, "ro"))?;
        Some(SnapshotNode {
            name: name.to_owned(),
            label: self.names_of_devices.get(name).copied().unwrap_or(name).to_owned(),
            can_hold_state: state_holders.contains(name),
            snapshots: items(&node["image"]["snapshots"]).to_vec(),
        })
    }

    /// Returns the nodes that can hold the state of a VM: those that are active, and that are qcow2 images or have one
    /// below them.
    fn names_of_state_holders(&self) -> HashSet<&'a str> {
        let node = |name: &str| self.nodes_by_name.get(name);
        let is_qcow2 = |name: &str| node(name).is_some_and(|node| string(node, "drv") == "qcow2");
        // Whether a node is a qcow2 image or has one below it. Each node is visited once, also in a circle.
        let mut leads_to_image: HashMap<&str, bool> = HashMap::new();
        for &start in self.nodes_by_name.keys() {
            let mut path = Vec::new();
            let mut next = Some(start);
            let mut found = false;
            while let Some(name) = next {
                if let Some(known) = leads_to_image.get(name) {
                    found = *known;
                    break;
                }
                path.push(name);
                found = is_qcow2(name);
                leads_to_image.insert(name, found);
                next = self.graph.main_children.get(name).map(String::as_str).filter(|_| !found);
            }
            if found {
                leads_to_image.extend(path.into_iter().map(|name| (name, true)));
            }
        }
        let is_active = |name: &str| node(name).and_then(|node| node["active"].as_bool()).unwrap_or(self.are_active);
        let names = self.nodes_by_name.keys().copied();
        names.filter(|name| leads_to_image.get(name) == Some(&true) && is_active(name)).collect()
    }
}

/// The reply to `x-debug-query-block-graph`: nodes with their users.
struct Graph {
    /// The nodes that devices, exports and jobs use, in the order in which these were made.
    used_roots: Vec<String>,
    /// The nodes without a user.
    unused_nodes: HashSet<String>,
    /// The nodes whose data nodes pass on.
    main_children: HashMap<String, String>,
}

impl Graph {
    fn new(reply: &Value) -> Graph {
        let id = |value: &Value| value.to_string();
        let (vertices, edges) = (items(&reply["nodes"]), items(&reply["edges"]));
        // The first of several wins.
        let names: HashMap<String, &str> =
            vertices.iter().rev().map(|vertex| (id(&vertex["id"]), string(vertex, "name"))).collect();
        let mut first_children: HashMap<String, &str> = HashMap::new();
        let mut main_children = HashMap::new();
        for role in ["backing", "file", ""] {
            for edge in edges.iter().rev().filter(|edge| role.is_empty() || string(edge, "name") == role) {
                let Some(child) = names.get(&id(&edge["child"])) else { continue };
                let parent = id(&edge["parent"]);
                if role.is_empty() {
                    first_children.insert(parent, child);
                } else if let Some(parent) = names.get(&parent) {
                    main_children.insert((*parent).to_owned(), (*child).to_owned());
                }
            }
        }
        let of_kind = |kind: &'static str| vertices.iter().filter(move |vertex| string(vertex, "type") == kind);
        let mut backends: Vec<&Value> = of_kind("block-backend").collect();
        backends.sort_by_key(|backend| backend["id"].as_i64());
        let roots = backends.iter().filter_map(|backend| first_children.get(&id(&backend["id"])));
        let used: HashSet<String> = edges.iter().map(|edge| id(&edge["child"])).collect();
        let unused = of_kind("block-driver").filter(|vertex| !used.contains(&id(&vertex["id"])));
        Graph {
            used_roots: roots.map(|name| (*name).to_owned()).collect(),
            unused_nodes: unused.map(|vertex| string(vertex, "name").to_owned()).collect(),
            main_children,
        }
    }
}
