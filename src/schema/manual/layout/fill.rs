//! Fills words into lines.

use unicode_width::UnicodeWidthStr;

use crate::schema::manual::style::{Line, Role, Run, run};
use crate::schema::manual::text::{Face, Text};

/// A word: runs with no blank between them.
pub(super) type Word = Vec<Run>;

/// The columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The columns that a line or a word takes.
fn width_of(runs: &[Run]) -> usize {
    runs.iter().map(|run| run.text.width()).sum()
}

/// The words of a text, each face with its role.
pub(super) fn words(text: &Text, role_of: impl Fn(Face) -> Role) -> Vec<Word> {
    let mut words = vec![Word::new()];
    for span in text.spans() {
        for (at, part) in span.text.split(' ').enumerate() {
            if at > 0 {
                words.push(Word::new());
            }
            if !part.is_empty()
                && let Some(word) = words.last_mut()
            {
                word.push(run(role_of(span.face), dashed(part)));
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Two hyphens that stand alone are meant as a dash.
fn dashed(word: &str) -> &str {
    if word == "--" { "—" } else { word }
}

/// Adds lines of at most `room` columns, each behind `indent` blanks, the first behind `first` instead. A word that is
/// wider than the room has a line of its own.
pub(super) fn fill(lines: &mut Vec<Line>, words: Vec<Word>, indent: usize, first: Line, room: usize) {
    let mut column = width_of(&first);
    let mut line = first;
    // Whether the line has words already, behind which a blank is due.
    let mut begun = false;
    if line.is_empty() && indent > 0 {
        line.push(run(Role::Plain, " ".repeat(indent)));
        column = indent;
    }
    for word in words {
        let wide = width_of(&word);
        if begun && column + 1 + wide > room {
            lines.push(std::mem::take(&mut line));
            if indent > 0 {
                line.push(run(Role::Plain, " ".repeat(indent)));
            }
            column = indent;
            begun = false;
        }
        if begun {
            // A blank within a phrase of one role belongs to it.
            match (line.last_mut(), word.first()) {
                (Some(last), Some(next)) if last.role == next.role => last.text.push(' '),
                _ => line.push(run(Role::Plain, " ")),
            }
            column += 1;
        }
        column += wide;
        begun = true;
        for piece in word {
            match line.last_mut() {
                Some(last) if last.role == piece.role => last.text.push_str(&piece.text),
                _ => line.push(piece),
            }
        }
    }
    if begun || width_of(&line) > indent {
        lines.push(line);
    }
}
