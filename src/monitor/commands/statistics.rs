//! Statistics of the machine, of a CPU and of back ends.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::text;
use super::super::server::Failure;
use super::super::text::{by_member, integer, items, plain, string, unsigned};

pub(super) const COMMANDS: &[Command] = &[Command::new(
    "info stats",
    &[text("target"), text("names").optional(), text("provider").optional()],
    "statistics of a target (vm, vcpu, cryptodev), all or those named",
    info_stats,
)];

fn info_stats(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let target = call.arguments.text("target").to_owned();
    let provider = call.arguments.optional_text("provider").map(str::to_owned);
    for (kind, path, value) in
        [("target", &["target"][..], Some(&target)), ("provider", &["providers", "provider"], provider.as_ref())]
    {
        if let Some(value) = value.filter(|value| !call.accepts_value("query-stats", path, value)) {
            return Err(Failure::line(format!("invalid stats {kind} {value}")));
        }
    }
    let providers = call.query("query-stats-schemas", json!({ "provider": provider }))?;
    let providers: Vec<&Value> = items(&providers).iter().filter(|one| string(one, "target") == target).collect();
    let mut arguments = json!({ "target": target, "providers": provider_filters(call, &providers) });
    if arguments["providers"] == json!([]) {
        return Ok(String::new());
    }
    if target == "vcpu" {
        arguments["vcpus"] = json!([current_cpu_path(call)?]);
    }
    let results = call.query("query-stats", arguments)?;
    let mut descriptions: HashMap<&str, HashMap<&str, &Value>> = HashMap::new();
    for one in providers.iter().rev() {
        descriptions.insert(string(one, "provider"), by_member(&one["stats"], "name"));
    }
    let unknown = HashMap::new();
    let mut text = String::new();
    for result in items(&results) {
        if provider.is_none() {
            text.push_str(&format!("provider: {}\n", string(result, "provider")));
        }
        let descriptions = descriptions.get(string(result, "provider")).unwrap_or(&unknown);
        text.extend(items(&result["stats"]).iter().map(|value| statistic(value, descriptions)));
    }
    Ok(text)
}

/// Returns the filters for the names and the provider in a line; null if it has neither. Names are those of a provider, so
/// each provider has its own filter.
fn provider_filters(call: &Invocation<'_>, providers: &[&Value]) -> Value {
    let names = call.arguments.optional_text("names").filter(|names| *names != "*");
    if names.is_none() && call.arguments.optional_text("provider").is_none() {
        return Value::Null;
    }
    let filter = |provider: &&Value| match names {
        Some(names) => json!({ "provider": provider["provider"], "names": names.split(',').collect::<Vec<_>>() }),
        None => json!({ "provider": provider["provider"] }),
    };
    providers.iter().map(filter).collect()
}

/// Returns the QOM path of the CPU that lines refer to.
fn current_cpu_path(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let current = call.state.cpu_index();
    let cpus = call.query("query-cpus-fast", Value::Null)?;
    let cpu = items(&cpus).iter().find(|cpu| unsigned(cpu, "cpu-index") == current);
    Ok(cpu.map(|cpu| string(cpu, "qom-path").to_owned()).unwrap_or_default())
}

/// Returns the line of a statistic, with its unit from the descriptions of its provider.
fn statistic(statistic: &Value, descriptions: &HashMap<&str, &Value>) -> String {
    let name = string(statistic, "name");
    let description = descriptions.get(name).copied().unwrap_or(&Value::Null);
    let (kind, value) = (string(description, "type"), &statistic["value"]);
    let mut text = format!("    {name} ({kind}{}", unit(description));
    if kind == "linear-histogram" {
        text.push_str(&format!(", bucket size={}", plain(description, "bucket-size")));
    }
    text.push_str("): ");
    match value {
        Value::Array(buckets) => {
            let size = unsigned(description, "bucket-size");
            for (index, count) in buckets.iter().enumerate() {
                let first = (index as u64).saturating_mul(size);
                match kind {
                    "linear-histogram" => text.push_str(&format!("[{first}-{}]={count} ", first.saturating_add(size))),
                    _ => text.push_str(&format!("[{}]={count} ", index + 1)),
                }
            }
        }
        Value::Bool(is_true) => text.push_str(if *is_true { "yes" } else { "no" }),
        Value::String(value) => text.push_str(value),
        value => text.push_str(&value.to_string()),
    }
    text + "\n"
}

/// The prefixes of a unit for the powers of 1000 from -6 to 6, and for those of 1024 from 1 on.
const DECIMAL_PREFIXES: &[&str] = &["a", "f", "p", "n", "u", "m", "", "K", "M", "G", "T", "P", "E"];
const BINARY_PREFIXES: &[&str] = &["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// Returns the unit of a statistic after a comma, as in `, ns`.
fn unit(description: &Value) -> String {
    let unit = match string(description, "unit") {
        "bytes" => "B",
        "seconds" => "s",
        other => other,
    };
    let exponent = integer(description, "exponent");
    let prefix = match integer(description, "base") {
        _ if exponent == 0 => Some(""),
        10 if exponent % 3 == 0 => {
            usize::try_from(exponent / 3 + 6).ok().and_then(|at| DECIMAL_PREFIXES.get(at)).copied()
        }
        2 if exponent % 10 == 0 => usize::try_from(exponent / 10).ok().and_then(|at| BINARY_PREFIXES.get(at)).copied(),
        _ => None,
    };
    match prefix {
        Some(prefix) if unit.is_empty() && prefix.is_empty() => String::new(),
        Some(prefix) => format!(", {prefix}{unit}"),
        None => format!(", * {}^{exponent} {unit}", integer(description, "base")).trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statistic_has_a_unit_and_a_value_of_any_kind() {
        let descriptions = json!([
            {"name": "exits", "type": "cumulative", "exponent": 0},
            {"name": "blocking", "type": "instant", "unit": "boolean", "exponent": 0},
            {"name": "wait", "type": "log2-histogram", "unit": "seconds", "base": 10, "exponent": -9},
            {"name": "size", "type": "linear-histogram", "unit": "bytes", "base": 2, "exponent": 10, "bucket-size": 4},
            {"name": "odd", "type": "peak", "unit": "cycles", "base": 10, "exponent": 2},
        ]);
        for (value, line) in [
            (json!({"name": "exits", "value": 5}), "    exits (cumulative): 5\n"),
            (json!({"name": "blocking", "value": false}), "    blocking (instant, boolean): no\n"),
            (json!({"name": "wait", "value": [1, 0]}), "    wait (log2-histogram, ns): [1]=1 [2]=0 \n"),
            (
                json!({"name": "size", "value": [1, 2]}),
                "    size (linear-histogram, KiB, bucket size=4): [0-4]=1 [4-8]=2 \n",
            ),
            (json!({"name": "odd", "value": 7}), "    odd (peak, * 10^2 cycles): 7\n"),
            (json!({"name": "unknown"}), "    unknown (): null\n"),
        ] {
            assert_eq!(statistic(&value, &by_member(&descriptions, "name")), line);
        }
    }
}
