//! The word or the JSON string being typed, and how what is offered goes on from it: in the quotes that are open.

use crate::grammar::Unclosed;

use super::json::PartialJson;

/// The word being typed: where what a candidate replaces begins, that text as it stands in the line, and as it is meant.
pub(super) struct CurrentWord<'a> {
    pub(super) start: usize,
    pub(super) raw: &'a str,
    pub(super) text: &'a str,
    pub(super) open: Option<Unclosed>,
}

impl CurrentWord<'_> {
    /// The word with `rest` behind what is typed, in the quotes that are open, which are closed unless more may come.
    pub(super) fn with(&self, rest: &str, close: bool) -> String {
        let mut out = self.raw.to_owned();
        for c in rest.chars() {
            match (self.open, c) {
                (Some(Unclosed::Single), '\'') => out.push_str("'\\'"),
                (Some(Unclosed::Double), '"' | '\\' | '$' | '`') | (None, '\'' | '"' | '\\') => out.push('\\'),
                (None, c) if c.is_whitespace() => out.push('\\'),
                // At the start of a value, these begin JSON.
                (None, '{' | '[') if out.is_empty() => out.push('\\'),
                _ => {}
            }
            out.push(c);
        }
        match self.open {
            Some(Unclosed::Single) if close => out.push('\''),
            Some(Unclosed::Double) if close => out.push('"'),
            _ => {}
        }
        out
    }
}

/// How a value is written.
pub(super) enum Quoting<'a> {
    /// As a word.
    Word(CurrentWord<'a>),
    /// As JSON, strings in this quote.
    Json { start: usize, typed: &'a str, quote: Option<char> },
}

impl<'a> Quoting<'a> {
    pub(super) fn of(unfinished: &'a PartialJson) -> Quoting<'a> {
        Quoting::Json { start: unfinished.start, typed: &unfinished.typed, quote: unfinished.quote }
    }

    pub(super) fn typed(&self) -> &'a str {
        match self {
            Quoting::Word(typed) => typed.text,
            Quoting::Json { typed, .. } => typed,
        }
    }

    pub(super) fn start(&self) -> usize {
        match self {
            Quoting::Word(typed) => typed.start,
            Quoting::Json { start, .. } => *start,
        }
    }

    /// A string, if it begins with what is typed.
    pub(super) fn string(&self, text: &str) -> Option<String> {
        let rest = text.strip_prefix(self.typed())?;
        let ends = !text.ends_with('/');
        Some(match self {
            Quoting::Word(typed) => typed.with(rest, ends),
            Quoting::Json { quote, .. } => {
                let quote = quote.unwrap_or('"');
                let mut out = String::from(quote);
                for c in text.chars() {
                    if c == quote || c == '\\' {
                        out.push('\\');
                    }
                    out.push(c);
                }
                if ends {
                    out.push(quote);
                }
                out
            }
        })
    }

    /// A number or word of JSON's own, if it begins with what is typed and no quote does.
    pub(super) fn literal(&self, text: &str) -> Option<String> {
        match self {
            Quoting::Word(_) => self.string(text),
            Quoting::Json { typed, quote: None, .. } if text.starts_with(typed) => Some(text.to_owned()),
            Quoting::Json { .. } => None,
        }
    }
}
