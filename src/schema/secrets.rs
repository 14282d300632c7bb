//! Which arguments are secret: they stay out of history and log.

use crate::grammar::{Json, JsonKind, parse_json, tokenize};
use crate::wire::Request;

use super::arguments::write_json;

/// Commands with an argument that no file may hold: command, the argument's path.
const SECRETS: &[(&str, &[&str])] = &[
    ("set_password", &["password"]),
    ("change-vnc-password", &["password"]),
    ("guest-set-user-password", &["password"]),
    ("block_passwd", &["password"]),
    ("change", &["arg"]),
    ("object-add", &["data"]),
    ("object-add", &["props", "data"]),
    ("qom-set", &["value"]),
    ("human-monitor-command", &["command-line"]),
];

/// HMP commands whose line holds a secret.
const HMP: &[&str] = &["set_password", "change", "change_vnc_password", "block_passwd", "object_add", "qom-set"];

/// Finds the secrets in a request whose arguments were not typed but made by a program.
pub fn mark_secrets(request: &mut Request) {
    if !SECRETS.iter().any(|(name, _)| *name == request.command) {
        return;
    }
    let Some((arguments, _)) = request.arguments.as_deref().and_then(|text| parse_json(text, 0).ok()) else { return };
    let (mut text, mut secrets) = (String::new(), Vec::new());
    write_json(&arguments, &mut text, &mut Vec::new(), &mut |path, range| {
        if is_secret(&request.command, &arguments, path) {
            secrets.push(range);
        }
    });
    request.arguments = Some(text);
    request.secrets = secrets;
}

/// Whether the argument at `path` of this command is secret.
pub(super) fn is_secret(command: &str, arguments: &Json, path: &[String]) -> bool {
    let listed = SECRETS.iter().any(|(name, keys)| *name == command && path.iter().eq(keys.iter()));
    listed
        && match command {
            "object-add" => member(arguments, "qom-type").is_some_and(|kind| kind.starts_with("secret")),
            "qom-set" => member(arguments, "property").is_some_and(|name| is_secret_property(&name)),
            "change" => member(arguments, "target").is_some_and(|target| target == "password"),
            "human-monitor-command" => member(arguments, "command-line").is_some_and(|line| hmp_line_has_secret(&line)),
            _ => true,
        }
}

/// Whether an object's property of this name is secret.
pub fn is_secret_property(name: &str) -> bool {
    name == "data" || name.contains("password")
}

fn member(object: &Json, key: &str) -> Option<String> {
    let JsonKind::Object(members) = &object.kind else {
        return None;
    };
    members.iter().find(|member| member.key == key)?.value.as_str()
}

/// Whether a line for the human monitor carries a secret.
pub fn hmp_line_has_secret(line: &str) -> bool {
    let mut words = line.split([' ', '\t', ',', '=']).filter(|word| !word.is_empty());
    let Some(first) = words.next() else { return false };
    let rest: Vec<&str> = words.collect();
    HMP.contains(&first)
        && match first {
            "change" => rest.contains(&"password") || rest.contains(&"passwd"),
            // Also in its JSON form: `object_add {"qom-type": "secret", …}`.
            "object_add" => rest.iter().any(|word| word.trim_start_matches('"').starts_with("secret")),
            "qom-set" => rest.iter().any(|word| is_secret_property(word)),
            _ => true,
        }
}

/// Whether a line as typed, whole or not, finished or mistaken, might carry a secret. Errs on the careful side: it
/// decides what goes into the history file.
pub fn line_has_secret(line: &str) -> bool {
    const ALWAYS: &[&str] = &[
        "set_password",
        "change-vnc-password",
        "guest-set-user-password",
        "block_passwd",
        // A key of this name is a secret whatever the command, which may be mistyped.
        "password",
    ];
    if ALWAYS.iter().any(|name| contains_word(line, name)) {
        return true;
    }
    if line.contains("secret") && (contains_word(line, "object-add") || contains_word(line, "data")) {
        return true;
    }
    if contains_word(line, "change") || contains_word(line, "qom-set") {
        return line.contains("passw") || contains_word(line, "data");
    }
    tokenize(line).words.iter().any(|word| hmp_line_has_secret(word.value()))
}

/// Whether `name` stands in `line` with no letter, digit, `-` or `_` on either side. `_` and `-` count as one.
fn contains_word(line: &str, name: &str) -> bool {
    let (line, name) = (line.replace('_', "-"), name.replace('_', "-"));
    let is_part = |c: char| c.is_alphanumeric() || c == '-';
    line.match_indices(&name)
        .any(|(at, _)| !line[..at].ends_with(is_part) && !line[at + name.len()..].starts_with(is_part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_carry_secrets_are_known() {
        for line in [
            "set_password protocol=vnc password=x",
            "set-password protocol=vnc password=x",
            "{\"execute\": \"set_password\", \"arguments\": {\"password\": ",
            "change-vnc-password password=x",
            "object-add qom-type=secret id=s data=x",
            "object-add qom-type=secret_keyring id=s",
            "  .hmp set_password vnc x",
            "object_add secret,id=s,data=x",
            "human-monitor-command command-line='set_password vnc x'",
            "guest-set-user-password username=root password=eA== crypted=false",
            "change vnc password x",
            "qom-set path=/objects/s property=data value=x",
            "set_pasword protocol=vnc password=x",
            "objectadd qom-type=secret id=s data=x",
        ] {
            assert!(line_has_secret(line), "{line}");
        }
        for line in [
            "query-status",
            "object-add qom-type=iothread id=i",
            "change ide1-cd0 /tmp/a.iso",
            "expire_password protocol=vnc time=now",
            "blockdev-add driver=rbd node-name=n password-secret=sec0",
            "cont",
        ] {
            assert!(!line_has_secret(line), "{line}");
        }
    }
}
