//! Typing by introspection: the result is a request in one line of valid JSON, or an error with a span.

use qmp_shell::grammar::{Command, Diagnostic, Line, parse_line, parse_transaction_line};
use qmp_shell::schema::{
    TypedRequest, TypingContext, check_action, request_of_command, request_of_json, request_of_transaction,
};
use serde_json::value::RawValue;

use super::{assertions, introspection, spans};

/// The input is a line; it is also parsed as a line of a transaction.
pub fn check(data: &[u8]) {
    let Some(text) = assertions::text(data) else { return };
    let untyped = TypingContext::none();
    let strict = TypingContext { schema: Some(introspection::schema()), ..untyped };
    let lenient = TypingContext { allow_invalid: true, ..strict };
    let line = parse_line(text);
    let action = parse_transaction_line(text);
    let mut messages = Vec::new();
    for context in [strict, lenient, untyped] {
        let mut results = Vec::new();
        match &line {
            Ok(Line::Command(command)) => results.push(request_of_command(command, &context)),
            Ok(Line::Json(json)) => results.push(request_of_json(json, &context)),
            _ => {}
        }
        if let Ok(block) = &action {
            let actions: Vec<Command> = block.action.clone().into_iter().collect();
            results.extend(actions.iter().map(|action| check_action(action, &context)));
            results.push(request_of_transaction(&actions, block.close.as_deref().unwrap_or_default(), &context));
        }
        messages.push(results.into_iter().map(|result| check_result(text, result)).collect::<Vec<_>>());
    }
    // Leniency does not change the requests that are valid.
    for (strict, lenient) in messages[0].iter().zip(&messages[1]) {
        assert!(strict.is_none() || strict == lenient, "{strict:?} became {lenient:?}");
    }
}

/// Checks the result of typing; returns the message of the request.
fn check_result(text: &str, result: Result<TypedRequest, Diagnostic>) -> Option<String> {
    let TypedRequest { request, warnings } = match result {
        Ok(typed) => typed,
        Err(diagnostic) => {
            spans::diagnostic(text, &diagnostic);
            return None;
        }
    };
    warnings.iter().for_each(|warning| spans::diagnostic(text, warning));
    let id = request.id.clone();
    let message = request.to_json(id.as_deref());
    for message in [&message, &request.to_masked_json(Some("7"))] {
        assert!(serde_json::from_str::<&RawValue>(message).is_ok(), "{message} is not JSON");
        assert!(!message.contains('\n'), "{message} has two lines");
    }
    let arguments = request.arguments.as_deref().unwrap_or_default();
    for secret in request.secrets.iter().flatten() {
        assert!(arguments.get(secret.clone()).is_some(), "{secret:?} is not in the arguments");
    }
    Some(message)
}
