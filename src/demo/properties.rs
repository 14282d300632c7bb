//! Declarations of QOM properties, in groups that the types of `qom_types` share.

use serde_json::Value;

use super::qapi::{Enum, Type};

pub struct Property {
    pub name: &'static str,
    /// QOM's name for the type.
    pub type_name: &'static str,
    pub description: Option<&'static str>,
    pub default: DefaultValue,
    /// Whether clients can set it after the instance is created.
    pub is_settable: bool,
}

#[derive(Clone, Copy)]
pub enum DefaultValue {
    /// The property reads as an empty string until it is set.
    Unset,
    Str(&'static str),
    Int(i64),
    Bool(bool),
}

impl DefaultValue {
    pub fn to_json(self) -> Option<Value> {
        match self {
            DefaultValue::Unset => None,
            DefaultValue::Str(text) => Some(text.into()),
            DefaultValue::Int(number) => Some(number.into()),
            DefaultValue::Bool(flag) => Some(flag.into()),
        }
    }
}

static ON_OFF_AUTO: Enum = Enum { name: "OnOffAuto", values: &["auto", "on", "off"] };

/// Returns the QAPI type of the values of a QOM type.
pub fn value_type(type_name: &str) -> Type {
    match type_name {
        "bool" => Type::Bool,
        "int" | "int32" | "size" => Type::Int,
        "OnOffAuto" => Type::Enum(&ON_OFF_AUTO),
        _ if type_name.starts_with("uint") => Type::Int,
        _ => Type::Str,
    }
}

const fn bool_property(name: &'static str, default: bool) -> Property {
    Property {
        name,
        type_name: "bool",
        description: Some("on/off"),
        default: DefaultValue::Bool(default),
        is_settable: false,
    }
}

const fn int_property(name: &'static str, type_name: &'static str, default: i64) -> Property {
    Property { name, type_name, description: None, default: DefaultValue::Int(default), is_settable: false }
}

const fn unset_property(name: &'static str, type_name: &'static str, description: Option<&'static str>) -> Property {
    Property { name, type_name, description, default: DefaultValue::Unset, is_settable: false }
}

const fn str_property(name: &'static str, type_name: &'static str, default: &'static str) -> Property {
    Property { name, type_name, description: None, default: DefaultValue::Str(default), is_settable: false }
}

const fn settable(property: Property) -> Property {
    Property { is_settable: true, ..property }
}

/// The properties of all PCI devices.
pub static PCI: &[Property] = &[
    unset_property("addr", "str", Some("place on the bus, as slot or slot.function")),
    unset_property("romfile", "str", None),
    int_property("rombar", "int32", -1),
    bool_property("multifunction", false),
    int_property("acpi-index", "uint32", 0),
    unset_property("failover_pair_id", "str", None),
];

/// The properties of all virtio devices.
pub static VIRTIO: &[Property] = &[
    bool_property("ioeventfd", true),
    int_property("vectors", "uint32", 3),
    Property { description: Some("on/off/auto"), ..str_property("disable-legacy", "OnOffAuto", "auto") },
    bool_property("disable-modern", false),
    bool_property("iommu_platform", false),
    bool_property("packed", false),
    bool_property("event_idx", true),
    bool_property("indirect_desc", true),
];

pub static VIRTIO_NET: &[Property] = &[
    unset_property("mac", "str", Some("hardware address, such as 52:54:00:12:34:56")),
    unset_property("netdev", "str", Some("name of the backend")),
    int_property("bootindex", "int32", -1),
    int_property("rx_queue_size", "uint16", 256),
    int_property("tx_queue_size", "uint16", 256),
    bool_property("mq", false),
    int_property("host_mtu", "uint16", 0),
    int_property("speed", "int32", -1),
    unset_property("duplex", "str", None),
];

pub static VIRTIO_BLK: &[Property] = &[
    unset_property("drive", "str", Some("name of the block node")),
    unset_property("serial", "str", None),
    int_property("bootindex", "int32", -1),
    int_property("logical_block_size", "size", 0),
    int_property("physical_block_size", "size", 0),
    int_property("num-queues", "uint16", 65535),
    int_property("queue-size", "uint16", 256),
    bool_property("share-rw", false),
    bool_property("write-cache", true),
    unset_property("iothread", "link<iothread>", None),
];

pub static VIRTIO_RNG: &[Property] = &[
    unset_property("rng", "link<rng-backend>", None),
    int_property("max-bytes", "uint64", i64::MAX),
    int_property("period", "uint32", 65536),
];

pub static USB_TABLET: &[Property] = &[
    unset_property("port", "str", None),
    unset_property("serial", "str", None),
    bool_property("msos-desc", true),
    unset_property("display", "str", None),
    int_property("head", "uint32", 0),
    int_property("usb_version", "uint32", 2),
];

pub static PCIE_ROOT_PORT: &[Property] = &[
    int_property("chassis", "uint8", 0),
    int_property("slot", "uint16", 0),
    int_property("port", "uint8", 0),
    bool_property("hotplug", true),
    unset_property("x-speed", "PCIELinkSpeed", Some("2_5/5/8/16/32/64")),
    unset_property("x-width", "PCIELinkWidth", Some("1/2/4/8/12/16/32")),
    int_property("io-reserve", "size", -1),
];

pub static IOTHREAD: &[Property] = &[
    settable(int_property("poll-max-ns", "int", 32768)),
    settable(int_property("poll-grow", "int", 0)),
    settable(int_property("poll-shrink", "int", 0)),
    settable(int_property("aio-max-batch", "int", 0)),
    settable(int_property("thread-pool-min", "int", 0)),
    settable(int_property("thread-pool-max", "int", 64)),
];

pub static MEMORY_BACKEND: &[Property] = &[
    int_property("size", "int", 0),
    settable(bool_property("merge", true)),
    settable(bool_property("dump", true)),
    bool_property("prealloc", false),
    bool_property("share", false),
    bool_property("reserve", true),
    str_property("policy", "HostMemPolicy", "default"),
];

pub static SECRET: &[Property] = &[
    unset_property("data", "string", None),
    unset_property("file", "string", None),
    str_property("format", "QCryptoSecretFormat", "raw"),
    unset_property("keyid", "string", None),
    unset_property("iv", "string", None),
];

pub static RNG_RANDOM: &[Property] =
    &[bool_property("opened", true), str_property("filename", "string", "/dev/urandom")];

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn declares_defaults_of_the_right_type() {
        let groups = [
            PCI,
            VIRTIO,
            VIRTIO_NET,
            VIRTIO_BLK,
            VIRTIO_RNG,
            USB_TABLET,
            PCIE_ROOT_PORT,
            IOTHREAD,
            MEMORY_BACKEND,
            SECRET,
            RNG_RANDOM,
        ];
        for property in groups.into_iter().flatten() {
            if let Some(value) = property.default.to_json() {
                assert_eq!(check::check_value(value_type(property.type_name), &value, property.name), Ok(()));
            }
        }
    }
}
