//! The work of each case: prepared at a size, to be run once.

use std::hint::black_box;
use std::sync::LazyLock;

use qmp_shell::assist::{CompletionContext, Name, complete, complete_with, highlight, hint};
use qmp_shell::filter::Filter;
use qmp_shell::grammar::{Assembler, Language, Line, is_complete, parse_line};
use qmp_shell::render::{JsonStyle, Medium, Palette, event_line, write_fitted, write_json, write_table};
use qmp_shell::schema::manual::Manual;
use qmp_shell::schema::{Schema, TypingContext, request_of_command, request_of_json};
use qmp_shell::share::{Access, Simulation};
use qmp_shell::wire::{Frame, Framer, Limits, Message, ReplyBody};

use super::lines::{nested, reply};

/// Prepared work.
pub type Work = Box<dyn FnOnce()>;

pub fn schema() -> &'static Schema {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
        let file = std::env::var(SCHEMA_FILE).expect("the parent process sets the variable");
        Schema::parse(&std::fs::read_to_string(file).unwrap()).unwrap()
    });
    &SCHEMA
}

/// The environment variable with the path of the introspection.
pub const SCHEMA_FILE: &str = "QMP_SHELL_LINEAR_SCHEMA";

/// Returns a completion context with the introspection.
pub fn context() -> CompletionContext<'static> {
    CompletionContext { language: Language::Qmp, schema: Some(schema()), ..CompletionContext::default() }
}

pub fn read(stream: &str) -> Vec<Message> {
    let mut framer = Framer::new(Limits::default());
    let mut messages = Vec::new();
    for piece in stream.as_bytes().chunks(16 * 1024) {
        framer.push(piece);
        while let Ok(Some(frame)) = framer.next_frame() {
            if let Frame::Message(message) = frame {
                messages.push(Message::parse(message).unwrap());
            }
        }
    }
    messages
}

pub fn print(stream: &str) -> Work {
    let messages = read(stream);
    Box::new(move || {
        for message in &messages {
            let Message::Reply(reply) = message else { continue };
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
    print(&reply(items))
}

/// Prints the return value of a reply in the format `auto`: lines as long as a terminal is wide.
pub fn print_fitted(items: usize) -> Work {
    let value = value(items);
    Box::new(move || write_fitted(&value, 80, &Palette::new(true), true, &mut std::io::sink()).unwrap())
}

pub fn print_table(items: usize) -> Work {
    let value = value(items);
    Box::new(move || {
        let palette = Palette::new(true);
        let is_table = write_table(&value, &Medium { palette: &palette, columns: 80 }, &mut std::io::sink()).unwrap();
        assert!(is_table);
    })
}

/// Runs a jq filter on a list.
pub fn filter(items: usize, text: &'static str) -> Work {
    let value = value(items);
    Box::new(move || {
        let results = Filter::parse(text).unwrap().results(&value, &mut || false).unwrap();
        assert!(!black_box(results).is_empty());
    })
}

/// Passes the requests of a client and their replies through a share, `len` bytes at a time.
pub fn share(requests: usize, len: usize) -> Work {
    let request = "{\"execute\": \"qom-get\", \"arguments\": {\"path\": \"/machine\", \"property\": \"type\"}, \"id\": [\"a\", 1]}\n";
    let stream = request.repeat(requests).into_bytes();
    Box::new(move || {
        let mut share = Simulation::new();
        let client = share.connect(Access::Full);
        assert!(share.send(client, b"{\"execute\": \"qmp_capabilities\"}"));
        share.take_output(client);
        let mut replies = 0;
        for piece in stream.chunks(len) {
            assert!(share.send(client, piece));
            loop {
                let outgoing = share.take_outgoing();
                let sent: Vec<&[u8]> = outgoing.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
                for line in &sent {
                    let request: serde_json::Value = serde_json::from_slice(line).unwrap();
                    share.server_says(format!("{{\"return\": \"pc\", \"id\": {}}}", request["id"]).as_bytes());
                }
                replies += sent.len();
                if sent.is_empty() {
                    break;
                }
            }
            share.take_output(client);
        }
        assert_eq!(replies, requests);
    })
}

fn value(items: usize) -> String {
    match &read(&reply(items))[..] {
        [Message::Reply(reply)] => match reply.body() {
            ReplyBody::Return(value) => value.to_owned(),
            ReplyBody::Error { .. } => panic!("an error"),
        },
        other => panic!("{other:?}"),
    }
}

pub fn read_nesting(levels: usize) -> Work {
    let stream = nested(levels);
    Box::new(move || drop(black_box(read(&stream))))
}

pub fn print_nesting(levels: usize) -> Work {
    print(&nested(levels))
}

pub fn print_events(count: usize) -> Work {
    let event = "{\"timestamp\": {\"seconds\": 1700000000, \"microseconds\": 345678}, \"event\": \"JOB_STATUS_CHANGE\", \
                 \"data\": {\"status\": \"ready\", \"id\": \"j0\"}}\r\n";
    let stream = event.repeat(count);
    let palette = Palette::new(true);
    Box::new(move || {
        for message in read(&stream) {
            let Message::Event(event) = message else { continue };
            black_box(event_line(&event, None, &palette));
        }
    })
}

/// Parses a line, and types it or reports an error.
pub fn type_line(line: String, has_schema: bool) -> Work {
    let untyped = TypingContext::none();
    let context = if has_schema { TypingContext { schema: Some(schema()), ..untyped } } else { untyped };
    Box::new(move || {
        let result = match parse_line(&line) {
            Ok(Line::Command(command)) => request_of_command(&command, &context),
            Ok(Line::Json(json)) => request_of_json(&json, &context),
            other => panic!("{other:?}"),
        };
        let _ = black_box(result);
    })
}

pub fn assemble(count: usize) -> Work {
    let text = format!("{{\"execute\": \"x\", \"arguments\": {{\n{}}}}}", "  \"key\": 1,\n".repeat(count));
    Box::new(move || {
        let mut assembler = Assembler::new();
        let lines = text.split('\n').flat_map(|line| assembler.push(line, Language::Qmp)).count();
        assert_eq!(lines, 1);
    })
}

pub fn tab(line: String) -> Work {
    let context = context();
    Box::new(move || drop(black_box(complete(&line, &context))))
}

pub fn names(count: usize) -> Work {
    let names: Vec<Name> = (0..count).map(|n| Name::new(format!("device{n}"), "virtio")).collect();
    Box::new(move || drop(black_box(complete_with("device_del id=dev", &mut context(), |_| names.clone()))))
}

/// Does what a key press at the end of a line needs.
pub fn key(line: String) -> Work {
    let context = context();
    Box::new(move || {
        black_box((highlight(&line, &context), hint(&line, &context, 80), is_complete(&line, Language::Qmp)));
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
