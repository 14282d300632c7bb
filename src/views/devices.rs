//! `.show devices`: buses and devices as a tree, with addresses and what the devices use.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::Value;

use crate::monitor::bus_tree::{Node, bus_tree};
use crate::monitor::object_tree::{require_machine, values, walk};
use crate::monitor::text::{count, items, string};
use crate::monitor::{Failure, QmpServer, request};

use super::branch::Branch;
use super::columns::{Column, Columns, Ink, Text};
use super::{Medium, Picture};

const COLUMNS: &[Column] =
    &[Column::long("DEVICE"), Column::text("TYPE"), Column::text("ADDRESS"), Column::long("USES")];

/// The properties that name what a device uses.
const USES: &[&str] = &["drive", "netdev", "mac", "chardev", "memdev", "iothread", "audiodev"];

/// The properties that say where a device is on its bus, of which the first that exists counts.
const PLACES: &[&str] = &["legacy-addr", "addr", "scsi-id", "port", "nr", "unit"];

/// The folders of devices that users add.
const FOLDERS: [&str; 2] = ["/machine/peripheral", "/machine/peripheral-anon"];

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Devices {
    #[serde(skip_serializing_if = "Option::is_none")]
    bus: Option<Bus>,
    /// Devices that are on no bus, such as memory.
    without_bus: Vec<Device>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Bus {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    /// Those of a PCI bus by their addresses, others in the order in which they were made.
    devices: Vec<Device>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Device {
    /// Empty if it has none.
    id: String,
    #[serde(rename = "type")]
    kind: String,
    path: String,
    /// The place on its bus: that of a PCI device is `BUS:SLOT.FUNCTION`.
    address: String,
    hotplugged: bool,
    uses: Vec<(String, String)>,
    buses: Vec<Bus>,
}

/// The values of properties, by the paths of devices.
type Properties<'a> = HashMap<&'a str, Vec<(&'static str, String)>>;

/// Asks for the tree of buses, the properties of the devices on it, and the PCI buses.
pub(super) fn ask(server: &mut dyn QmpServer) -> Result<Devices, Failure> {
    require_machine(server)?;
    let mut missing = Vec::new();
    let tree = match bus_tree(server) {
        Err(Failure::Error(error)) => {
            missing.push(format!("The server has no tree of buses: {}", error.desc));
            Vec::new()
        }
        tree => tree?,
    };
    let known: HashSet<&str> = tree.iter().map(|node| node.path.as_str()).collect();
    let mut others = Vec::new();
    for folder in FOLDERS {
        // The folder, and the devices in it.
        let objects = walk(server, folder, "container", 2)?;
        let new = objects.into_iter().skip(1).filter(|object| !known.contains(object.path.as_str()));
        others.extend(new.filter(|object| object.path.matches('/').count() == folder.matches('/').count() + 1));
    }
    let others: Vec<Node> = others
        .into_iter()
        .map(|object| Node {
            name: if object.path.starts_with("/machine/peripheral/") { object.name } else { String::new() },
            kind: object.kind,
            path: object.path,
            properties: object.properties,
            below: Vec::new(),
        })
        .collect();
    let details = properties(server, tree.iter().chain(&others))?;
    let pci = match server.query(&request("query-pci", Value::Null)) {
        Ok(reply) => pci_addresses(&reply),
        // A machine may have no PCI.
        Err(Failure::Error(_)) => PciAddresses::default(),
        Err(failure) => return Err(failure),
    };
    let collector = Collector { tree: &tree, details, pci };
    Ok(Devices {
        bus: (!tree.is_empty()).then(|| collector.bus(0, Some(0))),
        without_bus: others.iter().map(|node| collector.device(node, None)).collect(),
        missing,
    })
}

/// Returns the values of the properties that a picture shows, by the paths of the devices.
fn properties<'a>(
    server: &mut dyn QmpServer,
    nodes: impl Iterator<Item = &'a Node>,
) -> Result<Properties<'a>, Failure> {
    let mut wanted = Vec::new();
    for node in nodes {
        let is_there = |name: &&&'static str| node.properties.iter().any(|property| property.name == **name);
        let place = PLACES.iter().find(is_there).copied();
        let more = if place == Some("scsi-id") { &["lun"][..] } else { &[] };
        let names = place.into_iter().chain(more.iter().copied()).chain(USES.iter().filter(is_there).copied());
        wanted.extend(
            names.chain((!node.name.is_empty()).then_some("hotplugged")).map(|name| (node.path.as_str(), name)),
        );
    }
    let requests: Vec<_> = wanted.iter().map(|(path, name)| ((*path).to_owned(), (*name).to_owned())).collect();
    let mut found: HashMap<&str, Vec<_>> = HashMap::new();
    for ((path, name), value) in wanted.into_iter().zip(values(server, &requests)?) {
        let text = match value {
            Value::String(text) => text,
            Value::Null => continue,
            value => value.to_string(),
        };
        found.entry(path).or_default().push((name, text));
    }
    Ok(found)
}

/// The numbers of PCI buses, and the addresses of devices with ids.
#[derive(Debug, Default)]
struct PciAddresses {
    /// The number of the bus below a bridge with an id, if it has one.
    buses: HashMap<String, Option<u64>>,
    has_hosts: bool,
}

fn pci_addresses(reply: &Value) -> PciAddresses {
    let mut addresses = PciAddresses { has_hosts: !items(reply).is_empty(), ..PciAddresses::default() };
    let mut open: Vec<&Value> = items(reply).iter().collect();
    while let Some(bus) = open.pop() {
        for device in items(&bus["devices"]) {
            let bridge = &device["pci_bridge"];
            if bridge.is_object() {
                let number = Some(count(&bridge["bus"], "secondary")).filter(|number| *number > 0);
                addresses.buses.insert(string(device, "qdev_id").to_owned(), number);
                open.push(bridge);
            }
        }
    }
    addresses
}

struct Collector<'a> {
    tree: &'a [Node],
    details: Properties<'a>,
    pci: PciAddresses,
}

