//! Option lists, as in `device_add virtio-blk-pci,drive=d0,id=x`. QEMU reads them in two ways.
//!
//! [`OptionList`] is flat: a list of keys and texts, in which a key without a value means `on`. [`NestedOptions`] is
//! strict: each key needs a value, and dots and numbers in keys make objects and arrays. In both, the key of the first
//! option may be implied, and two commas stand for one comma in a value.

use serde_json::{Map, Value};

/// The maximum length of one part of a nested key, in bytes.
const MAX_KEY_PART_BYTES: usize = 127;

/// The maximum number of parts of a nested key. QEMU's own have at most four.
const MAX_KEY_PARTS: usize = 64;

/// The explanation that follows an error about an id.
pub(crate) const IDENTIFIER_RULE: &str =
    "Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.";

/// A flat list of options.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct OptionList {
    /// The value of the first `id=`.
    pub(crate) id: Option<String>,
    /// The other options, in order.
    pub(crate) options: Vec<FlatOption>,
}

/// One option of a flat list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FlatOption {
    pub(crate) key: String,
    pub(crate) value: String,
    /// Whether it was written without a value: `server` for `server=on`, or `nowait` for `wait=off`.
    pub(crate) is_short: bool,
}

impl OptionList {
    /// Parses a list. An option without `=` in the first place is the value of `implied_key`.
    pub(crate) fn parse(text: &str, implied_key: &str) -> OptionList {
        // QEMU searches for the id before it reads the options, even inside a value with an escaped comma.
        let id = text.strip_prefix("id=").or_else(|| text.split_once(",id=").map(|(_, id)| id));
        let mut list = OptionList { id: id.map(|id| split_value(id).0), options: Vec::new() };
        let mut rest = text;
        while !rest.is_empty() {
            let is_first = rest.len() == text.len();
            let end = rest.find(['=', ',']).unwrap_or(rest.len());
            if rest[end..].starts_with('=') {
                let (value, after) = split_value(&rest[end + 1..]);
                list.push(&rest[..end], value, false);
                rest = after;
            } else if is_first {
                let (value, after) = split_value(rest);
                list.push(implied_key, value, false);
                rest = after;
            } else {
                match rest[..end].strip_prefix("no") {
                    Some(key) => list.push(key, "off".to_owned(), true),
                    None => list.push(&rest[..end], "on".to_owned(), true),
                }
                rest = rest.get(end + 1..).unwrap_or_default();
            }
        }
        list
    }

    fn push(&mut self, key: &str, value: String, is_short: bool) {
        if key != "id" {
            self.options.push(FlatOption { key: key.to_owned(), value, is_short });
        }
    }

    /// Returns the value of a key, the last if there are several.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.options.iter().rev().find(|option| option.key == key).map(|option| option.value.as_str())
    }

    /// Returns whether the list asks for help: with the key `help` or `?`, or such a value of `implied_key`.
    pub(crate) fn asks_for_help(&self, implied_key: &str) -> bool {
        let has_help_key = self.options.iter().any(|option| is_help(&option.key));
        has_help_key || self.get(implied_key).is_some_and(is_help)
    }

    /// Returns whether there is no id, or a valid one.
    pub(crate) fn has_valid_id(&self) -> bool {
        self.id.as_deref().is_none_or(is_identifier)
    }
}

/// Splits text after the value that it begins with. Returns the value, and the text after the comma.
fn split_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let Some((part, after)) = rest.split_once(',') else { return (value + rest, "") };
        value.push_str(part);
        match after.strip_prefix(',') {
            Some(after) => {
                value.push(',');
                rest = after;
            }
            None => return (value, after),
        }
    }
}

/// Returns whether a word asks for help.
pub(crate) fn is_help(word: &str) -> bool {
    matches!(word, "help" | "?")
}

/// Returns whether `id` is valid: a letter, then letters, digits, `-`, `.` and `_`.
pub(crate) fn is_identifier(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_alphabetic())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
}

/// Options whose dotted keys make objects and arrays. All scalars are texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct NestedOptions {
    pub(crate) members: Map<String, Value>,
    /// Whether `help` or `?` is among them.
    pub(crate) asks_for_help: bool,
}

impl NestedOptions {
    /// Parses a list. The error is the message of QEMU.
    pub(crate) fn parse(text: &str, implied_key: &str) -> Result<NestedOptions, String> {
        let mut nested = NestedOptions::default();
        let mut rest = text;
        while !rest.is_empty() {
            let is_first = rest.len() == text.len();
            let end = rest.find(['=', ',']).unwrap_or(rest.len());
            let key = &rest[..end];
            let has_value = rest[end..].starts_with('=');
            if !has_value && is_help(key) {
                nested.asks_for_help = true;
                rest = rest.get(end + 1..).unwrap_or_default();
            } else if !has_value && is_first && !key.is_empty() {
                nested.members.insert(implied_key.to_owned(), Value::String(key.to_owned()));
                rest = rest.get(end + 1..).unwrap_or_default();
            } else {
                let parts = key_parts(key).ok_or_else(|| format!("Invalid parameter '{key}'"))?;
                if !has_value {
                    return Err(format!("Expected '=' after parameter '{key}'"));
                }
                let (value, after) = split_value(&rest[end + 1..]);
                insert(&mut nested.members, key, &parts, value)?;
                rest = after;
            }
        }
        for (key, value) in &mut nested.members {
            make_arrays(key, value)?;
        }
        Ok(nested)
    }
}

