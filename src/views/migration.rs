//! `.show migration`: the migration under way, or the last one.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::monitor::text::{count, is_true, items, string};
use crate::monitor::{Failure, QmpServer};

use super::ask::ask_all;
use super::columns::{Columns, Ink};
use super::units::{duration, milliseconds, percent, size};
use super::{Medium, Picture};

/// The parameters that decide how long a migration takes.
const PARAMETERS: &[&str] =
    &["max-bandwidth", "avail-switchover-bandwidth", "downtime-limit", "max-postcopy-bandwidth", "multifd-channels"];

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Migration {
    /// Empty if there has been no migration.
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blocked_reasons: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ram: Option<Transfer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk: Option<Transfer>,
    /// Times in milliseconds, by their names in QMP.
    times: Map<String, Value>,
    /// The capabilities that are on.
    capabilities: Vec<String>,
    parameters: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
}

/// The transfer of the memory or of the disks. Amounts are in bytes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Transfer {
    total: u64,
    remaining: u64,
    transferred: u64,
    /// In bytes per second.
    rate: u64,
    /// The memory that the guest changes, in bytes per second.
    dirty_rate: u64,
    passes: u64,
    zero_pages: u64,
    postcopy_requests: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<u64>,
}

/// Asks for the state of the migration and its settings.
pub(super) fn ask(server: &mut dyn QmpServer) -> Result<Migration, Failure> {
    let queries = ["query-migrate", "query-migrate-capabilities", "query-migrate-parameters"];
    let mut replies = ask_all(server, &queries.map(|command| (command, Value::Null)))?;
    let info = replies.take_first_object()?;
    let (capabilities, parameters) = (replies.take_objects(1)?, replies.take(2));
    let is_time = |(key, value): &(&String, &Value)| (key.ends_with("time")) && value.is_u64();
    let times = info.as_object().into_iter().flatten().filter(is_time);
    let capability = |entry: &Value| is_true(entry, "state").then(|| string(entry, "capability").to_owned());
    let chosen =
        |name: &&str| Some(((*name).to_owned(), parameters.get(*name).filter(|value| value.is_u64())?.clone()));
    let is_active = matches!(string(&info, "status"), "active" | "postcopy-active");
    Ok(Migration {
        status: string(&info, "status").to_owned(),
        error: info["error-desc"].as_str().map(str::to_owned),
        blocked_reasons: items(&info["blocked-reasons"]).iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        ram: transfer(&info["ram"], is_active),
        disk: transfer(&info["disk"], is_active),
        times: times.map(|(key, value)| (key.clone(), value.clone())).collect(),
        capabilities: items(&capabilities).iter().filter_map(capability).collect(),
        parameters: PARAMETERS.iter().filter_map(chosen).collect(),
        missing: replies.missing,
    })
}

fn transfer(stats: &Value, is_active: bool) -> Option<Transfer> {
    if !stats.is_object() {
        return None;
    }
    let rate = (stats["mbps"].as_f64().unwrap_or_default() * 1e6 / 8.0) as u64;
    let dirty_rate = count(stats, "dirty-pages-rate").saturating_mul(count(stats, "page-size"));
    let remaining = count(stats, "remaining");
    // Memory that changes while it is sent must be sent again.
    let progress = rate.checked_sub(dirty_rate).filter(|_| is_active);
    Some(Transfer {
        total: count(stats, "total"),
        remaining,
        transferred: count(stats, "transferred"),
        rate,
        dirty_rate,
        passes: count(stats, "dirty-sync-count"),
        zero_pages: count(stats, "duplicate"),
        postcopy_requests: count(stats, "postcopy-requests"),
        seconds_left: progress.and_then(|progress| remaining.checked_div(progress)),
    })
}

impl Picture for Migration {
    fn draw(&self, medium: &Medium<'_>) -> String {
        let mut columns = Columns::pairs();
        let mut row = |label: &str, ink: Ink, text: String| columns.push_pair(label, ink, &text);
        match self.status.as_str() {
            "" => row("status", Ink::Plain, "there has been no migration".to_owned()),
            status => row("status", if status == "failed" { Ink::Error } else { Ink::Plain }, status.to_owned()),
        }
        row("error", Ink::Error, self.error.clone().unwrap_or_default());
        self.blocked_reasons.iter().for_each(|reason| row("blocked", Ink::Error, reason.clone()));
        for (label, transfer) in [("memory", &self.ram), ("disks", &self.disk)] {
            let Some(transfer) = transfer else { continue };
            row(label, Ink::Plain, transfer.progress());
            row("rate", Ink::Plain, transfer.rates(self.is_active()));
            row("pages", Ink::Plain, transfer.pages());
            row("left", Ink::Plain, transfer.time_left(self.is_active()));
        }
        let time = |(key, value): (&String, &Value)| {
            let name = key.strip_suffix("-time").unwrap_or(key).replace('-', " ");
            format!("{name} {}", milliseconds(value.as_u64().unwrap_or_default()))
        };
        row("times", Ink::Plain, self.times.iter().map(time).collect::<Vec<_>>().join(", "));
        row("capabilities", Ink::Plain, self.capabilities.join(", "));
        let parameter = |(key, value): (&String, &Value)| {
            let value = value.as_u64().unwrap_or_default();
            match key.as_str() {
                "downtime-limit" => format!("{key} {}", milliseconds(value)),
                "multifd-channels" => format!("{key} {value}"),
                // 0 means that there is no limit.
                _ if value == 0 => String::new(),
                _ => format!("{key} {}/s", size(value)),
            }
        };
        let parameters = self.parameters.iter().map(parameter).filter(|text| !text.is_empty());
        row("parameters", Ink::Plain, parameters.collect::<Vec<_>>().join(", "));
        columns.push_remarks(&self.missing);
        columns.draw(medium)
    }
}

