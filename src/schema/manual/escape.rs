//! Escapes of roff within a line: `\-`, `\(dq`, `\fB`, `\[…]` and their kin. Owns characters and faces; lines and
//! requests are `roff`'s.

use std::iter::Peekable;
use std::str::Chars;

use super::text::{Face, Text};

/// Characters by their name in roff, as far as manual pages use them.
const NAMED: &[(&str, char)] = &[
    ("aq", '\''),
    ("dq", '"'),
    ("cq", '’'),
    ("oq", '‘'),
    ("lq", '“'),
    ("rq", '”'),
    ("ga", '`'),
    ("aa", '´'),
    ("ha", '^'),
    ("ti", '~'),
    ("rs", '\\'),
    ("bu", '•'),
    ("em", '—'),
    ("en", '–'),
    ("hy", '-'),
    ("mi", '−'),
    ("pl", '+'),
    ("mu", '×'),
    ("di", '÷'),
    ("+-", '±'),
    ("<=", '≤'),
    (">=", '≥'),
    ("!=", '≠'),
    ("==", '≡'),
    ("->", '→'),
    ("<-", '←'),
    ("de", '°'),
    ("co", '©'),
    ("rg", '®'),
    ("tm", '™'),
    ("sh", '#'),
    ("at", '@'),
    ("sl", '/'),
    ("or", '|'),
    ("ba", '|'),
    ("lB", '['),
    ("rB", ']'),
    ("lC", '{'),
    ("rC", '}'),
    ("Do", '$'),
    ("ul", '_'),
    ("ss", 'ß'),
    (":a", 'ä'),
    (":o", 'ö'),
    (":u", 'ü'),
    ("'e", 'é'),
    ("`e", 'è'),
];

/// The text of a paragraph: its lines are joined, and between two words stands one blank.
pub(super) fn text(raw: &str) -> Text {
    let mut text = Text::default();
    let mut blank = false;
    unescape(raw, |face, c| {
        if c.is_whitespace() {
            blank = true;
            return;
        }
        if std::mem::take(&mut blank) && !text.is_empty() {
            // The blank belongs to the prose, unless a phrase in one face goes on behind it.
            let last = text.spans().last().map_or(Face::Plain, |span| span.face);
            text.push(if last == face { face } else { Face::Plain }, ' ');
        }
        text.push(face, c);
    });
    text
}

/// A line that stays as it is, blanks included.
pub(super) fn line(raw: &str) -> String {
    let mut line = String::new();
    unescape(raw, |_, c| line.push(c));
    line
}

/// Gives each character of `raw` to `put`, with the face that it is in.
fn unescape(raw: &str, mut put: impl FnMut(Face, char)) {
    let (mut face, mut before) = (Face::Plain, Face::Plain);
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        super::tick();
        if c != '\\' {
            put(face, c);
            continue;
        }
        match chars.next() {
            Some('f') => {
                let next = match name(&mut chars).as_str() {
                    "P" | "" => before,
                    "B" | "3" | "4" | "BI" | "C" | "CW" | "CR" | "CB" => Face::Bold,
                    "I" | "2" | "CI" => Face::Italic,
                    _ => Face::Plain,
                };
                before = std::mem::replace(&mut face, next);
            }
            Some('(') => {
                let name: String = chars.by_ref().take(2).collect();
                named(&name).into_iter().for_each(|c| put(face, c));
            }
            Some('[') => {
                let name = until(&mut chars, ']');
                named(&name).into_iter().for_each(|c| put(face, c));
            }
            Some('e' | '\\') => put(face, '\\'),
            Some('\'') => put(face, '´'),
            Some('~' | ' ' | '0') => put(face, ' '),
            Some('t') => put(face, '\t'),
            // A string, a register, a size, a colour: nothing of it is text.
            Some('*' | 'n' | 'm' | 'M' | 'F') => drop(name(&mut chars)),
            Some('s') => size(&mut chars),
            Some('h' | 'v' | 'w' | 'l' | 'L' | 'o' | 'z' | 'D' | 'X' | 'N') => {
                if chars.next_if_eq(&'\'').is_some() {
                    drop(until(&mut chars, '\''));
                }
            }
            Some('"' | '#') => while chars.next_if(|c| *c != '\n').is_some() {},
            Some('c') => drop(chars.next_if_eq(&'\n')),
            // Widthless marks, and a line that goes on.
            Some('&' | '%' | '|' | '^' | '/' | ',' | ':' | ')' | '{' | '}' | 'd' | 'u' | 'p' | 'r' | '\n') | None => {}
            Some(c) => put(face, c),
        }
    }
}

/// A name behind an escape: one character, `(` and two, or one in brackets.
fn name(chars: &mut Peekable<Chars<'_>>) -> String {
    match chars.next() {
        Some('(') => chars.by_ref().take(2).collect(),
        Some('[') => until(chars, ']'),
        Some(c) => c.to_string(),
        None => String::new(),
    }
}

/// What stands before `end`, which is taken too; a line's end ends it as well.
fn until(chars: &mut Peekable<Chars<'_>>, end: char) -> String {
    let mut found = String::new();
    while let Some(c) = chars.next_if(|c| *c != '\n') {
        super::tick();
        if c == end {
            break;
        }
        found.push(c);
    }
    found
}

/// Passes over the size behind `\s`: a sign, and digits or a name.
fn size(chars: &mut Peekable<Chars<'_>>) {
    let _ = chars.next_if(|c| matches!(c, '+' | '-'));
    if chars.next_if(|c| c.is_ascii_digit()).is_none() && chars.peek().is_some_and(|c| matches!(c, '(' | '[')) {
        drop(name(chars));
    }
}

/// The character of that name.
fn named(name: &str) -> Option<char> {
    if let Some((_, c)) = NAMED.iter().find(|(known, _)| *known == name) {
        return Some(*c);
    }
    let mut chars = name.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Some(c),
        (Some('u'), Some(_)) => u32::from_str_radix(&name[1..], 16).ok().and_then(char::from_u32),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_characters() {
        for (raw, plain) in [
            ("block\\-add", "block-add"),
            ("\\(dqa\\(dq isn\\(aqt", "\"a\" isn't"),
            ("\\[aq]x\\[u00E9]\\[rs]", "'xé\\"),
            ("a\\er\\en \\\\", "a\\r\\n \\"),
            ("\\fB\\fP\\&.\\%x\\|y", ".xy"),
            ("\\f(CWcode\\fP \\f[B]b\\f[]", "code b"),
            ("\\s-1small\\s0 \\s[10]x", "small x"),
            ("\\*(xxa\\*[long]b\\nxc", "abc"),
            ("two  blanks\nand lines ", "two blanks and lines"),
            ("a \\\" a comment", "a"),
            ("\\h'2m'x\\", "x"),
            ("\\(", ""),
            ("\\(b", "b"),
            ("\\[", ""),
            ("\\[u110000]\\[uéé]", ""),
        ] {
            assert_eq!(text(raw).plain(), plain, "{raw}");
        }
        assert_eq!(line("  \\-> {  }"), "  -> {  }");
    }

    #[test]
    fn faces_are_kept() {
        let text = text("a \\fBb c\\fP\\fI\\%D\\fP e \\fBf\\fP \\fBg\\fP");
        let spans: Vec<(Face, &str)> = text.spans().iter().map(|s| (s.face, s.text.as_str())).collect();
        assert_eq!(
            spans,
            [(Face::Plain, "a "), (Face::Bold, "b c"), (Face::Italic, "D"), (Face::Plain, " e "), (Face::Bold, "f g"),]
        );
    }
}
