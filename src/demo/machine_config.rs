//! The machine as a client finds it: an empty one, and a table of commands that furnish it.

use serde_json::{Value, json};

use super::commands;
use super::machine::{CPUS, Machine};
use super::tree::QomObject;

/// The machine's RAM, in bytes.
const RAM: u64 = 256 << 20;

/// A running machine with a disk, an empty drive, a network card and a thread.
pub fn default_machine() -> Machine {
    let mut machine = Machine::new(root());
    for (command, arguments) in furniture() {
        // A test holds every line of the table to be accepted.
        if let (Ok(command), Value::Object(arguments)) = (commands::find(command), arguments) {
            let _accepted = command.execute(&mut machine, &arguments);
        }
    }
    machine.blocks.name_drive("/machine/peripheral/disk0/virtio-backend", "drive0");
    let _accepted = machine.blocks.plug("ide2-cd0", "/machine/unattached/ide-cd", None);
    machine.take_events();
    machine
}

fn furniture() -> [(&'static str, Value); 6] {
    let file = json!({"driver": "null-co", "node-name": "disk0-file", "size": 10_u64 << 30});
    [
        ("object-add", json!({"qom-type": "memory-backend-ram", "id": "ram", "size": RAM})),
        ("object-add", json!({"qom-type": "iothread", "id": "iothread0"})),
        ("blockdev-add", json!({"driver": "qcow2", "node-name": "disk0", "file": file})),
        ("device_add", json!({"driver": "pcie-root-port", "id": "rp0", "chassis": 1})),
        ("device_add", json!({"driver": "virtio-blk-pci", "id": "disk0", "drive": "disk0", "iothread": "iothread0"})),
        ("device_add", json!({"driver": "virtio-net-pci", "id": "net0", "mac": "52:54:00:12:34:56"})),
    ]
}

/// The tree of the empty machine.
fn root() -> QomObject {
    let mut unattached = QomObject::new("container");
    for index in 0..CPUS {
        let mut cpu = QomObject::new("qemu64-x86_64-cpu");
        cpu.add("realized", "bool", true, false);
        cpu.add("core-id", "int32", index, false);
        cpu.add("socket-id", "int32", 0, false);
        cpu.add("vendor", "string", "DemoDemoDemo", false);
        unattached.add_child(&format!("device[{index}]"), cpu);
    }
    for (name, typename) in [("pcie.0", "PCIE"), ("usb-bus.0", "usb-bus"), ("ide-cd", "ide-cd")] {
        unattached.add_child(name, QomObject::new(typename));
    }
    let mut machine = QomObject::new("pc-q35-10.0-machine");
    for (name, value) in [("kernel", ""), ("initrd", ""), ("append", "console=ttyS0"), ("firmware", "")] {
        machine.add(name, "string", value, true);
    }
    for (name, value) in [("graphics", true), ("usb", true), ("mem-merge", true), ("dump-guest-core", true)] {
        machine.add(name, "bool", value, name == "dump-guest-core");
    }
    machine.add("acpi", "OnOffAuto", "auto", true);
    machine.add("memory-backend", "link<memory-backend>", "/objects/ram", false);
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
    fn every_piece_is_accepted() {
        let mut machine = Machine::new(root());
        for (command, arguments) in furniture() {
            commands::testing::run(&mut machine, command, arguments).unwrap();
        }
    }

    #[test]
    fn the_disk_stands_under_a_name_of_its_drive() {
        let mut machine = default_machine();
        let drives = commands::testing::run(&mut machine, "query-block", json!({})).unwrap();
        assert_eq!(drives[0]["qdev"], "/machine/peripheral/disk0/virtio-backend");
        assert_eq!(drives[0]["device"], "drive0");
        assert_eq!(drives[1]["tray_open"], false);
    }
}
