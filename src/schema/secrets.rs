//! Which arguments are secret: they stay out of history and log.
//!
//! The rules err on the careful side: what is masked without need is missed in a log, but a password that got into one
//! by a slip of the finger stays there. So a mistyped name counts as the name that it is near to, and in the commands
//! that exist to carry a secret every argument is one that is not known to be harmless.

use std::ops::Range;

use crate::grammar::{Json, JsonKind, parse_json, tokenize};
use crate::wire::Request;

use super::json_writer::write_json;

/// Commands that carry a secret, with the keys of theirs that are none.
const SECRET_COMMANDS: &[(&str, &[&str])] = &[
    ("set_password", &["protocol", "connected", "display"]),
    ("change-vnc-password", &[]),
    ("guest-set-user-password", &["username", "crypted"]),
    ("block_passwd", &["device", "node-name"]),
    ("sev-inject-launch-secret", &["packet-header", "gpa"]),
];

/// Keys that are secret in some commands, or wherever they stand (no command): what `guest-exec` is to hand to a program
/// may be a password, a block device over HTTP logs in by its cookie.
const KEYS: &[(Option<&str>, &str)] = &[
    (None, "password"),
    (None, "passwd"),
    (None, "passphrase"),
    (None, "cookie"),
    (Some("object-add"), "data"),
    (Some("guest-exec"), "input-data"),
];

/// HMP commands whose line holds a secret.
const HMP: &[&str] = &["set_password", "change_vnc_password", "block_passwd"];

/// Finds the secrets in a request whose arguments were not typed but made by a program. In arguments that cannot be
/// read none can be found: nothing of them will be shown.
pub fn mark_secrets(request: &mut Request) {
    let found = request.arguments.as_deref().map(|text| parse_json(text, 0));
    request.secrets = match found {
        None => Some(Vec::new()),
        Some(Err(_)) => None,
        Some(Ok((arguments, _))) => {
            let (text, secrets) = write_and_mark(&request.command, &arguments);
            if !secrets.is_empty() {
                request.arguments = Some(text);
            }
            Some(secrets)
        }
    };
}

/// The arguments of a command as JSON text, and where the secrets stand in it.
pub(super) fn write_and_mark(command: &str, arguments: &Json) -> (String, Vec<Range<usize>>) {
    let (mut text, mut secrets) = (String::new(), Vec::new());
    write_json(arguments, &mut text, &mut Vec::new(), &mut |path, value, range| {
        if matches!(value.kind, JsonKind::String(_)) && is_secret(command, arguments, path, value) {
            secrets.push(range);
        }
    });
    (text, secrets)
}

/// Whether the string at `path` of a command's arguments is secret.
fn is_secret(command: &str, arguments: &Json, path: &[String], value: &Json) -> bool {
    let key = path.iter().rev().find(|part| part.parse::<usize>().is_err()).map_or("", String::as_str);
    if SECRET_COMMANDS.iter().any(|(name, none)| is_near(command, name) && !none.contains(&key)) {
        return true;
    }
    if KEYS.iter().any(|(of, name)| of.is_none_or(|of| is_near(command, of)) && is_near(key, name)) {
        return true;
    }
    // Whatever stands below the value is part of it.
    let key = if path.first().is_some_and(|first| first == "value") { "value" } else { key };
    let of = |key: &str| member(arguments, key).unwrap_or_default();
    let text = value.as_str().unwrap_or_default();
    has_credentials(&text)
        || match key {
            "value" if is_near(command, "qom-set") => is_secret_property(&of("property")),
            "arg" if is_near(command, "change") => of("target").starts_with("pass"),
            "command-line" => hmp_line_has_secret(&text),
            _ => false,
        }
}

/// Whether an object's property of this name is secret.
pub fn is_secret_property(name: &str) -> bool {
    name == "data" || name.contains("passw") || is_near(name, "password")
}

fn member(object: &Json, key: &str) -> Option<String> {
    let JsonKind::Object(members) = &object.kind else {
        return None;
    };
    members.iter().find(|member| member.key == key)?.value.as_str()
}

