//! Disks served over NBD.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::{block_device, flag, text};
use super::super::server::Failure;
use super::super::socket_address::parse_socket_address;
use super::super::text::{items, string};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "nbd_server_add",
        &[flag('w', "writable"), block_device("device"), text("name").optional()],
        "serve a disk over NBD, by default under its own name",
        |call| {
            let (device, name) = (call.device(), call.arguments.optional_text("name").map(str::to_owned));
            let writable = call.arguments.is_on("writable");
            call.execute("nbd-server-add", json!({ "device": device, "name": name, "writable": writable }))
        },
    ),
    Command::new(
        "nbd_server_remove",
        &[flag('f', "force"), text("name")],
        "end the NBD export of a disk; with -f even if clients use it",
        |call| {
            let mode = if call.arguments.is_on("force") { "hard" } else { "safe" };
            let name = call.arguments.text("name").to_owned();
            call.execute("nbd-server-remove", json!({ "name": name, "mode": mode }))
        },
    ),
    Command::new(
        "nbd_server_start",
        &[flag('a', "all"), flag('w', "writable"), text("host:port")],
        "start the NBD server on HOST:PORT or unix:PATH; with -a for all disks",
        nbd_server_start,
    ),
    Command::new("nbd_server_stop", &[], "stop the NBD server", |call| call.execute("nbd-server-stop", Value::Null)),
];

fn nbd_server_start(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let (all, writable) = (call.arguments.is_on("all"), call.arguments.is_on("writable"));
    if writable && !all {
        return Err(Failure::error("-w only valid together with -a"));
    }
    let address = parse_socket_address(call.arguments.text("host:port"))?;
    call.execute("nbd-server-start", json!({ "addr": address }))?;
    if !all {
        return Ok(String::new());
    }
    let result = export_all(call, writable);
    if let Err(Failure::Error(_)) = result {
        call.execute("nbd-server-stop", Value::Null)?;
    }
    result
}

/// Exports the medium of every device.
fn export_all(call: &mut Invocation<'_>, writable: bool) -> Result<String, Failure> {
    let devices = call.query("query-block", json!({}))?;
    for device in items(&devices).iter().filter(|device| device.get("inserted").is_some()) {
        call.execute("nbd-server-add", json!({ "device": string(device, "device"), "writable": writable }))?;
    }
    Ok(String::new())
}
