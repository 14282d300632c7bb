//! The parameters of migration.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::text;
use super::super::server::Failure;
use super::super::size::{parse_size, parse_size_in};
use super::super::text::{items, on_off, plain, string};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("info migrate_parameters", &[], "the parameters of migration", info_parameters),
    Command::new(
        "migrate_set_parameter",
        &[text("parameter"), text("value")],
        "set a parameter of migration",
        set_parameter,
    ),
];

/// The lines of `info migrate_parameters` in order: the parameter, the unit.
const SHOWN: &[(&str, &str)] = &[
    ("announce-initial", " ms"),
    ("announce-max", " ms"),
    ("announce-rounds", ""),
    ("announce-step", " ms"),
    ("compress-level", ""),
    ("compress-threads", ""),
    ("compress-wait-thread", ""),
    ("decompress-threads", ""),
    ("throttle-trigger-threshold", ""),
    ("cpu-throttle-initial", ""),
    ("cpu-throttle-increment", ""),
    ("cpu-throttle-tailslow", ""),
    ("max-cpu-throttle", ""),
    ("tls-creds", ""),
    ("tls-hostname", ""),
    ("max-bandwidth", " bytes/second"),
    ("avail-switchover-bandwidth", " bytes/second"),
    ("downtime-limit", " ms"),
    ("x-checkpoint-delay", " ms"),
    ("block-incremental", ""),
    ("multifd-channels", ""),
    ("multifd-compression", ""),
    ("zero-page-detection", ""),
    ("xbzrle-cache-size", " bytes"),
    ("max-postcopy-bandwidth", ""),
    ("tls-authz", ""),
    ("block-bitmap-mapping", ""),
    ("x-vcpu-dirty-limit-period", " ms"),
    ("vcpu-dirty-limit", " MB/s"),
    ("mode", ""),
    ("direct-io", ""),
];

fn info_parameters(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-migrate-parameters", Value::Null)?;
    let line = |(name, unit): &(&str, &str)| match reply.get(*name)? {
        Value::Array(nodes) => Some(format!("{name}:\n{}", bitmap_mapping(nodes))),
        Value::Bool(is_on) => Some(format!("{name}: {}\n", on_off(*is_on))),
        Value::String(text) if name.starts_with("tls-") => Some(format!("{name}: '{text}'\n")),
        _ => Some(format!("{name}: {}{unit}\n", plain(&reply, name))),
    };
    Ok(SHOWN.iter().filter_map(line).collect())
}

/// Returns the names under which bitmaps migrate, by node.
fn bitmap_mapping(nodes: &[Value]) -> String {
    let mut text = String::new();
    for node in nodes {
        text.push_str(&format!("  '{}' -> '{}'\n", string(node, "node-name"), string(node, "alias")));
        for bitmap in items(&node["bitmaps"]) {
            text.push_str(&format!("    '{}' -> '{}'\n", string(bitmap, "name"), string(bitmap, "alias")));
        }
    }
    text
}

/// The parameters that are counts: numbers without a suffix. Other numbers are sizes or times, which may have one.
const COUNTS: &[&str] = &[
    "compress-level",
    "compress-threads",
    "cpu-throttle-increment",
    "cpu-throttle-initial",
    "decompress-threads",
    "max-cpu-throttle",
    "multifd-channels",
    "multifd-qatzip-level",
    "multifd-zlib-level",
    "multifd-zstd-level",
    "throttle-trigger-threshold",
    "x-checkpoint-delay",
];

/// The parameters that are in MiB without a suffix.
const BANDWIDTHS: &[&str] = &["max-bandwidth", "avail-switchover-bandwidth"];

/// The form of a parameter's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueForm {
    Text,
    Switch,
    Count,
    Bandwidth,
    Size,
    /// A list, which a line cannot give.
    List,
}

fn set_parameter(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let (name, value) = (call.arguments.text("parameter").to_owned(), call.arguments.text("value").to_owned());
    let value = match value_form(call, &name)? {
        ValueForm::Text => json!(value),
        ValueForm::Switch => json!(switch_value(&name, &value)?),
        ValueForm::Count => json!(count_value(&name, &value)?),
        ValueForm::Bandwidth => {
            let size = parse_size(&value).filter(|(_, rest)| rest.is_empty());
            json!(size.ok_or_else(|| Failure::error(format!("Invalid size {value}")))?.0)
        }
        ValueForm::Size => json!(size_value(call, &name, &value)?),
        ValueForm::List => {
            return Err(Failure::error(format!("The {name} parameter can only be set through QMP")));
        }
    };
    call.execute("migrate-set-parameters", json!({ name: value }))
}

/// Returns the form of a parameter's value, from the parameter's present value, or from its name if it has none.
fn value_form(call: &mut Invocation<'_>, name: &str) -> Result<ValueForm, Failure> {
    let parameters = call.query("query-migrate-parameters", Value::Null)?;
    if call.server.schema().is_some() && !call.takes_argument("migrate-set-parameters", name) {
        return Err(Failure::error(format!("invalid parameter value: {name}")));
    }
    Ok(match parameters.get(name) {
        _ if name == "block-bitmap-mapping" => ValueForm::List,
        Some(Value::Bool(_)) => ValueForm::Switch,
        Some(Value::Array(_)) => ValueForm::List,
        Some(Value::Number(_)) if COUNTS.contains(&name) => ValueForm::Count,
        Some(Value::Number(_)) if BANDWIDTHS.contains(&name) => ValueForm::Bandwidth,
        Some(Value::Number(_)) => ValueForm::Size,
        _ => ValueForm::Text,
    })
}

fn switch_value(name: &str, value: &str) -> Result<bool, Failure> {
    match value {
        "on" | "yes" | "true" | "y" => Ok(true),
        "off" | "no" | "false" | "n" => Ok(false),
        _ => Err(Failure::error(format!("Parameter '{name}' expects 'on' or 'off'"))),
    }
}

/// Parses a number in C's notation. A negative one wraps around, and the server rejects it.
fn count_value(name: &str, value: &str) -> Result<u64, Failure> {
    let trimmed = value.trim_start();
    let (is_negative, digits) = match trimmed.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let parsed = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => u64::from_str_radix(digits, 8),
        None => digits.parse(),
    };
    match parsed {
        Ok(number) if is_negative => Ok(number.wrapping_neg()),
        Ok(number) => Ok(number),
        Err(_) => Err(Failure::error(format!("Parameter '{name}' expects uint64"))),
    }
}

/// Parses a size that is in bytes without a suffix.
fn size_value(call: &mut Invocation<'_>, name: &str, value: &str) -> Result<i64, Failure> {
    if let Some((size, "")) = parse_size_in(0, value) {
        return Ok(size);
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_out_of_range = match value.strip_prefix('-') {
        Some(digits) => is_number(digits) && !call.is_older_than(8, 0)?,
        None => is_number(value.strip_suffix(|c| "BKMGTPEbkmgtpe".contains(c)).unwrap_or(value)),
    };
    Err(Failure::error(match is_out_of_range {
        true => format!("Value '{value}' is out of range for parameter '{name}'"),
        false => format!(
            "Parameter '{name}' expects a non-negative number below 2^64\n\
             Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n\
             and exabytes, respectively."
        ),
    }))
}
