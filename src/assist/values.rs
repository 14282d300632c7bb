//! Completion of values: those of the key's type, live names, the values that QOM gives for a property, files.

use std::collections::HashSet;

use crate::schema::{Builtin, EnumValue, PartialArguments, Schema, Type, TypeId};

use super::arguments::Subject;
use super::current_word::{CurrentWord, Quoting};
use super::name_kind::{KeyPosition, NameKind, ValueHint, name_kinds_for, takes_file};
use super::types::{Candidate, Completion, Lookup, Name};

/// The values that a key may have.
#[derive(Default)]
struct ValueChoices {
    strings: Vec<Name>,
    /// Numbers and JSON's own words.
    literals: Vec<Name>,
    takes_text: bool,
    takes_integers: bool,
}

impl ValueChoices {
    /// Adds the strings and literals of a type.
    fn add_type(&mut self, schema: &Schema, kind: TypeId) {
        let mut add_literals = |literals: &[&str], description: &str| {
            self.literals.extend(literals.iter().map(|text| Name::new(*text, description)));
        };
        match schema.definition(kind) {
            Type::Builtin(Builtin::Bool) => add_literals(&["true", "false"], "bool"),
            Type::Builtin(Builtin::Null) => add_literals(&["null"], "null"),
            Type::Builtin(Builtin::Str | Builtin::Any) => self.takes_text = true,
            Type::Builtin(Builtin::Int) => self.takes_integers = true,
            Type::Builtin(Builtin::Number) | Type::Object(_) => {}
            Type::Enum(values) => {
                let describe = |value: &EnumValue| value.features.join(", ");
                self.strings.extend(values.iter().map(|value| Name::new(&value.name, describe(value))));
            }
            Type::Array(element) => self.add_type(schema, *element),
            Type::Alternate(kinds) => kinds.iter().for_each(|kind| self.add_type(schema, *kind)),
        }
    }

    /// Adds the values of a property with this description: its QOM type, and perhaps `: ` and text.
    fn add_property(&mut self, description: &str) {
        let (qom_type, text) = description.split_once(": ").unwrap_or((description, ""));
        let options = match text.split_once('(') {
            Some((_, inside)) => inside.trim_end_matches(')'),
            None => text,
        };
        let is_word =
            |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
        if qom_type == "bool" {
            self.literals.extend(["true", "false"].map(|text| Name::new(text, "bool")));
        } else if qom_type == "OnOffAuto" {
            self.strings.extend(["on", "off", "auto"].map(|text| Name::new(text, "")));
        } else if options.contains('/') && options.split('/').all(is_word) {
            self.strings.extend(options.split('/').map(|text| Name::new(text, "")));
        } else {
            self.takes_text = true;
        }
    }

    /// Adds live names, or files if the key takes a file. A key that takes live names takes no file, even if the server
    /// has none of these names.
    fn add_live_names(&mut self, position: &KeyPosition<'_>, kinds: &[NameKind], typed: &str, lookup: &Lookup<'_>) {
        for kind in kinds {
            let names = match kind {
                NameKind::QomChildren(_) => qom_paths(typed, lookup),
                kind => lookup.get(kind).to_vec(),
            };
            if *kind == NameKind::Cpus { &mut self.literals } else { &mut self.strings }.extend(names);
        }
        if kinds.is_empty() && self.strings.is_empty() && self.takes_text && takes_file(position) {
            self.strings.extend(lookup.get(&NameKind::ServerFiles(typed.to_owned())).iter().cloned());
        }
    }
}

