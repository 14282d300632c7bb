//! JSON printing: it changes only whitespace and colour, and prints no control characters.

use qmp_shell::render::{JsonStyle, Palette, write_json};
use qmp_shell::wire::{Message, ReplyBody};
use serde_json::value::RawValue;

use super::assertions;

/// The input is a value, or a reply with one. A reply can be invalid JSON that the message parser accepts.
pub fn check(data: &[u8]) {
    if let Some(text) = assertions::text(data)
        && serde_json::from_str::<&RawValue>(text).is_ok()
    {
        for style in [JsonStyle::Indented, JsonStyle::Line] {
            assertions::same_tokens(text, &print(text, style, false, false));
            let printed = print(text, style, false, true);
            assertions::same_meaning(text, &printed);
            assertions::has_no_controls(&printed);
            assert!(style == JsonStyle::Indented || !printed.contains('\n'), "one line became two");
            assert_eq!(assertions::without_colors(&print(text, style, true, true)), printed, "colour changes the text");
        }
    }
    if let Ok(Message::Reply(reply)) = Message::parse(data.to_vec())
        && let ReplyBody::Return(value) = reply.body()
    {
        assertions::has_no_controls(&print(value, JsonStyle::Indented, false, true));
        print(value, JsonStyle::Line, true, false);
    }
}

fn print(text: &str, style: JsonStyle, is_colored: bool, escape_controls: bool) -> String {
    let mut out = Vec::new();
    write_json(text, style, &Palette::new(is_colored), escape_controls, &mut out)
        .expect("writing to memory cannot fail");
    // Indentation is limited.
    assert!(out.len() <= 300 + 300 * text.len(), "{} bytes became {}", text.len(), out.len());
    String::from_utf8(out).expect("UTF-8 remains UTF-8")
}
