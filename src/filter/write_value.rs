//! Writes a value of jaq as compact JSON.
//!
//! Differs from jaq's writer, whose output is not always JSON: not-a-number becomes `null` and the infinities the largest
//! numbers, as in jq; bytes become text; keys that are not strings become strings.

use jaq_json::{Num, Val};

/// Appends a value to `out` as JSON on one line, without blanks between its tokens.
pub(super) fn write_value(value: &Val, out: &mut String) {
    match value {
        Val::Null => out.push_str("null"),
        Val::Bool(true) => out.push_str("true"),
        Val::Bool(false) => out.push_str("false"),
        Val::Num(number) => write_number(number, out),
        Val::TStr(bytes) | Val::BStr(bytes) => write_string(bytes, out),
        Val::Arr(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Val::Obj(members) => {
            out.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_key(key, out);
                out.push(':');
                write_value(member, out);
            }
            out.push('}');
        }
    }
}

fn write_key(key: &Val, out: &mut String) {
    match key {
        Val::TStr(bytes) | Val::BStr(bytes) => write_string(bytes, out),
        other => {
            let mut text = String::new();
            write_value(other, &mut text);
            write_string(text.as_bytes(), out);
        }
    }
}

fn write_number(number: &Num, out: &mut String) {
    match number {
        Num::Float(float) if float.is_nan() => out.push_str("null"),
        Num::Float(float) if float.is_infinite() => {
            let largest = if *float > 0.0 { "1.7976931348623157e308" } else { "-1.7976931348623157e308" };
            out.push_str(largest);
        }
        number => out.push_str(&number.to_string()),
    }
}

/// Appends a JSON string. Half a surrogate pair becomes its escape, and other invalid UTF-8 the replacement character.
fn write_string(bytes: &[u8], out: &mut String) {
    out.push('"');
    let mut rest = bytes;
    loop {
        match std::str::from_utf8(rest) {
            Ok(text) => {
                push_escaped(text, out);
                break;
            }
            Err(error) => {
                let (valid, invalid) = rest.split_at(error.valid_up_to());
                push_escaped(std::str::from_utf8(valid).unwrap_or_default(), out);
                rest = match surrogate(invalid) {
                    Some(unit) => {
                        push_unit(unit, out);
                        &invalid[3..]
                    }
                    None => {
                        out.push(char::REPLACEMENT_CHARACTER);
                        &invalid[error.error_len().unwrap_or(invalid.len())..]
                    }
                };
            }
        }
    }
    out.push('"');
}

/// Returns the half of a surrogate pair that three bytes at the beginning encode.
fn surrogate(bytes: &[u8]) -> Option<u32> {
    match bytes {
        [0xed, second @ 0xa0..=0xbf, third @ 0x80..=0xbf, ..] => {
            Some(0xd000 | u32::from(second & 0x3f) << 6 | u32::from(third & 0x3f))
        }
        _ => None,
    }
}

/// Appends the escape of a UTF-16 unit.
fn push_unit(unit: u32, out: &mut String) {
    out.push_str(&format!("\\u{unit:04x}"));
}

fn push_escaped(text: &str, out: &mut String) {
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[copied..at]);
        copied = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => push_unit(byte.into(), out),
        }
    }
    out.push_str(&text[copied..]);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::read_value::{MAX_VALUE_DEPTH, read_value};
    use super::*;

    fn copied(json: &str) -> Result<String, String> {
        let value = read_value(&Bytes::copy_from_slice(json.as_bytes()))?;
        let mut out = String::new();
        write_value(&value, &mut out);
        Ok(out)
    }

    #[test]
    fn values_pass_through_as_the_server_spelled_them() {
        for json in [
            "null",
            "[true,false]",
            "{}",
            "[]",
            r#"{"b":1,"a":{"c":[{}]}}"#,
            "18446744073709551615",
            "-9223372036854775809",
            "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "1e400",
            "0.1",
            "-0",
            "-0.0",
            "1.0",
            "1E+2",
            r#""\ud800 \udc00x""#,
            r#"["a\"b\\c\n\r\t\u0001","é漢😀",""]"#,
        ] {
            assert_eq!(copied(json).as_deref(), Ok(json));
        }
        for (json, copy) in [
            (" { \"a\" : [ 1 , 2 ] }\n", r#"{"a":[1,2]}"#),
            (r#""\u00e9\ud83d\ude00\/\b""#, "\"é😀/\\u0008\""),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            ("[nan,-inf]", "[null,-1.7976931348623157e308]"),
        ] {
            assert_eq!(copied(json).as_deref(), Ok(copy));
        }
    }

    #[test]
    fn rejects_what_is_not_json() {
        for (json, at) in
            [("", 0), ("[1", 2), ("{\"a\"}", 4), ("{1:2}", 1), ("\"x", 0), ("tru", 0), ("1 2", 2), ("[1,]", 3)]
        {
            assert_eq!(copied(json), Err(format!("invalid JSON at byte {at}")), "{json}");
        }
    }

    #[test]
    fn bounds_the_depth() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        std::thread::Builder::new()
            .stack_size(64 << 20)
            .spawn(move || {
                let deepest = nested(MAX_VALUE_DEPTH);
                assert_eq!(copied(&deepest), Ok(deepest));
                let message = "the value is nested more than 10000 levels deep";
                assert_eq!(copied(&nested(1_000_000)), Err(message.to_owned()));
            })
            .unwrap()
            .join()
            .unwrap();
    }
}
