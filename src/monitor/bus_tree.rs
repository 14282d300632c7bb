//! The tree of buses and devices, from links in the object tree.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::command::request;
use super::object_tree::{MAX_OBJECTS, Property, list_all, values};
use super::server::{Failure, QmpServer};
use super::text::{items, string};

/// The bus at the root of the tree.
const ROOT_PATH: &str = "/machine/unattached/sysbus";
const ROOT_NAME: &str = "main-system-bus";

/// The maximum depth of buses.
const MAX_LEVELS: usize = 32;

/// A bus or a device.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) path: String,
    pub(crate) properties: Vec<Property>,
    /// The devices on a bus, or the buses of a device, as indices.
    pub(crate) below: Vec<usize>,
}

impl Node {
    fn new(name: &str, kind: &str, path: String) -> Node {
        Node { name: name.to_owned(), kind: kind.to_owned(), path, ..Node::default() }
    }
}

/// Returns the buses and devices. The first is the bus at the root; levels of buses and of devices alternate.
pub(crate) fn bus_tree(server: &mut dyn QmpServer) -> Result<Vec<Node>, Failure> {
    let types = server.query(&request("qom-list-types", json!({ "implements": "bus" })))?;
    let bus_types: HashSet<&str> = items(&types).iter().map(|entry| string(entry, "name")).collect();
    let root = server.query(&request("qom-get", json!({ "path": ROOT_PATH, "property": "type" })))?;
    let mut nodes = vec![Node::new(ROOT_NAME, root.as_str().unwrap_or_default(), ROOT_PATH.to_owned())];
    let mut buses = 0..1;
    for _ in 0..MAX_LEVELS {
        let first_device = nodes.len();
        for (bus, device) in devices_on(server, &nodes[buses.clone()])? {
            let index = nodes.len();
            nodes[buses.start + bus].below.push(index);
            nodes.push(device);
        }
        let devices = first_device..nodes.len();
        let paths: Vec<String> = nodes[devices.clone()].iter().map(|device| device.path.clone()).collect();
        let lists = list_all(server, &paths)?;
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
fn devices_on(server: &mut dyn QmpServer, buses: &[Node]) -> Result<Vec<(usize, Node)>, Failure> {
    let paths: Vec<String> = buses.iter().map(|bus| bus.path.clone()).collect();
    let mut links = Vec::new();
    for (bus, properties) in list_all(server, &paths)?.into_iter().enumerate() {
        let mut own: Vec<Property> = properties.into_iter().filter(|link| link.name.starts_with("child[")).collect();
        own.sort_by_key(|link| std::cmp::Reverse(numbered(&link.name).1));
        links.extend(own.into_iter().map(|link| (bus, link)));
    }
    let places: Vec<_> = links.iter().map(|(bus, link)| (paths[*bus].clone(), link.name.clone())).collect();
    let targets = values(server, &places)?;
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
