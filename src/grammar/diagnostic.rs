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
    /// The correction of the line, if only one seems right. Diagnostics are returned through deep recursion, so it takes no
    /// room in them.
    pub correction: Option<Box<Correction>>,
}

/// The text that puts a line right in place of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    pub span: Span,
    pub text: String,
}

impl Diagnostic {
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Diagnostic { span, message: message.into(), wants_more: false, correction: None }
    }

    /// Adds the text that puts the line right in place of the span.
    pub fn with_replacement(self, text: Option<impl Into<String>>) -> Self {
        let correction = text.map(|text| Box::new(Correction { span: self.span, text: text.into() }));
        Diagnostic { correction, ..self }
    }

    /// Returns the line with the correction, if there is one.
    pub fn corrected(&self, line: &str) -> Option<String> {
        let Correction { span, text } = self.correction.as_deref()?;
        Some(format!("{}{text}{}", line.get(..span.start)?, line.get(span.end..)?))
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
