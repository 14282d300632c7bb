//! What may be sent: requests from arguments of any type, and what is looked at before one goes out.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::wire::Request;

use super::error::ExecuteError;

/// How deep arguments may be nested: one less than what QEMU reads, for they stand inside a message.
const DEEPEST: usize = 1023;

/// The request for a command with these arguments.
pub(super) fn request(command: &str, arguments: impl Serialize) -> Result<Request, ExecuteError> {
    let text = serde_json::to_string(&arguments).map_err(|error| wrong(command, error.to_string()))?;
    let request = Request::new(command);
    Ok(if text == "null" { request } else { request.with_arguments(text) })
}

/// The same request, fit to be sent. What a server cannot read it answers without an id, more than once, or waits for
/// the end of; so that is not sent. What is secret in it is known from here on.
pub(super) fn validate_request(mut request: Request) -> Result<Request, ExecuteError> {
    if let Some(text) = &request.arguments {
        let wrong = |reason| Err(wrong(&request.command, reason));
        match text.trim_ascii_start().chars().next() {
            Some('{') => {}
            Some(first) => return wrong(format!("they begin with `{first}`")),
            None => return wrong("they are empty".to_owned()),
        }
        if let Err(error) = serde_json::from_str::<&RawValue>(text) {
            return wrong(error.to_string());
        }
        if nesting(text) > DEEPEST {
            return wrong(format!("they are nested more than {DEEPEST} levels deep"));
        }
    }
    request.mark_secrets();
    Ok(request)
}

fn wrong(command: &str, reason: String) -> ExecuteError {
    ExecuteError::Arguments { command: command.to_owned(), reason }
}

/// How deep arrays and objects are nested in a JSON text.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_counts_brackets_outside_strings() {
        for (text, depth) in [("1", 0), ("{}", 1), (r#"{"a": [{}, [[]]], "b": "[[[[\\\"[["}"#, 4)] {
            assert_eq!(nesting(text), depth, "{text}");
        }
    }

    #[test]
    fn what_a_server_could_not_read_is_refused() {
        let nested = |depth: usize| format!("{{\"a\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
        for (arguments, reason) in [
            ("[1]".to_owned(), "they begin with `[`"),
            (" ".to_owned(), "they are empty"),
            ("{\"a\": 1".to_owned(), "EOF while parsing an object at line 1 column 7"),
            ("{'a': 1}".to_owned(), "key must be a string at line 1 column 2"),
            (nested(1023), "they are nested more than 1023 levels deep"),
        ] {
            let error = validate_request(Request::new("x").with_arguments(arguments)).unwrap_err();
            assert_eq!(error.to_string(), format!("the arguments of `x` are no JSON object: {reason}"));
        }
        assert!(validate_request(Request::new("x").with_arguments(nested(1022))).is_ok());
        assert!(validate_request(Request::new("x")).is_ok());
    }
}
