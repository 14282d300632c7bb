//! `drive_add`: drives and block nodes from lists of options.

use serde_json::{Map, Value, json};

use crate::schema::{Schema, Type};

use super::super::command::{Command, Invocation};
use super::super::option_types::{Scalar, typed_object};
use super::super::options::{IDENTIFIER_RULE, NestedOptions, OptionList, is_help};
use super::super::parameter::{flag, text};
use super::super::server::{Failure, ServerError};
use super::super::text::{by_member, string};
use super::drive_options::{PROTOCOLS, interface_of_drive, named_node, node_of_drive};

pub(super) const COMMANDS: &[Command] = &[Command::new(
    "drive_add",
    &[flag('n', "node"), text("pci_addr"), text("opts")],
    "add a drive for a device, or a block node with -n",
    drive_add,
)
.partial(
    "The drive is a block node with its id as its name: `device_add` takes it as `drive=ID`, `info block -n` shows it, \
     `drive_del` removes it. Drives without a medium, or with limits, error policies or `snapshot=on`, are refused.",
)];

/// The formats that are tried for a file of unknown format. Anything can be a raw image.
const TRIED_FORMATS: [&str; 5] = ["qcow2", "vmdk", "vdi", "vhdx", "qed"];

fn drive_add(call: &mut Invocation<'_>) -> Result<String, Failure> {
    // The first option has no implied key; a comma before it says so.
    let mut options = OptionList::parse(&format!(",{}", call.arguments.text("opts")), "");
    options.options.retain(|option| !(option.key.is_empty() && option.value.is_empty()));
    let warnings = warnings_of(&options);
    let result = match call.arguments.is_on("node") {
        true => add_node(call, &options),
        false => add_drive(call, &options),
    };
    match result {
        Ok(text) => Ok(warnings + &text),
        Err(Failure::Text(text)) => Err(Failure::Text(warnings + &text)),
        Err(failure) => Err(failure),
    }
}

/// Returns the warnings about options without a value.
fn warnings_of(options: &OptionList) -> String {
    let short = options.options.iter().filter(|option| option.is_short && !is_help(&option.key));
    let warning = |key: &str, value: &str| {
        let written = if value == "off" { format!("no{key}") } else { key.to_owned() };
        format!("warning: short-form boolean option '{written}' deprecated\nPlease use {key}={value} instead\n")
    };
    short.map(|option| warning(&option.key, &option.value)).collect()
}

/// Adds a node with the options of `blockdev-add`.
fn add_node(call: &mut Invocation<'_>, options: &OptionList) -> Result<String, Failure> {
    if options.get("node-name").is_none() {
        return Err(Failure::line("'node-name' needs to be specified"));
    }
    if options.get("driver").is_none() {
        let missing = if options.get("file").is_none() { "either driver or file" } else { "the driver" };
        return Err(Failure::line(format!("Must specify {missing}")));
    }
    let texts: Vec<_> = options.options.iter().map(|option| (option.key.clone(), option.value.clone())).collect();
    let members = members_of(&texts)?;
    blockdev_add(call, members)?;
    Ok(String::new())
}

/// Adds a node for the options of a drive.
fn add_drive(call: &mut Invocation<'_>, options: &OptionList) -> Result<String, Failure> {
    if !options.has_valid_id() {
        return Err(Failure::line(format!("Parameter 'id' expects an identifier\n{IDENTIFIER_RULE}")));
    }
    if options.get("format").is_some_and(is_help) {
        return Ok(format_list(call));
    }
    let id = drive_id(call, options)?;
    let interface = interface_of_drive(options)?;
    let node = node_of_drive(options)?;
    if interface > 0 {
        return Err(Failure::line(format!("Can't hot-add drive to type {interface}")));
    }
    let node = node.ok_or_else(|| Failure::line("QMP adds a drive only with its medium: give file= or driver="))?;
    let members = members_of(&node.options)?;
    if node.has_unknown_format {
        add_with_format(call, |format| {
            let mut members = members.clone();
            members.insert("driver".to_owned(), format.into());
            named_node(&node, members, &id)
        })?;
    } else {
        blockdev_add(call, named_node(&node, members, &id))?;
    }
    if node.writes_through {
        call.server.show_notice("The cache mode needs `write-cache=off` at the device as well.");
    }
    Ok("OK\n".to_owned())
}

