//! What each piece of a line is, for whoever colours it while it is typed.

use crate::grammar::{LineMode, Span, Word, parse_number, tokenize};

use super::complete::CompletionContext;

/// What a piece of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenStyle {
    /// A command that is known.
    Command,
    /// A command that is not.
    Unknown,
    /// A key.
    Key,
    /// A string.
    Text,
    /// A number.
    Number,
    /// `true`, `false`, `null`.
    Literal,
    /// A comment.
    Comment,
}

/// The pieces of `line` in order; what lies between them is nothing in particular.
pub fn token_styles(line: &str, known: &CompletionContext<'_>) -> Vec<(Span, TokenStyle)> {
    let trimmed = line.trim_start();
    if known.language == LineMode::Hmp && !trimmed.starts_with(['.', '#']) || trimmed.starts_with('!') {
        return Vec::new();
    }
    let tokens = tokenize(line);
    let mut found: Vec<(Span, TokenStyle)> = tokens.comments.iter().map(|span| (*span, TokenStyle::Comment)).collect();
    let mut words = tokens.words.iter().peekable();
    let arrow = words.peek().is_some_and(|word| matches!(word.text.as_str(), "->" | "<-"));
    if arrow {
        words.next();
    }
    if let Some(word) = words.peek()
        && word.bracket != Some(word.span.start)
        && !arrow
    {
        name(word, line, known, &mut found);
        let leads = matches!(word.text.as_str(), "exec-oob" | "transaction(");
        words.next();
        if leads && let Some(word) = words.next() {
            name(word, line, known, &mut found);
        }
    }
    for word in words {
        if word.equals.is_some() {
            found.push((word.key_span(), TokenStyle::Key));
            value(word, word.value_span(), line, &mut found);
        } else if word.bracket == Some(word.span.start) {
            json(line, word.span, &mut found);
        }
    }
    found.sort_by_key(|(span, _)| span.start);
    found
}

/// The name of a command. One that is still being typed is unknown only once nothing begins with it.
fn name(word: &Word, line: &str, known: &CompletionContext<'_>, found: &mut Vec<(Span, TokenStyle)>) {
    let typed = word.text.as_str();
    let unfinished = word.span.end == line.len();
    let fits = |name: &str| name == typed || unfinished && name.starts_with(typed);
    if let Some(own) = typed.strip_prefix('.') {
        let fits = |name: &str| name == own || unfinished && name.starts_with(own);
        let is_known = known.metas.iter().any(|meta| fits(meta.0)) || fits("quit");
        found.push((word.span, if is_known { TokenStyle::Command } else { TokenStyle::Unknown }));
        return;
    }
    let Some(schema) = known.schema else { return };
    let actions = crate::schema::transaction_variants(schema).unwrap_or_default();
    let is_known = ["exec-oob", "help", "transaction(", "transaction()"].into_iter().any(fits)
        || schema.commands().iter().any(|command| fits(&command.name))
        || actions.iter().any(|(action, _)| fits(action))
        || known.in_transaction && typed == ")";
    found.push((word.span, if is_known { TokenStyle::Command } else { TokenStyle::Unknown }));
}

fn value(word: &Word, span: Span, line: &str, found: &mut Vec<(Span, TokenStyle)>) {
    let text = word.value();
    match text {
        "" => {}
        _ if word.bracket == Some(span.start) => json(line, span, found),
        _ if word.quoted => found.push((span, TokenStyle::Text)),
        "true" | "false" | "null" | "on" | "off" => found.push((span, TokenStyle::Literal)),
        text if matches!(parse_number(text), Ok(Some(_))) => found.push((span, TokenStyle::Number)),
        _ => found.push((span, TokenStyle::Text)),
    }
}

/// The strings, numbers and literals of JSON, finished or not.
fn json(line: &str, span: Span, found: &mut Vec<(Span, TokenStyle)>) {
    let text = &line[span.range()];
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let start = at;
        let look = match c {
            '"' | '\'' => {
                at += 1;
                let mut escaped = false;
                for c in text[at..].chars() {
                    at += c.len_utf8();
                    match c {
                        _ if escaped => escaped = false,
                        '\\' => escaped = true,
                        end if end == text[start..].chars().next().unwrap_or('"') => break,
                        _ => {}
                    }
                }
                let is_key = text[at..].trim_start().starts_with(':');
                if is_key { TokenStyle::Key } else { TokenStyle::Text }
            }
            c if c.is_ascii_digit() || c == '-' => {
                at += text[at..].find([',', '}', ']', ' ', '\n', '\t']).unwrap_or(text.len() - at);
                TokenStyle::Number
            }
            c if c.is_alphabetic() => {
                at += text[at..].find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len() - at);
                TokenStyle::Literal
            }
            c => {
                at += c.len_utf8();
                continue;
            }
        };
        found.push((Span::new(span.start + start, span.start + at), look));
    }
}
