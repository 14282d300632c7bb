//! Turns parsed lines into requests: gives the arguments their types, checks them, and writes them as JSON.

use std::borrow::Cow;
use std::thread::Builder;

use crate::grammar::{Command, Diagnostic, Json, JsonKind, JsonRequest, Span, missing_key};
use crate::wire::{Request, spaced};

use super::arg_tree::ArgTree;
use super::context::TypingContext;
use super::infer::infer_object;
use super::json_writer::{check_depth, minified_json};
use super::model::{CommandInfo, Schema, TypeId};
use super::positional::with_positional_key;
use super::suggest::nearest;
use super::type_check::{TypeChecker, feature_warnings};

/// The nesting level of a request's arguments; the request itself is level 1.
const ARGUMENTS_LEVEL: usize = 2;

/// The maximum length of a word that surely does not nest too deep for the stack of any thread.
const MAX_SHALLOW_WORD_BYTES: usize = 256;

/// The stack size for arguments that nest as deep as a server accepts.
const DEEP_STACK_BYTES: usize = 64 << 20;

/// Calls `f`, which recurses as deep as the arguments nest, on a stack that is large enough. `max_word_bytes` is the
/// length of the longest word.
pub(super) fn on_deep_stack<T: Send>(
    max_word_bytes: usize,
    f: impl FnOnce() -> Result<T, Diagnostic> + Send,
) -> Result<T, Diagnostic> {
    if max_word_bytes <= MAX_SHALLOW_WORD_BYTES {
        return f();
    }
    std::thread::scope(|scope| match Builder::new().stack_size(DEEP_STACK_BYTES).spawn_scoped(scope, f) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        Err(error) => Err(Diagnostic::new(Span::default(), format!("not enough memory to read this line: {error}"))),
    })
}

/// A request, and the warnings about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedRequest {
    pub request: Request,
    /// Warnings about the deprecated and unstable features that it uses.
    pub warnings: Vec<Diagnostic>,
}

/// Returns the request for a command with `KEY=VALUE` words.
pub fn request_of_command(command: &Command, context: &TypingContext<'_>) -> Result<TypedRequest, Diagnostic> {
    on_deep_stack(command.max_word_bytes(), || type_command(command, context))
}

fn type_command(command: &Command, context: &TypingContext<'_>) -> Result<TypedRequest, Diagnostic> {
    let mut request = Request::new(&command.name);
    request.oob = command.oob;
    let mut warnings = Vec::new();
    let found = find_command(&command.name, command.name_span, command.oob, context)?;
    let command = &*match found {
        Some((schema, info)) => with_positional_key(command, schema, info.arguments),
        None => Cow::Borrowed(command),
    };
    let has_arguments = command.json.is_some() || !command.args.is_empty();
    let tree = argument_tree(command, context)?;
    let arguments = match found {
        Some((schema, info)) => {
            let mut checker = checker_of_command(schema, info, command.name_span, context);
            let arguments = checker.type_arguments(tree, info.arguments, command.name_span)?;
            warnings = checker.warnings;
            arguments
        }
        None => infer_object(tree, command.name_span)?,
    };
    if has_arguments {
        set_arguments(&mut request, &arguments)?;
    }
    Ok(TypedRequest { request, warnings })
}

/// Returns the request for a pasted JSON object. Its values are checked, but not changed.
pub fn request_of_json(json: &JsonRequest, context: &TypingContext<'_>) -> Result<TypedRequest, Diagnostic> {
    let bytes = json.arguments.as_ref().map_or(0, |arguments| arguments.span.range().len());
    on_deep_stack(bytes, || type_json(json, context))
}

fn type_json(json: &JsonRequest, context: &TypingContext<'_>) -> Result<TypedRequest, Diagnostic> {
    let mut request = Request::new(&json.command);
    request.oob = json.oob;
    let mut warnings = Vec::new();
    if let Some((schema, info)) = find_command(&json.command, json.command_span, json.oob, context)? {
        let members = match json.arguments.clone() {
            Some(Json { kind: JsonKind::Object(members), .. }) => members,
            _ => Vec::new(),
        };
        let start = json.arguments.as_ref().map_or(json.command_span, |arguments| arguments.span).start;
        let mut checker = checker_of_command(schema, info, json.command_span, context);
        checker.type_arguments(ArgTree::from_members(members), info.arguments, Span::new(start, start + 1))?;
        warnings = checker.warnings;
    }
    if let Some(arguments) = &json.arguments {
        set_arguments(&mut request, arguments)?;
    }
    // The id is only shown to the user, never sent.
    request.id = json.id.as_ref().map(|id| spaced(&minified_json(id)));
    Ok(TypedRequest { request, warnings })
}

