//! Completion of arguments, on words and inside JSON, by the server's introspection: finds out what is being typed, and
//! offers keys. Values are `values`'s.

use std::collections::HashSet;

use crate::grammar::{Tokens, Unclosed, Word};
use crate::schema::{Expected, PartialArguments, Schema, Type, TypeId, may_be_empty, type_label};

use super::complete::{Candidate, Completion};
use super::current_word::{CurrentWord, Quoting};
use super::json::{JsonCursor, PartialJson, read};
use super::live::NameKind;
use super::values::values;

/// Asks for names that live in the server, each with a few words.
pub type AskLive<'a> = dyn Fn(&NameKind) -> Vec<(String, String)> + 'a;

/// What a command's arguments are completed by.
pub(super) struct Subject<'a> {
    pub(super) schema: &'a Schema,
    /// The command's name, or the action's.
    pub(super) name: &'a str,
    /// The type of its arguments.
    pub(super) root: TypeId,
    pub(super) live: &'a AskLive<'a>,
    /// Files whose path begins with a text.
    pub(super) files: &'a dyn Fn(&str) -> Vec<String>,
}

/// What may stand at the end of `text`, behind the name of the subject. `tokens` are the words behind that name.
pub(super) fn complete_arguments(text: &str, tokens: &Tokens, subject: &Subject<'_>) -> Completion {
    if tokens.comments.last().is_some_and(|comment| comment.end == text.len()) {
        return Completion::default();
    }
    let mut words: &[Word] = &tokens.words;
    let current = words.last().filter(|word| word.span.end == text.len());
    if current.is_some() {
        words = &words[..words.len() - 1];
    }
    let given = PartialArguments::of_words(text, words);
    let Some(word) = current else {
        return keys(&given, &[], &CurrentWord { start: text.len(), raw: "", text: "", open: None }, subject);
    };
    if word.open == Some(Unclosed::Escape) {
        return Completion::default();
    }
    if let Some(at) = word.bracket.filter(|_| word.open.is_some()) {
        // Only the first word may be all the arguments as JSON.
        if word.equals.is_none() && !words.is_empty() {
            return Completion::default();
        }
        let unfinished = read(text, at);
        let base = word.equals.map_or(Vec::new(), |_| path(word.key()));
        return inside_json(&unfinished, &given.with(&base, &unfinished.given), &base, 0, subject);
    }
    if word.equals.is_some() {
        let start = word.value_span().start;
        let typed = CurrentWord { start, raw: &text[start..], text: word.value(), open: word.open };
        return values(&given, &path(word.key()), Quoting::Word(typed), subject);
    }
    let (base, typed) = match word.text.rsplit_once('.') {
        Some((base, typed)) => (path(base), typed),
        None => (Vec::new(), word.text.as_str()),
    };
    let start = text[word.span.start..].rfind('.').map_or(word.span.start, |at| word.span.start + at + 1);
    let open = word.open;
    keys(&given, &base, &CurrentWord { start, raw: &text[start..], text: typed, open }, subject)
}

/// What may stand where a JSON request breaks off. `name` finds the command's arguments by its name.
pub(super) fn complete_request<'a>(
    text: &str,
    from: usize,
    commands: &[(&str, &str)],
    allows_oob: &dyn Fn(&str) -> bool,
    subject: &dyn Fn(&str) -> Option<Subject<'a>>,
) -> Completion {
    let unfinished = read(text, from);
    let command = unfinished.given.text_at(&["execute"]).or_else(|| unfinished.given.text_at(&["exec-oob"]));
    let (path, is_key) = match &unfinished.spot {
        JsonCursor::Key(path) => (path.as_slice(), true),
        JsonCursor::Value(path) => (path.as_slice(), false),
        JsonCursor::Between => return Completion::default(),
    };
    match (path, is_key) {
        ([], true) => {
            let members = [
                ("execute", "the command"),
                ("arguments", "its arguments"),
                ("id", "comes back in the reply"),
                ("exec-oob", "the command, out of band"),
            ];
            let given = unfinished.given.names_at(&[]);
            // A request names one command, in band or out of band.
            let open = members.iter().filter(|(name, _)| {
                let settled = name.starts_with("exec") && command.is_some();
                !settled && !given.iter().any(|given| given == name)
            });
            offer_json_keys(&unfinished, open.map(|(name, about)| ((*name).to_owned(), (*about).to_owned())))
        }
        ([key], false) if key == "execute" || key == "exec-oob" => {
            let able = |name: &str| key == "execute" || allows_oob(name);
            offer_values(commands.iter().copied().filter(|(name, _)| able(name)), &Quoting::of(&unfinished))
        }
        ([first, ..], _) if first == "arguments" => {
            let Some(subject) = command.and_then(|command| subject(&command)) else { return Completion::default() };
            let given = unfinished.given.below("arguments");
            inside_json(&unfinished, &given, &[], 1, &subject)
        }
        _ => Completion::default(),
    }
}

