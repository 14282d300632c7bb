//! Commands of devices: adding one under `/machine/peripheral`, taking one away, and what a driver can be told.

use serde_json::{Value, json};

use super::{Command, NOTHING, command, nothing};
use crate::demo::args::{Args, check_id};
use crate::demo::catalog::{TypeEntry, find};
use crate::demo::failure::{Class, Failure, Outcome};
use crate::demo::machine::Machine;
use crate::demo::properties::Property;
use crate::demo::tree::QomObject;
use crate::demo::types::{Object, Type, object, opt, req};

/// Where devices with an id stand, and those without.
const NAMED: &str = "/machine/peripheral";
const UNNAMED: &str = "/machine/peripheral-anon";

/// The one device that is a bus to others.
const PORT: &str = "pcie-root-port";

/// More devices than this are refused.
const LIMIT: usize = 256;

/// Open: whatever is not declared is a property of the driver.
static ADD_ARGS: Object = Object {
    name: "q_obj_device_add",
    members: &[req("driver", Type::Str), opt("bus", Type::Str), opt("id", Type::Str)],
    union: None,
    open: true,
};
static DEL_ARGS: Object = object("q_obj_device_del", &[req("id", Type::Str)]);
static LIST_ARGS: Object = object("q_obj_device-list-properties", &[req("typename", Type::Str)]);

/// One entry of `device-list-properties` and `qom-list`.
pub static PROPERTY_INFO: Object = object(
    "ObjectPropertyInfo",
    &[req("name", Type::Str), req("type", Type::Str), opt("description", Type::Str), opt("default-value", Type::Any)],
);

/// The commands of this file.
pub static COMMANDS: &[Command] = &[
    Command { features: &["json-cli", "json-cli-hotplug"], ..command("device_add", &ADD_ARGS, NOTHING, device_add) },
    command("device_del", &DEL_ARGS, NOTHING, device_del),
    command("device-list-properties", &LIST_ARGS, Type::Array(&Type::Object(&PROPERTY_INFO)), list_properties),
];

fn device_add(machine: &mut Machine, args: Args<'_>) -> Outcome {
    let driver = args.text("driver")?;
    let Some(entry) = find(driver).filter(|entry| entry.is_hotpluggable()) else {
        return Err(Failure::new(format!("'{driver}' is no device that the demo machine can add")));
    };
    let given = args.0.iter().filter(|(name, _)| !["driver", "bus", "id"].contains(&name.as_str()));
    let mut device = QomObject::instance(entry, given)?;
    let (parent, name) = place(machine, args.maybe_text("id"))?;
    device.add("parent_bus", "link<bus>", bus(machine, entry, args.maybe_text("bus"))?, false);
    for (flag, value) in [("realized", true), ("hotplugged", true), ("hotpluggable", true)] {
        device.add(flag, "bool", value, false);
    }
    for link in entry.properties().filter(|property| property.kind.starts_with("link<")) {
        connect(machine, &mut device, link)?;
    }
    if let Some(backend) = entry.backend {
        device.add_child("virtio-backend", QomObject::new(backend));
        plug_drive(machine, &device, &format!("{parent}/{name}/virtio-backend"))?;
    }
    if entry.name == PORT {
        device.add_child(&name, QomObject::new("PCIE"));
    }
    machine.tree.find_mut(parent)?.add_child(&name, device);
    nothing()
}

/// The parent and the name of a new device.
fn place(machine: &Machine, id: Option<&str>) -> Result<(&'static str, String), Failure> {
    let (parent, name) = match id {
        Some(id) => {
            check_id("id", id)?;
            (NAMED, id.to_owned())
        }
        None => {
            let taken = machine.tree.find(UNNAMED)?;
            let free = (0..=LIMIT).map(|index| format!("device[{index}]")).find(|name| taken.child(name).is_none());
            (UNNAMED, free.unwrap_or_default())
        }
    };
    let siblings = machine.tree.find(parent)?;
    if siblings.child(&name).is_some() {
        return Err(Failure::new(format!("there is a device '{name}' already")));
    }
    if siblings.children().count() >= LIMIT {
        return Err(Failure::new(format!("the demo machine has room for {LIMIT} devices at most")));
    }
    Ok((parent, name))
}

