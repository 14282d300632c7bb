//! Prints JSON text in few lines: an object or array is on one line if it fits on the rest of it. Otherwise its members
//! fill lines, but each object in an array has lines of its own.
//!
//! Like [`write_json`](super::write_json), it scans the text once and changes only whitespace. What is open is written on
//! one line at first, with the places where it can be broken; once the line is too long, it is broken at the outermost
//! of them. So no more than a line is written again.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::CHUNK_BYTES;
use super::json_tokens::{TokenPrinter, TokenWriter, scan};
use super::palette::Palette;

/// The columns that are left free at the end of a line for what may follow: a bracket and a comma.
const FREE_COLUMNS: usize = 2;

/// The indentation of members.
const INDENTATION: usize = 2;

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
        limit: columns.saturating_sub(FREE_COLUMNS),
        column: 0,
        levels: Vec::new(),
        broken: 0,
        breaks: Vec::new(),
        item_start: None,
        tail: Vec::new(),
        is_item_next: true,
        awaits_separator: false,
    };
    scan(raw, &mut printer)?;
    printer.writer.write_out()
}

/// An object or array that is open.
struct Level {
    is_array: bool,
    is_empty: bool,
    /// The column where its members begin, if it is broken.
    indentation: usize,
    /// Whether it is an array whose first item is on the line of its bracket: it begins with an object or array, and no
    /// key is before it.
    is_hanging: bool,
    /// Whether no item may follow the latest one on its line.
    must_end_line: bool,
    /// The index of its first break, unless it is broken.
    first_break: usize,
}

/// A place where a line can end: after a bracket, or before an item.
#[derive(Clone, Copy)]
struct Break {
    /// The index in the buffer.
    at: usize,
    /// The width of the line before it.
    column: usize,
    /// Whether the line ends there in any case, if the object or array around it is broken.
    is_forced: bool,
}

struct FittedPrinter<'a, W: ?Sized> {
    writer: TokenWriter<'a, W>,
    /// The maximum width of a line.
    limit: usize,
    /// The width of the line so far.
    column: usize,
    levels: Vec<Level>,
    /// The number of levels that are broken. They are the outermost ones.
    broken: usize,
    /// The breaks of the other levels, in order.
    breaks: Vec<Break>,
    /// The place before the current item of the innermost broken level, if that item is on the line of the one before.
    item_start: Option<Break>,
    /// The end of the buffer while it is written again; a field to keep its memory.
    tail: Vec<u8>,
    /// Whether the next token is an item or a key, rather than the value of a key.
    is_item_next: bool,
    /// Whether a comma was written in a broken level, and nothing after it.
    awaits_separator: bool,
}

