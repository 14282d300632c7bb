//! Snapshots of the whole VM: `savevm`, `loadvm`, `delvm`, `info snapshots`.

use chrono::Local;
use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::text;
use super::super::server::Failure;
use super::super::text::{items, string};
use super::image_info::TableLayout;
use super::snapshot_nodes::{SnapshotNode, snapshot_nodes};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("delvm", &[text("tag")], "delete a snapshot of the VM", delvm),
    Command::new("info snapshots", &[], "snapshots of the VM", info_snapshots),
    Command::new("loadvm", &[text("tag")], "return the VM to a snapshot", loadvm),
    Command::new(
        "savevm",
        &[text("tag").optional()],
        "save the VM and its disks in a snapshot, named by the time unless it has a tag",
        savevm,
    ),
];

const NO_STATE_HOLDER: &str = "no block device can store vmstate for snapshot";

/// The prefix of the reason why a VM with a certain device cannot be saved.
const NON_MIGRATABLE: &str = "non-migratable device: ";

fn savevm(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let tag = match call.arguments.optional_text("tag") {
        Some(tag) => tag.to_owned(),
        None => Local::now().format("vm-%Y%m%d%H%M%S").to_string(),
    };
    check_whether_migratable(call)?;
    let nodes = snapshot_nodes(call)?;
    if nodes.iter().any(|node| node.snapshots.iter().any(|snapshot| string(snapshot, "name") == tag)) {
        delete(call, &tag, &nodes)?;
    }
    let holder = state_holder(&nodes)?;
    let job_id = call.new_job_id();
    let arguments = json!({"job-id": job_id, "tag": tag, "vmstate": holder, "devices": names(&nodes)});
    call.run_job("snapshot-save", arguments)?;
    Ok(String::new())
}

/// Fails if the state of the VM cannot be saved. That must be known before an older snapshot is deleted.
fn check_whether_migratable(call: &mut Invocation<'_>) -> Result<(), Failure> {
    let migration = call.query("query-migrate", json!({}))?;
    let reasons = items(&migration["blocked-reasons"]).iter().filter_map(Value::as_str);
    let device = reasons.clone().find_map(|reason| reason.strip_prefix(NON_MIGRATABLE));
    match (device, reasons.clone().next()) {
        (Some(device), _) => Err(Failure::error(format!("State blocked by non-migratable device '{device}'"))),
        (None, Some(reason)) => Err(Failure::error(reason)),
        (None, None) => Ok(()),
    }
}

fn loadvm(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let tag = call.arguments.text("tag").to_owned();
    let nodes = snapshot_nodes(call)?;
    let holder = state_holder(&nodes)?;
    let job_id = call.new_job_id();
    let arguments = json!({"job-id": job_id, "tag": tag, "vmstate": holder, "devices": names(&nodes)});
    call.run_job("snapshot-load", arguments)?;
    Ok(String::new())
}

fn delvm(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let tag = call.arguments.text("tag").to_owned();
    let nodes = snapshot_nodes(call)?;
    if !nodes.is_empty() {
        delete(call, &tag, &nodes)?;
    }
    Ok(String::new())
}

/// Deletes a snapshot in all nodes that have it.
fn delete(call: &mut Invocation<'_>, tag: &str, nodes: &[SnapshotNode]) -> Result<(), Failure> {
    let job_id = call.new_job_id();
    call.run_job("snapshot-delete", json!({"job-id": job_id, "tag": tag, "devices": names(nodes)}))
}

fn names(nodes: &[SnapshotNode]) -> Vec<&str> {
    nodes.iter().map(|node| node.name.as_str()).collect()
}

/// Returns the name of the node that holds the state of the VM. Among nodes that all cannot, it is up to the server to
/// say why.
fn state_holder(nodes: &[SnapshotNode]) -> Result<&str, Failure> {
    let holder = nodes.iter().find(|node| node.can_hold_state).or(nodes.first());
    holder.map(|node| node.name.as_str()).ok_or_else(|| Failure::error(NO_STATE_HOLDER))
}

fn info_snapshots(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let nodes = snapshot_nodes(call)?;
    let Some(holder) = nodes.iter().find(|node| node.can_hold_state) else {
        return Ok(format!("{NO_STATE_HOLDER}\n"));
    };
    if nodes.iter().all(|node| node.snapshots.is_empty()) {
        return Ok("There is no snapshot available.\n".to_owned());
    }
    let layout = TableLayout::of_server(call)?;
    let has = |node: &SnapshotNode, name: &str| node.snapshots.iter().any(|other| string(other, "name") == name);
    let is_on_all = |snapshot: &&Value| nodes.iter().all(|node| has(node, string(snapshot, "name")));
    let table = |rows: Vec<String>| layout.header() + &rows.concat();

    let complete: Vec<_> = holder.snapshots.iter().filter(is_on_all).map(|one| layout.snapshot(one, "--")).collect();
    let mut text = "List of snapshots present on all disks:\n".to_owned();
    text += &if complete.is_empty() { "None\n".to_owned() } else { table(complete) };
    for node in &nodes {
        let partial = node.snapshots.iter().filter(|snapshot| !is_on_all(snapshot));
        let rows: Vec<_> = partial.map(|snapshot| layout.snapshot(snapshot, string(snapshot, "id"))).collect();
        if !rows.is_empty() {
            text += &format!("\nList of partial (non-loadable) snapshots on '{}':\n", node.label);
            text += &table(rows);
        }
    }
    Ok(text)
}
