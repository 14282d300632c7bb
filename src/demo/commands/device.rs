//! Commands that add and remove devices, and list the properties of a device type.

use serde_json::{Value, json};

use super::no_result;
use crate::demo::args::{Args, check_id};
use crate::demo::error::{CommandError, CommandResult, ErrorClass};
use crate::demo::machine::{Machine, PERIPHERAL, PERIPHERAL_ANON};
use crate::demo::properties::Property;
use crate::demo::qapi::{Object, Type, object, optional, required};
use crate::demo::qom_tree::QomObject;
use crate::demo::qom_types::{QomType, find_type};

/// The only device type with a bus for other devices.
const ROOT_PORT: &str = "pcie-root-port";

const MAX_DEVICES_PER_PARENT: usize = 256;

/// The arguments of `device_add`. Undeclared members are properties of the driver.
pub(super) static DEVICE_ADD_ARGS: Object = Object {
    accepts_undeclared: true,
    ..object(
        "q_obj_device_add",
        &[required("driver", Type::Str), optional("bus", Type::Str), optional("id", Type::Str)],
    )
};
pub(super) static DEVICE_DEL_ARGS: Object = object("q_obj_device_del", &[required("id", Type::Str)]);
pub(super) static DEVICE_LIST_PROPERTIES_ARGS: Object =
    object("q_obj_device-list-properties", &[required("typename", Type::Str)]);

/// An entry of `device-list-properties` and `qom-list`.
pub(super) static PROPERTY_INFO: Object = object(
    "ObjectPropertyInfo",
    &[
        required("name", Type::Str),
        required("type", Type::Str),
        optional("description", Type::Str),
        optional("default-value", Type::Any),
    ],
);

pub(super) fn device_add(machine: &mut Machine, args: Args<'_>) -> CommandResult {
    let driver = args.required_str("driver")?;
    let Some(qom_type) = find_type(driver).filter(|qom_type| qom_type.is_hotpluggable()) else {
        return Err(CommandError::generic(format!("the demo machine has no hotpluggable device '{driver}'")));
    };
    let values = args.0.iter().filter(|(name, _)| !["driver", "bus", "id"].contains(&name.as_str()));
    let mut device = QomObject::instance_of(qom_type, values)?;
    let (parent, name) = choose_place(machine, args.optional_str("id"))?;
    let bus = bus_path(machine, qom_type, args.optional_str("bus"))?;
    device.add_property("parent_bus", "link<bus>", bus, false);
    for name in ["realized", "hotplugged", "hotpluggable"] {
        device.add_property(name, "bool", true, false);
    }
    for link in qom_type.properties().filter(|property| property.type_name.starts_with("link<")) {
        set_link(machine, &mut device, link)?;
    }
    if let Some(backend) = qom_type.virtio_backend {
        device.add_child("virtio-backend", QomObject::new(backend));
        add_drive(machine, &device, &format!("{parent}/{name}/virtio-backend"))?;
    }
    if qom_type.name == ROOT_PORT {
        device.add_child(&name, QomObject::new("PCIE"));
    }
    machine.qom_tree.find_mut(parent)?.add_child(&name, device);
    no_result()
}

/// Returns the parent and the name of a new device.
fn choose_place(machine: &Machine, id: Option<&str>) -> Result<(&'static str, String), CommandError> {
    let (parent, name) = match id {
        Some(id) => {
            check_id("id", id)?;
            (PERIPHERAL, id.to_owned())
        }
        None => {
            let siblings = machine.qom_tree.find(PERIPHERAL_ANON)?;
            let free = (0..=MAX_DEVICES_PER_PARENT)
                .map(|index| format!("device[{index}]"))
                .find(|name| siblings.child(name).is_none());
            (PERIPHERAL_ANON, free.unwrap_or_default())
        }
    };
    let siblings = machine.qom_tree.find(parent)?;
    if siblings.child(&name).is_some() {
        return Err(CommandError::generic(format!("device '{name}' already exists")));
    }
    if siblings.children().count() >= MAX_DEVICES_PER_PARENT {
        return Err(CommandError::generic(format!(
            "the demo machine has at most {MAX_DEVICES_PER_PARENT} devices in {parent}"
        )));
    }
    Ok((parent, name))
}

/// Returns the path of the bus for a device: the named bus, which must accept the device, or the machine's.
fn bus_path(machine: &Machine, qom_type: &QomType, name: Option<&str>) -> Result<String, CommandError> {
    let machine_bus = if qom_type.is_a("usb-device") { "usb-bus.0" } else { "pcie.0" };
    match name.filter(|name| *name != machine_bus) {
        None => Ok(format!("/machine/unattached/{machine_bus}")),
        Some(name) => {
            let port = machine.qom_tree.find(PERIPHERAL)?.child(name).filter(|port| port.type_name() == ROOT_PORT);
            match port {
                Some(_) if qom_type.is_a("pci-device") => Ok(format!("{PERIPHERAL}/{name}/{name}")),
                _ => Err(CommandError::generic(format!("no bus '{name}' for a device of type '{}'", qom_type.name))),
            }
        }
    }
}

/// Replaces the value of a link property, an id or a path, with the path of the object, which must have the right type.
fn set_link(machine: &Machine, device: &mut QomObject, link: &Property) -> Result<(), CommandError> {
    let Some(target) = device.property(link.name).and_then(Value::as_str).filter(|target| !target.is_empty()) else {
        return Ok(());
    };
    let path = if target.starts_with('/') { target.to_owned() } else { format!("/objects/{target}") };
    let required_type = link.type_name.trim_start_matches("link<").trim_end_matches('>');
    let type_name = machine.qom_tree.find(&path)?.type_name();
    if !find_type(type_name).is_some_and(|qom_type| qom_type.is_a(required_type)) {
        let desc = format!("argument '{}' must be a '{required_type}'; {path} is a '{type_name}'", link.name);
        return Err(CommandError::generic(desc));
    }
    device.set_property(link.name, path);
    Ok(())
}

