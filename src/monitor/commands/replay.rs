//! Recorded executions.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::{Parameter, long_integer};
use super::super::server::Failure;
use super::super::text::{plain, string};

const COUNT: Parameter = long_integer("icount");

pub(super) const COMMANDS: &[Command] = &[
    Command::new("info replay", &[], "the state of recording or replaying", info_replay),
    Command::new("replay_break", &[COUNT], "pause the replay at an instruction", |call| {
        send_count(call, "replay-break")
    }),
    Command::new("replay_delete_break", &[], "forget where the replay is to pause", |call| {
        call.execute("replay-delete-break", Value::Null).map_err(Failure::without_prefix)
    }),
    Command::new("replay_seek", &[COUNT], "replay up to an instruction", |call| send_count(call, "replay-seek")),
];

fn send_count(call: &mut Invocation<'_>, command: &str) -> Result<String, Failure> {
    let count = call.arguments.integer("icount");
    call.execute(command, json!({ "icount": count })).map_err(Failure::without_prefix)
}

fn info_replay(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-replay", Value::Null)?;
    let activity = match string(&reply, "mode") {
        "record" => "Recording",
        "play" => "Replaying",
        _ => return Ok("Record/replay is not active\n".to_owned()),
    };
    let (file, count) = (string(&reply, "filename"), plain(&reply, "icount"));
    Ok(format!("{activity} execution '{file}': instruction count = {count}\n"))
}