impl Collector<'_> {
    /// Returns a bus and everything on it. `number` is that of a PCI bus, once the guest's firmware has numbered it.
    fn bus(&self, index: usize, number: Option<u64>) -> Bus {
        let node = &self.tree[index];
        let is_pci = self.pci.has_hosts && node.kind.contains("PCI");
        let prefix = is_pci.then(|| number.map(|number| format!("{number:02x}:")).unwrap_or_default());
        let devices = node.below.iter().rev().map(|&device| {
            let node = &self.tree[device];
            let below = self.pci.buses.get(&node.name).copied().filter(|_| !node.name.is_empty()).unwrap_or(number);
            let buses = node.below.iter().rev().map(|bus| self.bus(*bus, below)).collect();
            Device { buses, ..self.device(node, prefix.as_deref()) }
        });
        let mut devices: Vec<Device> = devices.collect();
        if is_pci {
            devices.sort_by(|one, other| one.address.cmp(&other.address));
        }
        Bus { name: node.name.clone(), kind: node.kind.clone(), devices }
    }

    /// Returns a device without the buses below it. `prefix` is before the address of a PCI device.
    fn device(&self, node: &Node, prefix: Option<&str>) -> Device {
        let properties = self.details.get(node.path.as_str()).map(Vec::as_slice).unwrap_or_default();
        let get = |name: &str| properties.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str());
        let address = match (get("legacy-addr").or(get("addr")), get("scsi-id")) {
            // Memory has an address, too, which `.show memory` tells.
            (Some(address), _) if prefix.is_some() => prefix.unwrap_or_default().to_owned() + address,
            (None, Some(id)) => format!("id {id} lun {}", get("lun").unwrap_or("?")),
            _ => {
                let place = ["port", "nr", "unit"].iter().find_map(|name| Some((name, get(name)?)));
                place
                    .filter(|(_, text)| !text.is_empty())
                    .map(|(name, text)| format!("{name} {text}"))
                    .unwrap_or_default()
            }
        };
        let name_of = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
        let uses = USES.iter().filter_map(|name| Some(((*name).to_owned(), name_of(get(name)?))));
        Device {
            id: node.name.clone(),
            kind: node.kind.clone(),
            path: node.path.clone(),
            address,
            hotplugged: get("hotplugged") == Some("true"),
            uses: uses.filter(|(_, text)| !text.is_empty()).collect(),
            buses: Vec::new(),
        }
    }
}

