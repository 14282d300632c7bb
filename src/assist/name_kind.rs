//! Kinds of live names, and which argument of which command takes which kind.

use crate::schema::PartialArguments;

/// A kind of names that only the running server, or the file system, knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NameKind {
    /// Block nodes.
    Nodes,
    /// Block backends: the drives of `-drive`, by id.
    Drives,
    /// Devices with an id.
    Devices,
    /// Objects created by the user.
    Objects,
    /// Objects created by the user whose QOM type begins with the text.
    ObjectsOfType(&'static str),
    /// Character devices, by id.
    Chardevs,
    /// Jobs, by id.
    Jobs,
    /// Dirty bitmaps of a node.
    Bitmaps(String),
    /// CPU indices.
    Cpus,
    /// Types of devices that can be added.
    DeviceTypes,
    /// Properties of a device type.
    DeviceProperties(String),
    /// Memory backends, by id.
    MemoryBackends,
    /// I/O threads, by id.
    IoThreads,
    /// Children of a QOM path, as paths.
    QomChildren(String),
    /// Properties of the object at a QOM path.
    QomProperties(String),
    /// The objects that belong to a QOM path, without links, as paths.
    QomParts(String),
    /// The text that is the value of a property of the object at a QOM path.
    QomText { path: String, property: String },
    /// QOM types, abstract ones included.
    QomTypes,
    /// Trace events.
    TraceEvents,
    /// Backends of character devices, such as `socket`.
    ChardevBackends,
    /// Types of objects that a user can create.
    ObjectTypes,
    /// NICs and network backends.
    NetClients,
    /// Network backends.
    Netdevs,
    /// Internal snapshots, by tag and by number.
    Snapshots,
    /// Buses that a device can be plugged into.
    Buses,
    /// Types of buses.
    BusTypes,
    /// NICs that have a filter for what they receive.
    FilteredNics,
    /// Exports of block nodes.
    Exports,
    /// CPU models of `-cpu`.
    CpuModels,
    /// Paths that begin with the text, as this program opens them; directories end with a `/`.
    Files(String),
    /// Addresses that begin with this text: of servers that run on this machine, and of sockets.
    Addresses(String),
    /// The same as the server opens them: its current directory may be another one.
    ServerFiles(String),
}

/// Returns the kinds of names that a key of a command takes, given the other arguments.
pub fn name_kinds_of_key(command: &str, key: &str, arguments: &PartialArguments) -> Vec<NameKind> {
    name_kinds_for(&KeyPosition::new(command, &[key.to_owned()], arguments), ValueHint::NodeReference)
}

/// Information about a value besides its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueHint<'a> {
    /// Nothing that matters for names.
    Nothing,
    /// The value is the name or the definition of a block node.
    NodeReference,
    /// The value belongs to a property with this description: its QOM type, and perhaps `: ` and text.
    Property(&'a str),
}

/// The key whose value is being typed.
pub(super) struct KeyPosition<'a> {
    /// The command, or the action of a transaction.
    pub(super) command: String,
    /// The path of the key below the arguments of that command or action.
    pub(super) path: &'a [String],
    pub(super) arguments: &'a PartialArguments,
    /// The path of the action's arguments in a transaction, such as `actions.0.data`; otherwise empty.
    prefix: &'a [String],
}

impl<'a> KeyPosition<'a> {
    /// Finds the position of the key at `path` of a command. Keys inside a transaction's action belong to the action.
    pub(super) fn new(command: &str, path: &'a [String], arguments: &'a PartialArguments) -> KeyPosition<'a> {
        if command == "transaction"
            && let Some(at) = path.iter().position(|part| part == "data")
        {
            let (prefix, path) = path.split_at(at + 1);
            let type_path: Vec<&str> = prefix[..at].iter().map(String::as_str).chain(["type"]).collect();
            return KeyPosition { command: arguments.text_at(&type_path).unwrap_or_default(), path, arguments, prefix };
        }
        KeyPosition { command: command.to_owned(), path, arguments, prefix: &[] }
    }

    /// Returns the text given for another key of the same object.
    pub(super) fn sibling(&self, name: &str) -> Option<String> {
        let key = self.path.iter().rposition(|part| part.parse::<usize>().is_err());
        let parents = &self.path[..key.unwrap_or_default()];
        let path: Vec<&str> = self.prefix.iter().chain(parents).map(String::as_str).chain([name]).collect();
        self.arguments.text_at(&path)
    }

    /// Returns the key's name; array indices do not count.
    fn key(&self) -> &str {
        let name = self.path.iter().rev().find(|part| part.parse::<usize>().is_err());
        name.map_or("", String::as_str)
    }
}

