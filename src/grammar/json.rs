//! A lenient JSON parser for pasted text.
//!
//! It also accepts single quotes, Python's `True`, `False` and `None`, trailing commas, comments and hexadecimal integers.
//! The values keep the spelling of numbers and strings as far as strict JSON allows it.

use std::collections::HashSet;

use crate::wire::quote;

use super::diagnostic::{Diagnostic, Span};
use super::number::parse_number;
use super::scan::{is_blank, is_curly_quote};

/// The maximum nesting depth that QEMU accepts, including the braces of the request.
pub const MAX_DEPTH: usize = 1024;

/// A JSON value with its span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json {
    pub span: Span,
    pub kind: JsonKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonKind {
    Null,
    Bool(bool),
    /// As strict JSON.
    Number(String),
    /// As strict JSON, with its quotes.
    String(String),
    Array(Vec<Json>),
    /// Members in order.
    Object(Vec<Member>),
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Unquoted.
    pub key: String,
    pub key_span: Span,
    pub value: Json,
}

impl Json {
    /// Creates a string value.
    pub fn string(span: Span, text: &str) -> Self {
        Json { span, kind: JsonKind::String(quote(text)) }
    }

    /// Returns the text of a string value, unquoted.
    pub fn as_str(&self) -> Option<String> {
        match &self.kind {
            JsonKind::String(raw) => serde_json::from_str(raw).ok(),
            _ => None,
        }
    }

    /// Returns the name of its type for messages, with an article.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            JsonKind::Null => "null",
            JsonKind::Bool(_) => "a boolean",
            JsonKind::Number(_) => "a number",
            JsonKind::String(_) => "a string",
            JsonKind::Array(_) => "an array",
            JsonKind::Object(_) => "an object",
        }
    }
}

/// Parses the JSON value at the beginning of `text[from..]`. Returns it and the index after it.
pub fn parse_json(text: &str, from: usize) -> Result<(Json, usize), Diagnostic> {
    let mut parser = Parser { text, at: from };
    parser.skip_whitespace()?;
    let value = parser.parse_value()?;
    Ok((value, parser.at))
}

/// The number of members up to which an object is searched for a duplicate key; for more, a set is built.
const MAX_UNINDEXED_MEMBERS: usize = 16;

/// Returns the error message for JSON that nests deeper than [`MAX_DEPTH`].
pub fn too_deep() -> String {
    format!("nested more than {MAX_DEPTH} levels deep")
}

struct Parser<'a> {
    text: &'a str,
    /// The index of the next character.
    at: usize,
}

/// An array or object that is not closed yet, and the index of its opening bracket.
enum Container {
    Array { open: usize, items: Vec<Json> },
    Object { open: usize, members: Vec<Member>, known_keys: HashSet<String>, key: Option<(String, Span)> },
}

impl Container {
    fn new(bracket: char, open: usize) -> Self {
        match bracket {
            '[' => Container::Array { open, items: Vec::new() },
            _ => Container::Object { open, members: Vec::new(), known_keys: HashSet::new(), key: None },
        }
    }

    fn is_array(&self) -> bool {
        matches!(self, Container::Array { .. })
    }

    fn closing(&self) -> char {
        if self.is_array() { ']' } else { '}' }
    }

