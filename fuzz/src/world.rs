//! What the readers know of a server: the introspection of the machine inside the program, or, where
//! `QMP_SHELL_FUZZ_SCHEMA` names a file with an answer to `query-qmp-schema`, that of a real one.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::LazyLock;

use qmp_shell::schema::Schema;
use qmp_shell::wire::{Frame, Framer, Incoming, Limits, ReplyBody};

/// The introspection.
pub fn schema() -> &'static Schema {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
        let answer = match std::env::var_os("QMP_SHELL_FUZZ_SCHEMA") {
            Some(file) => value(std::fs::read(file).expect("the file with the introspection can be read")),
            None => ask(),
        };
        Schema::parse(&answer.expect("an answer to `query-qmp-schema`")).expect("introspection")
    });
    &SCHEMA
}

/// The return value of a reply.
fn value(message: Vec<u8>) -> Option<String> {
    match Incoming::parse(message).ok()? {
        Incoming::Reply(reply) => match reply.body() {
            ReplyBody::Return(value) => Some(value.to_owned()),
            ReplyBody::Error { .. } => None,
        },
        _ => None,
    }
}

/// Asks the machine inside the program.
fn ask() -> Option<String> {
    let mut stream = UnixStream::from(qmp_shell::demo::start().ok()?);
    stream.write_all(b"{\"execute\": \"qmp_capabilities\"}\n{\"execute\": \"query-qmp-schema\"}\n").ok()?;
    let mut framer = Framer::new(Limits::default());
    let mut replies = 0;
    loop {
        while let Ok(Some(frame)) = framer.next_frame() {
            if let Frame::Message(message) = frame
                && let Some(value) = value(message)
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
