//! Prints JSON text in as few lines as are readable: an object or array is on one line if it fits on the rest of it, and
//! has a line for each member or item otherwise. Numbers fill lines.
//!
//! Like [`write_json`](super::write_json), it scans the text once and changes only whitespace. What is open is written on
//! one line at first, with its [breaks](Break); once the line is too long, the outermost of them is broken there. So no
//! more than a line is written again.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::CHUNK_BYTES;
use super::json_tokens::{TokenPrinter, TokenWriter, begins_number, scan};
use super::palette::Palette;

/// Writes the JSON text `raw` without a line end, in lines of at most `columns` if its strings allow it. With
/// `escape_controls`, characters in strings that a terminal would interpret are written as escapes.
pub fn write_fitted(
    raw: &str,
    columns: usize,
    palette: &Palette,
    escape_controls: bool,
    out: &mut (impl Write + ?Sized),
) -> io::Result<()> {
    let mut printer = FittedPrinter {
        writer: TokenWriter::new(raw, palette, escape_controls, out),
        // A comma may follow.
        limit: columns.saturating_sub(1),
        column: 0,
        levels: Vec::new(),
        broken: 0,
        breaks: Vec::new(),
        tail: Vec::new(),
        is_item_next: true,
        awaits_separator: false,
    };
    scan(raw, &mut printer)?;
    printer.writer.write_out()
}

/// An object or array that is open.
struct Level {
    /// The index of its first break, unless it is broken.
    first_break: usize,
    is_empty: bool,
    /// Whether the latest item is a number. Numbers fill lines.
    is_after_number: bool,
}

/// A place where the line ends if the object or array around it is broken: after its bracket, or before an item.
#[derive(Clone, Copy)]
struct Break {
    /// The index in the buffer.
    at: usize,
    /// The width of the line before it.
    column: usize,
    /// Whether the items before and after it are numbers, so that the line need not end if there is room.
    is_between_numbers: bool,
}

struct FittedPrinter<'a, W: ?Sized> {
    writer: TokenWriter<'a, W>,
    /// The maximum width of a line without a comma after it.
    limit: usize,
    /// The width of the line so far.
    column: usize,
    levels: Vec<Level>,
    /// The number of levels that are broken. They are the outermost ones.
    broken: usize,
    /// The breaks of the other levels, in order.
    breaks: Vec<Break>,
    /// The end of the buffer while it is written again; a field to keep its memory.
    tail: Vec<u8>,
    /// Whether the next token is an item or a key, rather than the value of a key.
    is_item_next: bool,
    /// Whether a comma was written in a broken level, and nothing after it.
    awaits_separator: bool,
}

