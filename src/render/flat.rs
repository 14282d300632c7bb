//! Prints JSON text in the flat format: a line `a.b[0].c: value` for each value.
//!
//! Like [`write_json`](super::write_json), it scans the text once and without recursion. Numbers and literals keep the
//! server's spelling; strings are printed without quotes.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use crate::wire::{end_of_string, unquote};

use super::CHUNK_BYTES;
use super::palette::Palette;
use super::sanitize::{printable, sanitize};

/// The name in paths of a top-level array.
const ITEM: &str = "item";

/// An object or array that is open.
struct Level {
    /// The length of the path to it.
    path_len: usize,
    /// The index of the current item of an array.
    index: Option<usize>,
}

/// Writes the JSON text `raw`, which the message parser must have accepted, with one line for each value that contains no
/// others. An empty object or array is `{}` or `[]` inside another value, and nothing at the top level. A top-level string
/// keeps its line ends. Control characters are escaped.
pub fn write_flat(raw: &str, palette: &Palette, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
    let buf = Vec::with_capacity(CHUNK_BYTES + 4096);
    let mut printer = FlatPrinter { raw, palette, path: String::new(), levels: Vec::new(), key_is_next: false, buf };
    let mut at = 0;
    while let Some(&byte) = raw.as_bytes().get(at) {
        if printer.buf.len() >= CHUNK_BYTES {
            out.write_all(&printer.buf)?;
            printer.buf.clear();
        }
        at = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b':' => at + 1,
            b'{' | b'[' => printer.open(at, byte),
            b'}' | b']' => printer.close(at),
            b',' => printer.comma(at),
            b'"' => printer.string(at),
            _ => printer.scalar(at, byte),
        };
    }
    out.write_all(&printer.buf)
}

/// The state of printing. For each kind of token there is a method that takes its index and returns the index after it.
struct FlatPrinter<'a> {
    raw: &'a str,
    palette: &'a Palette,
    /// The path of the next value.
    path: String,
    levels: Vec<Level>,
    /// Whether the next string is a key.
    key_is_next: bool,
    /// Output that has not been passed on yet.
    buf: Vec<u8>,
}

