//! What a client sends: one command with its arguments.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::text::{minified, quote};

/// Where secrets stand in a request's arguments: byte ranges of whole JSON values, in order.
pub type Secrets = Vec<Range<usize>>;

/// What is shown in the place of a secret, and of arguments in which there may be some.
const HIDDEN: &str = "\"<secret>\"";

/// One command, for [`Client::begin`](crate::Client::begin).
///
/// Arguments are JSON text, so that numbers and strings reach the server as they are spelled. Each request is sent under
/// an `id` of the connection's own, which finds its reply. Follows "Issuing Commands" of the specification.
///
/// ```
/// use qmp_shell::Request;
/// use serde_json::json;
///
/// let request = Request::new("block_resize").with_arguments(json!({"node-name": "n", "size": 4096}).to_string());
/// assert_eq!(request.to_json(None), r#"{"execute": "block_resize", "arguments": {"node-name":"n","size":4096}}"#);
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Request {
    /// The command's name.
    pub command: String,
    /// Whether it is sent as `exec-oob`, to overtake what is under way.
    pub oob: bool,
    /// The arguments, a JSON object as text; `None` sends no `arguments` member.
    pub arguments: Option<String>,
    /// The id that the user of a shell gave, as JSON text; shown in the reply in place of the session's own.
    #[doc(hidden)]
    pub id: Option<String>,
    /// The parts of `arguments` that must not reach a file; `None` where nobody has looked for them: then none of the
    /// arguments do.
    #[doc(hidden)]
    pub secrets: Option<Secrets>,
}

/// As it is sent, secrets apart: what is shown for debugging ends up in logs.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_masked_json(self.id.as_deref());
        f.debug_tuple("Request").field(&format_args!("{text}")).finish()
    }
}

impl Request {
    /// A command without arguments.
    pub fn new(command: impl Into<String>) -> Self {
        Request { command: command.into(), ..Request::default() }
    }

    /// The same command with these arguments, a JSON object as text.
    #[must_use]
    pub fn with_arguments(mut self, arguments: impl Into<String>) -> Self {
        self.arguments = Some(arguments.into());
        self.secrets = None;
        self
    }

    /// As [`Request::with_arguments`], where it is known that there is no secret in them.
    pub(crate) fn with_plain_arguments(mut self, arguments: impl Into<String>) -> Self {
        self.arguments = Some(arguments.into());
        self.secrets = Some(Vec::new());
        self
    }

    /// The message as JSON on one line, without a line end, carrying `id` (JSON text) where there is one. Nothing is
    /// masked.
    pub fn to_json(&self, id: Option<&str>) -> String {
        self.serialize(id, self.arguments.as_deref())
    }

    /// The same message as it goes over the wire, line end included: without a blank, because QEMU before 10.2 reads
    /// what it is sent byte by byte, at some microseconds each.
    pub(crate) fn to_line(&self, id: &str) -> String {
        let mut line = minified(&self.to_json(Some(id)));
        line.push('\n');
        line
    }

    /// The same message with each secret value replaced, for eyes and files. Arguments in which nobody has looked for
    /// secrets are replaced as a whole.
    pub fn to_masked_json(&self, id: Option<&str>) -> String {
        let arguments = self.arguments.as_deref().map(|arguments| match &self.secrets {
            Some(secrets) => mask(arguments, secrets),
            None => Cow::Borrowed(HIDDEN),
        });
        self.serialize(id, arguments.as_deref())
    }

    /// What a server might say back of the secrets: the text of a value, or what a line for the human monitor ends with.
    pub(crate) fn secret_texts(&self) -> impl Iterator<Item = &str> {
        let arguments = self.arguments.as_deref().unwrap_or_default();
        self.secrets.iter().flatten().filter_map(|range| {
            let text = arguments.get(range.clone())?.trim_matches('"');
            let text = match self.command.as_str() {
                "human-monitor-command" => text.rsplit([' ', '=', ',']).next()?.trim_matches(['"', '\\', '}']),
                _ => text,
            };
            // A short word stands everywhere, and hiding it would hide nothing.
            (text.len() >= 4).then_some(text)
        })
    }

    fn serialize(&self, id: Option<&str>, arguments: Option<&str>) -> String {
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

fn mask<'a>(arguments: &'a str, secrets: &[Range<usize>]) -> Cow<'a, str> {
    if secrets.is_empty() {
        return Cow::Borrowed(arguments);
    }
    let mut out = String::with_capacity(arguments.len());
    let mut end = 0;
    for secret in secrets {
        // Arguments that were changed after the secrets in them were found are not shown at all.
        let Some(before) = arguments.get(end..secret.start) else { return Cow::Borrowed(HIDDEN) };
        out.push_str(before);
        out.push_str(HIDDEN);
        end = secret.end;
    }
    let Some(rest) = arguments.get(end..) else { return Cow::Borrowed(HIDDEN) };
    out.push_str(rest);
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
    fn arguments_are_shown_for_debugging_once_they_were_looked_at() {
        let mut request = Request::new("x").with_arguments("{\"a\": \"hunter2\"}");
        assert_eq!(format!("{request:?}"), "Request({\"execute\": \"x\", \"arguments\": \"<secret>\"})");
        request.secrets = Some(Vec::new());
        assert_eq!(format!("{request:?}"), "Request({\"execute\": \"x\", \"arguments\": {\"a\": \"hunter2\"}})");
        request.secrets = Some(vec![6..15, 90..99]);
        assert_eq!(format!("{request:?}"), "Request({\"execute\": \"x\", \"arguments\": \"<secret>\"})");
    }

    #[test]
    fn secrets_are_masked() {
        let mut request = Request::new("set_password").with_arguments(r#"{"protocol": "vnc", "password": "hunter2"}"#);
        let start = request.arguments.as_ref().unwrap().find("\"hunter2\"").unwrap();
        request.secrets.get_or_insert_default().push(start..start + 9);
        assert_eq!(
            request.to_masked_json(None),
            r#"{"execute": "set_password", "arguments": {"protocol": "vnc", "password": "<secret>"}}"#
        );
    }
}
