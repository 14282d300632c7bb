//! The object tree: `qom-list`, `qom-get`, `qom-set`, `info qom-tree`.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::object_tree::{MACHINE, MAX_LEVELS, TreeObject, walk};
use super::super::option_types::{Dialect, Scalar, parse_json};
use super::super::parameter::{flag, rest_of_line, text};
use super::super::server::Failure;
use super::super::text::{indented_json, items, string};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("info qom-tree", &[text("path").optional()], "an object and all objects below it", info_qom_tree),
    Command::new("qom-get", &[text("path"), text("property")], "the value of a property", qom_get),
    Command::new("qom-list", &[text("path").optional()], "the properties of an object", qom_list),
    Command::new(
        "qom-set",
        &[flag('j', "json"), text("path"), text("property"), rest_of_line("value")],
        "set a property; with -j the value is JSON",
        qom_set,
    ),
];

fn qom_list(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let Some(path) = call.arguments.optional_text("path").map(str::to_owned) else { return Ok("/\n".to_owned()) };
    let reply = call.query("qom-list", json!({ "path": path }))?;
    let line = |entry: &Value| format!("{} ({})\n", string(entry, "name"), string(entry, "type"));
    Ok(items(&reply).iter().map(line).collect())
}

fn qom_get(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let [path, property] = ["path", "property"].map(|name| call.arguments.text(name).to_owned());
    let value = call.query("qom-get", json!({ "path": path, "property": property }))?;
    Ok(indented_json(&value) + "\n")
}

fn qom_set(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let [path, property, text] = ["path", "property", "value"].map(|name| call.arguments.text(name).to_owned());
    if call.arguments.is_on("json") {
        let value = parse_json(&text)?;
        return call.execute("qom-set", json!({ "path": path, "property": property, "value": value }));
    }
    let properties = match call.query("qom-list", json!({ "path": path })) {
        Err(Failure::Error(_)) => Value::Null,
        reply => reply?,
    };
    let form = items(&properties).iter().find(|entry| string(entry, "name") == property).map(Scalar::of_property);
    let form = form.unwrap_or(Scalar::Text);
    let value = form.value(&text);
    let set = call.execute("qom-set", json!({ "path": path, "property": property, "value": value }));
    set.map_err(|failure| Dialect::VALUE.translate(failure, |_| form))
}

fn info_qom_tree(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let path = call.arguments.optional_text("path").map(str::to_owned);
    // A storage daemon has no machine, and shows all objects.
    let candidates = path.as_deref().map_or(vec![MACHINE, "/"], |path| vec![path]);
    for path in &candidates {
        let kind = match call.query("qom-get", json!({ "path": path, "property": "type" })) {
            Err(Failure::Error(_)) => continue,
            reply => reply?,
        };
        let objects = walk(call.server, path, kind.as_str().unwrap_or_default(), MAX_LEVELS)?;
        let mut text = String::new();
        push_tree(&objects, 0, 0, &mut text);
        return Ok(text);
    }
    Err(Failure::line(format!("Path '{}' could not be resolved.", candidates[0])))
}

fn push_tree(objects: &[TreeObject], index: usize, depth: usize, text: &mut String) {
    let Some(object) = objects.get(index) else { return };
    *text += &format!("{:indent$}/{} ({})\n", "", object.name, object.kind, indent = 2 * depth);
    object.children.iter().for_each(|child| push_tree(objects, *child, depth + 1, text));
}