impl Picture for Devices {
    fn draw(&self, medium: &Medium<'_>) -> String {
        let mut columns = Columns::new(COLUMNS);
        if let Some(bus) = &self.bus {
            columns.push([Text::new(Ink::Title, &bus.name), Text::new(Ink::Dim, &bus.kind)]);
            draw_devices(&bus.devices, None, &mut columns);
        }
        if !self.without_bus.is_empty() {
            columns.push_across(Text::new(Ink::Title, "Not on a bus"));
            draw_devices(&self.without_bus, None, &mut columns);
        }
        columns.push_remarks(&self.missing);
        columns.draw(medium)
    }
}

/// Draws devices. Runs of equal ones without anything of their own are one line.
fn draw_devices(devices: &[Device], above: Option<&Branch>, columns: &mut Columns) {
    let place = |is_last| above.map_or_else(|| Branch::root(is_last), |above| above.child(is_last));
    let mut rest = devices;
    while let Some(device) = rest.first() {
        let count = rest.iter().take_while(|other| device.looks_like(other)).count().max(1);
        rest = &rest[count..];
        let branch = place(rest.is_empty());
        columns.push([
            Text::new(Ink::Dim, &branch.lead()).with(device.ink(), device.name()),
            Text::plain(&device.kind).with(Ink::Dim, &if count > 1 { format!(" × {count}") } else { String::new() }),
            Text::plain(&device.address),
            Text::plain(&device.uses_text()),
        ]);
        let buses = device.shown_buses();
        for (index, bus) in buses.iter().enumerate() {
            let branch = branch.child(index + 1 == buses.len());
            let name = Text::new(Ink::Dim, &branch.lead()).with(Ink::Title, &bus.name);
            columns.push([name, Text::new(Ink::Dim, &bus.kind)]);
            draw_devices(&bus.devices, Some(&branch), columns);
        }
    }
}

impl Device {
    fn name(&self) -> &str {
        if self.id.is_empty() { "(no id)" } else { &self.id }
    }

    fn ink(&self) -> Ink {
        if self.id.is_empty() { Ink::Dim } else { Ink::Name }
    }

    /// Returns whether both are of one type, and neither has anything else to show.
    fn looks_like(&self, other: &Device) -> bool {
        let is_bare = |device: &Device| {
            device.id.is_empty() && device.address.is_empty() && device.uses.is_empty() && device.buses.is_empty()
        };
        self.kind == other.kind && is_bare(self) && is_bare(other)
    }

    /// Returns the buses below the device. The device inside a virtio device, on a bus of its own, is not shown: it
    /// repeats what the outer one has.
    fn shown_buses(&self) -> &[Bus] {
        match self.buses.as_slice() {
            [Bus { name, devices, .. }] if name == "virtio-bus" => match devices.as_slice() {
                [inner] if inner.id.is_empty() => &inner.buses,
                _ => &self.buses,
            },
            buses => buses,
        }
    }

