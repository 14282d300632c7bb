//! A value's type by its form, where nobody knows better: for a guest agent, with `--no-schema`, for type `any`.

use crate::grammar::{Arg, Diagnostic, Json, JsonKind, Member, Span, number_by_form};

use super::arg_tree::{Entry, Node, Tree};

/// Integer, number, `true`, `false`, `null` and JSON are what they look like; all else is a string. What holds a quote
/// or an escape is always a string.
pub fn value_by_form(arg: &Arg) -> Result<Json, Diagnostic> {
    if let Some(json) = &arg.json {
        return json.clone();
    }
    let span = arg.word.value_span();
    let text = arg.word.value();
    if arg.word.quoted {
        return Ok(Json::string(span, text));
    }
    match scalar_by_form(text) {
        Ok(value) => Ok(Json { span, ..value }),
        Err(message) => Err(Diagnostic::new(span, format!("{message}; quote it to send a string"))),
    }
}

/// What an unquoted word looks like, JSON apart.
pub(super) fn scalar_by_form(text: &str) -> Result<Json, String> {
    let span = Span::default();
    let kind = match number_by_form(text)? {
        Some(number) => JsonKind::Number(number),
        None if matches!(text, "null" | "None") => JsonKind::Null,
        None if text.eq_ignore_ascii_case("true") => JsonKind::Bool(true),
        None if text.eq_ignore_ascii_case("false") => JsonKind::Bool(false),
        None => return Ok(Json::string(span, text)),
    };
    Ok(Json { span, kind })
}

/// A whole object by form; numbered keys below it become arrays.
pub(super) fn object_by_form(tree: Tree, span: Span) -> Result<Json, Diagnostic> {
    let mut members = Vec::with_capacity(tree.entries().len());
    for Entry { name, span, node } in tree.into_entries() {
        members.push(Member { key: name, key_span: span, value: node_by_form(node, span)? });
    }
    Ok(Json { span, kind: JsonKind::Object(members) })
}

/// Whatever stands at a key, by form.
pub(super) fn node_by_form(node: Node, key: Span) -> Result<Json, Diagnostic> {
    match node {
        Node::Word(arg) => value_by_form(&arg),
        Node::Json(json) => Ok(json),
        Node::Branch(tree) if tree.is_numbered() => {
            let items = tree.into_items()?.into_iter().map(|entry| node_by_form(entry.node, entry.span));
            Ok(Json { span: key, kind: JsonKind::Array(items.collect::<Result<_, _>>()?) })
        }
        Node::Branch(tree) => object_by_form(tree, key),
    }
}