/// The path of the bus a device goes on: the one asked for, which must be of the right kind, or the machine's own.
fn bus(machine: &Machine, entry: &TypeEntry, wanted: Option<&str>) -> Result<String, Failure> {
    let own = if entry.is_a("usb-device") { "usb-bus.0" } else { "pcie.0" };
    match wanted {
        None => Ok(format!("/machine/unattached/{own}")),
        Some(name) if name == own => Ok(format!("/machine/unattached/{own}")),
        Some(name) => {
            let port = machine.tree.find(NAMED)?.child(name).filter(|port| port.typename() == PORT);
            match port {
                Some(_) if entry.is_a("pci-device") => Ok(format!("{NAMED}/{name}/{name}")),
                _ => Err(Failure::new(format!("there is no bus '{name}' for a '{}'", entry.name))),
            }
        }
    }
}

/// Makes the value of a link property, an id or a path, the path of an object of the right type.
fn connect(machine: &Machine, device: &mut QomObject, link: &Property) -> Result<(), Failure> {
    let Some(target) = device.property(link.name).and_then(Value::as_str).filter(|target| !target.is_empty()) else {
        return Ok(());
    };
    let path = if target.starts_with('/') { target.to_owned() } else { format!("/objects/{target}") };
    let wanted = link.kind.trim_start_matches("link<").trim_end_matches('>');
    let found = machine.tree.find(&path)?.typename();
    if !find(found).is_some_and(|entry| entry.is_a(wanted)) {
        return Err(Failure::new(format!("'{}' must be a '{wanted}', and {path} is a '{found}'", link.name)));
    }
    device.replace(link.name, path);
    Ok(())
}

fn plug_drive(machine: &mut Machine, device: &QomObject, qdev: &str) -> Result<(), Failure> {
    match device.property("drive").and_then(Value::as_str) {
        None => Ok(()),
        Some("") => Err(Failure::new("a drive needs its property 'drive': the name of a block node")),
        Some(node) => match machine.jobs.user_of(node) {
            Some(job) => Err(Failure::new(format!("node '{node}' is in use by job '{job}'"))),
            None => machine.blocks.plug("", qdev, Some(node)),
        },
    }
}

fn device_del(machine: &mut Machine, args: Args<'_>) -> Outcome {
    let id = args.text("id")?;
    let path = if id.starts_with('/') { id.to_owned() } else { format!("{NAMED}/{id}") };
    let missing = || Failure::of(Class::DeviceNotFound, format!("there is no device '{id}'"));
    let (parent, name) = path.rsplit_once('/').ok_or_else(missing)?;
    if ![NAMED, UNNAMED].contains(&parent) || machine.tree.find(parent)?.child(name).is_none() {
        return Err(missing());
    }
    if let Some(user) = on_port(machine, name) {
        return Err(Failure::new(format!("device '{user}' is plugged into '{name}'")));
    }
    if !machine.unplug(parent, name) {
        return Err(Failure::new(format!("device '{name}' is being unplugged already")));
    }
    nothing()
}

/// A device on the bus of the root port `port`.
fn on_port<'a>(machine: &'a Machine, port: &str) -> Option<&'a str> {
    let bus = format!("{NAMED}/{port}/{port}");
    let devices = [NAMED, UNNAMED].into_iter().filter_map(|parent| machine.tree.find(parent).ok());
    let mut devices = devices.flat_map(QomObject::children);
    let plugged = devices.find(|(_, device)| device.property("parent_bus").is_some_and(|value| *value == bus));
    plugged.map(|(name, _)| name)
}

