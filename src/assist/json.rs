//! Where a cursor stands in JSON that is still being written.

use crate::grammar::{Json, JsonKind, MAX_DEPTH, Span, parse_json};
use crate::schema::PartialArguments;

/// The place of the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum JsonCursor {
    /// A key of the object at this path is being written.
    Key(Vec<String>),
    /// The value at this path is being written.
    Value(Vec<String>),
    /// Punctuation comes next.
    Between,
}

/// Unfinished JSON, read up to the cursor.
#[derive(Debug)]
pub(super) struct PartialJson {
    /// What is written before the cursor.
    pub(super) given: PartialArguments,
    /// Where the cursor stands.
    pub(super) spot: JsonCursor,
    /// Where the text being written begins, its quote included; the cursor's own place where nothing is.
    pub(super) start: usize,
    /// That text without its quote.
    pub(super) typed: String,
    /// The quote that opens it, if any.
    pub(super) quote: Option<char>,
}

/// A container around the cursor.
struct Level {
    array: bool,
    /// The key or index at which the next value stands.
    at: String,
    next_index: usize,
    /// In an object: whether a key comes next.
    key_next: bool,
    /// What it holds so far.
    given: PartialArguments,
}

/// Reads the JSON that begins at `text[from..]` and breaks off at its end.
pub(super) fn read(text: &str, from: usize) -> PartialJson {
    let mut reader = Reader { levels: Vec::new(), given: PartialArguments::default(), done: false };
    let mut at = from;
    while let Some(c) = text[at..].chars().next() {
        match c {
            // Nothing so deep would be sent.
            '{' | '[' if reader.levels.len() >= MAX_DEPTH => return reader.nowhere(text.len()),
            '{' | '[' => reader.open(c == '['),
            '}' | ']' => reader.close(),
            ',' => reader.comma(),
            ':' => reader.colon(),
            '"' | '\'' => match string_end(text, at, c) {
                Some(end) => {
                    reader.string(text, at, end);
                    at = end;
                    continue;
                }
                None => {
                    let typed = text[at + 1..].to_owned();
                    return reader.finish(at, typed, Some(c));
                }
            },
            c if c.is_whitespace() => {}
            '#' | '/' => match comment_end(text, at) {
                Some(end) => {
                    at = end;
                    continue;
                }
                None => return reader.nowhere(text.len()),
            },
            _ => {
                let end = at + text[at..].find([',', '}', ']', ' ', '\n', '\t', ':']).unwrap_or(text.len() - at);
                if end == text.len() {
                    return reader.finish(at, text[at..].to_owned(), None);
                }
                reader.scalar(text, at, end);
                at = end;
                continue;
            }
        }
        at += c.len_utf8();
    }
    reader.finish(text.len(), String::new(), None)
}

/// One past the closing quote.
fn string_end(text: &str, at: usize, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (offset, c) in text[at + 1..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at + 1 + offset + 1),
            _ => {}
        }
    }
    None
}

/// Where the comment that begins here ends.
fn comment_end(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    match rest.strip_prefix("/*") {
        Some(inside) => inside.find("*/").map(|end| at + 2 + end + 2),
        None => rest.find('\n').map(|end| at + end),
    }
}

struct Reader {
    levels: Vec<Level>,
    /// What the outermost container held, once it is closed.
    given: PartialArguments,
    /// A value has just ended; punctuation comes next.
    done: bool,
}

impl Reader {
    fn path(&self) -> Vec<String> {
        self.levels.iter().map(|level| level.at.clone()).collect()
    }

    fn open(&mut self, array: bool) {
        let at = if array { "0" } else { "" };
        self.levels.push(Level {
            array,
            at: at.to_owned(),
            next_index: 0,
            key_next: !array,
            given: PartialArguments::default(),
        });
        self.done = false;
    }

