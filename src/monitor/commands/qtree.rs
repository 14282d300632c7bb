//! The tree of buses and devices: `info qtree`.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::object_tree::{MAX_OBJECTS, Property, list_all, require_machine, values};
use super::super::parameter::flag;
use super::super::server::Failure;
use super::super::text::{items, string};
use super::device_details::{DeviceDetails, add_pci_lines, device_details};

pub(super) const COMMANDS: &[Command] = &[Command::new(
    "info qtree",
    &[flag('b', "brief")],
    "buses and devices; without their options with -b",
    info_qtree,
)
.partial("QMP does not tell the order of a device's options, nor its interrupt lines, regions and PCI class.")];

/// The bus at the root of the tree.
const ROOT_PATH: &str = "/machine/unattached/sysbus";
const ROOT_NAME: &str = "main-system-bus";

/// The maximum depth of buses.
const MAX_LEVELS: usize = 32;

/// A bus or a device.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) path: String,
    pub(super) properties: Vec<Property>,
    /// The devices on a bus, or the buses of a device, as indices.
    pub(super) below: Vec<usize>,
}

impl Node {
    fn new(name: &str, kind: &str, path: String) -> Node {
        Node { name: name.to_owned(), kind: kind.to_owned(), path, ..Node::default() }
    }
}

fn info_qtree(call: &mut Invocation<'_>) -> Result<String, Failure> {
    require_machine(call.server)?;
    let is_brief = call.arguments.is_on("brief");
    let tree = bus_tree(call)?;
    let mut details = BTreeMap::new();
    if !is_brief {
        call.show_missing_part();
        details = device_details(call, &tree)?;
        add_pci_lines(call, &tree, &mut details)?;
    }
    let mut text = String::new();
    push_bus(&tree, 0, 0, &details, &mut text);
    Ok(text)
}

/// Returns the buses and devices. The first is the bus at the root; levels of buses and of devices alternate.
fn bus_tree(call: &mut Invocation<'_>) -> Result<Vec<Node>, Failure> {
    let types = call.query("qom-list-types", json!({ "implements": "bus" }))?;
    let bus_types: HashSet<&str> = items(&types).iter().map(|entry| string(entry, "name")).collect();
    let root = call.query("qom-get", json!({ "path": ROOT_PATH, "property": "type" }))?;
    let mut nodes = vec![Node::new(ROOT_NAME, root.as_str().unwrap_or_default(), ROOT_PATH.to_owned())];
    let mut buses = 0..1;
    for _ in 0..MAX_LEVELS {
        let first_device = nodes.len();
        for (bus, device) in devices_on(call, &nodes[buses.clone()])? {
            let index = nodes.len();
            nodes[buses.start + bus].below.push(index);
            nodes.push(device);
        }
        let devices = first_device..nodes.len();
        let paths: Vec<String> = nodes[devices.clone()].iter().map(|device| device.path.clone()).collect();
        let lists = list_all(call.server, &paths)?;
        let first_bus = nodes.len();
        for (device, properties) in devices.zip(lists) {
            let is_bus = |property: &&Property| property.child_type().is_some_and(|kind| bus_types.contains(kind));
            let mut own: Vec<&Property> = properties.iter().filter(is_bus).collect();
            // The bus that was made last comes first.
            own.sort_by_key(|bus| std::cmp::Reverse(numbered(&bus.name)));
            for bus in own {
                let path = format!("{}/{}", nodes[device].path, bus.name);
                let index = nodes.len();
                nodes[device].below.push(index);
                nodes.push(Node::new(&bus.name, bus.child_type().unwrap_or_default(), path));
            }
            nodes[device].properties = properties;
        }
        buses = first_bus..nodes.len();
        if buses.is_empty() || nodes.len() > MAX_OBJECTS {
            break;
        }
    }
    Ok(nodes)
}

/// Returns the devices on buses: the index of the bus, and the device.
fn devices_on(call: &mut Invocation<'_>, buses: &[Node]) -> Result<Vec<(usize, Node)>, Failure> {
    let paths: Vec<String> = buses.iter().map(|bus| bus.path.clone()).collect();
    let mut links = Vec::new();
    for (bus, properties) in list_all(call.server, &paths)?.into_iter().enumerate() {
        let mut own: Vec<Property> = properties.into_iter().filter(|link| link.name.starts_with("child[")).collect();
        own.sort_by_key(|link| std::cmp::Reverse(numbered(&link.name).1));
        links.extend(own.into_iter().map(|link| (bus, link)));
    }
    let places: Vec<_> = links.iter().map(|(bus, link)| (paths[*bus].clone(), link.name.clone())).collect();
    let targets = values(call.server, &places)?;
    let device = |((bus, link), path): ((usize, Property), Value)| {
        let path = path.as_str().unwrap_or_default();
        let id = path.strip_prefix("/machine/peripheral/").filter(|id| !id.contains('/')).unwrap_or_default();
        (bus, Node::new(id, link.link_type().unwrap_or_default(), path.to_owned()))
    };
    Ok(links.into_iter().zip(targets).map(device).collect())
}

/// Splits a name such as `ide.5` or `child[5]` at its number, as a key for sorting.
fn numbered(name: &str) -> (&str, u64) {
    let digits_end = name.trim_end_matches(']');
    let text = digits_end.trim_end_matches(|c: char| c.is_ascii_digit());
    (text, digits_end[text.len()..].parse().unwrap_or_default())
}

/// Writes a bus and everything on it. `details` are the lines below a device, by its index.
fn push_bus(tree: &[Node], bus: usize, indent: usize, details: &BTreeMap<usize, DeviceDetails>, text: &mut String) {
    *text += &format!("{:indent$}bus: {}\n{:indent$}  type {}\n", "", tree[bus].name, "", tree[bus].kind);
    for &device in &tree[bus].below {
        let indent = indent + 2;
        let Node { name, kind, below, .. } = &tree[device];
        *text += &format!("{:indent$}dev: {kind}, id \"{name}\"\n", "");
        let indent = indent + 2;
        for line in details.get(&device).map(|details| details.lines.as_slice()).unwrap_or_default() {
            *text += &format!("{:indent$}{line}\n", "");
        }
        below.iter().for_each(|bus| push_bus(tree, *bus, indent, details, text));
    }
}
