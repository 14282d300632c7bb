//! The types of values in a jq filter, as far as introspection and the filter tell them.
//!
//! A filter that is being typed is read once, from left to right: each open bracket has a frame with the type of its
//! input, and of the value before the cursor. Whatever is not understood has an unknown type, for which nothing is
//! offered.

use std::collections::HashMap;

use crate::schema::{Builtin, Schema, Type, TypeId, type_label};

use super::filter_tokens::Token;

/// The maximum number of types that a value may have.
const MAX_ALTERNATIVES: usize = 64;

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    Unknown,
    /// A type of the introspection.
    Schema(TypeId),
    Text,
    Number,
    Bool,
    Array(Box<Shape>),
    /// An object that the filter makes.
    Object(Vec<(String, Shape)>),
    AnyOf(Vec<Shape>),
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) shape: Shape,
    pub(super) optional: bool,
}

/// Functions whose arguments see each item of their input.
const ON_ITEMS: [&str; 9] = ["map", "sort_by", "group_by", "min_by", "max_by", "unique_by", "map_values", "any", "all"];

impl Shape {
    fn any_of(shapes: impl IntoIterator<Item = Shape>) -> Shape {
        let mut all: Vec<Shape> = Vec::new();
        for shape in shapes {
            if shape != Shape::Unknown && !all.contains(&shape) && all.len() < MAX_ALTERNATIVES {
                all.push(shape);
            }
        }
        match all.len() {
            0 => Shape::Unknown,
            1 => all.remove(0),
            _ => Shape::AnyOf(all),
        }
    }

    /// Returns the members of the objects that the value may be, those of all variants included.
    pub(super) fn members(&self, schema: &Schema) -> Vec<Member> {
        let mut members: Vec<Member> = Vec::new();
        let mut add = |member: Member| match members.iter_mut().find(|known| known.name == member.name) {
            None => members.push(member),
            Some(known) => known.shape = Shape::any_of([known.shape.clone(), member.shape]),
        };
        match self {
            Shape::Schema(id) => match schema.definition(*id) {
                Type::Object(object) => {
                    for member in &object.members {
                        let (name, shape) = (member.name.clone(), Shape::Schema(member.kind));
                        add(Member { name, shape, optional: member.optional });
                    }
                    for (_, variant) in &object.variants {
                        for member in Shape::Schema(*variant).members(schema) {
                            add(Member { optional: true, ..member });
                        }
                    }
                }
                Type::Alternate(kinds) => {
                    kinds.iter().flat_map(|kind| Shape::Schema(*kind).members(schema)).for_each(add);
                }
                _ => {}
            },
            Shape::Object(own) => {
                for (name, shape) in own {
                    add(Member { name: name.clone(), shape: shape.clone(), optional: false });
                }
            }
            Shape::AnyOf(shapes) => shapes.iter().flat_map(|shape| shape.members(schema)).for_each(add),
            _ => {}
        }
        members
    }

    fn member(&self, name: &str, schema: &Schema) -> Shape {
        let found = self.members(schema).into_iter().find(|member| member.name == name);
        found.map_or(Shape::Unknown, |member| member.shape)
    }

    /// Returns the type of the items of an array, or of the values of an object's members.
    pub(super) fn item(&self, schema: &Schema) -> Shape {
        match self {
            Shape::Array(item) => (**item).clone(),
            Shape::AnyOf(shapes) => Shape::any_of(shapes.iter().map(|shape| shape.item(schema))),
            Shape::Schema(id) if let Type::Array(item) = schema.definition(*id) => Shape::Schema(*item),
            Shape::Schema(id) if let Type::Alternate(kinds) = schema.definition(*id) => {
                Shape::any_of(kinds.iter().map(|kind| Shape::Schema(*kind).item(schema)))
            }
            shape => Shape::any_of(shape.members(schema).into_iter().map(|member| member.shape)),
        }
    }

