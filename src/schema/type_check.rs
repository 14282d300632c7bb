//! The check of a command's arguments against introspection, which also gives them their types.
//!
//! A word becomes JSON of the type that its key has; a value written as JSON is checked as the server checks it. The
//! verdict on names and types is the server's own: nothing that it accepts is rejected here, and nothing that it
//! rejects for a name or a type passes. What introspection does not describe (ranges, whether a node exists) is not
//! checked.

use std::collections::HashMap;

use crate::grammar::{Arg, Diagnostic, Json, JsonKind, Member, Span, Word};

use super::arg_tree::{ArgTree, Entry, Node};
use super::context::TypingContext;
use super::infer::infer_node;
use super::model::{Builtin, Object, ObjectMember, Schema, Type, TypeId};
use super::scalar::{boolean, integer, number};
use super::suggest::nearest;

/// A checker for the arguments of one command, which also gives them their types.
pub(super) struct TypeChecker<'a> {
    schema: &'a Schema,
    /// The command as messages name it: "`blockdev-add`".
    subject: String,
    undocumented_types: &'a HashMap<String, Builtin>,
    /// Whether the command takes arguments that introspection does not list.
    accepts_unknown_keys: bool,
    /// Whether everything is accepted; the types of invalid values are then inferred.
    allow_invalid: bool,
    /// Warnings about the deprecated and unstable features that are used.
    pub(super) warnings: Vec<Diagnostic>,
}

/// The members of an object type that apply to a value: its own, and those of the variants that its tags select.
pub(super) struct ActiveMembers<'a> {
    pub(super) members: Vec<&'a ObjectMember>,
    /// The selections, such as `driver=qcow2`.
    pub(super) selected: Vec<String>,
    /// The names of the tags, given or not.
    pub(super) tags: Vec<&'a str>,
    /// The object type whose tag is not given, so that its variants are open.
    open: Option<&'a Object>,
}

impl<'a> ActiveMembers<'a> {
    /// Finds the members of the object type `id`. `text` returns the text that is given for a tag.
    pub(super) fn of(schema: &'a Schema, id: TypeId, text: &dyn Fn(&str) -> Option<String>) -> ActiveMembers<'a> {
        let mut active = ActiveMembers { members: Vec::new(), selected: Vec::new(), tags: Vec::new(), open: None };
        active.add(schema, schema.object(id), text);
        active
    }

    fn add(&mut self, schema: &'a Schema, object: &'a Object, text: &dyn Fn(&str) -> Option<String>) {
        self.members.extend(&object.members);
        let Some(tag) = object.tag.and_then(|tag| object.members.get(tag)) else { return };
        self.tags.push(&tag.name);
        let Some(value) = text(&tag.name) else {
            self.open = Some(object);
            return;
        };
        self.selected.push(format!("{}={value}", tag.name));
        if let Some((_, variant)) = object.variants.iter().find(|(case, _)| *case == value) {
            self.add(schema, schema.object(*variant), text);
        }
    }

    /// Returns whether a variant that a tag may still select has a member with this name.
    fn may_find(&self, schema: &Schema, name: &str) -> bool {
        let mut open: Vec<&Object> = self.open.into_iter().collect();
        while let Some(object) = open.pop() {
            let variants = object.variants.iter().map(|(_, variant)| schema.object(*variant));
            for variant in variants {
                if variant.members.iter().any(|member| member.name == name) {
                    return true;
                }
                open.push(variant);
            }
        }
        false
    }

    fn find(&self, name: &str) -> Option<&'a ObjectMember> {
        self.members.iter().find(|member| member.name == name).copied()
    }
}