/// What may stand where a JSON object breaks off that is all the subject's.
pub(super) fn complete_json(text: &str, from: usize, subject: &Subject<'_>) -> Completion {
    let unfinished = read(text, from);
    inside_json(&unfinished, &unfinished.given, &[], 0, subject)
}

/// Keys and values inside JSON that stands at `base` of the subject's arguments. `given` is all that is given for those;
/// the first `outside` parts of paths inside the JSON are none of theirs.
fn inside_json(
    unfinished: &PartialJson,
    given: &PartialArguments,
    base: &[String],
    outside: usize,
    subject: &Subject<'_>,
) -> Completion {
    let whole = |path: &[String]| -> Vec<String> { base.iter().chain(&path[outside..]).cloned().collect() };
    match &unfinished.spot {
        JsonCursor::Between => Completion::default(),
        JsonCursor::Key(path) => {
            let Some(expected) = given.expected(subject.schema, subject.root, &whole(path)) else {
                return Completion::default();
            };
            let missing = expected.missing().into_iter();
            let mut keys: Vec<(String, String)> = missing
                .map(|member| (member.name.clone(), about(subject.schema, member.kind, member.optional)))
                .collect();
            if whole(path).is_empty() {
                keys.extend(open_keys(given, &expected, subject));
            }
            offer_json_keys(unfinished, keys.into_iter())
        }
        JsonCursor::Value(path) => values(given, &whole(path), Quoting::of(unfinished), subject),
    }
}

fn offer_json_keys(unfinished: &PartialJson, keys: impl Iterator<Item = (String, String)>) -> Completion {
    let quote = unfinished.quote.unwrap_or('"');
    let fitting = keys.filter(|(name, _)| name.starts_with(&unfinished.typed));
    let candidates = fitting.map(|(name, about)| Candidate { text: format!("{quote}{name}{quote}: "), about });
    Completion { start: unfinished.start, candidates: candidates.collect() }
}

fn offer_values<'a>(strings: impl Iterator<Item = (&'a str, &'a str)>, quoting: &Quoting<'_>) -> Completion {
    let fitting = strings.filter_map(|(text, about)| Some((quoting.string(text)?, about)));
    let candidates = fitting.map(|(text, about)| Candidate { text, about: about.to_owned() });
    Completion { start: quoting.start(), candidates: candidates.collect() }
}

fn path(dotted: &str) -> Vec<String> {
    dotted.split('.').map(str::to_owned).collect()
}

/// A type in a few words, and whether it may be left out.
fn about(schema: &Schema, kind: TypeId, optional: bool) -> String {
    /// So many values of an enumeration are told.
    const TOLD: usize = 5;
    let plain = match schema.kind(kind) {
        Type::Enum(values) => {
            let names: Vec<&str> = values.iter().take(TOLD).map(|value| value.name.as_str()).collect();
            names.join("|") + if values.len() > TOLD { "|…" } else { "" }
        }
        _ => type_label(schema, kind),
    };
    if optional { format!("[{plain}]") } else { plain }
}