impl NestedOptions {
    /// Returns the members of a flat list, in which dotted keys make objects. The last of several options with the
    /// same key counts.
    pub(crate) fn from_flat(list: &OptionList) -> Result<Map<String, Value>, String> {
        let mut members = Map::new();
        members.extend(list.id.clone().map(|id| ("id".to_owned(), Value::String(id))));
        for FlatOption { key, value, .. } in &list.options {
            let parts = key_parts(key).unwrap_or_else(|| vec![key]);
            insert(&mut members, key, &parts, value.clone())?;
        }
        for (key, value) in &mut members {
            make_arrays(key, value)?;
        }
        Ok(members)
    }
}

/// Splits a nested key into its parts. `None` if it is invalid.
fn key_parts(key: &str) -> Option<Vec<&str>> {
    // The name of a vendor's key has a dot of its own: `__com.example_key`.
    let prefix = match key.strip_prefix("__") {
        Some(rest) => 2 + rest.find('_')?,
        None => 0,
    };
    let first_end = key[prefix..].find('.').map_or(key.len(), |dot| prefix + dot);
    let first = &key[..first_end];
    let others = key.get(first_end + 1..).map(|others| others.split('.')).into_iter().flatten();
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    let is_index = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
    let is_first_valid = if prefix > 0 { first.len() > prefix + 1 } else { is_name(first) };
    let parts: Vec<&str> = [first].into_iter().chain(others).collect();
    let are_others_valid = parts[1..].iter().all(|part| is_name(part) || is_index(part));
    let are_short = parts.len() <= MAX_KEY_PARTS && parts.iter().all(|part| part.len() <= MAX_KEY_PART_BYTES);
    (is_first_valid && are_others_valid && are_short).then_some(parts)
}

/// Inserts a value at the place that `parts`, the parts of `key`, name.
fn insert(members: &mut Map<String, Value>, key: &str, parts: &[&str], value: String) -> Result<(), String> {
    let mut members = members;
    let mut path_bytes = 0;
    for (depth, part) in parts.iter().enumerate() {
        path_bytes += part.len() + usize::from(depth > 0);
        let inconsistent = || format!("Parameters '{}.*' used inconsistently", &key[..path_bytes]);
        // Numbers may have leading zeros.
        let part = match part.trim_start_matches('0') {
            "" => "0",
            number if number.bytes().all(|c| c.is_ascii_digit()) => number,
            _ => part,
        };
        if depth + 1 == parts.len() {
            return match members.insert(part.to_owned(), Value::String(value)) {
                Some(Value::Object(_)) => Err(inconsistent()),
                _ => Ok(()),
            };
        }
        let next = members.entry(part).or_insert_with(|| Value::Object(Map::new()));
        members = next.as_object_mut().ok_or_else(inconsistent)?;
    }
    Ok(())
}

