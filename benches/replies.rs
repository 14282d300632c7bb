//! Time to read and to print replies of the sizes that people get: framing, parsing the message, printing in two formats.
//!
//! `cargo bench --bench replies`. The first two replies come from a QEMU; the last is that of `benches/standin.c`.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod support;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use qmp_shell::render::{JsonStyle, Palette, write_fitted, write_json};
use qmp_shell::wire::{Frame, Framer, Limits, Message, ReplyBody};

/// As much as one read from a socket returns.
const READ_BYTES: usize = 64 * 1024;

/// The time spent on each row.
const ROW_TIME: Duration = Duration::from_secs(2);

const BLOCK_DEVICES: &str = "-machine q35 -S -device virtio-scsi \
    -drive if=none,id=d0,driver=null-co,size=1G -device scsi-hd,drive=d0 \
    -drive if=none,id=d1,driver=null-co,size=1G -device scsi-hd,drive=d1 \
    -drive if=none,id=d2,driver=null-co,size=1G -device scsi-hd,drive=d2 \
    -drive if=none,id=d3,driver=null-co,size=1G -device scsi-hd,drive=d3 \
    -drive if=none,id=d4,driver=null-co,size=1G -device scsi-hd,drive=d4";

fn large_reply(bytes: usize) -> String {
    let mut reply = String::from("{\"return\": [");
    let mut n = 0_u64;
    while reply.len() < bytes {
        let comma = if n == 0 { "" } else { ", " };
        let read_only = n % 2 == 1;
        let _ = write!(
            reply,
            "{comma}{{\"name\": \"item{n:07}\", \"size\": {}, \"ratio\": 0.5, \"read-only\": {read_only}, \"note\": null, \
             \"tags\": [\"a\", \"b\\n\"]}}",
            4096 * n
        );
        n += 1;
    }
    reply + "]}"
}

fn frame(reply: &[u8]) -> Vec<u8> {
    let mut framer = Framer::new(Limits::default());
    for piece in reply.chunks(READ_BYTES) {
        framer.push(piece);
        if let Ok(Some(Frame::Message(message))) = framer.next_frame() {
            return message;
        }
    }
    panic!("the reply is not complete");
}

fn return_value(message: &Message) -> &str {
    let Message::Reply(reply) = message else { panic!("not a reply") };
    let ReplyBody::Return(value) = reply.body() else { panic!("an error") };
    value
}

fn print(message: &Message) {
    let palette = Palette::default();
    write_json(return_value(message), JsonStyle::Indented, &palette, true, &mut std::io::sink()).unwrap();
}

fn print_fitted(message: &Message) {
    write_fitted(return_value(message), 100, &Palette::default(), true, &mut std::io::sink()).unwrap();
}

/// Runs `f` for some time; returns the shortest run.
fn shortest<T>(mut f: impl FnMut() -> T) -> Duration {
    let end = Instant::now() + ROW_TIME;
    let mut shortest = Duration::MAX;
    while Instant::now() < end {
        let start = Instant::now();
        let result = f();
        shortest = shortest.min(start.elapsed());
        drop(result);
    }
    shortest
}

fn main() {
    let replies = [
        ("query-qmp-schema", format!("{{\"return\": {}}}", support::introspection(None))),
        ("query-block, 5 disks", support::reply(BLOCK_DEVICES, "query-block")),
        ("50 MB", large_reply(50_000_000)),
    ];
    println!("{:<22} {:>10} {:>12} {:>12} {:>12} {:>12}", "reply", "bytes", "frame", "parse", "pretty", "auto");
    for (name, reply) in &replies {
        let message = frame(reply.as_bytes());
        let parsed = Message::parse(message.clone()).unwrap();
        let times = [
            shortest(|| frame(reply.as_bytes())),
            shortest(|| Message::parse(message.clone()).unwrap()),
            shortest(|| print(&parsed)),
            shortest(|| print_fitted(&parsed)),
        ];
        let [frame, parse, pretty, auto] = times.map(|time| format!("{:.1} us", time.as_secs_f64() * 1e6));
        println!("{name:<22} {:>10} {frame:>12} {parse:>12} {pretty:>12} {auto:>12}", reply.len());
    }
}
