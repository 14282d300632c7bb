//! The pieces of work: each made ready at a size, to be done once.

use std::hint::black_box;
use std::sync::LazyLock;

use qmp_shell::assist::{CompletionContext, complete, hint, token_styles};
use qmp_shell::grammar::{Assembler, Line, LineMode, is_complete, parse_line};
use qmp_shell::render::{JsonStyle, Palette, event_line, write_json};
use qmp_shell::schema::manual::Manual;
use qmp_shell::schema::{Schema, TypingContext, request_of_command, request_of_json};
use qmp_shell::wire::{Frame, Framer, Incoming, Limits, ReplyBody};

use super::lines::{nested, reply};

/// Work that is ready to be done.
pub type Work = Box<dyn FnOnce()>;

pub fn schema() -> &'static Schema {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
        let file = std::env::var(SCHEMA_FILE).expect("the parent names the file");
        Schema::parse(&std::fs::read_to_string(file).unwrap()).unwrap()
    });
    &SCHEMA
}

/// The variable that names the file with the introspection.
pub const SCHEMA_FILE: &str = "QMP_SHELL_LINEAR_SCHEMA";

pub fn with_known<T>(names: &[(String, String)], use_it: impl FnOnce(&CompletionContext<'_>) -> T) -> T {
    use_it(&CompletionContext {
        language: LineMode::Qmp,
        in_transaction: false,
        schema: Some(schema()),
        live: &|_| names.to_vec(),
        commands: &[],
        monitor: &[],
        info: &[],
        metas: &[],
        topics: &[],
        settings: &[],
        events: &[],
        files: &|_| Vec::new(),
    })
}

pub fn read(stream: &str) -> Vec<Incoming> {
    let mut framer = Framer::new(Limits::default());
    let mut found = Vec::new();
    for piece in stream.as_bytes().chunks(16 * 1024) {
        framer.push(piece);
        while let Ok(Some(frame)) = framer.next_frame() {
            if let Frame::Message(message) = frame {
                found.push(Incoming::parse(message).unwrap());
            }
        }
    }
    found
}

pub fn printed(stream: &str) -> Work {
    let messages = read(stream);
    Box::new(move || {
        for message in &messages {
            let Incoming::Reply(reply) = message else { continue };
            let ReplyBody::Return(value) = reply.body() else { continue };
            write_json(value, JsonStyle::Indented, &Palette::new(true), true, &mut std::io::sink()).unwrap();
        }
    })
}

pub fn read_reply(items: usize) -> Work {
    let stream = reply(items);
    Box::new(move || drop(black_box(read(&stream))))
}

pub fn print_reply(items: usize) -> Work {
    printed(&reply(items))
}

pub fn read_nesting(levels: usize) -> Work {
    let stream = nested(levels);
    Box::new(move || drop(black_box(read(&stream))))
}

pub fn print_nesting(levels: usize) -> Work {
    printed(&nested(levels))
}

pub fn show_events(count: usize) -> Work {
    let event = "{\"timestamp\": {\"seconds\": 1700000000, \"microseconds\": 345678}, \"event\": \"JOB_STATUS_CHANGE\", \
                 \"data\": {\"status\": \"ready\", \"id\": \"j0\"}}\r\n";
    let stream = event.repeat(count);
    let palette = Palette::new(true);
    Box::new(move || {
        for message in read(&stream) {
            let Incoming::Event(event) = message else { continue };
            black_box(event_line(&event, &palette));
        }
    })
}

/// From a line to the request that it means.
pub fn typed(line: String, by_type: bool) -> Work {
    let nothing = TypingContext::none();
    let knowledge = if by_type { TypingContext { schema: Some(schema()), ..nothing } } else { nothing };
    Box::new(move || {
        // A fault costs what it costs to find.
        let prepared = match parse_line(&line) {
            Ok(Line::Command(command)) => request_of_command(&command, &knowledge),
            Ok(Line::Json(json)) => request_of_json(&json, &knowledge),
            other => panic!("{other:?}"),
        };
        let _ = black_box(prepared);
    })
}

pub fn assemble(count: usize) -> Work {
    let text = format!("{{\"execute\": \"x\", \"arguments\": {{\n{}}}}}", "  \"key\": 1,\n".repeat(count));
    Box::new(move || {
        let mut assembler = Assembler::new();
        let whole = text.split('\n').filter_map(|line| assembler.push(line, LineMode::Qmp)).count();
        assert_eq!(whole, 1);
    })
}

pub fn tab(line: String) -> Work {
    schema();
    Box::new(move || with_known(&[], |known| drop(black_box(complete(&line, known)))))
}

pub fn names(count: usize) -> Work {
    schema();
    let names: Vec<(String, String)> = (0..count).map(|n| (format!("device{n}"), "virtio".to_owned())).collect();
    Box::new(move || with_known(&names, |known| drop(black_box(complete("device_del id=dev", known)))))
}

/// All that is done as a key is pressed at the end of a line.
pub fn key(line: String) -> Work {
    schema();
    Box::new(move || {
        with_known(&[], |known| {
            black_box((token_styles(&line, known), hint(&line, known, 80), is_complete(&line, LineMode::Qmp)));
        });
    })
}

pub fn manual(entries: usize) -> Work {
    let page: String = (0..entries)
        .map(|n| {
            format!(
                ".SS \\fBthing\\-{n}\\fP (Command)\n.sp\nDoes what \\fBthing\\-{n}\\fP does.\n.SS Arguments\n.INDENT 0.0\n.TP\n\
                 .B \\fBid\\fP: \\fBstring\\fP\nwhat it is called\n.UNINDENT\n"
            )
        })
        .collect();
    Box::new(move || {
        let manual = Manual::parse(&page);
        for entry in manual.entries() {
            black_box(manual.layout(entry, 80));
        }
    })
}
