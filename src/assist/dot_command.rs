//! Completion of dot commands, according to what each of them takes.

use crate::grammar::{Language, Word, last_part, tokenize};

use super::arguments::Subject;
use super::command::{command_names, complete_after, complete_command_arguments, pairs};
use super::complete::{Completer, split_at_cursor};
use super::conditions::complete_condition;
use super::hmp::complete_hmp;
use super::name_kind::NameKind;
use super::types::{Candidate, Completes, Completion, CompletionContext, Name};

/// Completes a line that begins with a dot.
pub(super) fn complete_dot_command(text: &str, completer: &Completer<'_>) -> Completion {
    let context = completer.context;
    let tokens = tokenize(text);
    let (words, typed, start) = split_at_cursor(text, &tokens.words);
    let Some((name, arguments)) = words.split_first() else {
        let entries = context.dot_commands.iter().map(|entry| (entry.name, entry.summary));
        let mut completion = completer.offer(typed.trim_start_matches('.'), start, entries);
        completion.candidates.iter_mut().for_each(|candidate| candidate.text.insert(0, '.'));
        return completion;
    };
    let name = name.trim_start_matches('.');
    let Some(entry) = context.dot_command(name) else {
        return Completion::default();
    };
    if entry.completes == Completes::AnyLine
        && text.contains('|')
        && let Some(first) = tokens.words.get(1)
    {
        return completer.complete_line_from(text, first.span.start);
    }
    match (entry.completes, arguments.len()) {
        (Completes::Files, 0) => complete_file(typed, start, completer),
        (Completes::Addresses, 0) => complete_address(typed, start, completer),
        (Completes::Addresses, 1) if arguments[0].starts_with('-') => complete_address(typed, start, completer),
        (Completes::FileThenCommand(options), count) => {
            let has_option = arguments.first().is_some_and(|word| options.iter().any(|(option, _)| *word == *option));
            match count - usize::from(has_option) {
                0 => {
                    let mut completion = complete_file(typed, start, completer);
                    if !has_option {
                        let options = completer.offer(typed, start, options.iter().copied());
                        completion.candidates.extend(options.candidates);
                    }
                    completion
                }
                1 => completer.offer(typed, start, pairs(&command_names(completer))),
                _ => {
                    let command = usize::from(has_option) + 1;
                    complete_command_arguments(text, command + 2, arguments[command], completer)
                }
            }
        }
        (Completes::EventFilter, 0) => {
            let forms = [("except", "all but these"), ("off", "none"), ("on", "all"), ("only", "only these")];
            completer.offer(typed, start, forms)
        }
        (Completes::EventFilter, _) => complete_event(typed, start, completer),
        (Completes::Wait, 0) => {
            let operations = [("job", "the end of a job"), ("migration", "the end of the migration")];
            let mut completion = completer.offer(typed, start, operations);
            completion.candidates.extend(complete_event(typed, start, completer).candidates);
            completion
        }
        (Completes::Wait, _) => complete_wait(text, typed, start, arguments, completer),
        (Completes::JobsAndMigration, _) => {
            let words = [("all", "all jobs and the migration"), ("migration", "the migration")];
            let jobs = pairs(completer.lookup.get(&NameKind::Jobs)).chain(words);
            completer.offer(typed, start, jobs.filter(|(name, _)| !arguments.contains(name)))
        }
        (Completes::HmpLine, _) => complete_hmp_tail(text, name, completer),
        (Completes::AnyLine, 0) => {
            let mut completion = complete_hmp_tail(text, name, completer);
            if context.language == Language::Qmp {
                let commands = completer.offer(typed, start, pairs(&command_names(completer)));
                completion.start = start;
                completion.candidates.extend(commands.candidates);
                completion.candidates.sort_by(|a, b| a.text.cmp(&b.text));
                completion.candidates.dedup_by(|a, b| a.text == b.text);
            }
            completion
        }
        (Completes::AnyLine, _) => {
            let is_qmp = || command_names(completer).iter().any(|command| command.text == arguments[0]);
            match context.language == Language::Qmp && is_qmp() {
                true => complete_command_arguments(text, 2, arguments[0], completer),
                false => complete_hmp_tail(text, name, completer),
            }
        }
        (Completes::Line, _) => {
            let line_start = inner_line(text, context).unwrap_or(start);
            shifted(completer.complete_line(&text[line_start..]), line_start)
        }
        (Completes::Question(options), _) => {
            let line_start = inner_line(text, context).unwrap_or(start);
            shifted(complete_question(&text[line_start..], options, completer), line_start)
        }
        (Completes::Aliases, 0) => completer.offer(typed, start, pairs(&context.aliases)),
        (Completes::Servers, 0) => completer.offer(typed, start, pairs(&context.servers)),
        (Completes::Settings, 0) => {
            completer.offer(typed, start, context.settings.iter().map(|setting| (setting.name, setting.help)))
        }
        (Completes::Settings, 1) => {
            let setting = context.settings.iter().find(|setting| setting.name == arguments[0]);
            let values = setting.map(|setting| setting.values.as_slice()).unwrap_or_default();
            completer.offer(typed, start, values.iter().copied())
        }
        (Completes::Topics, 0) => complete_topics(typed, start, completer),
        (Completes::Views(topics), 0) => completer.offer(typed, start, topics.iter().copied()),
        (Completes::Views(_), 1) => complete_view_argument(typed, start, arguments[0], completer),
        _ => Completion::default(),
    }
}

