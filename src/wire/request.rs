//! What a client sends: one command with its arguments.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::text::{quote, squeeze_into};

/// Where secrets stand in a request's arguments: byte ranges of whole JSON values, in order.
pub type Secrets = Vec<Range<usize>>;

/// One command, ready to be sent. Arguments are JSON text, exactly as they go on the wire.
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Request {
    /// The command's name.
    pub command: String,
    /// Whether it is sent as `exec-oob`.
    pub oob: bool,
    /// The arguments object as JSON text on one line; `None` sends no `arguments` member.
    pub arguments: Option<String>,
    /// The id that the user gave, as JSON text; shown in the reply in place of the session's own.
    pub id: Option<String>,
    /// The parts of `arguments` that must not reach a file.
    pub secrets: Secrets,
}

/// As it is sent, secrets apart: what is shown for debugging ends up in logs.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Request").field(&self.to_masked_json(self.id.as_deref())).finish()
    }
}

impl Request {
    /// A command without arguments.
    pub fn new(command: impl Into<String>) -> Self {
        Request { command: command.into(), ..Request::default() }
    }

    /// The same command with these arguments, a JSON object as text.
    pub fn with_arguments(mut self, arguments: impl Into<String>) -> Self {
        self.arguments = Some(arguments.into());
        self
    }

    /// The message, without a line end, carrying `id` (JSON text) where there is one.
    pub fn to_json(&self, id: Option<&str>) -> String {
        self.spell(id, self.arguments.as_deref())
    }

    /// The same message as it goes over the wire, line end included: without a blank, because QEMU before 10.2 reads
    /// what it is sent byte by byte, at some microseconds each.
    pub fn to_line(&self, id: &str) -> String {
        let arguments = self.arguments.as_deref();
        let mut out = String::with_capacity(48 + self.command.len() + arguments.map_or(0, str::len));
        out.push_str(if self.oob { "{\"exec-oob\":" } else { "{\"execute\":" });
        out.push_str(&quote(&self.command));
        if let Some(arguments) = arguments {
            out.push_str(",\"arguments\":");
            squeeze_into(&mut out, arguments);
        }
        out.push_str(",\"id\":");
        out.push_str(id);
        out.push_str("}\n");
        out
    }

    /// The same message with each secret value replaced, for eyes and files.
    pub fn to_masked_json(&self, id: Option<&str>) -> String {
        let arguments = self.arguments.as_deref().map(|arguments| mask(arguments, &self.secrets));
        self.spell(id, arguments.as_deref())
    }

    /// What a server might say back of the secrets: the text of a value, or what a line for the human monitor ends with.
    pub(crate) fn secret_texts(&self) -> impl Iterator<Item = &str> {
        let arguments = self.arguments.as_deref().unwrap_or_default();
        self.secrets.iter().filter_map(|range| {
            let text = arguments.get(range.clone())?.trim_matches('"');
            let text = match self.command.as_str() {
                "human-monitor-command" => text.rsplit([' ', '=', ',']).next()?.trim_matches(['"', '\\', '}']),
                _ => text,
            };
            // A short word stands everywhere, and hiding it would hide nothing.
            (text.len() >= 4).then_some(text)
        })
    }

    fn spell(&self, id: Option<&str>, arguments: Option<&str>) -> String {
        let arguments_len = arguments.map_or(0, str::len);
        let mut out = String::with_capacity(64 + self.command.len() + arguments_len);
        out.push_str(if self.oob { "{\"exec-oob\": " } else { "{\"execute\": " });
        out.push_str(&quote(&self.command));
        if let Some(arguments) = arguments {
            out.push_str(", \"arguments\": ");
            out.push_str(arguments);
        }
        if let Some(id) = id {
            out.push_str(", \"id\": ");
            out.push_str(id);
        }
        out.push('}');
        out
    }
}

fn mask<'a>(arguments: &'a str, secrets: &Secrets) -> Cow<'a, str> {
    if secrets.is_empty() {
        return Cow::Borrowed(arguments);
    }
    let mut out = String::with_capacity(arguments.len());
    let mut end = 0;
    for secret in secrets {
        out.push_str(&arguments[end..secret.start]);
        out.push_str("\"<secret>\"");
        end = secret.end;
    }
    out.push_str(&arguments[end..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_line_of_json() {
        let request = Request::new("block_resize").with_arguments("{\"size\": 18446744073709551615}");
        assert_eq!(
            request.to_json(Some("1")),
            r#"{"execute": "block_resize", "arguments": {"size": 18446744073709551615}, "id": 1}"#
        );
        assert_eq!(
            request.to_line("1"),
            "{\"execute\":\"block_resize\",\"arguments\":{\"size\":18446744073709551615},\"id\":1}\n"
        );
        assert_eq!(Request::new("stop").to_json(None), r#"{"execute": "stop"}"#);
    }

    #[test]
    fn secrets_are_masked() {
        let mut request = Request::new("set_password").with_arguments(r#"{"protocol": "vnc", "password": "hunter2"}"#);
        let start = request.arguments.as_ref().unwrap().find("\"hunter2\"").unwrap();
        request.secrets.push(start..start + 9);
        assert_eq!(
            request.to_masked_json(None),
            r#"{"execute": "set_password", "arguments": {"protocol": "vnc", "password": "<secret>"}}"#
        );
    }
}
