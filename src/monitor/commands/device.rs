//! Devices: adding, removing, and the list of their types.

use serde_json::{Map, Value, json};

use super::super::command::{Command, Invocation};
use super::super::option_types::{Dialect, Scalar};
use super::super::options::{OptionList, is_help};
use super::super::parameter::{options, text};
use super::super::property_help::property_help;
use super::super::server::Failure;
use super::super::text::{items, string};

const MISSING_IN_LIST: &str = "QMP tells the names of device types, but not their categories, buses and descriptions.";

pub(super) const COMMANDS: &[Command] = &[
    Command::new("device_add", &[options("device")], "plug in a device; `TYPE,help` lists its options", device_add),
    Command::new("device_del", &[text("id")], "unplug a device", |call| {
        let id = call.arguments.text("id").to_owned();
        call.execute("device_del", json!({ "id": id }))
    }),
    Command::new("info qdm", &[], "types of devices", |call| {
        call.show_missing_part();
        device_types(call)
    })
    .partial(MISSING_IN_LIST),
];

/// The key of the type, which may be left out.
const TYPE_KEY: &str = "driver";

fn device_add(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let list = OptionList::parse(call.arguments.text("device"), TYPE_KEY);
    if list.asks_for_help(TYPE_KEY) {
        return match list.get(TYPE_KEY) {
            Some(driver) if !is_help(driver) => device_help(call, driver),
            _ => {
                call.server.show_notice(MISSING_IN_LIST);
                device_types(call)
            }
        };
    }
    if !list.has_valid_id() {
        return Err(Failure::wrong_usage(call.command.name));
    }
    let properties = match list.get(TYPE_KEY) {
        Some(driver) => device_properties(call, driver)?,
        None => Ok(Value::Null),
    };
    let properties = properties.unwrap_or_default();
    let form = |key: &str| {
        let property = items(&properties).iter().find(|property| string(property, "name") == key);
        property.map_or(Scalar::Text, Scalar::of_property)
    };
    let mut members = Map::new();
    for option in &list.options {
        members.insert(option.key.clone(), form(&option.key).value(&option.value));
    }
    members.extend(list.id.map(|id| ("id".to_owned(), json!(id))));
    call.execute("device_add", Value::Object(members)).map_err(|failure| Dialect::OPTIONS.translate(failure, form))
}

/// Returns the properties of a type of device, or the server's error.
fn device_properties(call: &mut Invocation<'_>, driver: &str) -> Result<Result<Value, Failure>, Failure> {
    match call.query("device-list-properties", json!({ "typename": driver })) {
        Err(failure @ Failure::Error(_)) => Ok(Err(failure)),
        reply => reply.map(Ok),
    }
}

fn device_help(call: &mut Invocation<'_>, driver: &str) -> Result<String, Failure> {
    match device_properties(call, driver)? {
        Ok(properties) => property_help(call, driver, &properties),
        Err(Failure::Error(error)) => Err(Failure::line(error.desc)),
        Err(failure) => Err(failure),
    }
}

fn device_types(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("qom-list-types", json!({ "implements": "device", "abstract": false }))?;
    let mut names: Vec<&str> = items(&reply).iter().map(|entry| string(entry, "name")).collect();
    names.sort_by_key(|name| name.to_ascii_lowercase());
    Ok(names.iter().map(|name| format!("name \"{name}\"\n")).collect())
}
