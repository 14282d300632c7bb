//! Values in the replies to the queries that programs send for themselves, in bounded memory.

use serde_json::Value;

/// The maximum memory of the values that are in use at a time. The largest replies of QEMU take a few MiB.
pub(crate) const MAX_VALUE_MEMORY: usize = 384 << 20;

/// The memory that an object, a list and each further item take at most, in bytes, besides their text. As measured, an
/// object with one member takes 480, and a member of a large object 170.
const OBJECT_BYTES: usize = 512;
const LIST_BYTES: usize = 160;
const ITEM_BYTES: usize = 176;

/// Returns the memory that a JSON text takes as a value, rather too much than too little: ten to sixty times its length for
/// the densest texts.
pub(crate) fn value_memory(text: &str) -> usize {
    let mut memory = text.len();
    for at in memchr::memchr3_iter(b'{', b'[', b',', text.as_bytes()) {
        memory += match text.as_bytes()[at] {
            b'{' => OBJECT_BYTES,
            b'[' => LIST_BYTES,
            _ => ITEM_BYTES,
        };
    }
    memory
}

/// Parses a return value. The error is the end of a sentence about the reply.
pub(crate) fn parse_value(text: &str) -> Result<Value, String> {
    match value_memory(text) > MAX_VALUE_MEMORY {
        true => Err(format!("would take more than {} MiB of memory", MAX_VALUE_MEMORY >> 20)),
        false => serde_json::from_str(text).map_err(|error| format!("cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_values_are_refused_and_long_texts_are_not() {
        let list = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
        for (text, is_accepted) in [
            (list("{\"id\": \"job0\", \"type\": \"backup\", \"status\": \"running\"}", 120_000), true),
            (format!("\"{}\"", "x".repeat(50 << 20)), true),
            (list("{\"a\":1}", 1_000_000), false),
            (list("[]", 1_200_000), false),
            (list("1", 2_500_000), false),
        ] {
            assert_eq!(parse_value(&text).is_ok(), is_accepted, "{}", &text[..20]);
        }
        assert_eq!(parse_value("[{}]"), Ok(serde_json::json!([{}])));
        let error = parse_value("[").unwrap_err();
        assert!(error.starts_with("cannot be read: "), "{error}");
    }
}
