//! Completion of QMP commands, requests as JSON, and transactions.

use crate::grammar::{Tokens, tokenize};
use crate::schema::manual::Entry;
use crate::schema::{Type, action_type, member_type, transaction_variants};

use super::arguments::{Subject, complete_arguments, complete_json, complete_request};
use super::complete::{Completer, split_at_cursor};
use super::dot_command::complete_topics;
use super::types::{Candidate, Completion, Name};

/// The maximum number of keys in the description of a command.
const MAX_DESCRIBED_KEYS: usize = 6;

/// Completes a line in QMP mode.
pub(super) fn complete_command(text: &str, completer: &Completer<'_>) -> Completion {
    let trimmed = text.trim_start();
    let arrow_end = text.len() - trimmed.len() + if trimmed.starts_with("->") { 2 } else { 0 };
    let json_start = text.len() - text[arrow_end..].trim_start().len();
    if text[json_start..].starts_with('{') {
        let names = command_names(completer);
        return match completer.in_transaction {
            true => complete_json_action(text, json_start, completer),
            false => {
                let can_be_oob = |name: &str| can_be_oob(completer, name);
                let subject = |command: &str| command_subject(completer, command);
                complete_request(text, json_start, &names, &can_be_oob, completer.lookup.matching, &subject)
            }
        };
    }
    let tokens = tokenize(text);
    let (words, typed, start) = split_at_cursor(text, &tokens.words);
    match words[..] {
        ["transaction(", ..] if !completer.in_transaction => {
            complete_action(text, 1, &words[1..], typed, start, completer)
        }
        ["transaction", "(", ..] if !completer.in_transaction => {
            complete_action(text, 2, &words[2..], typed, start, completer)
        }
        _ if completer.in_transaction => complete_action(text, 0, &words, typed, start, completer),
        [] => {
            let mut names = command_names(completer);
            names.push(Name::new("exec-oob", "send a command out of band"));
            names.push(Name::new("help", "explain the shell"));
            names.push(Name::new("transaction(", "collect actions into one request"));
            names.extend(completer.context.aliases.iter().cloned());
            let mut completion = completer.offer(typed, start, pairs(&names));
            completion.candidates.sort_by(|a, b| a.text.cmp(&b.text));
            completion
        }
        ["exec-oob"] => {
            let names = command_names(completer);
            let names = names.iter().filter(|name| can_be_oob(completer, &name.text));
            completer.offer(typed, start, names.map(pair))
        }
        ["help"] => complete_topics(typed, start, completer),
        ["exec-oob", name, ..] => complete_words_after(text, &tokens, 2, command_subject(completer, name)),
        [name, ..] => complete_words_after(text, &tokens, 1, command_subject(completer, name)),
    }
}

/// Completes an action of a transaction, or the parenthesis that closes the transaction. `opening` is the number of
/// words on this line that open it; `words` are the complete words after those.
fn complete_action(
    text: &str,
    opening: usize,
    words: &[&str],
    typed: &str,
    start: usize,
    completer: &Completer<'_>,
) -> Completion {
    if let Some(close) = words.iter().position(|word| *word == ")") {
        let properties = completer.context.schema.and_then(|schema| {
            let root = member_type(schema, schema.command("transaction")?.arguments, "properties")?;
            Some(Subject { schema, name: "transaction", root, lookup: &completer.lookup })
        });
        return complete_after(text, opening + close + 1, properties);
    }
    let [name, ..] = words else {
        let tokens = tokenize(text);
        let json = tokens.words.last().filter(|word| word.open.is_some()).and_then(|word| word.bracket);
        if let Some(json_start) = json {
            return complete_json_action(text, json_start, completer);
        }
        let actions = completer.context.schema.and_then(transaction_variants).unwrap_or_default();
        let actions = actions.iter().map(|(name, _)| (name.as_str(), "action"));
        let mut completion = completer.offer(typed, start, actions);
        completion.candidates.sort_by(|a, b| a.text.cmp(&b.text));
        completion.candidates.extend(completer.offer(typed, start, [(")", "send the transaction")]).candidates);
        return completion;
    };
    let mut completion = complete_after(text, opening + 1, action_subject(completer, name));
    if typed.is_empty() && opening > 0 {
        completion.candidates.push(Candidate::new(")", "send the transaction"));
    }
    completion
}

