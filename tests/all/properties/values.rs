//! JSON values from bytes: each change of a byte gives another valid value.

use serde_json::{Number, Value};

/// Strings that a server can send, and a terminal must not get.
const ODD_STRINGS: &[&str] = &[
    "",
    "\u{1b}[2J\u{1b}]0;x\u{7}",
    "a\nb\r\tc",
    "\u{202e}abc\u{2066}",
    "\0",
    "é\u{300}\u{200d}漢\u{9b}31m",
    "/machine/peripheral",
    "..",
    "a b'\"\\",
    "18446744073709551616",
];

/// The maximum nesting depth of a value.
const MAX_DEPTH: usize = 12;

/// The maximum size of the values that are made from one input. Each counts as some bytes beside its text.
const MAX_BYTES: usize = 256 << 10;

/// The bytes as which each value counts.
const VALUE_BYTES: usize = 32;

/// The values in some bytes.
pub struct Values<'a> {
    bytes: &'a [u8],
    /// The size of the values that may still be made.
    left: usize,
}

impl<'a> Values<'a> {
    pub fn new(bytes: &'a [u8]) -> Values<'a> {
        Values { bytes, left: MAX_BYTES }
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    fn word(&mut self) -> [u8; 8] {
        std::array::from_fn(|_| self.byte())
    }

    /// Returns a text with its length before it.
    fn text(&mut self) -> String {
        let length = usize::from(self.byte()).min(self.bytes.len());
        let (text, rest) = self.bytes.split_at(length);
        self.bytes = rest;
        self.limited(String::from_utf8_lossy(text).into_owned())
    }

    /// Returns a text, or an empty one if that would be too much.
    fn limited(&mut self, text: String) -> String {
        match self.left.checked_sub(text.len()) {
            Some(left) => {
                self.left = left;
                text
            }
            None => String::new(),
        }
    }

    fn value(&mut self, depth: usize) -> Value {
        self.left = self.left.saturating_sub(VALUE_BYTES);
        if depth >= MAX_DEPTH || self.left == 0 {
            return Value::Null;
        }
        match self.byte() % 13 {
            0 => Value::Null,
            1 => false.into(),
            2 => true.into(),
            3 => self.byte().into(),
            4 => i64::from_le_bytes(self.word()).into(),
            5 => u64::from_le_bytes(self.word()).into(),
            6 => Number::from_f64(f64::from_le_bytes(self.word())).map_or(Value::Null, Value::Number),
            7 => ODD_STRINGS[usize::from(self.byte()) % ODD_STRINGS.len()].into(),
            8 => self.text().into(),
            9 => (0..self.byte()).map(|_| self.value(depth + 1)).collect(),
            10 => (0..self.byte()).map(|_| (self.text(), self.value(depth + 1))).collect(),
            11 => {
                let (count, before) = (usize::from(self.byte()), self.left);
                let item = self.value(depth + 1);
                let cost = (before - self.left) * count;
                let count = if cost <= self.left { count } else { 1 };
                self.left = self.left.saturating_sub(cost);
                vec![item; count].into()
            }
            _ => {
                let text = self.text().repeat(usize::from(self.byte()));
                self.limited(text).into()
            }
        }
    }
}

impl Iterator for Values<'_> {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        (!self.bytes.is_empty() && self.left > 0).then(|| self.value(0))
    }
}
