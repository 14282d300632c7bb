//! The tokens of a jq filter that is being typed, as far as completion distinguishes them.

/// A token of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A `.`, perhaps before a member.
    Dot,
    /// `..`
    Recurse,
    /// A name: of a function, a keyword, or after a dot a member.
    Word(String),
    /// `$name`
    Variable(String),
    /// A closed string.
    Text(String),
    /// A string that is not closed.
    OpenText(String),
    Number,
    Open(char),
    Close(char),
    /// An operator, or other punctuation.
    Operator(String),
}

/// Splits a filter into tokens, each with its byte offset. It works on any text.
pub(super) fn tokens(text: &str) -> Vec<(usize, Token)> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let start = text.len() - rest.len();
        let Some(first) = rest.chars().next() else { return found };
        let (token, len) = match first {
            '#' => {
                rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
                continue;
            }
            '.' if rest.starts_with("..") => (Token::Recurse, 2),
            '.' => (Token::Dot, 1),
            '"' => text_token(rest),
            '$' => {
                let len = 1 + word_len(&rest[1..]);
                (Token::Variable(rest[..len].to_owned()), len)
            }
            '(' | '[' | '{' => (Token::Open(first), 1),
            ')' | ']' | '}' => (Token::Close(first), 1),
            c if c.is_ascii_digit() => {
                let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.';
                (Token::Number, rest.find(|c| !is_part(c)).unwrap_or(rest.len()))
            }
            c if is_word_char(c) || c == '@' => {
                let len = c.len_utf8() + word_len(&rest[c.len_utf8()..]);
                (Token::Word(rest[..len].to_owned()), len)
            }
            c => {
                let two = ["//", "==", "!=", "<=", ">=", "|=", "+=", "-=", "*=", "/=", "%=", "?/"];
                let len = if two.iter().any(|two| rest.starts_with(two)) { 2 } else { c.len_utf8() };
                (Token::Operator(rest[..len].to_owned()), len)
            }
        };
        found.push((start, token));
        rest = &rest[len..];
    }
}

pub(super) fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn word_len(text: &str) -> usize {
    text.find(|c| !is_word_char(c)).unwrap_or(text.len())
}

/// Reads a string with its quotes. Expressions in it are left as they are.
fn text_token(rest: &str) -> (Token, usize) {
    let mut content = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (Token::Text(content), at + 1),
            '\\' => content.extend(chars.next().map(|(_, escaped)| escaped)),
            c => content.push(c),
        }
    }
    (Token::OpenText(content), rest.len())
}
