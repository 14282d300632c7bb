//! Secrets in typed lines: such lines stay out of the history file, and their values out of messages.

use std::borrow::Cow;
use std::ops::Range;

use crate::wire::{MASK, hmp_line_has_secret, is_harmless_key, mentions_secret, replace_ranges, scalars};

use super::diagnostic::{Diagnostic, Span};
use super::word::{Word, tokenize};

/// Shorter values are not searched for inside what a message quotes: names contain them by chance.
const MIN_QUOTED_SECRET_BYTES: usize = 4;

/// Returns whether a typed line, finished or not, may contain a secret. Errs on the side of secrecy.
pub fn line_has_secret(line: &str) -> bool {
    mentions_secret(line) || tokenize(line).words.iter().any(|word| hmp_line_has_secret(word.value()))
}

/// Returns the line and the diagnostic with the values in them masked, if the line may contain a secret. In a wrong line,
/// any value may be one, except of keys that never have one.
pub fn mask_secrets<'a>(line: &'a str, diagnostic: &'a Diagnostic) -> (Cow<'a, str>, Cow<'a, Diagnostic>) {
    if !line_has_secret(line) {
        return (Cow::Borrowed(line), Cow::Borrowed(diagnostic));
    }
    let hidden = values_in(line);
    let masks = hidden.iter().map(|range| (range.clone(), Cow::Borrowed(MASK)));
    let masked = replace_ranges(line, masks).unwrap_or_default();
    let span = Span::new(
        index_in_masked(diagnostic.span.start, &hidden, false),
        index_in_masked(diagnostic.span.end, &hidden, true),
    );
    let values = hidden.iter().map(|range| line[range.clone()].trim_matches(['"', '\'']));
    let message = mask_quotations(&diagnostic.message, &values.collect::<Vec<_>>(), &masked);
    (Cow::Owned(masked), Cow::Owned(Diagnostic::new(span, message)))
}

/// Returns a message about a line with what it quotes of the line's values masked, if the line may contain a secret.
pub fn mask_secrets_in_message<'m>(line: &str, message: &'m str) -> Cow<'m, str> {
    match line_has_secret(line) {
        true => Cow::Owned(mask_secrets(line, &Diagnostic::new(Span::default(), message)).1.into_owned().message),
        false => Cow::Borrowed(message),
    }
}

/// Returns the ranges of the values in a line that may be secret: of keys, in JSON, and the words without a key after the
/// first.
fn values_in(line: &str) -> Vec<Range<usize>> {
    let tokens = tokenize(line);
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (number, word) in tokens.words.iter().enumerate() {
        match word {
            Word { bracket: Some(start), .. } => {
                let json = &line[*start..word.span.end];
                let is_name = |key: &str, is_member| is_member && matches!(key, "execute" | "exec-oob");
                let values =
                    scalars(json).filter(|value| !is_name(&value.key, value.is_member) && !is_harmless_key(&value.key));
                ranges.extend(values.map(|value| start + value.range.start..start + value.range.end));
            }
            Word { equals: None, .. } if number == 0 => {}
            word if word.equals.is_some() && is_harmless_key(word.key()) => {}
            word => ranges.push(word.value_span().range()),
        }
    }
    ranges.extend(tokens.comments.iter().map(|comment| comment.range()));
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| range.start);
    ranges
}

/// Returns the index in the masked line for one in the line. Inside a hidden range, that is the start or end of its mask.
fn index_in_masked(index: usize, hidden: &[Range<usize>], is_end: bool) -> usize {
    let mut shifted = index;
    for range in hidden.iter().take_while(|range| range.start < index) {
        let inside = if is_end { MASK.len() } else { 0 };
        shifted = match index < range.end {
            true => shifted + range.start + inside - index,
            false => shifted + MASK.len() - range.len(),
        };
    }
    shifted
}

/// Masks a message's quotations in backticks that are a part of a hidden value or contain one. Text that the masked line
/// still shows is kept.
fn mask_quotations(message: &str, hidden: &[&str], masked_line: &str) -> String {
    let is_hidden = |part: &str| {
        let contains = |value: &&str| value.len() >= MIN_QUOTED_SECRET_BYTES && part.contains(value);
        !masked_line.contains(part) && hidden.iter().any(|value| value.contains(part) || contains(value))
    };
    let parts = message.split('`').enumerate();
    parts
        .map(|(number, part)| if number % 2 == 1 && is_hidden(part) { MASK } else { part })
        .collect::<Vec<_>>()
        .join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_the_values_of_wrong_lines() {
        for (line, span, message, expected) in [
            (
                "set_password protocol=vnc pasword=hunter2",
                26..33,
                "`set_password` has no key `pasword`; did you mean `password`?",
                "set_password protocol=vnc [pasword]=<secret>: `set_password` has no key `pasword`; did you mean `password`?",
            ),
            (
                "set_password hunter2 x=1",
                13..20,
                "expected `key=value`, found `hunter2`; write `password=hunter2`",
                "set_password [<secret>] x=<secret>: expected `key=value`, found `<secret>`; write `<secret>`",
            ),
            (
                "set_password password='hunter2 and",
                22..34,
                "unclosed quote",
                "set_password password=[<secret>]: unclosed quote",
            ),
            (
                "{\"execute\": \"set_password\", \"arguments\": {\"password\": hunter2}, \"bad\": 1}",
                64..69,
                "unknown key `bad`",
                "{\"execute\": \"set_password\", \"arguments\": {\"password\": <secret>}, [\"bad\"]: <secret>}: unknown key `bad`",
            ),
            ("!mysql -phunter2", 0..6, "x", "[!mysql] <secret>: x"),
            ("query-name a=hunter2", 11..12, "no `a`", "query-name [a]=hunter2: no `a`"),
        ] {
            let diagnostic = Diagnostic::new(Span::new(span.start, span.end), message);
            let (masked, diagnostic) = mask_secrets(line, &diagnostic);
            let Span { start, end } = diagnostic.span;
            let (before, marked, after) = (&masked[..start], &masked[start..end], &masked[end..]);
            assert_eq!(format!("{before}[{marked}]{after}: {}", diagnostic.message), expected, "{line}");
        }
    }

    #[test]
    fn detects_lines_with_secrets() {
        for line in [
            "set_password protocol=vnc password=x",
            "set-password protocol=vnc password=x",
            "{\"execute\": \"set_password\", \"arguments\": {\"password\": ",
            "change-vnc-password password=x",
            "change-vnc-password x",
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
            "!mysql -px db",
            "  !PGPASSWORD=x psql",
            "migrate uri='exec:sshpass -p x ssh h'",
            "migrate channels=[{\"addr\": {\"transport\": \"exec\", \"args\": [\"sshpass\", \"-p\", \"x\"]}}]",
            "migrate -d \"exec:curl -u user:x -T - https://h\"",
            "guest-exec path=/usr/bin/curl arg=[\"-u\", \"user:x\"]",
            "guest-exec path=/bin/sh env=[\"PGPASSWORD=x\"]",
            "guest-file-write handle=1 buf-b64=eA==",
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
            "!ls -l",
            "migrate uri='exec:gzip -c > /tmp/vm.gz'",
            "guest-exec path=/bin/ls arg=[\"-l\"]",
        ] {
            assert!(!line_has_secret(line), "{line}");
        }
    }
}
