//! Objects that users create: memory back ends, I/O threads, secrets, ….

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::option_types::{Dialect, Scalar, parse_json, typed_object};
use super::super::options::{IDENTIFIER_RULE, NestedOptions};
use super::super::parameter::{rest_of_line, text};
use super::super::property_help::property_help;
use super::super::server::Failure;
use super::super::text::{items, string};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "object_add",
        &[rest_of_line("object")],
        "create an object; `TYPE,help` lists its options",
        object_add,
    ),
    Command::new("object_del", &[text("id")], "delete an object", |call| {
        let id = call.arguments.text("id").to_owned();
        call.execute("object-del", json!({ "id": id }))
    }),
];

/// The key of the type, which may be left out.
const TYPE_KEY: &str = "qom-type";

/// The command of QMP that creates an object.
const OBJECT_ADD: &str = "object-add";

fn object_add(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let line = call.arguments.text("object").to_owned();
    if line.starts_with('{') {
        let members = parse_json(&line)?;
        return create(call, members);
    }
    let NestedOptions { mut members, asks_for_help } = NestedOptions::parse(&line, TYPE_KEY).map_err(Failure::error)?;
    let kind = members.get(TYPE_KEY).and_then(Value::as_str).map(str::to_owned);
    if asks_for_help || kind.as_deref() == Some("help") {
        return object_help(call, kind.as_deref());
    }
    let texts = members.clone();
    if let Some(schema) = call.server.schema()
        && let Some(command) = schema.command(OBJECT_ADD)
    {
        members = typed_object(&schema, command.arguments, &members, Scalar::Integer);
    }
    for (key, value) in texts.iter().filter(|(key, _)| is_size(key)) {
        let size = value.as_str().map_or_else(|| value.clone(), |text| Scalar::Size.value(text));
        members.insert(key.clone(), size);
    }
    let form = |key: &str| if is_size(key) { Scalar::Size } else { Scalar::Integer };
    create(call, Value::Object(members)).map_err(|failure| Dialect::OPTIONS.translate(failure, form))
}

/// Returns whether an option of an object is a size, such as `1.5G`. Neither the schema nor QOM tells sizes from
/// integers.
fn is_size(key: &str) -> bool {
    matches!(key, "align" | "hugetlbsize" | "size")
}

fn create(call: &mut Invocation<'_>, members: Value) -> Result<String, Failure> {
    let explain_identifier = |desc: &str| {
        let is_about_id = desc.ends_with("' expects an identifier");
        is_about_id.then(|| format!("{desc}\n{IDENTIFIER_RULE}"))
    };
    call.execute(OBJECT_ADD, members).map_err(|failure| failure.map_error(explain_identifier))
}

/// Properties that exist for QEMU's own use, and that its help leaves out.
const INTERNAL_PROPERTIES: &[&str] = &["loaded", "opened", "type"];

/// Returns the options of a type of object, or all types if that type does not exist.
fn object_help(call: &mut Invocation<'_>, kind: Option<&str>) -> Result<String, Failure> {
    let properties = call.query("qom-list-properties", json!({ "typename": kind.unwrap_or("help") }));
    match (kind, properties) {
        (Some(kind), Ok(properties)) => {
            let is_option = |property: &&Value| !INTERNAL_PROPERTIES.contains(&string(property, "name"));
            return property_help(call, kind, &items(&properties).iter().filter(is_option).cloned().collect());
        }
        (_, Ok(_) | Err(Failure::Error(_))) => {}
        (_, Err(failure)) => return Err(failure),
    }
    let reply = call.query("qom-list-types", json!({ "implements": "user-creatable", "abstract": false }))?;
    let mut types: Vec<&str> = items(&reply).iter().map(|entry| string(entry, "name")).collect();
    types.sort_unstable();
    let types: String = types.iter().map(|name| format!("  {name}\n")).collect();
    Ok(format!("List of user creatable objects:\n{types}"))
}