    pub(super) fn is_array(&self, schema: &Schema) -> bool {
        match self {
            Shape::Array(_) => true,
            Shape::Schema(id) => matches!(schema.definition(*id), Type::Array(_)),
            _ => false,
        }
    }

    /// Returns the values that a string of this type can have.
    pub(super) fn enum_values<'s>(&self, schema: &'s Schema) -> Vec<&'s str> {
        match self {
            Shape::Schema(id) => match schema.definition(*id) {
                Type::Enum(values) => values.iter().map(|value| value.name.as_str()).collect(),
                Type::Alternate(kinds) => {
                    kinds.iter().flat_map(|kind| Shape::Schema(*kind).enum_values(schema)).collect()
                }
                _ => Vec::new(),
            },
            Shape::AnyOf(shapes) => shapes.iter().flat_map(|shape| shape.enum_values(schema)).collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the name of the type for lists and hints. `None` if it is unknown.
    pub(super) fn label(&self, schema: &Schema) -> Option<String> {
        Some(match self {
            Shape::Unknown => return None,
            Shape::Schema(id) => match schema.definition(*id) {
                Type::Builtin(Builtin::Any) => return None,
                _ => type_label(schema, *id),
            },
            Shape::Text => "str".to_owned(),
            Shape::Number => "number".to_owned(),
            Shape::Bool => "bool".to_owned(),
            Shape::Array(item) => format!("[{}]", item.label(schema).unwrap_or_default()),
            Shape::Object(_) => "object".to_owned(),
            Shape::AnyOf(shapes) => {
                let mut labels: Vec<String> = shapes.iter().filter_map(|shape| shape.label(schema)).collect();
                labels.dedup();
                labels.join(" or ")
            }
        })
    }
}

/// The kind of an open bracket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// The whole filter, or parentheses.
    Group,
    /// `[…]` that makes an array.
    Array,
    /// `[…]` after a value.
    Index,
    /// `{…}`, with the members so far, and the key whose value is being typed.
    Object(Vec<(String, Shape)>, Option<String>),
    /// The arguments of a function.
    Call(String),
}

/// The state inside an open bracket.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) kind: FrameKind,
    /// The type of `.`.
    pub(super) input: Shape,
    /// The type of the value that ends at the cursor, if one does.
    pub(super) value: Option<Shape>,
    /// The type of the value before a comparison that has only one side so far.
    pub(super) compared: Option<Shape>,
    /// The types of the results before a comma.
    results: Vec<Shape>,
    /// The type of the results, if an operator decides it.
    decided: Option<Shape>,
    /// The input after the `|` of a binding.
    bound_input: Option<Shape>,
    /// The last string.
    literal: Option<String>,
    is_slice: bool,
}

impl Frame {
    fn new(kind: FrameKind, input: Shape) -> Frame {
        Frame {
            kind,
            input,
            value: None,
            compared: None,
            results: Vec::new(),
            decided: None,
            bound_input: None,
            literal: None,
            is_slice: false,
        }
    }

    /// Takes the type of all results so far.
    fn take_results(&mut self) -> Shape {
        let value = self.decided.take().or(self.value.take());
        self.compared = None;
        Shape::any_of(std::mem::take(&mut self.results).into_iter().chain(value))
    }
}

/// The reader of a filter.
pub(super) struct FilterTyping<'a> {
    schema: &'a Schema,
    frames: Vec<Frame>,
    variables: HashMap<String, Shape>,
    /// The function before a `(`.
    called: Option<String>,
}

