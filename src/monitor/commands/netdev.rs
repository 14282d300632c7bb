//! Network back ends and cards.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::super::command::{Command, Invocation};
use super::super::object_tree::{TreeObject, require_machine, values, walk};
use super::super::option_types::{Dialect, Scalar, typed_object, variant_member_type};
use super::super::options::{NestedOptions, OptionList, is_help};
use super::super::parameter::{options, text};
use super::super::server::Failure;
use super::text_replies::query_text;
use crate::schema::{Schema, Type, TypeId, member_type};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("info network", &[], "network cards and the back ends that they use", info_network).partial(
        "QMP does not tell the types and parameters of network back ends, nor hubs and back ends without a card.",
    ),
    Command::new("netdev_add", &[options("netdev")], "create a network back end; `help` lists their types", netdev_add),
    Command::new("netdev_del", &[text("id")], "delete a network back end", |call| {
        let id = call.arguments.text("id").to_owned();
        call.execute(NETDEV_DEL, json!({ "id": id }))
    }),
];

/// The query whose reply is the text, in QEMU from 11.2 on.
const NETWORK_QUERY: &str = "x-query-network";

const NETDEV_ADD: &str = "netdev_add";
const NETDEV_DEL: &str = "netdev_del";

/// The key of the type, which may be left out.
const TYPE_KEY: &str = "type";

fn netdev_add(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let list = OptionList::parse(call.arguments.text("netdev"), TYPE_KEY);
    let schema = call.server.schema();
    let arguments = schema.as_deref().and_then(|schema| Some((schema, schema.command(NETDEV_ADD)?.arguments)));
    if list.get(TYPE_KEY).is_some_and(is_help) {
        let Some((schema, object)) = arguments else {
            return Err(Failure::error(format!("the server does not describe `{NETDEV_ADD}`")));
        };
        let types = netdev_types(schema, object);
        let types: String = types.iter().map(|name| format!("{name}\n")).collect();
        return Ok(format!("Available netdev backend types:\n{types}"));
    }
    let mut members = NestedOptions::from_flat(&list).map_err(Failure::error)?;
    if let Some((schema, object)) = arguments {
        collect_lists(schema, object, &list, &mut members);
        members = typed_object(schema, object, &members, Scalar::Integer);
    }
    let created = call.execute(NETDEV_ADD, Value::Object(members));
    created.map_err(|failure| match failure {
        Failure::Error(error) if error.desc.starts_with("Duplicate ID ") => Failure::wrong_usage(NETDEV_ADD),
        failure => Dialect::NETDEV.translate(failure, |_| Scalar::Integer),
    })
}

/// Makes an array of each option that may be repeated, such as `hostfwd`. In QMP its items are objects with a text.
fn collect_lists(schema: &Schema, object: TypeId, list: &OptionList, members: &mut Map<String, Value>) {
    for option in &list.options {
        let kind = variant_member_type(schema, object, members, &option.key);
        let Some(Type::Array(element)) = kind.map(|kind| schema.definition(kind)) else { continue };
        let item = |text: &str| match schema.definition(*element) {
            Type::Object(_) => json!({ "str": text }),
            Type::Builtin(_) => Scalar::Integer.value(text),
            _ => json!(text),
        };
        let same = list.options.iter().filter(|other| other.key == option.key);
        members.insert(option.key.clone(), same.map(|other| item(&other.value)).collect());
    }
}

/// Returns the types of back ends, in the order of QEMU's own list.
fn netdev_types(schema: &Schema, object: TypeId) -> Vec<String> {
    const FIRST: [&str; 5] = ["socket", "stream", "dgram", "hubport", "tap"];
    let tag = member_type(schema, object, TYPE_KEY);
    let Some(Type::Enum(values)) = tag.map(|tag| schema.definition(tag)) else { return Vec::new() };
    let mut names: Vec<String> = values.iter().map(|value| value.name.clone()).collect();
    // The schema lists `netmap` even where it is not compiled in, as on Linux.
    names.retain(|name| !matches!(name.as_str(), "none" | "nic" | "netmap"));
    names.sort_by_key(|name| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    names
}

/// The folders of devices in the object tree.
const DEVICE_FOLDERS: [&str; 3] = ["/machine/unattached", "/machine/peripheral-anon", "/machine/peripheral"];

fn info_network(call: &mut Invocation<'_>) -> Result<String, Failure> {
    if call.server.schema().is_some_and(|schema| schema.command(NETWORK_QUERY).is_some()) {
        return query_text(call, NETWORK_QUERY);
    }
    require_machine(call.server)?;
    call.show_missing_part();
    let mut cards = Vec::new();
    for folder in DEVICE_FOLDERS {
        // The folder, and the devices in it.
        let objects = walk(call.server, folder, "container", 2)?;
        cards.extend(objects.into_iter().skip(1).filter(is_network_card));
    }
    let members = |card: &TreeObject| ["mac", "netdev"].map(|name| (card.path.clone(), name.to_owned()));
    let values = values(call.server, &cards.iter().flat_map(members).collect::<Vec<_>>())?;
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut text = String::new();
    for (card, values) in cards.iter().zip(values.chunks(2)) {
        let [mac, netdev] = [0, 1].map(|index| values.get(index).and_then(Value::as_str).unwrap_or_default());
        let model = card.kind.as_str();
        let id = card.path.strip_prefix("/machine/peripheral/").and_then(|rest| rest.split('/').next());
        let name = id.map_or_else(|| next_name(&mut counts, model), str::to_owned);
        text += &format!("{name}: index=0,type=nic,model={model},macaddr={mac}\n");
        if !netdev.is_empty() {
            text += &format!(" \\ {netdev}\n");
        }
    }
    Ok(text)
}

fn is_network_card(object: &TreeObject) -> bool {
    let has = |name: &str| object.properties.iter().any(|property| property.name == name);
    has("mac") && has("netdev")
}

/// Returns the name that QEMU gives to a card without an id: the model and a number.
fn next_name<'a>(counts: &mut HashMap<&'a str, usize>, model: &'a str) -> String {
    let count = counts.entry(model).or_default();
    *count += 1;
    format!("{model}.{}", *count - 1)
}
