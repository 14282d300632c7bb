//! Completion of keys and values, on words and inside JSON, by the server's introspection.

use crate::grammar::{Tokens, Word};
use crate::schema::{Builtin, Expected, Given, Schema, Type, TypeId, plain};

use super::complete::{Candidate, Completion};
use super::json::{Spot, Unfinished, read};
use super::live::{Live, live_for};

/// Asks for names that live in the server, each with a few words.
pub type AskLive<'a> = dyn Fn(&Live) -> Vec<(String, String)> + 'a;

/// What a command's arguments are completed by.
pub(super) struct Subject<'a> {
    pub(super) schema: &'a Schema,
    /// The command's name, or the action's.
    pub(super) name: &'a str,
    /// The type of its arguments.
    pub(super) root: TypeId,
    pub(super) live: &'a AskLive<'a>,
}

/// What may stand at the end of `text`, behind the name of the subject. `tokens` are the words behind that name.
pub(super) fn complete_arguments(text: &str, tokens: &Tokens, subject: &Subject<'_>) -> Completion {
    let mut words: &[Word] = &tokens.words;
    let current = words.last().filter(|word| word.span.end == text.len());
    if current.is_some() {
        words = &words[..words.len() - 1];
    }
    let given = Given::of_words(text, words);
    let Some(word) = current else {
        return keys(&given, &[], "", text.len(), subject);
    };
    if let Some(at) = word.bracket.filter(|_| word.open.is_some()) {
        let unfinished = read(text, at);
        let (root, given) = match word.equals {
            None => (Some(subject.root), unfinished.given.clone()),
            Some(_) => (given.type_at(subject.schema, subject.root, &path(word.key())), unfinished.given.clone()),
        };
        return match root {
            Some(root) => inside_json(&unfinished, &given, root, &[], subject),
            None => Completion::default(),
        };
    }
    if word.equals.is_some() {
        let path = path(word.key());
        let start = word.value_span().start;
        return values(&given, &path, word.value(), start, subject, Quoting::Word);
    }
    let (base, typed) = match word.text.rsplit_once('.') {
        Some((base, typed)) => (path(base), typed),
        None => (Vec::new(), word.text.as_str()),
    };
    keys(&given, &base, typed, word.span.end - typed.len(), subject)
}

/// What may stand where a JSON request breaks off. `name` finds the command's arguments by its name.
pub(super) fn complete_request<'a>(
    text: &str,
    from: usize,
    commands: &[(&str, &str)],
    subject: &dyn Fn(&str) -> Option<Subject<'a>>,
) -> Completion {
    let unfinished = read(text, from);
    let command = unfinished.given.text_at(&["execute"]).or_else(|| unfinished.given.text_at(&["exec-oob"]));
    let (path, is_key) = match &unfinished.spot {
        Spot::Key(path) => (path.as_slice(), true),
        Spot::Value(path) => (path.as_slice(), false),
        Spot::Between => return Completion::default(),
    };
    match (path, is_key) {
        ([], true) => {
            let members = [
                ("execute", "the command"),
                ("arguments", "its arguments"),
                ("id", "comes back in the reply"),
                ("exec-oob", "the command, out of band"),
            ];
            let open = members.iter().filter(|(name, _)| unfinished.given.text_at(&[name]).is_none());
            offer_json_keys(&unfinished, open.map(|(name, about)| ((*name).to_owned(), (*about).to_owned())))
        }
        ([key], false) if key == "execute" || key == "exec-oob" => {
            let names = commands.iter().map(|(name, about)| ((*name).to_owned(), (*about).to_owned()));
            offer_values(names, &unfinished.typed, unfinished.start, Quoting::of(&unfinished))
        }
        ([first, ..], _) if first == "arguments" => {
            let Some(subject) = command.and_then(|command| subject(&command)) else { return Completion::default() };
            let given = unfinished.given.below("arguments");
            inside_json(&unfinished, &given, subject.root, &["arguments"], &subject)
        }
        _ => Completion::default(),
    }
}

