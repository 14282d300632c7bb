//! Marks a span of a line with carets.

use unicode_width::UnicodeWidthChar;

use crate::grammar::Span;

use super::palette::Palette;
use super::sanitize::printable;

/// Returns the width of `text` in columns. A tab counts as one.
fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(1)).sum()
}

/// Returns a row of carets for `span` of a line that the user typed after a prompt of `indent` columns. `None` if the
/// line does not fit on one row of `columns`, or contains a tab, whose width only the terminal knows; an [`excerpt`]
/// can then be shown instead.
pub fn caret_under(line: &str, span: Span, indent: usize, columns: usize, palette: &Palette) -> Option<String> {
    if line.contains(['\n', '\t']) || indent + width(line) >= columns {
        return None;
    }
    let (before, marked) = split(line, span)?;
    Some(carets(indent + width(before), width(marked), palette))
}

/// Returns the part of the text around `span` as one line, and carets under it as another. Empty if `span` is not in the
/// text.
pub fn excerpt(text: &str, span: Span, columns: usize, palette: &Palette) -> String {
    const INDENT: usize = 2;
    let Some(before) = text.get(..span.start) else {
        return String::new();
    };
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let line = &text[start..end];
    let span = Span::new(span.start - start, span.end.saturating_sub(start).min(line.len()).max(span.start - start));
    let Some((before, marked)) = split(line, span) else {
        return String::new();
    };
    // Cut from the left until the span fits, then from the right.
    let max_width = columns.saturating_sub(INDENT + 8).max(20);
    let mut free = max_width - width(marked).min(max_width / 2);
    let mut from = before.len();
    for (at, c) in before.char_indices().rev() {
        match free.checked_sub(c.width().unwrap_or(1)) {
            Some(rest) => (free, from) = (rest, at),
            None => break,
        }
    }
    let head = if from > 0 { "…" } else { "" };
    let mut shown = String::new();
    let mut tail = "";
    for c in line[from..].chars() {
        if width(&shown) >= max_width {
            tail = "…";
            break;
        }
        shown.push(if c == '\t' { ' ' } else { c });
    }
    let column = INDENT + width(head) + width(&line[from..before.len()]);
    let marked = width(marked).min((INDENT + width(head) + width(&shown)).saturating_sub(column));
    format!("{}{head}{}{tail}\n{}", " ".repeat(INDENT), printable(&shown), carets(column, marked, palette))
}

/// Returns the text before the span and in it.
fn split(line: &str, span: Span) -> Option<(&str, &str)> {
    Some((line.get(..span.start)?, line.get(span.range())?))
}

fn carets(column: usize, count: usize, palette: &Palette) -> String {
    format!("{}{}", " ".repeat(column), palette.paint(&palette.error, &"^".repeat(count.max(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_the_span() {
        let palette = Palette::default();
        assert_eq!(caret_under("cmd ké=v", Span::new(4, 9), 7, 80, &palette).unwrap(), "           ^^^^");
        assert_eq!(caret_under("漢 x", Span::new(4, 5), 0, 80, &palette).unwrap(), "   ^");
        assert_eq!(caret_under("a\tb", Span::new(2, 3), 0, 80, &palette), None);
        assert_eq!(excerpt("a\tb", Span::new(2, 3), 80, &palette), "  a b\n    ^");
        assert_eq!(caret_under("long", Span::new(0, 1), 78, 80, &palette), None);
        assert_eq!(excerpt("a\nbc d\ne", Span::new(5, 6), 80, &palette), "  bc d\n     ^");
        assert_eq!(excerpt("abc", Span::at(3), 80, &palette), "  abc\n     ^");
        for outside in [Span::at(1), Span::at(9), Span::new(0, 1)] {
            assert_eq!(excerpt("é", outside, 80, &palette), "");
        }
    }

    #[test]
    fn cuts_long_lines_around_the_span() {
        let line = format!("{} bad {}", "x".repeat(300), "y".repeat(300));
        let text = excerpt(&line, Span::new(301, 304), 60, &Palette::default());
        let (shown, carets) = text.split_once('\n').unwrap();
        let column = carets.find('^').unwrap();
        let marked: String = shown.chars().skip(column).take(3).collect();
        assert_eq!(marked, "bad", "{text}");
        assert!(shown.chars().count() <= 60);
    }
}
