//! The CPUs: the current one, those that run, those that can be plugged.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::integer as integer_parameter;
use super::super::server::Failure;
use super::super::text::{items, plain, unsigned};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("cpu", &[integer_parameter("index")], "choose the CPU that later lines refer to", select_cpu),
    Command::new("info cpus", &[], "the CPUs, with a star at the current one", info_cpus),
    Command::new("info hotpluggable-cpus", &[], "the CPUs that are or can be plugged", info_hotpluggable_cpus),
];

fn select_cpu(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let index = u64::try_from(call.arguments.integer("index")).ok();
    let reply = call.query("query-cpus-fast", Value::Null)?;
    match items(&reply).iter().map(|cpu| unsigned(cpu, "cpu-index")).find(|known| Some(*known) == index) {
        Some(index) => call.state.cpu = Some(index),
        None => return Err(Failure::line("invalid CPU index")),
    }
    Ok(String::new())
}

fn info_cpus(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let current = call.state.cpu_index();
    let reply = call.query("query-cpus-fast", json!({}))?;
    let line = |cpu: &Value| {
        let index = unsigned(cpu, "cpu-index");
        let star = if index == current { '*' } else { ' ' };
        format!("{star} CPU #{index}: thread_id={}\n", plain(cpu, "thread-id"))
    };
    Ok(items(&reply).iter().map(line).collect())
}

/// The properties of a CPU's place, in the order of the text.
const PLACE: &[&str] =
    &["node-id", "drawer-id", "book-id", "socket-id", "die-id", "cluster-id", "module-id", "core-id", "thread-id"];

fn info_hotpluggable_cpus(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-hotpluggable-cpus", Value::Null)?;
    let mut text = "Hotpluggable CPUs:\n".to_owned();
    for cpu in items(&reply) {
        text.push_str(&format!("  type: \"{}\"\n", plain(cpu, "type")));
        text.push_str(&format!("  vcpus_count: \"{}\"\n", plain(cpu, "vcpus-count")));
        if cpu.get("qom-path").is_some() {
            text.push_str(&format!("  qom_path: \"{}\"\n", plain(cpu, "qom-path")));
        }
        text.push_str("  CPUInstance Properties:\n");
        for key in PLACE.iter().filter(|key| cpu["props"].get(**key).is_some()) {
            text.push_str(&format!("    {key}: \"{}\"\n", plain(&cpu["props"], key)));
        }
    }
    Ok(text)
}
