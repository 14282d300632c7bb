//! The arguments of a command, already checked against its declaration, as handlers read them.

use serde_json::{Map, Value};

use super::error::CommandError;

const MAX_ID_BYTES: usize = 127;

/// Checked arguments. `None` from an `optional_…` method means that the argument was left out.
#[derive(Clone, Copy)]
pub struct Args<'a>(pub &'a Map<String, Value>);

impl<'a> Args<'a> {
    pub fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }

    /// Returns a mandatory string. The check has already rejected calls without it, so the error does not occur.
    pub fn required_str(self, name: &str) -> Result<&'a str, CommandError> {
        self.optional_str(name).ok_or_else(|| CommandError::generic(format!("missing argument '{name}'")))
    }

    pub fn optional_str(self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str()
    }

    /// Returns an integer. A negative one is converted to its two's complement, as in QEMU.
    pub fn optional_u64(self, name: &str) -> Option<u64> {
        let value = self.get(name)?;
        value.as_u64().or_else(|| value.as_i64().map(i64::cast_unsigned))
    }

    pub fn optional_bool(self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    pub fn optional_object(self, name: &str) -> Option<Args<'a>> {
        self.get(name)?.as_object().map(Args)
    }
}

/// Checks the id of a node, job, device or object.
pub fn check_id(argument: &str, id: &str) -> Result<(), CommandError> {
    let is_well_formed = id.starts_with(|c: char| c.is_ascii_alphabetic())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    if is_well_formed && id.len() <= MAX_ID_BYTES {
        return Ok(());
    }
    Err(CommandError::generic(format!(
        "argument '{argument}' must begin with a letter, contain only letters, digits, '-', '.' and '_', and have at \
         most {MAX_ID_BYTES} characters"
    )))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_integers_of_64_bits() {
        let value = json!({"a": u64::MAX, "b": -1, "c": 7});
        let args = Args(value.as_object().unwrap());
        let values = ["a", "b", "c", "d"].map(|name| args.optional_u64(name));
        assert_eq!(values, [Some(u64::MAX), Some(u64::MAX), Some(7), None]);
    }

    #[test]
    fn checks_ids() {
        for good in ["a", "net0", "a-b.c_d"] {
            assert_eq!(check_id("id", good), Ok(()));
        }
        for bad in ["", "0a", "a b", "é", &"a".repeat(200)] {
            assert!(check_id("id", bad).is_err(), "{bad}");
        }
    }
}
