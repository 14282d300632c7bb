//! Prints JSON text, indented or on one line: it changes only whitespace and adds colour.
//!
//! The text must be one that the message parser accepted; it is not checked again. It is scanned once, from one punctuation
//! character to the next. Memory use does not depend on its size, since output is written in chunks, and there is no
//! recursion that deep nesting could exhaust.

use std::io::{self, Write};

use crate::wire::{BLOCK_BYTES, StringFinder, blocks, set_bits};

use super::CHUNK_BYTES;
use super::palette::Palette;
use super::sanitize::is_printable;

/// The style of printed JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonStyle {
    /// A member or item per line, indented by two spaces per level.
    Indented,
    /// Everything on one line.
    Line,
}

/// The nesting depth up to which lines are indented. Without a limit, a megabyte of brackets would become gigabytes of
/// spaces.
const MAX_INDENTED_LEVELS: usize = 64;

/// Writes the JSON text `raw` without a line end. With `escape_controls`, characters in strings that a terminal would
/// interpret are written as escapes.
pub fn write_json(
    raw: &str,
    style: JsonStyle,
    palette: &Palette,
    escape_controls: bool,
    out: &mut (impl Write + ?Sized),
) -> io::Result<()> {
    let raw = raw.as_bytes();
    let buf = Vec::with_capacity(CHUNK_BYTES.min(2 * raw.len()) + BLOCK_OUTPUT_BYTES);
    let (depth, after_opening, after_error_key) = (0, false, false);
    let mut printer = Printer { raw, buf, style, palette, escape_controls, depth, after_opening, after_error_key, out };
    let mut strings = StringFinder::default();
    let mut from = 0;
    for (number, block) in blocks(raw).enumerate() {
        let punctuation = block.opening() | block.closing() | block.positions_of(b',') | block.positions_of(b':');
        for bit in set_bits(punctuation & !strings.next(&block).strings) {
            let at = number * BLOCK_BYTES + bit;
            printer.write_token(from, at)?;
            printer.write_punctuation(raw[at]);
            from = at + 1;
        }
        if printer.buf.len() >= CHUNK_BYTES {
            printer.write_out()?;
        }
    }
    printer.write_token(from, raw.len())?;
    printer.write_out()
}

/// The number of bytes that the output of one block rarely exceeds, so that the buffer rarely grows.
const BLOCK_OUTPUT_BYTES: usize = 4096;

/// A line end and the maximum indentation, so that both are copied at once.
const LINE_START: [u8; 1 + 2 * MAX_INDENTED_LEVELS] = {
    let mut bytes = [b' '; 1 + 2 * MAX_INDENTED_LEVELS];
    bytes[0] = b'\n';
    bytes
};

struct Printer<'a, W: ?Sized> {
    raw: &'a [u8],
    buf: Vec<u8>,
    style: JsonStyle,
    palette: &'a Palette,
    escape_controls: bool,
    depth: usize,
    /// Whether an opening bracket was written last. If its closing bracket comes next, both stay on one line.
    after_opening: bool,
    /// Whether the key `error` was written last: its value tells of a failure.
    after_error_key: bool,
    out: &'a mut W,
}

impl<W: Write + ?Sized> Printer<'_, W> {
    fn write_out(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buf)?;
        self.buf.clear();
        Ok(())
    }

    fn new_line(&mut self) {
        if self.style == JsonStyle::Indented {
            append(&mut self.buf, &LINE_START, 1 + 2 * self.depth.min(MAX_INDENTED_LEVELS));
        }
    }

    #[inline]
    fn write_punctuation(&mut self, byte: u8) {
        match byte {
            b'{' | b'[' => {
                if self.after_opening {
                    self.new_line();
                }
                self.buf.push(byte);
                self.depth += 1;
                self.after_opening = true;
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if !std::mem::take(&mut self.after_opening) {
                    self.new_line();
                }
                self.buf.push(byte);
            }
            b',' => {
                self.buf.push(b',');
                match self.style {
                    JsonStyle::Indented => self.new_line(),
                    JsonStyle::Line => self.buf.push(b' '),
                }
            }
            _ => self.buf.extend_from_slice(b": "),
        }
    }

    /// Writes the string, number or literal in `at..end`, if there is one besides whitespace. `end` is the index of the
    /// next punctuation character.
    #[inline]
    fn write_token(&mut self, mut at: usize, end: usize) -> io::Result<()> {
        while at < end && self.raw[at].is_ascii_whitespace() {
            at += 1;
        }
        if at == end {
            return Ok(());
        }
        let mut token_end = end;
        while self.raw[token_end - 1].is_ascii_whitespace() {
            token_end -= 1;
        }
        if std::mem::take(&mut self.after_opening) {
            self.new_line();
        }
        let palette = self.palette;
        let after_error_key = std::mem::take(&mut self.after_error_key);
        let code = match self.raw[at] {
            _ if !palette.is_colored() => "",
            b'"' if self.raw.get(end) == Some(&b':') => {
                self.after_error_key = self.raw[at..token_end] == *b"\"error\"";
                &palette.key
            }
            b'"' if after_error_key => &palette.error,
            b'"' => &palette.string,
            b'-' | b'0'..=b'9' => &palette.number,
            _ => &palette.literal,
        };
        if code.is_empty() {
            return self.write_text(at, token_end);
        }
        self.buf.extend_from_slice(code.as_bytes());
        self.write_text(at, token_end)?;
        self.buf.extend_from_slice(palette.reset.as_bytes());
        Ok(())
    }

    #[inline]
    fn write_text(&mut self, at: usize, end: usize) -> io::Result<()> {
        let raw = self.raw;
        let text = &raw[at..end];
        if self.escape_controls && may_have_controls(text) {
            self.write_escaped(text)?;
        } else if text.len() > CHUNK_BYTES {
            // A long string is not copied to the buffer.
            self.write_out()?;
            self.out.write_all(text)?;
        } else {
            append(&mut self.buf, &raw[at..], end - at);
        }
        Ok(())
    }

    /// Writes text with an escape for each character that a terminal would interpret.
    fn write_escaped(&mut self, text: &[u8]) -> io::Result<()> {
        for c in String::from_utf8_lossy(text).chars() {
            let mut bytes = [0; 4];
            let shown = c.encode_utf8(&mut bytes);
            if is_printable(shown) {
                self.buf.extend_from_slice(shown.as_bytes());
            } else {
                // All of these have at most four digits.
                self.buf.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
            }
            if self.buf.len() >= CHUNK_BYTES {
                self.write_out()?;
            }
        }
        Ok(())
    }
}

