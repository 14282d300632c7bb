//! Completion of arguments by the server's introspection, as words and inside JSON: finds out what is being typed, and
//! offers keys. The module `values` offers values.

use std::collections::HashSet;

use crate::grammar::{Span, Unclosed, Word, tokenize};
use crate::schema::{
    Continuation, ObjectMember, PartialArguments, Schema, Type, TypeId, may_be_empty, positional_member, type_label,
};

use super::current_word::{CurrentWord, Quoting};
use super::json::{JsonCursor, PartialJson, read_partial_json};
use super::matching::Matching;
use super::name_kind::{NameKind, name_kinds_of_key};
use super::types::{Candidate, Completion, Lookup, Name};
use super::values::complete_value;

/// The maximum number of enum values in the description of a key.
const MAX_DESCRIBED_VALUES: usize = 5;

/// The maximum depth to which keys are followed. A server may describe a type that contains itself.
const MAX_CHAIN_KEYS: usize = 8;

/// The command or event whose arguments are completed.
pub(super) struct Subject<'a> {
    pub(super) schema: &'a Schema,
    /// The name of the command, action or event.
    pub(super) name: &'a str,
    /// The type of its arguments.
    pub(super) root: TypeId,
    pub(super) lookup: &'a Lookup<'a>,
}

/// Completes the end of `text`, after the name of the subject. `words` are those after that name.
pub(super) fn complete_arguments(text: &str, words: &[Word], comments: &[Span], subject: &Subject<'_>) -> Completion {
    if comments.last().is_some_and(|comment| comment.end == text.len()) {
        return Completion::default();
    }
    let mut words = words;
    let current = words.last().filter(|word| word.span.end == text.len());
    if current.is_some() {
        words = &words[..words.len() - 1];
    }
    let positional = positional_member(subject.schema, subject.root).map(|member| member.name.as_str());
    let arguments = PartialArguments::of_words(text, words, positional);
    // The first word can be the value of that key, as well as a key.
    let positional = positional.filter(|_| words.is_empty());
    let Some(word) = current else {
        let empty = || CurrentWord { start: text.len(), raw: "", text: "", open: None };
        let keys = complete_keys(&arguments, &[], &empty(), subject);
        let names = positional.filter(|key| names_what_exists(key, &arguments, subject));
        return with_values(keys, text, &arguments, names, empty(), subject);
    };
    if word.open == Some(Unclosed::Escape) {
        return Completion::default();
    }
    if let Some(json_start) = word.bracket.filter(|_| word.open.is_some()) {
        // Only the first word can contain all arguments as JSON.
        if word.equals.is_none() && !words.is_empty() {
            return Completion::default();
        }
        let json = read_partial_json(text, json_start);
        let base = word.equals.map_or(Vec::new(), |_| path_of(word.key()));
        return complete_inside_json(&json, &arguments.with_branch(&base, &json.given), &base, 0, subject);
    }
    if word.equals.is_some() {
        let start = word.value_span().start;
        let current = CurrentWord { start, raw: &text[start..], text: word.value(), open: word.open };
        return complete_value(&arguments, &path_of(word.key()), Quoting::Word(current), subject);
    }
    let (base, typed) = match word.text.rsplit_once('.') {
        Some((base, typed)) => (path_of(base), typed),
        None => (Vec::new(), word.text.as_str()),
    };
    let start = text[word.span.start..].rfind('.').map_or(word.span.start, |at| word.span.start + at + 1);
    let current = CurrentWord { start, raw: &text[start..], text: typed, open: word.open };
    let keys = complete_keys(&arguments, &base, &current, subject);
    let start = word.span.start;
    let whole = CurrentWord { start, raw: &text[start..], text: &word.text, open: word.open };
    with_values(keys, text, &arguments, positional, whole, subject)
}

/// Returns whether the values of a key are names of what exists in the machine, which are few. Types and files are offered
/// once the first letter is typed.
fn names_what_exists(key: &str, arguments: &PartialArguments, subject: &Subject<'_>) -> bool {
    let is_enum = |member: &ObjectMember| matches!(subject.schema.definition(member.kind), Type::Enum(_));
    if positional_member(subject.schema, subject.root).is_some_and(is_enum) {
        return false;
    }
    let kinds = name_kinds_of_key(subject.name, key, arguments);
    let is_other = |kind: &NameKind| {
        matches!(kind, NameKind::Files(_) | NameKind::DeviceTypes | NameKind::ObjectTypes | NameKind::QomTypes)
    };
    !kinds.is_empty() && !kinds.iter().any(is_other)
}

