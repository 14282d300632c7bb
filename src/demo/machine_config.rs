//! The initial machine: an object tree, and the commands that add memory, drives and devices to it.

use serde_json::{Value, json};

use super::commands;
use super::machine::{CPU_COUNT, Machine};
use super::qom_tree::QomObject;

const RAM_BYTES: u64 = 256 << 20;

/// Creates a running machine with a disk, an empty CD-ROM drive, a network card and an I/O thread.
pub fn default_machine() -> Machine {
    let mut machine = Machine::new(initial_tree());
    for (command, arguments) in setup_commands() {
        // A test checks that each of them succeeds.
        if let (Ok(command), Value::Object(arguments)) = (commands::find(command), arguments) {
            let _ = command.execute(&mut machine, &arguments);
        }
    }
    machine.block_graph.name_drive("/machine/peripheral/disk0/virtio-backend", "drive0");
    let _ = machine.block_graph.add_drive("ide2-cd0", "/machine/unattached/ide-cd", None);
    machine.take_events();
    machine
}

fn setup_commands() -> [(&'static str, Value); 6] {
    let file = json!({"driver": "null-co", "node-name": "disk0-file", "size": 10_u64 << 30});
    [
        ("object-add", json!({"qom-type": "memory-backend-ram", "id": "ram", "size": RAM_BYTES})),
        ("object-add", json!({"qom-type": "iothread", "id": "iothread0"})),
        ("blockdev-add", json!({"driver": "qcow2", "node-name": "disk0", "file": file})),
        ("device_add", json!({"driver": "pcie-root-port", "id": "rp0", "chassis": 1})),
        ("device_add", json!({"driver": "virtio-blk-pci", "id": "disk0", "drive": "disk0", "iothread": "iothread0"})),
        ("device_add", json!({"driver": "virtio-net-pci", "id": "net0", "mac": "52:54:00:12:34:56"})),
    ]
}

/// Creates the tree without the devices and objects that commands add.
fn initial_tree() -> QomObject {
    let mut unattached = QomObject::new("container");
    for index in 0..CPU_COUNT {
        let mut cpu = QomObject::new("qemu64-x86_64-cpu");
        cpu.add_property("realized", "bool", true, false);
        cpu.add_property("core-id", "int32", index, false);
        cpu.add_property("socket-id", "int32", 0, false);
        cpu.add_property("vendor", "string", "DemoDemoDemo", false);
        unattached.add_child(&format!("device[{index}]"), cpu);
    }
    for (name, type_name) in [("pcie.0", "PCIE"), ("usb-bus.0", "usb-bus"), ("ide-cd", "ide-cd")] {
        unattached.add_child(name, QomObject::new(type_name));
    }
    let mut machine = QomObject::new("pc-q35-10.0-machine");
    for (name, value) in [("kernel", ""), ("initrd", ""), ("append", "console=ttyS0"), ("firmware", "")] {
        machine.add_property(name, "string", value, true);
    }
    for (name, value) in [("graphics", true), ("usb", true), ("mem-merge", true), ("dump-guest-core", true)] {
        machine.add_property(name, "bool", value, name == "dump-guest-core");
    }
    machine.add_property("acpi", "OnOffAuto", "auto", true);
    machine.add_property("memory-backend", "link<memory-backend>", "/objects/ram", false);
    machine.add_child("peripheral", QomObject::new("container"));
    machine.add_child("peripheral-anon", QomObject::new("container"));
    machine.add_child("unattached", unattached);

    let mut chardevs = QomObject::new("container");
    for name in ["compat_monitor0", "serial0", "log0"] {
        chardevs.add_child(name, QomObject::new("chardev-socket"));
    }
    let mut root = QomObject::new("container");
    root.add_child("machine", machine);
    root.add_child("objects", QomObject::new("container"));
    root.add_child("chardevs", chardevs);
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_each_setup_command() {
        let mut machine = Machine::new(initial_tree());
        for (command, arguments) in setup_commands() {
            commands::testing::run(&mut machine, command, arguments).unwrap();
        }
    }

    #[test]
    fn names_the_drive_of_the_disk() {
        let mut machine = default_machine();
        let drives = commands::testing::run(&mut machine, "query-block", json!({})).unwrap();
        assert_eq!(drives[0]["qdev"], "/machine/peripheral/disk0/virtio-backend");
        assert_eq!(drives[0]["device"], "drive0");
        assert_eq!(drives[1]["tray_open"], false);
    }
}
