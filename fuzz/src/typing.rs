//! Values by the server's introspection: a request that is JSON on one line, or a fault in its place.

use qmp_shell::grammar::{Command, Diagnostic, Line, parse_line, parse_transaction_line};
use qmp_shell::schema::{
    TypedRequest, TypingContext, check_action, request_of_command, request_of_json, request_of_transaction,
};
use serde_json::value::RawValue;

use super::{spans, strict, world};

/// The bytes are a line; it is also read as an action of a transaction.
pub fn check(data: &[u8]) {
    let Some(text) = strict::text(data) else { return };
    let nothing = TypingContext::none();
    let strictly = TypingContext { schema: Some(world::schema()), ..nothing };
    let leniently = TypingContext { allow_invalid: true, ..strictly };
    let line = parse_line(text);
    let action = parse_transaction_line(text);
    let mut accepted = Vec::new();
    for knowledge in [strictly, leniently, nothing] {
        let mut prepared = Vec::new();
        match &line {
            Ok(Line::Command(command)) => prepared.push(request_of_command(command, &knowledge)),
            Ok(Line::Json(json)) => prepared.push(request_of_json(json, &knowledge)),
            _ => {}
        }
        if let Ok(block) = &action {
            let actions: Vec<Command> = block.action.clone().into_iter().collect();
            prepared.extend(actions.iter().map(|action| check_action(action, &knowledge)));
            prepared.push(request_of_transaction(&actions, block.close.as_deref().unwrap_or_default(), &knowledge));
        }
        accepted.push(prepared.into_iter().map(|prepared| look_at(text, prepared)).collect::<Vec<_>>());
    }
    // What is right is the same to whoever lets pass what is wrong.
    for (strictly, leniently) in accepted[0].iter().zip(&accepted[1]) {
        assert!(strictly.is_none() || strictly == leniently, "{strictly:?} became {leniently:?}");
    }
}

/// The message of a request.
fn look_at(text: &str, prepared: Result<TypedRequest, Diagnostic>) -> Option<String> {
    let TypedRequest { request, warnings } = match prepared {
        Ok(prepared) => prepared,
        Err(fault) => {
            spans::fault(text, &fault);
            return None;
        }
    };
    warnings.iter().for_each(|warning| spans::fault(text, warning));
    let id = request.id.clone();
    let message = request.to_json(id.as_deref());
    for message in [&message, &request.to_masked_json(Some("7"))] {
        assert!(serde_json::from_str::<&RawValue>(message).is_ok(), "{message} is not JSON");
        assert!(!message.contains('\n'), "{message} takes two lines");
    }
    let arguments = request.arguments.as_deref().unwrap_or_default();
    for secret in request.secrets.iter().flatten() {
        assert!(arguments.get(secret.clone()).is_some(), "{secret:?} is not in the arguments");
    }
    Some(message)
}
