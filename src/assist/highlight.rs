//! Syntax highlighting of a line while it is typed.

use crate::grammar::{Arg, Assembler, Language, Part, Span, TailKind, Word, parse_number, split_line, tokenize};
use crate::schema::{Builtin, PartialArguments, Schema, Type, TypeId, action_type, positional_member};

use super::filter_tokens::{self, Token};
use super::refusals::refusals;
use super::types::CompletionContext;

/// The role of a piece of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenStyle {
    Command,
    UnknownCommand,
    Key,
    String,
    Number,
    /// `true`, `false`, `null`, `on`, `off`.
    Literal,
    Comment,
    /// A key or a value that Enter would refuse.
    Refused,
}

/// Returns the pieces of `text` that have a style, in order. If it has several lines, as a paste may, only the first one has
/// styles, because the others depend on what it does.
pub fn highlight(text: &str, context: &CompletionContext<'_>) -> Vec<(Span, TokenStyle)> {
    let line = first_line(text, context.language);
    let parts = context.with_split_rules(|rules| split_line(line, rules));
    if let [Part { tail: None, .. }] = parts.as_slice() {
        return highlight_command(line, context);
    }
    let mut styles = Vec::new();
    for part in parts {
        // The blank says that the command is complete. It is part of a string that is not closed.
        let in_line = |(span, style): (Span, TokenStyle)| (Span::new(span.start, span.end.min(line.len())), style);
        styles.extend(highlight_command(&(part.blanked(line) + " "), context).into_iter().map(in_line));
        if let Some(TailKind::Filter(span, _)) = part.tail.map(|tail| tail.kind) {
            add_filter(&line[span.range()], span.start, &mut styles);
        }
    }
    styles
}

/// Adds the pieces of a filter that begins at `start`.
fn add_filter(filter: &str, start: usize, styles: &mut Vec<(Span, TokenStyle)>) {
    let tokens = filter_tokens::tokens(filter);
    let ends = tokens.iter().skip(1).map(|(start, _)| *start).chain([filter.len()]);
    let mut is_after_dot = false;
    for ((at, token), end) in tokens.iter().zip(ends) {
        let end = at + filter[*at..end].trim_end().len();
        let style = match token {
            Token::Text(_) | Token::OpenText(_) if is_after_dot => Some(TokenStyle::Key),
            Token::Text(_) | Token::OpenText(_) => Some(TokenStyle::String),
            Token::Number => Some(TokenStyle::Number),
            Token::Word(_) if is_after_dot => Some(TokenStyle::Key),
            Token::Word(word) if matches!(word.as_str(), "true" | "false" | "null") => Some(TokenStyle::Literal),
            _ => None,
        };
        is_after_dot = *token == Token::Dot;
        styles.extend(style.map(|style| (Span::new(start + at, start + end), style)));
    }
}

/// Returns the pieces of a command that have a style.
fn highlight_command(line: &str, context: &CompletionContext<'_>) -> Vec<(Span, TokenStyle)> {
    let trimmed = line.trim_start();
    if context.language == Language::Hmp && !trimmed.starts_with(['.', '#']) || trimmed.starts_with('!') {
        return Vec::new();
    }
    let tokens = tokenize(line);
    let mut styles: Vec<(Span, TokenStyle)> = tokens.comments.iter().map(|span| (*span, TokenStyle::Comment)).collect();
    let mut words = tokens.words.iter().peekable();
    let has_arrow = words.peek().is_some_and(|word| matches!(word.text.as_str(), "->" | "<-"));
    if has_arrow {
        words.next();
    }
    if let Some(word) = words.peek()
        && word.bracket != Some(word.span.start)
        && !has_arrow
    {
        add_name(word, line, context, &mut styles);
        let is_prefix = matches!(word.text.as_str(), "exec-oob" | "transaction(");
        words.next();
        if is_prefix && let Some(word) = words.next() {
            add_name(word, line, context, &mut styles);
        }
    }
    let types = ValueTypes::new(line, &tokens.words, context);
    for word in words {
        if word.equals.is_some() {
            styles.push((word.key_span(), TokenStyle::Key));
            add_value(word, types.style_of(word, line), line, &mut styles);
        } else if word.bracket == Some(word.span.start) {
            add_json(line, word.span, &mut styles);
        }
    }
    if !trimmed.starts_with('.') {
        for refused in refusals(line, context) {
            styles.retain(|(span, _)| span.end <= refused.start || span.start >= refused.end);
            styles.push((refused, TokenStyle::Refused));
        }
    }
    styles.sort_by_key(|(span, _)| span.start);
    styles
}

/// Returns the first logical line of `text`.
fn first_line(text: &str, language: Language) -> &str {
    let mut assembler = Assembler::new();
    let mut end = 0;
    for row in text.split_inclusive('\n') {
        end += row.len();
        if !assembler.push(row, language).is_empty() {
            break;
        }
    }
    let line = &text[..end];
    if end < text.len() { line.trim_end_matches('\n') } else { line }
}