impl<'a> TypeChecker<'a> {
    pub(super) fn new(
        context: &TypingContext<'a>,
        schema: &'a Schema,
        subject: &str,
        accepts_unknown_keys: bool,
    ) -> TypeChecker<'a> {
        TypeChecker {
            schema,
            subject: subject.to_owned(),
            undocumented_types: context.undocumented_types,
            accepts_unknown_keys,
            allow_invalid: context.allow_invalid,
            warnings: Vec::new(),
        }
    }

    /// Checks the arguments of the command, and gives them their types. A missing key is reported at `span`.
    pub(super) fn type_arguments(&mut self, tree: ArgTree, id: TypeId, span: Span) -> Result<Json, Diagnostic> {
        self.type_object(tree, id, span, "")
    }

    fn type_object(&mut self, tree: ArgTree, id: TypeId, span: Span, path: &str) -> Result<Json, Diagnostic> {
        let schema = self.schema;
        let active = ActiveMembers::of(schema, id, &|tag| tree.text(tag));
        let subject = match (path, active.selected.as_slice()) {
            ("", []) => self.subject.clone(),
            ("", selected) => format!("{} with {}", self.subject, selected.join(" ")),
            (path, []) => format!("`{path}` of {}", self.subject),
            (path, selected) => format!("`{path}` of {} with {}", self.subject, selected.join(" ")),
        };
        let given: Vec<String> = tree.entries().iter().map(|entry| entry.name.clone()).collect();
        let mut typed = Vec::with_capacity(tree.entries().len());
        for Entry { name, span, node } in tree.into_entries() {
            let is_argument = path.is_empty();
            let member_path = if is_argument { name.clone() } else { format!("{path}.{name}") };
            let undocumented = if is_argument { self.undocumented_types.get(&name).copied() } else { None };
            let accepts_unknown = self.allow_invalid || is_argument && self.accepts_unknown_keys;
            let value = match (active.find(&name), undocumented, node) {
                (Some(member), None, node) => {
                    self.warn(&member_path, &member.features, span);
                    self.type_or_infer(node, member.kind, span, &member_path)?
                }
                (_, Some(kind), Node::Word(arg)) => self.type_word_as_builtin(&arg, kind, &member_path)?,
                (Some(_), _, node) => infer_node(node, span)?,
                (None, _, node) if accepts_unknown => infer_node(node, span)?,
                (None, ..) => {
                    let wants_more = active.may_find(schema, &name);
                    return Err(Diagnostic { wants_more, ..unknown_key(&name, span, &subject, &active, &given) });
                }
            };
            typed.push(Member { key: name, key_span: span, value });
        }
        let missing = active.members.iter().find(|member| !member.optional && !given.contains(&member.name));
        if let Some(missing) = missing.filter(|_| !self.allow_invalid) {
            let empty = if may_be_empty(schema, missing.kind) { ", which may be {}" } else { "" };
            let expected = describe(schema, missing.kind) + empty;
            return Err(Diagnostic::unfinished(
                span,
                format!("missing key `{}` for {subject} ({expected})", missing.name),
            ));
        }
        Ok(Json { span, kind: JsonKind::Object(typed) })
    }

    /// Gives the value at a key its type. If everything is accepted, infers the type of an invalid value.
    fn type_or_infer(&mut self, node: Node, id: TypeId, key: Span, path: &str) -> Result<Json, Diagnostic> {
        if !self.allow_invalid {
            return self.type_value(node, id, key, path);
        }
        let invalid = node.clone();
        self.type_value(node, id, key, path).or_else(|_| infer_node(invalid, key))
    }

    /// Checks the value at a key, and gives it its type.
    fn type_value(&mut self, node: Node, id: TypeId, key: Span, path: &str) -> Result<Json, Diagnostic> {
        let schema = self.schema;
        match (schema.definition(id), node) {
            (Type::Builtin(Builtin::Any), node) => infer_node(node, key),
            (Type::Alternate(kinds), node) => self.type_alternate(node, kinds, key, path),
            (Type::Object(_), Node::Branch(tree)) => self.type_object(tree, id, key, path),
            (Type::Array(element), Node::Branch(tree)) if tree.is_array() => {
                let mut items = Vec::new();
                for entry in tree.into_items()? {
                    items.push(self.type_value(entry.node, *element, entry.span, &format!("{path}.{}", entry.name))?);
                }
                Ok(Json { span: key, kind: JsonKind::Array(items) })
            }
            (_, Node::Branch(_)) => Err(self.mismatch(key, path, id, "an object")),
            (_, Node::Json(json)) => self.check_json(json, id, path),
            (_, Node::Word(arg)) => self.type_word(&arg, id, path),
        }
    }

    /// Checks a value that was written as JSON.
    fn check_json(&mut self, json: Json, id: TypeId, path: &str) -> Result<Json, Diagnostic> {
        let schema = self.schema;
        let fits = match (schema.definition(id), &json.kind) {
            (Type::Builtin(Builtin::Any), _)
            | (Type::Builtin(Builtin::Str), JsonKind::String(_))
            | (Type::Builtin(Builtin::Number), JsonKind::Number(_))
            | (Type::Builtin(Builtin::Bool), JsonKind::Bool(_))
            | (Type::Builtin(Builtin::Null), JsonKind::Null) => true,
            (Type::Builtin(Builtin::Int), JsonKind::Number(text)) => !text.contains(['.', 'e', 'E']),
            (Type::Enum(_), JsonKind::String(_)) => {
                let text = json.as_str().unwrap_or_default();
                self.check_enum_value(&text, id, json.span, path)?;
                true
            }
            (Type::Array(element), JsonKind::Array(_)) => {
                let Json { span, kind: JsonKind::Array(items) } = json else { return Ok(json) };
                let items = items.into_iter().enumerate();
                let items = items.map(|(index, item)| {
                    let key = item.span;
                    self.type_value(Node::from(item), *element, key, &format!("{path}.{index}"))
                });
                return Ok(Json { span, kind: JsonKind::Array(items.collect::<Result<_, _>>()?) });
            }
            (Type::Object(_) | Type::Alternate(_), _) => {
                let key = json.span;
                match Node::from(json) {
                    Node::Json(json) if matches!(schema.definition(id), Type::Object(_)) => {
                        return Err(self.mismatch(json.span, path, id, json.type_name()));
                    }
                    node => return self.type_value(node, id, key, path),
                }
            }
            _ => false,
        };
        if fits { Ok(json) } else { Err(self.mismatch(json.span, path, id, json.type_name())) }
    }

    /// Checks the value of a `KEY=VALUE` word, and gives it its type.
    fn type_word(&mut self, arg: &Arg, id: TypeId, path: &str) -> Result<Json, Diagnostic> {
        let schema = self.schema;
        let (span, text) = (arg.word.value_span(), arg.word.value());
        match schema.definition(id) {
            Type::Builtin(kind) => self.type_word_as_builtin(arg, *kind, path),
            Type::Enum(_) => {
                self.check_enum_value(text, id, span, path)?;
                Ok(Json::string(span, text))
            }
            Type::Array(element) => {
                if let Some(json) = &arg.json {
                    return self.check_json(json.clone()?, id, path);
                }
                let parts: Vec<&str> = match text {
                    "" => Vec::new(),
                    text if arg.word.quoted => vec![text],
                    text => text.split(',').collect(),
                };
                let items = parts.into_iter().map(|part| {
                    // The item's own span is unknown, because quotes have been removed, so it has the span of the whole
                    // value.
                    let word = Word { span, text: part.to_owned(), equals: None, bracket: None, ..arg.word };
                    self.type_word(&Arg { key: arg.key.clone(), word, json: None }, *element, path)
                });
                Ok(Json { span, kind: JsonKind::Array(items.collect::<Result<_, _>>()?) })
            }
            Type::Object(_) => match &arg.json {
                Some(json) => self.check_json(json.clone()?, id, path),
                None => Err(self.mismatch(span, path, id, &format!("`{text}`"))),
            },
            Type::Alternate(kinds) => self.type_alternate(Node::Word(arg.clone()), kinds, span, path),
        }
    }

    fn type_word_as_builtin(&mut self, arg: &Arg, kind: Builtin, path: &str) -> Result<Json, Diagnostic> {
        let (span, text) = (arg.word.value_span(), arg.word.value());
        let kind = match kind {
            Builtin::Str => return Ok(Json::string(span, text)),
            Builtin::Any => return infer_node(Node::Word(arg.clone()), span),
            Builtin::Int => integer(text).map(|value| value.map(JsonKind::Number)),
            Builtin::Number => number(text).map(|value| value.map(JsonKind::Number)),
            Builtin::Bool => Ok(boolean(text).map(JsonKind::Bool)),
            Builtin::Null => Ok((text == "null").then_some(JsonKind::Null)),
        }
        .map_err(|message| Diagnostic::new(span, format!("`{path}`: {message}")))?
        .ok_or_else(|| {
            let message = format!("expected {} for `{path}`, found `{text}`", describe_builtin(kind));
            Diagnostic::new(span, message)
        })?;
        Ok(Json { span, kind })
    }

    /// Checks a value of an alternate, and gives it its type. The form of the value selects the type, as the JSON type
    /// does in the server.
    fn type_alternate(&mut self, node: Node, kinds: &[TypeId], key: Span, path: &str) -> Result<Json, Diagnostic> {
        let schema = self.schema;
        let find = |test: &dyn Fn(&Type) -> bool| kinds.iter().copied().find(|id| test(schema.definition(*id)));
        let builtin = |kind: Builtin| find(&|found| *found == Type::Builtin(kind));
        let object = find(&|found| matches!(found, Type::Object(_)));
        let array = find(&|found| matches!(found, Type::Array(_)));
        let string = find(&|found| matches!(found, Type::Builtin(Builtin::Str) | Type::Enum(_)));
        let selected = match &node {
            Node::Branch(tree) if tree.is_array() && array.is_some() => array,
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
                let bare = if arg.word.quoted { "" } else { text };
                let first = bare.chars().next();
                match bare {
                    _ if arg.word.quoted && string.is_some() => string,
                    _ if first == Some('{') && object.is_some() => object,
                    _ if first == Some('[') && array.is_some() => array,
                    "null" if builtin(Builtin::Null).is_some() => builtin(Builtin::Null),
                    _ if builtin(Builtin::Int).is_some() && integer(bare).is_ok_and(|value| value.is_some()) => {
                        builtin(Builtin::Int)
                    }
                    _ if builtin(Builtin::Bool).is_some() && boolean(bare).is_some() => builtin(Builtin::Bool),
                    _ if bare.contains(',') && array.is_some() => array,
                    _ => string.or(array),
                }
            }
        };
        match selected {
            Some(id) => self.type_value(node, id, key, path),
            None => {
                let message = format!("expected {} for `{path}`", describe_alternate(schema, kinds));
                Err(Diagnostic::new(node.span(key), message))
            }
        }
    }

    fn check_enum_value(&mut self, text: &str, id: TypeId, span: Span, path: &str) -> Result<(), Diagnostic> {
        let schema = self.schema;
        let Type::Enum(values) = schema.definition(id) else { return Ok(()) };
        if let Some(value) = values.iter().find(|value| value.name == text) {
            self.warn(&format!("{path}={text}"), &value.features, span);
            return Ok(());
        }
        let hint = match nearest(text, values.iter().map(|value| value.name.as_str())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("expected {}", describe(schema, id)),
        };
        Err(Diagnostic::new(span, format!("unknown value `{text}` for `{path}`; {hint}")))
    }

    fn mismatch(&self, span: Span, path: &str, id: TypeId, found: &str) -> Diagnostic {
        Diagnostic::new(span, format!("expected {} for `{path}`, found {found}", describe(self.schema, id)))
    }

    fn warn(&mut self, path: &str, features: &[String], span: Span) {
        self.warnings.extend(feature_warnings(features, format!("`{path}` of {}", self.subject), span));
    }
}

