//! `.show cpus`: the CPUs by their places in the topology, and the places that are free.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::monitor::text::{by_member, items, string};
use crate::monitor::{Failure, QmpServer};

use super::ask::ask_all;
use super::columns::{Column, Columns, Ink, Text};
use super::{Medium, Picture};

/// The members of a CPU's place, from the largest part of the machine to the smallest, with the titles of their columns
/// and the members of the topology that count them.
const PLACE: &[(&str, &str)] = &[
    ("drawer-id", "drawers"),
    ("book-id", "books"),
    ("socket-id", "sockets"),
    ("die-id", "dies"),
    ("cluster-id", "clusters"),
    ("module-id", "modules"),
    ("core-id", "cores"),
    ("thread-id", "threads"),
];

const COLUMNS: &[Column] = &[
    Column::number("CPU"),
    Column::number("DRAWER"),
    Column::number("BOOK"),
    Column::number("SOCKET"),
    Column::number("DIE"),
    Column::number("CLUSTER"),
    Column::number("MODULE"),
    Column::number("CORE"),
    Column::number("THREAD"),
    Column::number("NODE"),
    Column::number("HOST THREAD"),
    Column::text("STATE"),
    Column::text("TYPE"),
    Column::path("OBJECT"),
];

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Cpus {
    cpus: Vec<Cpu>,
    /// Places where a CPU can be plugged.
    free: Vec<Cpu>,
    /// The counts of the machine's parts.
    topology: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
}

/// A CPU, or a place for one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Cpu {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_thread: Option<u64>,
    /// The state of the CPU, which servers tell for S/390 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    qom_path: String,
    place: Map<String, Value>,
}

/// Asks for the CPUs, the places for others, and the topology.
pub(super) fn ask(server: &mut dyn QmpServer) -> Result<Cpus, Failure> {
    let topology = json!({ "path": "/machine", "property": "smp" });
    let queries = [("query-cpus-fast", Value::Null), ("query-hotpluggable-cpus", Value::Null), ("qom-get", topology)];
    let mut replies = ask_all(server, &queries)?;
    let (cpus, places, topology) = (replies.take_objects(0)?, replies.take_objects(1)?, replies.take(2));
    let places_of = by_member(&places, "qom-path");
    let mut cpus: Vec<Cpu> =
        items(&cpus).iter().map(|entry| cpu(entry, places_of.get(string(entry, "qom-path")).copied())).collect();
    cpus.sort_by_key(|cpu| cpu.index);
    let mut free: Vec<Cpu> = items(&places)
        .iter()
        .filter(|place| place.get("qom-path").is_none())
        .map(|place| cpu(place, Some(place)))
        .collect();
    free.sort_by_key(|cpu| {
        PLACE.iter().map(|(key, _)| cpu.place.get(*key).and_then(Value::as_u64)).collect::<Vec<_>>()
    });
    // A server without hotplug refuses the query, and one before 7.1 has no such property.
    replies.missing.retain(|sentence| !sentence.contains("` failed: "));
    Ok(Cpus { cpus, free, topology: topology.as_object().cloned().unwrap_or_default(), missing: replies.missing })
}

/// Returns a CPU. `place` is the entry that tells its type.
fn cpu(entry: &Value, place: Option<&Value>) -> Cpu {
    Cpu {
        index: entry["cpu-index"].as_u64(),
        host_thread: entry["thread-id"].as_u64(),
        state: entry["cpu-state"].as_str().map(str::to_owned),
        kind: place.map(|place| string(place, "type").to_owned()).unwrap_or_default(),
        qom_path: string(entry, "qom-path").to_owned(),
        place: entry["props"].as_object().cloned().unwrap_or_default(),
    }
}

