//! The lines below each device in `info qtree`: its interrupt lines, its options, and how PCI sees it.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Value, json};

use super::super::bus_tree::Node;
use super::super::command::{Invocation, request};
use super::super::object_tree::{Property, values};
use super::super::server::Failure;
use super::super::text::{integer, items, size, string, unsigned};

/// The lines below a device.
#[derive(Debug, Default)]
pub(super) struct DeviceDetails {
    pub(super) lines: Vec<String>,
    /// The slot and the function of a PCI device.
    address: Option<(u64, u64)>,
}

/// Returns the interrupt lines and the options of each device, by the device's index in the tree.
pub(super) fn device_details(
    call: &mut Invocation<'_>,
    tree: &[Node],
) -> Result<BTreeMap<usize, DeviceDetails>, Failure> {
    let devices = || tree.iter().enumerate().filter(|(_, node)| !node.properties.is_empty());
    let mut details: BTreeMap<usize, DeviceDetails> = devices()
        .map(|(index, device)| {
            (index, DeviceDetails { lines: interrupt_lines(&device.properties), ..DeviceDetails::default() })
        })
        .collect();
    let option_names = option_names(call, devices().map(|(_, device)| device.kind.as_str()).collect())?;
    let mut wanted = Vec::new();
    for (index, device) in devices() {
        let Some(names) = option_names.get(device.kind.as_str()) else { continue };
        // A virtio device passes on the options of the device inside it.
        let inner = device.properties.iter().find(|property| property.name == "virtio-backend");
        let inner = inner.and_then(|inner| option_names.get(inner.child_type()?));
        let is_option = |property: &&Property| {
            let is_reference = property.child_type().or(property.link_type()).is_some();
            let is_inner = inner.is_some_and(|names| names.contains(&property.name));
            names.contains(&property.name) && !is_reference && !is_inner && property.name != "bootindex"
        };
        let all: HashSet<&str> = device.properties.iter().map(|property| property.name.as_str()).collect();
        let mut options: Vec<&Property> = device.properties.iter().filter(is_option).collect();
        options.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        for option in options {
            // An option that is not shown as its value has a property with the text.
            let legacy = format!("legacy-{}", option.name);
            let has_text = all.contains(legacy.as_str());
            let name = if has_text { legacy } else { option.name.clone() };
            wanted.push((index, option, has_text, (device.path.clone(), name)));
        }
    }
    let found = values(call.server, &wanted.iter().map(|(.., place)| place.clone()).collect::<Vec<_>>())?;
    for ((index, option, has_text, _), value) in wanted.into_iter().zip(found) {
        let details = details.entry(index).or_default();
        if option.name == "addr" {
            details.address = value.as_str().and_then(pci_address);
        }
        if let Some(text) = value_text(&value, option, has_text) {
            details.lines.push(format!("{} = {text}", option.name));
        }
    }
    Ok(details)
}

/// Returns the names of the options of each type of device.
fn option_names<'a>(
    call: &mut Invocation<'_>,
    types: HashSet<&'a str>,
) -> Result<BTreeMap<&'a str, HashSet<String>>, Failure> {
    let list = |kind: &&str| request("device-list-properties", json!({ "typename": kind }));
    let replies = call.server.query_all(&types.iter().map(list).collect::<Vec<_>>())?;
    let names = |reply: Value| items(&reply).iter().map(|option| string(option, "name").to_owned()).collect();
    Ok(types.into_iter().zip(replies).filter_map(|(kind, reply)| Some((kind, names(reply.ok()?)))).collect())
}

/// Returns lines such as `gpio-in "" 2`: the numbers of interrupt lines into and out of a device, by name.
fn interrupt_lines(properties: &[Property]) -> Vec<String> {
    let mut counts: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for property in properties {
        let direction = match (property.child_type(), property.link_type()) {
            (Some("irq"), _) => 0,
            (_, Some("irq")) => 1,
            _ => continue,
        };
        let name = property.name.split('[').next().unwrap_or_default();
        let name = if matches!(name, "unnamed-gpio-in" | "unnamed-gpio-out") { "" } else { name };
        counts.entry(name).or_default()[direction] += 1;
    }
    let line = |direction: &str, name: &str, count: usize| format!("gpio-{direction} \"{name}\" {count}");
    let lines = |(name, [inputs, outputs]): (&str, [usize; 2])| {
        [(inputs > 0).then(|| line("in", name, inputs)), (outputs > 0).then(|| line("out", name, outputs))]
    };
    counts.into_iter().flat_map(lines).flatten().collect()
}

