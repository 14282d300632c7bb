//! Redaction of secrets in messages from the server, which must not reach a log: echoes of sent secrets, and
//! secrets that it was asked for.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::wire::{
    MASK, MASKED_STRING, Request, Revealed, Scalar, is_secret_in_message, is_secret_property, may_contain_secret,
    quote, replace_ranges, scalars,
};

/// The maximum number of secrets of one connection that are searched for.
const MAX_SECRETS: usize = 200;

/// The secrets that are expected in the messages of a connection, by the requests sent over it. `Debug` does not show
/// them.
#[derive(Default)]
pub(crate) struct SentSecrets(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// The secrets that were sent.
    texts: Vec<String>,
    /// The secrets in the replies in flight, by the ids of their requests.
    revealing: HashMap<u64, Revealed>,
}

impl fmt::Debug for SentSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentSecrets").finish_non_exhaustive()
    }
}

impl SentSecrets {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the secrets of a request that is sent with `id`, and those that its reply will reveal.
    pub(crate) fn remember(&self, id: u64, request: &Request) {
        let mut known = self.known();
        for secret in request.secret_texts() {
            if !known.texts.contains(&secret) {
                known.texts.push(secret);
            }
        }
        // If a server echoes a secret, it is a recent one.
        let surplus = known.texts.len().saturating_sub(MAX_SECRETS);
        known.texts.drain(..surplus);
        match request.revealed() {
            // An earlier request may have had the same id.
            Revealed::Nothing => drop(known.revealing.remove(&id)),
            revealed => drop(known.revealing.insert(id, revealed)),
        }
    }

    /// Returns a message with each secret in its strings replaced. Keys, numbers, the names of events and the classes of
    /// errors are kept.
    pub(crate) fn redact<'t>(&self, message: Cow<'t, str>) -> Cow<'t, str> {
        let mut known = self.known();
        let revealed = known.take_revealed(&message);
        if revealed == Revealed::Nothing && !known.may_echo(&message) && !may_contain_secret(&message) {
            return message;
        }
        let mut replacements = Vec::new();
        let mut property_is_secret = false;
        for value in scalars(&message).filter(|value| value.is_string && !is_protocol_word(value)) {
            if value.key == "name" {
                property_is_secret = is_secret_property(value.decoded());
            }
            let is_revealed = match revealed {
                Revealed::Nothing => false,
                Revealed::Strings => value.member == "return",
                Revealed::SecretProperties => property_is_secret && value.key == "value",
            };
            replacements.extend(match is_revealed || is_secret_in_message(&value) {
                true => Some((value.range, Cow::Borrowed(MASKED_STRING))),
                false => known.without_echoes(value),
            });
        }
        match replacements.is_empty() {
            true => message,
            false => replace_ranges(&message, replacements).map_or(Cow::Borrowed(MASKED_STRING), Cow::Owned),
        }
    }
}

impl Known {
    /// Returns the kind of secrets that a message reveals, if it is a reply that reveals any.
    fn take_revealed(&mut self, message: &str) -> Revealed {
        if self.revealing.is_empty() {
            return Revealed::Nothing;
        }
        let id = scalars(message).find(|value| value.is_member && value.member == "id");
        let id = id.and_then(|id| id.decoded().parse().ok());
        id.and_then(|id: u64| self.revealing.remove(&id)).unwrap_or(Revealed::Nothing)
    }

    /// Returns whether a message may contain a secret that was sent, as it is or with escapes.
    fn may_echo(&self, message: &str) -> bool {
        !self.texts.is_empty() && message.contains('\\') || self.texts.iter().any(|secret| message.contains(secret))
    }

    /// Returns a string without the secrets in it, and its place. `None` if there are none.
    fn without_echoes<'r>(&self, value: Scalar<'_>) -> Option<(Range<usize>, Cow<'r, str>)> {
        let Some(text) = &value.text else {
            // It does not decode, so a secret in it could not be found.
            return (!self.texts.is_empty()).then_some((value.range, Cow::Borrowed(MASKED_STRING)));
        };
        let mut echoed: Vec<&String> = self.texts.iter().filter(|secret| text.contains(secret.as_str())).collect();
        // A secret may be a part of another.
        echoed.sort_by_key(|secret| Reverse(secret.len()));
        let redacted = echoed.iter().fold(text.to_string(), |text, secret| text.replace(secret.as_str(), MASK));
        (!echoed.is_empty()).then(|| (value.range, Cow::Owned(quote(&redacted))))
    }
}

