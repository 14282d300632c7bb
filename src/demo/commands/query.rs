//! Queries about the machine and the server.

use serde_json::{Value, json};

use crate::demo::args::Args;
use crate::demo::error::CommandResult;
use crate::demo::introspect;
use crate::demo::machine::{CPU_COUNT, Machine};
use crate::demo::qapi::{Enum, Object, Type, object, optional, required, union};

static VERSION_TRIPLE: Object = object(
    "VersionTriple",
    &[required("major", Type::Int), required("minor", Type::Int), required("micro", Type::Int)],
);
pub(super) static VERSION_INFO: Object =
    object("VersionInfo", &[required("qemu", Type::Object(&VERSION_TRIPLE)), required("package", Type::Str)]);
pub(super) static NAME_INFO: Object = object("NameInfo", &[optional("name", Type::Str)]);
pub(super) static UUID_INFO: Object = object("UuidInfo", &[required("UUID", Type::Str)]);
pub(super) static KVM_INFO: Object =
    object("KvmInfo", &[required("enabled", Type::Bool), required("present", Type::Bool)]);
pub(super) static COMMAND_INFO: Object = object("CommandInfo", &[required("name", Type::Str)]);
pub(super) static CHARDEV_INFO: Object = object(
    "ChardevInfo",
    &[required("label", Type::Str), required("filename", Type::Str), required("frontend-open", Type::Bool)],
);

static TARGET: Enum = Enum { name: "SysEmuTarget", values: &["aarch64", "i386", "s390x", "x86_64"] };
static S390_STATE: Enum =
    Enum { name: "S390CpuState", values: &["uninitialized", "stopped", "check-stop", "operating", "load"] };
static CPU_S390: Object = object("CpuInfoS390", &[required("cpu-state", Type::Enum(&S390_STATE))]);
static CPU_PROPS: Object = object(
    "CpuInstanceProperties",
    &[
        optional("node-id", Type::Int),
        optional("socket-id", Type::Int),
        optional("die-id", Type::Int),
        optional("core-id", Type::Int),
        optional("thread-id", Type::Int),
    ],
);
pub(super) static CPU_INFO_FAST: Object = union(
    "CpuInfoFast",
    &[
        required("cpu-index", Type::Int),
        required("qom-path", Type::Str),
        required("thread-id", Type::Int),
        optional("props", Type::Object(&CPU_PROPS)),
        required("target", Type::Enum(&TARGET)),
    ],
    "target",
    &[("s390x", &CPU_S390)],
);

static YANK_TYPE: Enum = Enum { name: "YankInstanceType", values: &["block-node", "chardev", "migration"] };
static YANK_NODE: Object = object("YankInstanceBlockNode", &[required("node-name", Type::Str)]);
static YANK_CHARDEV: Object = object("YankInstanceChardev", &[required("id", Type::Str)]);
pub(super) static YANK_INSTANCE: Object = union(
    "YankInstance",
    &[required("type", Type::Enum(&YANK_TYPE))],
    "type",
    &[("block-node", &YANK_NODE), ("chardev", &YANK_CHARDEV)],
);

pub(super) fn query_version(_: &mut Machine, _: Args<'_>) -> CommandResult {
    Ok(json!({"qemu": {"micro": 0, "minor": 0, "major": 10}, "package": "demo"}))
}

pub(super) fn query_name(_: &mut Machine, _: Args<'_>) -> CommandResult {
    Ok(json!({}))
}

pub(super) fn query_uuid(_: &mut Machine, _: Args<'_>) -> CommandResult {
    Ok(json!({"UUID": "9f0d7f1c-1d2e-4a6b-8c35-d3e0a11ce5e7"}))
}

pub(super) fn query_kvm(_: &mut Machine, _: Args<'_>) -> CommandResult {
    Ok(json!({"enabled": false, "present": false}))
}

pub(super) fn query_commands(_: &mut Machine, _: Args<'_>) -> CommandResult {
    Ok(super::all().map(|command| json!({"name": command.name})).collect())
}

pub(super) fn query_qmp_schema(_: &mut Machine, _: Args<'_>) -> CommandResult {
    Ok(Value::Array(introspect::schema()))
}

pub(super) fn query_cpus_fast(_: &mut Machine, _: Args<'_>) -> CommandResult {
    let cpu = |index: u64| {
        json!({
            "thread-id": cpu_thread_id(index), "props": {"core-id": index, "thread-id": 0, "socket-id": 0},
            "qom-path": format!("/machine/unattached/device[{index}]"), "cpu-index": index, "target": "x86_64",
        })
    };
    Ok((0..CPU_COUNT).map(cpu).collect())
}

pub(super) fn query_chardev(_: &mut Machine, _: Args<'_>) -> CommandResult {
    Ok(json!([
        {"frontend-open": true, "filename": "unix:", "label": "compat_monitor0"},
        {"frontend-open": true, "filename": "null", "label": "serial0"},
        {"frontend-open": false, "filename": "ringbuf", "label": "log0"},
    ]))
}

pub(super) fn query_yank(_: &mut Machine, _: Args<'_>) -> CommandResult {
    Ok(json!([{"type": "chardev", "id": "compat_monitor0"}]))
}

/// Returns the made-up id of the host thread of a CPU.
fn cpu_thread_id(cpu: u64) -> u64 {
    4711 + cpu
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::run;
    use crate::demo::machine::CPU_COUNT;
    use crate::demo::machine_config::default_machine;

    #[test]
    fn returns_cpus_that_are_in_the_tree() {
        let mut machine = default_machine();
        let cpus = run(&mut machine, "query-cpus-fast", json!({})).unwrap();
        let cpus = cpus.as_array().unwrap();
        assert_eq!(cpus.len() as u64, CPU_COUNT);
        for cpu in cpus {
            assert!(machine.qom_tree.find(cpu["qom-path"].as_str().unwrap()).is_ok());
        }
    }

    #[test]
    fn lists_all_commands() {
        let list = run(&mut default_machine(), "query-commands", json!({})).unwrap();
        assert_eq!(list.as_array().unwrap().len(), super::super::all().count());
    }
}