/// Adds the drive of a disk. Does nothing for other devices.
fn add_drive(machine: &mut Machine, device: &QomObject, qdev: &str) -> Result<(), CommandError> {
    match device.property("drive").and_then(Value::as_str) {
        None => Ok(()),
        Some("") => Err(CommandError::generic("missing argument 'drive'; it is the name of a block node")),
        Some(node) => {
            machine.jobs.check_unused(node)?;
            machine.block_graph.add_drive("", qdev, Some(node))
        }
    }
}

pub(super) fn device_del(machine: &mut Machine, args: Args<'_>) -> CommandResult {
    let id = args.required_str("id")?;
    let path = if id.starts_with('/') { id.to_owned() } else { format!("{PERIPHERAL}/{id}") };
    let not_found = || CommandError::new(ErrorClass::DeviceNotFound, format!("device '{id}' not found"));
    let (parent, name) = path.rsplit_once('/').ok_or_else(not_found)?;
    if ![PERIPHERAL, PERIPHERAL_ANON].contains(&parent) || machine.qom_tree.find(parent)?.child(name).is_none() {
        return Err(not_found());
    }
    if let Some(user) = device_on_port(machine, name) {
        return Err(CommandError::generic(format!("device '{user}' is plugged into '{name}'")));
    }
    if !machine.unplug(parent, name) {
        return Err(CommandError::generic(format!("device '{name}' is already being unplugged")));
    }
    no_result()
}

/// Returns the name of the device on the bus of a root port, if there is one.
fn device_on_port<'a>(machine: &'a Machine, port: &str) -> Option<&'a str> {
    let bus = format!("{PERIPHERAL}/{port}/{port}");
    let devices = [PERIPHERAL, PERIPHERAL_ANON].into_iter().filter_map(|parent| machine.qom_tree.find(parent).ok());
    let mut devices = devices.flat_map(QomObject::children);
    let plugged = devices.find(|(_, device)| device.property("parent_bus").is_some_and(|value| *value == bus));
    plugged.map(|(name, _)| name)
}

pub(super) fn device_list_properties(_: &mut Machine, args: Args<'_>) -> CommandResult {
    let type_name = args.required_str("typename")?;
    let Some(qom_type) = find_type(type_name) else {
        return Err(CommandError::new(ErrorClass::DeviceNotFound, format!("type '{type_name}' not found")));
    };
    if !qom_type.is_a("device") || qom_type.is_abstract {
        return Err(CommandError::generic(format!("'{type_name}' is not a device type, or is abstract")));
    }
    let describe = |property: &Property| {
        let mut value = json!({"name": property.name, "type": property.type_name});
        if let Some(description) = property.description {
            value["description"] = description.into();
        }
        if let Some(default) = property.default.to_json() {
            value["default-value"] = default;
        }
        value
    };
    Ok(qom_type.properties().map(describe).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::super::testing::{events, run};
    use crate::demo::machine_config::default_machine;

    #[test]
    fn adds_a_device_and_removes_it_with_an_event() {
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
    fn rejects_invalid_devices() {
        let mut machine = default_machine();
        for (args, expected) in [
            (json!({"driver": "nope"}), "the demo machine has no hotpluggable device 'nope'"),
            (json!({"driver": "iothread"}), "the demo machine has no hotpluggable device 'iothread'"),
            (json!({"driver": "usb-tablet", "id": "net0"}), "device 'net0' already exists"),
            (json!({"driver": "usb-tablet", "bus": "rp0"}), "no bus 'rp0' for a device of type 'usb-tablet'"),
            (json!({"driver": "usb-tablet", "colour": 1}), "type 'usb-tablet' has no property 'colour'"),
            (json!({"driver": "virtio-net-pci", "mq": "on"}), "argument 'mq' must be a boolean"),
            (json!({"driver": "virtio-blk-pci"}), "missing argument 'drive'; it is the name of a block node"),
            (
                json!({"driver": "virtio-blk-pci", "drive": "disk0"}),
                "node 'disk0' is in use by the device at /machine/peripheral/disk0/virtio-backend",
            ),
            (
                json!({"driver": "virtio-rng-pci", "rng": "iothread0"}),
                "argument 'rng' must be a 'rng-backend'; /objects/iothread0 is a 'iothread'",
            ),
        ] {
            assert_eq!(run(&mut machine, "device_add", args).unwrap_err(), expected);
        }
    }

    #[test]
    fn removes_a_device_without_id_by_path() {
        let mut machine = default_machine();
        run(&mut machine, "device_add", json!({"driver": "usb-tablet"})).unwrap();
        run(&mut machine, "device_del", json!({"id": "/machine/peripheral-anon/device[0]"})).unwrap();
        machine.advance(Duration::from_secs(1));
        assert_eq!(events(&mut machine), [("DEVICE_DELETED", json!({"path": "/machine/peripheral-anon/device[0]"}))]);
    }

    #[test]
    fn lists_the_properties_of_a_driver() {
        let mut machine = default_machine();
        let list = run(&mut machine, "device-list-properties", json!({"typename": "virtio-rng-pci"})).unwrap();
        assert!(list.as_array().unwrap().iter().any(|property| property["name"] == "max-bytes"));
        assert!(run(&mut machine, "device-list-properties", json!({"typename": "virtio-pci"})).is_err());
    }
}
