//! From a parsed line to the request that is sent.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::thread::Builder;

use crate::grammar::{Command, Diagnostic, Json, JsonKind, JsonRequest, Span};
use crate::wire::Request;

use super::arg_tree::Tree;
use super::infer::object_by_form;
use super::introspection::{Builtin, CommandInfo, Schema, TypeId};
use super::json_writer::{check_depth, write_json};
use super::secrets::write_and_mark;
use super::suggest::nearest;
use super::type_check::Typer;

/// How deep the arguments stand: inside the request's own braces.
const ARGUMENTS: usize = 2;

/// A word of so many bytes nests no deeper than any stack has room for.
const SHORT: usize = 256;

/// Room for what nests as deep as a server reads it.
const ROOM: usize = 64 << 20;

/// Does `work`, which goes as deep as the arguments nest, where there is room for that: `longest` is the length of the
/// longest word.
pub(super) fn on_deep_stack<T: Send>(
    longest: usize,
    work: impl FnOnce() -> Result<T, Diagnostic> + Send,
) -> Result<T, Diagnostic> {
    if longest <= SHORT {
        return work();
    }
    std::thread::scope(|scope| match Builder::new().stack_size(ROOM).spawn_scoped(scope, work) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        Err(error) => Err(Diagnostic::new(Span::default(), format!("no memory to read this line with: {error}"))),
    })
}

/// What is known about the server, to type and check a line by.
#[derive(Debug, Clone, Copy)]
pub struct TypingContext<'a> {
    /// What the server says of itself; without, values are typed by their form and nothing is checked.
    pub schema: Option<&'a Schema>,
    /// Types that introspection does not tell, by key: the properties of the device of `device_add`, the `value` of
    /// `qom-set`.
    pub extra: &'a HashMap<String, Builtin>,
    /// Send even what introspection says is wrong.
    pub allow_unknown: bool,
}

impl TypingContext<'static> {
    /// Nothing is known.
    pub fn none() -> TypingContext<'static> {
        static EMPTY: LazyLock<HashMap<String, Builtin>> = LazyLock::new(HashMap::new);
        TypingContext { schema: None, extra: &EMPTY, allow_unknown: false }
    }
}

/// A request, and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedRequest {
    /// The request.
    pub request: Request,
    /// Deprecated and unstable things that it uses.
    pub warnings: Vec<Diagnostic>,
}

/// The request that a typed command means.
pub fn request_of_command(command: &Command, knowledge: &TypingContext<'_>) -> Result<TypedRequest, Diagnostic> {
    on_deep_stack(command.longest_word(), || type_command(command, knowledge))
}

fn type_command(command: &Command, knowledge: &TypingContext<'_>) -> Result<TypedRequest, Diagnostic> {
    let mut request = Request::new(&command.name);
    request.oob = command.oob;
    let mut warnings = Vec::new();
    let given = command.json.is_some() || !command.args.is_empty();
    let tree = tree_of(command)?;
    let arguments = match find_command(&command.name, command.name_span, command.oob, knowledge)? {
        Some((schema, info)) => {
            warn_of_command(info, command.name_span, &mut warnings);
            let mut typer =
                Typer::new(knowledge, schema, &format!("`{}`", info.name), accepts_unknown_keys(schema, info));
            let arguments = typer.arguments(tree, info.arguments, command.name_span)?;
            warnings.append(&mut typer.warnings);
            arguments
        }
        None => object_by_form(tree, command.name_span)?,
    };
    if given {
        put_arguments(&mut request, &arguments)?;
    }
    Ok(TypedRequest { request, warnings })
}

/// The request that a pasted JSON object means: what stands in it, unchanged, but checked.
pub fn request_of_json(json: &JsonRequest, knowledge: &TypingContext<'_>) -> Result<TypedRequest, Diagnostic> {
    on_deep_stack(json.arguments.as_ref().map_or(0, |arguments| arguments.span.range().len()), || {
        type_json(json, knowledge)
    })
}

fn type_json(json: &JsonRequest, knowledge: &TypingContext<'_>) -> Result<TypedRequest, Diagnostic> {
    let mut request = Request::new(&json.command);
    request.oob = json.oob;
    let mut warnings = Vec::new();
    if let Some((schema, info)) = find_command(&json.command, json.command_span, json.oob, knowledge)? {
        warn_of_command(info, json.command_span, &mut warnings);
        let members = match json.arguments.clone() {
            Some(Json { kind: JsonKind::Object(members), .. }) => members,
            _ => Vec::new(),
        };
        let span = json.arguments.as_ref().map_or(json.command_span, |arguments| arguments.span);
        let mut typer = Typer::new(knowledge, schema, &format!("`{}`", info.name), accepts_unknown_keys(schema, info));
        typer.arguments(Tree::of_members(members), info.arguments, Span::new(span.start, span.start + 1))?;
        warnings.append(&mut typer.warnings);
    }
    if let Some(arguments) = &json.arguments {
        put_arguments(&mut request, arguments)?;
    }
    if let Some(id) = &json.id {
        let mut text = String::new();
        write_json(id, &mut text, &mut Vec::new(), &mut |_, _, _| {});
        request.id = Some(text);
    }
    Ok(TypedRequest { request, warnings })
}

/// The type of an object type's own member.
pub fn member_type(schema: &Schema, object: TypeId, name: &str) -> Option<TypeId> {
    schema.object(object).members.iter().find(|member| member.name == name).map(|member| member.kind)
}

