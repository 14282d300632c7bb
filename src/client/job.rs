//! Following a job to its end.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::wire::Event;

use super::client::Client;
use super::error::JobError;
use super::follow::{Follower, per_cent};
use super::job_log::{JobLog, JobTrace, job_of_event};

/// The time between two looks at a job of [`Client::wait_for_job`]. Every change of its status has an event, so only
/// servers that lose events need it.
const WAIT_INTERVAL: Duration = Duration::from_secs(5);

/// The state of a job under way; an item of [`FollowedJob`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobProgress {
    /// The kind of job: `backup`, `mirror`, …
    pub kind: String,
    /// The server's name for its status: `running`, `ready`, …
    pub status: String,
    /// The part that is done, in a unit that depends on the kind; of block jobs in bytes.
    pub done: u64,
    /// The estimated whole, which can grow.
    pub total: u64,
}

impl JobProgress {
    /// Returns the part that is done in per cent. `None` if the whole is unknown.
    pub fn per_cent(&self) -> Option<u8> {
        per_cent(self.done, self.total)
    }
}

/// The state of a job, according to `query-jobs` and to the events so far.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum JobState {
    UnderWay(JobProgress),
    /// It has ended. The server may still list it.
    Ended(JobTrace),
    Unknown,
}

impl JobState {
    /// Reads the state of the job `id` from a reply to `query-jobs`.
    pub(crate) fn of(id: &str, reply: &Value, log: &JobLog) -> JobState {
        let mut jobs = reply.as_array().into_iter().flatten();
        JobState::of_entry(id, jobs.find(|job| text(job, "id") == Some(id)), log)
    }

    /// Reads the state of the job `id` from its entry in a reply to `query-jobs`, if it has one.
    pub(crate) fn of_entry(id: &str, entry: Option<&Value>, log: &JobLog) -> JobState {
        let Some(job) = entry else {
            let trace = log.trace(id);
            return if trace.has_ended { JobState::Ended(trace) } else { JobState::Unknown };
        };
        let status = text(job, "status").unwrap_or_default();
        let number = |member: &str| job.get(member).and_then(Value::as_u64).unwrap_or_default();
        if matches!(status, "concluded" | "null") {
            let reason = text(job, "error").map(str::to_owned);
            let mut trace = log.trace(id);
            // The server reports the failure of a job that it still lists, even if its events were missed.
            trace.has_failed = reason.is_some();
            (trace.reason, trace.has_ended) = (reason, true);
            return JobState::Ended(trace);
        }
        JobState::UnderWay(JobProgress {
            kind: text(job, "type").unwrap_or_default().to_owned(),
            status: status.to_owned(),
            done: number("current-progress"),
            total: number("total-progress"),
        })
    }
}

fn text<'a>(job: &'a Value, member: &str) -> Option<&'a str> {
    job.get(member)?.as_str()
}

/// The progress of one job until it ends; returned by [`Client::follow_job`].
///
/// The iterator ends after the job has ended well. If the job fails, the last item is an error with the server's reason.
#[derive(Debug)]
#[must_use = "an iterator does nothing unless it is used"]
pub struct FollowedJob {
    follower: Follower,
    id: String,
}

/// Returns the state of the job `id`; `None` if it has ended well.
fn look(id: &str, follower: &Follower) -> Result<Option<JobProgress>, JobError> {
    let id = || id.to_owned();
    let Some(reply) = follower.query("query-jobs")? else {
        return Err(JobError::TimedOut { id: id(), status: None });
    };
    match follower.client.job_state(&id(), &reply) {
        JobState::UnderWay(JobProgress { status, .. }) if follower.is_late() => {
            Err(JobError::TimedOut { id: id(), status: Some(status) })
        }
        JobState::UnderWay(progress) => Ok(Some(progress)),
        JobState::Unknown => Err(JobError::Unknown { id: id() }),
        JobState::Ended(trace) if trace.is_cancelled => Err(JobError::Cancelled { id: id() }),
        JobState::Ended(trace) if trace.has_failed => Err(JobError::Failed { id: id(), reason: trace.reason }),
        JobState::Ended(_) => Ok(None),
    }
}

impl Iterator for FollowedJob {
    type Item = Result<JobProgress, JobError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.follower.next(|follower| look(&self.id, follower))
    }
}

