//! Typing and checking: what is given for a command, held against what its introspection asks for.
//!
//! A word becomes the JSON of the type that its key has; JSON that was written as such is checked as the server will
//! check it. Names and types are judged as the server judges them: nothing it takes is refused here, nothing it refuses
//! for its name or type gets through. What introspection does not know (ranges, whether a node exists) is left to it.

use std::collections::HashMap;

use crate::grammar::{Arg, Diagnostic, Json, JsonKind, Member, Span, Word};

use super::arg_tree::{Entry, Node, Tree};
use super::infer::node_by_form;
use super::introspection::{Builtin, Object, ObjectMember, Schema, Type, TypeId};
use super::request::TypingContext;
use super::scalar::{boolean, integer, number};
use super::suggest::nearest;

/// Types arguments by a schema.
pub(super) struct Typer<'a> {
    schema: &'a Schema,
    /// What messages call the thing whose keys are typed: "`blockdev-add` with driver=qcow2".
    subject: String,
    /// Types that introspection does not tell: of keys that it does not list, or lists as any value.
    extra: &'a HashMap<String, Builtin>,
    /// Take keys that introspection does not list.
    open: bool,
    /// Take everything, what is wrong by its form.
    allow_unknown: bool,
    /// Deprecated and unstable things that were used.
    pub(super) warnings: Vec<Diagnostic>,
}

/// The members that an object type has for what is given: its own, and those of the variants that are chosen.
pub(super) struct Members<'a> {
    pub(super) members: Vec<&'a ObjectMember>,
    /// The tags that chose, as `driver=qcow2`.
    pub(super) chosen: Vec<String>,
    /// The names of the members that choose, given or not.
    pub(super) tags: Vec<&'a str>,
}

impl<'a> Members<'a> {
    /// The members of `id`, where `text` tells the text that is given for a tag.
    pub(super) fn of(schema: &'a Schema, id: TypeId, text: &dyn Fn(&str) -> Option<String>) -> Members<'a> {
        let mut found = Members { members: Vec::new(), chosen: Vec::new(), tags: Vec::new() };
        found.add(schema, schema.object(id), text);
        found
    }

    fn add(&mut self, schema: &'a Schema, object: &'a Object, text: &dyn Fn(&str) -> Option<String>) {
        self.members.extend(&object.members);
        let Some(tag) = object.tag.and_then(|tag| object.members.get(tag)) else { return };
        self.tags.push(&tag.name);
        let Some(value) = text(&tag.name) else { return };
        self.chosen.push(format!("{}={value}", tag.name));
        if let Some((_, variant)) = object.variants.iter().find(|(case, _)| *case == value) {
            self.add(schema, schema.object(*variant), text);
        }
    }

    fn find(&self, name: &str) -> Option<&'a ObjectMember> {
        self.members.iter().find(|member| member.name == name).copied()
    }
}

