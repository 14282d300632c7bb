//! The migration as an operation that ends.

use std::time::Duration;

use crate::client::MigrationState;
use crate::wire::Request;

use super::super::super::events::log::EventLog;
use super::{Operation, Progress, RestKind, Rests, ServerState, State};

const RESTS: Rests = &[
    ("colo", RestKind::Finished, "x-colo-lost-heartbeat"),
    ("postcopy-paused", RestKind::Stuck, "migrate-recover"),
    ("pre-switchover", RestKind::Finished, "migrate-continue state=pre-switchover"),
];

/// The latest migration, of which a server has at most one.
#[derive(Debug)]
pub(in super::super) struct Migration;

impl Operation for Migration {
    fn describe(&self) -> String {
        "the migration".to_owned()
    }

    fn label(&self) -> &str {
        "migration"
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

    fn progress(&self, state: &ServerState, _events: &EventLog) -> Progress {
        match MigrationState::of(&state.value) {
            MigrationState::NotStarted => Progress::Failed("no migration has been started".to_owned()),
            MigrationState::Completed => Progress::Done,
            MigrationState::Cancelled => Progress::Failed("the migration was cancelled".to_owned()),
            MigrationState::Failed(reason) => {
                let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                Progress::Failed(format!("the migration failed{reason}"))
            }
            MigrationState::UnderWay(progress) => {
                let state = State::new("", &progress.status, RESTS);
                Progress::UnderWay(State { done: progress.done(), total: progress.total, is_in_bytes: true, ..state })
            }
        }
    }
}
