//! The rules for which arguments are secret, and the search for secrets in a request.
//!
//! The rules over-approximate: masking too much costs detail in a log, masking too little leaks a password. So a mistyped
//! name counts as the name that it is close to, and in commands that exist to carry a secret every argument is secret
//! unless it is known to be harmless.

use std::ops::Range;

use serde_json::value::RawValue;

use super::command_line::command_line_has_secret;
use super::request::{HMP_COMMAND, MASK, Request};
use super::scalars::{Scalar, scalar_text, scalars};

/// Commands that carry a secret, each with those of its keys that do not.
const SECRET_COMMANDS: &[(&str, &[&str])] = &[
    ("set_password", &["protocol", "connected", "display"]),
    ("change-vnc-password", &[]),
    ("guest-set-user-password", &["username", "crypted"]),
    ("block_passwd", &["device", "node-name"]),
    ("sev-inject-launch-secret", &["packet-header", "gpa"]),
];

/// Keys, besides those of [`SECRET_COMMANDS`], whose values are no secret even in a line that has one.
#[cfg(feature = "programs")]
const HARMLESS_KEYS: &[&str] = &["driver", "id", "node-name", "path", "property", "qom-type"];

/// Keys with secret values: in one command, or in any (`None`). What a program in the guest, a file there or its console is
/// given may be a password; a block device over HTTP logs in with its cookie.
const SECRET_KEYS: &[(Option<&str>, &str)] = &[
    (None, "password"),
    (None, "passwd"),
    (None, "passphrase"),
    (None, "cookie"),
    (Some("object-add"), "data"),
    (Some("guest-exec"), "input-data"),
    (Some("guest-file-write"), "buf-b64"),
    (Some("ringbuf-write"), "data"),
];

/// HMP commands whose line contains a secret.
const SECRET_HMP_COMMANDS: &[&str] = &["set_password", "change_vnc_password", "block_passwd", "ringbuf_write"];

/// Commands whose reply has the contents of a file or the output of a program in its strings.
const REVEALING_COMMANDS: &[&str] = &["guest-file-read", "guest-exec-status"];

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

    /// Returns the texts of the secrets that a server might echo: a whole value, the secret word of an HMP line, the
    /// password in a URL.
    pub(crate) fn secret_texts(&self) -> Vec<String> {
        let arguments = self.arguments.as_deref().unwrap_or_default();
        let mut texts = Vec::new();
        for range in self.secrets.iter().flatten() {
            let Some(text) = arguments.get(range.clone()).and_then(scalar_text) else { continue };
            texts.extend(passwords_in_urls(&text).map(str::to_owned));
            if self.command == HMP_COMMAND {
                texts.extend(secret_hmp_word(&text).map(str::to_owned));
            } else {
                texts.push(text.into_owned());
            }
        }
        texts.retain(|text| text.len() >= MIN_ECHOED_SECRET_BYTES);
        texts
    }

    /// Returns `text`, such as an error of the server, with the secrets of the request masked.
    pub(crate) fn without_secrets(&self, text: &str) -> String {
        self.secret_texts().iter().fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
    }

    /// Returns which strings of the reply are secret.
    pub(crate) fn revealed(&self) -> Revealed {
        let arguments = self.arguments.as_deref().unwrap_or_default();
        let reads = |name: &str, test: fn(&str) -> bool| {
            let mut values = scalars(arguments).filter(|value| value.is_member && value.member == name);
            values.any(|value| value.text.is_some_and(|text| test(&text)))
        };
        let all = match self.command.as_str() {
            "qom-list-get" => return Revealed::SecretProperties,
            "qom-get" => reads("property", is_secret_property),
            HMP_COMMAND => reads("command-line", hmp_line_reads_secret),
            command => REVEALING_COMMANDS.contains(&command),
        };
        if all { Revealed::Strings } else { Revealed::Nothing }
    }
}

