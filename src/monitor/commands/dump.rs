//! Dumps of the guest for other programs.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::{file_name, flag, long_integer};
use super::super::server::Failure;

/// The flags that choose a format, and its names: the usual one, and the one with -R.
const FORMATS: [(&str, &str, &str); 4] = [
    ("zlib", "kdump-zlib", "kdump-raw-zlib"),
    ("lzo", "kdump-lzo", "kdump-raw-lzo"),
    ("snappy", "kdump-snappy", "kdump-raw-snappy"),
    ("windmp", "win-dmp", "win-dmp"),
];

pub(super) const COMMANDS: &[Command] = &[Command::new(
    "dump-guest-memory",
    &[
        flag('p', "paging"),
        flag('d', "detach"),
        flag('w', "windmp"),
        flag('z', "zlib"),
        flag('l', "lzo"),
        flag('s', "snappy"),
        flag('R', "raw"),
        file_name("filename"),
        long_integer("begin").optional(),
        long_integer("length").optional(),
    ],
    "write the guest's memory to a file of the server, for debuggers",
    dump_guest_memory,
)];

fn dump_guest_memory(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let arguments = &call.arguments;
    let mut chosen = FORMATS.iter().filter(|(name, _, _)| arguments.is_on(name));
    let format = chosen.next().map(|(_, format, raw)| if arguments.is_on("raw") { raw } else { format });
    if chosen.next().is_some() {
        return Err(Failure::error("only one of '-z|-l|-s|-w' can be set"));
    }
    let arguments = json!({
        "paging": arguments.is_on("paging"),
        "protocol": format!("file:{}", arguments.text("filename")),
        "detach": arguments.is_on("detach"),
        "begin": arguments.optional_integer("begin"),
        "length": arguments.optional_integer("length"),
        "format": format.map_or(Value::Null, |format| json!(format)),
    });
    call.execute("dump-guest-memory", arguments)
}