/// Adds the values of the key `positional` to the candidates for a first word.
fn with_values(
    keys: Completion,
    text: &str,
    arguments: &PartialArguments,
    positional: Option<&str>,
    current: CurrentWord<'_>,
    subject: &Subject<'_>,
) -> Completion {
    let Some(key) = positional else { return keys };
    let mut values = complete_value(arguments, &[key.to_owned()], Quoting::Word(current), subject);
    // A name such as `a=b` or `#c` needs its key.
    let is_value = |candidate: &Candidate| {
        let line = format!("{}{}", &text[..values.start], candidate.text);
        let tokens = tokenize(&line);
        let word = tokens.words.last().filter(|word| word.span.start == values.start && word.equals.is_none());
        word.is_some_and(|word| word.bracket.is_none() && !word.text.starts_with('-'))
    };
    values.candidates.retain(is_value);
    if values.candidates.is_empty() && values.missing.is_empty() {
        return keys;
    }
    if keys.start == values.start {
        values.candidates.extend(keys.candidates);
        values.missing.extend(keys.missing);
    }
    values
}

/// Completes an incomplete JSON request. `subject` returns the subject for a command's name.
pub(super) fn complete_request<'a>(
    text: &str,
    json_start: usize,
    commands: &[Name],
    can_be_oob: &dyn Fn(&str) -> bool,
    matching: Matching,
    subject: &dyn Fn(&str) -> Option<Subject<'a>>,
) -> Completion {
    const MEMBERS: &[(&str, &str)] = &[
        ("execute", "the command"),
        ("arguments", "its arguments"),
        ("id", "returned in the reply"),
        ("exec-oob", "the command, out of band"),
    ];
    let json = read_partial_json(text, json_start);
    let command = json.given.text_at(&["execute"]).or_else(|| json.given.text_at(&["exec-oob"]));
    let (path, is_key) = match &json.cursor {
        JsonCursor::Key(path) => (path.as_slice(), true),
        JsonCursor::Value(path) => (path.as_slice(), false),
        JsonCursor::Between => return Completion::default(),
    };
    match (path, is_key) {
        ([], true) => {
            let given = json.given.names_at(&[]);
            // A request names one command, in band or out of band.
            let missing = MEMBERS.iter().filter(|(name, _)| {
                let is_settled = name.starts_with("exec") && command.is_some();
                !is_settled && !given.iter().any(|given| given == name)
            });
            offer_json_keys(&json, missing.map(|(name, description)| Name::new(*name, *description)), matching)
        }
        ([key], false) if key == "execute" || key == "exec-oob" => {
            let commands = commands.iter().filter(|name| key == "execute" || can_be_oob(&name.text));
            let quoting = Quoting::of(&json);
            let candidates = commands
                .filter_map(|name| Some(Candidate::new(quoting.string(&name.text, matching)?, &name.description)));
            Completion { start: quoting.start(), candidates: candidates.collect(), missing: Vec::new() }
        }
        ([first, ..], _) if first == "arguments" => {
            let Some(subject) = command.and_then(|command| subject(&command)) else { return Completion::default() };
            let arguments = json.given.branch("arguments");
            complete_inside_json(&json, &arguments, &[], 1, &subject)
        }
        _ => Completion::default(),
    }
}

/// Completes an incomplete JSON object that contains all arguments of the subject.
pub(super) fn complete_json(text: &str, json_start: usize, subject: &Subject<'_>) -> Completion {
    let json = read_partial_json(text, json_start);
    complete_inside_json(&json, &json.given, &[], 0, subject)
}

