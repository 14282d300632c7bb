//! Removable media, and the password of VNC: `change`, `eject`.

use serde_json::json;

use super::super::command::{Command, Invocation};
use super::super::parameter::{block_device, file_name, flag, text};
use super::super::server::Failure;

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "change",
        &[
            block_device("device"),
            flag('f', "force"),
            file_name("filename"),
            text("format").optional(),
            text("read-only-mode").optional(),
        ],
        "insert a medium into a device, or set the password of VNC",
        change,
    ),
    Command::new("eject", &[flag('f', "force"), block_device("device")], "remove the medium of a device", |call| {
        let (device, force) = (call.device(), call.arguments.is_on("force"));
        call.execute("eject", json!({ "device": device, "force": force }))
    }),
];

const READ_ONLY_MODES: [&str; 3] = ["retain", "read-only", "read-write"];

fn change(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let arguments = &call.arguments;
    let device = arguments.text("device");
    if device == "vnc" {
        return change_vnc_password(call);
    }
    let read_only_mode = arguments.optional_text("read-only-mode");
    if let Some(mode) = read_only_mode.filter(|mode| !READ_ONLY_MODES.contains(mode)) {
        return Err(Failure::error(format!("invalid parameter value: {mode}")));
    }
    let file = arguments.text("filename").to_owned();
    let request = json!({
        "device": device,
        "filename": file,
        "format": arguments.optional_text("format"),
        "force": arguments.is_on("force"),
        "read-only-mode": read_only_mode,
    });
    call.execute_opening(&file, "blockdev-change-medium", request)
}

fn change_vnc_password(call: &mut Invocation<'_>) -> Result<String, Failure> {
    if call.arguments.optional_text("read-only-mode").is_some() {
        return Err(usage_error(call, "Parameter 'read-only-mode' is invalid for VNC")?);
    }
    if !matches!(call.arguments.text("filename"), "passwd" | "password") {
        return Err(usage_error(call, "Expected 'password' after 'vnc'")?);
    }
    let password = match call.arguments.optional_text("format") {
        Some(password) => Some(password.to_owned()),
        None => call.server.ask_for_secret("Password: ")?,
    };
    let Some(password) = password else {
        return Err(Failure::line("terminal does not support password prompting"));
    };
    call.execute("change-vnc-password", json!({ "password": password }))
}

/// Returns the failure of a wrong line for VNC, which QEMU before 8.0 prints without `Error: `.
fn usage_error(call: &mut Invocation<'_>, desc: &str) -> Result<Failure, Failure> {
    Ok(if call.is_older_than(8, 0)? { Failure::line(desc) } else { Failure::error(desc) })
}
