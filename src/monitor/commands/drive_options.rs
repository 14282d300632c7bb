//! The options of a drive, turned into those of a block node.

use serde_json::{Map, Value};

use super::super::options::OptionList;
use super::super::server::Failure;

/// The interfaces of drives; each place is the number in errors.
const INTERFACES: [&str; 9] = ["none", "ide", "scsi", "floppy", "pflash", "mtd", "sd", "virtio", "xen"];

/// The interface of a drive that names none, on a PC.
const DEFAULT_INTERFACE: &str = "ide";

/// The drivers that reach data, in contrast to those that read a format.
pub(super) const PROTOCOLS: [&str; 12] =
    ["file", "host_device", "host_cdrom", "null-co", "null-aio", "nbd", "nfs", "ssh", "http", "https", "iscsi", "nvme"];

/// The options that only place a drive in a machine.
const PLACES: [&str; 5] = ["if", "index", "bus", "unit", "addr"];

/// The beginnings of the options that a block node does not have, and the way to get the same.
const UNSUPPORTED: [(&str, &str); 7] = [
    ("bps", "limits are set with `block_set_io_throttle` or a throttle group"),
    ("iops", "limits are set with `block_set_io_throttle` or a throttle group"),
    ("throttling.", "limits are set with `block_set_io_throttle` or a throttle group"),
    ("group", "limits are set with `block_set_io_throttle` or a throttle group"),
    ("rerror", "it is a property of the device"),
    ("werror", "it is a property of the device"),
    ("stats-", "QMP has no such option"),
];

/// A block node to be added for a drive: its options, as nested keys with texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct DriveNode {
    pub(super) options: Vec<(String, String)>,
    /// Whether the format must be found out.
    pub(super) has_unknown_format: bool,
    pub(super) copies_on_read: bool,
    /// Whether writes go through the cache, which is up to the device.
    pub(super) writes_through: bool,
}

/// Returns the number of the interface of a drive, after a check of its kind of medium.
pub(super) fn interface_of_drive(options: &OptionList) -> Result<usize, Failure> {
    match options.get("media") {
        None | Some("disk" | "cdrom") => {}
        Some(media) => return Err(Failure::line(format!("'{media}' invalid media"))),
    }
    let interface = options.get("if").unwrap_or(DEFAULT_INTERFACE);
    let number = INTERFACES.iter().position(|known| *known == interface);
    number.ok_or_else(|| Failure::line(format!("unsupported bus type '{interface}'")))
}

/// Converts the options of a drive. `None` if it has no medium.
pub(super) fn node_of_drive(options: &OptionList) -> Result<Option<DriveNode>, Failure> {
    let mut node = DriveNode::default();
    if options.get("driver").is_some() && options.get("format").is_some() {
        return Err(Failure::line("Cannot specify both 'driver' and 'format'"));
    }
    for option in &options.options {
        node.add(&option.key, &option.value)?;
    }
    if node.options.is_empty() {
        return Ok(None);
    }
    let has = |key: &str| node.options.iter().any(|(known, _)| known == key);
    if !has("driver") && !node.options.iter().any(|(key, _)| key.starts_with("file.")) {
        return Err(Failure::line("Must specify either driver or file"));
    }
    if has("file.filename") && !has("file.driver") {
        node.push("file.driver", "file");
    }
    node.has_unknown_format = !node.has("driver");
    if options.get("media") == Some("cdrom") && !node.has("read-only") {
        node.push("read-only", "on");
    }
    Ok(Some(node))
}

impl DriveNode {
    fn push(&mut self, key: &str, value: &str) {
        self.options.push((key.to_owned(), value.to_owned()));
    }

    fn has(&self, key: &str) -> bool {
        self.options.iter().any(|(known, _)| known == key)
    }

    /// Adds an option of a drive.
    fn add(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        if let Some((_, reason)) = UNSUPPORTED.iter().find(|(prefix, _)| key.starts_with(prefix)) {
            return Err(Failure::line(format!("A block node does not have the option '{key}': {reason}")));
        }
        match key {
            key if PLACES.contains(&key) || key == "media" => {}
            "file" => self.add_file(value)?,
            "format" => self.push("driver", value),
            "readonly" => self.push("read-only", value),
            "cache" => self.add_cache_mode(value)?,
            "aio" => self.push("file.aio", value),
            "discard" => self.push(
                key,
                if value == "on" {
                    "unmap"
                } else if value == "off" {
                    "ignore"
                } else {
                    value
                },
            ),
            "copy-on-read" => self.copies_on_read = parse_switch(key, value)?,
            "snapshot" if parse_switch(key, value)? => {
                return Err(Failure::line("QMP has no temporary snapshots: leave out 'snapshot=on'"));
            }
            "snapshot" => {}
            _ => self.push(key, value),
        }
        Ok(())
    }

