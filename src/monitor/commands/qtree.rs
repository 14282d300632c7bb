//! The tree of buses and devices: `info qtree`.

use std::collections::BTreeMap;

use super::super::bus_tree::{Node, bus_tree};
use super::super::command::{Command, Invocation};
use super::super::object_tree::require_machine;
use super::super::parameter::flag;
use super::super::server::Failure;
use super::device_details::{DeviceDetails, add_pci_lines, device_details};

pub(super) const COMMANDS: &[Command] = &[Command::new(
    "info qtree",
    &[flag('b', "brief")],
    "buses and devices; without their options with -b",
    info_qtree,
)
.partial("QMP does not tell the order of a device's options, nor its interrupt lines, regions and PCI class.")];

fn info_qtree(call: &mut Invocation<'_>) -> Result<String, Failure> {
    require_machine(call.server)?;
    let is_brief = call.arguments.is_on("brief");
    let tree = bus_tree(call.server)?;
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