/// The secrets in a reply, apart from those that any message may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revealed {
    Nothing,
    /// All strings in the return value.
    Strings,
    /// The values beside the names of secret properties, as in the reply to `qom-list-get`.
    SecretProperties,
}

/// Returns the secret in an HMP line that has one: the third word of `set_password vnc PASSWORD keep`, the last of others.
fn secret_hmp_word(line: &str) -> Option<&str> {
    let mut words = line.split([' ', '\t', '=', ',']).filter(|word| !word.is_empty());
    let word = match words.next() {
        Some(command) if is_near(command, "set_password") => words.nth(1),
        _ => words.next_back(),
    };
    word.map(|word| word.trim_matches(['"', '}']))
}

fn secret_ranges(command: &str, arguments: &str) -> Option<Vec<Range<usize>>> {
    serde_json::from_str::<&RawValue>(arguments).ok()?;
    let values: Vec<Scalar<'_>> = scalars(arguments).collect();
    if values.iter().any(|value| value.text.is_none()) {
        return None;
    }
    let context = RequestContext::new(command, &values);
    let secret = values.iter().filter(|value| context.is_secret(value));
    Some(secret.map(|value| value.range.clone()).collect())
}

/// The properties of a request that decide about its values.
#[derive(Default)]
struct RequestContext<'a> {
    command: &'a str,
    sets_secret_property: bool,
    changes_password: bool,
    /// Whether the command line in the items of `args` has a secret.
    runs_with_secret: bool,
}

impl<'a> RequestContext<'a> {
    fn new(command: &'a str, values: &[Scalar<'_>]) -> RequestContext<'a> {
        let argument_is = |name: &str, test: fn(&str) -> bool| {
            values.iter().any(|value| value.is_member && value.member == name && test(value.decoded()))
        };
        let args: Vec<&str> = values.iter().filter(|value| value.key == "args").map(Scalar::decoded).collect();
        RequestContext {
            command,
            sets_secret_property: is_near(command, "qom-set") && argument_is("property", is_secret_property),
            changes_password: is_near(command, "change") && argument_is("target", |target| target.starts_with("pass")),
            runs_with_secret: command_line_has_secret(&args.join(" ")),
        }
    }

    fn is_secret(&self, value: &Scalar<'_>) -> bool {
        let (key, command) = (&*value.key, self.command);
        if value.is_null() {
            return false;
        }
        if SECRET_COMMANDS.iter().any(|(name, harmless)| is_near(command, name) && !harmless.contains(&key)) {
            return true;
        }
        let is_owner = |owner: &Option<&str>| owner.is_none_or(|owner| is_near(command, owner));
        if SECRET_KEYS.iter().any(|(owner, name)| is_owner(owner) && is_near(key, name)) {
            return true;
        }
        // All values inside the argument `value` are parts of the value that is set.
        let key = if value.member == "value" { "value" } else { key };
        let text = value.decoded();
        value.is_string && has_credentials(text)
            || runs_program(text) && command_line_has_secret(text)
            || match key {
                "value" => self.sets_secret_property,
                "args" => self.runs_with_secret,
                "arg" if self.changes_password => true,
                // No rule tells the passwords among the arguments of any program.
                "arg" | "env" => is_near(command, "guest-exec"),
                "command-line" => hmp_line_has_secret(text),
                _ => false,
            }
    }
}

/// Returns whether a string in a message from the server is secret, whatever it replies to.
pub(crate) fn is_secret_in_message(value: &Scalar<'_>) -> bool {
    RequestContext::default().is_secret(value)
}

/// Returns whether a message from the server may contain a string for [`is_secret_in_message`]. Much faster than looking at
/// each.
pub(crate) fn may_contain_secret(message: &str) -> bool {
    ["passw", "passphrase", "cookie", "://", "rbd:", "json:", "exec:"].iter().any(|mark| message.contains(mark))
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
    let in_json = text.contains("json:{") && text.split(|c: char| !c.is_alphanumeric() && c != '-').any(is_secret_key);
    passwords_in_urls(text).next().is_some() || in_json || text.contains("rbd:") && text.contains(":key=")
}

