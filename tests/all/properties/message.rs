//! Messages from a server: parsed values are parts of the text, and printed text has no control characters.

use qmp_shell::render::{Palette, event_line};
use qmp_shell::wire::{Message, ReplyBody, single_line};
use serde_json::value::RawValue;

use super::assertions;

/// The input is one message.
pub fn check(data: &[u8]) {
    let valid = assertions::text(data).filter(|text| serde_json::from_str::<&RawValue>(text).is_ok());
    match Message::parse(data.to_vec()) {
        Ok(Message::Greeting(greeting)) => {
            let _ = (greeting.offers_oob(), greeting.version.map(|version| version.to_string()));
        }
        Ok(Message::Reply(reply)) => {
            let (key, value) = reply.member();
            assert!(reply.text().contains(value) && reply.text().contains(reply.id().unwrap_or_default()));
            assert_eq!(reply.succeeded(), key == "return");
            assert_eq!(reply.succeeded(), matches!(reply.body(), ReplyBody::Return(_)));
            // A broken reply is replaced by an error.
            let is_replaced = matches!(reply.body(), ReplyBody::Error { class: "InvalidReply", .. });
            if let Some(text) = valid.filter(|_| !is_replaced) {
                assert_eq!(reply.text(), text, "the server's text is changed");
                for part in [Some(value), reply.id()].into_iter().flatten() {
                    assert!(serde_json::from_str::<&RawValue>(part).is_ok(), "a member that is not JSON: {part}");
                }
                assertions::same_tokens(text, &single_line(text));
            }
        }
        Ok(Message::Event(event)) => {
            let line = event_line(&event, None, &Palette::default());
            assertions::has_no_controls(&line);
            assert!(!line.contains('\n'), "an event on two lines");
        }
        Err(error) => {
            assertions::has_no_controls(&error.preview);
            assert!(error.preview.len() <= 80 * 12, "a preview that is too long");
        }
    }
}
