//! The devices on PCI buses.

use serde_json::Value;

use super::super::command::{Command, Invocation};
use super::super::server::Failure;
use super::super::text::{integer, is_true, items, plain, string, unsigned};

pub(super) const COMMANDS: &[Command] = &[Command::new("info pci", &[], "the PCI devices", info_pci)];

/// The maximum nesting of bridges. PCI has 256 buses.
const MAX_BRIDGES: usize = 256;

fn info_pci(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-pci", Value::Null)?;
    // QEMU 7 shows the address -1 of a region that is not mapped. Its reply is the same.
    let style = if call.is_older_than(8, 0)? { RegionStyle::AddressOnly } else { RegionStyle::Mapping };
    let mut text = String::new();
    for bus in items(&reply) {
        push_devices(&mut text, &bus["devices"], style, 0);
    }
    Ok(text)
}

/// The form in which a region's address is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RegionStyle {
    AddressOnly,
    Mapping,
}

/// Adds the devices of a bus, and of the buses below it.
fn push_devices(text: &mut String, devices: &Value, style: RegionStyle, depth: usize) {
    for device in items(devices) {
        push_device(text, device, style);
        let bridge = &device["pci_bridge"];
        if depth < MAX_BRIDGES {
            push_devices(text, &bridge["devices"], style, depth + 1);
        }
    }
}

fn push_device(text: &mut String, device: &Value, style: RegionStyle) {
    let (bus, slot, function) = (integer(device, "bus"), integer(device, "slot"), integer(device, "function"));
    text.push_str(&format!("  Bus {bus:2}, device {slot:3}, function {function}:\n"));
    let (class, id) = (&device["class_info"], &device["id"]);
    match class.get("desc").and_then(Value::as_str) {
        Some(description) => text.push_str(&format!("    {description}")),
        None => text.push_str(&format!("    Class {:04}", integer(class, "class"))),
    }
    text.push_str(&format!(": PCI device {:04x}:{:04x}\n", unsigned(id, "vendor"), unsigned(id, "device")));
    if id.get("subsystem-vendor").is_some() && id.get("subsystem").is_some() {
        let (vendor, subsystem) = (unsigned(id, "subsystem-vendor"), unsigned(id, "subsystem"));
        text.push_str(&format!("      PCI subsystem {vendor:04x}:{subsystem:04x}\n"));
    }
    let pin = integer(device, "irq_pin");
    if device.get("irq").is_some() && (1..=26).contains(&pin) {
        text.push_str(&format!("      IRQ {}, pin {}\n", integer(device, "irq"), char::from(b'A' + (pin - 1) as u8)));
    }
    if let Some(bridge) = device.get("pci_bridge") {
        push_bridge(text, &bridge["bus"]);
    }
    for region in items(&device["regions"]) {
        push_region(text, region, style);
    }
    text.push_str(&format!("      id \"{}\"\n", string(device, "qdev_id")));
}

fn push_bridge(text: &mut String, bus: &Value) {
    for (label, key) in [("BUS", "number"), ("secondary bus", "secondary"), ("subordinate bus", "subordinate")] {
        text.push_str(&format!("      {label} {}.\n", plain(bus, key)));
    }
    let range = |key: &str| (unsigned(&bus[key], "base"), unsigned(&bus[key], "limit"));
    let (base, limit) = range("io_range");
    text.push_str(&format!("      IO range [{base:#06x}, {limit:#06x}]\n"));
    for (label, key) in [("memory", "memory_range"), ("prefetchable memory", "prefetchable_range")] {
        let (base, limit) = range(key);
        text.push_str(&format!("      {label} range [{base:#010x}, {limit:#010x}]\n"));
    }
}

fn push_region(text: &mut String, region: &Value, style: RegionStyle) {
    let is_io = string(region, "type") == "io";
    let (address, size) = (unsigned(region, "address"), unsigned(region, "size"));
    let last = address.wrapping_add(size).wrapping_sub(1);
    let kind = match is_io {
        true => "I/O".to_owned(),
        false => {
            let bits = if is_true(region, "mem_type_64") { 64 } else { 32 };
            let prefetchable = if is_true(region, "prefetch") { " prefetchable" } else { "" };
            format!("{bits} bit{prefetchable} memory")
        }
    };
    let dot = if style == RegionStyle::AddressOnly { "." } else { "" };
    let place = match is_io {
        _ if style == RegionStyle::Mapping && address == u64::MAX => "(not mapped)".to_owned(),
        true => format!("at {address:#06x} [{last:#06x}]{dot}"),
        false => format!("at {address:#010x} [{last:#010x}]{dot}"),
    };
    text.push_str(&format!("      BAR{}: {kind} {place}\n", plain(region, "bar")));
}
