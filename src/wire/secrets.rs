//! The rules for which arguments are secret, and the search for secrets in a request.
//!
//! The rules over-approximate: masking too much costs detail in a log, masking too little leaks a password. So a mistyped
//! name counts as the name that it is close to, and in commands that exist to carry a secret every argument is secret
//! unless it is known to be harmless.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::value::RawValue;

use super::request::Request;
use super::text::{end_of_string, unquote};

/// Commands that carry a secret, each with those of its keys that do not.
const SECRET_COMMANDS: &[(&str, &[&str])] = &[
    ("set_password", &["protocol", "connected", "display"]),
    ("change-vnc-password", &[]),
    ("guest-set-user-password", &["username", "crypted"]),
    ("block_passwd", &["device", "node-name"]),
    ("sev-inject-launch-secret", &["packet-header", "gpa"]),
];

/// Keys with secret values: in one command, or in any (`None`). The input of `guest-exec` may be a password for the
/// program that it runs; a block device over HTTP logs in with its cookie.
const SECRET_KEYS: &[(Option<&str>, &str)] = &[
    (None, "password"),
    (None, "passwd"),
    (None, "passphrase"),
    (None, "cookie"),
    (Some("object-add"), "data"),
    (Some("guest-exec"), "input-data"),
];

/// HMP commands whose line contains a secret.
const SECRET_HMP_COMMANDS: &[&str] = &["set_password", "change_vnc_password", "block_passwd"];

/// Shorter secrets are not searched for in what the server sends: they occur everywhere, and masking them hides
/// nothing.
const MIN_ECHOED_SECRET_BYTES: usize = 4;

impl Request {
    /// Searches the arguments for secrets. In invalid JSON none can be found; all of it stays masked.
    pub(crate) fn mark_secrets(&mut self) {
        self.secrets = match &self.arguments {
            Some(arguments) => secret_ranges(&self.command, arguments),
            None => Some(Vec::new()),
        };
    }

    /// Returns the parts of the secrets that a server might echo: the text of a value, or the last word of an HMP line.
    pub(crate) fn secret_texts(&self) -> impl Iterator<Item = &str> {
        let arguments = self.arguments.as_deref().unwrap_or_default();
        self.secrets.iter().flatten().filter_map(|range| {
            let text = arguments.get(range.clone())?.trim_matches('"');
            let text = match self.command.as_str() {
                "human-monitor-command" => text.rsplit([' ', '=', ',']).next()?.trim_matches(['"', '\\', '}']),
                _ => text,
            };
            (text.len() >= MIN_ECHOED_SECRET_BYTES).then_some(text)
        })
    }
}

/// A string value in a command's arguments.
struct StringValue<'a> {
    /// The key of the argument that contains it.
    argument: Cow<'a, str>,
    /// The innermost key above it. Array items have the key of their array; numeric keys count as indices.
    key: Cow<'a, str>,
    /// Whether it is the value of the argument itself.
    is_argument: bool,
    text: Cow<'a, str>,
    /// Its byte range in the JSON text, quotes included.
    range: Range<usize>,
}

fn secret_ranges(command: &str, arguments: &str) -> Option<Vec<Range<usize>>> {
    serde_json::from_str::<&RawValue>(arguments).ok()?;
    let values = string_values(arguments)?;
    let secret = values.iter().filter(|value| is_secret(command, value, &values));
    Some(secret.map(|value| value.range.clone()).collect())
}