/// Appends the first `len` bytes of `from`. Most pieces are short; for those it is faster to copy a fixed number of
/// bytes and to truncate the excess.
#[inline]
fn append(buf: &mut Vec<u8>, from: &[u8], len: usize) {
    match from.first_chunk::<32>() {
        Some(piece) if len <= piece.len() => {
            let end = buf.len() + len;
            buf.extend_from_slice(piece);
            buf.truncate(end);
        }
        _ => buf.extend_from_slice(&from[..len]),
    }
}

/// Returns whether text contains an ASCII control character, or a byte with which another one may begin;
/// [`Printer::write_escaped`] decides.
fn may_have_controls(text: &[u8]) -> bool {
    // Without an early exit, the compiler vectorises the loop.
    text.iter().fold(false, |found, b| found | (*b < 0x20) | (*b == 0x7f) | (*b == 0xc2) | (*b == 0xd8) | (*b == 0xe2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use proptest::strategy::Strategy;

    fn render(raw: &str, style: JsonStyle, is_colored: bool) -> String {
        let mut out = Vec::new();
        write_json(raw, style, &Palette::new(is_colored), true, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn indents_values_and_keeps_their_spelling() {
        assert_eq!(
            render("{\"b\":1.50,\"a\": [1e3,{}, [ ],true],\r\n\"s\":\"\\u00e9\\\"{\"}", JsonStyle::Indented, false),
            "{\n  \"b\": 1.50,\n  \"a\": [\n    1e3,\n    {},\n    [],\n    true\n  ],\n  \"s\": \"\\u00e9\\\"{\"\n}"
        );
        assert_eq!(render("{\n  \"a\": [1,\n2]\n}", JsonStyle::Line, false), "{\"a\": [1, 2]}");
        assert_eq!(render("18446744073709551615", JsonStyle::Indented, false), "18446744073709551615");
    }

    #[test]
    fn limits_the_indentation() {
        let shown = render(&format!("{}1{}", "[".repeat(500), "]".repeat(500)), JsonStyle::Indented, false);
        let indents = shown.lines().map(|line| line.len() - line.trim_start().len());
        assert_eq!((shown.lines().count(), indents.max()), (1001, Some(2 * MAX_INDENTED_LEVELS)));
    }

    #[test]
    fn colours_keys_strings_numbers_and_literals() {
        assert_eq!(
            render("{\"k\":[\"v\",-1,null]}", JsonStyle::Line, true),
            "{\u{1b}[34m\"k\"\u{1b}[0m: [\u{1b}[32m\"v\"\u{1b}[0m, \u{1b}[36m-1\u{1b}[0m, \u{1b}[35mnull\u{1b}[0m]}"
        );
    }

    #[test]
    fn the_value_of_an_error_is_in_the_colour_of_errors() {
        assert_eq!(
            render("{\"error\": \"x\",\"a\":\"error\"}", JsonStyle::Line, true),
            "{\u{1b}[34m\"error\"\u{1b}[0m: \u{1b}[1;31m\"x\"\u{1b}[0m, \u{1b}[34m\"a\"\u{1b}[0m: \u{1b}[32m\"error\"\u{1b}[0m}"
        );
        assert!(!render("{\"error\": {\"class\": \"y\"}}", JsonStyle::Line, true).contains("\u{1b}[1;31m\"y"));
    }

    #[test]
    fn escapes_control_characters() {
        assert_eq!(render("\"\u{1b}[2J\u{9b}\u{202e}é\"", JsonStyle::Line, false), "\"\\u001b[2J\\u009b\\u202eé\"");
    }

    #[test]
    fn writes_long_strings_whole() {
        let raw = format!("[\"{}\",1]", "x".repeat(3 * CHUNK_BYTES));
        assert_eq!(render(&raw, JsonStyle::Line, false), raw.replace(",1", ", 1"));
    }

    #[test]
    fn writes_escaped_text_in_chunks() {
        struct Largest(usize);
        impl Write for Largest {
            fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
                self.0 = self.0.max(chunk.len());
                Ok(chunk.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut largest = Largest(0);
        let raw = format!("[\"{}\"]", "x\u{7f}".repeat(CHUNK_BYTES));
        write_json(&raw, JsonStyle::Line, &Palette::default(), true, &mut largest).unwrap();
        assert!(largest.0 < CHUNK_BYTES + BLOCK_OUTPUT_BYTES, "{}", largest.0);
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
        /// Both styles parse to the same value, and the indented one is what serde_json prints.
        #[test]
        fn style_does_not_change_values(value in json()) {
            let raw = value.to_string();
            prop_assert_eq!(render(&raw, JsonStyle::Indented, false), serde_json::to_string_pretty(&value).unwrap());
            let line: serde_json::Value = serde_json::from_str(&render(&raw, JsonStyle::Line, false)).unwrap();
            prop_assert_eq!(line, value);
        }
    }
}