/// Completes the value of the key at `path`.
pub(super) fn complete_value(
    arguments: &PartialArguments,
    path: &[String],
    quoting: Quoting<'_>,
    subject: &Subject<'_>,
) -> Completion {
    let schema = subject.schema;
    let kind = arguments.type_at(schema, subject.root, path);
    let mut choices = ValueChoices::default();
    if let Some(kind) = kind {
        choices.add_type(schema, kind);
    }
    let position = KeyPosition::new(subject.name, path, arguments);
    let property = property_at(&position).and_then(|(kind, name)| {
        let properties = subject.lookup.get(&kind);
        properties.iter().find(|property| property.text == name).map(|property| property.description.as_str())
    });
    if let Some(description) = property.filter(|_| kind.is_none_or(|kind| is_any(schema, kind))) {
        choices = ValueChoices::default();
        choices.add_property(description);
    }
    let is_array = kind.is_some_and(|kind| matches!(schema.definition(kind), Type::Array(_)));
    let quoting = if is_array { last_item(quoting) } else { quoting };
    let typed = quoting.typed();
    if choices.takes_text || choices.takes_integers || kind.is_none() {
        let hint = match property {
            Some(description) => ValueHint::Property(description),
            None if kind.is_some_and(|kind| is_reference(schema, kind)) => ValueHint::NodeReference,
            None => ValueHint::Nothing,
        };
        let kinds = name_kinds_for(&position, hint);
        choices.add_live_names(&position, &kinds, typed, subject.lookup);
    }
    // `on` and `off` are offered only once an `o` is typed.
    let is_word = matches!(quoting, Quoting::Word(_));
    if is_word && typed.starts_with('o') && choices.literals.iter().any(|literal| literal.text == "true") {
        choices.literals.extend(["on", "off"].map(|text| Name::new(text, "bool")));
    }
    let matching = subject.lookup.matching;
    let strings =
        choices.strings.into_iter().filter_map(|name| Some((quoting.string(&name.text, matching)?, name.description)));
    let literals = choices
        .literals
        .into_iter()
        .filter_map(|name| Some((quoting.literal(&name.text, matching)?, name.description)));
    let mut offered = HashSet::new();
    let distinct = strings.chain(literals).filter(|(text, _)| offered.insert(text.clone()));
    let candidates = distinct.map(|(text, description)| Candidate::new(text, description)).collect();
    Completion { start: quoting.start(), candidates, missing: Vec::new() }
}

/// Narrows a comma-separated list to its last item.
fn last_item(quoting: Quoting<'_>) -> Quoting<'_> {
    match quoting {
        Quoting::Word(current) if current.raw == current.text => {
            let start = current.raw.rfind(',').map_or(0, |at| at + 1);
            let (raw, text) = (&current.raw[start..], &current.text[start..]);
            Quoting::Word(CurrentWord { start: current.start + start, raw, text, open: current.open })
        }
        quoting => quoting,
    }
}

fn is_any(schema: &Schema, kind: TypeId) -> bool {
    *schema.definition(kind) == Type::Builtin(Builtin::Any)
}

/// Returns whether a value is either a name or a definition, as a reference to a block node is.
fn is_reference(schema: &Schema, kind: TypeId) -> bool {
    match schema.definition(kind) {
        Type::Array(element) => is_reference(schema, *element),
        Type::Alternate(kinds) => {
            kinds.iter().any(|kind| *schema.definition(*kind) == Type::Builtin(Builtin::Str))
                && kinds.iter().any(|kind| matches!(schema.definition(*kind), Type::Object(_)))
        }
        _ => false,
    }
}

/// Returns the kind that lists the property whose value is being typed, and the property's name.
fn property_at(position: &KeyPosition<'_>) -> Option<(NameKind, String)> {
    match (position.command.as_str(), position.path) {
        // The name of a property may contain dots.
        ("device_add", path) if !matches!(path, [name] if matches!(name.as_str(), "driver" | "id" | "bus")) => {
            Some((NameKind::DeviceProperties(position.arguments.text_at(&["driver"])?), path.join(".")))
        }
        ("qom-set", [name]) if name == "value" => {
            Some((NameKind::QomProperties(position.sibling("path")?), position.sibling("property")?))
        }
        _ => None,
    }
}

/// Returns the QOM paths that begin with `typed`, down to its next level. If there is only one and it has children, it
/// ends with a `/`.
fn qom_paths(typed: &str, lookup: &Lookup<'_>) -> Vec<Name> {
    let parent = typed.rfind('/').map_or("", |at| &typed[..at]);
    let mut paths = lookup.get(&NameKind::QomChildren(parent.to_owned())).to_vec();
    paths.retain(|path| lookup.matching.accepts(&path.text, typed));
    if let [path] = paths.as_mut_slice()
        && !lookup.get(&NameKind::QomChildren(path.text.clone())).is_empty()
    {
        path.text.push('/');
    }
    paths
}
