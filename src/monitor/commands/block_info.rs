//! Block devices and nodes: `info block`, `info blockstats`.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::{block_device, flag};
use super::super::server::Failure;
use super::super::text::{integer, is_true, items, string};
use super::image_info::{TableLayout, has_snapshots, image_chain};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "info block",
        &[flag('n', "nodes"), flag('v', "verbose"), block_device("device").optional()],
        "block devices, or block nodes with -n; with -v their images too",
        info_block,
    ),
    Command::new("info blockstats", &[], "counters of block devices", info_blockstats),
];

fn info_block(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let name = call.arguments.optional_text("device").map(str::to_owned);
    if !call.arguments.is_on("nodes") {
        let reply = call.query("query-block", json!({}))?;
        let devices = items(&reply);
        let text = describe_all(call, devices, &name, |device| string(device, "device"))?;
        let has_nodes_only = devices.is_empty() && name.is_none() && call.is_storage_daemon();
        if !has_nodes_only && (name.is_none() || !text.is_empty()) {
            return Ok(text);
        }
    }
    let nodes = call.query("query-named-block-nodes", json!({}))?;
    // A node is the medium of a device without a name.
    let entries: Vec<Value> = items(&nodes).iter().map(|node| json!({ "inserted": node })).collect();
    describe_all(call, &entries, &name, |entry| string(&entry["inserted"], "node-name"))
}

/// Describes the entries with the name, or all. A blank line comes before each but the first of the list.
fn describe_all(
    call: &mut Invocation<'_>,
    entries: &[Value],
    name: &Option<String>,
    name_of: fn(&Value) -> &str,
) -> Result<String, Failure> {
    let is_wanted = |entry: &Value| name.as_ref().is_none_or(|name| name_of(entry) == name);
    let wanted = || entries.iter().enumerate().filter(|(_, entry)| is_wanted(entry));
    let images = call.arguments.is_on("verbose").then(|| match wanted().any(|(_, entry)| shows_snapshots(entry)) {
        true => TableLayout::of_server(call),
        false => Ok(TableLayout::Current),
    });
    let images = images.transpose()?;
    let separator = |index: usize| if index > 0 { "\n" } else { "" };
    Ok(wanted().map(|(index, entry)| separator(index).to_owned() + &describe(entry, images)).collect())
}

fn shows_snapshots(entry: &Value) -> bool {
    has_snapshots(&entry["inserted"]["image"])
}

/// Describes a device and its medium, with its images if a layout for them is given.
fn describe(device: &Value, images: Option<TableLayout>) -> String {
    let mut text = heading(device);
    let mut line = |label: &str, value: &str| text += &format!("    {label:<18}{value}\n");
    if let Some(qdev) = device["qdev"].as_str() {
        line("Attached to:", qdev);
    }
    match string(device, "io-status") {
        "" | "ok" => {}
        status => line("I/O status:", status),
    }
    if is_true(device, "removable") {
        let lock = if is_true(device, "locked") { "locked" } else { "not locked" };
        let tray = if is_true(device, "tray_open") { "open" } else { "closed" };
        line("Removable device:", &format!("{lock}, tray {tray}"));
    }
    let Some(medium) = device.get("inserted") else { return text };
    line("Cache mode:", &cache_mode(&medium["cache"]));
    if let Some(backing) = medium["backing_file"].as_str() {
        let depth = integer(medium, "backing_file_depth");
        line("Backing file:", &format!("{backing} (chain depth: {depth})"));
    }
    match string(medium, "detect_zeroes") {
        "" | "off" => {}
        mode => line("Detect zeroes:", mode),
    }
    if let Some(limits) = throttling(medium) {
        line("I/O throttling:", &limits);
    }
    if let Some(layout) = images {
        text += "\nImages:\n";
        text += &image_chain(&medium["image"], layout);
    }
    text
}

