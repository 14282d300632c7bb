//! Messages from a server: whatever comes, what is read of it is a part of it, and nothing shown moves a terminal.

use qmp_shell::render::{Palette, event_line};
use qmp_shell::wire::{Incoming, ReplyBody, single_line};
use serde_json::value::RawValue;

use super::strict;

/// The bytes are one message.
pub fn check(data: &[u8]) {
    let strict = strict::text(data).filter(|text| serde_json::from_str::<&RawValue>(text).is_ok());
    match Incoming::parse(data.to_vec()) {
        Ok(Incoming::Greeting(greeting)) => {
            let _ = (greeting.offers_oob(), greeting.version.map(|version| version.to_string()));
        }
        Ok(Incoming::Reply(reply)) => {
            let (key, value) = reply.member();
            assert!(reply.text().contains(value) && reply.text().contains(reply.id().unwrap_or_default()));
            assert_eq!(reply.succeeded(), key == "return");
            assert_eq!(reply.succeeded(), matches!(reply.body(), ReplyBody::Return(_)));
            // A reply past reading is replaced by an error that says so.
            let replaced = matches!(reply.body(), ReplyBody::Error { class: "InvalidReply", .. });
            if let Some(text) = strict.filter(|_| !replaced) {
                assert_eq!(reply.text(), text, "the server's spelling is kept");
                for part in [Some(value), reply.id()].into_iter().flatten() {
                    assert!(serde_json::from_str::<&RawValue>(part).is_ok(), "a part of JSON is none: {part}");
                }
                strict::same_tokens(text, &single_line(text));
            }
        }
        Ok(Incoming::Event(event)) => {
            let line = event_line(&event, &Palette::default());
            strict::harmless(&line);
            assert!(!line.contains('\n'), "an event takes two lines");
        }
        Err(error) => {
            strict::harmless(&error.preview);
            assert!(error.preview.len() <= 80 * 12, "a long sample");
        }
    }
}
