//! Writing the changes in an overlay back to its backing file.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::block_device;
use super::super::server::Failure;
use super::super::text::{integer, is_true, items, string};

pub(super) const COMMANDS: &[Command] = &[Command::new(
    "commit",
    &[block_device("device|all")],
    "write the changes of a device, or of all, to its backing file",
    commit,
)
.partial("The overlay keeps a copy of the data that it writes to its backing file.")];

fn commit(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let name = call.arguments.text("device|all").to_owned();
    let devices = call.devices()?;
    let error = |reason: &str| Failure::line(format!("'commit' error for '{name}': {reason}"));
    let explain = |failure: Failure| match failure {
        Failure::Error(cause) => error(reason_of(&cause.desc)),
        failure => failure,
    };
    if name == "all" {
        for overlay in devices.iter().filter(|device| has_backing_file(device)) {
            commit_device(call, overlay, &name).map_err(explain)?;
        }
        return Ok(String::new());
    }
    let Some(device) = devices.iter().find(|device| string(device, "device") == name && !name.is_empty()) else {
        return Err(Failure::line(format!("Device '{name}' not found")));
    };
    if device.get("inserted").is_none() {
        return Err(Failure::line(format!("Device '{name}' has no medium")));
    }
    if !has_backing_file(device) {
        return Err(error("Operation not supported"));
    }
    commit_device(call, device, &name).map_err(explain)?;
    Ok(String::new())
}

fn has_backing_file(device: &Value) -> bool {
    device["inserted"].get("backing_file").is_some()
}

/// Returns the reason for an error as QEMU's own monitor names it.
fn reason_of(desc: &str) -> &str {
    if desc.contains("busy") || desc.contains("in use") { "Device or resource busy" } else { desc }
}

/// Copies an overlay to its backing file. The device goes on with the overlay. `name` is the argument of the line.
fn commit_device(call: &mut Invocation<'_>, device: &Value, name: &str) -> Result<(), Failure> {
    let medium = &device["inserted"];
    if is_true(medium, "ro") {
        let text = format!("Block node is read-only\n'commit' error for '{name}': Operation not permitted");
        return Err(Failure::line(text));
    }
    let base = match integer(medium, "backing_file_depth") {
        1 => None,
        _ => backing_node(call, medium)?,
    };
    let id = call.new_job_id();
    let device = string(device, "device");
    let arguments = json!({ "job-id": id, "device": device, "base-node": base, "auto-dismiss": false });
    call.with_job(&id, |call| copy_until_complete(call, &id, arguments))
}

fn copy_until_complete(call: &mut Invocation<'_>, id: &str, arguments: Value) -> Result<(), Failure> {
    call.execute("block-commit", arguments)?;
    let job = call.server.wait_for_job(id, "ready")?;
    if string(&job, "status") == "ready" {
        // Ends the job without removing the overlay.
        call.execute("block-job-cancel", json!({ "device": id }))?;
    }
    call.finish_job(id)
}

/// Returns the name of the node with the backing file.
fn backing_node(call: &mut Invocation<'_>, medium: &Value) -> Result<Option<String>, Failure> {
    let backing = &medium["image"]["backing-image"];
    let nodes = call.query("query-named-block-nodes", json!({ "flat": true }))?;
    let is_backing = |node: &&Value| node["file"] == backing["filename"] && node["drv"] == backing["format"];
    let node = items(&nodes).iter().find(is_backing);
    Ok(node.map(|node| string(node, "node-name").to_owned()))
}