impl<'a> Typer<'a> {
    pub(super) fn new(knowledge: &TypingContext<'a>, schema: &'a Schema, subject: &str, open: bool) -> Typer<'a> {
        let (extra, allow_unknown) = (knowledge.extra, knowledge.allow_unknown);
        Typer { schema, subject: subject.to_owned(), extra, open, allow_unknown, warnings: Vec::new() }
    }

    /// The arguments of a command.
    pub(super) fn arguments(&mut self, tree: Tree, id: TypeId, span: Span) -> Result<Json, Diagnostic> {
        self.object(tree, id, span, "")
    }

    fn object(&mut self, tree: Tree, id: TypeId, span: Span, path: &str) -> Result<Json, Diagnostic> {
        let schema = self.schema;
        let members = Members::of(schema, id, &|tag| tree.text(tag));
        let subject = match (path, members.chosen.as_slice()) {
            ("", []) => self.subject.clone(),
            ("", chosen) => format!("{} with {}", self.subject, chosen.join(" ")),
            (path, []) => format!("`{path}` of {}", self.subject),
            (path, chosen) => format!("`{path}` of {}, with {},", self.subject, chosen.join(" ")),
        };
        let given: Vec<String> = tree.entries().iter().map(|entry| entry.name.clone()).collect();
        let mut typed = Vec::with_capacity(tree.entries().len());
        for Entry { name, span, node } in tree.into_entries() {
            let top = path.is_empty();
            let below = if top { name.clone() } else { format!("{path}.{name}") };
            let extra = if top { self.extra.get(&name).copied() } else { None };
            let value = match (members.find(&name), extra, node) {
                (Some(member), None, node) => {
                    self.warn(&below, &member.features, span);
                    self.value_or_form(node, member.kind, span, &below)?
                }
                (_, Some(kind), Node::Word(arg)) => self.word_as_builtin(&arg, kind, &below)?,
                (Some(_), _, node) => node_by_form(node, span)?,
                (None, _, node) if self.allow_unknown || top && self.open => node_by_form(node, span)?,
                (None, ..) => return Err(unknown_key(&name, span, &subject, &members, &given)),
            };
            typed.push(Member { key: name, key_span: span, value });
        }
        let missing = members.members.iter().find(|m| !m.optional && !given.contains(&m.name));
        if let Some(missing) = missing.filter(|_| !self.allow_unknown) {
            let empty = if may_be_empty(self.schema, missing.kind) { ", which may be {}" } else { "" };
            let what = self.describe(missing.kind) + empty;
            return Err(Diagnostic::new(span, format!("{subject} needs a key `{}` ({what})", missing.name)));
        }
        Ok(Json { span, kind: JsonKind::Object(typed) })
    }

    /// As [`Typer::value`]; where everything is to be taken, what is wrong is taken by its form.
    fn value_or_form(&mut self, node: Node, id: TypeId, key: Span, path: &str) -> Result<Json, Diagnostic> {
        if !self.allow_unknown {
            return self.value(node, id, key, path);
        }
        let spare = node.clone();
        self.value(node, id, key, path).or_else(|_| node_by_form(spare, key))
    }

    /// What stands at a key, as a value of this type.
    fn value(&mut self, node: Node, id: TypeId, key: Span, path: &str) -> Result<Json, Diagnostic> {
        let schema = self.schema;
        match (schema.kind(id), node) {
            (Type::Builtin(Builtin::Any), node) => node_by_form(node, key),
            (Type::Alternate(kinds), node) => self.alternate(node, kinds, key, path),
            (Type::Object(_), Node::Branch(tree)) => self.object(tree, id, key, path),
            (Type::Array(element), Node::Branch(tree)) if tree.is_numbered() => {
                let mut items = Vec::new();
                for entry in tree.into_items()? {
                    items.push(self.value(entry.node, *element, entry.span, &format!("{path}.{}", entry.name))?);
                }
                Ok(Json { span: key, kind: JsonKind::Array(items) })
            }
            (_, Node::Branch(_)) => Err(self.wrong(key, path, id, "an object")),
            (_, Node::Json(json)) => self.json(json, id, path),
            (_, Node::Word(arg)) => self.word(&arg, id, path),
        }
    }

    /// JSON that was written as such: checked, not changed.
    fn json(&mut self, json: Json, id: TypeId, path: &str) -> Result<Json, Diagnostic> {
        let schema = self.schema;
        let fits = match (schema.kind(id), &json.kind) {
            (Type::Builtin(Builtin::Any), _)
            | (Type::Builtin(Builtin::Str), JsonKind::String(_))
            | (Type::Builtin(Builtin::Number), JsonKind::Number(_))
            | (Type::Builtin(Builtin::Bool), JsonKind::Bool(_))
            | (Type::Builtin(Builtin::Null), JsonKind::Null) => true,
            (Type::Builtin(Builtin::Int), JsonKind::Number(text)) => !text.contains(['.', 'e', 'E']),
            (Type::Enum(_), JsonKind::String(_)) => {
                let text = json.as_str().unwrap_or_default();
                self.enum_value(&text, id, json.span, path)?;
                true
            }
            (Type::Array(element), JsonKind::Array(_)) => {
                let Json { span, kind: JsonKind::Array(items) } = json else { return Ok(json) };
                let items = items.into_iter().enumerate();
                let items = items.map(|(index, item)| {
                    let key = item.span;
                    self.value(json_node(item), *element, key, &format!("{path}.{index}"))
                });
                return Ok(Json { span, kind: JsonKind::Array(items.collect::<Result<_, _>>()?) });
            }
            (Type::Object(_) | Type::Alternate(_), _) => {
                let key = json.span;
                match json_node(json) {
                    Node::Json(json) if matches!(schema.kind(id), Type::Object(_)) => {
                        return Err(self.wrong(json.span, path, id, json.type_name()));
                    }
                    node => return self.value(node, id, key, path),
                }
            }
            _ => false,
        };
        if fits { Ok(json) } else { Err(self.wrong(json.span, path, id, json.type_name())) }
    }

    /// The value of a `KEY=VALUE` word.
    fn word(&mut self, arg: &Arg, id: TypeId, path: &str) -> Result<Json, Diagnostic> {
        let schema = self.schema;
        let (span, text) = (arg.word.value_span(), arg.word.value());
        match schema.kind(id) {
            Type::Builtin(kind) => self.word_as_builtin(arg, *kind, path),
            Type::Enum(_) => {
                self.enum_value(text, id, span, path)?;
                Ok(Json::string(span, text))
            }
            Type::Array(element) => {
                if let Some(json) = &arg.json {
                    return self.json(json.clone()?, id, path);
                }
                let parts: Vec<&str> = match text {
                    "" => Vec::new(),
                    text if arg.word.quoted => vec![text],
                    text => text.split(',').collect(),
                };
                let items = parts.into_iter().map(|part| {
                    // The item's own place is not known once quotes are gone; the whole value is pointed at.
                    let word = Word { span, text: part.to_owned(), equals: None, bracket: None, ..arg.word };
                    self.word(&Arg { key: arg.key.clone(), word, json: None }, *element, path)
                });
                Ok(Json { span, kind: JsonKind::Array(items.collect::<Result<_, _>>()?) })
            }
            Type::Object(_) => match &arg.json {
                Some(json) => self.json(json.clone()?, id, path),
                None => Err(self.wrong(span, path, id, &format!("`{text}`"))),
            },
            Type::Alternate(kinds) => self.alternate(Node::Word(arg.clone()), kinds, span, path),
        }
    }

    fn word_as_builtin(&mut self, arg: &Arg, kind: Builtin, path: &str) -> Result<Json, Diagnostic> {
        let (span, text) = (arg.word.value_span(), arg.word.value());
        let kind = match kind {
            Builtin::Str => return Ok(Json::string(span, text)),
            Builtin::Any => return node_by_form(Node::Word(arg.clone()), span),
            Builtin::Int => integer(text).map(|value| value.map(JsonKind::Number)),
            Builtin::Number => number(text).map(|value| value.map(JsonKind::Number)),
            Builtin::Bool => Ok(boolean(text).map(JsonKind::Bool)),
            Builtin::Null => Ok((text == "null").then_some(JsonKind::Null)),
        }
        .map_err(|message| Diagnostic::new(span, format!("`{path}`: {message}")))?
        .ok_or_else(|| {
            let message = format!("`{path}` takes {}, not `{text}`", expectation(kind));
            Diagnostic::new(span, message)
        })?;
        Ok(Json { span, kind })
    }

    /// A value of one of several types, told apart by form, as the server does by JSON type.
    fn alternate(&mut self, node: Node, kinds: &[TypeId], key: Span, path: &str) -> Result<Json, Diagnostic> {
        let schema = self.schema;
        let has = |wanted: &dyn Fn(&Type) -> bool| kinds.iter().copied().find(|id| wanted(schema.kind(*id)));
        let builtin = |kind: Builtin| has(&|found| *found == Type::Builtin(kind));
        let object = has(&|found| matches!(found, Type::Object(_)));
        let array = has(&|found| matches!(found, Type::Array(_)));
        let string = has(&|found| matches!(found, Type::Builtin(Builtin::Str) | Type::Enum(_)));
        let chosen = match &node {
            Node::Branch(tree) if tree.is_numbered() && array.is_some() => array,
            Node::Branch(_) => object,
            Node::Json(json) => match json.kind {
                JsonKind::Null => builtin(Builtin::Null),
                JsonKind::Bool(_) => builtin(Builtin::Bool),
                JsonKind::Number(_) => builtin(Builtin::Int).or(builtin(Builtin::Number)),
                JsonKind::String(_) => string,
                JsonKind::Array(_) => array,
                JsonKind::Object(_) => object,
            },
            Node::Word(arg) => {
                let text = arg.word.value();
                let form = if arg.word.quoted { "" } else { text };
                let first = form.chars().next();
                match form {
                    _ if arg.word.quoted && string.is_some() => string,
                    _ if first == Some('{') && object.is_some() => object,
                    _ if first == Some('[') && array.is_some() => array,
                    "null" if builtin(Builtin::Null).is_some() => builtin(Builtin::Null),
                    _ if builtin(Builtin::Int).is_some() && integer(form).is_ok_and(|value| value.is_some()) => {
                        builtin(Builtin::Int)
                    }
                    _ if builtin(Builtin::Bool).is_some() && boolean(form).is_some() => builtin(Builtin::Bool),
                    _ if form.contains(',') && array.is_some() => array,
                    _ => string.or(array),
                }
            }
        };
        match chosen {
            Some(id) => self.value(node, id, key, path),
            None => {
                let options: Vec<String> = kinds.iter().map(|id| self.describe(*id)).collect();
                let message = format!("`{path}` takes {}", options.join(", or "));
                Err(Diagnostic::new(node.span(key), message))
            }
        }
    }

    fn enum_value(&mut self, text: &str, id: TypeId, span: Span, path: &str) -> Result<(), Diagnostic> {
        let schema = self.schema;
        let Type::Enum(values) = schema.kind(id) else { return Ok(()) };
        if let Some(value) = values.iter().find(|value| value.name == text) {
            self.warn(&format!("{path}={text}"), &value.features, span);
            return Ok(());
        }
        let help = match nearest(text, values.iter().map(|value| value.name.as_str())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it takes {}", self.describe(id)),
        };
        Err(Diagnostic::new(span, format!("`{path}` has no value `{text}`; {help}")))
    }

    fn wrong(&self, span: Span, path: &str, id: TypeId, found: &str) -> Diagnostic {
        Diagnostic::new(span, format!("`{path}` takes {}, not {found}", self.describe(id)))
    }

    fn describe(&self, id: TypeId) -> String {
        describe(self.schema, id)
    }

    /// Notes the use of something that is on its way out, or not settled yet.
    fn warn(&mut self, what: &str, features: &[String], span: Span) {
        for feature in features {
            if matches!(feature.as_str(), "deprecated" | "unstable") {
                self.warnings.push(Diagnostic::new(span, format!("`{what}` of {} is {feature}", self.subject)));
            }
        }
    }
}

