//! Prints JSON text in the flat format: a line `a.b[0].c: value` for each value.
//!
//! Like [`write_json`](super::write_json), it scans the text once and without recursion. Numbers and literals keep the
//! server's spelling; strings are printed without quotes. Those that could be taken for something else are printed as
//! JSON, so that values that differ in more than the type of a scalar are never printed alike.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use crate::wire::{end_of_string, unquote};

use super::CHUNK_BYTES;
use super::palette::Palette;
use super::sanitize::{escape_json, is_printable, printable, sanitize};

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
/// keeps its line ends, and its other control characters are escaped.
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
        match self.levels.last() {
            None => self.write_top_level_string(&unquote(string).unwrap_or(Cow::Borrowed(string))),
            Some(level) if self.key_is_next => {
                let is_top = level.path_len == 0;
                self.path.truncate(level.path_len);
                if !is_top {
                    self.path.push('.');
                }
                self.path.push_str(&text_or_json(string, |key| is_plain_key(key) && !(is_top && key == ITEM)));
                self.key_is_next = false;
            }
            Some(_) => self.write_line(&self.palette.string, &text_or_json(string, is_plain_value)),
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

/// Returns the text of a JSON string, if it has one that is plain; otherwise the string as the server wrote it.
fn text_or_json(string: &str, is_plain: impl Fn(&str) -> bool) -> Cow<'_, str> {
    unquote(string).filter(|text| is_plain(text)).unwrap_or_else(|| escape_json(string))
}

/// Returns whether a value is on one line, and cannot be taken for a JSON string or an empty object or array.
fn is_plain_value(text: &str) -> bool {
    is_printable(text) && !text.starts_with('"') && !matches!(text, "{}" | "[]")
}

/// Returns whether a key can be told from the keys, indices and values around it.
fn is_plain_key(text: &str) -> bool {
    is_printable(text) && !text.is_empty() && !text.contains(['.', '[', ':', '"'])
}

