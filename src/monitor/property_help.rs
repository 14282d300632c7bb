//! The properties of devices and objects, as their help lists them.

use serde_json::Value;

use super::command::Invocation;
use super::server::Failure;
use super::text::{items, string};

/// The column at which descriptions begin.
const DESCRIPTION_COLUMN: usize = 24;

/// The first major version of QEMU that shows default values as options are written, `on`; before it they are JSON.
const PLAIN_DEFAULTS_SINCE: u64 = 10;

/// Returns the help on the options of `name`, whose properties are the members of `properties`.
pub(super) fn property_help(call: &mut Invocation<'_>, name: &str, properties: &Value) -> Result<String, Failure> {
    let has_defaults = items(properties).iter().any(|property| property.get("default-value").is_some());
    let has_plain_defaults = has_defaults && !call.is_older_than(PLAIN_DEFAULTS_SINCE, 0)?;
    let mut lines: Vec<String> =
        items(properties).iter().map(|property| property_line(property, has_plain_defaults)).collect();
    if lines.is_empty() {
        return Ok(format!("There are no options for {name}.\n"));
    }
    lines.sort_unstable();
    Ok(format!("{name} options:\n{}", lines.concat()))
}

fn property_line(property: &Value, has_plain_defaults: bool) -> String {
    let option = format!("  {}=<{}>", string(property, "name"), string(property, "type"));
    let description = property.get("description").and_then(Value::as_str);
    let default = property.get("default-value").map(|value| match value {
        Value::Bool(on) if has_plain_defaults => if *on { "on" } else { "off" }.to_owned(),
        Value::String(text) if has_plain_defaults => text.clone(),
        value => value.to_string(),
    });
    if description.is_none() && default.is_none() {
        return option + "\n";
    }
    let default = default.map(|default| format!(" (default: {default})")).unwrap_or_default();
    format!("{option:<DESCRIPTION_COLUMN$} - {}{default}\n", description.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_have_a_description_and_a_default() {
        for (property, expected) in [
            (json!({"name": "rng", "type": "link<rng-backend>"}), "  rng=<link<rng-backend>>\n"),
            (
                json!({"name": "aer", "type": "bool", "description": "on/off", "default-value": false}),
                "  aer=<bool>             - on/off (default: off)\n",
            ),
            (
                json!({"name": "period", "type": "uint32", "default-value": 65536}),
                "  period=<uint32>        -  (default: 65536)\n",
            ),
            (
                json!({"name": "disable-legacy", "type": "OnOffAuto", "description": "x", "default-value": "auto"}),
                "  disable-legacy=<OnOffAuto> - x (default: auto)\n",
            ),
        ] {
            assert_eq!(property_line(&property, true), expected);
        }
        let quoted = json!({"name": "a", "type": "b", "default-value": "auto"});
        assert_eq!(property_line(&quoted, false), "  a=<b>                  -  (default: \"auto\")\n");
    }
}
