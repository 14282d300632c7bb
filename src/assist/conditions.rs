//! Completion of the conditions on a return value after a command: `MEMBER=VALUE` words of `.expect` and `.until`.

use crate::grammar::{Word, tokenize};
use crate::schema::{Builtin, CommandInfo, Schema, Type, TypeId, members_at, type_label, types_at};

use super::complete::Completer;
use super::current_word::CurrentWord;
use super::types::{Candidate, Completion};

/// Completes a condition at the end of `text`, a command with its arguments. `options` are other words with values, such
/// as `timeout=`, and their descriptions.
pub(super) fn complete_condition(
    text: &str,
    options: &'static [(&'static str, &'static str)],
    completer: &Completer<'_>,
) -> Completion {
    let tokens = tokenize(text);
    let current = tokens.words.last().filter(|word| word.span.end == text.len());
    let before = &tokens.words[..tokens.words.len() - usize::from(current.is_some())];
    let name = before.get(usize::from(before.first().is_some_and(|word| word.is_bare("exec-oob"))));
    let (Some(name), Some(schema)) = (name, completer.context.schema) else { return Completion::default() };
    let Some(command) = schema.command(&name.text) else { return Completion::default() };
    if current.is_some_and(|word| word.bracket.is_some() || word.open.is_some()) {
        return Completion::default();
    }
    match current {
        Some(word) if word.equals.is_some() => complete_value(text, word, schema, command, completer),
        _ => complete_member(text, current, before, schema, command, options, completer),
    }
}

fn complete_value(
    text: &str,
    word: &Word,
    schema: &Schema,
    command: &CommandInfo,
    completer: &Completer<'_>,
) -> Completion {
    let path: Vec<&str> = word.key().split('.').collect();
    if schema.accepts_key(command, path[0]) {
        return Completion::default();
    }
    let mut values: Vec<&str> = Vec::new();
    for kind in types_at(schema, command.returns, &path).unwrap_or_default() {
        match schema.definition(kind) {
            Type::Enum(names) => values.extend(names.iter().map(|value| value.name.as_str())),
            Type::Builtin(Builtin::Bool) => values.extend(["true", "false"]),
            _ => {}
        }
    }
    let start = word.value_span().start;
    let typed = CurrentWord { start, raw: &text[start..], text: word.value(), open: None };
    let values = values.into_iter().filter(|value| completer.lookup.matching.accepts(value, typed.text));
    let candidates = values.map(|value| Candidate::new(typed.completed(value, true), "")).collect();
    Completion { start, candidates, missing: Vec::new() }
}

fn complete_member(
    text: &str,
    current: Option<&Word>,
    before: &[Word],
    schema: &Schema,
    command: &CommandInfo,
    options: &'static [(&'static str, &'static str)],
    completer: &Completer<'_>,
) -> Completion {
    let word = current.map_or("", |word| word.text.as_str());
    let (base, typed) = word.rsplit_once('.').map_or((None, word), |(base, typed)| (Some(base), typed));
    let path: Vec<&str> = base.map(|base| base.split('.').collect()).unwrap_or_default();
    let start = text.len() - typed.len();
    let prefix = base.map(|base| format!("{base}.")).unwrap_or_default();
    let is_given = |key: &str| before.iter().any(|word| word.equals.is_some() && word.key() == key);
    let is_argument = |key: &str| path.is_empty() && schema.accepts_key(command, key);
    let mut completion = Completion { start, ..Completion::default() };
    for member in members_at(schema, command.returns, &path) {
        let suffix = if has_members(schema, member.kind) { "." } else { "=" };
        let key = format!("{prefix}{}", member.name);
        let is_wanted = completer.lookup.matching.accepts(&member.name, typed) && !is_given(&key) && !is_argument(&key);
        let candidate = Candidate::new(format!("{}{suffix}", member.name), type_label(schema, member.kind));
        if is_wanted && !completion.candidates.contains(&candidate) {
            completion.candidates.push(candidate);
        }
    }
    if path.is_empty() {
        let options = options.iter().filter(|(option, _)| !is_given(option.trim_end_matches('=')));
        completion.candidates.extend(completer.offer(typed, start, options.copied()).candidates);
    }
    completion
}

/// Returns whether a value of the type has members, or items that have.
fn has_members(schema: &Schema, kind: TypeId) -> bool {
    match schema.definition(kind) {
        Type::Object(_) => true,
        Type::Array(element) => has_members(schema, *element),
        _ => false,
    }
}