impl<W: Write + ?Sized> FittedPrinter<'_, W> {
    fn begin_line(&mut self, indentation: usize) {
        self.column = self.writer.begin_line(indentation);
    }

    fn here(&self) -> Break {
        Break { at: self.writer.buf.len(), column: self.column, is_forced: false }
    }

    /// Prepares for an item or a key.
    #[inline]
    fn begin_item(&mut self, is_container: bool) {
        if !std::mem::replace(&mut self.is_item_next, true) {
            return;
        }
        let Some((level, outer)) = self.levels.split_last_mut() else { return };
        let is_row = level.is_array && is_container;
        if std::mem::take(&mut level.is_empty) {
            let outer = outer.last();
            level.is_hanging = is_row && outer.is_none_or(|outer| outer.is_array);
            let start = outer.map_or(0, |outer| outer.indentation);
            level.indentation = start + if level.is_hanging { 1 } else { INDENTATION };
        }
        let is_forced = std::mem::replace(&mut level.must_end_line, is_row) || is_row;
        let indentation = level.indentation;
        if self.levels.len() > self.broken {
            if let Some(last) = self.breaks.last_mut() {
                last.is_forced = is_forced;
            }
        } else if std::mem::take(&mut self.awaits_separator) {
            if is_forced {
                self.begin_line(indentation);
            } else {
                self.writer.buf.push(b' ');
                self.column += 1;
                self.item_start = Some(self.here());
            }
        }
    }

    fn open(&mut self, bracket: u8) {
        self.begin_item(true);
        self.writer.buf.push(bracket);
        self.column += 1;
        self.break_until_it_fits();
        self.levels.push(Level {
            is_array: bracket == b'[',
            is_empty: true,
            indentation: 0,
            is_hanging: false,
            must_end_line: false,
            first_break: self.breaks.len(),
        });
        self.breaks.push(self.here());
    }

    fn close(&mut self, bracket: u8) {
        let Some(level) = self.levels.last() else { return };
        let depth = self.levels.len() - 1;
        if !level.is_empty && depth >= self.broken {
            // Without room for the bracket, the level is broken too.
            self.column += 1;
            self.break_until_it_fits();
            if depth > self.broken && self.column_on_own_line(depth) > self.limit {
                // Then neither fit the levels around it, which are at least as wide.
                while self.broken <= depth {
                    self.break_outermost();
                }
            }
            self.column -= 1;
        }
        let Some(level) = self.levels.pop() else { return };
        if depth >= self.broken {
            self.breaks.truncate(level.first_break);
        } else {
            self.broken = depth;
            self.item_start = None;
            let outer = self.levels.last_mut();
            let indentation = outer.map_or(0, |outer| {
                outer.must_end_line = true;
                outer.indentation
            });
            if !level.is_hanging {
                self.begin_line(indentation);
            }
        }
        self.writer.buf.push(bracket);
        self.column += 1;
        self.break_until_it_fits();
    }

    /// Returns the width of the line if the levels around the level at `depth` were broken. It begins at the break before
    /// its first one.
    fn column_on_own_line(&self, depth: usize) -> usize {
        let start = self.levels[depth].first_break.checked_sub(1).map_or(0, |index| self.breaks[index].column);
        self.levels[depth - 1].indentation + self.column - start
    }

    fn end_item(&mut self) {
        self.writer.buf.push(b',');
        self.column += 1;
        if self.levels.len() <= self.broken {
            self.awaits_separator = true;
            self.item_start = None;
        } else {
            self.writer.buf.push(b' ');
            self.column += 1;
            self.breaks.push(self.here());
        }
    }

    #[inline]
    fn break_until_it_fits(&mut self) {
        while self.column > self.limit && (self.item_start.is_some() || self.broken < self.levels.len()) {
            self.break_outermost();
        }
    }

    /// Breaks the line before the current item of the innermost broken level, or else the outermost level that is on one
    /// line.
    fn break_outermost(&mut self) {
        match self.item_start.take() {
            Some(start) => self.break_before_item(start),
            None => self.break_level(),
        }
    }

    fn break_before_item(&mut self, start: Break) {
        let width = self.column - start.column;
        self.take_tail(start.at);
        // The space after the comma.
        self.writer.buf.pop();
        let indentation = self.levels[self.broken - 1].indentation;
        self.begin_line(indentation);
        self.move_breaks(start, self.here());
        self.writer.buf.extend_from_slice(&self.tail);
        self.column += width;
    }

    fn break_level(&mut self) {
        let level = &self.levels[self.broken];
        let (indentation, is_hanging) = (level.indentation, level.is_hanging);
        self.broken += 1;
        let own_breaks = self.levels.get(self.broken).map_or(self.breaks.len(), |level| level.first_break);
        let (end, first) = (self.here(), self.breaks[0]);
        self.take_tail(first.at);
        self.column = first.column;
        let mut last_start = first;
        for index in 0..own_breaks {
            let piece = self.breaks[index];
            let is_last = index + 1 == own_breaks;
            let next = if is_last { end } else { self.breaks[index + 1] };
            let width = next.column - piece.column;
            // A comma and a space are no part of an item.
            let item_width = if is_last { width } else { width - 2 };
            let stays = match index {
                0 => is_hanging,
                _ => !piece.is_forced && self.column + item_width <= self.limit,
            };
            if !stays {
                if index > 0 {
                    // The space after the comma.
                    self.writer.buf.pop();
                }
                self.begin_line(indentation);
            }
            last_start = self.here();
            self.item_start = Some(last_start).filter(|_| is_last && stays && index > 0);
            self.writer.buf.extend_from_slice(&self.tail[piece.at - first.at..next.at - first.at]);
            self.column += width;
        }
        let last = self.breaks[own_breaks - 1];
        self.breaks.drain(..own_breaks);
        for level in &mut self.levels[self.broken..] {
            level.first_break -= own_breaks;
        }
        self.move_breaks(last, last_start);
    }

    /// Moves the end of the buffer to `tail`.
    fn take_tail(&mut self, at: usize) {
        self.tail.clear();
        self.tail.extend_from_slice(&self.writer.buf[at..]);
        self.writer.buf.truncate(at);
    }

    /// Adapts the breaks to text that was moved.
    fn move_breaks(&mut self, from: Break, to: Break) {
        for item in &mut self.breaks {
            item.at = item.at - from.at + to.at;
            item.column = item.column - from.column + to.column;
        }
    }
}

