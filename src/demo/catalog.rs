//! The QOM types this machine knows, and which properties an instance of each gets. A table and look-ups in it.

use super::properties::{BLK, IOTHREAD, MEMORY, NET, PCI, PORT, Property, RANDOM, RNG, SECRET, USB, VIRTIO};

/// One QOM type.
pub struct TypeEntry {
    /// Its name.
    pub name: &'static str,
    /// The type it is derived from.
    pub parent: Option<&'static str>,
    /// Whether it has no instances of its own.
    pub is_abstract: bool,
    /// The interfaces it implements.
    interfaces: &'static [&'static str],
    /// The properties that instances get, in groups.
    groups: &'static [&'static [Property]],
    /// The type of the child `virtio-backend`, for what has one.
    pub backend: Option<&'static str>,
}

const fn base(name: &'static str, parent: Option<&'static str>) -> TypeEntry {
    TypeEntry { name, parent, is_abstract: true, interfaces: &[], groups: &[], backend: None }
}

const fn device(
    name: &'static str,
    parent: &'static str,
    groups: &'static [&'static [Property]],
    backend: Option<&'static str>,
) -> TypeEntry {
    TypeEntry { name, parent: Some(parent), is_abstract: false, interfaces: &["hotpluggable"], groups, backend }
}

const fn object(name: &'static str, parent: &'static str, groups: &'static [&'static [Property]]) -> TypeEntry {
    TypeEntry { name, parent: Some(parent), is_abstract: false, interfaces: &["user-creatable"], groups, backend: None }
}

const fn internal(name: &'static str, parent: &'static str) -> TypeEntry {
    TypeEntry { name, parent: Some(parent), is_abstract: false, interfaces: &[], groups: &[], backend: None }
}

/// All types, each after the one it is derived from.
pub static TYPES: &[TypeEntry] = &[
    base("object", None),
    internal("container", "object"),
    base("chardev", Some("object")),
    internal("chardev-socket", "chardev"),
    base("machine", Some("object")),
    internal("pc-q35-10.0-machine", "machine"),
    base("device", Some("object")),
    base("cpu", Some("device")),
    base("x86_64-cpu", Some("cpu")),
    internal("qemu64-x86_64-cpu", "x86_64-cpu"),
    base("pci-device", Some("device")),
    base("virtio-pci", Some("pci-device")),
    device("virtio-net-pci", "virtio-pci", &[PCI, VIRTIO, NET], Some("virtio-net-device")),
    device("virtio-blk-pci", "virtio-pci", &[PCI, VIRTIO, BLK], Some("virtio-blk-device")),
    device("virtio-rng-pci", "virtio-pci", &[PCI, VIRTIO, RNG], Some("virtio-rng-device")),
    base("pcie-port", Some("pci-device")),
    device("pcie-root-port", "pcie-port", &[PCI, PORT], None),
    base("virtio-device", Some("device")),
    internal("virtio-net-device", "virtio-device"),
    internal("virtio-blk-device", "virtio-device"),
    internal("virtio-rng-device", "virtio-device"),
    base("usb-device", Some("device")),
    device("usb-tablet", "usb-device", &[USB], None),
    base("memory-backend", Some("object")),
    object("memory-backend-ram", "memory-backend", &[MEMORY]),
    object("iothread", "object", &[IOTHREAD]),
    object("secret", "object", &[SECRET]),
    base("rng-backend", Some("object")),
    object("rng-random", "rng-backend", &[RANDOM]),
];

/// The type of this name.
pub fn find(name: &str) -> Option<&'static TypeEntry> {
    TYPES.iter().find(|entry| entry.name == name)
}

impl TypeEntry {
    /// Whether this is the type `wanted`, derived from it, or implements it.
    pub fn is_a(&self, wanted: &str) -> bool {
        self.name == wanted
            || self.interfaces.contains(&wanted)
            || self.parent.and_then(find).is_some_and(|parent| parent.is_a(wanted))
    }

    /// Its properties.
    pub fn properties(&self) -> impl Iterator<Item = &'static Property> + use<> {
        self.groups.iter().flat_map(|group| group.iter())
    }

    /// Whether `device_add` makes one.
    pub fn is_hotpluggable(&self) -> bool {
        self.interfaces.contains(&"hotpluggable")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_follows_its_parent() {
        for (index, entry) in TYPES.iter().enumerate() {
            let known = |name| TYPES[..index].iter().any(|earlier| earlier.name == name);
            assert!(entry.parent.is_none_or(known), "{}", entry.name);
            assert!(entry.backend.is_none_or(|backend| find(backend).is_some()), "{}", entry.name);
        }
    }

    #[test]
    fn derivation_reaches_over_all_levels() {
        let net = find("virtio-net-pci").unwrap();
        assert!(["virtio-net-pci", "virtio-pci", "device", "object"].iter().all(|name| net.is_a(name)));
        assert!(!net.is_a("usb-device"));
        assert!(find("secret").unwrap().is_a("user-creatable"));
    }
}
