//! The request: one command with its arguments, as the server receives it and as people read it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde_json::value::RawValue;

use super::scalars::replace_ranges;
use super::text::{minified, quote, spaced};

/// The command that executes a line of the human monitor.
pub(crate) const HMP_COMMAND: &str = "human-monitor-command";

/// The replacement for a secret value, and for arguments that may contain one.
pub(crate) const MASKED_STRING: &str = "\"<secret>\"";

/// The replacement for a secret inside a longer text.
pub(crate) const MASK: &str = "<secret>";

/// One command, for [`Client::start`](crate::Client::start).
///
/// Arguments are JSON text, so that numbers and strings reach the server unchanged. Each request is sent with an `id`
/// chosen by the connection, which identifies its reply. Follows "Issuing Commands" of the specification.
///
/// ```
/// use qmp_shell::Request;
/// use serde_json::json;
///
/// let request = Request::new("block_resize").with_arguments(json!({"node-name": "n", "size": 4096}).to_string());
/// assert_eq!(request.to_json(None), r#"{"execute": "block_resize", "arguments": {"node-name": "n", "size": 4096}}"#);
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Request {
    /// The command's name.
    pub command: String,
    /// Whether it is sent as `exec-oob`, which overtakes the commands in flight.
    pub oob: bool,
    /// The arguments, a JSON object as text; `None` sends no `arguments` member. [`Request::with_arguments`] stores
    /// them as they are sent: without whitespace.
    pub arguments: Option<String>,
    /// The id that the user typed at the shell, as JSON text; shown in the reply instead of the session's own.
    #[doc(hidden)]
    pub id: Option<String>,
    /// The byte ranges of secret values in `arguments`, in order. `None` means not searched yet; all arguments are then
    /// masked.
    #[doc(hidden)]
    pub secrets: Option<Vec<Range<usize>>>,
    /// Whether the program sends it for itself, without a command of the user. The message log tells.
    #[doc(hidden)]
    pub is_query: bool,
}

/// Shows the request without its secrets, since debugging output ends up in logs.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_masked_json(self.id.as_deref());
        f.debug_tuple("Request").field(&format_args!("{text}")).finish()
    }
}

impl Request {
    /// Creates a request without arguments.
    pub fn new(command: impl Into<String>) -> Self {
        Request { command: command.into(), ..Request::default() }
    }

    /// Sets the arguments, a JSON object as text. Invalid JSON is kept as it is, so that errors about it point at what
    /// the caller wrote.
    #[must_use]
    pub fn with_arguments(mut self, arguments: impl Into<String>) -> Self {
        let arguments = arguments.into();
        let is_json = serde_json::from_str::<&RawValue>(&arguments).is_ok();
        self.arguments = Some(if is_json { minified(&arguments).into_owned() } else { arguments });
        self.secrets = None;
        self
    }

    /// Sets arguments that are known to contain no secret.
    pub(crate) fn with_public_arguments(self, arguments: impl Into<String>) -> Self {
        Request { secrets: Some(Vec::new()), ..self.with_arguments(arguments) }
    }

    /// Returns the message as people read it: JSON on one line without a line end, with spaces after commas and colons,
    /// and with `id` (JSON text) if there is one. Nothing is masked.
    pub fn to_json(&self, id: Option<&str>) -> String {
        spaced(&self.minified_json(self.arguments.as_deref(), id))
    }

    /// Returns the same text as [`Request::to_json`] with each secret masked. Arguments that were not searched for
    /// secrets are masked as a whole.
    pub fn to_masked_json(&self, id: Option<&str>) -> String {
        let arguments = self.arguments.as_deref().map(|arguments| match &self.secrets {
            Some(secrets) => mask(arguments, secrets),
            None => Cow::Borrowed(MASKED_STRING),
        });
        spaced(&self.minified_json(arguments.as_deref(), id))
    }

    /// Returns the message as it is sent, with a line end. It has no whitespace, because QEMU before 10.2 takes some
    /// microseconds for each byte that it reads.
    pub(crate) fn to_line(&self, id: &str) -> String {
        let mut line = self.minified_json(self.arguments.as_deref(), Some(id));
        line.push('\n');
        line
    }

    fn minified_json(&self, arguments: Option<&str>, id: Option<&str>) -> String {
        let arguments_len = arguments.map_or(0, str::len);
        let mut json = String::with_capacity(64 + self.command.len() + arguments_len);
        json.push_str(if self.oob { "{\"exec-oob\":" } else { "{\"execute\":" });
        json.push_str(&quote(&self.command));
        if let Some(arguments) = arguments {
            json.push_str(",\"arguments\":");
            json.push_str(arguments);
        }
        if let Some(id) = id {
            json.push_str(",\"id\":");
            json.push_str(id);
        }
        json.push('}');
        json
    }
}

/// Replaces the parts of `arguments` at `secrets`.
fn mask<'a>(arguments: &'a str, secrets: &[Range<usize>]) -> Cow<'a, str> {
    if secrets.is_empty() {
        return Cow::Borrowed(arguments);
    }
    let masks = secrets.iter().map(|secret| (secret.clone(), Cow::Borrowed(MASKED_STRING)));
    // Ranges that do not fit were found in other arguments, so all of these are masked.
    replace_ranges(arguments, masks).map_or(Cow::Borrowed(MASKED_STRING), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_one_spelling_for_people_and_one_for_the_server() {
        let request = Request::new("block_resize").with_arguments("{ \"size\":\n18446744073709551615,\"a: b\": [ ] }");
        assert_eq!(
            request.to_json(Some("1")),
            r#"{"execute": "block_resize", "arguments": {"size": 18446744073709551615, "a: b": []}, "id": 1}"#
        );
        assert_eq!(
            request.to_line("1"),
            "{\"execute\":\"block_resize\",\"arguments\":{\"size\":18446744073709551615,\"a: b\":[]},\"id\":1}\n"
        );
        assert_eq!(Request::new("stop").to_json(None), r#"{"execute": "stop"}"#);
    }

    #[test]
    fn invalid_arguments_keep_their_spelling() {
        for arguments in ["{\"a\": 1 2}", "{'a b': 1}", "{\"a\": \""] {
            let request = Request::new("x").with_arguments(arguments);
            assert_eq!(request.arguments.as_deref(), Some(arguments));
            assert_eq!(request.to_json(None), format!("{{\"execute\": \"x\", \"arguments\": {arguments}}}"));
        }
    }

    #[test]
    fn debug_shows_only_arguments_that_were_searched_for_secrets() {
        let mut request = Request::new("x").with_arguments("{\"a\": \"hunter2\"}");
        assert_eq!(format!("{request:?}"), "Request({\"execute\": \"x\", \"arguments\": \"<secret>\"})");
        request.secrets = Some(Vec::new());
        assert_eq!(format!("{request:?}"), "Request({\"execute\": \"x\", \"arguments\": {\"a\": \"hunter2\"}})");
        request.secrets = Some(vec![5..14, 90..99]);
        assert_eq!(format!("{request:?}"), "Request({\"execute\": \"x\", \"arguments\": \"<secret>\"})");
    }

    #[test]
    fn masks_secrets() {
        let mut request = Request::new("set_password").with_arguments(r#"{"protocol": "vnc", "password": "hunter2"}"#);
        let start = request.arguments.as_ref().unwrap().find("\"hunter2\"").unwrap();
        request.secrets.get_or_insert_default().push(start..start + 9);
        assert_eq!(
            request.to_masked_json(None),
            r#"{"execute": "set_password", "arguments": {"protocol": "vnc", "password": "<secret>"}}"#
        );
    }
}
