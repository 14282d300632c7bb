//! What the benches share: the introspection of a whole QEMU.

use std::collections::HashMap;
use std::process::Command;

use serde_json::value::RawValue;

/// The return value of `query-qmp-schema`: out of `file`, an answer or its value alone; without, a QEMU is asked.
pub fn introspection(file: Option<String>) -> String {
    value(&file.map_or_else(ask, |file| std::fs::read_to_string(file).unwrap()))
}

/// The answer of a QEMU without a machine, by way of its standard streams.
fn ask() -> String {
    let script = "printf '{\"execute\": \"qmp_capabilities\"}\n{\"execute\": \"query-qmp-schema\"}\n{\"execute\": \"quit\"}\n' | \
                  qemu-system-x86_64 -machine none -display none -nodefaults -qmp stdio";
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().max_by_key(|line| line.len()).expect("a QEMU that answers").to_owned()
}

/// The return value of an answer, or what is no answer, as it is spelled.
fn value(text: &str) -> String {
    match serde_json::from_str::<HashMap<&str, &RawValue>>(text) {
        Ok(message) => message["return"].get().to_owned(),
        Err(_) => text.to_owned(),
    }
}
