//! Assertions about spans: inside the text, on character boundaries, in order.

use qmp_shell::grammar::{Diagnostic, Span};

/// Asserts that a span is in `text`, on character boundaries.
pub fn inside(text: &str, span: Span) {
    assert!(span.start <= span.end, "{span:?} ends before it starts");
    assert!(text.get(span.range()).is_some(), "{span:?} is not in the {} bytes of the line", text.len());
}

/// Asserts that a diagnostic has a span in `text`, and a message.
pub fn diagnostic(text: &str, diagnostic: &Diagnostic) {
    inside(text, diagnostic.span);
    assert!(!diagnostic.message.is_empty(), "a diagnostic without a message");
}

/// Asserts that spans are in order and do not overlap.
pub fn in_order(spans: impl Iterator<Item = Span>) {
    let mut end = 0;
    for span in spans {
        assert!(span.start >= end, "{span:?} begins before {end}");
        end = span.end;
    }
}
