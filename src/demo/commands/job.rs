//! Commands of jobs: the mirror that starts one, the `job-` commands by id, and the older `block-job-` ones by device.

use super::block_types::IO_STATUS;
use super::{Command, NOTHING, command, nothing};
use crate::demo::args::Args;
use crate::demo::event::{JOB_STATUS, JOB_TYPE};
use crate::demo::failure::{Class, Failure, Outcome};
use crate::demo::job::{Plan, Verb};
use crate::demo::machine::Machine;
use crate::demo::types::{EMPTY, Enum, Object, Type, Union, object, opt, req};

static SYNC_MODE: Enum = Enum { name: "MirrorSyncMode", values: &["top", "full", "none", "incremental", "bitmap"] };
static COPY_MODE: Enum = Enum { name: "MirrorCopyMode", values: &["background", "write-blocking"] };
static ON_ERROR: Enum = Enum { name: "BlockdevOnError", values: &["report", "ignore", "enospc", "stop", "auto"] };
static MIRROR_ARGS: Object = object(
    "q_obj_blockdev-mirror",
    &[
        opt("job-id", Type::Str),
        req("device", Type::Str),
        req("target", Type::Str),
        req("sync", Type::Enum(&SYNC_MODE)),
        opt("speed", Type::Int),
        opt("granularity", Type::Int),
        opt("buf-size", Type::Int),
        opt("on-source-error", Type::Enum(&ON_ERROR)),
        opt("on-target-error", Type::Enum(&ON_ERROR)),
        opt("copy-mode", Type::Enum(&COPY_MODE)),
        opt("auto-finalize", Type::Bool),
        opt("auto-dismiss", Type::Bool),
    ],
);

static JOB_ARGS: Object = object("q_obj_job", &[req("id", Type::Str)]);
static BLOCK_JOB_ARGS: Object = object("q_obj_block-job", &[req("device", Type::Str)]);
static BLOCK_JOB_CANCEL_ARGS: Object =
    object("q_obj_block-job-cancel", &[req("device", Type::Str), opt("force", Type::Bool)]);
static SET_SPEED_ARGS: Object =
    object("q_obj_block-job-set-speed", &[req("device", Type::Str), req("speed", Type::Int)]);

static JOB_INFO: Object = object(
    "JobInfo",
    &[
        req("id", Type::Str),
        req("type", Type::Enum(&JOB_TYPE)),
        req("status", Type::Enum(&JOB_STATUS)),
        req("current-progress", Type::Int),
        req("total-progress", Type::Int),
        opt("error", Type::Str),
    ],
);
static MIRROR_INFO: Object = object("BlockJobInfoMirror", &[req("actively-synced", Type::Bool)]);
static BLOCK_JOB_INFO: Object = Object {
    name: "BlockJobInfo",
    members: &[
        req("type", Type::Enum(&JOB_TYPE)),
        req("device", Type::Str),
        req("len", Type::Int),
        req("offset", Type::Int),
        req("busy", Type::Bool),
        req("paused", Type::Bool),
        req("speed", Type::Int),
        req("io-status", Type::Enum(&IO_STATUS)),
        req("ready", Type::Bool),
        req("status", Type::Enum(&JOB_STATUS)),
        req("auto-finalize", Type::Bool),
        req("auto-dismiss", Type::Bool),
        opt("error", Type::Str),
    ],
    union: Some(Union { tag: "type", variants: &[("mirror", &MIRROR_INFO)] }),
    open: false,
};

/// The commands of this file.
pub static COMMANDS: &[Command] = &[
    command("query-jobs", &EMPTY, Type::Array(&Type::Object(&JOB_INFO)), query_jobs),
    command("query-block-jobs", &EMPTY, Type::Array(&Type::Object(&BLOCK_JOB_INFO)), query_block_jobs),
    command("blockdev-mirror", &MIRROR_ARGS, NOTHING, blockdev_mirror),
    command("job-complete", &JOB_ARGS, NOTHING, |machine, args| by_id(machine, args, Verb::Complete)),
    command("job-cancel", &JOB_ARGS, NOTHING, |machine, args| by_id(machine, args, Verb::Cancel { force: true })),
    command("job-pause", &JOB_ARGS, NOTHING, |machine, args| by_id(machine, args, Verb::Pause)),
    command("job-resume", &JOB_ARGS, NOTHING, |machine, args| by_id(machine, args, Verb::Resume)),
    command("job-finalize", &JOB_ARGS, NOTHING, |machine, args| by_id(machine, args, Verb::Finalize)),
    command("job-dismiss", &JOB_ARGS, NOTHING, |machine, args| by_id(machine, args, Verb::Dismiss)),
    command("block-job-complete", &BLOCK_JOB_ARGS, NOTHING, |machine, args| by_device(machine, args, Verb::Complete)),
    command("block-job-cancel", &BLOCK_JOB_CANCEL_ARGS, NOTHING, block_job_cancel),
    command("block-job-pause", &BLOCK_JOB_ARGS, NOTHING, |machine, args| by_device(machine, args, Verb::Pause)),
    command("block-job-resume", &BLOCK_JOB_ARGS, NOTHING, |machine, args| by_device(machine, args, Verb::Resume)),
    command("block-job-set-speed", &SET_SPEED_ARGS, NOTHING, block_job_set_speed),
];