/// Returns the id of a drive, or a free one.
fn drive_id(call: &mut Invocation<'_>, options: &OptionList) -> Result<String, Failure> {
    let devices = call.query("query-block", json!({}))?;
    let nodes = call.query("query-named-block-nodes", json!({ "flat": true }))?;
    let (devices, nodes) = (by_member(&devices, "device"), by_member(&nodes, "node-name"));
    let is_used = |id: &str| devices.contains_key(id) || nodes.contains_key(id);
    match &options.id {
        Some(id) if is_used(id) => Err(Failure::line(format!("Duplicate ID '{id}' for drive"))),
        Some(id) => Ok(id.clone()),
        None => Ok((0..).map(|number| format!("none{number}")).find(|id| !is_used(id)).unwrap_or_default()),
    }
}

/// Adds a node in the first format that its file has.
fn add_with_format(call: &mut Invocation<'_>, members: impl Fn(&str) -> Map<String, Value>) -> Result<(), Failure> {
    for format in TRIED_FORMATS {
        match blockdev_add(call, members(format)) {
            Err(Failure::Text(text)) if format != TRIED_FORMATS[0] || text.starts_with("Image is not in ") => {}
            result => return result,
        }
    }
    Err(Failure::line("The format of the file is unknown; if it is a raw image, give format=raw"))
}

/// Returns the formats that the server's introspection lists.
fn format_list(call: &mut Invocation<'_>) -> String {
    let schema = call.server.schema();
    let mut names = schema.as_deref().map(driver_names).unwrap_or_default();
    // A form of `iscsi` without options of its own.
    if names.contains(&"iscsi") {
        names.push("iser");
    }
    names.sort_unstable();
    let names = names.join(" ");
    format!("Supported formats: {names}\nSupported formats (read-only): {names}\n")
}

/// Returns the names of the drivers of nodes.
fn driver_names(schema: &Schema) -> Vec<&str> {
    let object = schema.command("blockdev-add").map(|command| schema.object(command.arguments));
    let tag = object.and_then(|object| object.tag_member());
    match tag.map(|tag| schema.definition(tag.kind)) {
        Some(Type::Enum(values)) => values.iter().map(|value| value.name.as_str()).collect(),
        _ => Vec::new(),
    }
}

/// Returns the members of a node. All scalars are texts.
fn members_of(options: &[(String, String)]) -> Result<Map<String, Value>, Failure> {
    let escaped = options.iter().map(|(key, value)| format!("{key}={}", value.replace(',', ",,")));
    let text = escaped.collect::<Vec<_>>().join(",");
    NestedOptions::parse(&text, "driver").map(|nested| nested.members).map_err(Failure::line)
}

/// Adds a node. Texts get the types that the server's introspection names. Errors are in the words of QEMU's own monitor.
fn blockdev_add(call: &mut Invocation<'_>, members: Map<String, Value>) -> Result<(), Failure> {
    let driver = members.get("driver").and_then(Value::as_str).unwrap_or_default().to_owned();
    let schema = call.server.schema();
    if let Some(schema) = &schema
        && !driver_names(schema).contains(&driver.as_str())
    {
        return Err(Failure::line(format!("Unknown driver '{driver}'")));
    }
    let arguments = schema.as_deref().and_then(|schema| {
        let command = schema.command("blockdev-add")?;
        Some(typed_object(schema, command.arguments, &members, Scalar::Size))
    });
    let file = members.get("file").map(|file| string(file, "filename").to_owned()).unwrap_or_default();
    let result = call.execute_opening(&file, "blockdev-add", Value::Object(arguments.unwrap_or(members)));
    result.map(drop).map_err(|failure| match failure {
        Failure::Error(error) => Failure::line(translated(&error, &driver)),
        failure => failure,
    })
}

/// Returns an error of `blockdev-add` in the words of QEMU's own monitor.
fn translated(error: &ServerError, driver: &str) -> String {
    let desc = error.desc.as_str();
    let between = |start: &str, end: &str| desc.strip_prefix(start)?.strip_suffix(end);
    let unknown = between("Parameter '", "' is unexpected");
    if let Some(key) = unknown.or_else(|| between("Invalid parameter type for '", "', expected: object")) {
        return match PROTOCOLS.contains(&driver) {
            true => format!("Block protocol '{driver}' doesn't support the option '{key}'"),
            false => format!("Block format '{driver}' does not support the option '{key}'"),
        };
    }
    if let Some(key) = between("Invalid parameter type for '", "', expected: boolean") {
        return format!("Parameter '{key}' expects 'on' or 'off'");
    }
    match desc {
        "Parameter 'file' is missing" => "A block device must be specified for \"file\"".to_owned(),
        "Parameter 'filename' is missing" => format!("The '{driver}' block driver requires a file name"),
        _ if desc.starts_with("Parameter 'discard' does not accept ") => "Invalid discard option".to_owned(),
        _ => desc.to_owned(),
    }
}
