//! The state of the migration.

use serde_json::Value;

use super::super::command::{Command, Invocation};
use super::super::server::Failure;
use super::super::text::{items, number_ranges, plain, string, unsigned};

pub(super) const COMMANDS: &[Command] =
    &[Command::new("info migrate", &[], "the state of the migration", info_migrate)
        .partial("QMP does not tell the global settings, which `info migrate` begins with before QEMU 10.1.")];

/// The form of a value, and when its line is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    /// Bytes, shown in units of 1024.
    Kilobytes,
    /// A fraction, with two digits.
    Fraction,
}

use Form::{Fraction, Kilobytes, Plain};

/// A line: its label, the key of its value, the form, the unit.
type Row = (&'static str, &'static str, Form, &'static str);

const TIMES: &[Row] = &[
    ("expected downtime", "expected-downtime", Plain, " ms"),
    ("downtime", "downtime", Plain, " ms"),
    ("setup", "setup-time", Plain, " ms"),
];

const MEMORY: &[Row] = &[
    ("transferred ram", "transferred", Kilobytes, ""),
    ("throughput", "mbps", Fraction, " mbps"),
    ("remaining ram", "remaining", Kilobytes, ""),
    ("total ram", "total", Kilobytes, ""),
    ("duplicate", "duplicate", Plain, " pages"),
    ("skipped", "skipped", Plain, " pages"),
    ("normal", "normal", Plain, " pages"),
    ("normal bytes", "normal-bytes", Kilobytes, ""),
    ("dirty sync count", "dirty-sync-count", Plain, ""),
    ("page size", "page-size", Kilobytes, ""),
    ("multifd bytes", "multifd-bytes", Kilobytes, ""),
    ("pages-per-second", "pages-per-second", Plain, ""),
];

/// Lines about memory that are left out if the value is 0.
const MEMORY_IF_ANY: &[Row] = &[
    ("dirty pages rate", "dirty-pages-rate", Plain, " pages"),
    ("postcopy request count", "postcopy-requests", Plain, ""),
    ("precopy ram", "precopy-bytes", Kilobytes, ""),
    ("downtime ram", "downtime-bytes", Kilobytes, ""),
    ("postcopy ram", "postcopy-bytes", Kilobytes, ""),
    ("Zero-copy-send fallbacks happened", "dirty-sync-missed-zero-copy", Plain, " times"),
];

const DISK: &[Row] = &[
    ("transferred disk", "transferred", Kilobytes, ""),
    ("remaining disk", "remaining", Kilobytes, ""),
    ("total disk", "total", Kilobytes, ""),
];

const DELTA_CACHE: &[Row] = &[
    ("cache size", "cache-size", Plain, " bytes"),
    ("xbzrle transferred", "bytes", Kilobytes, ""),
    ("xbzrle pages", "pages", Plain, " pages"),
    ("xbzrle cache miss", "cache-miss", Plain, " pages"),
    ("xbzrle cache miss rate", "cache-miss-rate", Fraction, ""),
    ("xbzrle encoding rate", "encoding-rate", Fraction, ""),
    ("xbzrle overflow", "overflow", Plain, ""),
];

const COMPRESSION: &[Row] = &[
    ("compression pages", "pages", Plain, " pages"),
    ("compression busy", "busy", Plain, ""),
    ("compression busy rate", "busy-rate", Fraction, ""),
    ("compressed size", "compressed-size", Kilobytes, ""),
    ("compression rate", "compression-rate", Fraction, ""),
];

const THROTTLING: &[Row] = &[
    ("cpu throttle percentage", "cpu-throttle-percentage", Plain, ""),
    ("dirty-limit throttle time", "dirty-limit-throttle-time-per-round", Plain, " us"),
    ("dirty-limit ring full time", "dirty-limit-ring-full-time", Plain, " us"),
    ("postcopy blocktime", "postcopy-blocktime", Plain, ""),
];

const VFIO: &[Row] = &[("vfio device transferred", "transferred", Kilobytes, "")];

fn info_migrate(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-migrate", Value::Null)?;
    if call.is_older_than(10, 1)? {
        call.show_missing_part();
    }
    let mut text = String::new();
    let reasons = items(&reply["blocked-reasons"]);
    if !reasons.is_empty() {
        text.push_str("Outgoing migration blocked:\n");
        text.extend(reasons.iter().filter_map(Value::as_str).map(|reason| format!("  {reason}\n")));
    }
    if reply.get("status").is_some() {
        text.push_str(&status(&reply));
    }
    text.push_str(&rows(&reply, TIMES));
    text.push_str(&rows(&reply["ram"], MEMORY));
    let has_any = |row: &&Row| unsigned(&reply["ram"], row.1) > 0;
    text.push_str(&rows(&reply["ram"], MEMORY_IF_ANY.iter().filter(has_any)));
    text.push_str(&rows(&reply["disk"], DISK));
    text.push_str(&rows(&reply["xbzrle-cache"], DELTA_CACHE));
    text.push_str(&rows(&reply["compression"], COMPRESSION));
    text.push_str(&rows(&reply, THROTTLING));
    if let Some(times) = reply.get("postcopy-vcpu-blocktime") {
        text.push_str(&format!("postcopy vcpu blocktime: {}\n", number_ranges(times)));
    }
    if let Some(addresses) = reply.get("socket-address") {
        let addresses = items(addresses).iter().map(|address| format!("\t{}\n", socket_address(address)));
        text.push_str(&format!("socket address: [\n{}]\n", addresses.collect::<String>()));
    }
    text.push_str(&rows(&reply["vfio"], VFIO));
    Ok(text)
}

fn status(reply: &Value) -> String {
    let status = string(reply, "status");
    let reason = match reply.get("error-desc").and_then(Value::as_str) {
        Some(reason) if status == "failed" => format!(" ({reason})"),
        _ => String::new(),
    };
    format!("Migration status: {status}{reason}\ntotal time: {} ms\n", unsigned(reply, "total-time"))
}

/// Returns the lines whose values an object has.
fn rows<'a>(object: &Value, rows: impl IntoIterator<Item = &'a Row>) -> String {
    let line = |(label, key, form, unit): &Row| {
        let value = match form {
            Plain => plain(object, key),
            Kilobytes => format!("{} kbytes", unsigned(object, key) >> 10),
            Fraction => format!("{:.2}", object[*key].as_f64().unwrap_or_default()),
        };
        format!("{label}: {value}{unit}\n")
    };
    rows.into_iter().filter(|(_, key, _, _)| object.get(*key).is_some()).map(line).collect()
}

