//! Places in a text: inside it, on whole characters, in order.

use qmp_shell::grammar::{Diagnostic, Span};

/// A span lies in `text` and cuts no character.
pub fn inside(text: &str, span: Span) {
    assert!(span.start <= span.end, "{span:?} is inside out");
    assert!(text.get(span.range()).is_some(), "{span:?} is not in the {} bytes of the line", text.len());
}

/// A fault has a place in `text`, and words that can be shown on one line.
pub fn fault(text: &str, fault: &Diagnostic) {
    inside(text, fault.span);
    assert!(!fault.message.is_empty(), "a fault without words");
}

/// Spans follow each other without touching back.
pub fn in_order(spans: impl Iterator<Item = Span>) {
    let mut end = 0;
    for span in spans {
        assert!(span.start >= end, "{span:?} begins before {end}");
        end = span.end;
    }
}
