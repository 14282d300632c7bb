//! From a parsed line to the request that is sent.

use crate::grammar::{Arg, Command, Diagnostic, Json, JsonKind, JsonRequest, Member, Span};
use crate::wire::Request;

use super::arguments::{Tree, check_depth, write_json};
use super::form::value_by_form;
use super::secrets::is_secret;

/// How deep the arguments stand: inside the request's own braces.
const ARGUMENTS: usize = 2;

/// The request that a typed command means.
pub fn request_of_command(command: &Command) -> Result<Request, Diagnostic> {
    let mut request = Request::new(&command.name);
    request.oob = command.oob;
    if command.json.is_some() || !command.args.is_empty() {
        let arguments = arguments_of(command)?;
        check_depth(&arguments, ARGUMENTS)?;
        put_arguments(&mut request, &arguments);
    }
    Ok(request)
}

/// The request that a pasted JSON object means: what stands in it, members of arguments untouched.
pub fn request_of_json(json: &JsonRequest) -> Request {
    let mut request = Request::new(&json.command);
    request.oob = json.oob;
    if let Some(arguments) = &json.arguments {
        put_arguments(&mut request, arguments);
    }
    if let Some(id) = &json.id {
        let mut text = String::new();
        write_json(id, &mut text, &mut Vec::new(), &mut |_, _| {});
        request.id = Some(text);
    }
    request
}

/// The `transaction` request of these actions and properties.
pub fn request_of_transaction(actions: &[Command], properties: &[Arg]) -> Result<Request, Diagnostic> {
    let mut items = Vec::with_capacity(actions.len());
    for action in actions {
        let span = action.name_span;
        let kind = Json::string(span, &action.name);
        let object = vec![member("type", span, kind), member("data", span, arguments_of(action)?)];
        items.push(Json {
            span,
            kind: JsonKind::Object(object),
        });
    }
    let nowhere = Span::default();
    let mut members = vec![member(
        "actions",
        nowhere,
        Json {
            span: nowhere,
            kind: JsonKind::Array(items),
        },
    )];
    if !properties.is_empty() {
        let mut tree = Tree::default();
        for property in properties {
            tree.insert(&property.key, value_by_form(property)?)?;
        }
        members.push(member("properties", nowhere, tree.into_json(nowhere)?));
    }
    let arguments = Json {
        span: nowhere,
        kind: JsonKind::Object(members),
    };
    // The actions stand in lines of their own, so the fault has no place in this one.
    check_depth(&arguments, ARGUMENTS).map_err(|fault| Diagnostic::new(nowhere, fault.message))?;
    let mut request = Request::new("transaction");
    put_arguments(&mut request, &arguments);
    Ok(request)
}

fn member(key: &str, span: Span, value: Json) -> Member {
    Member {
        key: key.to_owned(),
        key_span: span,
        value,
    }
}

fn arguments_of(command: &Command) -> Result<Json, Diagnostic> {
    let mut tree = Tree::default();
    if let Some(json) = &command.json {
        let JsonKind::Object(members) = &json.kind else {
            let message = format!("arguments are an object or `key=value`, not {}", json.type_name());
            return Err(Diagnostic::new(json.span, message));
        };
        tree = Tree::of_members(members.clone());
    }
    for arg in &command.args {
        tree.insert(&arg.key, value_by_form(arg)?)?;
    }
    let span = command.json.as_ref().map_or(command.name_span, |json| json.span);
    tree.into_json(span)
}

