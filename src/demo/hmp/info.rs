//! The topics of `info`: results of QMP queries as text.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Call, Entry, memory, query};
use crate::demo::machine::{CPU_COUNT, Machine};

pub(super) static TOPICS: &[Entry] = &[
    topic("block", "the drives and their contents", block),
    topic("cpus", "the processors and their threads", cpus),
    topic("iothreads", "the threads for devices", iothreads),
    topic("jobs", "the jobs and their progress", jobs),
    topic("mtree", "the memory map", |_, _| memory::memory_map(CPU_COUNT)),
    topic("name", "the machine's name", |machine, _| {
        show_query(machine, "query-name", |value| text_line(&value["name"]))
    }),
    topic("registers", "the registers of a processor", registers),
    topic("status", "whether the guest is running", status),
    topic("uuid", "the machine's UUID", |machine, _| {
        show_query(machine, "query-uuid", |value| text_line(&value["UUID"]))
    }),
    topic("version", "the version", version),
];

const fn topic(names: &'static str, help: &'static str, run: fn(&mut Machine, &Call<'_>) -> String) -> Entry {
    Entry { names, usage: "", help, arity: (0, 0), run }
}

/// Executes a QMP query and formats its result. Returns an error as text.
fn show_query(machine: &mut Machine, command: &str, format: impl Fn(&Value) -> String) -> String {
    match query(machine, command, json!({})) {
        Ok(value) => format(&value),
        Err(text) => text,
    }
}

/// Formats each element of an array.
fn format_each(list: &Value, format: impl Fn(&Value) -> String) -> String {
    list.as_array().into_iter().flatten().map(format).collect()
}

/// Returns a string value as a line.
fn text_line(value: &Value) -> String {
    format!("{}\n", text_of(value))
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn status(machine: &mut Machine, _: &Call<'_>) -> String {
    show_query(machine, "query-status", |value| format!("VM status: {}\n", text_of(&value["status"])))
}

fn version(machine: &mut Machine, _: &Call<'_>) -> String {
    show_query(machine, "query-version", |value| {
        let qemu = &value["qemu"];
        format!("{}.{}.{} ({})\n", qemu["major"], qemu["minor"], qemu["micro"], text_of(&value["package"]))
    })
}

fn cpus(machine: &mut Machine, call: &Call<'_>) -> String {
    show_query(machine, "query-cpus-fast", |list| {
        format_each(list, |cpu| {
            let mark = if cpu["cpu-index"] == call.cpu { '*' } else { ' ' };
            format!("{mark} CPU #{}: thread_id={}\n", cpu["cpu-index"], cpu["thread-id"])
        })
    })
}

fn block(machine: &mut Machine, _: &Call<'_>) -> String {
    show_query(machine, "query-block", |list| {
        format_each(list, |drive| {
            let name = Some(text_of(&drive["device"])).filter(|name| !name.is_empty());
            let name = name.unwrap_or_else(|| text_of(&drive["qdev"]));
            let mut text = match drive.get("inserted") {
                Some(node) => {
                    let mode = if node["ro"] == true { ", read-only" } else { "" };
                    format!(
                        "{name} ({}): {} ({}{mode})\n",
                        text_of(&node["node-name"]),
                        text_of(&node["file"]),
                        text_of(&node["drv"])
                    )
                }
                None => format!("{name}: nothing inserted\n"),
            };
            let _ = writeln!(text, "    at: {}", text_of(&drive["qdev"]));
            text
        })
    })
}

fn iothreads(machine: &mut Machine, _: &Call<'_>) -> String {
    show_query(machine, "query-iothreads", |list| {
        format_each(list, |thread| format!("{}: thread_id={}\n", text_of(&thread["id"]), thread["thread-id"]))
    })
}

fn jobs(machine: &mut Machine, _: &Call<'_>) -> String {
    show_query(machine, "query-jobs", |list| match list.as_array().is_some_and(Vec::is_empty) {
        true => "no jobs\n".to_owned(),
        false => format_each(list, |job| {
            let (done, total) = (&job["current-progress"], &job["total-progress"]);
            format!(
                "{}: {}, {}, {done} of {total} bytes\n",
                text_of(&job["id"]),
                text_of(&job["type"]),
                text_of(&job["status"])
            )
        }),
    })
}

/// Shows made-up numbers that differ between CPUs, so that the selected CPU can be recognised.
fn registers(_: &mut Machine, call: &Call<'_>) -> String {
    let mut out = format!("\nCPU#{}\n", call.cpu);
    let names = [
        "RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "RSP", "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15",
    ];
    for (row, four) in names.chunks(4).enumerate() {
        let cells = four.iter().zip(0_u64..).map(|(name, column)| {
            let seed = 1 + call.cpu * 16 + row as u64 * 4 + column;
            format!("{name}={:016x}", seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20)
        });
        out.push_str(&cells.collect::<Vec<_>>().join(" "));
        out.push('\n');
    }
    let rip = 0xffff_ffff_8100_0000_u64 + call.cpu * 0x40;
    let _ = writeln!(out, "RIP={rip:016x} RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT={}", call.cpu.min(1));
    for (name, selector) in [("ES", 0), ("CS", 0x10), ("SS", 0x18), ("DS", 0), ("FS", 0), ("GS", 0)] {
        let _ = writeln!(out, "{name} ={selector:04x} {:016x} ffffffff 00a09b00", 0);
    }
    let _ = writeln!(out, "CR0=80050033 CR2=00007f0000000000 CR3=0000000001c0a000 CR4=000006f0");
    out
}

#[cfg(test)]
mod tests {
    use super::super::run;
    use super::*;
    use crate::demo::machine_config::default_machine;

    #[test]
    fn shows_something_for_each_topic() {
        for entry in TOPICS {
            let text = run(&mut default_machine(), &format!("info {}", entry.names), 0);
            assert!(text.ends_with("\r\n") && !text.starts_with("Error"), "{}: {text}", entry.names);
            assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
        }
    }

    #[test]
    fn depends_on_the_selected_cpu() {
        let mut machine = default_machine();
        assert_eq!(run(&mut machine, "info cpus", 1), "  CPU #0: thread_id=4711\r\n* CPU #1: thread_id=4712\r\n");
        assert!(run(&mut machine, "info registers", 1).contains("CPU#1\r\n"));
        assert_ne!(run(&mut machine, "info registers", 1), run(&mut machine, "info registers", 0));
    }

    #[test]
    fn follows_the_state_of_the_machine() {
        let mut machine = default_machine();
        assert_eq!(run(&mut machine, "info status", 0), "VM status: running\r\n");
        machine.stop();
        assert_eq!(run(&mut machine, "info status", 0), "VM status: paused\r\n");
        assert_eq!(run(&mut machine, "info version", 0), "10.0.0 (demo)\r\n");
        assert_eq!(run(&mut machine, "info jobs", 0), "no jobs\r\n");
        assert!(run(&mut machine, "info block", 0).starts_with("drive0 (disk0): json:"));
        assert!(run(&mut machine, "info block", 0).contains("ide2-cd0: nothing inserted\r\n"));
    }
}