/// Turns objects whose keys are numbers into arrays. `path` is the key of `value`.
fn make_arrays(path: &str, value: &mut Value) -> Result<(), String> {
    let Value::Object(members) = value else { return Ok(()) };
    for (key, member) in members.iter_mut() {
        make_arrays(&format!("{path}.{key}"), member)?;
    }
    let is_index = |key: &String| key.starts_with(|c: char| c.is_ascii_digit());
    match members.keys().filter(|key| is_index(key)).count() {
        0 => return Ok(()),
        indices if indices < members.len() => return Err(format!("Parameters '{path}.*' used inconsistently")),
        _ => {}
    }
    let item = |index: usize| {
        members.get(&index.to_string()).cloned().ok_or_else(|| format!("Parameter '{path}.{index}' missing"))
    };
    *value = Value::Array((0..members.len()).map(item).collect::<Result<_, _>>()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows a flat list: the id, then the options.
    fn flat(text: &str) -> String {
        let list = OptionList::parse(text, "driver");
        let option = |option: &FlatOption| {
            let mark = if option.is_short { "~" } else { "" };
            format!("{mark}{}={}", option.key, option.value)
        };
        let options: Vec<String> = list.options.iter().map(option).collect();
        format!("{}: {}", list.id.as_deref().unwrap_or("-"), options.join(" "))
    }

    #[test]
    fn flat_lists_have_escapes_and_an_implied_key() {
        for (text, expected) in [
            ("", "-: "),
            ("help", "-: driver=help"),
            ("e1000,id=x,netdev=n0", "x: driver=e1000 netdev=n0"),
            ("id=x,driver=e1000", "x: driver=e1000"),
            ("e1000,id=x,id=y", "x: driver=e1000"),
            ("e1000,id,noid", "-: driver=e1000"),
            ("e1000,id=", ": driver=e1000"),
            ("e1000,,id=x", "x: driver=e1000,id=x"),
            ("e1000,", "-: driver=e1000"),
            (",e1000", "-: driver= ~e1000=on"),
            (",", "-: driver="),
            ("=e1000", "-: =e1000"),
            ("e1000,=,a=b=c", "-: driver=e1000 = a=b=c"),
            ("socket,server,nowait,path=/a,,b,x=,,", "-: driver=socket ~server=on ~wait=off path=/a,b x=,"),
            ("a,hostfwd=1,hostfwd=2", "-: driver=a hostfwd=1 hostfwd=2"),
        ] {
            assert_eq!(flat(text), expected, "{text}");
        }
        assert_eq!(OptionList::parse("a,x=1,x=2", "driver").get("x"), Some("2"));
    }

    #[test]
    fn flat_lists_ask_for_help_by_key_or_implied_value() {
        for text in ["help", "?", "e1000,help", "e1000,?", "e1000,help=off", "driver=help"] {
            assert!(OptionList::parse(text, "driver").asks_for_help("driver"), "{text}");
        }
        for text in ["e1000", "e1000,id=help", "e1000,serial=?"] {
            assert!(!OptionList::parse(text, "driver").asks_for_help("driver"), "{text}");
        }
    }

    #[test]
    fn ids_begin_with_a_letter() {
        for (id, is_valid) in
            [("a", true), ("a_b-c.d", true), ("a..b", true), ("", false), ("1x", false), ("_a", false), ("ä", false)]
        {
            assert_eq!(is_identifier(id), is_valid, "{id}");
        }
        assert!(OptionList::parse("null", "backend").has_valid_id());
        assert!(!OptionList::parse("null,id=", "backend").has_valid_id());
    }

    /// Shows nested options as JSON, or the error.
    fn nested(text: &str) -> String {
        match NestedOptions::parse(text, "qom-type") {
            Ok(options) => {
                let help = if options.asks_for_help { " help" } else { "" };
                Value::Object(options.members).to_string() + help
            }
            Err(message) => message,
        }
    }

    #[test]
    fn nested_keys_make_objects_and_arrays() {
        for (text, expected) in [
            ("", "{}"),
            ("help", "{} help"),
            ("iothread,?,id=x", r#"{"qom-type":"iothread","id":"x"} help"#),
            ("iothread,help=on", r#"{"qom-type":"iothread","help":"on"}"#),
            ("iothread,id=x,", r#"{"qom-type":"iothread","id":"x"}"#),
            ("a,id=x,id=y", r#"{"qom-type":"a","id":"y"}"#),
            ("a,data=x,,y=z", r#"{"qom-type":"a","data":"x,y=z"}"#),
            ("a,limits.x=1,limits.y=2", r#"{"qom-type":"a","limits":{"x":"1","y":"2"}}"#),
            ("a,l.1=b,l.00=a", r#"{"qom-type":"a","l":["a","b"]}"#),
            ("a,l.0.k=b,l.0.m=c", r#"{"qom-type":"a","l":[{"k":"b","m":"c"}]}"#),
            ("a,__com.x_y=1", r#"{"qom-type":"a","__com.x_y":"1"}"#),
        ] {
            assert_eq!(nested(text), expected, "{text}");
        }
    }

    #[test]
    fn nested_errors_are_those_of_qemu() {
        for (text, message) in [
            ("iothread,id", "Expected '=' after parameter 'id'"),
            ("iothread,a.b", "Expected '=' after parameter 'a.b'"),
            ("iothread,9a", "Invalid parameter '9a'"),
            ("iothread,,id=x", "Invalid parameter ''"),
            (",id=x", "Invalid parameter ''"),
            (",", "Invalid parameter ''"),
            ("=x", "Invalid parameter ''"),
            ("iothread id=x", "Invalid parameter 'iothread id'"),
            ("a,9=5", "Invalid parameter '9'"),
            ("a,a.9b=5", "Invalid parameter 'a.9b'"),
            ("a,l..x=5", "Invalid parameter 'l..x'"),
            ("a,.x=5", "Invalid parameter '.x'"),
            ("a,x.=5", "Invalid parameter 'x.'"),
            ("a,_a=5", "Invalid parameter '_a'"),
            ("a,__org.x=5", "Invalid parameter '__org.x'"),
            ("a,a.9=5", "Parameter 'a.0' missing"),
            ("a,l.99999999999999999999.m=x", "Parameter 'l.0' missing"),
            ("a,l=5,l.x=1", "Parameters 'l.*' used inconsistently"),
            ("a,l.x=1,l=5", "Parameters 'l.*' used inconsistently"),
            ("a,l.x=1,l.0=5", "Parameters 'l.*' used inconsistently"),
        ] {
            assert_eq!(nested(text), message, "{text}");
        }
    }
}
