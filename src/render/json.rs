//! Pretty printing from JSON text to JSON text: white space and colour are all it changes.
//!
//! The text is one that the message parser has accepted, so it is not checked again. It is scanned once, with memory
//! for one chunk of output whatever its size, and without recursion whatever its depth.

use std::io::{self, Write};

use crate::wire::end_of_string;

use super::palette::Palette;

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
    let mut printer = Printer { raw: raw.as_bytes(), buf: Vec::with_capacity(CHUNK + 4096), layout, palette, depth: 0 };
    let mut at = 0;
    // Whether the next string is a key: by the innermost bracket, and by whether its colon has come.
    let mut objects: Vec<bool> = Vec::new();
    let mut key = false;
    while at < printer.raw.len() {
        if printer.buf.len() >= CHUNK {
            out.write_all(&printer.buf)?;
            printer.buf.clear();
        }
        let byte = printer.raw[at];
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            b'{' | b'[' => {
                let next = printer.next_solid(at + 1);
                if printer.raw.get(next) == Some(&(byte + 2)) {
                    printer.buf.extend_from_slice(&[byte, byte + 2]);
                    at = next + 1;
                    continue;
                }
                printer.buf.push(byte);
                printer.depth += 1;
                printer.new_line();
                objects.push(byte == b'{');
                key = byte == b'{';
                at += 1;
            }
            b'}' | b']' => {
                printer.depth = printer.depth.saturating_sub(1);
                printer.new_line();
                printer.buf.push(byte);
                objects.pop();
                key = false;
                at += 1;
            }
            b',' => {
                printer.buf.push(byte);
                match layout {
                    Layout::Indented => printer.new_line(),
                    Layout::Line => printer.buf.push(b' '),
                }
                key = objects.last() == Some(&true);
                at += 1;
            }
            b':' => {
                printer.buf.extend_from_slice(b": ");
                key = false;
                at += 1;
            }
            b'"' => at = printer.string(at, key, harmless, out)?,
            _ => at = printer.scalar(at),
        }
    }
    out.write_all(&printer.buf)
}

/// Whether a byte ends a number or a literal.
const ENDS_SCALAR: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = matches!(at as u8, b',' | b'}' | b']' | b':' | b' ' | b'\t' | b'\r' | b'\n');
        at += 1;
    }
    table
};

/// A line end and the deepest indentation: one copy is faster than two steps.
const LINE_START: [u8; 1 + 2 * DEEPEST] = {
    let mut bytes = [b' '; 1 + 2 * DEEPEST];
    bytes[0] = b'\n';
    bytes
};

struct Printer<'a> {
    raw: &'a [u8],
    buf: Vec<u8>,
    layout: Layout,
    palette: &'a Palette,
    depth: usize,
}

impl Printer<'_> {
    fn next_solid(&self, from: usize) -> usize {
        let rest = &self.raw[from..];
        from + rest.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(rest.len())
    }

    fn new_line(&mut self) {
        if self.layout == Layout::Indented {
            self.buf.extend_from_slice(&LINE_START[..=2 * self.depth.min(DEEPEST)]);
        }
    }

    /// Writes the string that begins at `at`; returns the place behind it.
    fn string(&mut self, at: usize, key: bool, harmless: bool, out: &mut (impl Write + ?Sized)) -> io::Result<usize> {
        let end = end_of_string(self.raw, at + 1);
        let text = &self.raw[at..end];
        let code = if key { &self.palette.key } else { &self.palette.string };
        self.buf.extend_from_slice(code.as_bytes());
        if harmless && !is_harmless(text) {
            push_escaped(text, &mut self.buf);
        } else if text.len() > CHUNK {
            // A long string goes straight from the message to the output.
            out.write_all(&self.buf)?;
            out.write_all(text)?;
            self.buf.clear();
        } else {
            self.buf.extend_from_slice(text);
        }
        if !code.is_empty() {
            self.buf.extend_from_slice(self.palette.reset.as_bytes());
        }
        Ok(end)
    }

    /// Writes the number or literal that begins at `at`; returns the place behind it.
    fn scalar(&mut self, at: usize) -> usize {
        let rest = &self.raw[at..];
        let len = rest.iter().position(|b| ENDS_SCALAR[usize::from(*b)]).unwrap_or(rest.len());
        let numeric = rest[0] == b'-' || rest[0].is_ascii_digit();
        let code = if numeric { &self.palette.number } else { &self.palette.literal };
        self.buf.extend_from_slice(code.as_bytes());
        self.buf.extend_from_slice(&rest[..len]);
        if !code.is_empty() {
            self.buf.extend_from_slice(self.palette.reset.as_bytes());
        }
        at + len
    }
}

/// Whether the bytes of a string can go to a terminal: no ASCII control, and none of the characters beyond ASCII that
/// might be one. The test errs on the careful side; the escaper below looks closely.
fn is_harmless(text: &[u8]) -> bool {
    // Without a way out of the loop, many bytes are looked at at a time.
    !text.iter().fold(false, |bad, b| bad | (*b < 0x20) | (*b == 0x7f) | (*b == 0xc2) | (*b == 0xd8) | (*b == 0xe2))
}

fn push_escaped(text: &[u8], buf: &mut Vec<u8>) {
    for c in String::from_utf8_lossy(text).chars() {
        let mut bytes = [0; 4];
        let shown = super::sanitize::printable(c.encode_utf8(&mut bytes)).len() == c.len_utf8();
        if shown {
            buf.extend_from_slice(c.encode_utf8(&mut bytes).as_bytes());
        } else {
            buf.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
        }
    }
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
