//! Pretty printing from JSON text to JSON text: white space and colour are all it changes.
//!
//! The text is one that the message parser has accepted, so it is not checked again. It is gone through once, from one
//! punctuation mark to the next, with memory for one chunk of output whatever its size, and without recursion whatever
//! its depth.

use std::io::{self, Write};

use crate::wire::{BLOCK, Strings, blocks, each};

use super::palette::Palette;
use super::sanitize::is_printable;

/// How JSON is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Two blanks a level, a member or item a line.
    Indented,
    /// On one line.
    Line,
}

/// The output is handed on in pieces of this size.
const CHUNK: usize = 64 * 1024;

/// What nests deeper is indented no further: nobody reads so far to the right, and a message of a megabyte would become
/// gigabytes of blanks.
const DEEPEST: usize = 64;

/// Writes the JSON text `raw`, without a line end behind it. With `harmless`, characters inside strings that could do
/// something to a terminal are written as escapes.
pub fn write_json(
    raw: &str,
    layout: Layout,
    palette: &Palette,
    harmless: bool,
    out: &mut (impl Write + ?Sized),
) -> io::Result<()> {
    let raw = raw.as_bytes();
    let room = CHUNK.min(2 * raw.len()) + SLACK;
    let mut printer =
        Printer { raw, buf: Vec::with_capacity(room), layout, palette, harmless, depth: 0, opened: false, out };
    let mut strings = Strings::default();
    let mut from = 0;
    for (number, block) in blocks(raw).enumerate() {
        let marks = block.opening() | block.closing() | block.equal(b',') | block.equal(b':');
        for place in each(marks & !strings.next(&block).strings) {
            let at = number * BLOCK + place;
            printer.token(from, at)?;
            printer.mark(raw[at]);
            from = at + 1;
        }
        if printer.buf.len() >= CHUNK {
            printer.hand_on()?;
        }
    }
    printer.token(from, raw.len())?;
    printer.hand_on()
}

/// What one block can add to the output beyond [`CHUNK`], so that it mostly need not grow.
const SLACK: usize = 4096;

/// A line end and the deepest indentation: one copy is faster than two steps.
const LINE_START: [u8; 1 + 2 * DEEPEST] = {
    let mut bytes = [b' '; 1 + 2 * DEEPEST];
    bytes[0] = b'\n';
    bytes
};

struct Printer<'a, W: ?Sized> {
    raw: &'a [u8],
    buf: Vec<u8>,
    layout: Layout,
    palette: &'a Palette,
    harmless: bool,
    depth: usize,
    /// The last thing written is an opening bracket: whether a line ends behind it depends on what comes.
    opened: bool,
    out: &'a mut W,
}

impl<W: Write + ?Sized> Printer<'_, W> {
    fn hand_on(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buf)?;
        self.buf.clear();
        Ok(())
    }

    fn new_line(&mut self) {
        if self.layout == Layout::Indented {
            put(&mut self.buf, &LINE_START, 1 + 2 * self.depth.min(DEEPEST));
        }
    }

    /// Writes the punctuation mark `byte`.
    #[inline]
    fn mark(&mut self, byte: u8) {
        match byte {
            b'{' | b'[' => {
                if self.opened {
                    self.new_line();
                }
                self.buf.push(byte);
                self.depth += 1;
                self.opened = true;
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if !std::mem::take(&mut self.opened) {
                    self.new_line();
                }
                self.buf.push(byte);
            }
            b',' => {
                self.buf.push(b',');
                match self.layout {
                    Layout::Indented => self.new_line(),
                    Layout::Line => self.buf.push(b' '),
                }
            }
            _ => self.buf.extend_from_slice(b": "),
        }
    }

    /// Writes the string, number or literal that stands, with blanks around it, between `at` and the mark at `end`; often
    /// there is none.
    #[inline]
    fn token(&mut self, mut at: usize, end: usize) -> io::Result<()> {
        let mark = self.raw.get(end);
        while at < end && self.raw[at].is_ascii_whitespace() {
            at += 1;
        }
        if at == end {
            return Ok(());
        }
        let mut behind = end;
        while self.raw[behind - 1].is_ascii_whitespace() {
            behind -= 1;
        }
        if std::mem::take(&mut self.opened) {
            self.new_line();
        }
        let palette = self.palette;
        let code = match self.raw[at] {
            _ if !palette.is_colored() => "",
            b'"' if mark == Some(&b':') => &palette.key,
            b'"' => &palette.string,
            b'-' | b'0'..=b'9' => &palette.number,
            _ => &palette.literal,
        };
        if code.is_empty() {
            return self.text(at, behind);
        }
        self.buf.extend_from_slice(code.as_bytes());
        self.text(at, behind)?;
        self.buf.extend_from_slice(palette.reset.as_bytes());
        Ok(())
    }

    #[inline]
    fn text(&mut self, at: usize, end: usize) -> io::Result<()> {
        let raw = self.raw;
        let text = &raw[at..end];
        if self.harmless && !is_harmless(text) {
            self.escaped(text)?;
        } else if text.len() > CHUNK {
            // A long string goes straight from the message to the output.
            self.hand_on()?;
            self.out.write_all(text)?;
        } else {
            put(&mut self.buf, &raw[at..], end - at);
        }
        Ok(())
    }

    /// Writes the text with an escape for each character that could do something to a terminal.
    fn escaped(&mut self, text: &[u8]) -> io::Result<()> {
        for c in String::from_utf8_lossy(text).chars() {
            let mut bytes = [0; 4];
            let shown = c.encode_utf8(&mut bytes);
            if is_printable(shown) {
                self.buf.extend_from_slice(shown.as_bytes());
            } else {
                // None of these is beyond the characters of four digits.
                self.buf.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
            }
            if self.buf.len() >= CHUNK {
                self.hand_on()?;
            }
        }
        Ok(())
    }
}