/// The introspection of a command. `Ok(None)` where nothing is known, or nothing is to be refused.
pub(super) fn find_command<'a>(
    name: &str,
    span: Span,
    oob: bool,
    knowledge: &TypingContext<'a>,
) -> Result<Option<(&'a Schema, &'a CommandInfo)>, Diagnostic> {
    let Some(schema) = knowledge.schema else { return Ok(None) };
    match schema.command(name) {
        Some(info) if oob && !info.allow_oob && !knowledge.allow_unknown => {
            Err(Diagnostic::new(span, format!("`{name}` cannot be executed out of band")))
        }
        Some(info) => Ok(Some((schema, info))),
        None if knowledge.allow_unknown => Ok(None),
        None => {
            let help = nearest_command(schema, name).map(|near| format!("did you mean `{near}`?"));
            Err(unknown_command(name, span, help.as_deref()))
        }
    }
}

/// The command that a mistyped name is nearest to.
pub fn nearest_command<'a>(schema: &'a Schema, name: &str) -> Option<&'a str> {
    nearest(name, schema.commands().iter().map(|command| command.name.as_str()))
}

/// The fault of a command that the server does not have; `help` says what to do instead.
pub fn unknown_command(name: &str, span: Span, help: Option<&str>) -> Diagnostic {
    let help = help.map(|help| format!("; {help}")).unwrap_or_default();
    Diagnostic::new(span, format!("the server has no command `{name}`{help}"))
}

pub(super) fn is_warning(feature: &str) -> bool {
    matches!(feature, "deprecated" | "unstable")
}

fn warn_of_command(info: &CommandInfo, span: Span, warnings: &mut Vec<Diagnostic>) {
    let marks = info.features.iter().filter(|feature| is_warning(feature));
    warnings.extend(marks.map(|mark| Diagnostic::new(span, format!("`{}` is {mark}", info.name))));
}

/// Whether a command takes keys that its introspection does not list: `device_add` those of the device, and before
/// QEMU 6.0 `object-add` and `netdev_add` those of their types.
pub(super) fn accepts_unknown_keys(schema: &Schema, info: &CommandInfo) -> bool {
    match info.name.as_str() {
        "device_add" => true,
        "object-add" | "netdev_add" => schema.object(info.arguments).tag.is_none(),
        _ => false,
    }
}

pub(super) fn tree_of(command: &Command) -> Result<Tree, Diagnostic> {
    let mut tree = Tree::default();
    if let Some(json) = &command.json {
        let JsonKind::Object(members) = &json.kind else {
            let message = format!("arguments are an object or `key=value`, not {}", json.type_name());
            return Err(Diagnostic::new(json.span, message));
        };
        tree = Tree::of_members(members.clone());
    }
    for arg in &command.args {
        tree.insert(arg)?;
    }
    Ok(tree)
}

pub(super) fn put_arguments(request: &mut Request, arguments: &Json) -> Result<(), Diagnostic> {
    check_depth(arguments, ARGUMENTS)?;
    let (text, secrets) = write_and_mark(&request.command, arguments);
    request.arguments = Some(text);
    request.secrets = Some(secrets);
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
            Err(fault) => Err(fault),
        };
        request.map(|prepared| prepared.request.arguments.unwrap_or_default()).map_err(|f| (f.span.start, f.message))
    }

    #[test]
    fn values_take_the_type_of_their_form() {
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
    fn contradictions_point_at_the_later_key() {
        for (line, at, message) in [
            ("c a={\"x\": 1}y", 12, "expected a blank behind the JSON value"),
            ("c a={x}", 5, "expected a quoted key or `}` here"),
            ("c a=1 a=2", 6, "key `a` is given twice"),
            ("c a.b=1 a.b=2", 8, "key `a.b` is given twice"),
            ("c a=1 a.b=2", 6, "`a` has a value already; `a.b` cannot go below it"),
            ("c a.b=1 a=2", 8, "`a` has keys below it already; it cannot have a value too"),
            ("c {\"a\": 1} a=2", 11, "key `a` is given twice"),
            ("c l.0=x l.2=y", 8, "array index 2 leaves a gap: 2 parts are numbered 0 to 1"),
            ("c l.0=x l.k=y", 8, "`k` stands beside numbered parts: an array or an object?"),
            (
                "c a=18446744073709551616",
                4,
                "integer `18446744073709551616` does not fit in 64 bits; quote it to send a string",
            ),
            ("c [1]", 2, "arguments are an object or `key=value`, not an array"),
        ] {
            assert_eq!(arguments(line), Err((at, message.to_owned())), "{line}");
        }
    }

    #[test]
    fn what_the_server_would_find_too_deep_is_refused() {
        let brackets = |depth| format!("c a={}{}", "[".repeat(depth), "]".repeat(depth));
        let dots = |depth| format!("c {}k=1", "a.".repeat(depth));
        assert!(arguments(&brackets(1022)).is_ok() && arguments(&dots(1022)).is_ok());
        for line in [brackets(1023), dots(1023), dots(100_000)] {
            let message = "nested more than 1024 levels deep";
            assert_eq!(arguments(&line).unwrap_err().1, message);
        }
    }

    #[test]
    fn secrets_are_marked_wherever_they_come_from() {
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
