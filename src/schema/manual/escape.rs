//! Resolves the escapes of roff text: `\-`, `\(dq`, `\fB`, `\[…]` and the like.
//!
//! Owns characters and faces. Must not know about requests, which `roff` handles.

use std::iter::Peekable;
use std::str::Chars;

use super::text::{Face, Text};

/// The roff names of characters that occur in manual pages.
const CHARACTERS: &[(&str, char)] = &[
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

/// Returns the text of a paragraph, with its lines joined and one space between words.
pub(super) fn unescape_text(raw: &str) -> Text {
    let mut text = Text::default();
    let mut has_space = false;
    unescape(raw, |face, c| {
        if c.is_whitespace() {
            has_space = true;
            return;
        }
        if std::mem::take(&mut has_space) && !text.is_empty() {
            // A space between two words in one face has that face; any other is plain.
            let last = text.spans().last().map_or(Face::Plain, |span| span.face);
            text.push(if last == face { face } else { Face::Plain }, ' ');
        }
        text.push(face, c);
    });
    text
}

/// Returns a preformatted line, spaces included.
pub(super) fn unescape_line(raw: &str) -> String {
    let mut line = String::new();
    unescape(raw, |_, c| line.push(c));
    line
}

/// Calls `f` for each character of `raw`, with its face.
fn unescape(raw: &str, mut f: impl FnMut(Face, char)) {
    let (mut face, mut previous) = (Face::Plain, Face::Plain);
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        super::count_step();
        if c != '\\' {
            f(face, c);
            continue;
        }
        match chars.next() {
            Some('f') => {
                let next = match read_name(&mut chars).as_str() {
                    "P" | "" => previous,
                    "B" | "3" | "4" | "BI" | "C" | "CW" | "CR" | "CB" => Face::Bold,
                    "I" | "2" | "CI" => Face::Italic,
                    _ => Face::Plain,
                };
                previous = std::mem::replace(&mut face, next);
            }
            Some('(') => {
                let name: String = chars.by_ref().take(2).collect();
                character(&name).into_iter().for_each(|c| f(face, c));
            }
            Some('[') => {
                let name = read_until(&mut chars, ']');
                character(&name).into_iter().for_each(|c| f(face, c));
            }
            Some('e' | '\\') => f(face, '\\'),
            Some('\'') => f(face, '´'),
            Some('~' | ' ' | '0') => f(face, ' '),
            Some('t') => f(face, '\t'),
            // Strings, registers, sizes and colours are not text.
            Some('*' | 'n' | 'm' | 'M' | 'F') => drop(read_name(&mut chars)),
            Some('s') => skip_size(&mut chars),
            Some('h' | 'v' | 'w' | 'l' | 'L' | 'o' | 'z' | 'D' | 'X' | 'N') => {
                if chars.next_if_eq(&'\'').is_some() {
                    drop(read_until(&mut chars, '\''));
                }
            }
            Some('"' | '#') => while chars.next_if(|c| *c != '\n').is_some() {},
            Some('c') => drop(chars.next_if_eq(&'\n')),
            // Characters without width, and a continued line.
            Some('&' | '%' | '|' | '^' | '/' | ',' | ':' | ')' | '{' | '}' | 'd' | 'u' | 'p' | 'r' | '\n') | None => {}
            Some(c) => f(face, c),
        }
    }
}

/// Reads a name after an escape: one character, `(` and two characters, or any number in brackets.
fn read_name(chars: &mut Peekable<Chars<'_>>) -> String {
    match chars.next() {
        Some('(') => chars.by_ref().take(2).collect(),
        Some('[') => read_until(chars, ']'),
        Some(c) => c.to_string(),
        None => String::new(),
    }
}

/// Reads up to `end`, which is skipped, or to the end of the line.
fn read_until(chars: &mut Peekable<Chars<'_>>, end: char) -> String {
    let mut found = String::new();
    while let Some(c) = chars.next_if(|c| *c != '\n') {
        super::count_step();
        if c == end {
            break;
        }
        found.push(c);
    }
    found
}

/// Skips the size after `\s`: a sign, and digits or a name.
fn skip_size(chars: &mut Peekable<Chars<'_>>) {
    let _ = chars.next_if(|c| matches!(c, '+' | '-'));
    if chars.next_if(|c| c.is_ascii_digit()).is_none() && chars.peek().is_some_and(|c| matches!(c, '(' | '[')) {
        drop(read_name(chars));
    }
}

/// Returns the character with this roff name.
fn character(name: &str) -> Option<char> {
    if let Some((_, c)) = CHARACTERS.iter().find(|(known, _)| *known == name) {
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
    fn resolves_characters() {
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
            assert_eq!(unescape_text(raw).plain(), plain, "{raw}");
        }
        assert_eq!(unescape_line("  \\-> {  }"), "  -> {  }");
    }

    #[test]
    fn keeps_faces() {
        let text = unescape_text("a \\fBb c\\fP\\fI\\%D\\fP e \\fBf\\fP \\fBg\\fP");
        let spans: Vec<(Face, &str)> = text.spans().iter().map(|s| (s.face, s.text.as_str())).collect();
        assert_eq!(
            spans,
            [(Face::Plain, "a "), (Face::Bold, "b c"), (Face::Italic, "D"), (Face::Plain, " e "), (Face::Bold, "f g"),]
        );
    }
}
