//! The parts of a line that Enter would refuse, found while it is typed. What is merely unfinished is none of them.

use crate::grammar::{Diagnostic, Line, Span, Word, is_complete, parse_line, parse_transaction_line, tokenize};
use crate::schema::{TypingContext, check_action, request_of_command, request_of_json};

use super::complete::complete;
use super::types::CompletionContext;

/// The maximum number of parts that are found.
const MAX_REFUSALS: usize = 8;

/// The maximum length of a line that is checked at each key.
const MAX_CHECKED_BYTES: usize = 4096;

/// Returns the refused parts of a QMP line, in no particular order.
pub(super) fn refusals(line: &str, context: &CompletionContext<'_>) -> Vec<Span> {
    if context.accepts_invalid || line.len() > MAX_CHECKED_BYTES {
        return Vec::new();
    }
    let words = tokenize(line).words;
    let typed = words.last().filter(|word| word.span.end == line.len());
    let finished = &words[..words.len() - usize::from(typed.is_some())];
    let mut checked = typed.map_or(line, |word| &line[..word.span.start]).to_owned();
    let mut refused = Vec::new();
    while refused.len() < MAX_REFUSALS
        && let Some(diagnostic) = diagnose(&checked, context)
        && let Some(word) = argument_at(finished, diagnostic.span)
    {
        // With the word gone, the next one is found.
        checked.replace_range(word.span.range(), &" ".repeat(word.span.range().len()));
        refused.push(diagnostic.span);
    }
    if let Some(word) = typed
        && let Some(diagnostic) = diagnose(&(checked + &line[word.span.range()]), context)
        && argument_at(&words, diagnostic.span) == Some(word)
        && !can_continue(line, word, diagnostic.span, context)
    {
        refused.push(diagnostic.span);
    }
    refused.retain(|span| !span.range().is_empty());
    refused
}

/// Returns the error with which Enter would refuse a line, unless more text can put it right.
fn diagnose(line: &str, context: &CompletionContext<'_>) -> Option<Diagnostic> {
    if !is_complete(line, context.language) {
        return None;
    }
    let typing = TypingContext { schema: context.schema, ..TypingContext::none() };
    let parsed = match context.in_transaction {
        true => parse_transaction_line(line).map(Line::Transaction),
        false => parse_line(line),
    };
    let diagnostic = match parsed {
        Err(diagnostic) => Some(diagnostic),
        Ok(Line::Command(command)) => request_of_command(&command, &typing).err(),
        Ok(Line::Json(json)) => request_of_json(&json, &typing).err(),
        Ok(Line::Transaction(transaction)) => {
            transaction.action.and_then(|action| check_action(&action, &typing).err())
        }
        Ok(_) => None,
    };
    diagnostic.filter(|diagnostic| !diagnostic.wants_more)
}

/// Returns the word that contains the beginning of a span, unless it is the command.
fn argument_at(words: &[Word], span: Span) -> Option<&Word> {
    let command = words.first().filter(|word| !word.is_json());
    words.iter().skip(command.map_or(0, |_| 1)).find(|word| word.span.range().contains(&span.start))
}

/// Returns whether the word at the end of the line, which is refused at `span`, can become a valid one: it is open, a
/// candidate begins with it, it may become a number, or nothing is known of what can be there.
fn can_continue(line: &str, word: &Word, span: Span, context: &CompletionContext<'_>) -> bool {
    let has_candidates = |text: &str| !complete(text, context).candidates.is_empty();
    let value = word.value();
    let may_become_number = value.is_empty() || value.starts_with(|c: char| c.is_ascii_digit() || "+-".contains(c));
    match word.equals {
        _ if word.open.is_some() => true,
        None => has_candidates(line) || !has_candidates(&line[..word.span.start]),
        Some((equals, _)) if span.start < equals => false,
        Some(_) => !word.quoted && may_become_number || has_candidates(line),
    }
}