impl<W: Write + ?Sized> FittedPrinter<'_, W> {
    fn begin_line(&mut self, depth: usize) {
        self.column = self.writer.begin_line(depth);
    }

    /// Prepares for an item or a key; a number has a width.
    #[inline]
    fn begin_item(&mut self, number_width: Option<usize>) {
        if !std::mem::replace(&mut self.is_item_next, true) {
            return;
        }
        let depth = self.levels.len();
        let Some(level) = self.levels.last_mut() else { return };
        level.is_empty = false;
        let is_after_number = std::mem::replace(&mut level.is_after_number, number_width.is_some());
        let is_between_numbers = is_after_number && number_width.is_some();
        if depth > self.broken {
            if let Some(last) = self.breaks.last_mut() {
                last.is_between_numbers = is_between_numbers;
            }
        } else if std::mem::take(&mut self.awaits_separator) {
            let width = number_width.unwrap_or_default();
            if is_between_numbers && self.column + 1 + width <= self.limit {
                self.writer.buf.push(b' ');
                self.column += 1;
            } else {
                self.begin_line(depth);
            }
        }
    }

    fn open(&mut self, bracket: u8) {
        self.begin_item(None);
        self.writer.buf.push(bracket);
        self.column += 1;
        self.break_until_it_fits();
        self.levels.push(Level { first_break: self.breaks.len(), is_empty: true, is_after_number: false });
        self.push_break();
    }

    fn close(&mut self, bracket: u8) {
        let Some(level) = self.levels.last() else { return };
        let depth = self.levels.len() - 1;
        if !level.is_empty {
            // Without room for the bracket, the level is broken too.
            self.column += 1;
            self.break_until_it_fits();
            if depth > self.broken && self.column_on_own_line(depth) > self.limit {
                // Then neither fit the levels around it, which are at least as wide.
                while self.broken <= depth {
                    self.break_level();
                }
            }
            self.column -= 1;
        }
        let level = self.levels.pop();
        if depth < self.broken {
            self.broken = depth;
            self.begin_line(depth);
        } else if let Some(level) = level {
            self.breaks.truncate(level.first_break);
        }
        self.writer.buf.push(bracket);
        self.column += 1;
        self.break_until_it_fits();
    }

    /// Returns the width of the line if the levels around the level at `depth` were broken. It begins at the break before
    /// its first one.
    fn column_on_own_line(&self, depth: usize) -> usize {
        let start = self.levels[depth].first_break.checked_sub(1).map_or(0, |index| self.breaks[index].column);
        2 * depth + self.column - start
    }

    fn end_item(&mut self) {
        self.writer.buf.push(b',');
        self.column += 1;
        if self.levels.len() <= self.broken {
            self.awaits_separator = true;
        } else {
            self.writer.buf.push(b' ');
            self.column += 1;
            self.push_break();
        }
    }

    fn push_break(&mut self) {
        self.breaks.push(Break { at: self.writer.buf.len(), column: self.column, is_between_numbers: false });
    }

    #[inline]
    fn break_until_it_fits(&mut self) {
        while self.column > self.limit && self.broken < self.levels.len() {
            self.break_level();
        }
    }

    /// Breaks the outermost level that is on one line.
    fn break_level(&mut self) {
        let depth = self.broken + 1;
        let own_breaks = self.levels.get(depth).map_or(self.breaks.len(), |level| level.first_break);
        let (end, end_column) = (self.writer.buf.len(), self.column);
        let first = self.breaks[0].at;
        self.tail.clear();
        self.tail.extend_from_slice(&self.writer.buf[first..]);
        self.writer.buf.truncate(first);
        let (mut new_at, mut new_column) = (0, 0);
        for index in 0..own_breaks {
            let piece = self.breaks[index];
            let next = self.breaks.get(index + 1).filter(|_| index + 1 < own_breaks);
            let (next_at, next_column) = next.map_or((end, end_column), |next| (next.at, next.column));
            let width = next_column - piece.column;
            // A comma and a space are no part of an item.
            let item_width = if index + 1 < own_breaks { width - 2 } else { width };
            if !piece.is_between_numbers || self.column + item_width > self.limit {
                if index > 0 {
                    // The space after the comma.
                    self.writer.buf.pop();
                }
                self.begin_line(depth);
            }
            (new_at, new_column) = (self.writer.buf.len(), self.column);
            self.writer.buf.extend_from_slice(&self.tail[piece.at - first..next_at - first]);
            self.column += width;
        }
        let last = self.breaks[own_breaks - 1];
        self.breaks.drain(..own_breaks);
        for inner in &mut self.breaks {
            inner.at = inner.at - last.at + new_at;
            inner.column = inner.column - last.column + new_column;
        }
        for level in &mut self.levels[depth..] {
            level.first_break -= own_breaks;
        }
        self.broken = depth;
    }
}

impl<W: Write + ?Sized> TokenPrinter for FittedPrinter<'_, W> {
    fn print_token(&mut self, at: usize, end: usize, next: usize) -> io::Result<()> {
        let is_number = begins_number(self.writer.raw[at]);
        self.begin_item(is_number.then_some(end - at));
        if end - at > CHUNK_BYTES {
            // Such a string is not kept in the buffer.
            self.column += end - at;
            self.break_until_it_fits();
            self.writer.write_token(at, end, next)?;
            return Ok(());
        }
        let text = self.writer.write_token(at, end, next)?;
        self.column += width(&self.writer.buf[text]);
        self.break_until_it_fits();
        Ok(())
    }

    fn print_punctuation(&mut self, byte: u8) {
        match byte {
            b'{' | b'[' => self.open(byte),
            b'}' | b']' => self.close(byte),
            b',' => self.end_item(),
            _ => {
                self.writer.buf.extend_from_slice(b": ");
                self.column += 2;
                self.is_item_next = false;
            }
        }
    }

    fn write_chunk(&mut self) -> io::Result<()> {
        if !self.writer.is_full() {
            return Ok(());
        }
        let Some(first) = self.breaks.first().map(|first| first.at) else { return self.writer.write_out() };
        self.tail.clear();
        self.tail.extend_from_slice(&self.writer.buf[first..]);
        self.writer.buf.truncate(first);
        self.writer.write_out()?;
        self.writer.buf.extend_from_slice(&self.tail);
        self.breaks.iter_mut().for_each(|item| item.at -= first);
        Ok(())
    }
}

/// Returns the number of columns of text.
#[inline]
fn width(text: &[u8]) -> usize {
    if text.is_ascii() { text.len() } else { String::from_utf8_lossy(text).width() }
}

#[cfg(test)]
mod tests {
    use super::super::{JsonStyle, write_json};
    use super::*;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use proptest::strategy::{Just, Strategy};
    use serde_json::Value;

