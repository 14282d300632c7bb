//! The check of a command's arguments against introspection, which also gives them their types.
//!
//! A word becomes JSON of the type that its key has; a value written as JSON is checked as the server checks it. The
//! verdict on names and types is the server's own: nothing that it accepts is rejected here, and nothing that it
//! rejects for a name or a type passes. What introspection does not describe (ranges, whether a node exists) is not
//! checked.

use std::collections::HashMap;
use std::rc::Rc;

use crate::grammar::{Arg, Diagnostic, Json, JsonKind, Member, Span, Word};
use crate::wire::quote;

use super::arg_tree::{ArgTree, Entry, Node};
use super::context::TypingContext;
use super::describe::{describe, describe_alternate, describe_builtin, may_be_empty};
use super::example::{example_of_object, only_required_scalar};
use super::infer::infer_node;
use super::level::{Level, child_key, key_in_levels};
use super::model::{Builtin, Schema, Type, TypeId};
use super::property::PropertyType;
use super::scalar::{boolean, integer, integer_range, number};
use super::suggest::nearest;
use super::unknown_key::UnknownKeys;

/// A checker for the arguments of one command, which also gives them their types.
pub(super) struct TypeChecker<'a> {
    schema: &'a Schema,
    /// The command as messages name it: "`blockdev-add`".
    subject: String,
    undocumented_types: &'a HashMap<String, PropertyType>,
    /// Whether the command takes arguments that introspection does not list.
    accepts_unknown_keys: bool,
    /// Whether everything is accepted; the types of invalid values are then inferred.
    allow_invalid: bool,
    /// The object that is being checked, after those that contain it.
    levels: Vec<Rc<Level<'a>>>,
    /// Warnings about the deprecated and unstable features that are used.
    pub(super) warnings: Vec<Diagnostic>,
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
            levels: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Checks the arguments of the command, and gives them their types. A missing key is reported at `span`.
    pub(super) fn type_arguments(&mut self, tree: ArgTree, id: TypeId, span: Span) -> Result<Json, Diagnostic> {
        self.type_object(tree, id, span, "")
    }

    fn type_object(&mut self, tree: ArgTree, id: TypeId, span: Span, path: &str) -> Result<Json, Diagnostic> {
        self.levels.push(Rc::new(Level::of(self.schema, id, &tree, path)));
        let members = self.type_members(tree, span);
        self.levels.pop();
        Ok(Json { span, kind: JsonKind::Object(members?) })
    }

    /// Checks the members of the innermost object, and gives them their types.
    fn type_members(&mut self, tree: ArgTree, span: Span) -> Result<Vec<Member>, Diagnostic> {
        let Some(level) = self.levels.last().cloned() else { return Ok(Vec::new()) };
        self.check_names(&level, &tree, span)?;
        let mut typed = Vec::with_capacity(tree.entries().len());
        for Entry { name, span, node } in tree.into_entries() {
            let path = level.key(&name);
            let value = match (level.find(&name), self.undocumented_type(&level, &name), node) {
                (Some(member), None, node) => {
                    self.warn(&path, &member.features, span);
                    self.type_or_infer(node, member.kind, span, &path)?
                }
                (_, Some(kind), Node::Word(arg)) => self.type_word_as_property(&arg, kind, &path)?,
                (_, _, node) => infer_node(node, span)?,
            };
            typed.push(Member { key: name, key_span: span, value });
        }
        match level.missing().next() {
            Some(member) if !self.allow_invalid => {
                let empty = if may_be_empty(self.schema, member.kind) { ", which may be {}" } else { "" };
                let values = describe(self.schema, member.kind) + empty;
                Err(level.missing_key(&self.subject, member, &values, span))
            }
            _ => Ok(typed),
        }
    }

    /// Rejects a key that the object does not have.
    fn check_names(&mut self, level: &Rc<Level<'a>>, tree: &ArgTree, span: Span) -> Result<(), Diagnostic> {
        if self.allow_invalid || level.is_top() && self.accepts_unknown_keys {
            return Ok(());
        }
        let is_known = |name: &str| level.find(name).is_some() || self.undocumented_type(level, name).is_some();
        let unknown: Vec<&Entry> = tree.entries().iter().filter(|entry| !is_known(&entry.name)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        // An invalid tag selects no variant, so that the keys of the variant look unknown.
        for tag in level.tags() {
            if let Some(entry) = tree.get(&tag.name) {
                self.type_value(entry.node.clone(), tag.kind, entry.span, &level.key(&tag.name))?;
            }
        }
        let (_, enclosing) = self.levels.split_last().unwrap_or((level, &[]));
        let found = UnknownKeys { schema: self.schema, command: &self.subject, level, enclosing, keys: &unknown, tree };
        Err(found.diagnose(span))
    }

    /// Returns the type of an argument that introspection does not describe.
    fn undocumented_type(&self, level: &Level<'_>, name: &str) -> Option<PropertyType> {
        let kind = self.undocumented_types.get(name).copied();
        kind.filter(|kind| level.is_top() && *kind != PropertyType::Unknown)
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
            (_, Node::Branch(tree)) => {
                let mut diagnostic = self.mismatch(key, path, id, "an object");
                let mut names = tree.entries().iter().map(|entry| entry.name.as_str());
                if let Some(moved) = names.find_map(|name| key_in_levels(&self.levels, name)) {
                    diagnostic.message.push_str(&format!("; did you mean `{moved}`?"));
                }
                Err(diagnostic)
            }
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
                self.check_enum_value(&text, id, json.span, path).map_err(quote_replacement)?;
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
                self.type_items(arg, *element, path)
            }
            Type::Object(_) => match &arg.json {
                Some(json) => self.check_json(json.clone()?, id, path),
                None => self.type_word_as_object(arg, id, path),
            },
            Type::Alternate(kinds) => self.type_alternate(Node::Word(arg.clone()), kinds, span, path),
        }
    }

    /// Gives the items of an array, which are separated by commas, their type. For integers, an item can be a range.
    fn type_items(&mut self, arg: &Arg, element: TypeId, path: &str) -> Result<Json, Diagnostic> {
        let (span, text) = (arg.word.value_span(), arg.word.value());
        let parts: Vec<&str> = match text {
            "" => Vec::new(),
            text if arg.word.quoted => vec![text],
            text => text.split(',').collect(),
        };
        let are_integers = *self.schema.definition(element) == Type::Builtin(Builtin::Int);
        let mut items = Vec::with_capacity(parts.len());
        for part in parts {
            let range = if are_integers { integer_range(part) } else { Ok(None) };
            if let Some(numbers) = range.map_err(|message| Diagnostic::new(span, format!("`{path}`: {message}")))? {
                items.extend(numbers.into_iter().map(|number| Json { span, kind: JsonKind::Number(number) }));
                continue;
            }
            // The item's own span is unknown, because quotes have been removed, so it has the span of the whole value.
            let word = Word { span, text: part.to_owned(), equals: None, bracket: None, ..arg.word };
            let path = match self.schema.definition(element) {
                Type::Object(_) => &child_key(path, &items.len().to_string()),
                _ => path,
            };
            items.push(self.type_word(&Arg { key: arg.key.clone(), word, json: None }, element, path)?);
        }
        Ok(Json { span, kind: JsonKind::Array(items) })
    }

    /// Gives the value of a property that introspection does not describe its type.
    fn type_word_as_property(&mut self, arg: &Arg, kind: PropertyType, path: &str) -> Result<Json, Diagnostic> {
        let span = arg.word.value_span();
        match (kind, &arg.json) {
            // QOM calls a list of integers an integer too.
            (PropertyType::Builtin(Builtin::Int) | PropertyType::Qapi | PropertyType::Unknown, Some(json)) => {
                json.clone()
            }
            (PropertyType::Builtin(kind), _) => self.type_word_as_builtin(arg, kind, path),
            (PropertyType::Qapi, None) => Ok(Json::string(span, arg.word.value())),
            (PropertyType::Unknown, None) => infer_node(Node::Word(arg.clone()), span),
        }
    }

    /// Gives the type of an object to a word that is not JSON: it is the value of the only required member.
    fn type_word_as_object(&mut self, arg: &Arg, id: TypeId, path: &str) -> Result<Json, Diagnostic> {
        let schema = self.schema;
        let (span, text) = (arg.word.value_span(), arg.word.value());
        let Some(member) = only_required_scalar(schema, id) else {
            let mut diagnostic = self.mismatch(span, path, id, &format!("`{text}`"));
            let example = example_of_object(schema, id, path, text);
            diagnostic.message.push_str(&format!("; write it as in `{example}`"));
            return Err(diagnostic);
        };
        let value = self.type_word(arg, member.kind, &child_key(path, &member.name))?;
        let member = Member { key: member.name.clone(), key_span: span, value };
        Ok(Json { span, kind: JsonKind::Object(vec![member]) })
    }

    fn type_word_as_builtin(&mut self, arg: &Arg, kind: Builtin, path: &str) -> Result<Json, Diagnostic> {
        let (span, text) = (arg.word.value_span(), arg.word.value());
        if kind == Builtin::Any {
            return infer_node(Node::Word(arg.clone()), span);
        }
        let kind = builtin_value(text, kind)
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
        let near = nearest(text, values.iter().map(|value| value.name.as_str()));
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("expected {}", describe(schema, id)),
        };
        Err(Diagnostic::new(span, format!("unknown value `{text}` for `{path}`; {hint}")).with_replacement(near))
    }

    fn mismatch(&self, span: Span, path: &str, id: TypeId, found: &str) -> Diagnostic {
        Diagnostic::new(span, format!("expected {} for `{path}`, found {found}", describe(self.schema, id)))
    }

    fn warn(&mut self, path: &str, features: &[String], span: Span) {
        self.warnings.extend(feature_warnings(features, format!("`{path}` of {}", self.subject), span));
    }
}