/// Returns a value as the tree shows it, or `None` for one that cannot be read.
fn value_text(value: &Value, option: &Property, is_text: bool) -> Option<String> {
    Some(match value {
        Value::Array(items) if items.is_empty() => "<null>".to_owned(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
        Value::String(text) if is_text => text.clone(),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(bytes), _) if option.kind == "size" => format!("{bytes} ({})", size(bytes)),
            // QEMU shows large numbers as negative ones.
            (Some(number), _) => format!("{} (0x{number:x})", number as i64),
            (None, Some(number)) => format!("{number} (0x{number:x})"),
            _ => number.to_string(),
        },
        value => value.to_string(),
    })
}

/// Parses the address of a PCI device on its bus, such as `1f.2`.
fn pci_address(text: &str) -> Option<(u64, u64)> {
    let (slot, function) = text.split_once('.')?;
    Some((u64::from_str_radix(slot, 16).ok()?, u64::from_str_radix(function, 16).ok()?))
}

/// Adds the lines about PCI to the devices on the buses of a machine with one PCI host.
pub(super) fn add_pci_lines(
    call: &mut Invocation<'_>,
    tree: &[Node],
    details: &mut BTreeMap<usize, DeviceDetails>,
) -> Result<(), Failure> {
    let hosts = match call.query("query-pci", Value::Null) {
        Err(Failure::Error(_)) => return Ok(()),
        reply => reply?,
    };
    let first_bus = tree.iter().position(|node| node.kind.starts_with("PCI"));
    if let (Some(bus), [host]) = (first_bus, items(&hosts)) {
        add_lines_of_bus(tree, bus, items(&host["devices"]), details);
    }
    Ok(())
}

fn add_lines_of_bus(tree: &[Node], bus: usize, found: &[Value], details: &mut BTreeMap<usize, DeviceDetails>) {
    let found: HashMap<_, &Value> =
        found.iter().rev().map(|entry| ((unsigned(entry, "slot"), unsigned(entry, "function")), entry)).collect();
    for &device in &tree[bus].below {
        let Some(own) = details.get_mut(&device) else { continue };
        let Some(entry) = own.address.and_then(|address| found.get(&address)) else { continue };
        own.lines.extend(pci_lines(entry));
        let behind = items(&entry["pci_bridge"]["devices"]);
        tree[device].below.iter().for_each(|bus| add_lines_of_bus(tree, *bus, behind, details));
    }
}

/// Returns the lines about a device in the reply to `query-pci`.
fn pci_lines(device: &Value) -> Vec<String> {
    let (class, id) = (&device["class_info"], &device["id"]);
    let class = match class["desc"].as_str() {
        Some(description) => description.to_owned(),
        None => format!("Class {:04x}", unsigned(class, "class")),
    };
    let address =
        format!("{:02x}:{:02x}.{:x}", unsigned(device, "bus"), unsigned(device, "slot"), unsigned(device, "function"));
    let [vendor, model, subsystem_vendor, subsystem] =
        ["vendor", "device", "subsystem-vendor", "subsystem"].map(|key| format!("{:04x}", unsigned(id, key)));
    let ids = format!("pci id {vendor}:{model} (sub {subsystem_vendor}:{subsystem})");
    let bar = |region: &Value| {
        let space = if string(region, "type") == "io" { "i/o" } else { "mem" };
        let first = unsigned(region, "address");
        let last = first.wrapping_add(unsigned(region, "size")).wrapping_sub(1);
        format!("bar {}: {space} at 0x{first:x} [0x{last:x}]", integer(region, "bar"))
    };
    let bars = items(&device["regions"]).iter().map(bar);
    [format!("class {class}, addr {address}, {ids}")].into_iter().chain(bars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupt_lines_are_counted_by_name() {
        let property = |name: &str, kind: &str| Property { name: name.to_owned(), kind: kind.to_owned() };
        let properties = [
            property("sysbus-irq[0]", "link<irq>"),
            property("unnamed-gpio-in[0]", "child<irq>"),
            property("unnamed-gpio-in[1]", "child<irq>"),
            property("unnamed-gpio-out[0]", "link<irq>"),
            property("irq", "uint32"),
        ];
        assert_eq!(interrupt_lines(&properties), [r#"gpio-in "" 2"#, r#"gpio-out "" 1"#, r#"gpio-out "sysbus-irq" 1"#]);
    }

    #[test]
    fn a_pci_device_has_a_class_and_regions() {
        let device = json!({
            "bus": 0, "slot": 9, "function": 0, "class_info": {"class": 0x780},
            "id": {"vendor": 0x10ec, "device": 0x8139},
            "regions": [{"bar": 0, "type": "io", "address": -1, "size": 256}]
        });
        let expected = [
            "class Class 0780, addr 00:09.0, pci id 10ec:8139 (sub 0000:0000)",
            "bar 0: i/o at 0xffffffffffffffff [0xfe]",
        ];
        assert_eq!(pci_lines(&device), expected);
        assert_eq!(pci_address("1f.2"), Some((31, 2)));
        assert_eq!(pci_address("05"), None);
    }
}