/// Completes an action that is written as JSON.
fn complete_json_action(text: &str, json_start: usize, completer: &Completer<'_>) -> Completion {
    let subject = completer.context.schema.and_then(|schema| {
        let actions = member_type(schema, schema.command("transaction")?.arguments, "actions")?;
        let Type::Array(root) = *schema.definition(actions) else { return None };
        Some(Subject { schema, name: "transaction", root, lookup: &completer.lookup })
    });
    subject.map(|subject| complete_json(text, json_start, &subject)).unwrap_or_default()
}

/// Completes the arguments of a command. Its name is the last of the first `words` words.
pub(super) fn complete_command_arguments(
    text: &str,
    words: usize,
    name: &str,
    completer: &Completer<'_>,
) -> Completion {
    complete_after(text, words, command_subject(completer, name))
}

/// Completes arguments after the first `words` words.
pub(super) fn complete_after(text: &str, words: usize, subject: Option<Subject<'_>>) -> Completion {
    complete_words_after(text, &tokenize(text), words, subject)
}

/// Completes arguments as [`complete_after`] does. `tokens` are those of `text`.
fn complete_words_after(text: &str, tokens: &Tokens, words: usize, subject: Option<Subject<'_>>) -> Completion {
    let Some(subject) = subject else { return Completion::default() };
    let arguments = tokens.words.get(words..).unwrap_or_default();
    complete_arguments(text, arguments, &tokens.comments, &subject)
}

/// Returns whether the command can be executed out of band. Without introspection every command may be.
fn can_be_oob(completer: &Completer<'_>, name: &str) -> bool {
    let schema = completer.context.schema;
    schema.is_none_or(|schema| schema.command(name).is_some_and(|command| command.allow_oob))
}

fn command_subject<'a>(completer: &'a Completer<'_>, name: &str) -> Option<Subject<'a>> {
    let schema = completer.context.schema?;
    let info = schema.command(name)?;
    Some(Subject { schema, name: &info.name, root: info.arguments, lookup: &completer.lookup })
}

fn action_subject<'a>(completer: &'a Completer<'_>, name: &str) -> Option<Subject<'a>> {
    let schema = completer.context.schema?;
    let (case, _) = transaction_variants(schema)?.iter().find(|(case, _)| case == name)?;
    Some(Subject { schema, name: case, root: action_type(schema, name)?, lookup: &completer.lookup })
}

/// Returns the QMP commands. Each is described by the first sentence of the manual on it, or else by its keys, optional ones
/// in brackets.
pub(super) fn command_names(completer: &Completer<'_>) -> Vec<Name> {
    let Some(schema) = completer.context.schema else {
        return completer.context.commands.iter().map(|name| Name::new(name, "")).collect();
    };
    let commands = schema.commands().iter().map(|command| {
        let members = &schema.object(command.arguments).members;
        let (required, optional): (Vec<_>, Vec<_>) = members.iter().partition(|member| !member.optional);
        let required = required.into_iter().map(|member| member.name.clone());
        let optional = optional.into_iter().map(|member| format!("[{}]", member.name));
        let sentence = completer.context.manual.and_then(|manual| manual.entry(&command.name)).map(Entry::summary);
        let features = command.features.iter().filter(|feature| matches!(feature.as_str(), "deprecated" | "unstable"));
        let mut words: Vec<String> = features.map(|feature| format!("({feature})")).collect();
        if let Some(sentence) = sentence.filter(|sentence| !sentence.is_empty()) {
            words.push(sentence);
            return Name::new(&command.name, words.join(" "));
        }
        words.extend(required.chain(optional).take(MAX_DESCRIBED_KEYS));
        if members.len() > MAX_DESCRIBED_KEYS {
            words.push("…".to_owned());
        } else if members.is_empty() {
            words.push("no arguments".to_owned());
        }
        Name::new(&command.name, words.join(" "))
    });
    commands.collect()
}

pub(super) fn pair(name: &Name) -> (&str, &str) {
    (&name.text, &name.description)
}

pub(super) fn pairs(names: &[Name]) -> impl Iterator<Item = (&str, &str)> {
    names.iter().map(pair)
}
