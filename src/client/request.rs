//! Requests from serialisable arguments, validated before they are sent.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::wire::Request;

use super::error::ExecuteError;

/// The maximum nesting depth of arguments: one level less than QEMU reads, because they are nested in a message.
const MAX_NESTING: usize = 1023;

/// Builds the request for a command with these arguments.
pub(super) fn request(command: &str, arguments: impl Serialize) -> Result<Request, ExecuteError> {
    let text = serde_json::to_string(&arguments).map_err(|error| invalid(command, error.to_string()))?;
    let request = Request::new(command);
    Ok(if text == "null" { request } else { request.with_arguments(text) })
}

/// Rejects a request that QEMU cannot parse: it would reply without an id, reply twice, or wait for more input. Marks
/// the secrets in any other.
pub(super) fn validate_request(mut request: Request) -> Result<Request, ExecuteError> {
    if let Some(text) = &request.arguments {
        let invalid = |reason| Err(invalid(&request.command, reason));
        match text.trim_ascii_start().chars().next() {
            Some('{') => {}
            Some(first) => return invalid(format!("they begin with `{first}`")),
            None => return invalid("they are empty".to_owned()),
        }
        if let Err(error) = serde_json::from_str::<&RawValue>(text) {
            return invalid(error.to_string());
        }
        if nesting_depth(text) > MAX_NESTING {
            return invalid(format!("they are nested more than {MAX_NESTING} levels deep"));
        }
    }
    request.mark_secrets();
    Ok(request)
}

fn invalid(command: &str, reason: String) -> ExecuteError {
    ExecuteError::Arguments { command: command.to_owned(), reason }
}

/// Returns the nesting depth of arrays and objects in a JSON text.
fn nesting_depth(text: &str) -> usize {
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
            assert_eq!(nesting_depth(text), depth, "{text}");
        }
    }

    #[test]
    fn rejects_requests_that_a_server_cannot_parse() {
        let nested = |depth: usize| format!("{{\"a\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
        for (arguments, reason) in [
            ("[1]".to_owned(), "they begin with `[`"),
            (" ".to_owned(), "they are empty"),
            ("{\"a\": 1".to_owned(), "EOF while parsing an object at line 1 column 7"),
            ("{'a': 1}".to_owned(), "key must be a string at line 1 column 2"),
            (nested(1023), "they are nested more than 1023 levels deep"),
        ] {
            let error = validate_request(Request::new("x").with_arguments(arguments)).unwrap_err();
            assert_eq!(error.to_string(), format!("arguments of `x` must be a JSON object: {reason}"));
        }
        assert!(validate_request(Request::new("x").with_arguments(nested(1022))).is_ok());
        assert!(validate_request(Request::new("x")).is_ok());
    }
}
