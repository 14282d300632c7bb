//! Following a migration to its end.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::Client;
use super::error::MigrationError;
use super::follow::{Follower, per_cent};

/// The time between two looks at the migration of [`Client::wait_for_migration`]. Only with the capability `events` has
/// every change an event.
const WAIT_INTERVAL: Duration = Duration::from_millis(250);

/// The state of a migration under way; an item of [`FollowedMigration`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationProgress {
    /// The server's name for its status: `setup`, `active`, `postcopy-active`, …
    pub status: String,
    /// The bytes of memory to be transferred, if the server tells.
    pub total: Option<u64>,
    /// The bytes of memory that are left. The guest can change more than are transferred, so it can grow.
    pub remaining: Option<u64>,
    /// The bytes that have been sent.
    pub transferred: Option<u64>,
}

impl MigrationProgress {
    /// Returns the part of the memory that is transferred, in bytes.
    pub fn done(&self) -> Option<u64> {
        self.total?.checked_sub(self.remaining?)
    }

    /// Returns the part of the memory that is transferred, in per cent. `None` if the server does not tell.
    pub fn per_cent(&self) -> Option<u8> {
        per_cent(self.done()?, self.total?)
    }
}

/// The state of the latest migration, according to `query-migrate`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum MigrationState {
    NotStarted,
    UnderWay(MigrationProgress),
    Completed,
    Cancelled,
    /// It failed; with the server's reason, if there is one.
    Failed(Option<String>),
}

impl MigrationState {
    /// Reads the state from a reply to `query-migrate`.
    pub(crate) fn of(reply: &Value) -> MigrationState {
        let text = |member: &str| reply.get(member).and_then(Value::as_str);
        // The destination of QEMU 7.2 has no status while it listens for the source.
        let is_listening = reply.get("socket-address").is_some();
        match text("status").or(is_listening.then_some("setup")) {
            None | Some("none") => MigrationState::NotStarted,
            Some("completed") => MigrationState::Completed,
            Some("cancelled") => MigrationState::Cancelled,
            Some("failed") => MigrationState::Failed(text("error-desc").map(str::to_owned)),
            Some(status) => {
                let number = |member: &str| reply.get("ram")?.get(member)?.as_u64();
                MigrationState::UnderWay(MigrationProgress {
                    status: status.to_owned(),
                    total: number("total"),
                    remaining: number("remaining"),
                    transferred: number("transferred"),
                })
            }
        }
    }
}

/// The progress of the migration until it ends; returned by [`Client::follow_migration`].
///
/// The iterator ends after the migration has ended well. If it fails, the last item is an error with the server's reason.
#[derive(Debug)]
#[must_use = "an iterator does nothing unless it is used"]
pub struct FollowedMigration {
    follower: Follower,
}

/// Returns the state of the migration; `None` if it has ended well.
fn look(follower: &Follower) -> Result<Option<MigrationProgress>, MigrationError> {
    let Some(reply) = follower.query("query-migrate")? else {
        return Err(MigrationError::TimedOut { status: None });
    };
    match MigrationState::of(&reply) {
        MigrationState::UnderWay(MigrationProgress { status, .. }) if follower.is_late() => {
            Err(MigrationError::TimedOut { status: Some(status) })
        }
        MigrationState::UnderWay(progress) => Ok(Some(progress)),
        MigrationState::Completed => Ok(None),
        MigrationState::NotStarted => Err(MigrationError::NotStarted),
        MigrationState::Cancelled => Err(MigrationError::Cancelled),
        MigrationState::Failed(reason) => Err(MigrationError::Failed { reason }),
    }
}

impl Iterator for FollowedMigration {
    type Item = Result<MigrationProgress, MigrationError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.follower.next(look)
    }
}

impl Client {
    /// Follows the latest migration, outgoing or incoming: returns its progress each `interval`, until it ends. If the
    /// capability `events` is on, also at each change of its status.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use qmp_shell::{Client, Empty};
    /// use serde_json::json;
    ///
    /// let qemu = Client::connect("vm.sock")?;
    /// qemu.execute::<Empty>("migrate", json!({"uri": "unix:/run/vm/incoming.sock"}))?;
    /// for progress in qemu.follow_migration(Duration::from_millis(500)) {
    ///     let progress = progress?;
    ///     println!("{} {} %", progress.status, progress.per_cent().unwrap_or(0));
    /// }
    /// println!("the VM runs at the destination");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn follow_migration(&self, interval: Duration) -> FollowedMigration {
        FollowedMigration { follower: Follower::new(self, interval, |event| event.name().starts_with("MIGRATION")) }
    }

    /// Waits up to `timeout` until the latest migration has ended well. Fails if it fails, with the server's reason, and if
    /// it is cancelled, even if that happened before.
    pub fn wait_for_migration(&self, timeout: Duration) -> Result<(), MigrationError> {
        let mut migration = self.follow_migration(WAIT_INTERVAL);
        // A timeout that is too long to represent sets no limit.
        migration.follower.deadline = Instant::now().checked_add(timeout);
        migration.try_for_each(|progress| progress.map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_the_state_of_a_migration() {
        let active = json!({"status": "active", "ram": {"total": 400, "remaining": 100, "transferred": 700}});
        let MigrationState::UnderWay(progress) = MigrationState::of(&active) else { panic!() };
        assert_eq!((progress.done(), progress.per_cent(), progress.transferred), (Some(300), Some(75), Some(700)));
        let listening = json!({"socket-address": []});
        let MigrationState::UnderWay(progress) = MigrationState::of(&listening) else { panic!() };
        assert_eq!((progress.status.as_str(), progress.per_cent()), ("setup", None));
        for (reply, expected) in [
            (json!({}), MigrationState::NotStarted),
            (json!({"status": "none"}), MigrationState::NotStarted),
            (json!({"status": "completed"}), MigrationState::Completed),
            (json!({"status": "cancelled"}), MigrationState::Cancelled),
            (json!({"status": "failed"}), MigrationState::Failed(None)),
            (json!({"status": "failed", "error-desc": "why"}), MigrationState::Failed(Some("why".to_owned()))),
        ] {
            assert_eq!(MigrationState::of(&reply), expected);
        }
    }
}