/// Collects the string values of an object, valid JSON, in order. `None` if a string does not decode to text.
fn string_values(json: &str) -> Option<Vec<StringValue<'_>>> {
    let bytes = json.as_bytes();
    let mut values = Vec::new();
    // The current key in each open object or array. They are not on the call stack, which deep JSON would overflow.
    let mut keys: Vec<Cow<'_, str>> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => keys.push(keys.last().cloned().unwrap_or_default()),
            b'}' | b']' => drop(keys.pop()),
            b'"' => {
                let range = at..end_of_string(bytes, at + 1);
                let text = unquote(&json[range.clone()])?;
                at = range.end;
                let is_key = json[at..].trim_ascii_start().starts_with(':');
                match keys.as_mut_slice() {
                    [.., outer, key] if is_key && text.parse::<usize>().is_ok() => key.clone_from(outer),
                    [.., key] if is_key => *key = text,
                    [argument, rest @ ..] => values.push(StringValue {
                        argument: argument.clone(),
                        key: rest.last().unwrap_or(argument).clone(),
                        is_argument: rest.is_empty(),
                        text,
                        range,
                    }),
                    [] => {}
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    Some(values)
}

/// Returns whether `value` is secret. `all` are the string values of the command's arguments.
fn is_secret(command: &str, value: &StringValue<'_>, all: &[StringValue<'_>]) -> bool {
    let key = &*value.key;
    if SECRET_COMMANDS.iter().any(|(name, harmless)| is_near(command, name) && !harmless.contains(&key)) {
        return true;
    }
    if SECRET_KEYS.iter().any(|(owner, name)| owner.is_none_or(|owner| is_near(command, owner)) && is_near(key, name)) {
        return true;
    }
    let argument_is = |name: &str, test: fn(&str) -> bool| {
        all.iter().any(|value| value.is_argument && value.argument == name && test(&value.text))
    };
    // All strings inside the argument `value` are parts of the value that is set.
    let key = if value.argument == "value" { "value" } else { key };
    has_credentials(&value.text)
        || match key {
            "value" if is_near(command, "qom-set") => argument_is("property", is_secret_property),
            "arg" if is_near(command, "change") => argument_is("target", |target| target.starts_with("pass")),
            "command-line" => hmp_line_has_secret(&value.text),
            _ => false,
        }
}

/// Returns whether a QOM property with this name is secret.
pub(crate) fn is_secret_property(name: &str) -> bool {
    name == "data" || name.contains("passw") || is_near(name, "password")
}

/// Returns whether `typed` is `name`, or a typing error away from it. `_` and `-` count as the same.
fn is_near(typed: &str, name: &str) -> bool {
    // Close to `password` and `qom-set`, but harmless: the id of a secret object, and a query.
    if matches!(typed, "passwordid" | "qom-get") {
        return false;
    }
    let max_distance = name.len() / 5;
    if typed.len().abs_diff(name.len()) > max_distance {
        return false;
    }
    let normalized = |text: &str| text.replace('_', "-").to_lowercase();
    strsim::osa_distance(&normalized(typed), &normalized(name)) <= max_distance
}

/// Returns whether a key with this name is secret in every command.
fn is_secret_key(name: &str) -> bool {
    SECRET_KEYS.iter().any(|(owner, key)| owner.is_none() && is_near(name, key))
}

/// Returns whether a text contains a URL with a password, a Ceph image with its key, or the JSON of an image with either.
fn has_credentials(text: &str) -> bool {
    let in_url = text.match_indices("://").any(|(at, colon)| {
        let rest = &text[at + colon.len()..];
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\''));
        let user = rest[..end.unwrap_or(rest.len())].rsplit_once('@');
        user.is_some_and(|(user, _)| user.contains([':', '%']))
    });
    let in_json = text.contains("json:{") && text.split(|c: char| !c.is_alphanumeric() && c != '-').any(is_secret_key);
    in_url || in_json || text.contains("rbd:") && text.contains(":key=")
}

/// Returns whether an HMP line contains a secret.
pub(crate) fn hmp_line_has_secret(line: &str) -> bool {
    let mut words = line.split([' ', '\t', ',', '=', '"', '{', '}', ':']).filter(|word| !word.is_empty());
    let Some(command) = words.next() else { return false };
    let words: Vec<&str> = words.collect();
    let any = |test: &dyn Fn(&str) -> bool| words.iter().any(|word| test(word));
    SECRET_HMP_COMMANDS.iter().any(|name| is_near(command, name))
        || is_near(command, "change") && any(&|word| word.starts_with("pass") || is_near(word, "password"))
        || is_near(command, "object_add") && any(&|word| word == "data" || word.starts_with("secret"))
        || is_near(command, "qom-set") && any(&is_secret_property)
        || any(&|word| word.rsplit('.').next().is_some_and(is_secret_key)) && line.contains('=')
        || has_credentials(line)
}