/// A JSON value as a node: an object as a tree, so that objects are typed in one way wherever they come from.
fn json_node(json: Json) -> Node {
    match json.kind {
        JsonKind::Object(members) => Node::Branch(Tree::of_members(members)),
        kind => Node::Json(Json { span: json.span, kind }),
    }
}

fn unknown_key(key: &str, span: Span, subject: &str, members: &Members<'_>, given: &[String]) -> Diagnostic {
    let names = members.members.iter().map(|member| member.name.as_str());
    let mut open = names.clone().filter(|name| !given.iter().any(|given| given == name));
    let help = match nearest(key, names.clone()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if members.members.is_empty() => "; it takes no keys".to_owned(),
        None => match (open.next(), open.count()) {
            (Some(one), 0) => format!("; left to give is `{one}`"),
            _ => String::new(),
        },
    };
    Diagnostic::new(span, format!("{subject} has no key `{key}`{help}"))
}

/// What a builtin type takes, for people.
pub(super) fn expectation(kind: Builtin) -> &'static str {
    match kind {
        Builtin::Str => "a string",
        Builtin::Int => "an integer (such as 4096, 0x1000 or 4k)",
        Builtin::Number => "a number",
        Builtin::Bool => "true or false (on, off, yes, no)",
        Builtin::Null => "null",
        Builtin::Any => "any value",
    }
}

