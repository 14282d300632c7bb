//! The block graph from the replies to several queries.

use std::cmp::Ordering;
use std::collections::HashMap;

use serde_json::Value;

use crate::monitor::Failure;
use crate::monitor::text::{count, is_true, items, string};
use crate::qom::natural_cmp;

use super::super::ask::Replies;
use super::{Bitmap, Blocks, Child, Device, Export, Job, Node};

/// The members of a device that limit its throughput.
const LIMITS: [&str; 6] = ["bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"];

/// Makes the graph of the replies, in the order in which they were asked for.
pub(super) fn collect(replies: &mut Replies) -> Result<Blocks, Failure> {
    let graph = replies.take(2);
    let [nodes, devices, jobs, exports] = [0, 1, 3, 4].map(|place| replies.take_objects(place));
    let (nodes, devices, jobs, exports) = (nodes?, devices?, jobs?, exports?);
    let edges = Edges::of_graph(&graph);
    let mut nodes: Vec<Node> = items(&nodes).iter().map(node).collect();
    nodes.retain(|node| !node.node_name.is_empty());
    let knows_children = graph.is_object() || nodes.iter().any(|node| !node.children.is_empty());
    for node in &mut nodes {
        if let Some(children) = edges.of_nodes.get(node.node_name.as_str()) {
            node.children.clone_from(children);
        }
        node.children.sort_by(compare_children);
    }
    Ok(Blocks {
        devices: items(&devices).iter().map(device).collect(),
        nodes,
        jobs: items(&jobs).iter().map(|entry| job(entry, &edges)).collect(),
        exports: items(&exports).iter().map(export).collect(),
        knows_children,
        missing: std::mem::take(&mut replies.missing),
    })
}

/// Compares edges so that the data itself comes first and the backing file last.
fn compare_children(one: &Child, other: &Child) -> Ordering {
    let rank = |child: &Child| match child.child.as_str() {
        "file" => 0,
        "backing" => 2,
        _ => 1,
    };
    rank(one).cmp(&rank(other)).then_with(|| natural_cmp(&one.child, &other.child))
}

/// The edges that the debugging command tells, by the names of the parents.
struct Edges<'a> {
    of_nodes: HashMap<&'a str, Vec<Child>>,
    of_jobs: HashMap<&'a str, Vec<Child>>,
}

impl Edges<'_> {
    fn of_graph(graph: &Value) -> Edges<'_> {
        let mut edges = Edges { of_nodes: HashMap::new(), of_jobs: HashMap::new() };
        let vertices: HashMap<u64, &Value> =
            items(&graph["nodes"]).iter().map(|vertex| (count(vertex, "id"), vertex)).collect();
        for edge in items(&graph["edges"]) {
            let vertex = |key| vertices.get(&count(edge, key));
            let (Some(parent), Some(child)) = (vertex("parent"), vertex("child")) else { continue };
            let child = Child { child: string(edge, "name").to_owned(), node_name: string(child, "name").to_owned() };
            let found = match string(parent, "type") {
                "block-driver" => &mut edges.of_nodes,
                "block-job" => &mut edges.of_jobs,
                _ => continue,
            };
            found.entry(string(parent, "name")).or_default().push(child);
        }
        edges
    }
}

fn device(entry: &Value) -> Device {
    let inserted = &entry["inserted"];
    let limits = LIMITS.iter().map(|name| ((*name).to_owned(), count(inserted, name)));
    Device {
        drive: string(entry, "device").to_owned(),
        device: device_name(string(entry, "qdev")).to_owned(),
        node_name: inserted["node-name"].as_str().map(str::to_owned),
        removable: is_true(entry, "removable"),
        locked: is_true(entry, "locked"),
        tray_open: is_true(entry, "tray_open"),
        io_status: string(entry, "io-status").to_owned(),
        limits: limits.filter(|(_, value)| *value > 0).collect(),
    }
}

/// Returns the id of a device that has one, or else its path.
fn device_name(qdev: &str) -> &str {
    let id = qdev.strip_prefix("/machine/peripheral/").unwrap_or(qdev);
    let id = id.strip_suffix("/virtio-backend").unwrap_or(id);
    if id.contains('/') { qdev } else { id }
}

fn node(entry: &Value) -> Node {
    let image = &entry["image"];
    let file = string(entry, "file");
    let cache = ["direct", "no-flush"].into_iter().filter(|name| is_true(&entry["cache"], name));
    let data = &image["format-specific"]["data"];
    let child = |child: &Value| Child {
        child: string(child, "child").to_owned(),
        node_name: string(child, "node-name").to_owned(),
    };
    Node {
        node_name: string(entry, "node-name").to_owned(),
        driver: string(entry, "drv").to_owned(),
        file: file.to_owned(),
        virtual_size: image["virtual-size"].as_u64(),
        actual_size: image["actual-size"].as_u64(),
        read_only: is_true(entry, "ro"),
        active: entry["active"].as_bool().unwrap_or(true),
        encrypted: is_true(entry, "encrypted"),
        corrupt: is_true(data, "corrupt"),
        snapshots: items(&image["snapshots"]).len(),
        detect_zeroes: string(entry, "detect_zeroes").to_owned(),
        cache: cache.collect(),
        throttle_group: throttle_group(entry),
        bitmaps: items(&entry["dirty-bitmaps"]).iter().map(bitmap).collect(),
        // From QEMU 10.1 on.
        children: items(&entry["children"]).iter().map(child).collect(),
    }
}

/// Returns the throttle group of a node, which only its file name tells.
fn throttle_group(entry: &Value) -> Option<String> {
    let options = string(entry, "file").strip_prefix("json:").filter(|_| string(entry, "drv") == "throttle")?;
    let options: Value = serde_json::from_str(options).ok()?;
    Some(options["throttle-group"].as_str()?.to_owned())
}

fn bitmap(entry: &Value) -> Bitmap {
    Bitmap {
        name: string(entry, "name").to_owned(),
        recording: is_true(entry, "recording"),
        persistent: is_true(entry, "persistent"),
        busy: is_true(entry, "busy"),
        inconsistent: is_true(entry, "inconsistent"),
        granularity: count(entry, "granularity"),
        dirty: count(entry, "count"),
    }
}

fn job(entry: &Value, edges: &Edges<'_>) -> Job {
    let id = string(entry, "id");
    Job {
        id: id.to_owned(),
        kind: string(entry, "type").to_owned(),
        status: string(entry, "status").to_owned(),
        current: count(entry, "current-progress"),
        total: count(entry, "total-progress"),
        error: entry["error"].as_str().map(str::to_owned),
        nodes: edges.of_jobs.get(id).cloned().unwrap_or_default(),
    }
}

fn export(entry: &Value) -> Export {
    Export {
        id: string(entry, "id").to_owned(),
        kind: string(entry, "type").to_owned(),
        node_name: string(entry, "node-name").to_owned(),
        shutting_down: is_true(entry, "shutting-down"),
    }
}
