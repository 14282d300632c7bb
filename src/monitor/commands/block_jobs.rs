//! Block jobs: copying, streaming and mirroring disks in the background.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::{Parameter, block_device, flag, size, text};
use super::super::server::Failure;
use super::super::text::{integer, items, string};

const DEVICE: Parameter = block_device("device");

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "block_job_cancel",
        &[flag('f', "force"), DEVICE],
        "end a block job; with -f at once, even before its copy is complete",
        |call| {
            let (device, force) = (call.device(), call.arguments.is_on("force"));
            call.execute("block-job-cancel", json!({ "device": device, "force": force }))
        },
    ),
    Command::new("block_job_complete", &[DEVICE], "complete a block job that is ready", |call| {
        control_job(call, "block-job-complete")
    }),
    Command::new("block_job_pause", &[DEVICE], "pause a block job", |call| control_job(call, "block-job-pause")),
    Command::new("block_job_resume", &[DEVICE], "resume a paused block job", |call| {
        control_job(call, "block-job-resume")
    }),
    Command::new(
        "block_job_set_speed",
        &[DEVICE, size("speed")],
        "limit the speed of a block job, in MiB/s unless it has a suffix",
        |call| {
            let (device, speed) = (call.device(), call.arguments.integer("speed"));
            call.execute("block-job-set-speed", json!({ "device": device, "speed": speed }))
        },
    ),
    Command::new(
        "block_stream",
        &[DEVICE, size("speed").optional(), text("base").optional()],
        "copy the data of backing files into a device's own image",
        block_stream,
    ),
    Command::new(
        "drive_backup",
        &[
            flag('n', "reuse"),
            flag('f', "full"),
            flag('c', "compress"),
            DEVICE,
            text("target"),
            text("format").optional(),
        ],
        "copy a device to a new image, as it is now",
        |call| {
            let compress = call.arguments.is_on("compress");
            copy_drive(call, "drive-backup", compress)
        },
    ),
    Command::new(
        "drive_mirror",
        &[flag('n', "reuse"), flag('f', "full"), DEVICE, text("target"), text("format").optional()],
        "copy a device to a new image, with all that is written meanwhile",
        |call| copy_drive(call, "drive-mirror", false),
    ),
    Command::new("info block-jobs", &[], "block jobs and their progress", info_block_jobs),
];

fn control_job(call: &mut Invocation<'_>, command: &str) -> Result<String, Failure> {
    let device = call.device();
    call.execute(command, json!({ "device": device }))
}

fn block_stream(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let arguments = &call.arguments;
    let device = arguments.text("device");
    let request = json!({
        "job-id": device,
        "device": device,
        "base": arguments.optional_text("base"),
        "speed": arguments.optional_integer("speed"),
        "on-error": "report",
    });
    call.execute("block-stream", request)
}

/// Copies a device to a new image, or with -n to one that exists. Without -f only the data above its backing file.
fn copy_drive(call: &mut Invocation<'_>, command: &str, compress: bool) -> Result<String, Failure> {
    // QEMU names the job after the device; a node has no such name.
    let job_id = call.is_storage_daemon().then(|| call.device());
    let arguments = &call.arguments;
    let target = arguments.text("target").to_owned();
    let request = json!({
        "job-id": job_id,
        "device": arguments.text("device"),
        "target": target,
        "format": arguments.optional_text("format"),
        "sync": if arguments.is_on("full") { "full" } else { "top" },
        "mode": if arguments.is_on("reuse") { "existing" } else { "absolute-paths" },
        "compress": compress.then_some(true),
    });
    call.execute_opening(&target, command, request)
}

fn info_block_jobs(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let jobs = call.query("query-block-jobs", json!({}))?;
    if items(&jobs).is_empty() {
        return Ok("No active jobs\n".to_owned());
    }
    let describe = |job: &Value| {
        let what = match string(job, "type") {
            "stream" => "Streaming".to_owned(),
            kind => format!("Type {kind},"),
        };
        let (done, total, limit) = (integer(job, "offset"), integer(job, "len"), integer(job, "speed"));
        let device = string(job, "device");
        format!("{what} device {device}: Completed {done} of {total} bytes, speed limit {limit} bytes/s\n")
    };
    Ok(items(&jobs).iter().map(describe).collect())
}