impl<W: Write + ?Sized> TokenPrinter for FittedPrinter<'_, W> {
    fn print_token(&mut self, at: usize, end: usize, next: usize) -> io::Result<()> {
        self.begin_item(false);
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
        // The space before an item may become a line end.
        let item_start = self.item_start.map(|start| start.at - 1);
        let Some(first) = item_start.or(self.breaks.first().map(|first| first.at)) else {
            return self.writer.write_out();
        };
        self.take_tail(first);
        self.writer.write_out()?;
        self.writer.buf.extend_from_slice(&self.tail);
        self.breaks.iter_mut().chain(&mut self.item_start).for_each(|item| item.at -= first);
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
    use expect_test::expect;

    use super::super::random_json::json;
    use super::super::{JsonStyle, write_json};
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
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

    /// Prints a value by the definition of the form, recursively, at the end of `out`. Its members are indented from
    /// `start`.
    fn print_recursively(value: &Value, limit: usize, start: usize, out: &mut String) {
        let column = |out: &str| out.rsplit('\n').next().unwrap_or_default().width();
        let line = on_one_line(value);
        let is_empty = matches!(line.as_str(), "{}" | "[]");
        let is_container = |value: &Value| value.is_array() || value.is_object();
        if !is_container(value) || is_empty || column(out) + line.width() <= limit {
            return out.push_str(&line);
        }
        let new_line = |indentation: usize| format!("\n{}", " ".repeat(indentation));
        let (brackets, items): (_, Vec<(String, &Value)>) = match value {
            Value::Object(members) => {
                ("{}", members.iter().map(|(key, value)| (format!("{}: ", Value::from(key.as_str())), value)).collect())
            }
            _ => ("[]", value.as_array().unwrap().iter().map(|item| (String::new(), item)).collect()),
        };
        let is_row = |item: &Value| value.is_array() && is_container(item);
        let begins_line = out.ends_with(['\n', ' ', '[']) && !out.ends_with(": ") || out.is_empty();
        let is_hanging = begins_line && is_row(items[0].1);
        let inner = start + if is_hanging { 1 } else { INDENTATION };
        out.push_str(&brackets[..1]);
        let mut must_end_line = !is_hanging;
        for (index, (key, item)) in items.iter().enumerate() {
            let width = key.width() + on_one_line(item).width();
            let fits_own_line = inner + width <= limit || !is_container(item);
            if index > 0 {
                out.push(',');
                let fits = !is_row(item) && !must_end_line && fits_own_line && column(out) + 1 + width <= limit;
                out.push_str(&if fits { " ".to_owned() } else { new_line(inner) });
            } else if must_end_line {
                out.push_str(&new_line(inner));
            }
            out.push_str(key);
            print_recursively(item, limit, inner, out);
            must_end_line = is_row(item) || !fits_own_line && on_one_line(item).len() > 2;
        }
        out.push_str(&if is_hanging { String::new() } else { new_line(start) });
        out.push_str(&brackets[1..]);
    }

    #[test]
    fn keeps_on_a_line_what_fits() {
        let raw = r#"[{"capability": "xbzrle", "state": false}, {"capability": "events", "state": true}]"#;
        assert_eq!(fitted(raw, 200), raw);
        assert_eq!(fitted(raw, 60), raw.replace("}, {", "},\n {"));
        assert_eq!(fitted(r#"{"a":{"b":[1.50,{}, [ ]]}}"#, 80), r#"{"a": {"b": [1.50, {}, []]}}"#);
        assert_eq!(fitted("18446744073709551615", 3), "18446744073709551615");
    }

    #[test]
    fn members_fill_lines_and_objects_in_arrays_do_not() {
        let cpu =
            r#"{"thread-id": 9515, "props": {"core-id": 0, "socket-id": 0}, "path": "/machine/unattached/device[0]"}"#;
        expect![[r#"
            [{
               "thread-id": 9515, "props": {"core-id": 0, "socket-id": 0},
               "path": "/machine/unattached/device[0]"
             },
             {
               "thread-id": 9515, "props": {"core-id": 0, "socket-id": 0},
               "path": "/machine/unattached/device[0]"
             }]"#]]
        .assert_eq(&fitted(&format!("[{cpu}, {cpu}]"), 64));
        let numbers: Vec<String> = (0..30).map(|number| number.to_string()).collect();
        expect![[r#"
            {
              "cpus": [{"n": 1}, {"n": 2}],
              "n": [
                0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
                11, 12, 13, 14, 15, 16, 17, 18, 19,
                20, 21, 22, 23, 24, 25, 26, 27, 28,
                29
              ]
            }"#]]
        .assert_eq(&fitted(&format!("{{\"cpus\": [{{\"n\": 1}}, {{\"n\": 2}}], \"n\": [{}]}}", numbers.join(",")), 41));
    }

    #[test]
    fn long_strings_and_deep_nesting_are_printed() {
        let long = "x".repeat(3 * CHUNK_BYTES);
        let shown = fitted(&format!("{{\"a\":[\"{long}\",1],\"b\":2}}"), 80);
        assert_eq!(shown, format!("{{\n  \"a\": [\n    \"{long}\",\n    1\n  ],\n  \"b\": 2\n}}"));
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(fitted(&deep, 80).matches('[').count(), 100_000);
        let many = format!("[{}0]", "{\"a\": \"b\"}, ".repeat(100_000));
        assert_eq!(fitted(&many, 80).lines().count(), 100_001);
    }

    #[test]
    fn colours_take_no_columns() {
        let raw = r#"{"key": ["string", -1, null]}"#;
        let mut out = Vec::new();
        write_fitted(raw, raw.len() + FREE_COLUMNS, &Palette::new(true), true, &mut out).unwrap();
        let colored = String::from_utf8(out).unwrap();
        assert!(!colored.contains('\n') && colored.contains("\u{1b}[35m-1\u{1b}[0m"), "{colored}");
    }

    proptest! {
        #[test]
        fn is_what_the_definition_says(value in json("[a-z{\"]{0,6}"), columns in 1usize..100) {
            let mut expected = String::new();
            print_recursively(&value, columns.saturating_sub(FREE_COLUMNS), 0, &mut expected);
            let shown = fitted(&value.to_string(), columns);
            prop_assert_eq!(&shown, &expected);
            prop_assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
            prop_assert!(!shown.ends_with('\n'));
        }
    }
}
