//! The table of QOM types, and the properties of their instances.

use super::properties::{
    IOTHREAD, MEMORY_BACKEND, PCI, PCIE_ROOT_PORT, Property, RNG_RANDOM, SECRET, USB_TABLET, VIRTIO, VIRTIO_BLK,
    VIRTIO_NET, VIRTIO_RNG,
};

pub struct QomType {
    pub name: &'static str,
    pub parent: Option<&'static str>,
    pub is_abstract: bool,
    interfaces: &'static [&'static str],
    /// The properties of instances, in groups that types share.
    property_groups: &'static [&'static [Property]],
    /// The type of the child `virtio-backend`, if there is one.
    pub virtio_backend: Option<&'static str>,
}

const fn abstract_type(name: &'static str, parent: Option<&'static str>) -> QomType {
    QomType { name, parent, is_abstract: true, interfaces: &[], property_groups: &[], virtio_backend: None }
}

const fn hotpluggable_device(
    name: &'static str,
    parent: &'static str,
    property_groups: &'static [&'static [Property]],
    virtio_backend: Option<&'static str>,
) -> QomType {
    let interfaces = &["hotpluggable"];
    QomType { name, parent: Some(parent), is_abstract: false, interfaces, property_groups, virtio_backend }
}

const fn user_creatable(
    name: &'static str,
    parent: &'static str,
    property_groups: &'static [&'static [Property]],
) -> QomType {
    let interfaces = &["user-creatable"];
    QomType { name, parent: Some(parent), is_abstract: false, interfaces, property_groups, virtio_backend: None }
}

const fn internal_type(name: &'static str, parent: &'static str) -> QomType {
    QomType {
        name,
        parent: Some(parent),
        is_abstract: false,
        interfaces: &[],
        property_groups: &[],
        virtio_backend: None,
    }
}

/// All types, each after its parent.
pub static TYPES: &[QomType] = &[
    abstract_type("object", None),
    internal_type("container", "object"),
    abstract_type("chardev", Some("object")),
    internal_type("chardev-socket", "chardev"),
    abstract_type("machine", Some("object")),
    internal_type("pc-q35-10.0-machine", "machine"),
    abstract_type("device", Some("object")),
    abstract_type("cpu", Some("device")),
    abstract_type("x86_64-cpu", Some("cpu")),
    internal_type("qemu64-x86_64-cpu", "x86_64-cpu"),
    abstract_type("pci-device", Some("device")),
    abstract_type("virtio-pci", Some("pci-device")),
    hotpluggable_device("virtio-net-pci", "virtio-pci", &[PCI, VIRTIO, VIRTIO_NET], Some("virtio-net-device")),
    hotpluggable_device("virtio-blk-pci", "virtio-pci", &[PCI, VIRTIO, VIRTIO_BLK], Some("virtio-blk-device")),
    hotpluggable_device("virtio-rng-pci", "virtio-pci", &[PCI, VIRTIO, VIRTIO_RNG], Some("virtio-rng-device")),
    abstract_type("pcie-port", Some("pci-device")),
    hotpluggable_device("pcie-root-port", "pcie-port", &[PCI, PCIE_ROOT_PORT], None),
    abstract_type("virtio-device", Some("device")),
    internal_type("virtio-net-device", "virtio-device"),
    internal_type("virtio-blk-device", "virtio-device"),
    internal_type("virtio-rng-device", "virtio-device"),
    abstract_type("usb-device", Some("device")),
    hotpluggable_device("usb-tablet", "usb-device", &[USB_TABLET], None),
    abstract_type("memory-backend", Some("object")),
    user_creatable("memory-backend-ram", "memory-backend", &[MEMORY_BACKEND]),
    user_creatable("iothread", "object", &[IOTHREAD]),
    user_creatable("secret", "object", &[SECRET]),
    abstract_type("rng-backend", Some("object")),
    user_creatable("rng-random", "rng-backend", &[RNG_RANDOM]),
];

pub fn find_type(name: &str) -> Option<&'static QomType> {
    TYPES.iter().find(|entry| entry.name == name)
}

impl QomType {
    /// Returns whether this is the given type or a subtype of it, or implements the given interface.
    pub fn is_a(&self, type_name: &str) -> bool {
        self.name == type_name
            || self.interfaces.contains(&type_name)
            || self.parent.and_then(find_type).is_some_and(|parent| parent.is_a(type_name))
    }

    pub fn properties(&self) -> impl Iterator<Item = &'static Property> + use<> {
        self.property_groups.iter().flat_map(|group| group.iter())
    }

    /// Returns whether `device_add` can create an instance.
    pub fn is_hotpluggable(&self) -> bool {
        self.interfaces.contains(&"hotpluggable")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_each_type_after_its_parent() {
        for (index, entry) in TYPES.iter().enumerate() {
            let is_known = |name| TYPES[..index].iter().any(|earlier| earlier.name == name);
            assert!(entry.parent.is_none_or(is_known), "{}", entry.name);
            assert!(entry.virtio_backend.is_none_or(|backend| find_type(backend).is_some()), "{}", entry.name);
        }
    }

    #[test]
    fn inherits_over_all_levels() {
        let net = find_type("virtio-net-pci").unwrap();
        assert!(["virtio-net-pci", "virtio-pci", "device", "object"].iter().all(|name| net.is_a(name)));
        assert!(!net.is_a("usb-device"));
        assert!(find_type("secret").unwrap().is_a("user-creatable"));
    }
}
