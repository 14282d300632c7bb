//! The introspection that readers use: that of the demo machine, or the reply to `query-qmp-schema` in the file that
//! `QMP_SHELL_FUZZ_SCHEMA` names.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::LazyLock;

use qmp_shell::schema::Schema;
use qmp_shell::wire::{Frame, Framer, Limits, Message, ReplyBody};

pub fn schema() -> &'static Schema {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
        let value = match std::env::var_os("QMP_SHELL_FUZZ_SCHEMA") {
            Some(file) => return_value(std::fs::read(file).expect("the file with the introspection is readable")),
            None => query_demo_machine(),
        };
        Schema::parse(&value.expect("a reply to `query-qmp-schema`")).expect("valid introspection")
    });
    &SCHEMA
}

/// Returns the return value of a reply.
fn return_value(message: Vec<u8>) -> Option<String> {
    match Message::parse(message).ok()? {
        Message::Reply(reply) => match reply.body() {
            ReplyBody::Return(value) => Some(value.to_owned()),
            ReplyBody::Error { .. } => None,
        },
        _ => None,
    }
}

fn query_demo_machine() -> Option<String> {
    let mut stream = UnixStream::from(qmp_shell::demo::start().ok()?);
    stream.write_all(b"{\"execute\": \"qmp_capabilities\"}\n{\"execute\": \"query-qmp-schema\"}\n").ok()?;
    let mut framer = Framer::new(Limits::default());
    let mut replies = 0;
    loop {
        while let Ok(Some(frame)) = framer.next_frame() {
            if let Frame::Message(message) = frame
                && let Some(value) = return_value(message)
            {
                replies += 1;
                if replies == 2 {
                    return Some(value);
                }
            }
        }
        let mut bytes = [0; 4096];
        let len = stream.read(&mut bytes).ok().filter(|len| *len > 0)?;
        framer.push(&bytes[..len]);
    }
}