fn shifted(completion: Completion, offset: usize) -> Completion {
    Completion { start: completion.start + offset, ..completion }
}

/// Completes a command with its arguments, and conditions on what it returns or a filter.
fn complete_question(
    text: &str,
    options: &'static [(&'static str, &'static str)],
    completer: &Completer<'_>,
) -> Completion {
    let arguments = completer.complete_parts(text, true);
    let has_tail = completer.context.with_split_rules(|rules| last_part(text, rules)).tail.is_some();
    if has_tail || completer.context.language == Language::Hmp {
        return arguments;
    }
    let conditions = complete_condition(text, options, completer);
    if arguments.candidates.is_empty() && arguments.missing.is_empty() {
        return conditions;
    }
    let mut completion = arguments;
    if completion.start == conditions.start {
        completion.candidates.extend(conditions.candidates);
    }
    completion
}

/// Returns the offset of the line of the current language after a dot command that takes one, perhaps after a number.
pub(super) fn inner_line(text: &str, context: &CompletionContext<'_>) -> Option<usize> {
    let words = tokenize(text).words;
    let (name, words) = words.split_first()?;
    let name = name.text.strip_prefix('.')?;
    let entry = context.dot_commands.iter().find(|entry| entry.name == name || entry.aliases.contains(&name))?;
    if !matches!(entry.completes, Completes::Line | Completes::Question(_)) {
        return None;
    }
    let is_number = |word: &Word| word.text.parse::<f64>().is_ok() && word.span.end < text.len();
    words.iter().find(|word| !is_number(word)).map(|word| word.span.start)
}

/// Completes everything after the name of a dot command as an HMP line.
fn complete_hmp_tail(text: &str, name: &str, completer: &Completer<'_>) -> Completion {
    let name_end = text.len() - text.trim_start().len() + 1 + name.len();
    let line = &text[name_end.min(text.len())..];
    complete_hmp(text, name_end + (line.len() - line.trim_start().len()), completer)
}

pub(super) fn complete_file(typed: &str, start: usize, completer: &Completer<'_>) -> Completion {
    let files = completer.lookup.get(&NameKind::Files(typed.to_owned()));
    let candidates = files.iter().map(|file| Candidate::new(escaped(&file.text), "")).collect();
    Completion { start, candidates, missing: Vec::new() }
}

fn complete_address(typed: &str, start: usize, completer: &Completer<'_>) -> Completion {
    let addresses = completer.lookup.get(&NameKind::Addresses(typed.to_owned()));
    let candidate = |address: &Name| Candidate::new(escaped(&address.text), &address.description);
    Completion { start, candidates: addresses.iter().map(candidate).collect(), missing: Vec::new() }
}

