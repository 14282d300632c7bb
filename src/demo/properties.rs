//! The properties of QOM types: what a property is, and the groups of them that types are put together from.

use serde_json::Value;

use super::types::{Enum, Type};

/// One property of a type.
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// The name of its type, as QOM spells it.
    pub kind: &'static str,
    /// What it is for.
    pub description: Option<&'static str>,
    /// Its value where none is given.
    pub default: Default,
    /// Whether it can be set once the instance is there.
    pub live: bool,
}

/// The default of a property.
#[derive(Clone, Copy)]
pub enum Default {
    /// None: an unset property reads as an empty string.
    Unset,
    /// A string.
    Word(&'static str),
    /// A whole number.
    Number(i64),
    /// A truth value.
    Flag(bool),
}

impl Default {
    /// The default as a value, if there is one.
    pub fn value(self) -> Option<Value> {
        match self {
            Default::Unset => None,
            Default::Word(word) => Some(word.into()),
            Default::Number(number) => Some(number.into()),
            Default::Flag(flag) => Some(flag.into()),
        }
    }
}

static ON_OFF_AUTO: Enum = Enum { name: "OnOffAuto", values: &["auto", "on", "off"] };

/// The type of the values of a property, by the name of its kind.
pub fn type_of(kind: &str) -> Type {
    match kind {
        "bool" => Type::Bool,
        "int" | "int32" | "size" => Type::Int,
        "OnOffAuto" => Type::Enum(&ON_OFF_AUTO),
        _ if kind.starts_with("uint") => Type::Int,
        _ => Type::Str,
    }
}

const fn flag(name: &'static str, default: bool) -> Property {
    Property { name, kind: "bool", description: Some("on/off"), default: Default::Flag(default), live: false }
}

const fn number(name: &'static str, kind: &'static str, default: i64) -> Property {
    Property { name, kind, description: None, default: Default::Number(default), live: false }
}

const fn text(name: &'static str, kind: &'static str, description: Option<&'static str>) -> Property {
    Property { name, kind, description, default: Default::Unset, live: false }
}

const fn live(property: Property) -> Property {
    Property { live: true, ..property }
}

/// What every PCI device has.
pub static PCI: &[Property] = &[
    text("addr", "str", Some("place on the bus, as slot or slot.function")),
    text("romfile", "str", None),
    number("rombar", "int32", -1),
    flag("multifunction", false),
    number("acpi-index", "uint32", 0),
    text("failover_pair_id", "str", None),
];

/// What every virtio device has.
pub static VIRTIO: &[Property] = &[
    flag("ioeventfd", true),
    number("vectors", "uint32", 3),
    Property {
        name: "disable-legacy",
        kind: "OnOffAuto",
        description: Some("on/off/auto"),
        default: Default::Word("auto"),
        live: false,
    },
    flag("disable-modern", false),
    flag("iommu_platform", false),
    flag("packed", false),
    flag("event_idx", true),
    flag("indirect_desc", true),
];

/// Network cards.
pub static NET: &[Property] = &[
    text("mac", "str", Some("hardware address, such as 52:54:00:12:34:56")),
    text("netdev", "str", Some("name of the backend")),
    number("bootindex", "int32", -1),
    number("rx_queue_size", "uint16", 256),
    number("tx_queue_size", "uint16", 256),
    flag("mq", false),
    number("host_mtu", "uint16", 0),
    number("speed", "int32", -1),
    text("duplex", "str", None),
];

/// Disks.
pub static BLK: &[Property] = &[
    text("drive", "str", Some("name of the block node")),
    text("serial", "str", None),
    number("bootindex", "int32", -1),
    number("logical_block_size", "size", 0),
    number("physical_block_size", "size", 0),
    number("num-queues", "uint16", 65535),
    number("queue-size", "uint16", 256),
    flag("share-rw", false),
    flag("write-cache", true),
    text("iothread", "link<iothread>", None),
];

/// Sources of randomness for the guest.
pub static RNG: &[Property] = &[
    text("rng", "link<rng-backend>", None),
    number("max-bytes", "uint64", i64::MAX),
    number("period", "uint32", 65536),
];

/// Tablets on USB.
pub static USB: &[Property] = &[
    text("port", "str", None),
    text("serial", "str", None),
    flag("msos-desc", true),
    text("display", "str", None),
    number("head", "uint32", 0),
    number("usb_version", "uint32", 2),
];

/// PCIe root ports.
pub static PORT: &[Property] = &[
    number("chassis", "uint8", 0),
    number("slot", "uint16", 0),
    number("port", "uint8", 0),
    flag("hotplug", true),
    text("x-speed", "PCIELinkSpeed", Some("2_5/5/8/16/32/64")),
    text("x-width", "PCIELinkWidth", Some("1/2/4/8/12/16/32")),
    number("io-reserve", "size", -1),
];

/// I/O threads.
pub static IOTHREAD: &[Property] = &[
    live(number("poll-max-ns", "int", 32768)),
    live(number("poll-grow", "int", 0)),
    live(number("poll-shrink", "int", 0)),
    live(number("aio-max-batch", "int", 0)),
    live(number("thread-pool-min", "int", 0)),
    live(number("thread-pool-max", "int", 64)),
];

/// Memory.
pub static MEMORY: &[Property] = &[
    number("size", "int", 0),
    live(flag("merge", true)),
    live(flag("dump", true)),
    flag("prealloc", false),
    flag("share", false),
    flag("reserve", true),
    Property {
        name: "policy",
        kind: "HostMemPolicy",
        description: None,
        default: Default::Word("default"),
        live: false,
    },
];

/// Secrets.
pub static SECRET: &[Property] = &[
    text("data", "string", None),
    text("file", "string", None),
    Property {
        name: "format",
        kind: "QCryptoSecretFormat",
        description: None,
        default: Default::Word("raw"),
        live: false,
    },
    text("keyid", "string", None),
    text("iv", "string", None),
];

/// Sources of randomness on the host.
pub static RANDOM: &[Property] = &[
    flag("opened", true),
    Property {
        name: "filename",
        kind: "string",
        description: None,
        default: Default::Word("/dev/urandom"),
        live: false,
    },
];

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn defaults_are_of_their_kind() {
        let groups = [PCI, VIRTIO, NET, BLK, RNG, USB, PORT, IOTHREAD, MEMORY, SECRET, RANDOM];
        for property in groups.into_iter().flatten() {
            if let Some(value) = property.default.value() {
                assert_eq!(check::value(type_of(property.kind), &value, property.name), Ok(()));
            }
        }
    }
}
