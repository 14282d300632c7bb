//! JSON printing: blanks and colour are all it adds, and nothing it writes moves a terminal.

use qmp_shell::render::{JsonStyle, Palette, write_json};
use qmp_shell::wire::{Incoming, ReplyBody};
use serde_json::value::RawValue;

use super::strict;

/// The bytes are a value, or a reply that carries one; a reply may be one that no other reader would take.
pub fn check(data: &[u8]) {
    if let Some(text) = strict::text(data)
        && serde_json::from_str::<&RawValue>(text).is_ok()
    {
        for layout in [JsonStyle::Indented, JsonStyle::Line] {
            strict::same_tokens(text, &written(text, layout, false, false));
            let shown = written(text, layout, false, true);
            strict::same_meaning(text, &shown);
            strict::harmless(&shown);
            assert!(layout == JsonStyle::Indented || !shown.contains('\n'), "one line became two");
            assert_eq!(plain(&written(text, layout, true, true)), shown, "colour changed more than colour");
        }
    }
    if let Ok(Incoming::Reply(reply)) = Incoming::parse(data.to_vec())
        && let ReplyBody::Return(value) = reply.body()
    {
        strict::harmless(&written(value, JsonStyle::Indented, false, true));
        written(value, JsonStyle::Line, true, false);
    }
}

fn written(text: &str, layout: JsonStyle, colour: bool, harmless: bool) -> String {
    let mut out = Vec::new();
    write_json(text, layout, &Palette::new(colour), harmless, &mut out).expect("memory takes everything");
    // So much and no more: a level is a few columns.
    assert!(out.len() <= 300 + 300 * text.len(), "{} bytes became {}", text.len(), out.len());
    String::from_utf8(out).expect("text stays text")
}

/// Without the codes of colours.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut parts = text.split("\x1b[");
    out.extend(parts.next());
    for part in parts {
        out.extend(part.split_once('m').map(|(_, behind)| behind));
    }
    out
}
