//! The client library: commands as typed calls, events as iterators, over one session.
//!
//! Owns the thread that hands each reply to its caller and each event to its listeners. Does not know about lines or
//! the terminal.

#[expect(clippy::module_inception, reason = "named after its type")]
mod client;
mod dispatcher;
mod error;
mod events;
mod follow;
mod job;
mod job_log;
mod migration;
mod open;
mod pending;
mod request;

pub use client::{Client, Empty};
pub use error::{ExecuteError, JobError, ListenError, MigrationError};
pub use events::Events;
#[cfg(feature = "programs")]
pub(crate) use follow::per_cent;
#[cfg(feature = "programs")]
pub(crate) use job::JobState;
pub use job::{FollowedJob, JobProgress};
#[cfg(feature = "programs")]
pub(crate) use job_log::{JobLog, JobTrace, job_of_event};
#[cfg(feature = "programs")]
pub(crate) use migration::MigrationState;
pub use migration::{FollowedMigration, MigrationProgress};
pub use open::open;
#[cfg(feature = "programs")]
pub(crate) use open::open_with_progress;
pub use pending::Pending;
#[cfg(feature = "programs")]
pub(crate) use pending::{REPLY_ANNOUNCEMENT_DELAY, parse_return};
