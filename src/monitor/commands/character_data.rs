//! Character devices as they are: their list, ring buffers, and file descriptors passed to QEMU.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::{integer, text};
use super::super::server::Failure;
use super::super::text::{items, string};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("closefd", &[text("name")], "close a file descriptor that was passed with a name", |call| {
        let name = call.arguments.text("name").to_owned();
        call.execute("closefd", json!({ "fdname": name }))
    }),
    Command::new("getfd", &[text("name")], "name a file descriptor that is passed with the line", |call| {
        let name = call.arguments.text("name").to_owned();
        call.execute("getfd", json!({ "fdname": name }))
    }),
    Command::new("info chardev", &[], "the character devices", info_chardev),
    Command::new("ringbuf_read", &[text("device"), integer("size")], "read from a ring buffer", ringbuf_read),
    Command::new("ringbuf_write", &[text("device"), text("data")], "write to a ring buffer", ringbuf_write),
];

fn info_chardev(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-chardev", Value::Null)?;
    let line = |device: &Value| format!("{}: filename={}\n", string(device, "label"), string(device, "filename"));
    Ok(items(&reply).iter().map(line).collect())
}

fn ringbuf_write(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let arguments = json!({ "device": call.arguments.text("device"), "data": call.arguments.text("data") });
    call.execute("ringbuf-write", arguments)
}

/// Reads from a ring buffer, which removes what is read. Backslashes and control characters are escaped.
fn ringbuf_read(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let arguments = json!({ "device": call.arguments.text("device"), "size": call.arguments.integer("size") });
    let data = call.execute_for_value("ringbuf-read", arguments)?;
    let mut text = String::new();
    for c in data.as_str().unwrap_or_default().chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\0' | '\n' | '\t' => text.push(c),
            c if c.is_ascii_control() => text.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => text.push(c),
        }
    }
    Ok(text + "\n")
}
