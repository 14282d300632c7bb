//! Flattening: a JSON text as lines of `a.b[0].c: value`.
//!
//! As [`write_json`](super::write_json) it goes from text to text, once, without recursion; numbers and literals keep
//! the server's spelling, strings are shown without their quotes.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use crate::wire::{end_of_string, unquote};

use super::palette::Palette;
use super::sanitize::{printable, sanitize};

/// The output is handed on in pieces of this size.
const CHUNK: usize = 64 * 1024;

/// What the items of an array are called that is all there is.
const ITEM: &str = "item";

/// An object or array that is open.
struct Level {
    /// How much of the path leads to it.
    path: usize,
    /// Of an array, the place of the present item.
    index: Option<usize>,
}

/// Writes the JSON text `raw`, one that the message parser has accepted, as one line for each value that holds no
/// others. What is empty inside something else is `{}` or `[]`; empty as a whole, it has no line. A string that is all
/// there is keeps its line ends. Control characters never come out as such.
pub fn write_flat(raw: &str, palette: &Palette, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
    let buf = Vec::with_capacity(CHUNK + 4096);
    let mut flat = Flat { raw, palette, path: String::new(), levels: Vec::new(), key_next: false, buf };
    let mut at = 0;
    while let Some(&byte) = raw.as_bytes().get(at) {
        if flat.buf.len() >= CHUNK {
            out.write_all(&flat.buf)?;
            flat.buf.clear();
        }
        at = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b':' => at + 1,
            b'{' | b'[' => flat.open(at, byte),
            b'}' | b']' => flat.close(at),
            b',' => flat.comma(at),
            b'"' => flat.string(at),
            _ => flat.scalar(at, byte),
        };
    }
    out.write_all(&flat.buf)
}

/// What has been read so far, and the lines that are still to be handed on. Each token is taken by a method that is
/// told where it begins, and returns the place behind it.
struct Flat<'a> {
    raw: &'a str,
    palette: &'a Palette,
    /// What the next value is called.
    path: String,
    levels: Vec<Level>,
    /// The next string is a key.
    key_next: bool,
    buf: Vec<u8>,
}

