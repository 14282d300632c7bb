//! The hint behind the cursor: which keys are still to be given, required ones first.

use crate::grammar::{LineMode, tokenize};
use crate::schema::{Expected, PartialArguments, Schema, Type, TypeId, action_type, may_be_empty};

use super::complete::CompletionContext;

/// What the rest of the line may be, at most `room` columns wide; what is typed already is dropped from it.
pub fn hint(line: &str, known: &CompletionContext<'_>, room: usize) -> Option<String> {
    let schema = known.schema?;
    if known.language == LineMode::Hmp || line.contains('\n') {
        return None;
    }
    let tokens = tokenize(line);
    let mut words = tokens.words.as_slice();
    let mut in_block = known.in_transaction;
    if let [first, rest @ ..] = words
        && matches!(first.text.as_str(), "exec-oob" | "transaction(")
    {
        in_block |= first.text == "transaction(";
        words = rest;
    }
    let (name, mut words) = words.split_first()?;
    let root = match in_block {
        true => action_type(schema, &name.text)?,
        false => schema.command(&name.text)?.arguments,
    };
    let is_open = tokens.words.last().is_some_and(|word| word.open.is_some());
    if is_open || !tokens.comments.is_empty() {
        return None;
    }
    // A word that is being typed: the beginning of a key is completed, anything else has to be finished first.
    let mut typed = "";
    let ends_open = !line.ends_with([' ', '\t']);
    if ends_open && let Some((last, before)) = words.split_last() {
        if last.equals.is_some() || last.bracket.is_some() {
            return None;
        }
        typed = &last.text;
        words = before;
    }
    let given = PartialArguments::of_words(line, words);
    let mut keys = Missing { schema, root, given: &given, keys: Vec::new() }.all();
    if !typed.is_empty() {
        // The key being typed comes first, what is typed of it left out.
        let at = keys.iter().position(|key| key.text.starts_with(typed))?;
        let key = keys.remove(at);
        keys.insert(0, key);
    }
    let needs_blank = typed.is_empty() && ends_open;
    Some(spelled(&keys, typed, needs_blank, room)).filter(|text| !text.is_empty())
}

/// `keys` in at most `room` columns. Of the first, `typed` is on the line already.
fn spelled(keys: &[Key], typed: &str, needs_blank: bool, room: usize) -> String {
    let mut text = String::new();
    for (index, key) in keys.iter().enumerate() {
        let piece = match (index, typed) {
            (0, "") | (1.., _) if key.optional => format!("[{}]", key.text),
            (0, typed) => key.text[typed.len()..].to_owned(),
            _ => key.text.clone(),
        };
        let gap = if index > 0 || needs_blank { " " } else { "" };
        if text.chars().count() + gap.len() + piece.chars().count() + 2 > room {
            if room > text.chars().count() + 2 && !text.is_empty() {
                text.push_str(" …");
            }
            break;
        }
        text.push_str(gap);
        text.push_str(&piece);
    }
    text
}

/// A key that may be given, with what stands behind it: `=`, or `.` where only keys below it can.
struct Key {
    text: String,
    optional: bool,
}

/// Finds the keys that are not given yet.
struct Missing<'a> {
    schema: &'a Schema,
    root: TypeId,
    given: &'a PartialArguments,
    keys: Vec<Key>,
}

impl Missing<'_> {
    /// No screen has room for more that are needed.
    const MOST: usize = 32;

    /// How deep needed keys are looked for: a server may say that a type needs itself.
    const DEEP: usize = 8;

    /// What is needed, be it below a key, then what else may stand at the top.
    fn all(mut self) -> Vec<Key> {
        self.needed(&[]);
        let top = self.given.expected(self.schema, self.root, &[]);
        for member in top.iter().flat_map(Expected::missing).filter(|member| member.optional) {
            let (end, _) = self.behind(member.kind);
            self.keys.push(Key { text: member.name.clone() + end, optional: true });
        }
        self.keys
    }

    /// Adds what is needed below `base`; says whether that was anything.
    fn needed(&mut self, base: &[String]) -> bool {
        let before = self.keys.len();
        if base.len() >= Missing::DEEP {
            return false;
        }
        if let Some(expected) = self.given.expected(self.schema, self.root, base) {
            for member in expected.in_order() {
                let path = below(base, &member.name);
                if expected.given.contains(&member.name) {
                    self.begun(&path);
                } else if !member.optional && self.keys.len() < Missing::MOST {
                    let (end, first) = self.behind(member.kind);
                    let into: Vec<String> = path.iter().cloned().chain(first.map(str::to_owned)).collect();
                    let end = if may_be_empty(self.schema, member.kind) { "={}" } else { end };
                    if end.starts_with('=') || !self.needed(&into) {
                        self.keys.push(Key { text: path.join(".") + end, optional: false });
                    }
                }
            }
        } else {
            self.given.names_at(base).iter().for_each(|number| self.begun(&below(base, number)));
        }
        self.keys.len() > before
    }

    /// Adds what is needed below a key that is given.
    fn begun(&mut self, path: &[String]) {
        if self.given.unfinished(self.schema, self.root, path) == Some(true) {
            self.needed(path);
        }
    }

    /// What stands behind a key of this type, and the number in it where it is an array of objects.
    fn behind(&self, kind: TypeId) -> (&'static str, Option<&'static str>) {
        match self.schema.kind(kind) {
            Type::Object(_) => (".", None),
            Type::Array(element) if matches!(self.schema.kind(*element), Type::Object(_)) => (".0.", Some("0")),
            _ => ("=", None),
        }
    }
}

fn below(base: &[String], name: &str) -> Vec<String> {
    base.iter().cloned().chain([name.to_owned()]).collect()
}