/// Returns whether text in any form (a command, JSON, an HMP line; finished or not) mentions a command, a key or an
/// address that carries a secret.
#[cfg(feature = "programs")]
pub(crate) fn mentions_secret(text: &str) -> bool {
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_')).filter(|word| !word.is_empty()).collect();
    let has_near = |name: &str| words.iter().any(|word| is_near(word, name));
    let has_data = words.contains(&"data");
    let commands = SECRET_COMMANDS.iter().map(|(name, _)| *name);
    let keys = SECRET_KEYS.iter().filter(|(owner, _)| owner.is_none_or(has_near)).map(|(_, name)| *name);
    // `sshpass` takes a password on its command line.
    commands.chain(keys).chain(["sshpass"]).any(has_near)
        || has_credentials(text)
        || text.contains("secret") && (has_data || has_near("object-add"))
        || (has_near("change") || has_near("qom-set")) && (text.contains("passw") || has_near("password") || has_data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(command: &str, arguments: &str) -> String {
        let mut request = Request::new(command).with_arguments(arguments);
        request.mark_secrets();
        let json = request.to_masked_json(None);
        json.split_once("\"arguments\": ").unwrap().1.strip_suffix('}').unwrap().to_owned()
    }

    #[test]
    fn masks_the_values_of_secret_keys_and_commands() {
        for (command, arguments, expected) in [
            (
                "set_password",
                r#"{"protocol": "vnc", "password": "x", "connected": "keep"}"#,
                r#"{"protocol": "vnc", "password": "<secret>", "connected": "keep"}"#,
            ),
            ("set_pasword", r#"{"pw": "x"}"#, r#"{"pw": "<secret>"}"#),
            (
                "blockdev-add",
                r#"{"file": {"cookie": "x", "filename": "f"}, "passwd": ["a", {"0": "b"}]}"#,
                r#"{"file": {"cookie": "<secret>", "filename": "f"}, "passwd": ["<secret>", {"0": "<secret>"}]}"#,
            ),
            ("object-add", r#"{"id": "s", "d\u0061ta": "x"}"#, r#"{"id": "s", "d\u0061ta": "<secret>"}"#),
            (
                "qom-set",
                r#"{"value": {"a": ["x"]}, "property": "data"}"#,
                r#"{"value": {"a": ["<secret>"]}, "property": "data"}"#,
            ),
            ("qom-set", r#"{"value": "x", "property": "size"}"#, r#"{"value": "x", "property": "size"}"#),
            ("change", r#"{"target": "password", "arg": "x"}"#, r#"{"target": "password", "arg": "<secret>"}"#),
            ("human-monitor-command", r#"{"command-line": "set_password vnc x"}"#, r#"{"command-line": "<secret>"}"#),
            ("migrate", r#"{"uri": "ftp://u:x@h"}"#, r#"{"uri": "<secret>"}"#),
            ("x", r#"{"password": 5}"#, r#"{"password": 5}"#),
            ("x", r#"{"a": "\ud800"}"#, r#""<secret>""#),
            ("x", "{\"a\": 1", "\"<secret>\""),
        ] {
            assert_eq!(masked(command, arguments), expected, "{command} {arguments}");
        }
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(masked("x", &deep).len(), deep.len());
    }

    #[test]
    fn returns_the_texts_that_a_server_may_echo() {
        let texts = |command: &str, arguments: &str| {
            let mut request = Request::new(command).with_arguments(arguments);
            request.mark_secrets();
            request.secret_texts().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(texts("x", r#"{"password": "hunter2", "passwd": "abc"}"#), ["hunter2"]);
        assert_eq!(texts("human-monitor-command", r#"{"command-line": "set_password vnc hunter2"}"#), ["hunter2"]);
    }
}
