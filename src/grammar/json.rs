//! A reader of JSON as people paste it: single quotes, Python's `True`, `False` and `None`, trailing commas, comments
//! and hexadecimal integers are taken too; what comes out is strict JSON with numbers and strings spelled as they were.

use std::collections::HashSet;

use crate::wire::quote;

use super::diagnostic::{Diagnostic, Span};
use super::number::number_by_form;

/// The deepest nesting that QEMU itself accepts, the request's own braces counted in.
pub const DEPTH: usize = 1024;

/// A JSON value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: JsonKind,
}

/// What a JSON value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonKind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as strict JSON spells it.
    Number(String),
    /// A string as strict JSON spells it, with its quotes.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, members in order.
    Object(Vec<Member>),
}

/// One member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The key, unquoted.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Json,
}

impl Json {
    /// A string value at `span`.
    pub fn string(span: Span, text: &str) -> Self {
        Json { span, kind: JsonKind::String(quote(text)) }
    }

    /// The text of a string value, unquoted.
    pub fn as_str(&self) -> Option<String> {
        match &self.kind {
            JsonKind::String(raw) => serde_json::from_str(raw).ok(),
            _ => None,
        }
    }

    /// What to call it in a message.
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

/// Reads the one JSON value that `text[from..]` begins with; returns it and the place behind it.
pub fn parse_json(text: &str, from: usize) -> Result<(Json, usize), Diagnostic> {
    let mut reader = Reader { text, at: from };
    reader.skip_blank()?;
    let value = reader.value()?;
    Ok((value, reader.at))
}

/// What is said of JSON nested more than [`DEPTH`] levels deep.
pub fn too_deep() -> String {
    format!("nested more than {DEPTH} levels deep")
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// An array or object that is not closed yet.
enum Container {
    Array { open: usize, items: Vec<Json> },
    Object { open: usize, members: Vec<Member>, seen: HashSet<String>, key: Option<(String, Span)> },
}

impl Container {
    fn new(bracket: char, open: usize) -> Self {
        match bracket {
            '[' => Container::Array { open, items: Vec::new() },
            _ => Container::Object { open, members: Vec::new(), seen: HashSet::new(), key: None },
        }
    }

    fn is_array(&self) -> bool {
        matches!(self, Container::Array { .. })
    }

    fn closing(&self) -> char {
        if self.is_array() { ']' } else { '}' }
    }

    /// What may stand behind an item.
    fn between(&self) -> &'static str {
        if self.is_array() { "`,` or `]`" } else { "`,` or `}`" }
    }

    fn put(&mut self, value: Json) {
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

    fn not_closed<T>(&self) -> Result<T, Diagnostic> {
        let (open, bracket) = match self {
            Container::Array { open, .. } => (*open, '['),
            Container::Object { open, .. } => (*open, '{'),
        };
        Err(Diagnostic::new(Span::new(open, open + 1), format!("this `{bracket}` is not closed")))
    }
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    fn fault<T>(&self, span: Span, message: impl Into<String>) -> Result<T, Diagnostic> {
        Err(Diagnostic::new(span, message))
    }

    /// Points at the character that stands here, and says what should.
    fn expected<T>(&self, what: &str) -> Result<T, Diagnostic> {
        match self.peek() {
            None => self.fault(Span::at(self.text.len()), format!("the JSON ends here; expected {what}")),
            Some(c) => {
                let span = Span::new(self.at, self.at + c.len_utf8());
                self.fault(span, format!("expected {what} here"))
            }
        }
    }

    fn skip_blank(&mut self) -> Result<(), Diagnostic> {
        loop {
            let rest = &self.text[self.at..];
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with('#') || trimmed.starts_with("//") {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if let Some(inside) = trimmed.strip_prefix("/*") {
                match inside.find("*/") {
                    Some(end) => self.at += "/*".len() + end + "*/".len(),
                    None => return self.fault(Span::new(self.at, self.at + 2), "this comment is not closed"),
                }
            } else {
                return Ok(());
            }
        }
    }

    /// One value, nested as deep as it may be: containers wait on a stack of their own, so depth costs no call stack.
    fn value(&mut self) -> Result<Json, Diagnostic> {
        let mut waiting: Vec<Container> = Vec::new();
        loop {
            let start = self.at;
            let kind = match self.peek() {
                Some(c @ ('{' | '[')) => {
                    if waiting.len() == DEPTH {
                        return self.fault(Span::new(start, start + 1), too_deep());
                    }
                    self.at += 1;
                    waiting.push(Container::new(c, start));
                    None
                }
                Some(quote @ ('"' | '\'')) => Some(JsonKind::String(self.string(quote)?)),
                Some(c) if c == '-' || c == '+' || c == '.' || c.is_ascii_digit() => {
                    Some(JsonKind::Number(self.number()?))
                }
                Some(c) if c.is_alphabetic() || c == '_' => Some(self.name()?),
                _ => match waiting.last() {
                    Some(container) if self.peek().is_none() && container.is_array() => return container.not_closed(),
                    _ => return self.expected("a JSON value"),
                },
            };
            let mut done = kind.map(|kind| Json { span: Span::new(start, self.at), kind });
            // Give what is done to the container around it, which may thereby be done itself.
            loop {
                let Some(container) = waiting.last_mut() else {
                    match done {
                        Some(json) => return Ok(json),
                        None => break,
                    }
                };
                let first = done.is_none();
                if let Some(json) = done.take() {
                    container.put(json);
                }
                self.skip_blank()?;
                let comma = !first && self.take(',');
                self.skip_blank()?;
                if self.take(container.closing()) {
                    done = waiting.pop().map(|container| container.into_json(self.at));
                    continue;
                }
                if self.peek().is_none() {
                    return container.not_closed();
                }
                if !first && !comma {
                    return self.expected(container.between());
                }
                if let Container::Object { members, seen, key, .. } = container {
                    *key = Some(self.key(members, seen)?);
                }
                break;
            }
        }
    }

    /// A member's key and its colon.
    fn key(&mut self, members: &[Member], seen: &mut HashSet<String>) -> Result<(String, Span), Diagnostic> {
        let start = self.at;
        let raw = match self.peek() {
            Some(quote @ ('"' | '\'')) => self.string(quote)?,
            _ => return self.expected("a quoted key or `}`"),
        };
        let span = Span::new(start, self.at);
        let key: String = serde_json::from_str(&raw)
            .map_err(|error| Diagnostic::new(span, format!("not a valid string: {error}")))?;
        // Small objects are searched as they are; a set is built only where it pays.
        let given = if members.len() < 16 {
            members.iter().any(|member| member.key == key)
        } else {
            if seen.is_empty() {
                seen.extend(members.iter().map(|member| member.key.clone()));
            }
            !seen.insert(key.clone())
        };
        if given {
            return self.fault(span, format!("key `{key}` is given twice"));
        }
        self.skip_blank()?;
        if !self.take(':') {
            return self.expected("`:`");
        }
        self.skip_blank()?;
        Ok((key, span))
    }

    /// A string in either quote, as strict JSON.
    fn string(&mut self, quote: char) -> Result<String, Diagnostic> {
        let open = self.at;
        self.at += 1;
        let mut raw = String::from("\"");
        loop {
            let Some(c) = self.peek() else {
                return self.fault(Span::new(open, open + 1), "this string is not closed");
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
                            return self.fault(span, format!("`\\{escaped}` is no escape of JSON"));
                        }
                    }
                }
                c if u32::from(c) < 0x20 => {
                    return self.fault(here, "a control character must be escaped inside a string");
                }
                c => raw.push(c),
            }
        }
        raw.push('"');
        if raw.contains("\\u") && serde_json::from_str::<String>(&raw).is_err() {
            return self.fault(Span::new(open, self.at), "this string holds a `\\u` escape that is no character");
        }
        Ok(raw)
    }