    /// Returns the tokens that are expected after an item.
    fn expected_after_item(&self) -> &'static str {
        if self.is_array() { "`,` or `]`" } else { "`,` or `}`" }
    }

    fn push(&mut self, value: Json) {
        match self {
            Container::Array { items, .. } => items.push(value),
            Container::Object { members, key, .. } => {
                if let Some((key, key_span)) = key.take() {
                    members.push(Member { key, key_span, value });
                }
            }
        }
    }

    fn into_json(self, end: usize) -> Json {
        match self {
            Container::Array { open, items } => Json { span: Span::new(open, end), kind: JsonKind::Array(items) },
            Container::Object { open, members, .. } => {
                Json { span: Span::new(open, end), kind: JsonKind::Object(members) }
            }
        }
    }

    fn unclosed<T>(&self) -> Result<T, Diagnostic> {
        let (open, bracket) = match self {
            Container::Array { open, .. } => (*open, '['),
            Container::Object { open, .. } => (*open, '{'),
        };
        Err(Diagnostic::new(Span::new(open, open + 1), format!("unclosed `{bracket}`")))
    }
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Skips the next character if it is `c`; returns whether it was.
    fn take(&mut self, c: char) -> bool {
        let is_next = self.peek() == Some(c);
        if is_next {
            self.at += c.len_utf8();
        }
        is_next
    }

    fn fail<T>(&self, span: Span, message: impl Into<String>) -> Result<T, Diagnostic> {
        Err(Diagnostic::new(span, message))
    }

    /// Reports that the next character is not what is expected.
    fn expected<T>(&self, what: &str) -> Result<T, Diagnostic> {
        match self.peek() {
            None => self.fail(Span::at(self.text.len()), format!("expected {what}, found the end of the input")),
            Some(c) => {
                let span = Span::new(self.at, self.at + c.len_utf8());
                let hint = if is_curly_quote(c) { "; quote with `\"` or `'`" } else { "" };
                self.fail(span, format!("expected {what}, found `{c}`{hint}"))
            }
        }
    }

    /// Skips whitespace and comments.
    fn skip_whitespace(&mut self) -> Result<(), Diagnostic> {
        loop {
            let rest = &self.text[self.at..];
            let trimmed = rest.trim_start_matches(is_blank);
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with('#') || trimmed.starts_with("//") {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if let Some(inside) = trimmed.strip_prefix("/*") {
                match inside.find("*/") {
                    Some(end) => self.at += "/*".len() + end + "*/".len(),
                    None => return self.fail(Span::new(self.at, self.at + 2), "unclosed comment"),
                }
            } else {
                return Ok(());
            }
        }
    }

    /// Parses one value. Open containers are kept in a vector, since deep nesting would overflow the call stack.
    fn parse_value(&mut self) -> Result<Json, Diagnostic> {
        let mut open: Vec<Container> = Vec::new();
        loop {
            let start = self.at;
            let kind = match self.peek() {
                Some(c @ ('{' | '[')) => {
                    if open.len() == MAX_DEPTH {
                        return self.fail(Span::new(start, start + 1), too_deep());
                    }
                    self.at += 1;
                    open.push(Container::new(c, start));
                    None
                }
                Some(quote @ ('"' | '\'')) => Some(JsonKind::String(self.parse_string(quote)?)),
                Some(c) if c == '-' || c == '+' || c == '.' || c.is_ascii_digit() => {
                    Some(JsonKind::Number(self.parse_number()?))
                }
                Some(c) if c.is_alphabetic() || c == '_' => Some(self.parse_literal()?),
                _ => match open.last() {
                    Some(container) if self.peek().is_none() && container.is_array() => return container.unclosed(),
                    _ => return self.expected("a JSON value"),
                },
            };
            let mut complete = kind.map(|kind| Json { span: Span::new(start, self.at), kind });
            // Add the complete value to its container, which may become complete in turn.
            loop {
                let Some(container) = open.last_mut() else {
                    match complete {
                        Some(json) => return Ok(json),
                        None => break,
                    }
                };
                let is_empty = complete.is_none();
                if let Some(json) = complete.take() {
                    container.push(json);
                }
                self.skip_whitespace()?;
                let has_comma = !is_empty && self.take(',');
                self.skip_whitespace()?;
                if self.take(container.closing()) {
                    complete = open.pop().map(|container| container.into_json(self.at));
                    continue;
                }
                if self.peek().is_none() {
                    return container.unclosed();
                }
                if !is_empty && !has_comma {
                    return self.expected(container.expected_after_item());
                }
                if let Container::Object { members, known_keys, key, .. } = container {
                    *key = Some(self.parse_key(members, known_keys)?);
                }
                break;
            }
        }
    }

    /// Parses a member's key and its colon.
    fn parse_key(
        &mut self,
        members: &[Member],
        known_keys: &mut HashSet<String>,
    ) -> Result<(String, Span), Diagnostic> {
        let start = self.at;
        let raw = match self.peek() {
            Some(quote @ ('"' | '\'')) => self.parse_string(quote)?,
            _ => return self.expected("a quoted key or `}`"),
        };
        let span = Span::new(start, self.at);
        let key: String = serde_json::from_str(&raw)
            .map_err(|error| Diagnostic::new(span, format!("invalid JSON string: {error}")))?;
        let is_duplicate = if members.len() < MAX_UNINDEXED_MEMBERS {
            members.iter().any(|member| member.key == key)
        } else {
            if known_keys.is_empty() {
                known_keys.extend(members.iter().map(|member| member.key.clone()));
            }
            !known_keys.insert(key.clone())
        };
        if is_duplicate {
            return self.fail(span, format!("duplicate key `{key}`"));
        }
        self.skip_whitespace()?;
        if !self.take(':') {
            return self.expected("`:`");
        }
        self.skip_whitespace()?;
        Ok((key, span))
    }

    /// Parses a string in either quote; returns it in strict JSON.
    fn parse_string(&mut self, quote: char) -> Result<String, Diagnostic> {
        let open = self.at;
        self.at += 1;
        let mut raw = String::from("\"");
        loop {
            let Some(c) = self.peek() else {
                return self.fail(Span::new(open, open + 1), "unclosed string");
            };
            let here = Span::new(self.at, self.at + c.len_utf8());
            self.at = here.end;
            match c {
                c if c == quote => break,
                '"' => raw.push_str("\\\""),
                '\\' => {
                    let Some(escaped) = self.peek() else { continue };
                    self.at += escaped.len_utf8();
                    match escaped {
                        '\'' => raw.push('\''),
                        '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' | 'u' => {
                            raw.push('\\');
                            raw.push(escaped);
                        }
                        _ => {
                            let span = Span::new(here.start, self.at);
                            return self.fail(span, format!("invalid JSON escape `\\{escaped}`"));
                        }
                    }
                }
                c if u32::from(c) < 0x20 => {
                    return self.fail(here, "control characters must be escaped in a string");
                }
                c => raw.push(c),
            }
        }
        raw.push('"');
        if raw.contains("\\u") && serde_json::from_str::<String>(&raw).is_err() {
            return self.fail(Span::new(open, self.at), "invalid `\\u` escape in this string");
        }
        Ok(raw)
    }

    fn parse_number(&mut self) -> Result<String, Diagnostic> {
        let rest = &self.text[self.at..];
        let len = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_')))
            .unwrap_or(rest.len());
        let span = Span::new(self.at, self.at + len);
        self.at = span.end;
        match parse_number(&rest[..len]) {
            Ok(Some(number)) => Ok(number),
            Ok(None) => self.fail(span, format!("`{}` is not a valid JSON number", &rest[..len])),
            Err(message) => self.fail(span, message),
        }
    }

    fn parse_literal(&mut self) -> Result<JsonKind, Diagnostic> {
        let rest = &self.text[self.at..];
        let len = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let span = Span::new(self.at, self.at + len);
        self.at = span.end;
        match &rest[..len] {
            "null" | "None" => Ok(JsonKind::Null),
            "true" | "True" => Ok(JsonKind::Bool(true)),
            "false" | "False" => Ok(JsonKind::Bool(false)),
            other => self.fail(span, format!("`{other}` is not a JSON value; strings must be quoted")),
        }
    }
}

