//! Completion.

use crate::grammar::{LineMode, tokenize};
use crate::schema::{Schema, Type, action_type, member_type, transaction_variants};

use super::arguments::{AskLive, Subject, complete_arguments, complete_json, complete_request};
use super::last::last_line;
use super::monitor::complete_monitor;

/// What Tab offers behind the name of a command to the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completes {
    /// Nothing.
    Nothing,
    /// Files.
    Files,
    /// A file, then a QMP command.
    FileThenCommand,
    /// The forms of `.events`, then names of events.
    Events,
    /// Names of events.
    EventNames,
    /// A line for the human monitor.
    Monitor,
    /// Settings, then their values.
    Settings,
    /// Help topics.
    Topics,
}

/// Names with a few words each.
pub type Named<'a> = (&'a str, &'a str);

/// Everything that completion may draw on.
pub struct CompletionContext<'a> {
    /// The language of the line.
    pub language: LineMode,
    /// Whether the line stands in a transaction block.
    pub in_transaction: bool,
    /// What the server says of itself.
    pub schema: Option<&'a Schema>,
    /// Asks for names that live in the server.
    pub live: &'a AskLive<'a>,
    /// QMP commands, where there is no schema.
    pub commands: &'a [String],
    /// HMP commands.
    pub monitor: &'a [(String, String)],
    /// Subcommands of HMP's `info`.
    pub info: &'a [(String, String)],
    /// Commands to the shell: name, summary, and what they complete.
    pub metas: &'a [(&'a str, &'a str, Completes)],
    /// Help topics that are no command.
    pub topics: &'a [Named<'a>],
    /// Settings: name, summary, values.
    pub settings: &'a [(&'a str, &'a str, &'a [&'a str])],
    /// Names of events seen.
    pub events: &'a [String],
    /// Files whose path begins with the text, folders with a `/` behind.
    pub files: &'a dyn Fn(&str) -> Vec<String>,
}

/// One candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What the word becomes.
    pub text: String,
    /// A few words about it; may be empty.
    pub about: String,
}

/// What may stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completion {
    /// Where the text that a candidate replaces begins; it ends at the cursor.
    pub start: usize,
    /// The candidates in order.
    pub candidates: Vec<Candidate>,
}

/// What may stand at the end of `text`, the line up to the cursor. Of several lines, the last is meant.
pub fn complete(text: &str, known: &CompletionContext<'_>) -> Completion {
    let (start, in_transaction) = last_line(text, known.language, known.in_transaction);
    let mut completion = complete_line(&text[start..], &CompletionContext { in_transaction, ..*known });
    completion.start += start;
    completion
}

fn complete_line(text: &str, known: &CompletionContext<'_>) -> Completion {
    let trimmed = text.trim_start();
    let offset = text.len() - trimmed.len();
    if trimmed.starts_with('!') || trimmed.starts_with('#') {
        return Completion::default();
    }
    if trimmed.starts_with('.') {
        return meta(text, known);
    }
    if known.language == LineMode::Hmp {
        return complete_monitor(text, offset, known);
    }
    command(text, known)
}

/// The finished words before the cursor, and the text and place of the word being typed.
fn split(text: &str) -> (Vec<String>, String, usize) {
    let mut words = tokenize(text).words;
    match words.last() {
        Some(word) if word.span.end == text.len() => {
            let (current, start) = (word.text.clone(), word.span.start);
            words.pop();
            (words.into_iter().map(|word| word.text).collect(), current, start)
        }
        _ => (words.into_iter().map(|word| word.text).collect(), String::new(), text.len()),
    }
}

fn offer<'a>(typed: &str, start: usize, names: impl IntoIterator<Item = Named<'a>>) -> Completion {
    let fitting = names.into_iter().filter(|(name, _)| name.starts_with(typed));
    let candidates =
        fitting.map(|(name, about)| Candidate { text: name.to_owned(), about: about.to_owned() }).collect();
    Completion { start, candidates }
}

fn pairs(names: &[(String, String)]) -> impl Iterator<Item = Named<'_>> {
    names.iter().map(|(name, about)| (name.as_str(), about.as_str()))
}

