//! Conditions on a return value: `KEY=VALUE` words.

use serde_json::Value;

use crate::grammar::{Diagnostic, Word};
use crate::schema::{Schema, Type, TypeId, did_you_mean, types_at};
use crate::wire::preview;

use super::super::super::events::members::{is_typed_as, member_at};

/// A member of a return value, and the value that it should have.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    path: Vec<String>,
    word: Word,
}

impl Condition {
    /// Parses a word.
    pub(super) fn parse(word: &Word) -> Result<Condition, Diagnostic> {
        if word.equals.is_none() || word.key().split('.').any(str::is_empty) {
            return Err(Diagnostic::new(word.span, format!("expected `member=value`, found `{}`", word.text)));
        }
        let path = word.key().split('.').map(str::to_owned).collect();
        Ok(Condition { path, word: word.clone() })
    }

    /// Rejects a condition that can never hold for a value of type `root`.
    pub(super) fn check(&self, schema: &Schema, root: TypeId, command: &str) -> Result<(), Diagnostic> {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let kinds = types_at(schema, root, &path).map_err(|unknown| {
            let (name, suggestion) = (unknown.name, unknown.suggestion);
            let is_first = self.path.first() == Some(&name);
            let key = self.word.key_span();
            Diagnostic::new(
                key,
                match is_first {
                    true => format!("`{command}` has no key `{name}`, and returns no member `{name}`{suggestion}"),
                    false => format!("what `{command}` returns has no member `{name}` there{suggestion}"),
                },
            )
        })?;
        let names = |kind: &TypeId| match schema.definition(*kind) {
            Type::Enum(values) => Some(values.iter().map(|value| value.name.as_str()).collect::<Vec<_>>()),
            _ => None,
        };
        // If it can be something else than an enumeration, nothing is known.
        let enums: Option<Vec<Vec<&str>>> = kinds.iter().map(names).collect();
        let values: Vec<&str> = enums.unwrap_or_default().concat();
        if values.is_empty() || values.contains(&self.word.value()) {
            return Ok(());
        }
        let near = did_you_mean(self.word.value(), values.iter().copied());
        let message = format!("`{}` has no value `{}`{near}", self.word.key(), self.word.value());
        Err(Diagnostic::new(self.word.value_span(), message))
    }

    fn holds(&self, value: &Value) -> bool {
        member_at(value, &self.path).is_some_and(|member| is_typed_as(member, self.word.value()))
    }

    /// Returns whether the path begins with the index of an item.
    fn has_index(&self) -> bool {
        self.path.first().is_some_and(|part| part.parse::<usize>().is_ok())
    }

    /// Returns the diagnostic for a value that does not meet the condition.
    fn unmet(&self, value: Option<&Value>) -> Diagnostic {
        let found = match value.map(|value| member_at(value, &self.path)) {
            None => "found an empty array".to_owned(),
            Some(None) => "found no such member".to_owned(),
            Some(Some(Value::String(text))) => format!("found `{}`", preview(text)),
            Some(Some(member)) => format!("found `{}`", preview(&member.to_string())),
        };
        Diagnostic::new(self.word.span, format!("expected `{}`, {found}", preview(&self.word.text)))
    }
}

/// Checks that a value meets all conditions. One item of an array must meet them all, unless they name its index.
pub(super) fn check_all(conditions: &[Condition], value: &Value) -> Result<(), Diagnostic> {
    let unmet_by = |value: &Value| conditions.iter().find(|condition| !condition.holds(value));
    let items = match value {
        Value::Array(items) if !conditions.iter().any(Condition::has_index) => items.as_slice(),
        value => std::slice::from_ref(value),
    };
    let Some(first) = conditions.first() else { return Ok(()) };
    let Some(last) = items.last() else { return Err(first.unmet(None)) };
    if items.iter().any(|item| unmet_by(item).is_none()) {
        return Ok(());
    }
    // The item that meets most is the one that is meant, or else one that meets the first conditions.
    let met = |item: &&Value| {
        let first_unmet = conditions.iter().position(|condition| !condition.holds(item));
        (conditions.iter().filter(|condition| condition.holds(item)).count(), first_unmet)
    };
    let nearest = items.iter().rev().max_by_key(met).unwrap_or(last);
    Err(unmet_by(nearest).unwrap_or(first).unmet(Some(nearest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::tokenize;
    use serde_json::json;

    fn check(words: &str, value: &Value) -> Result<(), String> {
        let conditions: Vec<Condition> =
            tokenize(words).words.iter().map(|word| Condition::parse(word).unwrap()).collect();
        check_all(&conditions, value).map_err(|diagnostic| diagnostic.message)
    }

    #[test]
    fn all_conditions_must_hold() {
        let value = json!({"status": "running", "ram": {"total": 5}, "list": [true]});
        assert_eq!(check("status=running ram.total=5 list.0=on", &value), Ok(()));
        assert_eq!(check("ram.total=6", &value), Err("expected `ram.total=6`, found `5`".to_owned()));
        assert_eq!(check("ram.x=6", &value), Err("expected `ram.x=6`, found no such member".to_owned()));
        assert_eq!(check("", &value), Ok(()));
    }

    #[test]
    fn one_item_must_meet_them_all() {
        let jobs = json!([{"id": "a", "status": "ready"}, {"id": "b", "status": "running"}, {"id": "c"}]);
        assert_eq!(check("id=a status=ready", &jobs), Ok(()));
        assert_eq!(check("id=b status=ready", &jobs), Err("expected `status=ready`, found `running`".to_owned()));
        assert_eq!(check("1.status=running 0.id=a", &jobs), Ok(()));
        assert_eq!(check("0.id=b", &jobs), Err("expected `0.id=b`, found `a`".to_owned()));
        assert_eq!(check("id=a", &json!([])), Err("expected `id=a`, found an empty array".to_owned()));
    }
}