/// Parses text as a value of a builtin type. `Ok(None)` if it is of another type. For any type, it is a string.
pub(super) fn builtin_value(text: &str, kind: Builtin) -> Result<Option<JsonKind>, String> {
    Ok(match kind {
        Builtin::Str | Builtin::Any => Some(JsonKind::String(quote(text))),
        Builtin::Int => integer(text)?.map(JsonKind::Number),
        Builtin::Number => number(text)?.map(JsonKind::Number),
        Builtin::Bool => boolean(text).map(JsonKind::Bool),
        Builtin::Null => (text == "null").then_some(JsonKind::Null),
    })
}

/// Returns a warning for each feature that marks `what` as deprecated or unstable.
pub(super) fn feature_warnings(features: &[String], what: String, span: Span) -> impl Iterator<Item = Diagnostic> {
    let marks = features.iter().filter(|feature| matches!(feature.as_str(), "deprecated" | "unstable"));
    marks.map(move |mark| Diagnostic::new(span, format!("{what} is {mark}")))
}
/// Puts the text that replaces a JSON string in quotes.
fn quote_replacement(diagnostic: Diagnostic) -> Diagnostic {
    let text = diagnostic.correction.as_ref().map(|correction| format!("\"{}\"", correction.text));
    diagnostic.with_replacement(text)
}