impl FlatPrinter<'_> {
    fn open(&mut self, at: usize, bracket: u8) -> usize {
        let next = self.skip_whitespace(at + 1);
        // The codes of `{` and `}`, and of `[` and `]`, differ by two.
        if self.raw.as_bytes().get(next) == Some(&(bracket + 2)) {
            if !self.levels.is_empty() {
                self.write_line(&self.palette.literal, if bracket == b'{' { "{}" } else { "[]" });
            }
            return next + 1;
        }
        let is_array = bracket == b'[';
        if is_array && self.levels.is_empty() {
            self.path.push_str(ITEM);
        }
        self.levels.push(Level { path_len: self.path.len(), index: is_array.then_some(0) });
        self.key_is_next = !is_array;
        if is_array {
            self.path.push_str("[0]");
        }
        at + 1
    }

    fn close(&mut self, at: usize) -> usize {
        self.levels.pop();
        self.key_is_next = false;
        at + 1
    }

    fn comma(&mut self, at: usize) -> usize {
        if let Some(level) = self.levels.last_mut() {
            self.path.truncate(level.path_len);
            match &mut level.index {
                Some(index) => {
                    *index += 1;
                    // Writing to a String cannot fail.
                    let _ = write!(self.path, "[{index}]");
                }
                None => self.key_is_next = true,
            }
        }
        at + 1
    }

    fn string(&mut self, at: usize) -> usize {
        let end = end_of_string(self.raw.as_bytes(), at + 1);
        let string = &self.raw[at..end];
        // A string with an invalid escape is shown as the server wrote it.
        let inner = string[1..].strip_suffix('"').unwrap_or(&string[1..]);
        let text = unquote(string).unwrap_or(Cow::Borrowed(inner));
        match self.levels.last() {
            None => self.write_top_level_string(&text),
            Some(level) if self.key_is_next => {
                self.path.truncate(level.path_len);
                if level.path_len > 0 {
                    self.path.push('.');
                }
                self.path.push_str(&printable(&text));
                self.key_is_next = false;
            }
            Some(_) => self.write_line(&self.palette.string, &printable(&text)),
        }
        end
    }

    /// Prints a number or literal.
    fn scalar(&mut self, at: usize, first: u8) -> usize {
        let rest = &self.raw.as_bytes()[at..];
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b':' | b' ' | b'\t' | b'\r' | b'\n');
        let end = at + rest.iter().position(ends).unwrap_or(rest.len());
        let is_number = first == b'-' || first.is_ascii_digit();
        let code = if is_number { &self.palette.number } else { &self.palette.literal };
        self.write_line(code, &printable(&self.raw[at..end]));
        end
    }

    fn skip_whitespace(&self, from: usize) -> usize {
        let rest = &self.raw.as_bytes()[from..];
        from + rest.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(rest.len())
    }

    fn write_line(&mut self, code: &str, value: &str) {
        let mut paint = |code: &str, text: &str| {
            self.buf.extend_from_slice(code.as_bytes());
            self.buf.extend_from_slice(text.as_bytes());
            if !code.is_empty() {
                self.buf.extend_from_slice(self.palette.reset.as_bytes());
            }
        };
        if !self.path.is_empty() {
            paint(&self.palette.key, &self.path);
            paint("", ": ");
        }
        paint(code, value);
        paint("", "\n");
    }

    /// Prints a string that is the whole value, such as the output of an HMP command.
    fn write_top_level_string(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n");
        self.buf.extend_from_slice(sanitize(&text).as_bytes());
        if !text.is_empty() && !text.ends_with('\n') {
            self.buf.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use proptest::strategy::{Just, Strategy};
    use serde_json::Value;

    fn flat(raw: &str) -> String {
        let mut out = Vec::new();
        write_flat(raw, &Palette::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn prints_a_line_for_each_value() {
        for (raw, expected) in [
            ("{\"status\": \"running\", \"on\":true}", "status: running\non: true\n"),
            (
                "{\"a\":{\"b\":[{\"c\":1},2,[3,[4]]]},\"d\":null}",
                "a.b[0].c: 1\na.b[1]: 2\na.b[2][0]: 3\na.b[2][1][0]: 4\nd: null\n",
            ),
            ("[ {\"name\": \"x\"}, {\"name\": \"y\"} ]", "item[0].name: x\nitem[1].name: y\n"),
            ("[\"x\", [7]]", "item[0]: x\nitem[1][0]: 7\n"),
            ("{\"a\": {}, \"b\": [ ], \"c\": [{}]}", "a: {}\nb: []\nc[0]: {}\n"),
            ("{\r\n  \"a\": [\r\n    1,\r\n    2\r\n  ]\r\n}", "a[0]: 1\na[1]: 2\n"),
            ("{}", ""),
            ("[]", ""),
            ("{\"empty\": \"\"}", "empty: \n"),
            (r#"{"invalid": "\ud800\""}"#, "invalid: \\ud800\\\"\n"),
        ] {
            assert_eq!(flat(raw), expected, "{raw}");
        }
    }

    #[test]
    fn keeps_the_spelling_of_numbers() {
        assert_eq!(
            flat("{\"a\": 18446744073709551615, \"b\":1e3,\"c\":-nan}"),
            "a: 18446744073709551615\nb: 1e3\nc: -nan\n"
        );
        assert_eq!(flat("1.50"), "1.50\n");
        assert_eq!(flat("null"), "null\n");
    }

    #[test]
    fn only_top_level_strings_span_lines() {
        assert_eq!(flat(r#"{"a": "x\ny\u001b[2J\"\u00e9\ud834\udd1e\\"}"#), "a: x\\ny\\x1b[2J\"é𝄞\\\n");
        assert_eq!(flat(r#"{"a\n.b": 1, "lone": "\ud800", "raw": "a	b"}"#), "a\\n.b: 1\nlone: \\ud800\nraw: a\\tb\n");
        assert_eq!(flat(r#""a\r\nb\u0007\r\n""#), "a\nb\\x07\n");
        assert_eq!(flat(r#""prelaunch""#), "prelaunch\n");
        assert_eq!(flat("\"\""), "");
    }

    #[test]
    fn prints_deep_and_long_values() {
        let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(flat(&deep).len(), "item: 1\n".len() + 3 * 200_000);
        let long = format!("[{}0]", "{\"a\": \"b\"}, ".repeat(100_000));
        assert!(flat(&long).ends_with("item[99999].a: b\nitem[100000]: 0\n"));
    }

    #[test]
    fn colours_paths_and_values() {
        let mut out = Vec::new();
        write_flat("{\"a\": \"b\"}", &Palette::new(true), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\u{1b}[34ma\u{1b}[0m: \u{1b}[32mb\u{1b}[0m\n");
    }

    /// Prints a value by the definition of the format, recursively.
    fn print_recursively(value: &Value, path: &str, out: &mut String) {
        let joined = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value {
            Value::Object(members) if !members.is_empty() => {
                members.iter().for_each(|(key, value)| print_recursively(value, &joined(key), out));
            }
            Value::Array(items) if !items.is_empty() => {
                let name = if path.is_empty() { ITEM } else { path };
                items
                    .iter()
                    .enumerate()
                    .for_each(|(at, value)| print_recursively(value, &format!("{name}[{at}]"), out));
            }
            Value::Object(_) | Value::Array(_) if path.is_empty() => {}
            Value::String(text) => out.push_str(&format!("{path}: {}\n", printable(text))),
            value => out.push_str(&format!("{path}: {value}\n")),
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = proptest::prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z\"\\\\\n{}\\[\\],: ]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            proptest::prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::vec(("[a-z{\",]{1,4}", inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition_of_the_format(value in json(), pretty in any::<bool>()) {
            let value = serde_json::json!({ "k": value });
            let raw = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
            let mut expected = String::new();
            print_recursively(&value, "", &mut expected);
            prop_assert_eq!(flat(&raw), expected);
        }
    }
}