fn checker_of_command<'a>(
    schema: &'a Schema,
    info: &CommandInfo,
    span: Span,
    context: &TypingContext<'a>,
) -> TypeChecker<'a> {
    let name = format!("`{}`", info.name);
    let mut checker = TypeChecker::new(context, schema, &name, accepts_unknown_keys(schema, info));
    checker.warnings.extend(feature_warnings(&info.features, name, span));
    checker
}

/// Returns the type of a member that an object type has in every variant.
pub fn member_type(schema: &Schema, object: TypeId, name: &str) -> Option<TypeId> {
    schema.object(object).members.iter().find(|member| member.name == name).map(|member| member.kind)
}

/// Looks up a command. `Ok(None)` if there is no introspection to check it against.
pub(super) fn find_command<'a>(
    name: &str,
    span: Span,
    oob: bool,
    context: &TypingContext<'a>,
) -> Result<Option<(&'a Schema, &'a CommandInfo)>, Diagnostic> {
    let Some(schema) = context.schema else { return Ok(None) };
    match schema.command(name) {
        Some(info) if oob && !info.allow_oob && !context.allow_invalid => {
            Err(Diagnostic::new(span, format!("`{name}` cannot be executed out of band")))
        }
        Some(info) => Ok(Some((schema, info))),
        None if context.allow_invalid => Ok(None),
        None => {
            let near = nearest_command(schema, name);
            let hint = near.map(|near| format!("did you mean `{near}`?"));
            Err(unknown_command(name, span, hint.as_deref()).with_replacement(near))
        }
    }
}

/// Returns the command whose name is closest to a mistyped one.
pub fn nearest_command<'a>(schema: &'a Schema, name: &str) -> Option<&'a str> {
    nearest(name, schema.commands().iter().map(|command| command.name.as_str()))
}

/// Returns the error for a command that the server does not have, with a hint about what to do instead.
pub fn unknown_command(name: &str, span: Span, hint: Option<&str>) -> Diagnostic {
    let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    Diagnostic::new(span, format!("the server has no command `{name}`{hint}"))
}

/// Returns whether a command takes keys that its introspection does not list: `device_add` takes the properties of the
/// device, and before QEMU 6.0 `object-add` and `netdev_add` took those of their types.
pub(super) fn accepts_unknown_keys(schema: &Schema, info: &CommandInfo) -> bool {
    match info.name.as_str() {
        "device_add" => true,
        "object-add" | "netdev_add" => schema.object(info.arguments).tag.is_none(),
        _ => false,
    }
}

impl Schema {
    /// Returns whether a command takes an argument with this name, in any variant.
    pub fn accepts_key(&self, info: &CommandInfo, name: &str) -> bool {
        let object = self.object(info.arguments);
        let variants = object.variants.iter().map(|(_, variant)| self.object(*variant));
        let members = [object].into_iter().chain(variants).flat_map(|object| &object.members);
        accepts_unknown_keys(self, info) || members.into_iter().any(|member| member.name == name)
    }
}

/// Collects the arguments of a command: the leading JSON object, and the `KEY=VALUE` words that add to it.
pub(super) fn argument_tree(command: &Command, context: &TypingContext<'_>) -> Result<ArgTree, Diagnostic> {
    let mut tree = ArgTree::default();
    if let Some(word) = &command.positional {
        return Err(missing_key(word));
    }
    if let Some(json) = &command.json {
        let JsonKind::Object(members) = &json.kind else {
            let message = format!("expected an object or `key=value` as arguments, found {}", json.type_name());
            return Err(Diagnostic::new(json.span, message));
        };
        tree = ArgTree::from_members(members.clone());
    }
    for arg in &command.args {
        let mut arg = arg.clone();
        arg.key.join_name(context.undocumented_types.keys());
        tree.insert(&arg)?;
    }
    Ok(tree)
}