/// Whether `typed` is `name`, or a slip of the finger away from it. `_` and `-` count as one.
fn is_near(typed: &str, name: &str) -> bool {
    // Names of their own: the identifier of a secret, and a question.
    if matches!(typed, "passwordid" | "qom-get") {
        return false;
    }
    let slips = name.len() / 5;
    if typed.len().abs_diff(name.len()) > slips {
        return false;
    }
    let plain = |text: &str| text.replace('_', "-").to_lowercase();
    strsim::osa_distance(&plain(typed), &plain(name)) <= slips
}

/// Whether a key of this name is secret wherever it stands.
fn is_secret_key(name: &str) -> bool {
    KEYS.iter().any(|(of, key)| of.is_none() && is_near(name, key))
}

/// Whether a text has a URL with a user's password in it, a Ceph image with its key, or the JSON of an image with either.
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

/// Whether a line for the human monitor carries a secret.
pub fn hmp_line_has_secret(line: &str) -> bool {
    let mut words = line.split([' ', '\t', ',', '=', '"', '{', '}', ':']).filter(|word| !word.is_empty());
    let Some(first) = words.next() else { return false };
    let rest: Vec<&str> = words.collect();
    let holds = |test: &dyn Fn(&str) -> bool| rest.iter().any(|word| test(word));
    HMP.iter().any(|name| is_near(first, name))
        || is_near(first, "change") && holds(&|word| word.starts_with("pass") || is_near(word, "password"))
        || is_near(first, "object_add") && holds(&|word| word == "data" || word.starts_with("secret"))
        || is_near(first, "qom-set") && holds(&is_secret_property)
        || rest.iter().any(|word| word.rsplit('.').next().is_some_and(is_secret_key) && line.contains('='))
        || has_credentials(line)
}

/// Whether a line as typed, whole or not, finished or mistaken, might carry a secret. Errs on the careful side: it
/// decides what goes into the history file.
pub fn line_has_secret(line: &str) -> bool {
    let words: Vec<&str> =
        line.split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_')).filter(|word| !word.is_empty()).collect();
    let holds = |name: &str| words.iter().any(|word| is_near(word, name));
    let carriers = SECRET_COMMANDS.iter().map(|(name, _)| *name);
    let keys = KEYS.iter().filter(|(of, _)| of.is_none_or(holds)).map(|(_, name)| *name);
    // What hands a password to another program on its command line.
    if carriers.chain(keys).chain(["sshpass"]).any(holds) || has_credentials(line) {
        return true;
    }
    if line.contains("secret") && (words.contains(&"data") || holds("object-add")) {
        return true;
    }
    if (holds("change") || holds("qom-set")) && (line.contains("passw") || holds("password") || words.contains(&"data"))
    {
        return true;
    }
    tokenize(line).words.iter().any(|word| hmp_line_has_secret(word.value()))
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
            "set_pasword protocol=vnc pw=x",
            "set_password protocol=vnc passwd=x",
            ".hmp set_pasword vnc x",
            "chnge vnc pasword x",
            "blockdev-add driver=https url=https://u:x@h/p",
            "blockdev-add driver=https url=https://h/p cookie=x",
            "drive_add 0 if=none,file=rbd:pool/image:id=me:key=x",
            "migrate uri='exec:curl -T - ftp://u:x@h'",
            "guest-exec path=/usr/sbin/chpasswd input-data=x",
            ".connect 'exec:sshpass -p x ssh host'",
            "drive-mirror device=d target='json:{\"driver\": \"iscsi\", \"password\": \"x\"}'",
            "drive_add 0 if=none,file.driver=iscsi,file.password=x",
            "passwd=x",
        ] {
            assert!(line_has_secret(line), "{line}");
        }
        for line in [
            "query-status",
            "object-add qom-type=iothread id=i",
            "object-add qom-type=tls-creds-x509 id=t passwordid=s dir=/x",
            "blockdev-add driver=https url=https://h:80/p@q cookie-secret=s",
            "blockdev-add driver=qcow2 file=f data-file=g",
            "qom-get path=/objects/s property=data",
            "query-migrate-parameters",
            "change ide1-cd0 /tmp/a.iso",
            "expire_password protocol=vnc time=now",
            "blockdev-add driver=rbd node-name=n password-secret=sec0",
            "cont",
        ] {
            assert!(!line_has_secret(line), "{line}");
        }
    }
}