/// Completes a help topic: a dot command, another topic of the shell, a command or an event of the server.
pub(super) fn complete_topics(typed: &str, start: usize, completer: &Completer<'_>) -> Completion {
    let context = completer.context;
    let typed = typed.trim_start_matches('.');
    let dot_commands = context.dot_commands.iter().map(|entry| (entry.name, entry.summary));
    let topics = dot_commands.chain(pairs(&context.topics)).chain([("apropos", "search for a word")]);
    let mut completion = completer.offer(typed, start, topics);
    let commands = command_names(completer);
    completion.candidates.extend(completer.offer(typed, start, pairs(&commands)).candidates);
    if let Some(schema) = context.schema {
        let events = schema.events().iter().map(|event| (event.name.as_str(), "event"));
        completion.candidates.extend(completer.offer(typed, start, events).candidates);
    }
    // There are hundreds of types.
    if !typed.is_empty() {
        for (kind, description) in [(NameKind::DeviceTypes, "device"), (NameKind::ObjectTypes, "object type")] {
            let types = completer.lookup.get(&kind).iter().map(|name| (name.text.as_str(), description));
            completion.candidates.extend(completer.offer(typed, start, types).candidates);
        }
    }
    completion
}

fn complete_event(typed: &str, start: usize, completer: &Completer<'_>) -> Completion {
    let names = event_names(completer);
    // Events are matched in any case, and their names are in upper case.
    completer.offer(&typed.to_uppercase(), start, names.iter().map(|name| (name.as_str(), "")))
}

/// Completes the argument of a topic of `.show`.
fn complete_view_argument(typed: &str, start: usize, topic: &str, completer: &Completer<'_>) -> Completion {
    match topic {
        "qom" => {
            let parent = typed.rsplit_once('/').map_or("", |(parent, _)| parent);
            let children = completer.lookup.get(&NameKind::QomChildren(parent.to_owned()));
            completer.offer(typed, start, pairs(children))
        }
        "screen" => complete_file(typed, start, completer),
        _ => Completion::default(),
    }
}

/// Completes the arguments of `.wait` after the event, `job` or `migration`.
fn complete_wait(text: &str, typed: &str, start: usize, arguments: &[&str], completer: &Completer<'_>) -> Completion {
    let mut completion = match (arguments[0], arguments.len()) {
        ("job", 1) => {
            return completer.offer(typed, start, pairs(completer.lookup.get(&NameKind::Jobs)));
        }
        ("job", _) => {
            let statuses =
                [("status=pending", "until it can be finalized"), ("status=ready", "until it can be completed")];
            let is_given = arguments.iter().any(|word| word.starts_with("status="));
            completer.offer(typed, start, statuses.into_iter().filter(|_| !is_given))
        }
        ("migration", _) => Completion::default(),
        (event, _) => complete_after(text, 2, event_subject(completer, event)),
    };
    if !typed.contains('=') && !arguments.iter().any(|word| word.starts_with("timeout=")) {
        let timeout = completer.offer(typed, start, [("timeout=", "maximum wait in seconds")]);
        completion.start = timeout.start;
        completion.candidates.extend(timeout.candidates);
    }
    completion
}

/// Returns the names of the server's events; without introspection, those of the events received so far.
fn event_names(completer: &Completer<'_>) -> Vec<String> {
    let schema = completer.context.schema;
    let known: Vec<String> =
        schema.into_iter().flat_map(|schema| schema.events()).map(|event| event.name.clone()).collect();
    if known.is_empty() { completer.context.events.clone() } else { known }
}

/// Returns an event, whose data is completed, as the subject.
fn event_subject<'a>(completer: &'a Completer<'_>, name: &str) -> Option<Subject<'a>> {
    let schema = completer.context.schema?;
    let info = schema.event(&name.to_uppercase())?;
    Some(Subject { schema, name: &info.name, root: info.data, lookup: &completer.lookup })
}

/// Escapes a path, so that it is one word of the line.
fn escaped(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@,=%~".contains(c);
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        if !is_plain(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
