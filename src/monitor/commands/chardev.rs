//! Character devices. The options of QEMU's command line are flat; those of QMP are nested, in a way of its own for each
//! back end.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation, request};
use super::super::options::{IDENTIFIER_RULE, OptionList, is_help};
use super::super::parameter::text;
use super::super::server::Failure;
use super::super::text::{items, string};
use super::chardev_options::{backend, check_options, is_on, parse_options};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "chardev-add",
        &[text("args")],
        "create a character device; `help` lists the types of back ends",
        chardev_add,
    ),
    Command::new(
        "chardev-change",
        &[text("id"), text("args")],
        "change the back end of a character device",
        chardev_change,
    ),
    Command::new("chardev-remove", &[text("id")], "delete a character device", |call| with_id(call, "chardev-remove")),
    Command::new("chardev-send-break", &[text("id")], "send a break on a serial line", |call| {
        with_id(call, "chardev-send-break")
    }),
];

/// The key of the type, which may be left out.
const TYPE_KEY: &str = "backend";

fn with_id(call: &mut Invocation<'_>, command: &str) -> Result<String, Failure> {
    let id = call.arguments.text("id").to_owned();
    call.execute(command, json!({ "id": id }))
}

fn chardev_add(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let text = call.arguments.text("args").to_owned();
    let (list, warnings) = parse(call, &text)?;
    let result = add(call, &list);
    with_warnings(warnings, result)
}

fn add(call: &mut Invocation<'_>, list: &OptionList) -> Result<String, Failure> {
    if list.get(TYPE_KEY).is_some_and(is_help) {
        let types: String = backend_types(call)?.iter().rev().map(|name| format!("  {name}\n")).collect();
        return Ok(format!("Available chardev backend types: \n{types}"));
    }
    let id = list.id.as_deref().ok_or_else(|| Failure::error("chardev: no id specified"))?;
    if list.get(TYPE_KEY).is_none() {
        return Err(Failure::error(format!("chardev: \"{id}\" missing backend")));
    }
    let backend = nested_backend(call, list)?;
    if !list.get("mux").is_some_and(is_on) {
        return send(call, "chardev-add", id, backend);
    }
    let base = format!("{id}-base");
    send(call, "chardev-add", &base, backend)?;
    send(call, "chardev-add", id, json!({ "type": "mux", "data": { "chardev": base } }))
}

fn chardev_change(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let [id, text] = ["id", "args"].map(|name| call.arguments.text(name).to_owned());
    let known = call.query("query-chardev", json!({}))?;
    if !items(&known).iter().any(|entry| string(entry, "label") == id) {
        return Err(Failure::error(format!("Chardev '{id}' does not exist")));
    }
    let (list, warnings) = parse(call, &text)?;
    let result = change(call, &id, &list);
    with_warnings(warnings, result)
}

fn change(call: &mut Invocation<'_>, id: &str, list: &OptionList) -> Result<String, Failure> {
    if list.id.is_some() {
        return Err(Failure::error("Unexpected 'id' parameter"));
    }
    let backend = nested_backend(call, list)?;
    send(call, "chardev-change", id, backend)
}

/// Parses options. Returns them with the warnings about deprecated forms, as lines.
fn parse(call: &mut Invocation<'_>, text: &str) -> Result<(OptionList, String), Failure> {
    let wrong = |reason: &str| Failure::Text(format!("{reason}Error: Parsing chardev args failed\n"));
    let list = parse_options(text, TYPE_KEY);
    if !list.has_valid_id() {
        return Err(wrong(&format!("Parameter 'id' expects an identifier\n{IDENTIFIER_RULE}\n")));
    }
    let schema = call.server.schema();
    let warnings = check_options(&list, TYPE_KEY, schema.as_deref()).map_err(|reason| wrong(&reason))?;
    Ok((list, warnings))
}

/// Returns the `ChardevBackend` of QMP. A back end that the server does not have is reported before missing options.
fn nested_backend(call: &mut Invocation<'_>, list: &OptionList) -> Result<Value, Failure> {
    let schema = call.server.schema();
    let missing = match backend(list, TYPE_KEY, schema.as_deref()) {
        Ok(backend) => return Ok(backend),
        Err(missing) => missing,
    };
    let kind = list.get(TYPE_KEY).unwrap_or_default();
    match backend_types(call)?.iter().any(|known| known == kind) {
        true => Err(Failure::error(missing)),
        false => Err(Failure::error(unknown_backend(kind))),
    }
}

fn backend_types(call: &mut Invocation<'_>) -> Result<Vec<String>, Failure> {
    let reply = call.query("query-chardev-backends", json!({}))?;
    Ok(items(&reply).iter().map(|entry| string(entry, "name").to_owned()).collect())
}

fn unknown_backend(kind: &str) -> String {
    format!("'{kind}' is not a valid char driver name")
}

/// Puts warnings before the text of a command.
fn with_warnings(warnings: String, result: Result<String, Failure>) -> Result<String, Failure> {
    match result {
        Ok(text) => Ok(warnings + &text),
        Err(failure @ Failure::Error(_)) if !warnings.is_empty() => Err(Failure::Text(warnings + &failure.text())),
        Err(failure) => Err(failure),
    }
}

/// Creates or changes a character device. Returns the text about the terminal that it may be.
fn send(call: &mut Invocation<'_>, command: &str, id: &str, backend: Value) -> Result<String, Failure> {
    let request = request(command, json!({ "id": id, "backend": backend }));
    let sent = call.server.execute(&request);
    sent.map(|reply| pty_text(&reply, id)).map_err(|failure| failure.map_error(|desc| translated(desc, id)))
}

fn pty_text(reply: &Value, id: &str) -> String {
    match string(reply, "pty") {
        "" => String::new(),
        path => format!("char device redirected to {path} (label {id})\n"),
    }
}

/// Returns an error of QMP in the words of QEMU's own monitor.
fn translated(desc: &str, id: &str) -> Option<String> {
    let between = |start: &str, end: &str| desc.strip_prefix(start)?.strip_suffix(end);
    if let Some(kind) = between("Parameter 'backend.type' does not accept value '", "'")
        .or_else(|| between("Parameter 'type' does not accept value '", "'"))
    {
        return Some(unknown_backend(kind));
    }
    if desc == format!("Chardev with id '{id}' already exists") {
        return Some(format!("attempt to add duplicate property '{id}' to object (type 'container')"));
    }
    desc.strip_prefix(&format!("Failed to add chardev '{id}': ")).map(str::to_owned)
}