pub(super) fn set_arguments(request: &mut Request, arguments: &Json) -> Result<(), Diagnostic> {
    check_depth(arguments, ARGUMENTS_LEVEL)?;
    request.arguments = Some(minified_json(arguments));
    request.mark_secrets();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::{Line, parse_line};

    fn arguments(line: &str) -> Result<String, (usize, String)> {
        let request = match parse_line(line) {
            Ok(Line::Command(command)) => request_of_command(&command, &TypingContext::none()),
            Ok(Line::Json(json)) => request_of_json(&json, &TypingContext::none()),
            Ok(other) => panic!("{other:?}"),
            Err(diagnostic) => Err(diagnostic),
        };
        let arguments = request.map(|typed| spaced(&typed.request.arguments.unwrap_or_default()));
        arguments.map_err(|diagnostic| (diagnostic.span.start, diagnostic.message))
    }

    #[test]
    fn infers_types_from_values() {
        for (line, expected) in [
            ("c", ""),
            ("c a=1 b=-5 c=0x1000 d=1.50 e=1e3", r#"{"a": 1, "b": -5, "c": 4096, "d": 1.50, "e": 1e3}"#),
            ("c a=18446744073709551615", r#"{"a": 18446744073709551615}"#),
            ("c a=true b=False c=null d=on", r#"{"a": true, "b": false, "c": null, "d": "on"}"#),
            ("c a=007 b=1_0 c=+5 d=1.5G e=", r#"{"a": "007", "b": "1_0", "c": "+5", "d": "1.5G", "e": ""}"#),
            ("c a='1' b=\"true\" c=\\5", r#"{"a": "1", "b": "true", "c": "5"}"#),
            ("c a=[1, 'x',] b={\"k\": True}", r#"{"a": [1, "x"], "b": {"k": true}}"#),
            ("c a=x=y", r#"{"a": "x=y"}"#),
            ("c a='q\"b'", r#"{"a": "q\"b"}"#),
        ] {
            assert_eq!(arguments(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn dotted_keys_nest_and_numbers_make_arrays() {
        for (line, expected) in [
            ("c a.b=1 c=2 a.d=3", r#"{"a": {"b": 1, "d": 3}, "c": 2}"#),
            ("c l.0=x l.1=y", r#"{"l": ["x", "y"]}"#),
            ("c l.1.k=y l.0.k=x", r#"{"l": [{"k": "x"}, {"k": "y"}]}"#),
            (
                "c {\"file\": {\"driver\": \"d\"}, \"x\": 1} file.size=5 y=2",
                r#"{"file": {"driver": "d", "size": 5}, "x": 1, "y": 2}"#,
            ),
        ] {
            assert_eq!(arguments(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn conflicts_point_at_the_later_key() {
        for (line, at, message) in [
            ("c a={\"x\": 1}y", 12, "expected a space after the JSON value"),
            ("c a={x}", 5, "expected a quoted key or `}`, found `x`"),
            ("c a=1 a=2", 6, "duplicate key `a`"),
            ("c a.b=1 a.b=2", 8, "duplicate key `a.b`"),
            ("c a=1 a.b=2", 6, "`a.b` cannot be set; `a` already has a value"),
            ("c a.b=1 a=2", 8, "`a` cannot have a value; there are already keys below it"),
            ("c {\"a\": 1} a=2", 11, "duplicate key `a`"),
            ("c l.0=x l.2=y", 8, "array index 2 leaves a gap; 2 items have indices 0 to 1"),
            (
                "c props.sse4.2=off",
                2,
                "array index 2 leaves a gap; the only item has index 0; a name with a dot must be written in JSON",
            ),
            ("c l.0=x l.k=y", 8, "expected an array index, found `k`; do not mix numbered and named parts"),
            (
                "c a=18446744073709551616",
                4,
                "integer `18446744073709551616` does not fit in 64 bits; quote it to send a string",
            ),
            ("c [1]", 2, "expected an object or `key=value` as arguments, found an array"),
        ] {
            assert_eq!(arguments(line), Err((at, message.to_owned())), "{line}");
        }
    }

    #[test]
    fn rejects_what_is_too_deep_for_the_server() {
        let brackets = |depth| format!("c a={}{}", "[".repeat(depth), "]".repeat(depth));
        let dots = |depth| format!("c {}k=1", "a.".repeat(depth));
        assert!(arguments(&brackets(1022)).is_ok() && arguments(&dots(1022)).is_ok());
        for line in [brackets(1023), dots(1023), dots(100_000)] {
            let message = "nested more than 1024 levels deep";
            assert_eq!(arguments(&line).unwrap_err().1, message);
        }
    }

    #[test]
    fn marks_secrets_of_commands_and_json() {
        for line in [
            "set_password protocol=vnc password=hunter2",
            "{'execute': 'object-add', 'arguments': {'qom-type': 'secret', 'data': 'hunter2'}}",
            "human-monitor-command command-line='set_password vnc hunter2'",
        ] {
            let request = match parse_line(line).unwrap() {
                Line::Command(command) => request_of_command(&command, &TypingContext::none()),
                Line::Json(json) => request_of_json(&json, &TypingContext::none()),
                _ => panic!(),
            };
            let request = request.unwrap().request;
            assert!(request.to_json(None).contains("hunter2"));
            assert!(!request.to_masked_json(None).contains("hunter2"), "{line}");
        }
    }
}