/// Returns the passwords of `USER:PASSWORD@` and `USER%PASSWORD@` in the URLs of a text.
fn passwords_in_urls(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("://").filter_map(|(at, colon)| {
        let rest = &text[at + colon.len()..];
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\''));
        let (user, _) = rest[..end.unwrap_or(rest.len())].rsplit_once('@')?;
        user.split_once([':', '%']).map(|(_, password)| password)
    })
}

/// Returns whether a text has a program run on the host: by an address `exec:COMMAND` or a forwarded port.
fn runs_program(text: &str) -> bool {
    text.contains("exec:") || text.contains("-cmd:")
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
        || runs_program(line) && command_line_has_secret(line)
}

/// Returns whether an HMP line prints the value of a secret property.
fn hmp_line_reads_secret(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next() == Some("qom-get") && words.nth(1).is_some_and(is_secret_property)
}

/// Returns whether the values of a key are no secret even in a line that has one.
#[cfg(feature = "programs")]
pub(crate) fn is_harmless_key(key: &str) -> bool {
    HARMLESS_KEYS.contains(&key) || SECRET_COMMANDS.iter().any(|(_, harmless)| harmless.contains(&key))
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
    let is_command_line = text.trim_start().starts_with('!')
        || runs_program(text)
        || ["guest-exec", "migrate", "migrate-incoming"].into_iter().any(has_near);
    commands.chain(keys).any(has_near)
        || has_credentials(text)
        || is_command_line && command_line_has_secret(text)
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
            ("x", r#"{"password": 5}"#, r#"{"password": "<secret>"}"#),
            ("x", r#"{"password": null, "size": 67108864}"#, r#"{"password": null, "size": 67108864}"#),
            (
                "guest-exec",
                r#"{"path": "/bin/ls", "arg": ["-a"], "env": ["A=b"], "capture-output": true}"#,
                r#"{"path": "/bin/ls", "arg": ["<secret>"], "env": ["<secret>"], "capture-output": true}"#,
            ),
            ("guest-file-write", r#"{"handle": 5, "buf-b64": "eA=="}"#, r#"{"handle": 5, "buf-b64": "<secret>"}"#),
            ("migrate", r#"{"uri": "exec:sshpass -p x ssh h"}"#, r#"{"uri": "<secret>"}"#),
            ("migrate", r#"{"uri": "exec:gzip -c > /f"}"#, r#"{"uri": "exec:gzip -c > /f"}"#),
            (
                "migrate",
                r#"{"channels": [{"addr": {"transport": "exec", "args": ["sshpass", "-p", "x"]}}]}"#,
                r#"{"channels": [{"addr": {"transport": "exec", "args": ["<secret>", "<secret>", "<secret>"]}}]}"#,
            ),
            (
                "human-monitor-command",
                r#"{"command-line": "migrate \"exec:sshpass -p x ssh h\""}"#,
                r#"{"command-line": "<secret>"}"#,
            ),
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
            request.secret_texts()
        };
        assert_eq!(texts("x", r#"{"password": "hunter2", "passwd": "abc"}"#), ["hunter2"]);
        assert_eq!(texts("x", r#"{"password": 123456, "passwd": "p\u00e4ss"}"#), ["123456", "päss"]);
        assert_eq!(texts("x", r#"{"url": "http://u:hunter2@h"}"#), ["hunter2", "http://u:hunter2@h"]);
        assert_eq!(texts("human-monitor-command", r#"{"command-line": "set_password vnc hunter2"}"#), ["hunter2"]);
        assert_eq!(texts("human-monitor-command", r#"{"command-line": "set_password vnc hunter2 keep"}"#), ["hunter2"]);
        assert_eq!(texts("human-monitor-command", r#"{"command-line": "change vnc password hunter2"}"#), ["hunter2"]);
    }
}
