//! Commands that only tell: what the machine is and what it knows.

use serde_json::{Value, json};

use super::schema_types::SCHEMA_INFO;
use super::{Command, command};
use crate::demo::args::Args;
use crate::demo::failure::Outcome;
use crate::demo::introspect;
use crate::demo::machine::{CPUS, Machine};
use crate::demo::types::{EMPTY, Enum, Object, Type, Union, object, opt, req};

static VERSION_TRIPLE: Object =
    object("VersionTriple", &[req("major", Type::Int), req("minor", Type::Int), req("micro", Type::Int)]);
static VERSION_INFO: Object =
    object("VersionInfo", &[req("qemu", Type::Object(&VERSION_TRIPLE)), req("package", Type::Str)]);
static NAME_INFO: Object = object("NameInfo", &[opt("name", Type::Str)]);
static UUID_INFO: Object = object("UuidInfo", &[req("UUID", Type::Str)]);
static KVM_INFO: Object = object("KvmInfo", &[req("enabled", Type::Bool), req("present", Type::Bool)]);
static COMMAND_INFO: Object = object("CommandInfo", &[req("name", Type::Str)]);
static CHARDEV_INFO: Object =
    object("ChardevInfo", &[req("label", Type::Str), req("filename", Type::Str), req("frontend-open", Type::Bool)]);

static TARGET: Enum = Enum { name: "SysEmuTarget", values: &["aarch64", "i386", "s390x", "x86_64"] };
static S390_STATE: Enum =
    Enum { name: "S390CpuState", values: &["uninitialized", "stopped", "check-stop", "operating", "load"] };
static CPU_S390: Object = object("CpuInfoS390", &[req("cpu-state", Type::Enum(&S390_STATE))]);
static CPU_PROPS: Object = object(
    "CpuInstanceProperties",
    &[
        opt("node-id", Type::Int),
        opt("socket-id", Type::Int),
        opt("die-id", Type::Int),
        opt("core-id", Type::Int),
        opt("thread-id", Type::Int),
    ],
);
static CPU_INFO: Object = Object {
    name: "CpuInfoFast",
    members: &[
        req("cpu-index", Type::Int),
        req("qom-path", Type::Str),
        req("thread-id", Type::Int),
        opt("props", Type::Object(&CPU_PROPS)),
        req("target", Type::Enum(&TARGET)),
    ],
    union: Some(Union { tag: "target", variants: &[("s390x", &CPU_S390)] }),
    open: false,
};

static YANK_TYPE: Enum = Enum { name: "YankInstanceType", values: &["block-node", "chardev", "migration"] };
static YANK_NODE: Object = object("YankInstanceBlockNode", &[req("node-name", Type::Str)]);
static YANK_CHARDEV: Object = object("YankInstanceChardev", &[req("id", Type::Str)]);
static YANK_INSTANCE: Object = Object {
    name: "YankInstance",
    members: &[req("type", Type::Enum(&YANK_TYPE))],
    union: Some(Union { tag: "type", variants: &[("block-node", &YANK_NODE), ("chardev", &YANK_CHARDEV)] }),
    open: false,
};

/// The commands of this file.
pub static COMMANDS: &[Command] = &[
    command("query-version", &EMPTY, Type::Object(&VERSION_INFO), query_version),
    command("query-name", &EMPTY, Type::Object(&NAME_INFO), query_name),
    command("query-uuid", &EMPTY, Type::Object(&UUID_INFO), query_uuid),
    command("query-kvm", &EMPTY, Type::Object(&KVM_INFO), query_kvm),
    command("query-commands", &EMPTY, Type::Array(&Type::Object(&COMMAND_INFO)), query_commands),
    command("query-qmp-schema", &EMPTY, Type::Array(&Type::Object(&SCHEMA_INFO)), query_qmp_schema),
    command("query-cpus-fast", &EMPTY, Type::Array(&Type::Object(&CPU_INFO)), query_cpus_fast),
    command("query-chardev", &EMPTY, Type::Array(&Type::Object(&CHARDEV_INFO)), query_chardev),
    Command { oob: true, ..command("query-yank", &EMPTY, Type::Array(&Type::Object(&YANK_INSTANCE)), query_yank) },
];

fn query_version(_: &mut Machine, _: Args<'_>) -> Outcome {
    Ok(json!({"qemu": {"micro": 0, "minor": 0, "major": 10}, "package": "demo"}))
}

fn query_name(_: &mut Machine, _: Args<'_>) -> Outcome {
    Ok(json!({"name": "demo"}))
}

fn query_uuid(_: &mut Machine, _: Args<'_>) -> Outcome {
    Ok(json!({"UUID": "9f0d7f1c-1d2e-4a6b-8c35-d3e0a11ce5e7"}))
}

fn query_kvm(_: &mut Machine, _: Args<'_>) -> Outcome {
    Ok(json!({"enabled": false, "present": false}))
}

fn query_commands(_: &mut Machine, _: Args<'_>) -> Outcome {
    Ok(super::all().map(|command| json!({"name": command.name})).collect())
}

fn query_qmp_schema(_: &mut Machine, _: Args<'_>) -> Outcome {
    Ok(Value::Array(introspect::schema()))
}

fn query_cpus_fast(_: &mut Machine, _: Args<'_>) -> Outcome {
    let cpu = |index: u64| {
        json!({
            "thread-id": thread_of(index), "props": {"core-id": index, "thread-id": 0, "socket-id": 0},
            "qom-path": format!("/machine/unattached/device[{index}]"), "cpu-index": index, "target": "x86_64",
        })
    };
    Ok((0..CPUS).map(cpu).collect())
}

fn query_chardev(_: &mut Machine, _: Args<'_>) -> Outcome {
    Ok(json!([
        {"frontend-open": true, "filename": "unix:", "label": "compat_monitor0"},
        {"frontend-open": true, "filename": "null", "label": "serial0"},
        {"frontend-open": false, "filename": "ringbuf", "label": "log0"},
    ]))
}

fn query_yank(_: &mut Machine, _: Args<'_>) -> Outcome {
    Ok(json!([{"type": "chardev", "id": "compat_monitor0"}]))
}

/// The id that the host is said to give the thread of a CPU.
pub fn thread_of(cpu: u64) -> u64 {
    4711 + cpu
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::run;
    use crate::demo::machine::CPUS;
    use crate::demo::machine_config::default_machine;

    #[test]
    fn cpus_stand_in_the_tree() {
        let mut machine = default_machine();
        let cpus = run(&mut machine, "query-cpus-fast", json!({})).unwrap();
        let cpus = cpus.as_array().unwrap();
        assert_eq!(cpus.len() as u64, CPUS);
        for cpu in cpus {
            assert!(machine.tree.find(cpu["qom-path"].as_str().unwrap()).is_ok());
        }
    }

    #[test]
    fn the_list_of_commands_is_the_table() {
        let list = run(&mut default_machine(), "query-commands", json!({})).unwrap();
        assert_eq!(list.as_array().unwrap().len(), super::super::all().count());
    }
}