fn put_arguments(request: &mut Request, arguments: &Json) {
    let mut text = String::new();
    let mut secrets = Vec::new();
    let command = request.command.clone();
    write_json(arguments, &mut text, &mut Vec::new(), &mut |path, range| {
        if is_secret(&command, arguments, path) {
            secrets.push(range);
        }
    });
    request.arguments = Some(text);
    request.secrets = secrets;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::{Line, parse_line};

    fn arguments(line: &str) -> Result<String, (usize, String)> {
        let request = match parse_line(line) {
            Ok(Line::Command(command)) => request_of_command(&command),
            Ok(Line::Json(json)) => Ok(request_of_json(&json)),
            Ok(other) => panic!("{other:?}"),
            Err(fault) => Err(fault),
        };
        request
            .map(|request| request.arguments.unwrap_or_default())
            .map_err(|f| (f.span.start, f.message))
    }

    #[test]
    fn values_take_the_type_of_their_form() {
        for (line, expected) in [
            ("c", ""),
            (
                "c a=1 b=-5 c=0x1000 d=1.50 e=1e3",
                r#"{"a": 1, "b": -5, "c": 4096, "d": 1.50, "e": 1e3}"#,
            ),
            ("c a=18446744073709551615", r#"{"a": 18446744073709551615}"#),
            (
                "c a=true b=False c=null d=on",
                r#"{"a": true, "b": false, "c": null, "d": "on"}"#,
            ),
            (
                "c a=007 b=1_0 c=+5 d=1.5G e=",
                r#"{"a": "007", "b": "1_0", "c": "+5", "d": "1.5G", "e": ""}"#,
            ),
            ("c a='1' b=\"true\" c=\\5", r#"{"a": "1", "b": "true", "c": "5"}"#),
            ("c a=[1, 'x',] b={\"k\": True}", r#"{"a": [1, "x"], "b": {"k": true}}"#),
            ("c a=x=y", r#"{"a": "x=y"}"#),
            ("c a='q\"b'", r#"{"a": "q\"b"}"#),
        ] {
            assert_eq!(arguments(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn dotted_keys_nest_and_numbers_make_arrays() {
        for (line, expected) in [
            ("c a.b=1 c=2 a.d=3", r#"{"a": {"b": 1, "d": 3}, "c": 2}"#),
            ("c l.0=x l.1=y", r#"{"l": ["x", "y"]}"#),
            ("c l.1.k=y l.0.k=x", r#"{"l": [{"k": "x"}, {"k": "y"}]}"#),
            (
                "c {\"file\": {\"driver\": \"d\"}, \"x\": 1} file.size=5 y=2",
                r#"{"file": {"driver": "d", "size": 5}, "x": 1, "y": 2}"#,
            ),
        ] {
            assert_eq!(arguments(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn contradictions_point_at_the_later_key() {
        for (line, at, message) in [
            ("c a=1 a=2", 6, "key `a` is given twice"),
            ("c a.b=1 a.b=2", 8, "key `a.b` is given twice"),
            ("c a=1 a.b=2", 6, "`a` has a value already; `a.b` cannot go below it"),
            (
                "c a.b=1 a=2",
                8,
                "`a` has keys below it already; it cannot have a value too",
            ),
            ("c {\"a\": 1} a=2", 11, "key `a` is given twice"),
            (
                "c l.0=x l.2=y",
                8,
                "array index 2 leaves a gap: 2 parts are numbered 0 to 1",
            ),
            (
                "c l.0=x l.k=y",
                8,
                "`k` stands beside numbered parts: an array or an object?",
            ),
            (
                "c a=18446744073709551616",
                4,
                "integer `18446744073709551616` does not fit in 64 bits; quote it to send a string",
            ),
            ("c [1]", 2, "arguments are an object or `key=value`, not an array"),
        ] {
            assert_eq!(arguments(line), Err((at, message.to_owned())), "{line}");
        }
    }

    #[test]
    fn what_the_server_would_find_too_deep_is_refused() {
        let brackets = |depth| format!("c a={}{}", "[".repeat(depth), "]".repeat(depth));
        let dots = |depth| format!("c {}k=1", "a.".repeat(depth));
        assert!(arguments(&brackets(1022)).is_ok() && arguments(&dots(1022)).is_ok());
        for line in [brackets(1023), dots(1023), dots(100_000)] {
            let message = "nested more than 1024 levels deep";
            assert_eq!(arguments(&line).unwrap_err().1, message);
        }
    }

    #[test]
    fn secrets_are_marked_wherever_they_come_from() {
        for line in [
            "set_password protocol=vnc password=hunter2",
            "{'execute': 'object-add', 'arguments': {'qom-type': 'secret', 'data': 'hunter2'}}",
            "human-monitor-command command-line='set_password vnc hunter2'",
        ] {
            let request = match parse_line(line).unwrap() {
                Line::Command(command) => request_of_command(&command).unwrap(),
                Line::Json(json) => request_of_json(&json),
                _ => panic!(),
            };
            assert!(request.to_json(None).contains("hunter2"));
            assert!(!request.to_masked_json(None).contains("hunter2"), "{line}");
        }
    }

    #[test]
    fn transactions_carry_their_actions() {
        let command = |line: &str| match parse_line(line).unwrap() {
            Line::Command(command) => command,
            _ => panic!(),
        };
        let close = command("x completion-mode=grouped").args;
        let request = request_of_transaction(&[command("abort"), command("b node=n0")], &close).unwrap();
        assert_eq!(
            request.arguments.unwrap(),
            r#"{"actions": [{"type": "abort", "data": {}}, {"type": "b", "data": {"node": "n0"}}], "properties": {"completion-mode": "grouped"}}"#
        );
    }
}