/// Returns the offset after the string that `quote` opens at `at`; `None` if it is unclosed.
pub fn string_end(text: &str, at: usize, quote: char) -> Option<usize> {
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

/// Returns the offset after the comment that begins at `at`; `None` if the text ends in it.
pub fn comment_end(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    match rest.strip_prefix("/*") {
        Some(inside) => inside.find("*/").map(|end| at + 2 + end + 2),
        None => rest.find('\n').map(|end| at + end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict(json: &Json) -> String {
        match &json.kind {
            JsonKind::Null => "null".to_owned(),
            JsonKind::Bool(value) => value.to_string(),
            JsonKind::Number(raw) | JsonKind::String(raw) => raw.clone(),
            JsonKind::Array(items) => format!("[{}]", items.iter().map(strict).collect::<Vec<_>>().join(",")),
            JsonKind::Object(members) => {
                let members = members.iter().map(|member| format!("{}:{}", quote(&member.key), strict(&member.value)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
        }
    }

    #[test]
    fn accepts_pasted_json() {
        for (text, expected) in [
            ("{}", "{}"),
            ("{'a': True, 'b': None,}", r#"{"a":true,"b":null}"#),
            ("[1, 2,]", "[1,2]"),
            ("{\"a\": 1 # one\n, // two\n \"b\" /* three */ : 0x10}", r#"{"a":1,"b":16}"#),
            (r#"'it\'s "q" \n'"#, r#""it's \"q\" \n""#),
            (r#""\u00e9 \/""#, r#""\u00e9 \/""#),
            ("[/*/ one */ 1 /**/, 2]", "[1,2]"),
            ("18446744073709551615", "18446744073709551615"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("1.50e+3", "1.50e+3"),
            ("{\u{a0}\"a\u{200b}\":\u{200b} 1\u{3000},\u{feff}}", "{\"a\u{200b}\":1}"),
        ] {
            let (json, end) = parse_json(text, 0).unwrap();
            assert_eq!((strict(&json).as_str(), end), (expected, text.len()), "{text}");
        }
    }

    #[test]
    fn errors_point_at_their_span() {
        for (text, at, message) in [
            ("{\"a\" 1}", 5, "expected `:`, found `1`"),
            ("{\"a\": 1 \"b\": 2}", 8, "expected `,` or `}`, found `\"`"),
            ("{a: 1}", 1, "expected a quoted key or `}`, found `a`"),
            ("{“a”: 1}", 1, "expected a quoted key or `}`, found `“`; quote with `\"` or `'`"),
            ("{\"a\": 1, \"a\": 2}", 9, "duplicate key `a`"),
            ("[1, 2", 0, "unclosed `[`"),
            ("{\"a\": ", 6, "expected a JSON value, found the end of the input"),
            ("[nan]", 1, "`nan` is not a JSON value; strings must be quoted"),
            ("[007]", 1, "`007` is not a valid JSON number"),
            ("[18446744073709551616]", 1, "integer `18446744073709551616` does not fit in 64 bits"),
            (r#"["\x"]"#, 2, "invalid JSON escape `\\x`"),
            (r#"["\ud800"]"#, 1, "invalid `\\u` escape in this string"),
        ] {
            let diagnostic = parse_json(text, 0).unwrap_err();
            assert_eq!((diagnostic.span.start, diagnostic.message.as_str()), (at, message), "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let text = "[".repeat(100_000);
        assert_eq!(parse_json(&text, 0).unwrap_err().message, "nested more than 1024 levels deep");
    }
}
