//! Commands for jobs: `blockdev-mirror` starts one; `job-…` commands use the id, older `block-job-…` commands the device.

use super::block_types::IO_STATUS;
use super::no_result;
use crate::demo::args::Args;
use crate::demo::error::{CommandError, CommandResult, ErrorClass};
use crate::demo::event::{JOB_STATUS, JOB_TYPE};
use crate::demo::job::{JobVerb, MirrorOptions};
use crate::demo::machine::Machine;
use crate::demo::qapi::{Enum, Object, Type, object, optional, required, union};

static SYNC_MODE: Enum = Enum { name: "MirrorSyncMode", values: &["top", "full", "none", "incremental", "bitmap"] };
static COPY_MODE: Enum = Enum { name: "MirrorCopyMode", values: &["background", "write-blocking"] };
static ON_ERROR: Enum = Enum { name: "BlockdevOnError", values: &["report", "ignore", "enospc", "stop", "auto"] };
pub(super) static BLOCKDEV_MIRROR_ARGS: Object = object(
    "q_obj_blockdev-mirror",
    &[
        optional("job-id", Type::Str),
        required("device", Type::Str),
        required("target", Type::Str),
        required("sync", Type::Enum(&SYNC_MODE)),
        optional("speed", Type::Int),
        optional("granularity", Type::Int),
        optional("buf-size", Type::Int),
        optional("on-source-error", Type::Enum(&ON_ERROR)),
        optional("on-target-error", Type::Enum(&ON_ERROR)),
        optional("copy-mode", Type::Enum(&COPY_MODE)),
        optional("auto-finalize", Type::Bool),
        optional("auto-dismiss", Type::Bool),
    ],
);

pub(super) static JOB_ARGS: Object = object("q_obj_job", &[required("id", Type::Str)]);
pub(super) static BLOCK_JOB_ARGS: Object = object("q_obj_block-job", &[required("device", Type::Str)]);
pub(super) static BLOCK_JOB_CANCEL_ARGS: Object =
    object("q_obj_block-job-cancel", &[required("device", Type::Str), optional("force", Type::Bool)]);
pub(super) static BLOCK_JOB_SET_SPEED_ARGS: Object =
    object("q_obj_block-job-set-speed", &[required("device", Type::Str), required("speed", Type::Int)]);

pub(super) static JOB_INFO: Object = object(
    "JobInfo",
    &[
        required("id", Type::Str),
        required("type", Type::Enum(&JOB_TYPE)),
        required("status", Type::Enum(&JOB_STATUS)),
        required("current-progress", Type::Int),
        required("total-progress", Type::Int),
        optional("error", Type::Str),
    ],
);
static MIRROR_INFO: Object = object("BlockJobInfoMirror", &[required("actively-synced", Type::Bool)]);
pub(super) static BLOCK_JOB_INFO: Object = union(
    "BlockJobInfo",
    &[
        required("type", Type::Enum(&JOB_TYPE)),
        required("device", Type::Str),
        required("len", Type::Int),
        required("offset", Type::Int),
        required("busy", Type::Bool),
        required("paused", Type::Bool),
        required("speed", Type::Int),
        required("io-status", Type::Enum(&IO_STATUS)),
        required("ready", Type::Bool),
        required("status", Type::Enum(&JOB_STATUS)),
        required("auto-finalize", Type::Bool),
        required("auto-dismiss", Type::Bool),
        optional("error", Type::Str),
    ],
    "type",
    &[("mirror", &MIRROR_INFO)],
);

pub(super) fn blockdev_mirror(machine: &mut Machine, args: Args<'_>) -> CommandResult {
    let device = args.required_str("device")?;
    let source = machine.block_graph.node_name_of(device)?;
    let target = machine.block_graph.node_name_of(args.required_str("target")?)?;
    if source == target {
        return Err(CommandError::generic("a node cannot be mirrored onto itself"));
    }
    machine.block_graph.check_unused(&target)?;
    machine.jobs.check_unused(&source)?;
    machine.jobs.check_unused(&target)?;
    if matches!(args.required_str("sync")?, "incremental" | "bitmap") {
        return Err(CommandError::generic(
            "invalid value of argument 'sync' for a mirror; expected one of: top, full, none",
        ));
    }
    let options = MirrorOptions {
        id: args.optional_str("job-id").unwrap_or(device).to_owned(),
        len: machine.block_graph.node(&source)?.size,
        source,
        target,
        speed: speed(args)?,
        auto_finalize: args.optional_bool("auto-finalize").unwrap_or(true),
        auto_dismiss: args.optional_bool("auto-dismiss").unwrap_or(true),
    };
    let now = machine.now();
    machine.jobs.start(options, now)?;
    no_result()
}

