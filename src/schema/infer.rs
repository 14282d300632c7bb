//! Infers types from the form of values if introspection does not give them: for a guest agent, with `--no-schema`, and
//! for the type `any`.

use crate::grammar::{Arg, Diagnostic, Json, JsonKind, Member, Span, parse_number};

use super::arg_tree::{ArgTree, Entry, Node};

/// Infers the value of a word. Numbers, `true`, `false`, `null` and JSON are recognised; anything else is a string, and
/// so is every word with a quote or an escape.
pub(super) fn infer_value(arg: &Arg) -> Result<Json, Diagnostic> {
    if let Some(json) = &arg.json {
        return json.clone();
    }
    let span = arg.word.value_span();
    let text = arg.word.value();
    if arg.word.quoted {
        return Ok(Json::string(span, text));
    }
    match infer_scalar(text) {
        Ok(value) => Ok(Json { span, ..value }),
        Err(message) => Err(Diagnostic::new(span, format!("{message}; quote it to send a string"))),
    }
}

/// Infers the value of unquoted text that is not JSON.
pub(super) fn infer_scalar(text: &str) -> Result<Json, String> {
    let span = Span::default();
    let kind = match parse_number(text)? {
        Some(number) => JsonKind::Number(number),
        None if matches!(text, "null" | "None") => JsonKind::Null,
        None if text.eq_ignore_ascii_case("true") => JsonKind::Bool(true),
        None if text.eq_ignore_ascii_case("false") => JsonKind::Bool(false),
        None => return Ok(Json::string(span, text)),
    };
    Ok(Json { span, kind })
}

/// Infers the values of an object's members.
pub(super) fn infer_object(tree: ArgTree, span: Span) -> Result<Json, Diagnostic> {
    let mut members = Vec::with_capacity(tree.entries().len());
    for Entry { name, span, node } in tree.into_entries() {
        members.push(Member { key: name, key_span: span, value: infer_node(node, span)? });
    }
    Ok(Json { span, kind: JsonKind::Object(members) })
}

/// Infers the value at a key. Numeric keys below it make an array.
pub(super) fn infer_node(node: Node, key: Span) -> Result<Json, Diagnostic> {
    match node {
        Node::Word(arg) => infer_value(&arg),
        Node::Json(json) => Ok(json),
        Node::Branch(tree) if tree.is_array() => {
            let begins_at_zero = tree.get("0").is_some();
            let items = tree.into_items().map_err(|mut diagnostic| {
                if !begins_at_zero {
                    diagnostic.message.push_str("; a name with a dot must be written in JSON");
                }
                diagnostic
            })?;
            let items = items.into_iter().map(|entry| infer_node(entry.node, entry.span));
            Ok(Json { span: key, kind: JsonKind::Array(items.collect::<Result<_, _>>()?) })
        }
        Node::Branch(tree) => infer_object(tree, key),
    }
}