fn command(text: &str, known: &CompletionContext<'_>) -> Completion {
    let trimmed = text.trim_start();
    let json_at = text.len() - trimmed.len() + if trimmed.starts_with("->") { 2 } else { 0 };
    let from = text.len() - text[json_at..].trim_start().len();
    if text[from..].starts_with('{') {
        let names = command_names(known);
        return match known.in_transaction {
            true => json_action(text, from, known),
            false => {
                let able = |name: &str| allows_oob(known, name);
                complete_request(text, from, &named(&names), &able, &|command| subject(known, command))
            }
        };
    }
    let (before, typed, start) = split(text);
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    match before[..] {
        ["transaction(", ..] if !known.in_transaction => action(text, 1, &before[1..], &typed, start, known),
        ["transaction", "(", ..] if !known.in_transaction => action(text, 2, &before[2..], &typed, start, known),
        _ if known.in_transaction => action(text, 0, &before, &typed, start, known),
        [] => {
            let own = [
                ("exec-oob".to_owned(), "send a command out of band".to_owned()),
                ("help".to_owned(), "explain the shell".to_owned()),
                ("transaction(".to_owned(), "gather actions into one request".to_owned()),
            ];
            let mut names = command_names(known);
            names.extend(own);
            let mut completion = offer(&typed, start, named(&names));
            completion.candidates.sort_by(|a, b| a.text.cmp(&b.text));
            completion
        }
        ["exec-oob"] => {
            let names = command_names(known);
            offer(&typed, start, named(&names).into_iter().filter(|(name, _)| allows_oob(known, name)))
        }
        ["help"] => topics(&typed, start, known),
        ["exec-oob", name, ..] => behind(text, 2, name, known),
        [name, ..] => behind(text, 1, name, known),
    }
}

/// An action of a transaction, or what closes it. `count` words open the transaction on this line; `before` are the
/// finished ones behind them.
fn action(
    text: &str,
    count: usize,
    before: &[&str],
    typed: &str,
    start: usize,
    known: &CompletionContext<'_>,
) -> Completion {
    if let Some(at) = before.iter().position(|word| *word == ")") {
        let schema = known.schema;
        let properties = schema.and_then(|schema| {
            let root = member_type(schema, schema.command("transaction")?.arguments, "properties")?;
            Some(Subject { schema, name: "transaction", root, live: known.live, files: known.files })
        });
        return arguments(text, count + at + 1, properties);
    }
    match before {
        [] => {
            let tokens = tokenize(text);
            let json = tokens.words.last().filter(|word| word.open.is_some()).and_then(|word| word.bracket);
            if let Some(from) = json {
                return json_action(text, from, known);
            }
            let actions = known.schema.and_then(transaction_variants).unwrap_or_default();
            let mut completion = offer(typed, start, actions.iter().map(|(name, _)| (name.as_str(), "action")));
            completion.candidates.sort_by(|a, b| a.text.cmp(&b.text));
            completion.candidates.extend(offer(typed, start, [(")", "send the transaction")]).candidates);
            completion
        }
        [name, ..] => {
            let mut completion = arguments(text, count + 1, action_subject(known, name));
            if typed.is_empty() && count > 0 {
                completion
                    .candidates
                    .push(Candidate { text: ")".to_owned(), about: "send the transaction".to_owned() });
            }
            completion
        }
    }
}

/// Whether the command can be executed out of band, for all that is known.
fn allows_oob(known: &CompletionContext<'_>, name: &str) -> bool {
    known.schema.is_none_or(|schema| schema.command(name).is_some_and(|command| command.allow_oob))
}

/// An action as JSON that breaks off.
fn json_action(text: &str, from: usize, known: &CompletionContext<'_>) -> Completion {
    let subject = known.schema.and_then(|schema| {
        let actions = member_type(schema, schema.command("transaction")?.arguments, "actions")?;
        let Type::Array(root) = *schema.kind(actions) else { return None };
        Some(Subject { schema, name: "transaction", root, live: known.live, files: known.files })
    });
    subject.map(|subject| complete_json(text, from, &subject)).unwrap_or_default()
}

/// Arguments behind `count` words.
fn arguments(text: &str, count: usize, subject: Option<Subject<'_>>) -> Completion {
    let Some(subject) = subject else { return Completion::default() };
    let mut tokens = tokenize(text);
    tokens.words.drain(..count.min(tokens.words.len()));
    complete_arguments(text, &tokens, &subject)
}

/// Behind the name of a command, which with what leads it is `count` words.
fn behind(text: &str, count: usize, name: &str, known: &CompletionContext<'_>) -> Completion {
    arguments(text, count, subject(known, name))
}

