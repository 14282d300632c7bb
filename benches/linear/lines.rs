//! Generates lines and replies of any size.

use std::fmt::Write as _;

/// Returns a line with `count` keys that introspection does not list.
pub fn keys(command: &str, count: usize) -> String {
    (0..count).fold(command.to_owned(), |mut line, n| {
        let _ = write!(line, " key{n}={n}");
        line
    })
}

/// Returns a line with `count` keys for a command that accepts unknown ones.
pub fn device(count: usize) -> String {
    keys("device_add driver=virtio-net-pci", count)
}

pub fn children(count: usize) -> String {
    (0..count).fold("blockdev-add driver=quorum vote-threshold=1".to_owned(), |mut line, n| {
        let _ = write!(line, " children.{n}=node{n}");
        line
    })
}

pub fn commas(count: usize) -> String {
    let names: Vec<String> = (0..count).map(|n| format!("node{n}")).collect();
    format!("blockdev-add driver=quorum vote-threshold=1 children={}", names.join(","))
}

/// Returns a line with one key of `levels` parts.
pub fn dots(levels: usize) -> String {
    format!("blockdev-add driver=raw {}driver=raw", "file.".repeat(levels))
}

pub fn request(members: usize) -> String {
    let members = keys("", members).replace('=', "\": ").replace(" key", ", \"key");
    format!("{{\"execute\": \"device_add\", \"arguments\": {{\"driver\": \"virtio-net-pci\"{members}}}}}")
}

pub fn array(items: usize) -> String {
    let names: Vec<String> = (0..items).map(|n| format!("\"node{n}\"")).collect();
    format!("blockdev-add driver=quorum vote-threshold=1 children=[{}, ", names.join(", "))
}

pub fn braces(levels: usize) -> String {
    let open = "{\"driver\": \"raw\", \"file\": ".repeat(levels);
    let inner = "{\"driver\": \"null-co\"}";
    format!("{{\"execute\": \"blockdev-add\", \"arguments\": {open}{inner}{}}}", "}".repeat(levels))
}

pub fn cut(mut line: String, bytes: usize) -> String {
    line.truncate(line.len() - bytes);
    line
}

pub fn word(bytes: usize) -> String {
    format!("blockdev-add driver=file filename=/{}", "x".repeat(bytes))
}

pub fn reply(items: usize) -> String {
    let item = "{\"name\": \"disk\", \"size\": 1048576, \"flags\": [true, null, 1.5]}";
    format!("{{\"return\": [{}], \"id\": 1}}\r\n", vec![item; items].join(", "))
}

/// Returns a reply that nests `levels` deep.
pub fn nested(levels: usize) -> String {
    let value = format!("{}1{}", "{\"a\": [".repeat(levels / 2), "]}".repeat(levels / 2));
    format!("{{\"return\": {value}, \"id\": 1}}\r\n")
}
