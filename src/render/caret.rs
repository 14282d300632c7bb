//! Points at a place in a line.

use unicode_width::UnicodeWidthChar;

use crate::grammar::Span;

use super::palette::Palette;
use super::sanitize::printable;

/// The width of `text` on a terminal, a tab counting as one blank.
fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(1)).sum()
}

/// A line of carets under `span`, where `line` stands on one row behind `indent` columns. `None` where it does not fit
/// in `columns`, or holds a tab, whose width is the terminal's to know: then the caller shows an [`excerpt`].
pub fn caret_under(line: &str, span: Span, indent: usize, columns: usize, palette: &Palette) -> Option<String> {
    if line.contains(['\n', '\t']) || indent + width(line) >= columns {
        return None;
    }
    let (before, marked) = split(line, span)?;
    Some(carets(indent + width(before), width(marked), palette))
}

/// The part of the text around `span` on a line of its own, and a line of carets under it. Empty where `span` is no place
/// in the text.
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
    // Cut from the left until the place is on the row, and from the right until the row is not overlong.
    let room = columns.saturating_sub(INDENT + 8).max(20);
    let mut left = room - width(marked).min(room / 2);
    let mut from = before.len();
    for (at, c) in before.char_indices().rev() {
        match left.checked_sub(c.width().unwrap_or(1)) {
            Some(rest) => (left, from) = (rest, at),
            None => break,
        }
    }
    let lead = if from > 0 { "…" } else { "" };
    let mut shown = String::new();
    let mut tail = "";
    for c in line[from..].chars() {
        if width(&shown) >= room {
            tail = "…";
            break;
        }
        shown.push(if c == '\t' { ' ' } else { c });
    }
    let at = INDENT + width(lead) + width(&line[from..before.len()]);
    let marked = width(marked).min((INDENT + width(lead) + width(&shown)).saturating_sub(at));
    format!("{}{lead}{}{tail}\n{}", " ".repeat(INDENT), printable(&shown), carets(at, marked, palette))
}

fn split(line: &str, span: Span) -> Option<(&str, &str)> {
    Some((line.get(..span.start)?, line.get(span.range())?))
}

fn carets(at: usize, count: usize, palette: &Palette) -> String {
    format!("{}{}", " ".repeat(at), palette.paint(&palette.error, &"^".repeat(count.max(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_stand_under_what_is_meant() {
        let palette = Palette::default();
        assert_eq!(caret_under("cmd ké=v", Span::new(4, 9), 7, 80, &palette).unwrap(), "           ^^^^");
        assert_eq!(caret_under("漢 x", Span::new(4, 5), 0, 80, &palette).unwrap(), "   ^");
        assert_eq!(caret_under("a\tb", Span::new(2, 3), 0, 80, &palette), None);
        assert_eq!(excerpt("a\tb", Span::new(2, 3), 80, &palette), "  a b\n    ^");
        assert_eq!(caret_under("long", Span::new(0, 1), 78, 80, &palette), None);
        assert_eq!(excerpt("a\nbc d\ne", Span::new(5, 6), 80, &palette), "  bc d\n     ^");
        assert_eq!(excerpt("abc", Span::at(3), 80, &palette), "  abc\n     ^");
        for nowhere in [Span::at(1), Span::at(9), Span::new(0, 1)] {
            assert_eq!(excerpt("é", nowhere, 80, &palette), "");
        }
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let line = format!("{} bad {}", "x".repeat(300), "y".repeat(300));
        let text = excerpt(&line, Span::new(301, 304), 60, &Palette::default());
        let (shown, carets) = text.split_once('\n').unwrap();
        let at = carets.find('^').unwrap();
        let cut: String = shown.chars().skip(at).take(3).collect();
        assert_eq!(cut, "bad", "{text}");
        assert!(shown.chars().count() <= 60);
    }
}