/// Keys whose value is the path of a file, unless their command gives them another meaning.
const FILE_KEYS: &[&str] = &[
    "filename",
    "path",
    "snapshot-file",
    "backing-file",
    "base",
    "top",
    "mem-path",
    "logfile",
    "in",
    "out",
    "dir",
    "evdev",
    "romfile",
    "file",
    "tree-image",
    "chardev-path",
    "rom-path",
    "smbfile",
    "tftp",
    "bootfile",
    "script",
    "downscript",
    "keytab",
    "server-key",
];

/// Returns whether the key takes the path of a file.
pub(super) fn takes_file(position: &KeyPosition<'_>) -> bool {
    match (position.command.as_str(), position.key()) {
        ("drive-mirror" | "drive-backup", "target") => true,
        (_, key) => FILE_KEYS.contains(&key),
    }
}

/// Returns the kinds of names that the key takes.
///
/// The first arm that fits decides. An arm without kinds excludes a key from the arms below it.
pub(super) fn name_kinds_for(position: &KeyPosition<'_>, hint: ValueHint<'_>) -> Vec<NameKind> {
    if let ValueHint::Property(description) = hint
        && let Some((linked_type, _)) = description.strip_prefix("link<").and_then(|rest| rest.split_once('>'))
    {
        return vec![match linked_type {
            "iothread" => NameKind::IoThreads,
            "memory-backend" => NameKind::MemoryBackends,
            _ => NameKind::Objects,
        }];
    }
    let (command, key) = (position.command.as_str(), position.key());
    let is_top_level = position.path.len() == 1;
    match (command, key) {
        // Devices and objects.
        ("device_add", "driver") if is_top_level => vec![NameKind::DeviceTypes],
        ("device_add", "bus") if is_top_level => vec![NameKind::Buses],
        ("device_add", "drive") if is_top_level => vec![NameKind::Nodes, NameKind::Drives],
        ("device_add", "id") => Vec::new(),
        ("device_del" | "device-sync-config", "id") => vec![NameKind::Devices],
        ("device-list-properties", "typename") => vec![NameKind::DeviceTypes],
        ("qom-list-properties", "typename") | ("qom-list-types", "implements") => vec![NameKind::QomTypes],
        ("object-del", "id") => vec![NameKind::Objects],
        (_, "path" | "paths") if ["qom-", "cxl-", "x-query-virtio"].iter().any(|start| command.starts_with(start)) => {
            vec![NameKind::QomChildren(String::new())]
        }
        ("qom-get" | "qom-set", "property") => {
            position.sibling("path").map(NameKind::QomProperties).into_iter().collect()
        }
        // The network.
        ("netdev_del", "id") | (_, "netdev" | "netdev-id") => vec![NameKind::Netdevs],
        ("set_link" | "query-rx-filter", "name") => vec![NameKind::NetClients],
        // Events of `.wait`.
        ("JOB_STATUS_CHANGE", "id") => vec![NameKind::Jobs],
        (_, "device") if command.starts_with("BLOCK_JOB_") => vec![NameKind::Jobs],
        ("DEVICE_DELETED", "device") => vec![NameKind::Devices],
        ("BLOCK_EXPORT_DELETED", "id") => vec![NameKind::Exports],
        // Jobs.
        (_, "id") if command.starts_with("job-") => vec![NameKind::Jobs],
        (_, "device" | "id") if command.starts_with("block-job-") => vec![NameKind::Jobs],
        // Character devices, trace events, exports.
        ("chardev-remove" | "chardev-change" | "chardev-send-break", "id") => vec![NameKind::Chardevs],
        ("ringbuf-read" | "ringbuf-write", "device") => vec![NameKind::Chardevs],
        (_, "chardev") if command != "query-chardev" => vec![NameKind::Chardevs],
        ("trace-event-get-state" | "trace-event-set-state", "name") => vec![NameKind::TraceEvents],
        ("block-export-del", "id") | ("nbd-server-remove", "name") => vec![NameKind::Exports],
        // Block devices.
        ("block-latency-histogram-set" | "block_set_io_throttle" | "eject", "id") => vec![NameKind::Devices],
        (_, "id") if command.starts_with("blockdev-") => vec![NameKind::Devices],
        (_, "device") if command.starts_with("blockdev-") && !starts_block_job(command) => vec![NameKind::Drives],
        ("block_resize" | "block_set_io_throttle" | "eject", "device") => vec![NameKind::Drives],
        ("block_set_io_throttle", "group") => vec![NameKind::ObjectsOfType("throttle-group")],
        ("drive-mirror" | "drive-backup", "target") => Vec::new(),
        (_, "name" | "target" | "bitmap" | "bitmaps") if takes_bitmap(command, key) => {
            let node = ["node", "node-name", "device"].iter().find_map(|key| position.sibling(key));
            node.map(NameKind::Bitmaps).into_iter().collect()
        }
        // Keys with one meaning in all commands.
        (_, "iothread") => vec![NameKind::IoThreads],
        (_, "memdev") => vec![NameKind::MemoryBackends],
        (_, "name") if command.contains("cpu-model") => vec![NameKind::CpuModels],
        (_, "cpu-index" | "cpu") => vec![NameKind::Cpus],
        (_, "throttle-group") => vec![NameKind::ObjectsOfType("throttle-group")],
        (_, "tls-creds") => vec![NameKind::ObjectsOfType("tls-creds")],
        (_, "tls-authz") => vec![NameKind::ObjectsOfType("authz")],
        (_, "rng") => vec![NameKind::ObjectsOfType("rng")],
        (_, key) if key == "secret" || key.ends_with("-secret") => vec![NameKind::ObjectsOfType("secret")],
        // Block nodes.
        ("blockdev-add", "node-name") => Vec::new(),
        (_, "snapshot-node-name") if command != "blockdev-snapshot" => Vec::new(),
        ("blockdev-add" | "blockdev-reopen", _) if hint == ValueHint::NodeReference => vec![NameKind::Nodes],
        (_, "device" | "node")
            if starts_block_job(command) || command.contains("snapshot") || command.contains("bitmap") =>
        {
            vec![NameKind::Nodes, NameKind::Drives]
        }
        (_, "device" | "source" | "data") if command.starts_with("x-") || command == "change-backing-file" => {
            vec![NameKind::Nodes, NameKind::Drives]
        }
        (
            _,
            "node-name" | "base-node" | "top-node" | "overlay" | "replaces" | "bottom" | "image-node-name" | "nodes"
            | "vmstate" | "devices",
        ) => vec![NameKind::Nodes],
        (_, "target") if starts_block_job(command) => vec![NameKind::Nodes],
        ("blockdev-snapshot", "node") | ("x-blockdev-change", "parent" | "node") => vec![NameKind::Nodes],
        _ => Vec::new(),
    }
}

/// Returns whether a command starts a block job.
fn starts_block_job(command: &str) -> bool {
    const ENDINGS: &[&str] = &["mirror", "backup", "stream", "commit", "create"];
    ENDINGS.iter().any(|ending| command.ends_with(ending))
}

/// Returns whether the key of this command takes the name of an existing dirty bitmap.
fn takes_bitmap(command: &str, key: &str) -> bool {
    match key {
        "bitmap" | "bitmaps" => true,
        "name" | "target" => command.contains("bitmap") && !command.ends_with("-add"),
        _ => false,
    }
}
