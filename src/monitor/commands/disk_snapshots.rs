//! Snapshots of single disks: external ones in new images, and internal ones.

use serde_json::json;

use super::super::command::{Command, Invocation};
use super::super::parameter::{block_device, flag, text};
use super::super::server::Failure;

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "snapshot_blkdev",
        &[flag('n', "reuse"), block_device("device"), text("snapshot-file").optional(), text("format").optional()],
        "put a new image on top of that of a device; -n uses one that exists",
        snapshot_blkdev,
    ),
    Command::new(
        "snapshot_blkdev_internal",
        &[block_device("device"), text("name")],
        "make a snapshot inside a device's image",
        |call| {
            let (device, name) = (call.device(), call.arguments.text("name"));
            let arguments = json!({ "device": device, "name": name });
            call.execute("blockdev-snapshot-internal-sync", arguments)
        },
    ),
    Command::new(
        "snapshot_delete_blkdev_internal",
        &[block_device("device"), text("name"), text("id").optional()],
        "delete a snapshot inside a device's image",
        |call| {
            let (device, name, id) = (call.device(), call.arguments.text("name"), call.arguments.optional_text("id"));
            let arguments = json!({ "device": device, "name": name, "id": id });
            call.execute("blockdev-snapshot-delete-internal-sync", arguments)
        },
    ),
];

fn snapshot_blkdev(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let Some(file) = call.arguments.optional_text("snapshot-file").map(str::to_owned) else {
        return Err(Failure::error("Parameter 'snapshot-file' is missing"));
    };
    let has_nodes_only = call.is_storage_daemon();
    let arguments = &call.arguments;
    let mut request = json!({
        "snapshot-file": file,
        "format": arguments.optional_text("format"),
        "mode": if arguments.is_on("reuse") { "existing" } else { "absolute-paths" },
    });
    let name = arguments.text("device");
    if has_nodes_only {
        request["node-name"] = name.into();
        // A node made by its user needs a name.
        request["snapshot-node-name"] = format!("{name}-overlay").into();
    } else {
        request["device"] = name.into();
    }
    call.execute_opening(&file, "blockdev-snapshot-sync", request)
}