/// Returns a warning for each feature that marks `what` as deprecated or unstable.
pub(super) fn feature_warnings(features: &[String], what: String, span: Span) -> impl Iterator<Item = Diagnostic> {
    let marks = features.iter().filter(|feature| matches!(feature.as_str(), "deprecated" | "unstable"));
    marks.map(move |mark| Diagnostic::new(span, format!("{what} is {mark}")))
}

fn unknown_key(key: &str, span: Span, subject: &str, active: &ActiveMembers<'_>, given: &[String]) -> Diagnostic {
    let names = active.members.iter().map(|member| member.name.as_str());
    let mut unused = names.clone().filter(|name| !given.iter().any(|given| given == name));
    let hint = match nearest(key, names.clone()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if active.members.is_empty() => "; it takes no keys".to_owned(),
        None => match (unused.next(), unused.count()) {
            (Some(only), 0) => format!("; the only other key is `{only}`"),
            _ => String::new(),
        },
    };
    Diagnostic::new(span, format!("unknown key `{key}` for {subject}{hint}"))
}

/// Returns a description of the values of a builtin type, with an article.
pub(super) fn describe_builtin(kind: Builtin) -> &'static str {
    match kind {
        Builtin::Str => "a string",
        Builtin::Int => "an integer (such as 4096, 0x1000 or 4k)",
        Builtin::Number => "a number",
        Builtin::Bool => "true or false (on, off, yes, no)",
        Builtin::Null => "null",
        Builtin::Any => "any value",
    }
}

