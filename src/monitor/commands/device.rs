//! Devices: adding, removing, and the list of their types.

use serde_json::{Map, Value, json};

use super::super::command::{Command, Invocation};
use super::super::object_tree::require_machine;
use super::super::option_types::{Dialect, Scalar};
use super::super::options::{OptionList, is_help};
use super::super::parameter::{options, text};
use super::super::property_help::property_help;
use super::super::server::{Failure, ServerError};
use super::super::text::{items, string};

const MISSING_IN_LIST: &str = "QMP tells the names of device types, but not their categories, buses and descriptions.";

pub(super) const COMMANDS: &[Command] = &[
    Command::new("device_add", &[options("device")], "plug in a device; `TYPE,help` lists its options", device_add),
    Command::new("device_del", &[text("id")], "unplug a device", |call| {
        let id = call.arguments.text("id").to_owned();
        call.execute("device_del", json!({ "id": id }))
    }),
    Command::new("info qdm", &[], "types of devices", device_types).partial(MISSING_IN_LIST),
];

/// The key of the type, which may be left out.
const TYPE_KEY: &str = "driver";

fn device_add(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let list = OptionList::parse(call.arguments.text("device"), TYPE_KEY);
    if list.asks_for_help(TYPE_KEY) {
        return match list.get(TYPE_KEY) {
            Some(driver) if !is_help(driver) => device_help(call, driver),
            _ => device_types(call),
        };
    }
    let properties = match list.get(TYPE_KEY) {
        Some(driver) => device_properties(call, driver)?.map_or(Value::Null, |(_, properties)| properties),
        None => Value::Null,
    };
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

/// Names of device types that are short for others.
const ALIASES: &[(&str, &str)] =
    &[("ac97", "AC97"), ("ahci", "ich9-ahci"), ("e1000-82540em", "e1000"), ("es1370", "ES1370"), ("lsi", "lsi53c895a")];

/// The ends of the names of virtio devices, which may be left out.
const VIRTIO_SUFFIXES: &[&str] = &["-pci", "-ccw", "-device"];

/// Returns the name of a type of device, which may be an alias, and its properties; or the server's error.
fn device_properties(call: &mut Invocation<'_>, driver: &str) -> Result<Result<(String, Value), ServerError>, Failure> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == driver).map(|(_, name)| (*name).to_owned());
    let virtio =
        VIRTIO_SUFFIXES.iter().filter(|_| driver.starts_with("virtio-")).map(|suffix| format!("{driver}{suffix}"));
    let names = [driver.to_owned()].into_iter().chain(alias).chain(virtio);
    let mut error = None;
    for name in names {
        match call.query("device-list-properties", json!({ "typename": name })) {
            Ok(properties) => return Ok(Ok((name, properties))),
            Err(Failure::Error(refusal)) => error = error.or(Some(refusal)),
            Err(failure) => return Err(failure),
        }
    }
    Ok(Err(error.unwrap_or_default()))
}

fn device_help(call: &mut Invocation<'_>, driver: &str) -> Result<String, Failure> {
    match device_properties(call, driver)? {
        Ok((name, properties)) => property_help(call, &name, &properties),
        Err(error) if error.class == "CommandNotFound" => Err(error.into()),
        // QEMU prints this as it prints help, without `Error: `.
        Err(error) => Ok(error.desc + "\n"),
    }
}

fn device_types(call: &mut Invocation<'_>) -> Result<String, Failure> {
    require_machine(call.server)?;
    call.server.show_notice(MISSING_IN_LIST);
    let reply = call.query("qom-list-types", json!({ "implements": "device", "abstract": false }))?;
    let mut names: Vec<&str> = items(&reply).iter().map(|entry| string(entry, "name")).collect();
    names.sort_by_key(|name| name.to_ascii_lowercase());
    Ok(names.iter().map(|name| format!("name \"{name}\"\n")).collect())
}