    fn uses_text(&self) -> String {
        let uses = self.uses.iter().map(|(name, text)| format!("{name} {text}"));
        uses.chain(self.hotplugged.then(|| "hotplugged".to_owned())).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::ScriptedServer;

    #[test]
    fn a_tree_is_folded_where_nothing_is_lost() {
        let list = |path: &str| format!(r#"qom-list {{"path":"{path}"}}"#);
        let get = |path: &str, property: &str| format!(r#"qom-get {{"path":"{path}","property":"{property}"}}"#);
        let sysbus = "/machine/unattached/sysbus";
        let (disk, eeprom, host) = ("/machine/peripheral/d\u{1b}0", "/machine/unattached/device[1]", "/machine/q35");
        let child =
            |index: usize, kind: &str| json!({"name": format!("child[{index}]"), "type": format!("link<{kind}>")});
        let mut server = ScriptedServer::default()
            .reply(&get("/machine", "type"), json!("pc-q35-machine"))
            .reply("qom-list-types", json!([{"name": "PCIE"}, {"name": "virtio-pci-bus"}]))
            .reply(&get(sysbus, "type"), json!("System"))
            .reply(&list(sysbus), json!([child(0, "smbus-eeprom"), child(1, "smbus-eeprom"), child(2, "q35-pcihost")]))
            .reply(&get(sysbus, "child[0]"), json!(eeprom))
            .reply(&get(sysbus, "child[1]"), json!(eeprom))
            .reply(&get(sysbus, "child[2]"), json!(host))
            .reply(&list(host), json!([{"name": "pcie.0", "type": "child<PCIE>"}]))
            .reply(&list("/machine/q35/pcie.0"), json!([child(0, "virtio-blk-pci")]))
            .reply(&get("/machine/q35/pcie.0", "child[0]"), json!("/machine/peripheral/d\u{1b}0"))
            .reply(
                "qom-list {\"path\":\"/machine/peripheral/d\\u001b0\"}",
                json!([
                    {"name": "virtio-bus", "type": "child<virtio-pci-bus>"}, {"name": "addr", "type": "str"},
                    {"name": "drive", "type": "str"},
                ]),
            )
            .reply("qom-get {\"path\":\"/machine/peripheral/d\\u001b0\",\"property\":\"addr\"}", json!("02.0"))
            .reply("qom-get {\"path\":\"/machine/peripheral/d\\u001b0\",\"property\":\"drive\"}", json!("disk"))
            .reply(
                "qom-list {\"path\":\"/machine/peripheral/d\\u001b0/virtio-bus\"}",
                json!([child(0, "virtio-blk-device")]),
            )
            .reply(
                "qom-get {\"path\":\"/machine/peripheral/d\\u001b0/virtio-bus\",\"property\":\"child[0]\"}",
                json!(format!("{disk}/backend")),
            )
            .reply(&list("/machine/peripheral"), json!([{"name": "dimm0", "type": "child<pc-dimm>"}]))
            .reply(&list("/machine/peripheral/dimm0"), json!([{"name": "memdev", "type": "link<memory-backend>"}]))
            .reply(&get("/machine/peripheral/dimm0", "memdev"), json!("/objects/m0"))
            .reply(&get("/machine/peripheral/dimm0", "hotplugged"), json!(true))
            .reply("qom-list", json!([]))
            .reply("query-pci", json!([{"bus": 0, "devices": []}]));
        expect_test::expect![[r#"
            DEVICE           TYPE              ADDRESS  USES
            main-system-bus  System
            ├─ (no id)       smbus-eeprom × 2
            └─ (no id)       q35-pcihost
               └─ pcie.0     PCIE
                  └─ d\x1b0  virtio-blk-pci    00:02.0  drive disk
            Not on a bus
            └─ dimm0         pc-dimm                    memdev m0, hotplugged
        "#]]
        .assert_eq(&server.draw("devices", None, 80));
    }

    #[test]
    fn a_server_without_buses_has_devices_still() {
        let mut server = ScriptedServer::default()
            .reply("qom-get {\"path\":\"/machine\",\"property\":\"type\"}", json!("none"))
            .reply("qom-list {\"path\":\"/machine/peripheral\"}", json!([{"name": "d0", "type": "child<x>"}]))
            .reply("qom-list", json!([]));
        expect_test::expect![[r#"
            DEVICE  TYPE
            Not on a bus
            └─ d0   x
            The server has no tree of buses: the server has no QMP command `qom-list-types`
        "#]]
        .assert_eq(&server.draw("devices", None, 80));
    }
}
