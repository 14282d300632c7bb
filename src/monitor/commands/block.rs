//! Devices and their disks: sizes, limits, and writing changes back.

use serde_json::json;

use super::super::command::{Command, Invocation};
use super::super::parameter::{Parameter, block_device, long_integer, size};
use super::super::server::Failure;

const DEVICE: Parameter = block_device("device");

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "block_resize",
        &[DEVICE, size("size")],
        "change the size of a disk, in MiB unless it has a suffix",
        block_resize,
    ),
    Command::new(
        "block_set_io_throttle",
        &[
            DEVICE,
            long_integer("bps"),
            long_integer("bps_rd"),
            long_integer("bps_wr"),
            long_integer("iops"),
            long_integer("iops_rd"),
            long_integer("iops_wr"),
        ],
        "limit the bytes and operations per second of a device; 0 removes a limit",
        block_set_io_throttle,
    ),
    Command::new("drive_del", &[DEVICE], "remove a drive or a block node", drive_del).partial(
        "QMP removes block nodes only. Of a drive that was made with `-drive` it can remove the medium, if the device \
         is removable.",
    ),
];

fn block_resize(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let key = if call.is_storage_daemon() { "node-name" } else { "device" };
    let (device, size) = (call.device(), call.arguments.integer("size"));
    call.execute("block_resize", json!({ key: device, "size": size }))
}

fn block_set_io_throttle(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let name = call.device();
    // Anything but the name of a device is the id of one.
    let key = if call.find_device(&name)?.is_some() { "device" } else { "id" };
    let limit = |key: &str| call.arguments.integer(key);
    let arguments = json!({
        key: name,
        "bps": limit("bps"),
        "bps_rd": limit("bps_rd"),
        "bps_wr": limit("bps_wr"),
        "iops": limit("iops"),
        "iops_rd": limit("iops_rd"),
        "iops_wr": limit("iops_wr"),
    });
    call.execute("block_set_io_throttle", arguments)
}

/// Removes a node, or else the medium of a drive.
fn drive_del(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let name = call.device();
    if call.find_device(&name)?.is_some() {
        let reason = "QMP removes only the medium of a drive; `device_del` removes its device";
        call.execute("eject", json!({ "device": name, "force": true }))
            .map_err(|failure| failure.map_error(|desc| Some(format!("{desc}: {reason}"))))?;
        call.show_missing_part();
        return Ok(String::new());
    }
    match call.execute("blockdev-del", json!({ "node-name": name })) {
        Err(Failure::Error(error)) if error.desc.starts_with("Failed to find node") => {
            Err(Failure::line(format!("Device '{name}' not found")))
        }
        Err(Failure::Error(error)) => Err(Failure::line(error.desc)),
        result => result,
    }
}