impl Migration {
    fn is_active(&self) -> bool {
        matches!(self.status.as_str(), "active" | "postcopy-active")
    }
}

impl Transfer {
    fn progress(&self) -> String {
        let done = self.total.saturating_sub(self.remaining);
        let share = percent(done, self.total).map(|share| format!(" ({share} done)")).unwrap_or_default();
        let (transferred, remaining) = (size(self.transferred), size(self.remaining));
        format!("{transferred} sent, {remaining} of {} remaining{share}", size(self.total))
    }

    fn rates(&self, is_active: bool) -> String {
        let dirty = match self.dirty_rate {
            0 => String::new(),
            rate => format!("; the guest changes {}/s", size(rate)),
        };
        if !is_active && self.rate == 0 { String::new() } else { format!("{}/s{dirty}", size(self.rate)) }
    }

    fn pages(&self) -> String {
        let mut parts = Vec::new();
        if self.passes > 0 {
            parts.push(format!("pass {}", self.passes));
        }
        if self.zero_pages > 0 {
            parts.push(format!("{} zero pages", self.zero_pages));
        }
        if self.postcopy_requests > 0 {
            parts.push(format!("{} requests after the switch", self.postcopy_requests));
        }
        parts.join(", ")
    }

    fn time_left(&self, is_active: bool) -> String {
        match self.seconds_left {
            Some(seconds) => format!("about {} at this rate", duration(seconds)),
            None if is_active && self.rate > 0 => {
                "without end at this rate: memory changes faster than it is sent".to_owned()
            }
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::ScriptedServer;

    fn server(info: serde_json::Value) -> ScriptedServer {
        ScriptedServer::default()
            .reply("query-migrate", info)
            .reply("query-migrate-capabilities", json!([
                {"capability": "xbzrle", "state": false}, {"capability": "events", "state": true},
                {"capability": "multifd", "state": true},
            ]))
            .reply("query-migrate-parameters", json!({
                "max-bandwidth": 134_217_728, "downtime-limit": 300, "multifd-channels": 4, "max-postcopy-bandwidth": 0,
                "tls-creds": "",
            }))
    }

    #[test]
    fn each_state_is_drawn() {
        let ram = json!({"total": 8_u64 << 30, "remaining": 2_u64 << 30, "transferred": 5_u64 << 30, "mbps": 1000.5,
            "dirty-pages-rate": 1000, "page-size": 4096, "dirty-sync-count": 2, "duplicate": 12_345, "postcopy-requests": 0});
        let mut fast = ram.clone();
        fast["dirty-pages-rate"] = json!(100_000);
        let mut pictures = String::new();
        for info in [
            json!({}),
            json!({"status": "active", "total-time": 61_500, "setup-time": 3, "expected-downtime": 300, "ram": ram}),
            json!({"status": "active", "ram": fast}),
            json!({"status": "completed", "total-time": 3_723_000, "downtime": 45, "ram": ram}),
            json!({"status": "failed", "error-desc": "Channel error: \u{1b}Input/output error",
                "blocked-reasons": ["The block driver does not support it"]}),
        ] {
            pictures += &server(info).draw("migration", None, 90);
            pictures += "\n";
        }
        expect_test::expect![[r#"
            status        there has been no migration
            capabilities  events, multifd
            parameters    max-bandwidth 128 MiB/s, downtime-limit 300 ms, multifd-channels 4

            status        active
            memory        5 GiB sent, 2 GiB of 8 GiB remaining (75 % done)
            rate          119 MiB/s; the guest changes 3.9 MiB/s
            pages         pass 2, 12345 zero pages
            left          about 17 s at this rate
            times         total 1 min 1 s, setup 3 ms, expected downtime 300 ms
            capabilities  events, multifd
            parameters    max-bandwidth 128 MiB/s, downtime-limit 300 ms, multifd-channels 4

            status        active
            memory        5 GiB sent, 2 GiB of 8 GiB remaining (75 % done)
            rate          119 MiB/s; the guest changes 391 MiB/s
            pages         pass 2, 12345 zero pages
            left          without end at this rate: memory changes faster than it is sent
            capabilities  events, multifd
            parameters    max-bandwidth 128 MiB/s, downtime-limit 300 ms, multifd-channels 4

            status        completed
            memory        5 GiB sent, 2 GiB of 8 GiB remaining (75 % done)
            rate          119 MiB/s; the guest changes 3.9 MiB/s
            pages         pass 2, 12345 zero pages
            times         total 1 h 2 min, downtime 45 ms
            capabilities  events, multifd
            parameters    max-bandwidth 128 MiB/s, downtime-limit 300 ms, multifd-channels 4

            status        failed
            error         Channel error: \x1bInput/output error
            blocked       The block driver does not support it
            capabilities  events, multifd
            parameters    max-bandwidth 128 MiB/s, downtime-limit 300 ms, multifd-channels 4

        "#]]
        .assert_eq(&pictures);
    }
}