    fn number(&mut self) -> Result<String, Diagnostic> {
        let rest = &self.text[self.at..];
        let len = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_')))
            .unwrap_or(rest.len());
        let span = Span::new(self.at, self.at + len);
        self.at = span.end;
        match number_by_form(&rest[..len]) {
            Ok(Some(number)) => Ok(number),
            Ok(None) => self.fault(span, format!("`{}` is no number of JSON", &rest[..len])),
            Err(message) => self.fault(span, message),
        }
    }

    fn name(&mut self) -> Result<JsonKind, Diagnostic> {
        let rest = &self.text[self.at..];
        let len = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let span = Span::new(self.at, self.at + len);
        self.at = span.end;
        match &rest[..len] {
            "null" | "None" => Ok(JsonKind::Null),
            "true" | "True" => Ok(JsonKind::Bool(true)),
            "false" | "False" => Ok(JsonKind::Bool(false)),
            other => self.fault(span, format!("`{other}` is no JSON value; a string needs quotes")),
        }
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
                let members = members.iter().map(|m| format!("{}:{}", quote(&m.key), strict(&m.value)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
        }
    }

    #[test]
    fn what_people_paste_is_taken() {
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
        ] {
            let (json, end) = parse_json(text, 0).unwrap();
            assert_eq!((strict(&json).as_str(), end), (expected, text.len()), "{text}");
        }
    }

    #[test]
    fn faults_point_at_their_place() {
        for (text, at, message) in [
            ("{\"a\" 1}", 5, "expected `:` here"),
            ("{\"a\": 1 \"b\": 2}", 8, "expected `,` or `}` here"),
            ("{a: 1}", 1, "expected a quoted key or `}` here"),
            ("{\"a\": 1, \"a\": 2}", 9, "key `a` is given twice"),
            ("[1, 2", 0, "this `[` is not closed"),
            ("{\"a\": ", 6, "the JSON ends here; expected a JSON value"),
            ("[nan]", 1, "`nan` is no JSON value; a string needs quotes"),
            ("[007]", 1, "`007` is no number of JSON"),
            ("[18446744073709551616]", 1, "integer `18446744073709551616` does not fit in 64 bits"),
            (r#"["\x"]"#, 2, "`\\x` is no escape of JSON"),
            (r#"["\ud800"]"#, 1, "this string holds a `\\u` escape that is no character"),
        ] {
            let fault = parse_json(text, 0).unwrap_err();
            assert_eq!((fault.span.start, fault.message.as_str()), (at, message), "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let text = "[".repeat(100_000);
        assert_eq!(parse_json(&text, 0).unwrap_err().message, "nested more than 1024 levels deep");
    }
}