    fn close(&mut self) {
        if let Some(level) = self.levels.pop() {
            match self.levels.last_mut() {
                Some(around) => around.given.put_below(&around.at, level.given),
                None => self.given = level.given,
            }
        }
        self.done = true;
    }

    /// All that is given, in containers closed or not.
    fn into_given(mut self) -> PartialArguments {
        while !self.levels.is_empty() {
            self.close();
        }
        self.given
    }

    fn comma(&mut self) {
        self.done = false;
        if let Some(level) = self.levels.last_mut() {
            level.next_index += 1;
            if level.array {
                level.at = level.next_index.to_string();
            } else {
                level.key_next = true;
            }
        }
    }

    fn colon(&mut self) {
        self.done = false;
        if let Some(level) = self.levels.last_mut() {
            level.key_next = false;
        }
    }

    fn string(&mut self, text: &str, at: usize, end: usize) {
        let json = parse_json(&text[..end], at).map(|(json, _)| json).ok();
        match self.levels.last_mut() {
            Some(level) if level.key_next => {
                level.at = json.and_then(|json| json.as_str()).unwrap_or_default();
                self.done = true;
            }
            _ => self.value(json),
        }
    }

    fn scalar(&mut self, text: &str, at: usize, end: usize) {
        let json = parse_json(&text[..end], at).map(|(json, _)| json);
        self.value(json.ok());
    }

    fn value(&mut self, json: Option<Json>) {
        let nothing = Json { span: Span::default(), kind: JsonKind::Null };
        if let Some(level) = self.levels.last_mut() {
            level.given.put(&level.at, json.unwrap_or(nothing));
        }
        self.done = true;
    }

    /// The cursor stands where nothing can be offered.
    fn nowhere(self, start: usize) -> PartialJson {
        PartialJson { given: self.into_given(), spot: JsonCursor::Between, start, typed: String::new(), quote: None }
    }

    fn finish(self, start: usize, typed: String, quote: Option<char>) -> PartialJson {
        let path = self.path();
        let spot = match self.levels.last() {
            _ if self.done => JsonCursor::Between,
            None => JsonCursor::Between,
            Some(level) if level.key_next => JsonCursor::Key(path[..path.len() - 1].to_vec()),
            Some(_) => JsonCursor::Value(path),
        };
        PartialJson { given: self.into_given(), spot, start, typed, quote }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_is_found_wherever_it_stands() {
        let path =
            |text: &str| -> Vec<String> { text.split('.').filter(|p| !p.is_empty()).map(str::to_owned).collect() };
        for (text, spot, start, typed) in [
            ("{", JsonCursor::Key(path("")), 1, ""),
            ("{\"ex", JsonCursor::Key(path("")), 1, "ex"),
            ("{\"execute\"", JsonCursor::Between, 10, ""),
            ("{\"execute\": ", JsonCursor::Value(path("execute")), 12, ""),
            ("{\"execute\": \"qu", JsonCursor::Value(path("execute")), 12, "qu"),
            ("{\"a\": 1, 'b': {'c': tr", JsonCursor::Value(path("b.c")), 20, "tr"),
            ("{\"a\": {\"b\": 1}, ", JsonCursor::Key(path("")), 16, ""),
            ("{\"a\": [{\"x\": 1}, {\"", JsonCursor::Key(path("a.1")), 18, ""),
            ("{\"a\": [1, ", JsonCursor::Value(path("a.1")), 10, ""),
            ("{\"a\": 1}", JsonCursor::Between, 8, ""),
        ] {
            let found = read(text, 0);
            assert_eq!((found.spot, found.start, found.typed.as_str()), (spot, start, typed), "{text}");
        }
        let found = read("{\"driver\": \"qcow2\", \"file\": {\"driver\": \"file\", ", 0);
        assert_eq!(found.given.text_at(&["driver"]).as_deref(), Some("qcow2"));
        assert_eq!(found.given.text_at(&["file", "driver"]).as_deref(), Some("file"));
    }
}