fn subject<'a>(known: &CompletionContext<'a>, name: &str) -> Option<Subject<'a>> {
    let schema = known.schema?;
    let info = schema.command(name)?;
    Some(Subject { schema, name: &info.name, root: info.arguments, live: known.live, files: known.files })
}

fn action_subject<'a>(known: &CompletionContext<'a>, name: &str) -> Option<Subject<'a>> {
    let schema = known.schema?;
    let (case, _) = transaction_variants(schema)?.iter().find(|(case, _)| case == name)?;
    Some(Subject { schema, name: case, root: action_type(schema, name)?, live: known.live, files: known.files })
}

/// What an event carries, to be waited for.
fn event_subject<'a>(known: &CompletionContext<'a>, name: &str) -> Option<Subject<'a>> {
    let schema = known.schema?;
    let info = schema.event(&name.to_uppercase())?;
    Some(Subject { schema, name: &info.name, root: info.data, live: known.live, files: known.files })
}

/// Commands by name, each with its keys, those that may be left out in brackets.
fn command_names(known: &CompletionContext<'_>) -> Vec<(String, String)> {
    /// So many keys are told.
    const TOLD: usize = 6;
    match known.schema {
        Some(schema) => schema
            .commands()
            .iter()
            .map(|command| {
                let members = &schema.object(command.arguments).members;
                let (needed, optional): (Vec<_>, Vec<_>) = members.iter().partition(|member| !member.optional);
                let needed = needed.into_iter().map(|member| member.name.clone());
                let optional = optional.into_iter().map(|member| format!("[{}]", member.name));
                let marks = command.features.iter().filter(|f| matches!(f.as_str(), "deprecated" | "unstable"));
                let mut words: Vec<String> = marks.map(|mark| format!("({mark})")).collect();
                words.extend(needed.chain(optional).take(TOLD));
                if members.len() > TOLD {
                    words.push("…".to_owned());
                } else if members.is_empty() {
                    words.push("no arguments".to_owned());
                }
                (command.name.clone(), words.join(" "))
            })
            .collect(),
        None => known.commands.iter().map(|name| (name.clone(), String::new())).collect(),
    }
}

fn named(names: &[(String, String)]) -> Vec<Named<'_>> {
    pairs(names).collect()
}

fn topics(typed: &str, start: usize, known: &CompletionContext<'_>) -> Completion {
    let typed = typed.trim_start_matches('.');
    let metas = known.metas.iter().map(|meta| (meta.0, meta.1)).chain(known.topics.iter().copied());
    let mut completion = offer(typed, start, metas.chain([("apropos", "search for a word")]));
    let names = command_names(known);
    completion.candidates.extend(offer(typed, start, named(&names)).candidates);
    if let Some(schema) = known.schema {
        let events = schema.events().iter().map(|event| (event.name.as_str(), "event"));
        completion.candidates.extend(offer(typed, start, events).candidates);
    }
    completion
}

fn meta(text: &str, known: &CompletionContext<'_>) -> Completion {
    let (before, typed, start) = split(text);
    let Some((name, before)) = before.split_first() else {
        let mut completion = offer(typed.trim_start_matches('.'), start, known.metas.iter().map(|m| (m.0, m.1)));
        completion.candidates.iter_mut().for_each(|candidate| candidate.text.insert(0, '.'));
        return completion;
    };
    let name = name.trim_start_matches('.');
    let Some((_, _, completes)) = known.metas.iter().find(|meta| meta.0 == name) else {
        return Completion::default();
    };
    let described: Vec<String> =
        known.schema.map(|s| s.events().iter().map(|e| e.name.clone()).collect()).unwrap_or_default();
    let events = if described.is_empty() { known.events } else { &described };
    let events = events.iter().map(|name| (name.as_str(), ""));
    match (completes, before.len()) {
        (Completes::Files | Completes::FileThenCommand, 0) => {
            let candidates = (known.files)(&typed).into_iter();
            let candidates = candidates.map(|path| Candidate { text: quoted(&path), about: String::new() }).collect();
            Completion { start, candidates }
        }
        (Completes::FileThenCommand, 1) => offer(&typed, start, named(&command_names(known))),
        (Completes::FileThenCommand, _) => behind(text, 3, &before[1], known),
        (Completes::Events, 0) => {
            let forms = [
                ("except", "all but these"),
                ("off", "show none"),
                ("on", "show all"),
                ("only", "these and no others"),
            ];
            offer(&typed, start, forms)
        }
        (Completes::Events, _) | (Completes::EventNames, 0) => offer(&typed, start, events),
        (Completes::EventNames, _) => {
            let mut completion = arguments(text, 2, event_subject(known, &before[0]));
            if !typed.contains('=') && !before.iter().any(|word| word.starts_with("timeout=")) {
                let own = offer(&typed, start, [("timeout=", "seconds to wait at the most")]);
                completion.start = own.start;
                completion.candidates.extend(own.candidates);
            }
            completion
        }
        (Completes::Monitor, _) => {
            let at = text.len() - text.trim_start().len() + ".hmp".len();
            let line = &text[at.min(text.len())..];
            complete_monitor(text, at + (line.len() - line.trim_start().len()), known)
        }
        (Completes::Settings, 0) => offer(&typed, start, known.settings.iter().map(|setting| (setting.0, setting.1))),
        (Completes::Settings, 1) => {
            let setting = known.settings.iter().find(|setting| setting.0 == before[0]);
            let values = setting.map(|setting| setting.2).unwrap_or_default();
            offer(&typed, start, values.iter().map(|value| (*value, "")))
        }
        (Completes::Topics, 0) => topics(&typed, start, known),
        _ => Completion::default(),
    }
}

