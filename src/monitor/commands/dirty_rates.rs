//! The rate at which the guest dirties memory, and limits on it.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::{Parameter, flag, long_integer};
use super::super::server::Failure;
use super::super::text::{items, plain, string};

const CPU_INDEX: Parameter = long_integer("cpu_index").optional();

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "calc_dirty_rate",
        &[
            flag('r', "dirty_ring"),
            flag('b', "dirty_bitmap"),
            long_integer("second"),
            long_integer("sample_pages_per_GB").optional(),
        ],
        "measure how fast the guest dirties memory",
        calculate_rate,
    ),
    Command::new("cancel_vcpu_dirty_limit", &[CPU_INDEX], "lift the limit of a CPU, or of all", cancel_limit),
    Command::new("info dirty_rate", &[], "the result of the latest measurement", info_dirty_rate),
    Command::new("info vcpu_dirty_limit", &[], "the limits of the CPUs and their rates", info_limits),
    Command::new(
        "set_vcpu_dirty_limit",
        &[long_integer("dirty_rate"), CPU_INDEX],
        "limit how fast a CPU, or each of them, dirties memory, in MB/s",
        set_limit,
    ),
];

const LIMIT_HINT: &str = "[Please use 'info vcpu_dirty_limit' to query dirty limit for virtual CPU]\n";

fn calculate_rate(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let seconds = call.arguments.integer("second");
    if seconds == 0 {
        return Err(Failure::line("Incorrect period length specified!"));
    }
    let mode = match (call.arguments.is_on("dirty_ring"), call.arguments.is_on("dirty_bitmap")) {
        (true, true) => return Err(Failure::line("Either dirty ring or dirty bitmap can be specified!")),
        (true, false) => "dirty-ring",
        (false, true) => "dirty-bitmap",
        (false, false) => "page-sampling",
    };
    let pages = call.arguments.optional_integer("sample_pages_per_GB");
    call.execute("calc-dirty-rate", json!({ "calc-time": seconds, "sample-pages": pages, "mode": mode }))?;
    Ok(format!(
        "Starting dirty rate measurement with period {seconds} seconds\n\
         [Please use 'info dirty_rate' to check results]\n"
    ))
}

fn info_dirty_rate(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-dirty-rate", Value::Null)?;
    let mode = string(&reply, "mode");
    let unit = reply.get("calc-time-unit").and_then(Value::as_str);
    let mut text = format!("Status: {}\nStart Time: {} (ms)\n", string(&reply, "status"), plain(&reply, "start-time"));
    // Servers that do not tell the unit show the pages in every mode.
    if unit.is_none() || mode == "page-sampling" {
        text.push_str(&format!("Sample Pages: {} (per GB)\n", plain(&reply, "sample-pages")));
    }
    let unit = if unit == Some("millisecond") { "ms" } else { "sec" };
    text.push_str(&format!("Period: {} ({unit})\nMode: {mode}\n", plain(&reply, "calc-time")));
    match reply.get("dirty-rate") {
        Some(rate) => text.push_str(&format!("Dirty rate: {rate} (MB/s)\n")),
        None => text.push_str("Dirty rate: (not ready)\n"),
    }
    for cpu in items(&reply["vcpu-dirty-rate"]) {
        text.push_str(&format!("vcpu[{}], Dirty rate: {} (MB/s)\n", plain(cpu, "id"), plain(cpu, "dirty-rate")));
    }
    Ok(text)
}

fn set_limit(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let rate = call.arguments.integer("dirty_rate");
    let is_old = call.is_older_than(8, 0)?;
    if rate < 0 && !is_old {
        return Err(Failure::error(format!("invalid dirty page limit {rate}")));
    }
    call.execute("set-vcpu-dirty-limit", json!({ "dirty-rate": rate as u64, "cpu-index": cpu_index(call) }))?;
    Ok(if is_old { LIMIT_HINT.to_owned() } else { String::new() })
}

fn cancel_limit(call: &mut Invocation<'_>) -> Result<String, Failure> {
    call.execute("cancel-vcpu-dirty-limit", json!({ "cpu-index": cpu_index(call) }))?;
    Ok(LIMIT_HINT.to_owned())
}

/// Returns the CPU in a line; -1 stands for all.
fn cpu_index(call: &Invocation<'_>) -> Option<i64> {
    call.arguments.optional_integer("cpu_index").filter(|index| *index != -1)
}

fn info_limits(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-vcpu-dirty-limit", Value::Null)?;
    if items(&reply).is_empty() {
        return Ok("Dirty page limit not enabled!\n".to_owned());
    }
    let line = |cpu: &Value| {
        let [index, limit, rate] = ["cpu-index", "limit-rate", "current-rate"].map(|key| plain(cpu, key));
        format!("vcpu[{index}], limit rate {limit} (MB/s), current rate {rate} (MB/s)\n")
    };
    Ok(items(&reply).iter().map(line).collect())
}