/// Returns a socket address in the form of a migration URI.
fn socket_address(address: &Value) -> String {
    match string(address, "type") {
        "inet" => format!("tcp:{}:{}", string(address, "host"), string(address, "port")),
        "unix" => format!("unix:{}", string(address, "path")),
        "vsock" => format!("vsock:{}:{}", string(address, "cid"), string(address, "port")),
        "fd" => format!("fd:{}", string(address, "str")),
        _ => "unknown address type".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::super::super::scripted_server::ScriptedServer;

    #[test]
    fn compression_disks_and_throttling_have_lines() {
        let migration = json!({
            "status": "active", "total-time": 206, "expected-downtime": 300, "setup-time": 19,
            "ram": {"transferred": 209_580, "mbps": 16.142_230_769_230_77, "remaining": 134_422_528, "skipped": 0,
                "dirty-pages-rate": 273, "postcopy-requests": 0, "precopy-bytes": 209_580,
                "dirty-sync-missed-zero-copy": 2},
            "disk": {"transferred": 1_048_576, "remaining": 512, "total": 1_049_088},
            "xbzrle-cache": {"cache-size": 67_108_864, "bytes": 14, "pages": 2, "cache-miss": 70,
                "cache-miss-rate": 0.456, "encoding-rate": 0, "overflow": 0},
            "compression": {"pages": 1074, "busy": 0, "busy-rate": 0, "compressed-size": 3_815_692,
                "compression-rate": 0},
            "cpu-throttle-percentage": 20, "postcopy-blocktime": 0, "postcopy-vcpu-blocktime": [303, 0],
            "socket-address": [
                {"type": "inet", "host": "127.0.0.1", "port": "37507"},
                {"type": "unix", "path": "/tmp/m"},
            ],
        });
        let version = json!({"qemu": {"major": 10, "minor": 1, "micro": 0}, "package": ""});
        let server = ScriptedServer::default().reply("query-migrate", migration).reply("query-version", version);
        expect![[r#"
            Migration status: active
            total time: 206 ms
            expected downtime: 300 ms
            setup: 19 ms
            transferred ram: 204 kbytes
            throughput: 16.14 mbps
            remaining ram: 131272 kbytes
            skipped: 0 pages
            dirty pages rate: 273 pages
            precopy ram: 204 kbytes
            Zero-copy-send fallbacks happened: 2 times
            transferred disk: 1024 kbytes
            remaining disk: 0 kbytes
            total disk: 1024 kbytes
            cache size: 67108864 bytes
            xbzrle transferred: 0 kbytes
            xbzrle pages: 2 pages
            xbzrle cache miss: 70 pages
            xbzrle cache miss rate: 0.46
            xbzrle encoding rate: 0.00
            xbzrle overflow: 0
            compression pages: 1074 pages
            compression busy: 0
            compression busy rate: 0.00
            compressed size: 3726 kbytes
            compression rate: 0.00
            cpu throttle percentage: 20
            postcopy blocktime: 0
            postcopy vcpu blocktime: 0,303
            socket address: [
            \ttcp:127.0.0.1:37507
            \tunix:/tmp/m
            ]
        "#]]
        .assert_eq(&server.text("info migrate").replace('\t', "\\t"));
    }
}
