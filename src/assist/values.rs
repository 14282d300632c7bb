//! Completion of values: what a key's type lists, what lives in the server, what QOM says of a property, files.

use std::collections::HashSet;

use crate::schema::{Builtin, EnumValue, PartialArguments, Schema, Type, TypeId};

use super::arguments::Subject;
use super::complete::{Candidate, Completion};
use super::current_word::{CurrentWord, Quoting};
use super::live::{CursorPosition, NameKind, name_kinds_for, names_file, object_kind};

/// What a value may be.
#[derive(Default)]
struct ValueChoices {
    strings: Vec<(String, String)>,
    literals: Vec<(String, String)>,
    takes_text: bool,
    takes_integers: bool,
}

impl ValueChoices {
    /// The strings and literals that a type may be.
    fn collect(&mut self, schema: &Schema, kind: TypeId) {
        let mut literals = |all: &[&str], about: &str| {
            self.literals.extend(all.iter().map(|text| ((*text).to_owned(), about.to_owned())))
        };
        match schema.kind(kind) {
            Type::Builtin(Builtin::Bool) => literals(&["true", "false"], "bool"),
            Type::Builtin(Builtin::Null) => literals(&["null"], "null"),
            Type::Builtin(Builtin::Str | Builtin::Any) => self.takes_text = true,
            Type::Builtin(Builtin::Int) => self.takes_integers = true,
            Type::Builtin(Builtin::Number) | Type::Object(_) => {}
            Type::Enum(values) => {
                let about = |value: &EnumValue| value.features.join(", ");
                self.strings.extend(values.iter().map(|value| (value.name.clone(), about(value))));
            }
            Type::Array(element) => self.collect(schema, *element),
            Type::Alternate(kinds) => kinds.iter().for_each(|kind| self.collect(schema, *kind)),
        }
    }

    /// What a property may be, by what QOM says of it: its type, and perhaps `: ` and a description.
    fn collect_property(&mut self, about: &str) {
        let (kind, description) = about.split_once(": ").unwrap_or((about, ""));
        let options = match description.split_once('(') {
            Some((_, inside)) => inside.trim_end_matches(')'),
            None => description,
        };
        let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '-');
        if kind == "bool" {
            self.literals.extend(["true", "false"].map(|text| (text.to_owned(), "bool".to_owned())));
        } else if kind == "OnOffAuto" {
            self.strings.extend(["on", "off", "auto"].map(|text| (text.to_owned(), String::new())));
        } else if options.contains('/') && options.split('/').all(is_word) {
            self.strings.extend(options.split('/').map(|text| (text.to_owned(), String::new())));
        } else {
            self.takes_text = true;
        }
    }

    /// Adds names that live in the server, or files where the key takes one. What names something in the server names no
    /// file, though the server may not say what it has.
    fn add_names(&mut self, place: &CursorPosition<'_>, kinds: &[NameKind], typed: &str, subject: &Subject<'_>) {
        for live in kinds {
            let names = match live {
                NameKind::QomChildren(_) => segments(typed, subject),
                NameKind::Objects => {
                    let mut objects = (subject.live)(live);
                    objects.retain(|(_, kind)| kind.starts_with(object_kind(place)));
                    objects
                }
                live => (subject.live)(live),
            };
            if *live == NameKind::Cpus { &mut self.literals } else { &mut self.strings }.extend(names);
        }
        if kinds.is_empty() && self.strings.is_empty() && self.takes_text && names_file(place) {
            self.strings.extend((subject.files)(typed).into_iter().map(|file| {
                let about = if file.ends_with('/') { "folder" } else { "file" };
                (file, about.to_owned())
            }));
        }
    }
}