impl<'a> FilterTyping<'a> {
    /// Reads the tokens of a filter whose input has this type.
    pub(super) fn read(schema: &'a Schema, input: Shape, tokens: &[(usize, Token)]) -> FilterTyping<'a> {
        let frames = vec![Frame::new(FrameKind::Group, input)];
        let mut typing = FilterTyping { schema, frames, variables: HashMap::new(), called: None };
        let mut index = 0;
        while let Some((_, token)) = tokens.get(index) {
            let next = tokens.get(index + 1).map(|(_, next)| next);
            index += typing.step(token, next);
        }
        typing
    }

    /// Returns the innermost open bracket, or the whole filter.
    pub(super) fn frame(&self) -> Option<&Frame> {
        self.frames.last()
    }

    /// Returns the bracket around the innermost one.
    pub(super) fn outer_frame(&self) -> Option<&Frame> {
        self.frames.len().checked_sub(2).and_then(|index| self.frames.get(index))
    }

    /// Reads a token. Returns the number of tokens read.
    fn step(&mut self, token: &Token, next: Option<&Token>) -> usize {
        let called = self.called.take();
        let schema = self.schema;
        let Some(frame) = self.frames.last_mut() else { return 1 };
        if let FrameKind::Object(_, key @ None) = &mut frame.kind
            && let Token::Word(name) | Token::Text(name) = token
        {
            *key = Some(name.clone());
            frame.value = Some(frame.input.member(name, schema));
            return 1;
        }
        match token {
            Token::Dot => {
                let base = frame.value.take().unwrap_or_else(|| frame.input.clone());
                if let Some(Token::Word(name) | Token::Text(name)) = next {
                    frame.value = Some(base.member(name, schema));
                    return 2;
                }
                frame.value = Some(base);
            }
            Token::Recurse => frame.value = Some(Shape::Unknown),
            Token::Number => frame.value = Some(Shape::Number),
            Token::Text(text) | Token::OpenText(text) => {
                frame.literal = Some(text.clone());
                frame.value = Some(Shape::Text);
            }
            Token::Variable(name) if frame.bound_input.is_some() => {
                let shape = frame.value.clone().unwrap_or(Shape::Unknown);
                self.variables.insert(name.clone(), shape);
            }
            Token::Variable(name) => frame.value = Some(self.variables.get(name).cloned().unwrap_or(Shape::Unknown)),
            Token::Open(bracket) => self.open(*bracket, called),
            Token::Close(_) => self.close(),
            Token::Word(word) => self.word(word, next),
            Token::Operator(operator) => self.operator(operator),
        }
        1
    }

    fn open(&mut self, bracket: char, called: Option<String>) {
        let schema = self.schema;
        let Some(frame) = self.frames.last() else { return };
        let input = frame.input.clone();
        let frame = match (bracket, called) {
            ('[', _) if frame.value.is_some() => Frame::new(FrameKind::Index, input),
            ('[', _) => Frame::new(FrameKind::Array, input),
            ('{', _) => Frame::new(FrameKind::Object(Vec::new(), None), input),
            (_, Some(name)) => {
                let input = if ON_ITEMS.contains(&name.as_str()) { input.item(schema) } else { input };
                Frame::new(FrameKind::Call(name), input)
            }
            (_, None) => Frame::new(FrameKind::Group, input),
        };
        self.frames.push(frame);
    }

    fn close(&mut self) {
        let schema = self.schema;
        if self.frames.len() < 2 {
            return;
        }
        let Some(mut inner) = self.frames.pop() else { return };
        let Some(outer) = self.frames.last_mut() else { return };
        let is_empty = inner.value.is_none() && inner.results.is_empty();
        let literal = inner.literal.take().filter(|_| inner.value == Some(Shape::Text));
        finish_member(&mut inner);
        let results = inner.take_results();
        outer.value = Some(match inner.kind {
            FrameKind::Group => results,
            FrameKind::Array if is_empty => Shape::Array(Box::new(Shape::Unknown)),
            FrameKind::Array => Shape::Array(Box::new(results)),
            FrameKind::Object(members, _) => Shape::Object(members),
            FrameKind::Index => match (outer.value.take().unwrap_or(Shape::Unknown), literal) {
                (base, Some(name)) => base.member(&name, schema),
                (base, None) if inner.is_slice => base,
                (base, None) => base.item(schema),
            },
            FrameKind::Call(name) => result_of(&name, &outer.input, results, schema),
        });
    }

    fn word(&mut self, word: &str, next: Option<&Token>) {
        let schema = self.schema;
        let Some(frame) = self.frames.last_mut() else { return };
        match word {
            "and" | "or" => {
                frame.value = None;
                frame.compared = None;
                frame.decided = Some(Shape::Bool);
            }
            "as" => frame.bound_input = Some(frame.input.clone()),
            "if" | "elif" | "reduce" | "foreach" | "try" | "catch" => frame.value = None,
            "then" => {
                frame.value = None;
                frame.decided = None;
                frame.compared = None;
            }
            "else" => {
                let value = frame.value.take();
                frame.results.extend(value);
            }
            "end" => {}
            _ if next == Some(&Token::Open('(')) => {
                frame.value = None;
                self.called = Some(word.to_owned());
            }
            _ => {
                let shape = result_of(word, &frame.input, Shape::Unknown, schema);
                frame.value = Some(shape);
            }
        }
    }

    fn operator(&mut self, operator: &str) {
        let Some(frame) = self.frames.last_mut() else { return };
        match operator {
            "|" => match frame.bound_input.take() {
                Some(input) => {
                    frame.input = input;
                    frame.value = None;
                }
                None => frame.input = frame.take_results(),
            },
            "," if matches!(frame.kind, FrameKind::Object(..)) => finish_member(frame),
            "," | "//" => {
                let value = frame.decided.take().or(frame.value.take());
                frame.results.extend(value);
                frame.compared = None;
            }
            ";" => drop(frame.take_results()),
            ":" => {
                frame.is_slice = true;
                frame.value = None;
            }
            "==" | "!=" | "<" | ">" | "<=" | ">=" => {
                frame.compared = frame.value.take();
                frame.decided = Some(Shape::Bool);
            }
            "?" => {}
            // The results of assignments have the type of the input.
            "=" | "|=" | "+=" | "-=" | "*=" | "/=" | "%=" => {
                let path = frame.value.take();
                frame.compared.clone_from(&path);
                frame.decided = Some(frame.input.clone());
            }
            _ => {
                let left = frame.value.take();
                frame.decided = frame.decided.take().or(left);
            }
        }
    }
}

/// Ends the member of an object that is being typed.
fn finish_member(frame: &mut Frame) {
    let shape = frame.decided.take().or(frame.value.take()).unwrap_or(Shape::Unknown);
    if let FrameKind::Object(members, key) = &mut frame.kind
        && let Some(name) = key.take()
    {
        members.push((name, shape));
    } else {
        frame.value = Some(shape);
    }
    frame.compared = None;
}

/// Returns the type of a function's results. `argument` is that of its last argument's results.
fn result_of(name: &str, input: &Shape, argument: Shape, schema: &Schema) -> Shape {
    match name {
        "select" | "sort_by" | "unique_by" | "sort" | "unique" | "reverse" | "del" | "map_values" | "values"
        | "recurse" | "arrays" | "objects" | "strings" | "numbers" | "scalars" => input.clone(),
        "first" | "last" if argument == Shape::Unknown => input.item(schema),
        "first" | "last" | "limit" | "skip" | "nth" | "until" | "repeat" => argument,
        "min_by" | "max_by" | "min" | "max" | "add" => input.item(schema),
        "map" => Shape::Array(Box::new(argument)),
        "group_by" => Shape::Array(Box::new(input.clone())),
        "any" | "all" | "not" | "has" | "test" | "contains" | "startswith" | "endswith" | "isempty" | "in"
        | "inside" | "IN" => Shape::Bool,
        "length" | "floor" | "round" | "ceil" | "tonumber" | "now" => Shape::Number,
        "tostring" | "tojson" | "join" | "type" | "ascii_downcase" | "ascii_upcase" | "todate" => Shape::Text,
        "keys" => Shape::Array(Box::new(Shape::Text)),
        "to_entries" => {
            let members = vec![("key".to_owned(), Shape::Text), ("value".to_owned(), input.item(schema))];
            Shape::Array(Box::new(Shape::Object(members)))
        }
        name if name.starts_with('@') => Shape::Text,
        _ => Shape::Unknown,
    }
}