impl Flat<'_> {
    fn open(&mut self, at: usize, bracket: u8) -> usize {
        let next = self.next_solid(at + 1);
        // `{` and `}`, and `[` and `]`, are two apart.
        if self.raw.as_bytes().get(next) == Some(&(bracket + 2)) {
            if !self.levels.is_empty() {
                self.line(&self.palette.literal, if bracket == b'{' { "{}" } else { "[]" });
            }
            return next + 1;
        }
        let is_array = bracket == b'[';
        if is_array && self.levels.is_empty() {
            self.path.push_str(ITEM);
        }
        self.levels.push(Level { path: self.path.len(), index: is_array.then_some(0) });
        self.key_next = !is_array;
        if is_array {
            self.path.push_str("[0]");
        }
        at + 1
    }

    fn close(&mut self, at: usize) -> usize {
        self.levels.pop();
        self.key_next = false;
        at + 1
    }

    fn comma(&mut self, at: usize) -> usize {
        if let Some(level) = self.levels.last_mut() {
            self.path.truncate(level.path);
            match &mut level.index {
                Some(index) => {
                    *index += 1;
                    // Writing to a String cannot fail.
                    let _ = write!(self.path, "[{index}]");
                }
                None => self.key_next = true,
            }
        }
        at + 1
    }

    fn string(&mut self, at: usize) -> usize {
        let end = end_of_string(self.raw.as_bytes(), at + 1);
        let string = &self.raw[at..end];
        // A string with an invalid escape is shown as the server wrote it.
        let text = unquote(string).unwrap_or_else(|| Cow::Borrowed(string.trim_matches('"')));
        match self.levels.last() {
            None => self.whole_text(&text),
            Some(level) if self.key_next => {
                self.path.truncate(level.path);
                if level.path > 0 {
                    self.path.push('.');
                }
                self.path.push_str(&printable(&text));
                self.key_next = false;
            }
            Some(_) => self.line(&self.palette.string, &printable(&text)),
        }
        end
    }

    /// A number or literal.
    fn scalar(&mut self, at: usize, first: u8) -> usize {
        let rest = &self.raw.as_bytes()[at..];
        let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b':' | b' ' | b'\t' | b'\r' | b'\n');
        let end = at + rest.iter().position(ends).unwrap_or(rest.len());
        let is_number = first == b'-' || first.is_ascii_digit();
        let code = if is_number { &self.palette.number } else { &self.palette.literal };
        self.line(code, &printable(&self.raw[at..end]));
        end
    }

    fn next_solid(&self, from: usize) -> usize {
        let rest = &self.raw.as_bytes()[from..];
        from + rest.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(rest.len())
    }

    fn line(&mut self, code: &str, value: &str) {
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

    /// A string that is all there is, such as the human monitor's text.
    fn whole_text(&mut self, text: &str) {
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
    fn every_value_has_its_line() {
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
        ] {
            assert_eq!(flat(raw), expected, "{raw}");
        }
    }

    #[test]
    fn numbers_are_spelled_as_they_came() {
        assert_eq!(
            flat("{\"a\": 18446744073709551615, \"b\":1e3,\"c\":-nan}"),
            "a: 18446744073709551615\nb: 1e3\nc: -nan\n"
        );
        assert_eq!(flat("1.50"), "1.50\n");
        assert_eq!(flat("null"), "null\n");
    }

    #[test]
    fn strings_stay_on_their_line_unless_they_are_all_there_is() {
        assert_eq!(flat(r#"{"a": "x\ny\u001b[2J\"\u00e9\ud834\udd1e\\"}"#), "a: x\\ny\\x1b[2J\"é𝄞\\\n");
        assert_eq!(flat(r#"{"a\n.b": 1, "lone": "\ud800", "raw": "a	b"}"#), "a\\n.b: 1\nlone: \\ud800\nraw: a\\tb\n");
        assert_eq!(flat(r#""a\r\nb\u0007\r\n""#), "a\nb\\x07\n");
        assert_eq!(flat(r#""prelaunch""#), "prelaunch\n");
        assert_eq!(flat("\"\""), "");
    }

    #[test]
    fn depth_and_length_are_no_matter() {
        let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(flat(&deep).len(), "item: 1\n".len() + 3 * 200_000);
        let long = format!("[{}0]", "{\"a\": \"b\"}, ".repeat(100_000));
        assert!(flat(&long).ends_with("item[99999].a: b\nitem[100000]: 0\n"));
    }

    #[test]
    fn paths_and_values_have_their_colours() {
        let mut out = Vec::new();
        write_flat("{\"a\": \"b\"}", &Palette::new(true), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\u{1b}[34ma\u{1b}[0m: \u{1b}[32mb\u{1b}[0m\n");
    }

    /// What flattening means, said with recursion.
    fn by_definition(value: &Value, path: &str, out: &mut String) {
        let joined = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value {
            Value::Object(members) if !members.is_empty() => {
                members.iter().for_each(|(key, value)| by_definition(value, &joined(key), out));
            }
            Value::Array(items) if !items.is_empty() => {
                let name = if path.is_empty() { ITEM } else { path };
                items.iter().enumerate().for_each(|(at, value)| by_definition(value, &format!("{name}[{at}]"), out));
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
        /// One pass over the text gives what the definition gives, whatever the layout.
        #[test]
        fn the_scan_agrees_with_the_definition(value in json(), pretty in any::<bool>()) {
            let value = serde_json::json!({ "k": value });
            let raw = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
            let mut expected = String::new();
            by_definition(&value, "", &mut expected);
            prop_assert_eq!(flat(&raw), expected);
        }
    }
}