/// Keys and values inside JSON whose root has type `root`, `prefix` of its path being outside of that.
fn inside_json(
    unfinished: &Unfinished,
    given: &Given,
    root: TypeId,
    prefix: &[&str],
    subject: &Subject<'_>,
) -> Completion {
    let subject = Subject { root, ..*subject };
    match &unfinished.spot {
        Spot::Between => Completion::default(),
        Spot::Key(path) => {
            let Some(expected) = given.expected(subject.schema, root, &path[prefix.len()..]) else {
                return Completion::default();
            };
            let missing = expected.missing();
            let keys =
                missing.iter().map(|member| (member.name.clone(), about(subject.schema, member.kind, member.optional)));
            offer_json_keys(unfinished, keys)
        }
        Spot::Value(path) => {
            let quoting = Quoting::of(unfinished);
            values(given, &path[prefix.len()..], &unfinished.typed, unfinished.start, &subject, quoting)
        }
    }
}

fn offer_json_keys(unfinished: &Unfinished, keys: impl Iterator<Item = (String, String)>) -> Completion {
    let quote = unfinished.quote.unwrap_or('"');
    let fitting = keys.filter(|(name, _)| name.starts_with(&unfinished.typed));
    let candidates = fitting.map(|(name, about)| Candidate { text: format!("{quote}{name}{quote}: "), about });
    Completion { start: unfinished.start, candidates: candidates.collect() }
}

fn path(dotted: &str) -> Vec<String> {
    dotted.split('.').map(str::to_owned).collect()
}

/// A type in a few words, and whether it may be left out.
fn about(schema: &Schema, kind: TypeId, optional: bool) -> String {
    let plain = plain(schema, kind);
    if optional { format!("[{plain}]") } else { plain }
}

/// Keys of the object at `base` that are not given yet, as words.
fn keys(given: &Given, base: &[String], typed: &str, start: usize, subject: &Subject<'_>) -> Completion {
    let schema = subject.schema;
    let Some(expected) = given.expected(schema, subject.root, base) else { return Completion::default() };
    let mut candidates = Vec::new();
    for member in expected.missing() {
        if member.name.starts_with(typed) {
            key_forms(schema, &member.name, member.kind, member.optional, &mut candidates);
        }
    }
    if base.is_empty()
        && let Some(live) = live_properties(given, subject)
    {
        let names = (subject.live)(&live).into_iter();
        let known = |name: &String| expected_has(&expected, name);
        let more = names.filter(|(name, _)| name.starts_with(typed) && !known(name));
        candidates
            .extend(more.map(|(name, about)| Candidate { text: format!("{name}="), about: format!("[{about}]") }));
    }
    // A key that is begun and may go on below: `file` as leaf is in the list, what is below it too.
    Completion { start, candidates }
}

fn expected_has(expected: &Expected<'_>, name: &String) -> bool {
    expected.given.contains(name) || expected.members.iter().any(|member| member.name == *name)
}

/// The properties of the device being added, which introspection does not list.
fn live_properties(given: &Given, subject: &Subject<'_>) -> Option<Live> {
    match subject.name {
        "device_add" => Some(Live::DeviceProperties(given.text_at(&["driver"])?)),
        _ => None,
    }
}

