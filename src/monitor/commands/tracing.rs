//! Trace events.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::{integer, switch, text};
use super::super::server::Failure;
use super::super::text::{items, string};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "info trace-events",
        &[text("name").optional(), integer("vcpu").optional()],
        "the trace events and their states, all or those that match a pattern",
        info_trace_events,
    ),
    Command::new(
        "trace-event",
        &[text("name"), switch("option"), integer("vcpu").optional()],
        "switch trace events, all that match a pattern",
        trace_event,
    ),
];

fn trace_event(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let vcpu = vcpu(call, "trace-event-set-state");
    let arguments = json!({
        "name": call.arguments.text("name"),
        "enable": call.arguments.is_on("option"),
        "ignore-unavailable": true,
        "vcpu": vcpu,
    });
    call.execute("trace-event-set-state", arguments).map_err(Failure::without_prefix)
}

fn info_trace_events(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let vcpu = vcpu(call, "trace-event-get-state");
    let name = call.arguments.optional_text("name").unwrap_or("*").to_owned();
    let reply = call.query("trace-event-get-state", json!({ "name": name, "vcpu": vcpu }));
    let reply = reply.map_err(Failure::without_prefix)?;
    let line = |event: &Value| {
        let state = u8::from(string(event, "state") == "enabled");
        format!("{} : state {state}\n", string(event, "name"))
    };
    Ok(items(&reply).iter().map(line).collect())
}

/// Returns the CPU in a line, for the servers whose events have a state for each CPU (up to QEMU 8.0). Later ones ignore
/// it.
fn vcpu(call: &mut Invocation<'_>, command: &str) -> Option<i64> {
    let vcpu = call.arguments.optional_integer("vcpu")?;
    call.takes_argument(command, "vcpu").then_some(vcpu)
}