fn list_properties(_: &mut Machine, args: Args<'_>) -> Outcome {
    let typename = args.text("typename")?;
    let Some(entry) = find(typename) else {
        return Err(Failure::of(Class::DeviceNotFound, format!("there is no type '{typename}'")));
    };
    if !entry.is_a("device") || entry.is_abstract {
        return Err(Failure::new(format!("'{typename}' is no type of device that has instances")));
    }
    let describe = |property: &Property| {
        let mut value = json!({"name": property.name, "type": property.kind});
        if let Some(description) = property.description {
            value["description"] = description.into();
        }
        if let Some(default) = property.default.value() {
            value["default-value"] = default;
        }
        value
    };
    Ok(entry.properties().map(describe).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::super::testing::{events, run};
    use crate::demo::machine_config::default_machine;

    #[test]
    fn a_device_comes_with_its_properties_and_goes_with_an_event() {
        let mut machine = default_machine();
        let args =
            json!({"driver": "virtio-net-pci", "id": "new", "mac": "52:54:00:00:00:09", "mq": true, "bus": "rp0"});
        run(&mut machine, "device_add", args).unwrap();
        let path = "/machine/peripheral/new";
        assert_eq!(run(&mut machine, "qom-get", json!({"path": path, "property": "mq"})), Ok(json!(true)));
        let port = run(&mut machine, "device_del", json!({"id": "rp0"})).unwrap_err();
        assert_eq!(port, "device 'new' is plugged into 'rp0'");
        run(&mut machine, "device_del", json!({"id": "new"})).unwrap();
        assert!(run(&mut machine, "device_del", json!({"id": "new"})).is_err());
        machine.advance(Duration::from_millis(300));
        assert_eq!(events(&mut machine)[1], ("DEVICE_DELETED", json!({"device": "new", "path": path})));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut machine = default_machine();
        for (args, expected) in [
            (json!({"driver": "nope"}), "'nope' is no device that the demo machine can add"),
            (json!({"driver": "iothread"}), "'iothread' is no device that the demo machine can add"),
            (json!({"driver": "usb-tablet", "id": "net0"}), "there is a device 'net0' already"),
            (json!({"driver": "usb-tablet", "bus": "rp0"}), "there is no bus 'rp0' for a 'usb-tablet'"),
            (json!({"driver": "usb-tablet", "colour": 1}), "type 'usb-tablet' has no property 'colour'"),
            (json!({"driver": "virtio-net-pci", "mq": "on"}), "argument 'mq' must be true or false"),
            (json!({"driver": "virtio-blk-pci"}), "a drive needs its property 'drive': the name of a block node"),
            (
                json!({"driver": "virtio-blk-pci", "drive": "disk0"}),
                "node 'disk0' is in use by the device at /machine/peripheral/disk0/virtio-backend",
            ),
            (
                json!({"driver": "virtio-rng-pci", "rng": "iothread0"}),
                "'rng' must be a 'rng-backend', and /objects/iothread0 is a 'iothread'",
            ),
        ] {
            assert_eq!(run(&mut machine, "device_add", args).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_device_without_an_id_has_a_path_all_the_same() {
        let mut machine = default_machine();
        run(&mut machine, "device_add", json!({"driver": "usb-tablet"})).unwrap();
        run(&mut machine, "device_del", json!({"id": "/machine/peripheral-anon/device[0]"})).unwrap();
        machine.advance(Duration::from_secs(1));
        assert_eq!(events(&mut machine), [("DEVICE_DELETED", json!({"path": "/machine/peripheral-anon/device[0]"}))]);
    }

    #[test]
    fn properties_of_a_driver_are_listed() {
        let mut machine = default_machine();
        let list = run(&mut machine, "device-list-properties", json!({"typename": "virtio-rng-pci"})).unwrap();
        assert!(list.as_array().unwrap().iter().any(|property| property["name"] == "max-bytes"));
        assert!(run(&mut machine, "device-list-properties", json!({"typename": "virtio-pci"})).is_err());
    }
}