impl Picture for Cpus {
    fn draw(&self, medium: &Medium<'_>) -> String {
        let mut columns = Columns::new(COLUMNS);
        let number = |value: Option<u64>| Text::from(value.map(|value| value.to_string()).unwrap_or_default());
        for (cpu, is_free) in self.cpus.iter().map(|cpu| (cpu, false)).chain(self.free.iter().map(|cpu| (cpu, true))) {
            let index = if is_free { Text::new(Ink::Dim, "free") } else { number(cpu.index) };
            let part = |key: &str| number(cpu.place.get(key).and_then(Value::as_u64));
            let end = [
                part("node-id"),
                number(cpu.host_thread),
                Text::plain(cpu.state.as_deref().unwrap_or_default()),
                Text::plain(&cpu.kind),
                Text::plain(&cpu.qom_path),
            ];
            columns.push([index].into_iter().chain(PLACE.iter().map(|(key, _)| part(key))).chain(end));
        }
        columns.push_across(Text::plain(&self.summary()));
        columns.push_remarks(&self.missing);
        columns.draw(medium)
    }
}

impl Cpus {
    /// Returns the counts of CPUs and of the parts of which there are several.
    fn summary(&self) -> String {
        let count = |key: &str| self.topology.get(key).and_then(Value::as_u64);
        let parts = PLACE.iter().filter_map(|(_, parts)| Some((count(parts)?, parts)));
        let parts: Vec<String> =
            parts.filter(|(count, _)| *count > 1).map(|(count, parts)| format!("{count} {parts}")).collect();
        let cpus = match self.cpus.len() {
            1 => "1 CPU".to_owned(),
            count => format!("{count} CPUs"),
        };
        let max = count("maxcpus").map(|max| format!(" of at most {max}")).unwrap_or_default();
        let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(" × ")) };
        format!("{cpus}{max}{parts}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::ScriptedServer;

    #[test]
    fn only_the_parts_that_the_machine_has_are_columns() {
        let place =
            |core: u64, thread: u64| json!({"socket-id": 0, "core-id": core, "thread-id": thread, "node-id": 1});
        let mut server = ScriptedServer::default()
            .reply("query-cpus-fast", json!([
                {"cpu-index": 1, "thread-id": 101, "qom-path": "/machine/unattached/device[2]", "props": place(0, 1)},
                {"cpu-index": 0, "thread-id": 100, "qom-path": "/machine/unattached/device[0]", "props": place(0, 0)},
            ]))
            .reply("query-hotpluggable-cpus", json!([
                {"type": "qemu64-x86_64-cpu", "props": place(1, 1)}, {"type": "qemu64-x86_64-cpu", "props": place(1, 0)},
                {"type": "qemu64-x86_64-cpu", "props": place(0, 1), "qom-path": "/machine/unattached/device[2]"},
                {"type": "odd\u{1b}", "props": place(0, 0), "qom-path": "/machine/unattached/device[0]"},
            ]))
            .reply("qom-get", json!({"cpus": 2, "maxcpus": 4, "sockets": 1, "cores": 2, "threads": 2}));
        expect_test::expect![[r#"
             CPU  SOCKET  CORE  THREAD  NODE  HOST THREAD  TYPE               OBJECT
               0       0     0       0     1          100  odd\x1b            …hed/device[0]
               1       0     0       1     1          101  qemu64-x86_64-cpu  …hed/device[2]
            free       0     1       0     1               qemu64-x86_64-cpu
            free       0     1       1     1               qemu64-x86_64-cpu
            2 CPUs of at most 4: 2 cores × 2 threads
        "#]]
        .assert_eq(&server.draw("cpus", None, 80));
        let cpu = json!({"cpu-index": 0, "thread-id": 9, "cpu-state": "operating", "qom-path": "/machine/cpu"});
        let mut server = ScriptedServer::default().reply("query-cpus-fast", json!([cpu]));
        expect_test::expect![[r#"
            CPU  HOST THREAD  STATE      OBJECT
              0            9  operating  /machine/cpu
            1 CPU
            The server has no command `query-hotpluggable-cpus`.
            The server has no command `qom-get`.
        "#]]
        .assert_eq(&server.draw("cpus", None, 80));
    }
}