/// A path as a word of the line.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@,=%~".contains(c);
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        if !plain(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str, language: LineMode) -> (usize, String) {
        let named = |names: &[&str]| names.iter().map(|n| ((*n).to_owned(), String::new())).collect::<Vec<_>>();
        let known = CompletionContext {
            language,
            in_transaction: false,
            schema: None,
            live: &|_| Vec::new(),
            commands: &["query-block".to_owned(), "query-status".to_owned(), "quit".to_owned()],
            monitor: &named(&["help", "info", "quit"]),
            info: &named(&["block", "registers"]),
            metas: &[
                ("events", "", Completes::Events),
                ("fd", "", Completes::FileThenCommand),
                ("hmp", "", Completes::Monitor),
                ("set", "", Completes::Settings),
                ("source", "", Completes::Files),
                ("help", "", Completes::Topics),
                ("wait", "", Completes::EventNames),
            ],
            topics: &[("line", "")],
            settings: &[("pager", "", &["on", "off"])],
            events: &["STOP".to_owned(), "RESUME".to_owned()],
            files: &|typed| ["a b", "ac"].iter().filter(|f| f.starts_with(typed)).map(|f| (*f).to_owned()).collect(),
        };
        let completion = complete(line, &known);
        let texts: Vec<String> = completion.candidates.into_iter().map(|c| c.text).collect();
        (completion.start, texts.join(" "))
    }

    #[test]
    fn lines_and_their_candidates() {
        use LineMode::{Hmp, Qmp};
        for (line, language, start, expected) in [
            ("", Qmp, 0, "exec-oob help query-block query-status quit transaction("),
            ("q", Qmp, 0, "query-block query-status quit"),
            ("  query-s", Qmp, 2, "query-status"),
            ("exec-oob qui", Qmp, 9, "quit"),
            ("quit ", Qmp, 0, ""),
            ("help s", Qmp, 5, "set source"),
            (".s", Qmp, 0, ".set .source"),
            (".set p", Qmp, 5, "pager"),
            (".set pager o", Qmp, 11, "on off"),
            (".source a", Qmp, 8, "a\\ b ac"),
            (".fd ac q", Qmp, 7, "query-block query-status quit"),
            (".events o", Qmp, 8, "off on only"),
            (".events only S", Qmp, 13, "STOP"),
            (".wait R", Qmp, 6, "RESUME"),
            (".wait STOP t", Qmp, 11, "timeout="),
            (".hmp in", Qmp, 5, "info"),
            (".hmp info r", Qmp, 10, "registers"),
            ("in", Hmp, 0, "info"),
            ("info b", Hmp, 5, "block"),
            ("help i", Hmp, 5, "info"),
            ("help info r", Hmp, 10, "registers"),
            ("info block x", Hmp, 0, ""),
            (".se", Hmp, 0, ".set"),
            ("!l", Qmp, 0, ""),
        ] {
            assert_eq!(texts(line, language), (start, expected.to_owned()), "{line:?}");
        }
    }
}