/// A type in a few words.
pub fn describe(schema: &Schema, id: TypeId) -> String {
    /// So many values of an enumeration are shown.
    const SHOWN: usize = 8;
    match schema.kind(id) {
        Type::Builtin(kind) => expectation(*kind).to_owned(),
        Type::Enum(values) => {
            let names: Vec<&str> = values.iter().take(SHOWN).map(|value| value.name.as_str()).collect();
            let more = if values.len() > SHOWN { ", …" } else { "" };
            format!("one of {}{more}", names.join(", "))
        }
        Type::Array(element) => match schema.kind(*element) {
            Type::Object(_) => "an array of objects".to_owned(),
            _ => format!("an array of {}", plain(schema, *element)),
        },
        Type::Object(_) => "an object".to_owned(),
        Type::Alternate(kinds) => kinds.iter().map(|kind| describe(schema, *kind)).collect::<Vec<_>>().join(", or "),
    }
}

/// Whether a type is an object that needs no member: no dotted key below it has to be given.
pub fn may_be_empty(schema: &Schema, id: TypeId) -> bool {
    match schema.kind(id) {
        Type::Object(object) => object.members.iter().all(|member| member.optional),
        _ => false,
    }
}

/// A type in one or two words, without an article.
pub fn plain(schema: &Schema, id: TypeId) -> String {
    match schema.kind(id) {
        Type::Builtin(Builtin::Str) => "str".to_owned(),
        Type::Builtin(Builtin::Int) => "int".to_owned(),
        Type::Builtin(Builtin::Number) => "number".to_owned(),
        Type::Builtin(Builtin::Bool) => "bool".to_owned(),
        Type::Builtin(Builtin::Null) => "null".to_owned(),
        Type::Builtin(Builtin::Any) => "any".to_owned(),
        Type::Enum(_) => "enum".to_owned(),
        Type::Array(element) => format!("[{}]", plain(schema, *element)),
        Type::Object(_) => "object".to_owned(),
        Type::Alternate(kinds) => kinds.iter().map(|kind| plain(schema, *kind)).collect::<Vec<_>>().join(" or "),
    }
}
