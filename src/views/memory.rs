//! `.show memory`: the guest's memory, its devices and slots, and the back ends of the host.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::monitor::text::{count, is_true, items, number_ranges, plain, string, unsigned};
use crate::monitor::{Failure, QmpServer};

use super::ask::ask_all;
use super::columns::{Column, Columns, Ink, Text};
use super::units::size;
use super::{Medium, Picture};

const DEVICE_COLUMNS: &[Column] = &[
    Column::long("DEVICE"),
    Column::text("TYPE"),
    Column::number("SLOT"),
    Column::number("NODE"),
    Column::number("ADDRESS"),
    Column::number("SIZE"),
    Column::number("REQUESTED"),
    Column::number("AT MOST"),
    Column::path("BACK END"),
];

const BACKEND_COLUMNS: &[Column] = &[
    Column::long("BACK END"),
    Column::number("SIZE"),
    Column::text("OPTIONS"),
    Column::text("POLICY"),
    Column::text("HOST NODES"),
    Column::long("USED BY"),
];

/// The members of a back end that are switches.
const SWITCHES: [&str; 5] = ["share", "prealloc", "reserve", "merge", "dump"];

/// The folder of back ends in the object tree.
const OBJECTS: &str = "/objects/";

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Memory {
    base: Option<u64>,
    plugged: Option<u64>,
    max: Option<u64>,
    slots: Option<u64>,
    /// The memory that the balloon leaves to the guest.
    balloon: Option<u64>,
    devices: Vec<Device>,
    backends: Vec<Backend>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Device {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    slot: Option<u64>,
    node: Option<u64>,
    address: u64,
    size: Option<u64>,
    requested: Option<u64>,
    max: Option<u64>,
    backend: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Backend {
    id: String,
    size: u64,
    /// The switches that are on.
    options: Vec<&'static str>,
    policy: String,
    host_nodes: String,
    used_by: Vec<String>,
}

/// Asks for the sizes, devices, slots and back ends.
pub(super) fn ask(server: &mut dyn QmpServer) -> Result<Memory, Failure> {
    let property = |name: &str| json!({ "path": "/machine", "property": name });
    let mut replies = ask_all(
        server,
        &[
            ("query-memdev", Value::Null),
            ("query-memory-size-summary", Value::Null),
            ("query-memory-devices", Value::Null),
            ("qom-get", property("memory")),
            ("qom-get", property("memory-backend")),
            ("query-balloon", Value::Null),
        ],
    )?;
    let (backends, devices) = (replies.take_objects(0)?, replies.take_objects(2)?);
    let [sizes, limits, main_backend, balloon] = [1, 3, 4, 5].map(|place| replies.take(place));
    // A machine without a balloon, and a property that an older server does not have, are refused.
    replies.missing.retain(|sentence| !sentence.contains("` failed: "));
    replies.missing.dedup();
    let devices: Vec<Device> = items(&devices).iter().map(device).collect();
    let main_backend = main_backend.as_str().map(backend_id).unwrap_or_default();
    let mut users: HashMap<&str, Vec<String>> = HashMap::new();
    for device in devices.iter().filter(|device| !device.backend.is_empty()) {
        users.entry(&device.backend).or_default().push(device.name());
    }
    let backend = |entry: &Value| {
        let id = string(entry, "id");
        let mut used_by = users.get(id).cloned().unwrap_or_default();
        if !id.is_empty() && id == main_backend {
            used_by.insert(0, "base memory".to_owned());
        }
        Backend {
            id: id.to_owned(),
            size: count(entry, "size"),
            options: SWITCHES.into_iter().filter(|name| is_true(entry, name)).collect(),
            policy: string(entry, "policy").to_owned(),
            host_nodes: number_ranges(&entry["host-nodes"]),
            used_by,
        }
    };
    Ok(Memory {
        base: sizes["base-memory"].as_u64(),
        plugged: sizes["plugged-memory"].as_u64(),
        max: limits["max-size"].as_u64(),
        slots: limits["slots"].as_u64(),
        balloon: balloon["actual"].as_u64(),
        backends: items(&backends).iter().map(backend).collect(),
        devices,
        missing: replies.missing,
    })
}

/// Returns the id of the back end at a path.
fn backend_id(path: &str) -> &str {
    path.strip_prefix(OBJECTS).unwrap_or(path)
}

fn device(entry: &Value) -> Device {
    let data = &entry["data"];
    Device {
        id: string(data, "id").to_owned(),
        kind: string(entry, "type").to_owned(),
        slot: data["slot"].as_u64(),
        node: data["node"].as_u64(),
        address: data["addr"].as_u64().unwrap_or_else(|| unsigned(data, "memaddr")),
        size: data["size"].as_u64(),
        requested: data["requested-size"].as_u64(),
        max: data["max-size"].as_u64(),
        backend: backend_id(&plain(data, "memdev")).to_owned(),
    }
}

impl Device {
    /// Returns the id, or the type of a device without one.
    fn name(&self) -> String {
        if self.id.is_empty() { format!("({})", self.kind) } else { self.id.clone() }
    }
}

impl Picture for Memory {
    fn draw(&self, medium: &Medium<'_>) -> String {
        let amount = |value: Option<u64>| value.map(size).unwrap_or_default();
        let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
        let mut summary = Columns::pairs();
        summary.push_pair("base memory", Ink::Plain, &amount(self.base));
        summary.push_pair("plugged memory", Ink::Plain, &amount(self.plugged));
        summary.push_pair("at most", Ink::Plain, &amount(self.max));
        if let Some(slots) = self.slots {
            let used = self.devices.iter().filter(|device| device.slot.is_some()).count();
            summary.push_pair("slots", Ink::Plain, &format!("{used} of {slots} used"));
        }
        summary.push_pair("balloon", Ink::Plain, &amount(self.balloon));
        let mut devices = Columns::new(DEVICE_COLUMNS);
        for device in &self.devices {
            devices.push([
                Text::new(Ink::Name, &device.name()),
                Text::plain(&device.kind),
                number(device.slot).into(),
                number(device.node).into(),
                Text::plain(&format!("{:#x}", device.address)),
                amount(device.size).into(),
                amount(device.requested).into(),
                amount(device.max).into(),
                Text::plain(&device.backend),
            ]);
        }
        let mut backends = Columns::new(BACKEND_COLUMNS);
        for backend in &self.backends {
            backends.push([
                Text::new(Ink::Name, if backend.id.is_empty() { "(without id)" } else { &backend.id }),
                size(backend.size).into(),
                Text::plain(&backend.options.join(" ")),
                Text::plain(&backend.policy),
                Text::plain(&backend.host_nodes),
                Text::plain(&backend.used_by.join(", ")),
            ]);
        }
        let mut remarks = Columns::pairs();
        remarks.push_remarks(&self.missing);
        if summary.is_empty() && devices.is_empty() && backends.is_empty() {
            summary.push_across(Text::plain("The server tells nothing about memory."));
        }
        let parts = [summary, devices, backends, remarks];
        parts.iter().filter(|part| !part.is_empty()).map(|part| part.draw(medium)).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::ScriptedServer;

    #[test]
    fn devices_are_told_with_their_back_ends() {
        let backend = |id: &str, size: u64| json!({"id": id, "size": size, "share": true, "dump": true, "merge": false, "policy": "bind", "host-nodes": [0, 1]});
        let mut server = ScriptedServer::default()
            .reply("query-memdev", json!([backend("m0", 16 << 20), backend("ram", 256 << 20), {"size": 4096}]))
            .reply("query-memory-size-summary", json!({"base-memory": 256 << 20, "plugged-memory": 16 << 20}))
            .reply("query-memory-devices", json!([
                {"type": "dimm", "data": {"id": "dimm0", "slot": 0, "node": 0, "addr": 4_294_967_296_u64, "size": 16 << 20,
                    "memdev": "/objects/m0"}},
                {"type": "virtio-mem", "data": {"memaddr": 4_311_744_512_u64, "size": 0, "requested-size": 8 << 20,
                    "max-size": 16 << 20, "node": 1, "memdev": "/objects/\u{1b}"}},
            ]))
            .reply(r#"qom-get {"path":"/machine","property":"memory"}"#, json!({"slots": 4, "max-size": 2_u64 << 30}))
            .reply(r#"qom-get {"path":"/machine","property":"memory-backend"}"#, json!("ram"))
            .reply("query-balloon", json!({"actual": 128 << 20}));
        expect_test::expect![[r#"
            base memory     256 MiB
            plugged memory  16 MiB
            at most         2 GiB
            slots           1 of 4 used
            balloon         128 MiB

            DEVICE        TYPE        SLOT  NODE      ADDRESS    SIZE  REQUESTED  AT MOST  BACK END
            dimm0         dimm           0     0  0x100000000  16 MiB                      m0
            (virtio-mem)  virtio-mem           1  0x101000000     0 B      8 MiB   16 MiB  \x1b

            BACK END         SIZE  OPTIONS     POLICY  HOST NODES  USED BY
            m0             16 MiB  share dump  bind    0-1         dimm0
            ram           256 MiB  share dump  bind    0-1         base memory
            (without id)    4 KiB
        "#]]
        .assert_eq(&server.draw("memory", None, 90));
        let mut server = ScriptedServer::default().reply("query-memdev", json!([]));
        expect_test::expect![[r#"
            The server tells nothing about memory.

            The server has no command `query-memory-size-summary`.
            The server has no command `query-memory-devices`.
            The server has no command `qom-get`.
            The server has no command `query-balloon`.
        "#]]
        .assert_eq(&server.draw("memory", None, 90));
    }
}