fn query_jobs(machine: &mut Machine, _: Args<'_>) -> Outcome {
    Ok(machine.jobs.query_jobs())
}

fn query_block_jobs(machine: &mut Machine, _: Args<'_>) -> Outcome {
    Ok(machine.jobs.query_block_jobs())
}

fn blockdev_mirror(machine: &mut Machine, args: Args<'_>) -> Outcome {
    let device = args.text("device")?;
    let source = machine.blocks.root_of(device)?;
    let target = machine.blocks.root_of(args.text("target")?)?;
    if source == target {
        return Err(Failure::new("a node cannot be mirrored onto itself"));
    }
    if let Some(user) = machine.blocks.user_of(&target) {
        return Err(Failure::new(format!("node '{target}' is in use by {user}")));
    }
    for node in [&source, &target] {
        if let Some(job) = machine.jobs.user_of(node) {
            return Err(Failure::new(format!("node '{node}' is in use by job '{job}'")));
        }
    }
    if matches!(args.text("sync")?, "incremental" | "bitmap") {
        return Err(Failure::new("a mirror takes one of the sync modes top, full, none"));
    }
    let plan = Plan {
        id: args.maybe_text("job-id").unwrap_or(device).to_owned(),
        len: machine.blocks.node(&source)?.size,
        source,
        target,
        speed: speed(args)?,
        auto_finalize: args.flag("auto-finalize").unwrap_or(true),
        auto_dismiss: args.flag("auto-dismiss").unwrap_or(true),
    };
    let now = machine.now();
    machine.jobs.start(plan, now)?;
    nothing()
}

fn speed(args: Args<'_>) -> Result<u64, Failure> {
    match args.number("speed") {
        Some(speed) if speed > i64::MAX.cast_unsigned() => Err(Failure::new("argument 'speed' must not be negative")),
        speed => Ok(speed.unwrap_or(0)),
    }
}

fn by_id(machine: &mut Machine, args: Args<'_>, verb: Verb) -> Outcome {
    let now = machine.now();
    machine.jobs.ask(args.text("id")?, verb, now)?;
    nothing()
}

fn by_device(machine: &mut Machine, args: Args<'_>, verb: Verb) -> Outcome {
    let now = machine.now();
    let id = block_job(machine, args)?;
    machine.jobs.ask(id, verb, now)?;
    nothing()
}

fn block_job_cancel(machine: &mut Machine, args: Args<'_>) -> Outcome {
    by_device(machine, args, Verb::Cancel { force: args.flag("force").unwrap_or(false) })
}

fn block_job_set_speed(machine: &mut Machine, args: Args<'_>) -> Outcome {
    let now = machine.now();
    let id = block_job(machine, args)?;
    machine.jobs.set_speed(id, speed(args)?, now)?;
    nothing()
}

/// The job that the argument `device` means: what these commands call the device is the job's id.
fn block_job<'a>(machine: &Machine, args: Args<'a>) -> Result<&'a str, Failure> {
    let id = args.text("device")?;
    if machine.jobs.has(id) {
        return Ok(id);
    }
    Err(Failure::of(Class::DeviceNotActive, format!("there is no block job '{id}'")))
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
    fn a_mirror_ends_with_the_target_in_the_drive() {
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
    fn nodes_in_use_are_refused() {
        let mut machine = machine();
        mirror(&mut machine).unwrap();
        assert_eq!(mirror(&mut machine).unwrap_err(), "node 'disk0' is in use by job 'm'");
        let onto = |target| json!({"job-id": "n", "device": "spare", "target": target, "sync": "full"});
        assert!(run(&mut machine, "blockdev-mirror", onto("spare")).is_err());
        assert!(run(&mut machine, "blockdev-mirror", onto("disk0")).is_err());
    }

    #[test]
    fn a_job_can_be_named_by_device() {
        let mut machine = machine();
        mirror(&mut machine).unwrap();
        run(&mut machine, "block-job-set-speed", json!({"device": "m", "speed": 1024})).unwrap();
        assert!(run(&mut machine, "block-job-set-speed", json!({"device": "m", "speed": -1})).is_err());
        run(&mut machine, "block-job-cancel", json!({"device": "m"})).unwrap();
        machine.advance(Duration::from_secs(1));
        assert!(events(&mut machine).iter().any(|event| event.0 == "BLOCK_JOB_CANCELLED"));
        let gone = run(&mut machine, "block-job-cancel", json!({"device": "m"})).unwrap_err();
        assert_eq!(gone, "there is no block job 'm'");
    }
}
