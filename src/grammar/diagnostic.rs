//! Errors in a line: spans and diagnostics.

use std::fmt;
use std::ops::Range;

/// A range of bytes in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub start: usize,
    /// The index after the last byte.
    pub end: usize,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Self {
        Span { start, end }
    }

    /// Creates an empty span.
    pub fn at(index: usize) -> Self {
        Span { start: index, end: index }
    }

    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// An error or warning about a line, with its span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub span: Span,
    /// In lower case and without a full stop.
    pub message: String,
    /// Whether more text at the end of the line can put it right.
    pub wants_more: bool,
}

impl Diagnostic {
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Diagnostic { span, message: message.into(), wants_more: false }
    }

    /// Creates a diagnostic about something that is missing, and may still follow.
    pub fn unfinished(span: Span, message: impl Into<String>) -> Self {
        Diagnostic { wants_more: true, ..Diagnostic::new(span, message) }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}
