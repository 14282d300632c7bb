//! Prints JSON text, indented or on one line: it changes only whitespace and adds colour.

use std::io::{self, Write};

use super::json_tokens::{TokenPrinter, TokenWriter, scan};
use super::palette::Palette;

/// The style of printed JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonStyle {
    /// A member or item per line, indented by two spaces per level.
    Indented,
    /// Everything on one line.
    Line,
}

/// Writes the JSON text `raw` without a line end. With `escape_controls`, characters in strings that a terminal would
/// interpret are written as escapes.
pub fn write_json(
    raw: &str,
    style: JsonStyle,
    palette: &Palette,
    escape_controls: bool,
    out: &mut (impl Write + ?Sized),
) -> io::Result<()> {
    let writer = TokenWriter::new(raw, palette, escape_controls, out);
    let mut printer = Printer { writer, style, depth: 0, after_opening: false };
    scan(raw, &mut printer)?;
    printer.writer.write_out()
}

struct Printer<'a, W: ?Sized> {
    writer: TokenWriter<'a, W>,
    style: JsonStyle,
    depth: usize,
    /// Whether an opening bracket was written last. If its closing bracket comes next, both stay on one line.
    after_opening: bool,
}

impl<W: Write + ?Sized> Printer<'_, W> {
    fn new_line(&mut self) {
        if self.style == JsonStyle::Indented {
            self.writer.begin_line(2 * self.depth);
        }
    }
}

impl<W: Write + ?Sized> TokenPrinter for Printer<'_, W> {
    #[inline]
    fn print_punctuation(&mut self, byte: u8) {
        match byte {
            b'{' | b'[' => {
                if self.after_opening {
                    self.new_line();
                }
                self.writer.buf.push(byte);
                self.depth += 1;
                self.after_opening = true;
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if !std::mem::take(&mut self.after_opening) {
                    self.new_line();
                }
                self.writer.buf.push(byte);
            }
            b',' => {
                self.writer.buf.push(b',');
                match self.style {
                    JsonStyle::Indented => self.new_line(),
                    JsonStyle::Line => self.writer.buf.push(b' '),
                }
            }
            _ => self.writer.buf.extend_from_slice(b": "),
        }
    }

    #[inline]
    fn print_token(&mut self, at: usize, end: usize, next: usize) -> io::Result<()> {
        if std::mem::take(&mut self.after_opening) {
            self.new_line();
        }
        self.writer.write_token(at, end, next).map(drop)
    }

    #[inline]
    fn write_chunk(&mut self) -> io::Result<()> {
        if self.writer.is_full() { self.writer.write_out() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::CHUNK_BYTES;
    use super::super::json_tokens::{BLOCK_OUTPUT_BYTES, MAX_INDENTATION};
    use super::super::random_json::json;
    use super::*;
    use proptest::prelude::{prop_assert_eq, proptest};

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
        assert_eq!((shown.lines().count(), indents.max()), (1001, Some(MAX_INDENTATION)));
    }

    #[test]
    fn colours_keys_strings_numbers_and_literals() {
        assert_eq!(
            render("{\"k\":[\"v\",-1,null]}", JsonStyle::Line, true),
            "{\u{1b}[36m\"k\"\u{1b}[0m: [\u{1b}[32m\"v\"\u{1b}[0m, \u{1b}[35m-1\u{1b}[0m, \u{1b}[35mnull\u{1b}[0m]}"
        );
    }

    #[test]
    fn the_value_of_an_error_is_in_the_colour_of_errors() {
        assert_eq!(
            render("{\"error\": \"x\",\"a\":\"error\"}", JsonStyle::Line, true),
            "{\u{1b}[36m\"error\"\u{1b}[0m: \u{1b}[1;31m\"x\"\u{1b}[0m, \u{1b}[36m\"a\"\u{1b}[0m: \u{1b}[32m\"error\"\u{1b}[0m}"
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

    proptest! {
        /// Both styles parse to the same value, and the indented one is what serde_json prints.
        #[test]
        fn style_does_not_change_values(value in json("[a-z{\"]{0,4}")) {
            let raw = value.to_string();
            prop_assert_eq!(render(&raw, JsonStyle::Indented, false), serde_json::to_string_pretty(&value).unwrap());
            let line: serde_json::Value = serde_json::from_str(&render(&raw, JsonStyle::Line, false)).unwrap();
            prop_assert_eq!(line, value);
        }
    }
}
