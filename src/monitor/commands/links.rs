//! The links of network devices.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::{switch, text};
use super::super::server::Failure;

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "announce_self",
        &[text("interfaces").optional(), text("id").optional()],
        "announce the guest's addresses to the network",
        announce_self,
    ),
    Command::new("set_link", &[text("name"), switch("up")], "connect or disconnect a network device", set_link),
];

/// The parameters of announcements, which migration has too.
const ANNOUNCEMENT: &[(&str, &str)] = &[
    ("initial", "announce-initial"),
    ("max", "announce-max"),
    ("rounds", "announce-rounds"),
    ("step", "announce-step"),
];

fn announce_self(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let parameters = call.query("query-migrate-parameters", Value::Null)?;
    let mut arguments = json!({ "id": call.arguments.optional_text("id") });
    for (key, parameter) in ANNOUNCEMENT {
        arguments[key] = parameters[parameter].clone();
    }
    if let Some(names) = call.arguments.optional_text("interfaces") {
        arguments["interfaces"] = json!(names.split(',').collect::<Vec<_>>());
    }
    call.execute("announce-self", arguments)
}

fn set_link(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let arguments = json!({ "name": call.arguments.text("name"), "up": call.arguments.is_on("up") });
    call.execute("set_link", arguments)
}
