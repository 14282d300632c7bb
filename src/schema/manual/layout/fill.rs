//! Wraps styled words into lines.

use unicode_width::UnicodeWidthStr;

use crate::schema::manual::style::{Line, Role, Run};
use crate::schema::manual::text::{Face, Text};

/// A word: runs without space between them.
pub(super) type Word = Vec<Run>;

/// Returns the width in columns of a line or a word.
pub(super) fn line_width(runs: &[Run]) -> usize {
    runs.iter().map(|run| run.text.width()).sum()
}

/// Returns the words of a text, with a role for each face.
pub(super) fn words(text: &Text, role_of: impl Fn(Face) -> Role) -> Vec<Word> {
    let mut words = vec![Word::new()];
    for span in text.spans() {
        for (index, part) in span.text.split(' ').enumerate() {
            if index > 0 {
                words.push(Word::new());
            }
            if !part.is_empty()
                && let Some(word) = words.last_mut()
            {
                word.push(Run::new(role_of(span.face), dashed(part)));
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Replaces a word of two hyphens with a dash.
fn dashed(word: &str) -> &str {
    if word == "--" { "—" } else { word }
}

/// Adds words as lines of at most `width` columns, indented by `indent`; the first line begins with `first` instead. A word
/// that is too wide has a line of its own.
pub(super) fn fill(lines: &mut Vec<Line>, words: Vec<Word>, indent: usize, first: Line, width: usize) {
    let mut column = line_width(&first);
    let mut line = first;
    // Whether the line has a word, so that the next one needs a space.
    let mut has_word = false;
    if line.is_empty() && indent > 0 {
        line.push(Run::new(Role::Plain, " ".repeat(indent)));
        column = indent;
    }
    for word in words {
        let word_width = line_width(&word);
        if has_word && column + 1 + word_width > width {
            lines.push(std::mem::take(&mut line));
            if indent > 0 {
                line.push(Run::new(Role::Plain, " ".repeat(indent)));
            }
            column = indent;
            has_word = false;
        }
        if has_word {
            // A space between two words of one role has that role.
            match (line.last_mut(), word.first()) {
                (Some(last), Some(next)) if last.role == next.role => last.text.push(' '),
                _ => line.push(Run::new(Role::Plain, " ")),
            }
            column += 1;
        }
        column += word_width;
        has_word = true;
        for run in word {
            match line.last_mut() {
                Some(last) if last.role == run.role => last.text.push_str(&run.text),
                _ => line.push(run),
            }
        }
    }
    if has_word || line_width(&line) > indent {
        lines.push(line);
    }
}
