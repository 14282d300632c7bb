//! Layouts that several commands share, and access to the members of replies.

use std::collections::HashMap;

use serde_json::Value;

/// Returns a string member, or an empty string.
pub(crate) fn string<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Returns an integer member, or 0.
pub(crate) fn integer(object: &Value, key: &str) -> i64 {
    object.get(key).and_then(Value::as_i64).unwrap_or_default()
}

/// Returns whether a member is true.
pub(crate) fn is_true(object: &Value, key: &str) -> bool {
    object.get(key).and_then(Value::as_bool).unwrap_or_default()
}

/// Returns the items of an array, or none for any other value.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Returns the items of an array by a string member, for many lookups. The first of several with the same text wins.
pub(crate) fn by_member<'a>(array: &'a Value, key: &str) -> HashMap<&'a str, &'a Value> {
    items(array).iter().rev().map(|item| (string(item, key), item)).collect()
}

/// Returns an integer member without its sign, or 0. Negative ones wrap around, as addresses do.
pub(crate) fn unsigned(object: &Value, key: &str) -> u64 {
    let value = object.get(key);
    let wrapped = || value.and_then(Value::as_i64).map(|value| value as u64);
    value.and_then(Value::as_u64).or_else(wrapped).unwrap_or_default()
}

/// Returns an integer member that has no sign, or 0, also for a negative one.
pub(crate) fn count(object: &Value, key: &str) -> u64 {
    object.get(key).and_then(Value::as_u64).unwrap_or_default()
}

/// Returns a member as text without quotes, or an empty text.
pub(crate) fn plain(object: &Value, key: &str) -> String {
    match object.get(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// Returns `on` or `off`.
pub(crate) fn on_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

/// Returns lines of a label and a member: `labels` has the text before the value, and the key.
pub(crate) fn labelled_lines(object: &Value, labels: &[(&str, &str)]) -> String {
    labels.iter().map(|(label, key)| format!("{label}{}\n", plain(object, key))).collect()
}

/// Returns the numbers of an array in ascending order, each once, and runs as `FIRST-LAST`. QEMU's own monitor shows lists
/// so.
pub(crate) fn number_ranges(numbers: &Value) -> String {
    let mut numbers: Vec<u64> = items(numbers).iter().filter_map(Value::as_u64).collect();
    numbers.sort_unstable();
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if number <= last.saturating_add(1) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let range = |(first, last): &(u64, u64)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges.iter().map(range).collect::<Vec<_>>().join(",")
}

/// Returns JSON with an indent of four blanks for each level, and everything but ASCII escaped, as QEMU prints it.
pub(crate) fn indented_json(value: &Value) -> String {
    let mut text = String::new();
    push_json(value, 0, &mut text);
    text
}

fn push_json(value: &Value, level: usize, text: &mut String) {
    let line_break = |level: usize| format!("\n{:indent$}", "", indent = 4 * level);
    let mut push_all = |brackets: [char; 2], members: Vec<(String, &Value)>| {
        text.push(brackets[0]);
        for (index, (prefix, member)) in members.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            *text += &format!("{comma}{}{prefix}", line_break(level + 1));
            push_json(member, level + 1, text);
        }
        *text += &line_break(level);
        text.push(brackets[1]);
    };
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(key, member)| (format!("{}: ", json_string(key)), member));
            push_all(['{', '}'], members.collect());
        }
        Value::Array(items) => push_all(['[', ']'], items.iter().map(|item| (String::new(), item)).collect()),
        Value::String(string) => *text += &json_string(string),
        scalar => *text += &scalar.to_string(),
    }
}

/// Returns a string of JSON in ASCII.
fn json_string(string: &str) -> String {
    let quoted = Value::from(string).to_string();
    let mut text = String::with_capacity(quoted.len());
    for c in quoted.chars() {
        match c {
            ' '..='~' => text.push(c),
            c => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text += &format!("\\u{unit:04X}")),
        }
    }
    text
}

/// Returns a size with at most three significant digits, such as `1.47 MiB`. Each next unit begins at 1000.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while value >= 1000.0 {
        value /= 1024.0;
        unit = units.next();
    }
    format!("{} {}", three_digits(value), unit.unwrap_or(&""))
}

/// Returns a number below 1000 with at most three significant digits, as C's `%.3g` does.
fn three_digits(value: f64) -> String {
    let decimals = match value {
        ..1.0 => 3,
        1.0..10.0 => 2,
        10.0..100.0 => 1,
        100.0..999.5 => 0,
        _ => return "1e+03".to_owned(),
    };
    let digits = format!("{value:.decimals$}");
    match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => digits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_and_ascii() {
        let value = serde_json::json!({"a": [1, {}], "b": [], "c": "ä\"\n😀", "d": null});
        let expected = [
            "{",
            "    \"a\": [",
            "        1,",
            "        {",
            "        }",
            "    ],",
            "    \"b\": [",
            "    ],",
            "    \"c\": \"\\u00E4\\\"\\n\\uD83D\\uDE00\",",
            "    \"d\": null",
            "}",
        ];
        assert_eq!(indented_json(&value), expected.join("\n"));
    }

    #[test]
    fn a_size_has_at_most_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "0.977 KiB"),
            (1_024, "1 KiB"),
            (197_120, "192 KiB"),
            (1_023_488, "1e+03 KiB"),
            (1_024_000, "0.977 MiB"),
            (1_079_296, "1.03 MiB"),
            (5_497_558_138_880, "5 TiB"),
            (1_151_795_604_700_004_352, "0.999 EiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn the_first_of_several_is_found() {
        let list = serde_json::json!([{"id": "a", "n": 1}, {"id": "b"}, {"id": "a", "n": 2}, 5]);
        let found = by_member(&list, "id");
        assert_eq!((found.len(), found.get("a").map(|item| unsigned(item, "n"))), (3, Some(1)));
    }

    #[test]
    fn numbers_are_sorted_and_runs_are_joined() {
        for (numbers, text) in
            [("[]", ""), ("[0, 0]", "0"), ("[303, 0]", "0,303"), ("[4, 2, 3, 9, 7, 8]", "2-4,7-9"), ("null", "")]
        {
            assert_eq!(number_ranges(&serde_json::from_str(numbers).unwrap()), text);
        }
    }
}