impl Client {
    /// Follows a job: returns its progress at each change of its status, and otherwise each `interval`, until it ends.
    ///
    /// The job may have ended before: the client remembers the events of the last 256 jobs, so it knows how a job ended
    /// that it started and that the server has dismissed. It does not dismiss jobs itself.
    ///
    /// ```
    /// # let qemu = qmp_shell::Client::connect("demo:")?;
    /// # use std::time::Duration;
    /// # use qmp_shell::Empty;
    /// # use serde_json::json;
    /// # for name in ["a", "b"] {
    /// #     qemu.execute::<Empty>("blockdev-add", json!({"driver": "null-co", "node-name": name, "size": 4096}))?;
    /// # }
    /// let arguments = json!({"job-id": "j0", "device": "a", "target": "b", "sync": "full"});
    /// qemu.execute::<Empty>("blockdev-mirror", arguments)?;
    /// for progress in qemu.follow_job("j0", Duration::from_millis(100)) {
    ///     let progress = progress?;
    ///     println!("{}: {} of {} bytes", progress.status, progress.done, progress.total);
    ///     if progress.status == "ready" {
    ///         qemu.execute::<Empty>("job-complete", json!({"id": "j0"}))?;
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn follow_job(&self, id: &str, interval: Duration) -> FollowedJob {
        let followed = id.to_owned();
        let is_change = move |event: &Event| job_of_event(event).as_deref() == Some(&*followed);
        FollowedJob { follower: Follower::new(self, interval, is_change), id: id.to_owned() }
    }

    /// Waits up to `timeout` until a job has ended well. Fails if the job fails, with the server's reason, and if it is
    /// cancelled, even if that happened before; see [`Client::follow_job`].
    ///
    /// A job that needs a command to go on, such as a mirror that is `ready`, does not end by itself.
    ///
    /// ```
    /// use std::time::Duration;
    /// use qmp_shell::{Client, Empty, JobError};
    /// use serde_json::json;
    ///
    /// let qemu = Client::connect("demo:")?;
    /// # for name in ["a", "b"] {
    /// #     qemu.execute::<Empty>("blockdev-add", json!({"driver": "null-co", "node-name": name, "size": 4096}))?;
    /// # }
    /// let arguments = json!({"job-id": "j0", "device": "a", "target": "b", "sync": "full"});
    /// qemu.execute::<Empty>("blockdev-mirror", arguments)?;
    /// qemu.execute::<Empty>("job-cancel", json!({"id": "j0"}))?;
    /// match qemu.wait_for_job("j0", Duration::from_secs(10)) {
    ///     Err(JobError::Cancelled { id }) => println!("`{id}` was cancelled"),
    ///     Err(JobError::Failed { reason: Some(reason), .. }) => println!("failed: {reason}"),
    ///     other => other?,
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_for_job(&self, id: &str, timeout: Duration) -> Result<(), JobError> {
        let mut job = self.follow_job(id, WAIT_INTERVAL);
        // A timeout that is too long to represent sets no limit.
        job.follower.deadline = Instant::now().checked_add(timeout);
        job.try_for_each(|progress| progress.map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_the_state_of_a_job() {
        let log = JobLog::default();
        let jobs = json!([
            {"id": "a", "type": "backup", "status": "running", "current-progress": 1, "total-progress": 3},
            {"id": "b", "type": "backup", "status": "concluded", "error": "No space left on device"},
            {"id": "c"},
        ]);
        let JobState::UnderWay(progress) = JobState::of("a", &jobs, &log) else { panic!() };
        assert_eq!((progress.kind.as_str(), progress.per_cent()), ("backup", Some(33)));
        let JobState::Ended(trace) = JobState::of("b", &jobs, &log) else { panic!() };
        assert!(trace.has_failed && trace.reason.as_deref() == Some("No space left on device"));
        let JobState::UnderWay(progress) = JobState::of("c", &jobs, &log) else { panic!() };
        assert_eq!((progress.status.as_str(), progress.per_cent()), ("", None));
        assert_eq!(JobState::of("d", &jobs, &log), JobState::Unknown);
        assert_eq!(JobState::of("a", &Value::Null, &log), JobState::Unknown);
    }
}