/// Values of the key at `path`.
pub(super) fn values(
    given: &PartialArguments,
    path: &[String],
    quoting: Quoting<'_>,
    subject: &Subject<'_>,
) -> Completion {
    let schema = subject.schema;
    let kind = given.type_at(schema, subject.root, path);
    let mut choice = ValueChoices::default();
    if let Some(kind) = kind {
        choice.collect(schema, kind);
    }
    let place = CursorPosition::of(subject.name, path, given);
    let property = property_of(&place).and_then(|(live, name)| {
        (subject.live)(&live).into_iter().find(|(known, _)| *known == name).map(|(_, about)| about)
    });
    if let Some(about) = property.as_deref().filter(|_| kind.is_none_or(|kind| is_any(schema, kind))) {
        choice = ValueChoices::default();
        choice.collect_property(about);
    }
    let is_list = kind.is_some_and(|kind| matches!(schema.kind(kind), Type::Array(_)));
    let quoting = if is_list { of_last_item(quoting) } else { quoting };
    let typed = quoting.typed();
    if choice.takes_text || choice.takes_integers || kind.is_none() {
        let is_node = kind.is_some_and(|kind| is_reference(schema, kind));
        choice.add_names(&place, &name_kinds_for(&place, is_node, property.as_deref()), typed, subject);
    }
    // The other spellings of a boolean are offered to whoever begins one.
    let is_word = matches!(quoting, Quoting::Word(_));
    if is_word && typed.starts_with('o') && choice.literals.iter().any(|(text, _)| text == "true") {
        choice.literals.extend(["on", "off"].map(|text| (text.to_owned(), "bool".to_owned())));
    }
    let strings = choice.strings.into_iter().filter_map(|(text, about)| Some((quoting.string(&text)?, about)));
    let literals = choice.literals.into_iter().filter_map(|(text, about)| Some((quoting.literal(&text)?, about)));
    let mut offered = HashSet::new();
    let new = strings.chain(literals).filter(|(text, _)| offered.insert(text.clone()));
    let candidates = new.map(|(text, about)| Candidate { text, about }).collect();
    Completion { start: quoting.start(), candidates }
}

/// In a list that is written as a word, the last item is being typed.
fn of_last_item(quoting: Quoting<'_>) -> Quoting<'_> {
    match quoting {
        Quoting::Word(typed) if typed.raw == typed.text => {
            let at = typed.raw.rfind(',').map_or(0, |at| at + 1);
            let (raw, text) = (&typed.raw[at..], &typed.text[at..]);
            Quoting::Word(CurrentWord { start: typed.start + at, raw, text, open: typed.open })
        }
        quoting => quoting,
    }
}

fn is_any(schema: &Schema, kind: TypeId) -> bool {
    *schema.kind(kind) == Type::Builtin(Builtin::Any)
}

/// Whether a value is the name of something or its definition in place, as a block node's.
fn is_reference(schema: &Schema, kind: TypeId) -> bool {
    match schema.kind(kind) {
        Type::Array(element) => is_reference(schema, *element),
        Type::Alternate(kinds) => {
            kinds.iter().any(|kind| *schema.kind(*kind) == Type::Builtin(Builtin::Str))
                && kinds.iter().any(|kind| matches!(schema.kind(*kind), Type::Object(_)))
        }
        _ => false,
    }
}

/// Where the property stands whose value is being typed, and its name.
fn property_of(place: &CursorPosition<'_>) -> Option<(NameKind, String)> {
    match (place.command.as_str(), place.path) {
        ("device_add", [name]) if name != "driver" && name != "id" && name != "bus" => {
            Some((NameKind::DeviceProperties(place.sibling("driver")?), name.clone()))
        }
        ("qom-set", [name]) if name == "value" => {
            Some((NameKind::QomProperties(place.sibling("path")?), place.sibling("property")?))
        }
        _ => None,
    }
}

/// The children of the path of which `typed` is the beginning. The only one goes on with a `/` if it has children.
fn segments(typed: &str, subject: &Subject<'_>) -> Vec<(String, String)> {
    let parent = typed.rfind('/').map_or("", |at| &typed[..at]);
    let mut names = (subject.live)(&NameKind::QomChildren(parent.to_owned()));
    names.retain(|(name, _)| name.starts_with(typed));
    if let [(name, _)] = names.as_mut_slice()
        && !(subject.live)(&NameKind::QomChildren(name.clone())).is_empty()
    {
        name.push('/');
    }
    names
}
