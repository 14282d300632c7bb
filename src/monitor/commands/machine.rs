//! The machine as a whole: its run state, its version, its name.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::server::Failure;
use super::super::text::{is_true, string};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("cont", &[], "let the guest run", |call| call.execute("cont", Value::Null)).aliases(&["c"]),
    Command::new("info name", &[], "the name of the machine", info_name),
    Command::new("info status", &[], "whether the guest runs, and why not", info_status),
    Command::new("info version", &[], "the version of QEMU", info_version),
    Command::new("quit", &[], "end QEMU", |call| call.execute("quit", Value::Null)).aliases(&["q"]),
    Command::new("stop", &[], "pause the guest", |call| call.execute("stop", Value::Null)).aliases(&["s"]),
];

fn info_name(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-name", json!({}))?;
    Ok(reply.get("name").and_then(Value::as_str).map(|name| format!("{name}\n")).unwrap_or_default())
}

fn info_status(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-status", json!({}))?;
    let status = string(&reply, "status");
    Ok(match is_true(&reply, "running") {
        true => "VM status: running\n".to_owned(),
        false if status == "paused" => "VM status: paused\n".to_owned(),
        false => format!("VM status: paused ({status})\n"),
    })
}

fn info_version(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-version", json!({}))?;
    let number = |part: &str| reply["qemu"][part].as_u64().unwrap_or_default();
    let (major, minor, micro) = (number("major"), number("minor"), number("micro"));
    Ok(format!("{major}.{minor}.{micro}{}\n", string(&reply, "package")))
}
