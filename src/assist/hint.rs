//! The hint after the cursor: the keys that are still missing, required ones first.

use crate::grammar::{Language, TailKind, is_blank, last_part, tokenize};
use crate::schema::{
    Continuation, Expected, PartialArguments, Schema, Type, TypeId, action_type, may_be_empty, positional_member,
};

use super::dot_command::inner_line;
use super::filter::hint_in_filter;
use super::types::CompletionContext;

/// The maximum number of required keys that are collected.
const MAX_KEYS: usize = 32;

/// The maximum nesting depth at which required keys are collected. A server may describe a type that requires itself.
const MAX_NESTING: usize = 8;

/// The arguments that may follow a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentHint {
    pub text: String,
    /// The text that the user can take for the first of them; `None` if the hint only describes it.
    pub first: Option<String>,
}

/// Returns the keys that may follow the line, in at most `columns` columns, without the part that is already typed.
pub fn hint(line: &str, context: &CompletionContext<'_>, columns: usize) -> Option<ArgumentHint> {
    let schema = context.schema?;
    if let Some(start) = inner_line(line, context) {
        return hint(&line[start..], context, columns);
    }
    let part = context.with_split_rules(|rules| last_part(line, rules));
    match part.tail.as_ref().map(|tail| &tail.kind) {
        Some(TailKind::Filter(span, None)) => {
            let input = context.filter_input(&line[part.command.range()], schema)?;
            let pieces = hint_in_filter(&line[span.start..], input, schema)?;
            return fit_hint(pieces.into_iter(), true, columns).map(|text| ArgumentHint { text, first: None });
        }
        Some(_) => return None,
        None => {}
    }
    let line = &(" ".repeat(part.command.start) + &line[part.command.start..]);
    if context.language == Language::Hmp || line.contains('\n') {
        return None;
    }
    let tokens = tokenize(line);
    let mut words = tokens.words.as_slice();
    let mut in_transaction = context.in_transaction;
    if let [first, rest @ ..] = words
        && matches!(first.text.as_str(), "exec-oob" | "transaction(")
    {
        in_transaction |= first.text == "transaction(";
        words = rest;
    }
    let (name, mut words) = words.split_first()?;
    let root = match in_transaction {
        true => action_type(schema, &name.text)?,
        false => schema.command(&name.text)?.arguments,
    };
    let is_open = tokens.words.last().is_some_and(|word| word.open.is_some());
    if is_open || !tokens.comments.is_empty() {
        return None;
    }
    // A word that is being typed is continued only if it is the beginning of a key.
    let mut typed = "";
    let ends_with_word = !line.ends_with(is_blank);
    if ends_with_word && let Some((last, before)) = words.split_last() {
        if last.equals.is_some() || last.bracket.is_some() {
            return None;
        }
        typed = &last.text;
        words = before;
    }
    let positional = positional_member(schema, root).map(|member| member.name.as_str());
    let arguments = PartialArguments::of_words(line, words, positional);
    let mut keys = MissingKeys { schema, root, arguments: &arguments, keys: Vec::new() }.collect();
    if !typed.is_empty() {
        // The key being typed comes first.
        let index = keys.iter().position(|key| key.text.starts_with(typed))?;
        let key = keys.remove(index);
        keys.insert(0, key);
    }
    let pieces = keys.iter().enumerate().map(|(index, key)| match (index, typed) {
        (0, "") | (1.., _) if key.optional => format!("[{}]", key.text),
        (0, typed) => key.text[typed.len()..].to_owned(),
        _ => key.text.clone(),
    });
    let needs_space = typed.is_empty() && ends_with_word;
    let text = fit_hint(pieces, needs_space, columns)?;
    let first = keys.first().map(|key| format!("{}{}", if needs_space { " " } else { "" }, &key.text[typed.len()..]));
    Some(ArgumentHint { text, first })
}

/// Joins the pieces of a hint in at most `columns` columns, after a space if `needs_space`. `None` if not even the first
/// fits.
pub fn fit_hint(pieces: impl Iterator<Item = String>, needs_space: bool, columns: usize) -> Option<String> {
    let mut text = String::new();
    for (index, piece) in pieces.enumerate() {
        let gap = if index > 0 || needs_space { " " } else { "" };
        if text.chars().count() + gap.len() + piece.chars().count() + 2 > columns {
            if columns > text.chars().count() + 2 && !text.is_empty() {
                text.push_str(" …");
            }
            break;
        }
        text.push_str(gap);
        text.push_str(&piece);
    }
    (!text.is_empty()).then_some(text)
}

/// A key that may be given, with its suffix: `=`, or `.` if only keys below it can have values.
struct Key {
    text: String,
    optional: bool,
}

/// The keys that are not given yet, while they are collected.
struct MissingKeys<'a> {
    schema: &'a Schema,
    root: TypeId,
    arguments: &'a PartialArguments,
    keys: Vec<Key>,
}

impl MissingKeys<'_> {
    /// Returns the required keys at any depth, then the optional ones at the top.
    fn collect(mut self) -> Vec<Key> {
        self.add_required(&[]);
        let top = self.arguments.expected(self.schema, self.root, &[]);
        for member in top.iter().flat_map(Expected::missing).filter(|member| member.optional) {
            let (suffix, _) = self.suffix(member.kind);
            self.keys.push(Key { text: member.name.clone() + suffix, optional: true });
        }
        self.keys
    }

    /// Adds the required keys below `base`. Returns whether there were any.
    fn add_required(&mut self, base: &[String]) -> bool {
        let before = self.keys.len();
        if base.len() >= MAX_NESTING {
            return false;
        }
        if let Some(expected) = self.arguments.expected(self.schema, self.root, base) {
            for member in expected.in_order() {
                let path = child_path(base, &member.name);
                if expected.given.contains(&member.name) {
                    self.add_required_of_given(&path);
                } else if !member.optional && self.keys.len() < MAX_KEYS {
                    let (suffix, index) = self.suffix(member.kind);
                    let inner: Vec<String> = path.iter().cloned().chain(index.map(str::to_owned)).collect();
                    let suffix = if may_be_empty(self.schema, member.kind) { "={}" } else { suffix };
                    if suffix.starts_with('=') || !self.add_required(&inner) {
                        self.keys.push(Key { text: path.join(".") + suffix, optional: false });
                    }
                }
            }
        } else {
            let indices = self.arguments.names_at(base);
            indices.iter().for_each(|index| self.add_required_of_given(&child_path(base, index)));
        }
        self.keys.len() > before
    }

    /// Adds the required keys below a key that is given.
    fn add_required_of_given(&mut self, path: &[String]) {
        if self.arguments.continuation(self.schema, self.root, path) == Some(Continuation::Required) {
            self.add_required(path);
        }
    }

    /// Returns the suffix of a key of this type, and the first index if the type is an array of objects.
    fn suffix(&self, kind: TypeId) -> (&'static str, Option<&'static str>) {
        match self.schema.definition(kind) {
            Type::Object(_) => (".", None),
            Type::Array(element) if matches!(self.schema.definition(*element), Type::Object(_)) => (".0.", Some("0")),
            _ => ("=", None),
        }
    }
}

fn child_path(base: &[String], name: &str) -> Vec<String> {
    base.iter().cloned().chain([name.to_owned()]).collect()
}