#[cfg(test)]
mod tests {
    use super::super::random_json::json;
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};
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
            (r#"{"invalid": "\ud800\""}"#, "invalid: \"\\ud800\\\"\"\n"),
            (
                r#"{"path": "C:\\new", "quote": "a\"b\"", "brackets": "[1]", "spaces": " a: b "}"#,
                "path: C:\\new\nquote: a\"b\"\nbrackets: [1]\nspaces:  a: b \n",
            ),
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
        assert_eq!(flat(r#"{"a": "x\"\u00e9\ud834\udd1e\\"}"#), "a: x\"é𝄞\\\n");
        assert_eq!(flat("{\"a\": \"x\\ny\\u001b[2J\u{9b}\"}"), "a: \"x\\ny\\u001b[2J\\u009b\"\n");
        assert_eq!(flat(r#"{"lone": "\ud800", "raw": "a	b"}"#), "lone: \"\\ud800\"\nraw: \"a\\u0009b\"\n");
        assert_eq!(flat(r#""a\r\nb\u0007\r\n""#), "a\nb\\x07\n");
        assert_eq!(flat(r#""prelaunch""#), "prelaunch\n");
        assert_eq!(flat("\"\""), "");
    }

    #[test]
    fn prints_as_json_what_could_be_taken_for_something_else() {
        for (one, other) in [
            (r#"{"a": "x\ny"}"#, r#"{"a": "x\\ny"}"#),
            (r#"{"a.b": 1}"#, r#"{"a": {"b": 1}}"#),
            (r#"{"a[0]": 1}"#, r#"{"a": [1]}"#),
            (r#"{"a: b": "c"}"#, r#"{"a": "b: c"}"#),
            (r#"{"a": {"": 1}}"#, r#"{"a.": 1}"#),
            (r#"{"\"a.b\"": 1}"#, r#"{"a.b": 1}"#),
            (r#"{"a": "\"x\\ny\""}"#, r#"{"a": "x\ny"}"#),
            (r#"{"a": "{}"}"#, r#"{"a": {}}"#),
            (r#"{"a": "[]"}"#, r#"{"a": []}"#),
            (r#"{"item": [1]}"#, "[1]"),
        ] {
            assert_ne!(flat(one), flat(other));
        }
        assert_eq!(flat(r#"{"a.b": {"c[0]": ["x\ny"]}}"#), "\"a.b\".\"c[0]\"[0]: \"x\\ny\"\n");
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
        assert_eq!(String::from_utf8(out).unwrap(), "\u{1b}[36ma\u{1b}[0m: \u{1b}[32mb\u{1b}[0m\n");
    }

    /// Prints a value by the definition of the format, recursively.
    fn print_recursively(value: &Value, path: &str, out: &mut String) {
        let json = |text: &str| Value::from(text).to_string();
        let joined = |key: &str| {
            let key = if key.contains(['.', '[', ':', '"']) { json(key) } else { key.to_owned() };
            if path.is_empty() { key } else { format!("{path}.{key}") }
        };
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
            Value::String(text) if text.contains('\n') || text.starts_with('"') || text == "{}" || text == "[]" => {
                out.push_str(&format!("{path}: {}\n", json(text)));
            }
            Value::String(text) => out.push_str(&format!("{path}: {text}\n")),
            value => out.push_str(&format!("{path}: {value}\n")),
        }
    }

    /// Returns the value with scalars as strings: the format does not tell their types.
    fn with_text_scalars(value: Value) -> Value {
        match value {
            Value::Object(members) => members.into_iter().map(|(key, value)| (key, with_text_scalars(value))).collect(),
            Value::Array(items) => items.into_iter().map(with_text_scalars).collect(),
            Value::String(text) => Value::String(text),
            scalar => Value::String(scalar.to_string()),
        }
    }

    /// Reads a JSON string at the start of a text, or else the text up to the first character that `ends` it. Returns the
    /// rest of the text too.
    fn read_text<'a>(text: &'a str, ends: &[char]) -> (String, &'a str) {
        let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
        match strings.next().filter(|_| text.starts_with('"')) {
            Some(string) => (string.unwrap(), &text[strings.byte_offset()..]),
            None => {
                let (text, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
                (text.to_owned(), rest)
            }
        }
    }

    /// Reads flat output back.
    fn read_back(flat: &str) -> Value {
        let mut root = Value::Null;
        for line in flat.lines() {
            let mut place = &mut root;
            let mut rest = if line.starts_with("item[") { &line[ITEM.len()..] } else { line };
            while !rest.starts_with(':') {
                if let Some(index) = rest.strip_prefix('[') {
                    let (index, after) = index.split_once(']').unwrap();
                    if place.is_null() {
                        *place = Value::Array(Vec::new());
                    }
                    let items = place.as_array_mut().unwrap();
                    let index: usize = index.parse().unwrap();
                    items.resize(items.len().max(index + 1), Value::Null);
                    (place, rest) = (&mut items[index], after);
                } else {
                    let (key, after) = read_text(rest.strip_prefix('.').unwrap_or(rest), &['.', '[', ':']);
                    (place, rest) = (&mut place[key], after);
                }
            }
            *place = match &rest[2..] {
                "{}" => Value::Object(serde_json::Map::new()),
                "[]" => Value::Array(Vec::new()),
                text => Value::String(read_text(text, &[]).0),
            };
        }
        root
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition_of_the_format(value in json("[a-z{\",.:\\[]{1,4}"), pretty in any::<bool>()) {
            let value = serde_json::json!({ "k": value });
            let raw = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
            let mut expected = String::new();
            print_recursively(&value, "", &mut expected);
            prop_assert_eq!(flat(&raw), expected);
            prop_assert_eq!(read_back(&flat(&raw)), with_text_scalars(value));
        }
    }
}
