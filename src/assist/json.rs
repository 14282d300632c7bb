//! The cursor's position in incomplete JSON.

use crate::grammar::{Json, JsonKind, MAX_DEPTH, Span, comment_end, parse_json, string_end};
use crate::schema::PartialArguments;

/// The part of the JSON text at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum JsonCursor {
    /// A key of the object at this path.
    Key(Vec<String>),
    /// The value at this path.
    Value(Vec<String>),
    /// Nothing that can be completed: punctuation comes next.
    Between,
}

/// Incomplete JSON, read up to the cursor.
#[derive(Debug)]
pub(super) struct PartialJson {
    /// The values before the cursor.
    pub(super) given: PartialArguments,
    pub(super) cursor: JsonCursor,
    /// The byte offset of the text being written, with its quote. If there is none, the offset of the cursor.
    pub(super) start: usize,
    /// The same text without its quote.
    pub(super) typed: String,
    /// The quote that opens that text.
    pub(super) quote: Option<char>,
}

/// An array or object around the cursor.
struct Level {
    is_array: bool,
    /// The key or index of the next value.
    key: String,
    next_index: usize,
    /// Whether a key comes next. Always false in an array.
    is_key_next: bool,
    /// The values so far.
    given: PartialArguments,
}

/// Reads the incomplete JSON that begins at byte `start` of `text`.
pub(super) fn read_partial_json(text: &str, start: usize) -> PartialJson {
    let mut reader = Reader { levels: Vec::new(), given: PartialArguments::default(), after_value: false };
    let mut at = start;
    while let Some(c) = text[at..].chars().next() {
        match c {
            // A request nested as deep as this would not be sent.
            '{' | '[' if reader.levels.len() >= MAX_DEPTH => return reader.finish_between(text.len()),
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
                None => return reader.finish_between(text.len()),
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

struct Reader {
    levels: Vec<Level>,
    /// The values of the outermost container, once it is closed.
    given: PartialArguments,
    /// Whether a value has just ended, so that punctuation comes next.
    after_value: bool,
}

impl Reader {
    fn path(&self) -> Vec<String> {
        self.levels.iter().map(|level| level.key.clone()).collect()
    }

    fn open(&mut self, is_array: bool) {
        let key = if is_array { "0" } else { "" };
        self.levels.push(Level {
            is_array,
            key: key.to_owned(),
            next_index: 0,
            is_key_next: !is_array,
            given: PartialArguments::default(),
        });
        self.after_value = false;
    }

    fn close(&mut self) {
        if let Some(level) = self.levels.pop() {
            match self.levels.last_mut() {
                Some(parent) => parent.given.set_branch(&parent.key, level.given),
                None => self.given = level.given,
            }
        }
        self.after_value = true;
    }

    /// Returns all values, including those in unclosed containers.
    fn into_given(mut self) -> PartialArguments {
        while !self.levels.is_empty() {
            self.close();
        }
        self.given
    }

    fn comma(&mut self) {
        self.after_value = false;
        if let Some(level) = self.levels.last_mut() {
            level.next_index += 1;
            if level.is_array {
                level.key = level.next_index.to_string();
            } else {
                level.is_key_next = true;
            }
        }
    }

    fn colon(&mut self) {
        self.after_value = false;
        if let Some(level) = self.levels.last_mut() {
            level.is_key_next = false;
        }
    }

    fn string(&mut self, text: &str, at: usize, end: usize) {
        let json = parse_json(&text[..end], at).map(|(json, _)| json).ok();
        match self.levels.last_mut() {
            Some(level) if level.is_key_next => {
                level.key = json.and_then(|json| json.as_str()).unwrap_or_default();
                self.after_value = true;
            }
            _ => self.value(json),
        }
    }

    fn scalar(&mut self, text: &str, at: usize, end: usize) {
        let json = parse_json(&text[..end], at).map(|(json, _)| json);
        self.value(json.ok());
    }

    fn value(&mut self, json: Option<Json>) {
        let null = Json { span: Span::default(), kind: JsonKind::Null };
        if let Some(level) = self.levels.last_mut() {
            level.given.set_json(&level.key, json.unwrap_or(null));
        }
        self.after_value = true;
    }

    /// Finishes at a position where nothing can be completed.
    fn finish_between(self, start: usize) -> PartialJson {
        PartialJson { given: self.into_given(), cursor: JsonCursor::Between, start, typed: String::new(), quote: None }
    }

    fn finish(self, start: usize, typed: String, quote: Option<char>) -> PartialJson {
        let path = self.path();
        let cursor = match self.levels.last() {
            _ if self.after_value => JsonCursor::Between,
            None => JsonCursor::Between,
            Some(level) if level.is_key_next => JsonCursor::Key(path[..path.len() - 1].to_vec()),
            Some(_) => JsonCursor::Value(path),
        };
        PartialJson { given: self.into_given(), cursor, start, typed, quote }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_being_written() {
        let path = |text: &str| -> Vec<String> {
            text.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        for (text, cursor, start, typed) in [
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
            let found = read_partial_json(text, 0);
            assert_eq!((found.cursor, found.start, found.typed.as_str()), (cursor, start, typed), "{text}");
        }
        let found = read_partial_json("{\"driver\": \"qcow2\", \"file\": {\"driver\": \"file\", ", 0);
        assert_eq!(found.given.text_at(&["driver"]).as_deref(), Some("qcow2"));
        assert_eq!(found.given.text_at(&["file", "driver"]).as_deref(), Some("file"));
    }
}