    /// Adds the file, or what its protocol names.
    fn add_file(&mut self, file: &str) -> Result<(), Failure> {
        let protocol = file.split_once(':').filter(|(protocol, _)| !protocol.contains('/'));
        match protocol {
            _ if file.is_empty() => return Err(Failure::line("A block device must be specified for \"file\"")),
            Some(("file", path)) => self.add_path(path),
            Some((driver @ ("null-co" | "null-aio"), "//")) => self.push("file.driver", driver),
            Some((protocol, _)) if !PROTOCOLS.contains(&protocol) => {
                return Err(Failure::line(format!("Unknown protocol '{protocol}'")));
            }
            Some((protocol, _)) => {
                let hint = "give its options as file.driver=, file.KEY=";
                return Err(Failure::line(format!("QMP does not take a file with the protocol '{protocol}': {hint}")));
            }
            None => self.add_path(file),
        }
        Ok(())
    }

    fn add_path(&mut self, path: &str) {
        self.push("file.driver", if path.starts_with("/dev/") { "host_device" } else { "file" });
        self.push("file.filename", path);
    }

    fn add_cache_mode(&mut self, mode: &str) -> Result<(), Failure> {
        match mode {
            "none" | "off" => self.push("cache.direct", "on"),
            "directsync" => self.push("cache.direct", "on"),
            "unsafe" => self.push("cache.no-flush", "on"),
            "writeback" | "writethrough" => {}
            _ => return Err(Failure::line("invalid cache option")),
        }
        self.writes_through = matches!(mode, "directsync" | "writethrough");
        Ok(())
    }
}

fn parse_switch(key: &str, value: &str) -> Result<bool, Failure> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(Failure::line(format!("Parameter '{key}' expects 'on' or 'off'"))),
    }
}

/// Returns the members of a node with a name. A node that copies on read is on top of the others.
pub(super) fn named_node(node: &DriveNode, mut members: Map<String, Value>, name: &str) -> Map<String, Value> {
    if node.copies_on_read {
        let file = Value::Object(members);
        members = Map::from_iter([("driver".to_owned(), "copy-on-read".into()), ("file".to_owned(), file)]);
    }
    members.insert("node-name".to_owned(), name.into());
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> String {
        match node_of_drive(&OptionList::parse(text, "file")) {
            Ok(None) => "no medium".to_owned(),
            Ok(Some(node)) => {
                let options: Vec<String> = node.options.iter().map(|(key, value)| format!("{key}={value}")).collect();
                let format = if node.has_unknown_format { " ?" } else { "" };
                options.join(" ") + format
            }
            Err(failure) => failure.text(),
        }
    }

    #[test]
    fn options_of_drives_become_those_of_nodes() {
        for (drive, expected) in [
            ("if=none,file=/a,format=raw", "file.driver=file file.filename=/a driver=raw"),
            ("file=/dev/sdb,driver=raw", "file.driver=host_device file.filename=/dev/sdb driver=raw"),
            ("file=null-co://,format=raw,index=3", "file.driver=null-co driver=raw"),
            ("file=/a", "file.driver=file file.filename=/a ?"),
            ("driver=qcow2,file.filename=/a", "driver=qcow2 file.filename=/a file.driver=file"),
            (
                "file=/a,format=raw,cache=none,readonly=on",
                "file.driver=file file.filename=/a driver=raw cache.direct=on read-only=on",
            ),
            (
                "file=/a,format=raw,media=cdrom,discard=on",
                "file.driver=file file.filename=/a driver=raw discard=unmap read-only=on",
            ),
            ("if=none,media=cdrom,index=1", "no medium"),
            ("file=nosuch:x", "Unknown protocol 'nosuch'\n"),
            ("format=raw,driver=raw", "Cannot specify both 'driver' and 'format'\n"),
            ("file=/a,cache=x", "invalid cache option\n"),
            ("nosuch=1", "Must specify either driver or file\n"),
            ("file=", "A block device must be specified for \"file\"\n"),
        ] {
            assert_eq!(node(drive), expected, "{drive}");
        }
    }
}