/// Adds the name of a command. A name that is still being typed is unknown only if no command begins with it.
fn add_name(word: &Word, line: &str, context: &CompletionContext<'_>, styles: &mut Vec<(Span, TokenStyle)>) {
    let typed = word.text.as_str();
    let is_last = word.span.end == line.len();
    let matches = |name: &str| name == typed || is_last && name.starts_with(typed);
    if let Some(typed) = typed.strip_prefix('.') {
        let matches = |name: &str| name == typed || is_last && name.starts_with(typed);
        let is_known = context
            .dot_commands
            .iter()
            .any(|command| matches(command.name) || command.aliases.iter().copied().any(matches))
            || context.dot_command(typed).is_some();
        styles.push((word.span, if is_known { TokenStyle::Command } else { TokenStyle::UnknownCommand }));
        return;
    }
    let Some(schema) = context.schema else { return };
    let actions = crate::schema::transaction_variants(schema).unwrap_or_default();
    let is_known = ["exec-oob", "help", "transaction(", "transaction()"].into_iter().any(matches)
        || !context.in_transaction && context.aliases.iter().any(|alias| matches(&alias.text))
        || schema.commands().iter().any(|command| matches(&command.name))
        || actions.iter().any(|(action, _)| matches(action))
        || context.in_transaction && typed == ")";
    styles.push((word.span, if is_known { TokenStyle::Command } else { TokenStyle::UnknownCommand }));
}

/// The types that introspection gives the values of a line.
struct ValueTypes<'a> {
    subject: Option<(&'a Schema, TypeId)>,
    arguments: PartialArguments,
}

impl<'a> ValueTypes<'a> {
    fn new(line: &str, words: &[Word], context: &CompletionContext<'a>) -> ValueTypes<'a> {
        let is_opening = |word: &&Word| matches!(word.text.as_str(), "exec-oob" | "transaction(");
        let in_transaction = context.in_transaction || words.first().is_some_and(|word| word.text == "transaction(");
        let start = usize::from(words.first().filter(is_opening).is_some());
        let subject = context.schema.zip(words.get(start)).and_then(|(schema, word)| {
            let root = match in_transaction {
                true => action_type(schema, &word.text)?,
                false => schema.command(&word.text)?.arguments,
            };
            Some((schema, root))
        });
        let arguments = words.get(start + 1..).unwrap_or_default();
        let positional = subject.and_then(|(schema, root)| positional_member(schema, root));
        let positional = positional.map(|member| member.name.as_str());
        ValueTypes { subject, arguments: PartialArguments::of_words(line, arguments, positional) }
    }

    /// Returns the style of the value of a word, if its type is known and does not depend on its form.
    fn style_of(&self, word: &Word, line: &str) -> Option<TokenStyle> {
        let (schema, root) = self.subject?;
        let key = Arg::parse(line, word).ok()?.key;
        let mut kind = self.arguments.type_at(schema, root, &key.parts)?;
        while let Type::Array(element) = schema.definition(kind) {
            if word.bracket.is_some() {
                return None;
            }
            kind = *element;
        }
        match schema.definition(kind) {
            Type::Builtin(Builtin::Str) | Type::Enum(_) => Some(TokenStyle::String),
            Type::Builtin(Builtin::Int | Builtin::Number) => Some(TokenStyle::Number),
            Type::Builtin(Builtin::Bool | Builtin::Null) => Some(TokenStyle::Literal),
            _ => None,
        }
    }
}

/// Adds the value of a word: in the style of its type if that is known, otherwise by its form.
fn add_value(word: &Word, known: Option<TokenStyle>, line: &str, styles: &mut Vec<(Span, TokenStyle)>) {
    let (text, span) = (word.value(), word.value_span());
    match text {
        "" => {}
        _ if word.bracket == Some(span.start) && known.is_none() => add_json(line, span, styles),
        _ if let Some(style) = known => styles.push((span, style)),
        _ if word.quoted => styles.push((span, TokenStyle::String)),
        "true" | "false" | "null" | "on" | "off" => styles.push((span, TokenStyle::Literal)),
        text if matches!(parse_number(text), Ok(Some(_))) => styles.push((span, TokenStyle::Number)),
        _ => styles.push((span, TokenStyle::String)),
    }
}

/// Adds the strings, numbers and literals of JSON, complete or not.
fn add_json(line: &str, span: Span, styles: &mut Vec<(Span, TokenStyle)>) {
    let text = &line[span.range()];
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let start = at;
        let style = match c {
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
                if is_key { TokenStyle::Key } else { TokenStyle::String }
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
        styles.push((Span::new(span.start + start, span.start + at), style));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_that_is_open_at_the_end_of_a_chain_ends_with_the_line() {
        for line in [
            "stop; x {\"a\": \"b",
            "stop; x a=\"b",
            "stop; x a='b",
            "stop; x [1, 2",
            "x {\"a\": \"b | c",
            "stop; x a\\",
        ] {
            let styles = highlight(line, &CompletionContext::default());
            assert!(styles.iter().all(|(span, _)| line.get(span.range()).is_some()), "{line}: {styles:?}");
        }
    }
}