/// Appends the first `len` bytes of `from`. Most pieces are short: then it is a copy of one fixed length, whose excess is
/// taken back.
#[inline]
fn put(buf: &mut Vec<u8>, from: &[u8], len: usize) {
    match from.first_chunk::<32>() {
        Some(piece) if len <= piece.len() => {
            let end = buf.len() + len;
            buf.extend_from_slice(piece);
            buf.truncate(end);
        }
        _ => buf.extend_from_slice(&from[..len]),
    }
}

/// Whether the bytes of a string can go to a terminal: no ASCII control, and none of the characters beyond ASCII that
/// might be one. The test errs on the careful side; [`Printer::escaped`] looks closely.
fn is_harmless(text: &[u8]) -> bool {
    // Without a way out of the loop, many bytes are looked at at a time.
    !text.iter().fold(false, |bad, b| bad | (*b < 0x20) | (*b == 0x7f) | (*b == 0xc2) | (*b == 0xd8) | (*b == 0xe2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use proptest::strategy::Strategy;

    fn render(raw: &str, layout: Layout, colour: bool) -> String {
        let mut out = Vec::new();
        write_json(raw, layout, &Palette::new(colour), true, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_are_indented_and_spelled_as_they_came() {
        assert_eq!(
            render("{\"b\":1.50,\"a\": [1e3,{}, [ ],true],\r\n\"s\":\"\\u00e9\\\"{\"}", Layout::Indented, false),
            "{\n  \"b\": 1.50,\n  \"a\": [\n    1e3,\n    {},\n    [],\n    true\n  ],\n  \"s\": \"\\u00e9\\\"{\"\n}"
        );
        assert_eq!(render("{\n  \"a\": [1,\n2]\n}", Layout::Line, false), "{\"a\": [1, 2]}");
        assert_eq!(render("18446744073709551615", Layout::Indented, false), "18446744073709551615");
    }

    #[test]
    fn what_nests_very_deep_costs_no_more_blanks_than_a_screen_is_wide() {
        let shown = render(&format!("{}1{}", "[".repeat(500), "]".repeat(500)), Layout::Indented, false);
        let indents = shown.lines().map(|line| line.len() - line.trim_start().len());
        assert_eq!((shown.lines().count(), indents.max()), (1001, Some(2 * DEEPEST)));
    }

    #[test]
    fn keys_strings_numbers_and_literals_have_their_colours() {
        assert_eq!(
            render("{\"k\":[\"v\",-1,null]}", Layout::Line, true),
            "{\u{1b}[34m\"k\"\u{1b}[0m: [\u{1b}[32m\"v\"\u{1b}[0m, \u{1b}[36m-1\u{1b}[0m, \u{1b}[35mnull\u{1b}[0m]}"
        );
    }

    #[test]
    fn control_characters_are_escaped_for_a_terminal() {
        assert_eq!(render("\"\u{1b}[2J\u{9b}\u{202e}é\"", Layout::Line, false), "\"\\u001b[2J\\u009b\\u202eé\"");
    }

    #[test]
    fn a_long_string_is_whole() {
        let raw = format!("[\"{}\",1]", "x".repeat(3 * CHUNK));
        assert_eq!(render(&raw, Layout::Line, false), raw.replace(",1", ", 1"));
    }

    #[test]
    fn what_is_written_goes_on_in_pieces_whatever_there_is_to_escape() {
        struct Largest(usize);
        impl Write for Largest {
            fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
                self.0 = self.0.max(piece.len());
                Ok(piece.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut largest = Largest(0);
        let raw = format!("[\"{}\"]", "x\u{7f}".repeat(CHUNK));
        write_json(&raw, Layout::Line, &Palette::default(), true, &mut largest).unwrap();
        assert!(largest.0 < CHUNK + SLACK, "{}", largest.0);
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value;
        let leaf = proptest::prop_oneof![
            proptest::strategy::Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z\"\\\\\n{}\\[\\],: ]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            proptest::prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::vec(("[a-z{\"]{0,4}", inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Both layouts read back as the same value, and the indented one is what serde_json itself would print.
        #[test]
        fn layout_changes_no_value(value in json()) {
            let raw = value.to_string();
            prop_assert_eq!(render(&raw, Layout::Indented, false), serde_json::to_string_pretty(&value).unwrap());
            let line: serde_json::Value = serde_json::from_str(&render(&raw, Layout::Line, false)).unwrap();
            prop_assert_eq!(line, value);
        }
    }
}