/// `key=` for what a word can hold, `key.` for what has keys below it, `key.0` for arrays of objects.
fn key_forms(schema: &Schema, name: &str, kind: TypeId, optional: bool, out: &mut Vec<Candidate>) {
    let about = about(schema, kind, optional);
    let mut push = |text: String| out.push(Candidate { text, about: about.clone() });
    match schema.kind(kind) {
        Type::Object(_) => push(format!("{name}.")),
        Type::Array(element) => match schema.kind(*element) {
            Type::Object(_) => push(format!("{name}.0.")),
            _ => push(format!("{name}=")),
        },
        Type::Alternate(kinds) => {
            push(format!("{name}="));
            if kinds.iter().any(|kind| matches!(schema.kind(*kind), Type::Object(_))) {
                push(format!("{name}."));
            }
        }
        Type::Builtin(_) | Type::Enum(_) => push(format!("{name}=")),
    }
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoting {
    /// As a word.
    Word,
    /// As JSON, strings in this quote.
    Json(char),
}

impl Quoting {
    fn of(unfinished: &Unfinished) -> Quoting {
        Quoting::Json(unfinished.quote.unwrap_or('"'))
    }
}

/// Values of the key at `path`.
fn values(
    given: &Given,
    path: &[String],
    typed: &str,
    start: usize,
    subject: &Subject<'_>,
    quoting: Quoting,
) -> Completion {
    let schema = subject.schema;
    let kind = given.type_at(schema, subject.root, path);
    let mut strings: Vec<(String, String)> = Vec::new();
    let mut literals: Vec<&str> = Vec::new();
    let mut takes_text = false;
    if let Some(kind) = kind {
        collect(schema, kind, &mut strings, &mut literals, &mut takes_text);
    }
    if (takes_text || kind.is_none())
        && let Some(live) = live_for(subject.name, path, given)
    {
        // Paths are offered segment by segment.
        let live = match live {
            Live::QomChildren(_) => Live::QomChildren(typed.rfind('/').map_or("", |at| &typed[..at]).to_owned()),
            live => live,
        };
        strings.extend((subject.live)(&live));
    }
    // In a list, the last item is being typed.
    let (typed, start) = match kind.map(|kind| schema.kind(kind)) {
        Some(Type::Array(_)) if quoting == Quoting::Word => match typed.rfind(',') {
            Some(at) => (&typed[at + 1..], start + at + 1),
            None => (typed, start),
        },
        _ => (typed, start),
    };
    let mut completion = offer_values(strings.into_iter(), typed, start, quoting);
    let quoted = matches!(quoting, Quoting::Json(_))
        && !typed.is_empty()
        && completion.candidates.iter().any(|c| c.text.starts_with('"'));
    if !quoted {
        let literals = literals.into_iter().filter(|literal| literal.starts_with(typed));
        let literals = literals.map(|literal| Candidate { text: literal.to_owned(), about: String::new() });
        completion.candidates.extend(literals);
    }
    completion
}

/// The strings and literals that a type may be.
fn collect(
    schema: &Schema,
    kind: TypeId,
    strings: &mut Vec<(String, String)>,
    literals: &mut Vec<&'static str>,
    takes_text: &mut bool,
) {
    match schema.kind(kind) {
        Type::Builtin(Builtin::Bool) => literals.extend(["true", "false"]),
        Type::Builtin(Builtin::Null) => literals.push("null"),
        Type::Builtin(Builtin::Str | Builtin::Any | Builtin::Int) => *takes_text = true,
        Type::Builtin(Builtin::Number) | Type::Object(_) => {}
        Type::Enum(values) => {
            strings.extend(values.iter().map(|value| (value.name.clone(), value.features.join(", "))));
        }
        Type::Array(element) => collect(schema, *element, strings, literals, takes_text),
        Type::Alternate(kinds) => {
            for kind in kinds {
                collect(schema, *kind, strings, literals, takes_text);
            }
        }
    }
}

fn offer_values(
    strings: impl Iterator<Item = (String, String)>,
    typed: &str,
    start: usize,
    quoting: Quoting,
) -> Completion {
    let fitting = strings.filter(|(text, _)| text.starts_with(typed));
    let candidates = fitting.map(|(text, about)| {
        let text = match quoting {
            Quoting::Word => text,
            Quoting::Json(quote) => format!("{quote}{text}{quote}"),
        };
        Candidate { text, about }
    });
    Completion { start, candidates: candidates.collect() }
}