/// Returns whether a string is the name of an event or the class of an error.
fn is_protocol_word(value: &Scalar<'_>) -> bool {
    value.is_member && value.member == "event" || value.member == "error" && value.key == "class"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(request: (&str, &str), message: &str) -> String {
        let mut request = Request::new(request.0).with_arguments(request.1);
        request.mark_secrets();
        let secrets = SentSecrets::default();
        secrets.remember(7, &request);
        secrets.redact(Cow::Borrowed(message)).into_owned()
    }

    #[test]
    fn masks_echoes_in_strings_only() {
        for (password, message, expected) in [
            ("\"hunter2\"", r#"{"error": {"desc": "not 'hunter2'"}}"#, r#"{"error": {"desc": "not '<secret>'"}}"#),
            ("123456", r#"{"error": {"desc": "got 123456"}}"#, r#"{"error": {"desc": "got <secret>"}}"#),
            ("6710", r#"{"return": 67108864}"#, r#"{"return": 67108864}"#),
            ("\"return\"", r#"{"return": {"return": 1}}"#, r#"{"return": {"return": 1}}"#),
            ("\"STOP\"", r#"{"event": "STOP"}"#, r#"{"event": "STOP"}"#),
            ("\"pässwörd\"", r#"{"return": "a p\u00e4ssw\u00f6rd"}"#, r#"{"return": "a <secret>"}"#),
            (r#""q\"uote\\""#, r#"{"return": "q\"uote\\ \n"}"#, r#"{"return": "<secret> \n"}"#),
            ("\"hunter2\"", r#"{"return": "\ud800"}"#, r#"{"return": "<secret>"}"#),
        ] {
            let arguments = format!("{{\"password\": {password}}}");
            assert_eq!(redacted(("set_password", &arguments), message), expected, "{password}");
        }
    }

    #[test]
    fn masks_what_a_reply_reveals() {
        for (command, arguments, message, expected) in [
            (
                "qom-get",
                r#"{"path": "/objects/s", "property": "data"}"#,
                r#"{"return": "hunter2", "id": 7}"#,
                r#"{"return": "<secret>", "id": 7}"#,
            ),
            ("qom-get", r#"{"property": "data"}"#, r#"{"return": "x", "id": 8}"#, r#"{"return": "x", "id": 8}"#),
            ("qom-get", r#"{"property": "type"}"#, r#"{"return": "x", "id": 7}"#, r#"{"return": "x", "id": 7}"#),
            (
                "human-monitor-command",
                r#"{"command-line": "qom-get /objects/s data"}"#,
                r#"{"return": "\"hunter2\"\r\n", "id": 7}"#,
                r#"{"return": "<secret>", "id": 7}"#,
            ),
            (
                "qom-list-get",
                r#"{"paths": ["/objects/s"]}"#,
                r#"{"return": [{"properties": [{"name": "data", "value": "x"}, {"name": "t", "value": "y"}]}], "id": 7}"#,
                r#"{"return": [{"properties": [{"name": "data", "value": "<secret>"}, {"name": "t", "value": "y"}]}], "id": 7}"#,
            ),
            (
                "guest-file-read",
                r#"{"handle": 1}"#,
                r#"{"return": {"count": 3, "buf-b64": "eHl6", "eof": true}, "id": 7}"#,
                r#"{"return": {"count": 3, "buf-b64": "<secret>", "eof": true}, "id": 7}"#,
            ),
            (
                "query-block",
                "{}",
                r#"{"return": [{"file": "https://u:hunter2@h/x", "ro": false}]}"#,
                r#"{"return": [{"file": "<secret>", "ro": false}]}"#,
            ),
        ] {
            assert_eq!(redacted((command, arguments), message), expected);
        }
    }
}