/// Completes keys and values inside JSON that is the value at `base` in the subject's arguments. The first `skipped`
/// parts of paths inside the JSON do not belong to the arguments.
fn complete_inside_json(
    json: &PartialJson,
    arguments: &PartialArguments,
    base: &[String],
    skipped: usize,
    subject: &Subject<'_>,
) -> Completion {
    let whole = |path: &[String]| -> Vec<String> { base.iter().chain(&path[skipped..]).cloned().collect() };
    match &json.cursor {
        JsonCursor::Between => Completion::default(),
        JsonCursor::Key(path) => {
            let Some(expected) = arguments.expected(subject.schema, subject.root, &whole(path)) else {
                return Completion::default();
            };
            let missing = expected.missing().into_iter();
            let mut keys: Vec<Name> = missing
                .map(|member| Name::new(&member.name, describe(subject.schema, member.kind, member.optional)))
                .collect();
            if whole(path).is_empty() {
                keys.extend(undocumented_keys(arguments, subject));
            }
            offer_json_keys(json, keys.into_iter(), subject.lookup.matching)
        }
        JsonCursor::Value(path) => complete_value(arguments, &whole(path), Quoting::of(json), subject),
    }
}

fn offer_json_keys(json: &PartialJson, keys: impl Iterator<Item = Name>, matching: Matching) -> Completion {
    let quote = json.quote.unwrap_or('"');
    let keys = keys.filter(|key| matching.accepts(&key.text, &json.typed));
    let candidates = keys.map(|key| Candidate::new(format!("{quote}{}{quote}: ", key.text), key.description));
    Completion { start: json.start, candidates: candidates.collect(), missing: Vec::new() }
}

fn path_of(dotted: &str) -> Vec<String> {
    dotted.split('.').map(str::to_owned).collect()
}

/// Returns a short description of a type, in brackets if the key is optional.
fn describe(schema: &Schema, kind: TypeId, optional: bool) -> String {
    let label = match schema.definition(kind) {
        Type::Enum(values) => {
            let names: Vec<&str> = values.iter().take(MAX_DESCRIBED_VALUES).map(|value| value.name.as_str()).collect();
            names.join("|") + if values.len() > MAX_DESCRIBED_VALUES { "|…" } else { "" }
        }
        _ => type_label(schema, kind),
    };
    if optional { format!("[{label}]") } else { label }
}

/// A key that may follow, as a word.
struct KeyChoice {
    name: String,
    /// The text after the name: `=`, `.`, `.0.` or `={}`.
    suffix: &'static str,
    description: String,
    required: bool,
}

/// Completes keys of the object or array at `base`, as words. If only one way leads on, follows it.
fn complete_keys(
    arguments: &PartialArguments,
    base: &[String],
    current: &CurrentWord<'_>,
    subject: &Subject<'_>,
) -> Completion {
    let mut choices = keys_at(arguments, base, subject);
    choices.retain(|key| subject.lookup.matching.accepts(&key.name, current.text));
    let completed = |key: &KeyChoice| current.completed(&key.name, true) + key.suffix;
    let candidates = match choices.as_slice() {
        [only] => {
            let text = completed(only) + &keys_on_the_way(arguments, base, only, subject);
            vec![Candidate::new(text, &only.description)]
        }
        choices => choices.iter().map(|key| Candidate::new(completed(key), &key.description)).collect(),
    };
    Completion { start: current.start, candidates, missing: Vec::new() }
}

/// Returns the keys below `key` that any further text must begin with: those of the only member, or of the only one that
/// is still required.
fn keys_on_the_way(arguments: &PartialArguments, base: &[String], key: &KeyChoice, subject: &Subject<'_>) -> String {
    let mut text = String::new();
    let mut path = base.to_vec();
    let (mut name, mut suffix) = (key.name.clone(), key.suffix);
    while path.len() < MAX_CHAIN_KEYS && suffix.ends_with('.') {
        path.push(name);
        path.extend(suffix.split('.').filter(|part| !part.is_empty()).map(str::to_owned));
        let choices = keys_at(arguments, &path, subject);
        let mut required = choices.iter().filter(|key| key.required);
        let only = match (choices.as_slice(), required.next(), required.next()) {
            ([only], ..) => only,
            (_, Some(only), None) if only.suffix.ends_with('.') => only,
            _ => break,
        };
        text += &only.name;
        text += only.suffix;
        (name, suffix) = (only.name.clone(), only.suffix);
    }
    text
}

