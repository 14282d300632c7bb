//! Names that live in the server: which keys take which.

use crate::schema::Given;

/// A kind of names that only the server knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Live {
    /// Block nodes.
    Nodes,
    /// Block backends, by the name of their drive.
    Drives,
    /// Devices with an id.
    Devices,
    /// Objects made by the user.
    Objects,
    /// Character devices.
    Chardevs,
    /// Jobs.
    Jobs,
    /// Dirty bitmaps of a node.
    Bitmaps(String),
    /// CPU indices.
    Cpus,
    /// Types of devices that can be added.
    DeviceTypes,
    /// Properties of a device type.
    DeviceProperties(String),
    /// Memory backends.
    MemoryBackends,
    /// I/O threads.
    IoThreads,
    /// Children of a QOM path, as paths.
    QomChildren(String),
    /// Properties of the object at a QOM path.
    QomProperties(String),
    /// QOM types.
    QomTypes,
    /// Trace events.
    TraceEvents,
    /// Backends that a character device can have.
    ChardevBackends,
    /// Types of objects that a user can make.
    ObjectTypes,
    /// Both ends of the network: NICs and backends.
    NetClients,
    /// Network backends.
    Netdevs,
    /// Internal snapshots, by tag and by number.
    Snapshots,
}

/// Which names a key of a command takes, whatever else is given.
pub fn live_of_key(command: &str, key: &str) -> Option<Live> {
    live_for(command, &[key.to_owned()], &Given::default())
}

/// Which names the key at `path` of a command takes.
pub(super) fn live_for(command: &str, path: &[String], given: &Given) -> Option<Live> {
    let key = path.iter().rev().find(|part| part.parse::<usize>().is_err())?.as_str();
    let top = path.len() == 1;
    let is_job = command.starts_with("job-");
    let is_block_job = command.starts_with("block-job-");
    Some(match (command, key) {
        ("device_add", "driver") if top => Live::DeviceTypes,
        ("device_del" | "device-sync-config", "id") => Live::Devices,
        ("device-list-properties" | "qom-list-properties", "typename") => Live::QomTypes,
        ("object-del", "id") => Live::Objects,
        ("qom-list" | "qom-get" | "qom-set" | "qom-list-get", "path" | "paths") => Live::QomChildren(String::new()),
        ("qom-get" | "qom-set", "property") => Live::QomProperties(given.text_at(&["path"])?),
        (_, "id") if is_job => Live::Jobs,
        (_, "device" | "id") if is_block_job => Live::Jobs,
        ("chardev-remove" | "chardev-change" | "chardev-send-break", "id") => Live::Chardevs,
        ("ringbuf-read" | "ringbuf-write", "device") => Live::Chardevs,
        ("trace-event-get-state" | "trace-event-set-state", "name") => Live::TraceEvents,
        (
            "blockdev-open-tray"
            | "blockdev-close-tray"
            | "blockdev-remove-medium"
            | "blockdev-insert-medium"
            | "blockdev-change-medium"
            | "eject",
            "id",
        ) => Live::Devices,
        ("block_resize" | "block_set_io_throttle", "device") => Live::Drives,
        ("set_link", "name") => Live::NetClients,
        ("netdev_del", "id") | (_, "netdev") => Live::Netdevs,
        _ if command.contains("bitmap")
            && matches!(key, "name" | "target" | "bitmap")
            && !command.ends_with("-add") =>
        {
            Live::Bitmaps(given.text_at(&["node"])?)
        }
        (_, "iothread") => Live::IoThreads,
        (_, "memdev") => Live::MemoryBackends,
        (_, "cpu-index" | "cpu") => Live::Cpus,
        (_, "chardev") => Live::Chardevs,
        ("blockdev-add", "node-name") if top => return None,
        (
            _,
            "node-name" | "node" | "file" | "backing" | "target" | "device" | "base-node" | "top-node" | "overlay"
            | "source" | "parent" | "replaces" | "data-file" | "drive" | "children",
        ) => Live::Nodes,
        _ => return None,
    })
}
