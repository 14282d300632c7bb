//! Replies of a real QEMU, for the benches.

use std::collections::HashMap;
use std::process::Command;

use serde_json::value::RawValue;

/// Returns the return value of `query-qmp-schema`: from a file with the reply or the value alone, else from a QEMU.
pub fn introspection(file: Option<String>) -> String {
    let reply = match file {
        Some(file) => std::fs::read_to_string(file).unwrap(),
        None => reply("-machine none", "query-qmp-schema"),
    };
    return_value(&reply)
}

/// Starts a QEMU with these options, and returns its reply to a command as one line.
pub fn reply(options: &str, command: &str) -> String {
    let script = format!(
        "printf '{{\"execute\": \"%s\"}}\\n' qmp_capabilities {command} quit | \
         qemu-system-x86_64 {options} -display none -nodefaults -qmp stdio"
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().max_by_key(|line| line.len()).expect("a reply of qemu-system-x86_64").to_owned()
}

/// Returns the return value of a reply as it is spelled, or the text itself if it is not a reply.
fn return_value(text: &str) -> String {
    match serde_json::from_str::<HashMap<&str, &RawValue>>(text) {
        Ok(message) => message["return"].get().to_owned(),
        Err(_) => text.to_owned(),
    }
}