/// Returns the first line: the names of the device, and the file in it.
fn heading(device: &Value) -> String {
    let medium = device.get("inserted");
    let node = medium.and_then(|medium| medium["node-name"].as_str());
    let name = match (string(device, "device"), node) {
        ("", node) => node.or(device["qdev"].as_str()).unwrap_or("<anonymous>").to_owned(),
        (name, Some(node)) => format!("{name} ({node})"),
        (name, None) => name.to_owned(),
    };
    let Some(medium) = medium else { return format!("{name}: [not inserted]\n") };
    let remarks = [
        (is_true(medium, "ro"), ", read-only"),
        (is_true(medium, "encrypted"), ", encrypted"),
        (medium["active"] == false, ", inactive"),
    ];
    let remarks: String = remarks.into_iter().filter(|(holds, _)| *holds).map(|(_, remark)| remark).collect();
    format!("{name}: {} ({}{remarks})\n", string(medium, "file"), string(medium, "drv"))
}

fn cache_mode(cache: &Value) -> String {
    let mode = if is_true(cache, "writeback") { "writeback" } else { "writethrough" };
    let direct = if is_true(cache, "direct") { ", direct" } else { "" };
    let flushes = if is_true(cache, "no-flush") { ", ignore flushes" } else { "" };
    format!("{mode}{direct}{flushes}")
}

/// Returns the limits of a device, unless it is unlimited.
fn throttling(medium: &Value) -> Option<String> {
    const KEYS: [&str; 13] = [
        "bps",
        "bps_rd",
        "bps_wr",
        "bps_max",
        "bps_rd_max",
        "bps_wr_max", //
        "iops",
        "iops_rd",
        "iops_wr",
        "iops_max",
        "iops_rd_max",
        "iops_wr_max",
        "iops_size",
    ];
    const LIMITS: [&str; 6] = ["bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"];
    LIMITS.iter().any(|key| integer(medium, key) != 0).then(|| {
        let limits = KEYS.iter().map(|key| format!("{key}={} ", integer(medium, key)));
        limits.collect::<String>() + "group=" + string(medium, "group")
    })
}

fn info_blockstats(call: &mut Invocation<'_>) -> Result<String, Failure> {
    const KEYS: [&str; 11] = [
        "rd_bytes",
        "wr_bytes",
        "rd_operations",
        "wr_operations",
        "flush_operations", //
        "wr_total_time_ns",
        "rd_total_time_ns",
        "flush_total_time_ns",
        "rd_merged",
        "wr_merged",
        "idle_time_ns",
    ];
    let mut reply = call.query("query-blockstats", json!({}))?;
    let mut name_key = "device";
    if items(&reply).is_empty() && call.is_storage_daemon() {
        reply = call.query("query-blockstats", json!({ "query-nodes": true }))?;
        name_key = "node-name";
    }
    let describe = |entry: &Value| {
        let name = entry[name_key].as_str()?;
        let counters = KEYS.iter().map(|key| format!(" {key}={}", integer(&entry["stats"], key)));
        Some(format!("{name}:{}\n", counters.collect::<String>()))
    };
    Ok(items(&reply).iter().filter_map(describe).collect())
}

#[cfg(test)]
mod tests {
    use super::super::super::scripted_server::ScriptedServer;
    use super::*;

    #[test]
    fn replies_of_unexpected_types_do_no_harm() {
        let replies =
            [json!(null), json!({}), json!([{}]), json!([3, {"inserted": 3}, {"inserted": {"image": []}}]), json!("x")];
        for reply in replies {
            let server = || ScriptedServer::default().reply("query-block", reply.clone());
            server().run("info block");
            server().run("info block -v");
            server().reply("query-named-block-nodes", reply.clone()).run("info block -v name");
            ScriptedServer::default().reply("query-blockstats", reply.clone()).run("info blockstats");
            ScriptedServer::default().reply("query-block-jobs", reply.clone()).run("info block-jobs");
        }
    }
}
