//! The wait for the migration.

use std::time::Duration;

use serde_json::Value;

use crate::wire::Request;

use super::super::super::events::log::EventLog;
use super::operation::{Operation, Progress, State};

/// The statuses in which the migration stays until a command is sent, with that command.
const RESTING_STATUSES: &[(&str, &str)] = &[
    ("colo", "x-colo-lost-heartbeat"),
    ("postcopy-paused", "migrate-recover"),
    ("pre-switchover", "migrate-continue state=pre-switchover"),
];

/// The latest migration, of which a server has at most one.
#[derive(Debug)]
pub(super) struct Migration;

impl Operation for Migration {
    fn describe(&self) -> String {
        "the migration".to_owned()
    }

    fn query(&self) -> Request {
        Request::new("query-migrate")
    }

    /// Returns a short time, because a migration has events only if the server was told to send them.
    fn max_interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn is_changed_by(&self, event_name: &str) -> bool {
        event_name.starts_with("MIGRATION")
    }

    fn progress(&self, reply: &Value, _events: &EventLog) -> Progress {
        let text = |member: &str| reply.get(member).and_then(Value::as_str);
        // The destination of QEMU 7.2 has no status while it listens for the source.
        let is_listening = reply.get("socket-address").is_some();
        match text("status").or(is_listening.then_some("setup")) {
            None | Some("none") => Progress::Failed("no migration has been started".to_owned()),
            Some("completed") => Progress::Done,
            Some("cancelled") => Progress::Failed("the migration was cancelled".to_owned()),
            Some("failed") => {
                let reason = text("error-desc").map(|reason| format!(": {reason}")).unwrap_or_default();
                Progress::Failed(format!("the migration failed{reason}"))
            }
            Some(status) => {
                let number = |member: &str| reply.get("ram")?.get(member)?.as_u64();
                let (total, remaining) = (number("total"), number("remaining"));
                let sent = total.zip(remaining).and_then(|(total, remaining)| total.checked_sub(remaining));
                Progress::UnderWay(State::new(status, RESTING_STATUSES).with_progress(sent, total))
            }
        }
    }
}
