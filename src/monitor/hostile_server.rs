//! A server for unit tests whose replies have no form that any command expects.

use std::time::Duration;

use serde_json::{Value, json};

use crate::wire::Request;

use super::command::Command;
use super::commands::{commands, info_commands};
use super::line::run_line;
use super::parameter::ParameterKind;
use super::server::{Failure, QmpServer, ServerError};
use super::state::MonitorState;

/// A server that gives the same reply to every request. The user waits for it a few times.
struct HostileServer<'a> {
    reply: &'a Value,
    pauses: usize,
}

impl QmpServer for HostileServer<'_> {
    fn query(&mut self, _: &Request) -> Result<Value, Failure> {
        Ok(self.reply.clone())
    }

    fn query_all(&mut self, requests: &[Request]) -> Result<Vec<Result<Value, ServerError>>, Failure> {
        Ok(requests.iter().map(|_| Ok(self.reply.clone())).collect())
    }

    fn can_receive_fds(&mut self) -> bool {
        true
    }

    fn execute(&mut self, request: &Request) -> Result<Value, Failure> {
        self.query(request)
    }

    fn pause(&mut self, _: Duration) -> Result<(), Failure> {
        self.pauses = self.pauses.checked_sub(1).ok_or(Failure::Interrupted)?;
        Ok(())
    }
}

/// Keys of many replies.
const KEYS: &[&str] = &[
    "actual",
    "address",
    "addr",
    "auth",
    "backing-image",
    "blocked-reasons",
    "bus",
    "capability",
    "class_info",
    "clients",
    "completed",
    "cpu-index",
    "current",
    "data",
    "desc",
    "descs",
    "dev-features",
    "device",
    "devices",
    "display",
    "driver",
    "enabled",
    "error-desc",
    "file",
    "filename",
    "flags",
    "guest-features",
    "host-nodes",
    "human-readable-text",
    "icount",
    "id",
    "image",
    "index",
    "inserted",
    "irq",
    "irq_pin",
    "key",
    "label",
    "mode",
    "name",
    "node-name",
    "options",
    "pci_bridge",
    "postcopy-vcpu-blocktime",
    "props",
    "provider",
    "ram",
    "regions",
    "result",
    "server",
    "size",
    "snapshots",
    "socket-address",
    "stats",
    "status",
    "target",
    "total",
    "type",
    "value",
    "vhost-dev",
];

/// Returns values of all JSON types, and some of them as members and items of others.
pub(crate) fn replies() -> Vec<Value> {
    let object_of = |value: &Value| KEYS.iter().map(|key| ((*key).to_owned(), value.clone())).collect::<Value>();
    let mut replies = Vec::new();
    for scalar in [json!(null), json!(true), json!(27), json!(u64::MAX), json!(-0.5), json!(1e300), json!({})] {
        let object = object_of(&scalar);
        replies.extend([json!([object, scalar]), object, scalar]);
    }
    for scalar in [json!(-1), json!("\u{1b}[2J\u{0}é"), json!("active"), json!([])] {
        let object = object_of(&scalar);
        let list = object_of(&json!([object, scalar]));
        replies.extend([json!([list, scalar]), list, object_of(&object), object, scalar]);
    }
    replies
}

/// Returns a line that calls a command with all its arguments.
fn line(command: &Command) -> String {
    let argument = |kind| match kind {
        ParameterKind::Flag(letter) => format!(" -{letter}"),
        ParameterKind::FlagWithText(letter) => format!(" -{letter} a"),
        ParameterKind::Format | ParameterKind::Index => String::new(),
        ParameterKind::Switch => " on".to_owned(),
        ParameterKind::Options => " a,id=b".to_owned(),
        ParameterKind::Text | ParameterKind::FileName | ParameterKind::BlockDevice | ParameterKind::RestOfLine => {
            " a".to_owned()
        }
        _ => " 1".to_owned(),
    };
    let arguments: String = command.parameters.iter().map(|parameter| argument(parameter.kind)).collect();
    format!("{}{arguments}", command.name)
}

#[test]
fn no_command_panics_at_any_reply() {
    let replies = replies();
    for command in commands().chain(info_commands()) {
        for line in [command.name.to_owned(), line(command)] {
            for reply in &replies {
                let mut server = HostileServer { reply, pauses: 3 };
                let _ = run_line(&line, &mut server, &mut MonitorState::default());
            }
        }
    }
}