/// Keys of the object or array at `base` that may still be given, as words.
fn keys(given: &PartialArguments, base: &[String], typed: &CurrentWord<'_>, subject: &Subject<'_>) -> Completion {
    let schema = subject.schema;
    let mut found = Completion { start: typed.start, candidates: Vec::new() };
    let mut push = |name: &str, end: &str, about: &str| {
        if let Some(rest) = name.strip_prefix(typed.text) {
            let text = typed.with(rest, true) + end;
            found.candidates.push(Candidate { text, about: about.to_owned() });
        }
    };
    if given.has_value(base) {
        return found;
    }
    let Some(expected) = given.expected(schema, subject.root, base) else {
        let Some(element) = given.element_at(schema, subject.root, base) else { return found };
        let numbers = given.names_at(base);
        for number in &numbers {
            if given.unfinished(schema, subject.root, &below(base, number)).is_some() {
                push(number, ".", &about(schema, element, true));
            }
        }
        let taken: HashSet<&String> = numbers.iter().collect();
        let next = (0..).map(|n: usize| n.to_string()).find(|n| !taken.contains(n)).unwrap_or_default();
        forms(schema, element).into_iter().for_each(|end| push(&next, end, &about(schema, element, true)));
        return found;
    };
    // What is needed comes first, the tag before all.
    for needed in [true, false] {
        for member in expected.in_order() {
            let about = about(schema, member.kind, member.optional);
            if !expected.given.contains(&member.name) {
                if member.optional != needed {
                    let mut ends = forms(schema, member.kind);
                    if needed && may_be_empty(schema, member.kind) {
                        // With no key below it that has to be given, it can be given like this alone.
                        ends.insert(0, "={}");
                        ends.truncate(if schema.object(member.kind).members.is_empty() { 1 } else { 2 });
                    }
                    ends.into_iter().for_each(|end| push(&member.name, end, &about));
                }
            } else if given.unfinished(schema, subject.root, &below(base, &member.name)) == Some(needed) {
                push(&member.name, ".", &about);
            }
        }
    }
    if base.is_empty() {
        open_keys(given, &expected, subject).iter().for_each(|(name, about)| push(name, "=", about));
    }
    found
}

/// Keys that introspection does not list: the properties of the device being added.
fn open_keys(given: &PartialArguments, expected: &Expected<'_>, subject: &Subject<'_>) -> Vec<(String, String)> {
    let Some(live) = live_properties(given, subject) else { return Vec::new() };
    let known = (subject.live)(&live).into_iter();
    let open = known.filter(|(name, about)| !about.starts_with("child<") && !expected_has(expected, name));
    open.map(|(name, about)| (name, format!("[{about}]"))).collect()
}

fn below(base: &[String], name: &str) -> Vec<String> {
    base.iter().cloned().chain([name.to_owned()]).collect()
}

fn expected_has(expected: &Expected<'_>, name: &String) -> bool {
    expected.given.contains(name) || expected.members.iter().any(|member| member.name == *name)
}

/// The properties of the device being added, which introspection does not list.
fn live_properties(given: &PartialArguments, subject: &Subject<'_>) -> Option<NameKind> {
    match subject.name {
        "device_add" => Some(NameKind::DeviceProperties(given.text_at(&["driver"])?)),
        _ => None,
    }
}

/// What may stand behind a key: `=` for what a word can hold, `.` for what has keys below it, `.0.` for arrays of such.
fn forms(schema: &Schema, kind: TypeId) -> Vec<&'static str> {
    let has_keys = |kind: TypeId| match schema.kind(kind) {
        Type::Object(_) => true,
        Type::Alternate(kinds) => kinds.iter().any(|kind| matches!(schema.kind(*kind), Type::Object(_))),
        _ => false,
    };
    match schema.kind(kind) {
        Type::Object(_) => vec!["."],
        Type::Array(element) => match schema.kind(*element) {
            Type::Object(_) => vec![".0."],
            _ if has_keys(*element) => vec!["=", ".0."],
            _ => vec!["="],
        },
        _ if has_keys(kind) => vec!["=", "."],
        _ => vec!["="],
    }
}