/// Returns the keys that may follow in the object or array at `base`.
fn keys_at(arguments: &PartialArguments, base: &[String], subject: &Subject<'_>) -> Vec<KeyChoice> {
    let schema = subject.schema;
    let mut choices = Vec::new();
    let mut push = |name: &str, suffix: &'static str, description: &str, required: bool| {
        let (name, description) = (name.to_owned(), description.to_owned());
        choices.push(KeyChoice { name, suffix, description, required });
    };
    // The name of a property may contain dots, which seem to nest.
    let prefix: String = base.iter().map(|part| format!("{part}.")).collect();
    let properties = undocumented_keys(arguments, subject);
    let properties = properties.iter().filter_map(|key| Some((key.text.strip_prefix(&prefix)?, &key.description)));
    if !base.is_empty() {
        properties.clone().for_each(|(name, description)| push(name, "=", description, false));
    }
    if arguments.has_value(base) {
        return choices;
    }
    let Some(expected) = arguments.expected(schema, subject.root, base) else {
        let Some(element) = arguments.element_at(schema, subject.root, base) else { return choices };
        let description = describe(schema, element, true);
        let indices = arguments.names_at(base);
        for index in &indices {
            if arguments.continuation(schema, subject.root, &child_path(base, index)).is_some() {
                push(index, ".", &description, false);
            }
        }
        let taken: HashSet<&String> = indices.iter().collect();
        let next = (0..).map(|n: usize| n.to_string()).find(|n| !taken.contains(n)).unwrap_or_default();
        key_suffixes(schema, element).into_iter().for_each(|suffix| push(&next, suffix, &description, false));
        return choices;
    };
    // Required keys first, and the tag before all others.
    for wanted in [Continuation::Required, Continuation::Optional] {
        let required = wanted == Continuation::Required;
        for member in expected.in_order() {
            let description = describe(schema, member.kind, member.optional);
            if !expected.given.contains(&member.name) {
                if member.optional != required {
                    let mut suffixes = key_suffixes(schema, member.kind);
                    if required && may_be_empty(schema, member.kind) {
                        // The only way to give a required object without required keys.
                        suffixes.insert(0, "={}");
                        suffixes.truncate(if schema.object(member.kind).members.is_empty() { 1 } else { 2 });
                    }
                    suffixes.into_iter().for_each(|suffix| push(&member.name, suffix, &description, required));
                }
            } else if arguments.continuation(schema, subject.root, &child_path(base, &member.name)) == Some(wanted) {
                push(&member.name, ".", &description, required);
            }
        }
    }
    if base.is_empty() {
        properties.for_each(|(name, description)| push(name, "=", description, false));
    }
    choices
}

/// Returns keys that introspection does not list: the properties of the device being added.
fn undocumented_keys(arguments: &PartialArguments, subject: &Subject<'_>) -> Vec<Name> {
    if subject.name != "device_add" {
        return Vec::new();
    }
    let Some(driver) = arguments.text_at(&["driver"]) else { return Vec::new() };
    let expected = arguments.expected(subject.schema, subject.root, &[]).unwrap_or_default();
    let properties = subject.lookup.get(&NameKind::DeviceProperties(driver)).iter();
    let keys = properties.filter(|property| {
        let is_listed = expected.given.contains(&property.text)
            || expected.members.iter().any(|member| member.name == property.text);
        !property.description.starts_with("child<") && !is_listed
    });
    keys.map(|property| Name::new(&property.text, format!("[{}]", property.description))).collect()
}

fn child_path(base: &[String], name: &str) -> Vec<String> {
    base.iter().cloned().chain([name.to_owned()]).collect()
}

/// Returns the text that may follow a key: `=` for a value that fits into a word, `.` for keys below it, `.0.` for an array of
/// objects.
fn key_suffixes(schema: &Schema, kind: TypeId) -> Vec<&'static str> {
    let has_keys = |kind: TypeId| match schema.definition(kind) {
        Type::Object(_) => true,
        Type::Alternate(kinds) => kinds.iter().any(|kind| matches!(schema.definition(*kind), Type::Object(_))),
        _ => false,
    };
    match schema.definition(kind) {
        Type::Object(_) => vec!["."],
        Type::Array(element) => match schema.definition(*element) {
            Type::Object(_) => vec![".0."],
            _ if has_keys(*element) => vec!["=", ".0."],
            _ => vec!["="],
        },
        _ if has_keys(kind) => vec!["=", "."],
        _ => vec!["="],
    }
}
