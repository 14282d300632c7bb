//! Transactions: actions, each an object type of its own, gathered into one request.

use crate::grammar::{Arg, Command, Diagnostic, Json, JsonKind, Member, Span};
use crate::wire::Request;

use super::arg_tree::Tree;
use super::infer::object_by_form;
use super::introspection::{Object, Schema, Type, TypeId};
use super::request::{
    TypedRequest, TypingContext, find_command, is_warning, member_type, on_deep_stack, put_arguments, tree_of,
};
use super::suggest::did_you_mean;
use super::type_check::Typer;

/// One action of a transaction, typed and checked by itself.
pub fn check_action(action: &Command, knowledge: &TypingContext<'_>) -> Result<TypedRequest, Diagnostic> {
    on_deep_stack(action.longest_word(), || type_action(action, knowledge))
}

fn type_action(action: &Command, knowledge: &TypingContext<'_>) -> Result<TypedRequest, Diagnostic> {
    let mut warnings = Vec::new();
    let data = action_data(action, knowledge, &mut warnings)?;
    let mut request = Request::new(&action.name);
    put_arguments(&mut request, &data)?;
    Ok(TypedRequest { request, warnings })
}

/// The `transaction` request of these actions and properties.
pub fn request_of_transaction(
    actions: &[Command],
    properties: &[Arg],
    knowledge: &TypingContext<'_>,
) -> Result<TypedRequest, Diagnostic> {
    let words =
        actions.iter().map(Command::longest_word).chain(properties.iter().map(|arg| arg.word.span.range().len()));
    on_deep_stack(words.max().unwrap_or_default(), || type_transaction(actions, properties, knowledge))
}

fn type_transaction(
    actions: &[Command],
    properties: &[Arg],
    knowledge: &TypingContext<'_>,
) -> Result<TypedRequest, Diagnostic> {
    let mut warnings = Vec::new();
    let nowhere = Span::default();
    // The actions stand in lines of their own, so a fault in them has no place in this one.
    let elsewhere = |fault: Diagnostic| Diagnostic::new(nowhere, fault.message);
    let mut items = Vec::with_capacity(actions.len());
    for action in actions {
        let span = action.name_span;
        let data = action_data(action, knowledge, &mut warnings).map_err(elsewhere)?;
        let object = vec![member("type", span, Json::string(span, &action.name)), member("data", span, data)];
        items.push(Json { span, kind: JsonKind::Object(object) });
    }
    let mut members = vec![member("actions", nowhere, Json { span: nowhere, kind: JsonKind::Array(items) })];
    if !properties.is_empty() {
        let mut tree = Tree::default();
        for property in properties {
            tree.insert(property)?;
        }
        let info = find_command("transaction", nowhere, false, knowledge)?;
        let kind = info.and_then(|(schema, info)| Some((schema, member_type(schema, info.arguments, "properties")?)));
        let value = match kind {
            Some((schema, kind)) => {
                Typer::new(knowledge, schema, "`transaction`", false).arguments(tree, kind, properties[0].key.span)?
            }
            None => object_by_form(tree, nowhere)?,
        };
        members.push(member("properties", nowhere, value));
    }
    let mut request = Request::new("transaction");
    let arguments = Json { span: nowhere, kind: JsonKind::Object(members) };
    put_arguments(&mut request, &arguments).map_err(elsewhere)?;
    Ok(TypedRequest { request, warnings })
}

/// The data of an action, typed by the variant of `transaction`'s actions that it names.
fn action_data(
    action: &Command,
    knowledge: &TypingContext<'_>,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Json, Diagnostic> {
    let tree = tree_of(action)?;
    let untyped = |tree| object_by_form(tree, action.name_span);
    let Some(schema) = knowledge.schema else { return untyped(tree) };
    let Some(variants) = transaction_variants(schema) else { return untyped(tree) };
    let Some(data) = action_type(schema, &action.name) else {
        if knowledge.allow_unknown {
            return untyped(tree);
        }
        let help = did_you_mean(&action.name, variants.iter().map(|(case, _)| case.as_str()));
        let message = format!("a transaction has no action `{}`{help}", action.name);
        return Err(Diagnostic::new(action.name_span, message));
    };
    warnings.extend(
        action_features(schema, &action.name)
            .iter()
            .filter(|mark| is_warning(mark))
            .map(|mark| Diagnostic::new(action.name_span, format!("`{}` of `transaction` is {mark}", action.name))),
    );
    let mut typer = Typer::new(knowledge, schema, &format!("`{}`", action.name), false);
    let data = typer.arguments(tree, data, action.name_span)?;
    warnings.append(&mut typer.warnings);
    Ok(data)
}

/// The actions that a transaction may have, each with the object type that carries its data.
pub fn transaction_variants(schema: &Schema) -> Option<&[(String, TypeId)]> {
    action_object(schema).map(|action| action.variants.as_slice())
}

/// The object type of actions, whose tag is the name of one.
fn action_object(schema: &Schema) -> Option<&Object> {
    let actions = member_type(schema, schema.command("transaction")?.arguments, "actions")?;
    match schema.kind(actions) {
        Type::Array(element) => Some(schema.object(*element)),
        _ => None,
    }
}

/// The type of the data of this action of a transaction.
pub fn action_type(schema: &Schema, action: &str) -> Option<TypeId> {
    let (_, kind) = transaction_variants(schema)?.iter().find(|(case, _)| case == action)?;
    member_type(schema, *kind, "data")
}

/// What is said of this action of a transaction.
fn action_features<'a>(schema: &'a Schema, action: &str) -> &'a [String] {
    let features = || {
        let object = action_object(schema)?;
        let Type::Enum(values) = schema.kind(object.members.get(object.tag?)?.kind) else { return None };
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
    fn transactions_carry_their_actions() {
        let command = |line: &str| match parse_line(line).unwrap() {
            Line::Command(command) => command,
            _ => panic!(),
        };
        let close = command("x completion-mode=grouped").args;
        let request = request_of_transaction(&[command("abort"), command("b node=n0")], &close, &TypingContext::none());
        assert_eq!(
            request.unwrap().request.arguments.unwrap(),
            r#"{"actions": [{"type": "abort", "data": {}}, {"type": "b", "data": {"node": "n0"}}], "properties": {"completion-mode": "grouped"}}"#
        );
    }
}
