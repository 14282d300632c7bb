//! `.show blocks`: block nodes as trees below the devices that use them.

mod collect;
mod draw;

use serde::Serialize;
use serde_json::{Value, json};

use crate::monitor::{Failure, QmpServer};

use super::ask::ask_all;
use super::{Medium, Picture};

/// The devices with disks, the block nodes, and what else uses these.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Blocks {
    devices: Vec<Device>,
    /// In the server's order: the latest one first.
    nodes: Vec<Node>,
    jobs: Vec<Job>,
    exports: Vec<Export>,
    /// Whether the server tells which node is a child of which.
    knows_children: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
}

/// A device with a disk, or a place for one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Device {
    /// The name of the drive; empty if it has none.
    drive: String,
    /// The id or the QOM path of the device; empty for a drive that no device uses.
    device: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_name: Option<String>,
    removable: bool,
    locked: bool,
    tray_open: bool,
    io_status: String,
    /// Limits on the throughput, and their values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits: Vec<(String, u64)>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Node {
    node_name: String,
    driver: String,
    file: String,
    virtual_size: Option<u64>,
    actual_size: Option<u64>,
    read_only: bool,
    active: bool,
    encrypted: bool,
    corrupt: bool,
    snapshots: usize,
    detect_zeroes: String,
    /// `direct` and `no-flush`, unless they are off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cache: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttle_group: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bitmaps: Vec<Bitmap>,
    children: Vec<Child>,
}

/// An edge of the graph.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Child {
    /// The name of the edge, such as `file`.
    child: String,
    node_name: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Bitmap {
    /// Empty for the bitmap of a job.
    name: String,
    recording: bool,
    persistent: bool,
    busy: bool,
    inconsistent: bool,
    granularity: u64,
    /// In bytes.
    dirty: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Job {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    status: String,
    current: u64,
    total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The nodes that the job uses, by their roles.
    nodes: Vec<Child>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Export {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    node_name: String,
    shutting_down: bool,
}

/// Asks the server for its block graph.
pub(super) fn ask(server: &mut dyn QmpServer) -> Result<Blocks, Failure> {
    let mut replies = ask_all(
        server,
        &[
            ("query-named-block-nodes", json!({ "flat": true })),
            ("query-block", Value::Null),
            ("x-debug-query-block-graph", Value::Null),
            ("query-jobs", Value::Null),
            ("query-block-exports", Value::Null),
        ],
    )?;
    // A server without the command has no exports.
    replies.missing.retain(|sentence| !sentence.contains("`query-block-exports`"));
    collect::collect(&mut replies)
}

impl Picture for Blocks {
    fn draw(&self, medium: &Medium<'_>) -> String {
        draw::draw(self, medium)
    }
}

#[cfg(test)]
mod tests;
