//! The spelling of a request as a line: `block_resize device=disk0 size=1073741824`.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::grammar::{Line, parse_line};
use crate::wire::Request;

use super::context::TypingContext;
use super::level::child_key;
use super::request::request_of_command;

/// Returns a line that means the request on the server of `context`: a command with `KEY=VALUE` words, or else JSON, with
/// secrets masked.
pub fn line_of_request(request: &Request, context: &TypingContext<'_>) -> String {
    let json = || request.to_masked_json(request.id.as_deref());
    if request.secrets.as_ref().is_none_or(|secrets| !secrets.is_empty()) {
        return json();
    }
    line_of_words(request).filter(|line| means(line, request, context)).unwrap_or_else(json)
}

fn line_of_words(request: &Request) -> Option<String> {
    let mut line = request.command.clone();
    if let Some(arguments) = &request.arguments {
        let members: Map<String, Value> = serde_json::from_str(arguments).ok()?;
        push_members(&members, "", &mut line);
    }
    Some(line)
}

fn push_members(members: &Map<String, Value>, path: &str, line: &mut String) {
    for (name, value) in members {
        let key = child_key(path, name);
        match value {
            Value::Object(members) if !members.is_empty() => push_members(members, &key, line),
            Value::String(text) => {
                let quoted = shlex::try_quote(text).unwrap_or(Cow::Borrowed(text));
                line.push_str(&format!(" {key}={quoted}"));
            }
            value => line.push_str(&format!(" {key}={value}")),
        }
    }
}

/// Returns whether a line becomes this request.
fn means(line: &str, request: &Request, context: &TypingContext<'_>) -> bool {
    let Ok(Line::Command(command)) = parse_line(line) else { return false };
    let arguments = |request: &Request| -> Option<Value> {
        serde_json::from_str(request.arguments.as_deref().unwrap_or("{}")).ok()
    };
    let typed = request_of_command(&command, context);
    typed.is_ok_and(|typed| typed.request.oob == request.oob && arguments(&typed.request) == arguments(request))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_words_where_they_mean_the_same_without_a_schema() {
        for (arguments, line) in [
            (r#"{"device": "disk0", "size": 4096}"#, "c device=disk0 size=4096"),
            (r#"{"a": {"b": "x y", "c": true}}"#, "c a.b='x y' a.c=true"),
            (r#"{"devices": ["a", "b c"]}"#, r#"c devices=["a","b c"]"#),
            (r#"{"text": "17"}"#, r#"{"execute": "c", "arguments": {"text": "17"}}"#),
            (r#"{"a b": 1}"#, r#"{"execute": "c", "arguments": {"a b": 1}}"#),
            (r#"{"a": {}}"#, "c a={}"),
        ] {
            let request = Request::new("c").with_public_arguments(arguments);
            assert_eq!(line_of_request(&request, &TypingContext::none()), line);
        }
    }

    #[test]
    fn secrets_are_masked() {
        let mut request = Request::new("set_password").with_arguments(r#"{"protocol": "vnc", "password": "hunter2"}"#);
        request.mark_secrets();
        let line = line_of_request(&request, &TypingContext::none());
        assert!(!line.contains("hunter2") && line.starts_with('{'), "{line}");
    }
}
