//! Transactions: several actions in one request, each with data of its own type.

use crate::grammar::{Arg, Command, Diagnostic, Json, JsonKind, Member, Span};
use crate::wire::Request;

use super::arg_tree::ArgTree;
use super::context::TypingContext;
use super::infer::infer_object;
use super::model::{Object, Schema, Type, TypeId};
use super::positional::with_positional_key;
use super::request::{TypedRequest, argument_tree, find_command, member_type, on_deep_stack, set_arguments};
use super::suggest::nearest;
use super::type_check::{TypeChecker, feature_warnings};

/// Checks one action of a transaction by itself, and gives its arguments their types.
pub fn check_action(action: &Command, context: &TypingContext<'_>) -> Result<TypedRequest, Diagnostic> {
    on_deep_stack(action.max_word_bytes(), || type_action(action, context))
}

fn type_action(action: &Command, context: &TypingContext<'_>) -> Result<TypedRequest, Diagnostic> {
    let mut warnings = Vec::new();
    let data = action_data(action, context, &mut warnings)?;
    let mut request = Request::new(&action.name);
    set_arguments(&mut request, &data)?;
    Ok(TypedRequest { request, warnings })
}

/// Returns the `transaction` request with these actions and properties.
pub fn request_of_transaction(
    actions: &[Command],
    properties: &[Arg],
    context: &TypingContext<'_>,
) -> Result<TypedRequest, Diagnostic> {
    let lengths = actions.iter().map(Command::max_word_bytes);
    let lengths = lengths.chain(properties.iter().map(|arg| arg.word.span.range().len()));
    on_deep_stack(lengths.max().unwrap_or_default(), || type_transaction(actions, properties, context))
}

fn type_transaction(
    actions: &[Command],
    properties: &[Arg],
    context: &TypingContext<'_>,
) -> Result<TypedRequest, Diagnostic> {
    let mut warnings = Vec::new();
    let no_span = Span::default();
    // Actions are on lines of their own, so an error in one has no span in this line.
    let without_span = |diagnostic: Diagnostic| Diagnostic::new(no_span, diagnostic.message);
    let mut items = Vec::with_capacity(actions.len());
    for action in actions {
        let span = action.name_span;
        let data = action_data(action, context, &mut warnings).map_err(without_span)?;
        let object = vec![member("type", span, Json::string(span, &action.name)), member("data", span, data)];
        items.push(Json { span, kind: JsonKind::Object(object) });
    }
    let mut members = vec![member("actions", no_span, Json { span: no_span, kind: JsonKind::Array(items) })];
    if !properties.is_empty() {
        let mut tree = ArgTree::default();
        for property in properties {
            tree.insert(property)?;
        }
        let info = find_command("transaction", no_span, false, context)?;
        let kind = info.and_then(|(schema, info)| Some((schema, member_type(schema, info.arguments, "properties")?)));
        let value = match kind {
            Some((schema, kind)) => TypeChecker::new(context, schema, "`transaction`", false).type_arguments(
                tree,
                kind,
                properties[0].key.span,
            )?,
            None => infer_object(tree, no_span)?,
        };
        members.push(member("properties", no_span, value));
    }
    let mut request = Request::new("transaction");
    let arguments = Json { span: no_span, kind: JsonKind::Object(members) };
    set_arguments(&mut request, &arguments).map_err(without_span)?;
    Ok(TypedRequest { request, warnings })
}

/// Gives the data of an action its type, by the variant of `transaction`'s actions that its name selects.
fn action_data(
    action: &Command,
    context: &TypingContext<'_>,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Json, Diagnostic> {
    let untyped = || infer_object(argument_tree(action, context)?, action.name_span);
    let Some(schema) = context.schema else { return untyped() };
    if transaction_variants(schema).is_none() {
        return untyped();
    }
    let Some(data) = action_type(schema, &action.name) else {
        if context.allow_invalid {
            return untyped();
        }
        return Err(unknown_action(schema, &action.name, action.name_span));
    };
    let features = action_features(schema, &action.name);
    warnings.extend(feature_warnings(features, format!("`{}` of `transaction`", action.name), action.name_span));
    let mut checker = TypeChecker::new(context, schema, &format!("`{}`", action.name), false);
    let tree = argument_tree(&with_positional_key(action, schema, data), context)?;
    let data = checker.type_arguments(tree, data, action.name_span)?;
    warnings.append(&mut checker.warnings);
    Ok(data)
}

/// Returns the error for an action that a transaction cannot have.
pub fn unknown_action(schema: &Schema, name: &str, span: Span) -> Diagnostic {
    let variants = transaction_variants(schema).unwrap_or_default();
    let near = nearest(name, variants.iter().map(|(case, _)| case.as_str()));
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Diagnostic::new(span, format!("unknown transaction action `{name}`{hint}")).with_replacement(near)
}

/// Returns the actions that a transaction can have, each with the object type that contains its data.
pub fn transaction_variants(schema: &Schema) -> Option<&[(String, TypeId)]> {
    action_object(schema).map(|action| action.variants.as_slice())
}

/// Returns the object type of an action; its tag is the action's name.
fn action_object(schema: &Schema) -> Option<&Object> {
    let actions = member_type(schema, schema.command("transaction")?.arguments, "actions")?;
    match schema.definition(actions) {
        Type::Array(element) => Some(schema.object(*element)),
        _ => None,
    }
}

/// Returns the type of an action's data.
pub fn action_type(schema: &Schema, action: &str) -> Option<TypeId> {
    let (_, kind) = transaction_variants(schema)?.iter().find(|(case, _)| case == action)?;
    member_type(schema, *kind, "data")
}

fn action_features<'a>(schema: &'a Schema, action: &str) -> &'a [String] {
    let features = || {
        let object = action_object(schema)?;
        let Type::Enum(values) = schema.definition(object.tag_member()?.kind) else { return None };
        Some(values.iter().find(|value| value.name == action)?.features.as_slice())
    };
    features().unwrap_or_default()
}

fn member(key: &str, span: Span, value: Json) -> Member {
    Member { key: key.to_owned(), key_span: span, value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::{Line, parse_line};

    #[test]
    fn transaction_requests_contain_their_actions() {
        let command = |line: &str| match parse_line(line).unwrap() {
            Line::Command(command) => command,
            _ => panic!(),
        };
        let close = command("x completion-mode=grouped").args;
        let request = request_of_transaction(&[command("abort"), command("b node=n0")], &close, &TypingContext::none());
        assert_eq!(
            request.unwrap().request.arguments.unwrap(),
            r#"{"actions":[{"type":"abort","data":{}},{"type":"b","data":{"node":"n0"}}],"properties":{"completion-mode":"grouped"}}"#
        );
    }
}