    fn fitted(raw: &str, columns: usize) -> String {
        let mut out = Vec::new();
        write_fitted(raw, columns, &Palette::default(), true, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn on_one_line(value: &Value) -> String {
        let mut out = Vec::new();
        write_json(&value.to_string(), JsonStyle::Line, &Palette::default(), true, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// Prints a value by the definition of the form, recursively, at the end of `out`.
    fn print_recursively(value: &Value, limit: usize, depth: usize, out: &mut String) {
        let column = |out: &str| out.lines().last().unwrap_or_default().width();
        let line = on_one_line(value);
        let is_empty = matches!(line.as_str(), "{}" | "[]");
        if !(value.is_array() || value.is_object()) || is_empty || column(out) + line.width() <= limit {
            return out.push_str(&line);
        }
        let new_line = |depth: usize| format!("\n{}", "  ".repeat(depth));
        let (brackets, items): (_, Vec<(String, &Value)>) = match value {
            Value::Object(members) => {
                ("{}", members.iter().map(|(key, value)| (format!("{}: ", Value::from(key.as_str())), value)).collect())
            }
            _ => ("[]", value.as_array().unwrap().iter().map(|item| (String::new(), item)).collect()),
        };
        out.push_str(&brackets[..1]);
        let mut is_after_number = false;
        for (index, (key, item)) in items.iter().enumerate() {
            let is_number = value.is_array() && item.is_number();
            let is_between_numbers = std::mem::replace(&mut is_after_number, is_number) && is_number;
            let fits = is_between_numbers && column(out) + 1 + item.to_string().len() <= limit;
            out.push_str(&if fits { " ".to_owned() } else { new_line(depth + 1) });
            out.push_str(key);
            print_recursively(item, limit, depth + 1, out);
            out.push_str(if index + 1 < items.len() { "," } else { "" });
        }
        out.push_str(&new_line(depth));
        out.push_str(&brackets[1..]);
    }

    #[test]
    fn keeps_on_a_line_what_fits() {
        let raw = r#"[{"capability": "xbzrle", "state": false}, {"capability": "events", "state": true}]"#;
        assert_eq!(fitted(raw, 200), raw);
        assert_eq!(
            fitted(raw, 60),
            "[\n  {\"capability\": \"xbzrle\", \"state\": false},\n  {\"capability\": \"events\", \"state\": true}\n]"
        );
        assert_eq!(fitted(r#"{"a":{"b":[1.50,{}, [ ]]}}"#, 80), r#"{"a": {"b": [1.50, {}, []]}}"#);
        assert_eq!(fitted("18446744073709551615", 3), "18446744073709551615");
    }

    #[test]
    fn fills_lines_with_numbers() {
        let numbers: Vec<String> = (0..30).map(|number| number.to_string()).collect();
        assert_eq!(
            fitted(&format!("{{\"n\": [{}]}}", numbers.join(",")), 40),
            "{\n  \"n\": [\n    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,\n    11, 12, 13, 14, 15, 16, 17, 18, 19,\n    20, 21, \
             22, 23, 24, 25, 26, 27, 28,\n    29\n  ]\n}"
        );
    }

    #[test]
    fn long_strings_and_deep_nesting_are_printed() {
        let long = "x".repeat(3 * CHUNK_BYTES);
        assert_eq!(fitted(&format!("[[\"{long}\",1],2]"), 80), format!("[\n  [\n    \"{long}\",\n    1\n  ],\n  2\n]"));
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(fitted(&deep, 80).matches('[').count(), 100_000);
        let many = format!("[{}0]", "{\"a\": \"b\"}, ".repeat(100_000));
        assert_eq!(fitted(&many, 80).lines().count(), 100_003);
    }

    #[test]
    fn colours_take_no_columns() {
        let raw = r#"{"key": ["string", -1, null]}"#;
        let mut out = Vec::new();
        write_fitted(raw, raw.len() + 1, &Palette::new(true), true, &mut out).unwrap();
        let colored = String::from_utf8(out).unwrap();
        assert!(!colored.contains('\n') && colored.contains("\u{1b}[36m-1\u{1b}[0m"), "{colored}");
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = proptest::prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u8>().prop_map(Value::from),
            "[a-zé\u{4e00}\"\\\\\n{}\\[\\],: ]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            proptest::prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::vec(any::<u16>(), 0..40).prop_map(Value::from),
                proptest::collection::vec(("[a-z{\"]{0,6}", inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn is_what_the_definition_says(value in json(), columns in 1usize..100) {
            let mut expected = String::new();
            print_recursively(&value, columns - 1, 0, &mut expected);
            let shown = fitted(&value.to_string(), columns);
            prop_assert_eq!(&shown, &expected);
            prop_assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
            prop_assert!(!shown.ends_with('\n'));
        }
    }
}
