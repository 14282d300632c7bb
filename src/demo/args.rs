//! The arguments of one command, already checked against its declaration, as handlers read them.

use serde_json::{Map, Value};

use super::failure::Failure;

/// Checked arguments.
#[derive(Clone, Copy)]
pub struct Args<'a>(pub &'a Map<String, Value>);

impl<'a> Args<'a> {
    /// An optional member of any type.
    pub fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }

    /// A mandatory string. The check lets no command through without it; the failure keeps this total all the same.
    pub fn text(self, name: &str) -> Result<&'a str, Failure> {
        self.maybe_text(name).ok_or_else(|| Failure::new(format!("argument '{name}' is missing")))
    }

    /// An optional string.
    pub fn maybe_text(self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str()
    }

    /// An optional size or count. What is negative counts from the top of 64 bits, as in QEMU.
    pub fn number(self, name: &str) -> Option<u64> {
        let value = self.get(name)?;
        value.as_u64().or_else(|| value.as_i64().map(i64::cast_unsigned))
    }

    /// An optional truth value.
    pub fn flag(self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    /// An optional object.
    pub fn object(self, name: &str) -> Option<Args<'a>> {
        self.get(name)?.as_object().map(Args)
    }
}

/// Whether `id` may name a node, a job, a device or an object: a letter, then letters, digits, `-`, `.`, `_`.
pub fn check_id(what: &str, id: &str) -> Result<(), Failure> {
    let well_formed = id.starts_with(|c: char| c.is_ascii_alphabetic())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    if well_formed && id.len() <= 127 {
        return Ok(());
    }
    Err(Failure::new(format!(
        "'{what}' must be a letter followed by letters, digits, '-', '.' or '_', 127 in all at most"
    )))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_reach_over_all_of_64_bits() {
        let value = json!({"a": u64::MAX, "b": -1, "c": 7});
        let args = Args(value.as_object().unwrap());
        assert_eq!([args.number("a"), args.number("b"), args.number("c")], [Some(u64::MAX), Some(u64::MAX), Some(7)]);
        assert_eq!(args.number("d"), None);
    }

    #[test]
    fn ids_are_words() {
        for good in ["a", "net0", "a-b.c_d"] {
            assert_eq!(check_id("id", good), Ok(()));
        }
        for bad in ["", "0a", "a b", "é", &"a".repeat(200)] {
            assert!(check_id("id", bad).is_err(), "{bad}");
        }
    }
}
