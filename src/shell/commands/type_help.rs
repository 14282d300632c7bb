//! Help on types of devices and objects: their properties, as the server lists them.

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::monitor::{QmpServer, string};
use crate::render::fill;
use crate::schema::manual::{Line, Role, Run};
use crate::wire::Request;

use super::Invocation;

/// The commands that list properties, and the kind of type that each knows.
const QUERIES: [(&str, &str); 2] = [("device-list-properties", "device"), ("qom-list-properties", "object type")];

/// The maximum widths of the columns with names and types; longer ones move what follows.
const MAX_NAME_COLUMNS: usize = 28;
const MAX_TYPE_COLUMNS: usize = 12;

/// The minimum width of descriptions.
const MIN_DESCRIPTION_COLUMNS: usize = 20;

/// One property of a type.
struct Property {
    name: String,
    kind: String,
    /// The description and the default value; may be empty.
    text: String,
}

/// Returns the page on a type of devices or objects. `None` if the server has no such type, or cannot be asked.
pub(super) fn type_page(invocation: &mut Invocation<'_>, name: &str, columns: usize) -> Option<Vec<Line>> {
    let Invocation { engine, line, out, .. } = invocation;
    let can_ask = !engine.options.dry_run && !engine.connection.is_guest_agent() && engine.queryable_server().is_some();
    if !can_ask {
        return None;
    }
    let query = |server: &mut dyn QmpServer| {
        QUERIES.iter().find_map(|(command, kind)| {
            let arguments = json!({ "typename": name }).to_string();
            let request = Request::new(*command).with_public_arguments(arguments);
            let is_known = server.has_command(command);
            let reply = is_known.then(|| server.query(&request).ok()).flatten()?;
            Some((*kind, reply.as_array()?.iter().filter(|item| item.is_object()).map(Property::of).collect()))
        })
    };
    let (kind, mut properties): (_, Vec<Property>) = engine.with_qmp_server(line, &mut **out, query).ok().flatten()?;
    properties.sort_by(|a, b| a.name.cmp(&b.name));
    Some(layout(name, kind, &properties, columns))
}

impl Property {
    fn of(value: &Value) -> Property {
        let default = value.get("default-value").map(|value| match value {
            Value::Bool(true) => "on".to_owned(),
            Value::Bool(false) => "off".to_owned(),
            Value::String(text) => text.clone(),
            value => value.to_string(),
        });
        let mut text = string(value, "description").to_owned();
        if let Some(default) = default {
            let gap = if text.is_empty() { "" } else { " " };
            text.push_str(&format!("{gap}(default: {default})"));
        }
        Property { name: string(value, "name").to_owned(), kind: string(value, "type").to_owned(), text }
    }
}

fn layout(name: &str, kind: &str, properties: &[Property], columns: usize) -> Vec<Line> {
    let widest = |width: fn(&Property) -> usize, max: usize| properties.iter().map(width).max().unwrap_or(0).min(max);
    let name_columns = widest(|property| property.name.width(), MAX_NAME_COLUMNS);
    let type_columns = widest(|property| property.kind.width(), MAX_TYPE_COLUMNS);
    let indent = 2 + name_columns + 2 + type_columns + 2;
    let title = match properties.is_empty() {
        true => format!("  {kind} without properties"),
        false => format!("  {kind}, with these properties"),
    };
    let mut lines = vec![vec![Run::new(Role::Heading, name), Run::new(Role::Secondary, title)]];
    for property in properties {
        let text = fill(&property.text, columns.saturating_sub(indent).max(MIN_DESCRIPTION_COLUMNS));
        let mut rows = text.lines();
        let first = rows.next().unwrap_or_default();
        let mut kind = format!("  {}", property.kind);
        if !first.is_empty() {
            kind.push_str(&" ".repeat((type_columns + 4).saturating_sub(kind.width()).max(2)));
        }
        lines.push(vec![
            Run::new(Role::Name, format!("  {:<name_columns$}", property.name)),
            Run::new(Role::Type, kind),
            Run::new(Role::Plain, first),
        ]);
        lines.extend(rows.map(|row| vec![Run::new(Role::Plain, format!("{}{row}", " ".repeat(indent)))]));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{Palette, manual_text};

    #[test]
    fn properties_are_aligned_and_wrapped() {
        let values = [
            json!({"name": "drive", "type": "str", "description": "Node name or ID of a block device to use as a backend"}),
            json!({"name": "share-rw", "type": "bool", "default-value": false}),
            json!({"name": "bus", "type": "link<bus>"}),
        ];
        let properties: Vec<Property> = values.iter().map(Property::of).collect();
        let text = manual_text(&layout("disk", "device", &properties, 50), &Palette::new(false));
        let expected = "\
disk  device, with these properties
  drive     str        Node name or ID of a block
                       device to use as a backend
  share-rw  bool       (default: off)
  bus       link<bus>
";
        assert_eq!(text, expected);
        let text = manual_text(&layout("none", "object type", &[], 50), &Palette::new(false));
        assert_eq!(text, "none  object type without properties\n");
    }
}