/// Returns a description of the values of a type, with an article.
fn describe(schema: &Schema, id: TypeId) -> String {
    const MAX_ENUM_VALUES: usize = 8;
    match schema.definition(id) {
        Type::Builtin(kind) => describe_builtin(*kind).to_owned(),
        Type::Enum(values) => {
            let names: Vec<&str> = values.iter().take(MAX_ENUM_VALUES).map(|value| value.name.as_str()).collect();
            let more = if values.len() > MAX_ENUM_VALUES { ", …" } else { "" };
            format!("one of {}{more}", names.join(", "))
        }
        Type::Array(element) => match schema.definition(*element) {
            Type::Object(_) => "an array of objects".to_owned(),
            _ => format!("an array of {}", type_label(schema, *element)),
        },
        Type::Object(_) => "an object".to_owned(),
        Type::Alternate(kinds) => describe_alternate(schema, kinds),
    }
}

fn describe_alternate(schema: &Schema, kinds: &[TypeId]) -> String {
    let mut kinds: Vec<String> = kinds.iter().map(|kind| describe(schema, *kind)).collect();
    match kinds.pop() {
        Some(last) if !kinds.is_empty() => format!("{} or {last}", kinds.join(", ")),
        last => last.unwrap_or_default(),
    }
}

/// Returns whether a type is an object without required members, so that no dotted key below it is needed.
pub fn may_be_empty(schema: &Schema, id: TypeId) -> bool {
    match schema.definition(id) {
        Type::Object(object) => object.members.iter().all(|member| member.optional),
        _ => false,
    }
}

/// Returns the name of a type for help and hints: `int`, `[str]`.
pub fn type_label(schema: &Schema, id: TypeId) -> String {
    match schema.definition(id) {
        Type::Builtin(Builtin::Str) => "str".to_owned(),
        Type::Builtin(Builtin::Int) => "int".to_owned(),
        Type::Builtin(Builtin::Number) => "number".to_owned(),
        Type::Builtin(Builtin::Bool) => "bool".to_owned(),
        Type::Builtin(Builtin::Null) => "null".to_owned(),
        Type::Builtin(Builtin::Any) => "any".to_owned(),
        Type::Enum(_) => "enum".to_owned(),
        Type::Array(element) => format!("[{}]", type_label(schema, *element)),
        Type::Object(_) => "object".to_owned(),
        Type::Alternate(kinds) => kinds.iter().map(|kind| type_label(schema, *kind)).collect::<Vec<_>>().join(" or "),
    }
}
