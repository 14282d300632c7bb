//! A job as an operation that ends.

use std::time::Duration;

use crate::client::{JobProgress, JobState, JobTrace};
use crate::grammar::{Diagnostic, Word};
use crate::schema::did_you_mean;
use crate::wire::Request;

use super::super::super::events::log::EventLog;
use super::super::waiting::parse_seconds;
use super::{Operation, Progress, RestKind, Rests, ServerState, State};

const RESTS: Rests = &[
    ("paused", RestKind::Paused, "job-resume"),
    ("pending", RestKind::Finished, "job-finalize"),
    ("ready", RestKind::Finished, "job-complete"),
    ("standby", RestKind::Paused, "job-resume"),
];

/// The kinds of jobs whose progress is in bytes.
const KINDS_IN_BYTES: &[&str] = &["backup", "commit", "mirror", "stream"];

/// A job, and how far it is awaited.
#[derive(Debug)]
pub(in super::super) struct Job {
    id: String,
    /// The status that is awaited; `None` for the end.
    status: Option<String>,
    /// Whether the server has told of it.
    is_listed: bool,
}

impl Job {
    /// Returns a job that the server has told of, awaited to its end.
    pub(in super::super) fn listed(id: &str) -> Job {
        Job { id: id.to_owned(), status: None, is_listed: true }
    }

    /// Parses the id of a job.
    pub(in super::super) fn parse_id(word: &Word) -> Result<Job, Diagnostic> {
        if word.equals.is_some() {
            let message = format!("expected the id of a job, found `{}`; did you mean `{}`?", word.text, word.value());
            return Err(Diagnostic::new(word.span, message));
        }
        Ok(Job { id: word.text.clone(), status: None, is_listed: false })
    }

    /// Parses the arguments after `job`. Returns the timeout too.
    pub(in super::super) fn parse(id: &Word, arguments: &[Word]) -> Result<(Job, Option<Duration>), Diagnostic> {
        let mut job = Job::parse_id(id)?;
        let mut timeout = None;
        for word in arguments {
            match word.key() {
                "timeout" if word.equals.is_some() => timeout = Some(parse_seconds(word)?),
                "status" if word.equals.is_some() => job.status = Some(parse_status(word)?),
                _ => {
                    let message = format!("expected `status=STATUS` or `timeout=SECONDS`, found `{}`", word.text);
                    return Err(Diagnostic::new(word.span, message));
                }
            }
        }
        Ok((job, timeout))
    }

    /// Returns the progress of a job that has not ended.
    fn progress_under_way(&self, job: JobProgress) -> Progress {
        if self.status.as_ref() == Some(&job.status) {
            return Progress::Done;
        }
        let mut state = State::new(&job.kind, &job.status, RESTS);
        if let Some(rest) = &mut state.rest {
            rest.command = format!("{} id={}", rest.command, self.id);
        }
        let is_in_bytes = KINDS_IN_BYTES.contains(&state.kind.as_str());
        Progress::UnderWay(State { done: Some(job.done), total: Some(job.total), is_in_bytes, ..state })
    }

    /// Returns the progress of a job that has ended.
    fn progress_of_ended(&self, trace: &JobTrace) -> Progress {
        let name = self.describe();
        match &self.status {
            _ if trace.is_cancelled => Progress::Failed(format!("{name} was cancelled")),
            _ if trace.has_failed => {
                let lost = || "; it was dismissed before its error could be read".to_owned();
                let reason = trace.reason.as_ref().map_or_else(lost, |reason| format!(": {reason}"));
                Progress::Failed(format!("{name} failed{reason}"))
            }
            Some(status) if !trace.statuses.contains(status) => {
                Progress::Failed(format!("{name} ended before it was {status}"))
            }
            _ => Progress::Done,
        }
    }
}

impl Operation for Job {
    fn describe(&self) -> String {
        format!("job `{}`", self.id)
    }

    fn label(&self) -> &str {
        &self.id
    }

    fn query(&self) -> Request {
        Request::new("query-jobs")
    }

    /// Returns a long time, because every change has an event.
    fn max_interval(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn is_changed_by(&self, event_name: &str) -> bool {
        event_name.contains("JOB_")
    }

    fn progress(&self, state: &ServerState, events: &EventLog) -> Progress {
        match JobState::of_entry(&self.id, state.job(&self.id), events.jobs()) {
            JobState::UnderWay(job) => self.progress_under_way(job),
            JobState::Ended(trace) => self.progress_of_ended(&trace),
            JobState::Unknown if self.is_listed => {
                Progress::Failed(format!("{} has gone; the server does not tell how it ended", self.describe()))
            }
            JobState::Unknown => {
                let near = did_you_mean(&self.id, state.job_ids());
                Progress::Failed(format!("unknown job `{}`{near}", self.id))
            }
        }
    }
}

fn parse_status(word: &Word) -> Result<String, Diagnostic> {
    let statuses = || RESTS.iter().map(|(status, ..)| *status);
    match statuses().any(|status| status == word.value()) {
        true => Ok(word.value().to_owned()),
        false => {
            let names: Vec<String> = statuses().map(|status| format!("`{status}`")).collect();
            let message = format!("expected one of {}, found `{}`", names.join(", "), word.value());
            Err(Diagnostic::new(word.value_span(), message))
        }
    }
}