fn speed(args: Args<'_>) -> Result<u64, CommandError> {
    match args.optional_u64("speed") {
        Some(speed) if speed > i64::MAX.cast_unsigned() => {
            Err(CommandError::generic("argument 'speed' must not be negative"))
        }
        speed => Ok(speed.unwrap_or(0)),
    }
}

/// Performs an operation on the job with the id in the arguments.
pub(super) fn apply_by_id(machine: &mut Machine, args: Args<'_>, verb: JobVerb) -> CommandResult {
    let now = machine.now();
    machine.jobs.apply(args.required_str("id")?, verb, now)?;
    no_result()
}

/// Performs an operation on the job of the device in the arguments.
pub(super) fn apply_by_device(machine: &mut Machine, args: Args<'_>, verb: JobVerb) -> CommandResult {
    let now = machine.now();
    let id = block_job_id(machine, args)?;
    machine.jobs.apply(id, verb, now)?;
    no_result()
}

pub(super) fn block_job_cancel(machine: &mut Machine, args: Args<'_>) -> CommandResult {
    apply_by_device(machine, args, JobVerb::Cancel { force: args.optional_bool("force").unwrap_or(false) })
}

pub(super) fn block_job_set_speed(machine: &mut Machine, args: Args<'_>) -> CommandResult {
    let now = machine.now();
    let id = block_job_id(machine, args)?;
    machine.jobs.set_speed(id, speed(args)?, now)?;
    no_result()
}

/// Returns the argument `device`, which is the id of a block job.
fn block_job_id<'a>(machine: &Machine, args: Args<'a>) -> Result<&'a str, CommandError> {
    let id = args.required_str("device")?;
    if machine.jobs.contains(id) {
        return Ok(id);
    }
    Err(CommandError::new(ErrorClass::DeviceNotActive, format!("block job '{id}' not found")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::super::testing::{events, run};
    use crate::demo::machine::Machine;
    use crate::demo::machine_config::default_machine;

    fn mirror(machine: &mut Machine) -> Result<Value, String> {
        let args = json!({"job-id": "m", "device": "drive0", "target": "spare", "sync": "full"});
        run(machine, "blockdev-mirror", args)
    }

    fn machine() -> Machine {
        let mut machine = default_machine();
        run(&mut machine, "blockdev-add", json!({"driver": "null-co", "node-name": "spare"})).unwrap();
        machine
    }

    #[test]
    fn replaces_the_node_in_the_drive_when_completed() {
        let mut machine = machine();
        mirror(&mut machine).unwrap();
        assert_eq!(events(&mut machine).len(), 2);
        let busy = run(&mut machine, "blockdev-del", json!({"node-name": "spare"})).unwrap_err();
        assert_eq!(busy, "node 'spare' is in use by job 'm'");
        machine.advance(Duration::from_secs(6));
        assert_eq!(events(&mut machine)[1].0, "BLOCK_JOB_READY");
        let jobs = run(&mut machine, "query-block-jobs", json!({})).unwrap();
        assert_eq!(jobs[0]["ready"], true);
        run(&mut machine, "job-complete", json!({"id": "m"})).unwrap();
        machine.advance(Duration::from_secs(6));
        assert_eq!(events(&mut machine)[2].0, "BLOCK_JOB_COMPLETED");
        let drives = run(&mut machine, "query-block", json!({})).unwrap();
        assert_eq!(drives[0]["inserted"]["node-name"], "spare");
        run(&mut machine, "blockdev-del", json!({"node-name": "disk0"})).unwrap();
    }

    #[test]
    fn rejects_nodes_in_use() {
        let mut machine = machine();
        mirror(&mut machine).unwrap();
        assert_eq!(mirror(&mut machine).unwrap_err(), "node 'disk0' is in use by job 'm'");
        let onto = |target| json!({"job-id": "n", "device": "spare", "target": target, "sync": "full"});
        assert!(run(&mut machine, "blockdev-mirror", onto("spare")).is_err());
        assert!(run(&mut machine, "blockdev-mirror", onto("disk0")).is_err());
    }

    #[test]
    fn finds_a_job_by_device() {
        let mut machine = machine();
        mirror(&mut machine).unwrap();
        run(&mut machine, "block-job-set-speed", json!({"device": "m", "speed": 1024})).unwrap();
        assert!(run(&mut machine, "block-job-set-speed", json!({"device": "m", "speed": -1})).is_err());
        run(&mut machine, "block-job-cancel", json!({"device": "m"})).unwrap();
        machine.advance(Duration::from_secs(1));
        assert!(events(&mut machine).iter().any(|event| event.0 == "BLOCK_JOB_CANCELLED"));
        let error = run(&mut machine, "block-job-cancel", json!({"device": "m"})).unwrap_err();
        assert_eq!(error, "block job 'm' not found");
    }
}
