//! The wait for a job.

use std::time::Duration;

use serde_json::Value;

use crate::grammar::{Diagnostic, Word};
use crate::schema::did_you_mean;
use crate::wire::Request;

use super::super::super::events::job_trace::JobTrace;
use super::super::super::events::log::EventLog;
use super::operation::{Operation, Progress, State};
use super::parse_timeout;

/// The statuses in which a job stays until it is sent a command, with that command.
const RESTING_STATUSES: &[(&str, &str)] =
    &[("paused", "job-resume"), ("pending", "job-finalize"), ("ready", "job-complete"), ("standby", "job-resume")];

/// A job, and how far it is awaited.
#[derive(Debug)]
pub(super) struct Job {
    id: String,
    /// The status that is awaited; `None` for the end.
    status: Option<String>,
}

impl Job {
    /// Parses the arguments after `job`. Returns the timeout too.
    pub(super) fn parse(id: &Word, arguments: &[Word]) -> Result<(Job, Option<Duration>), Diagnostic> {
        if id.equals.is_some() {
            let message = format!("expected the id of a job, found `{}`; did you mean `{}`?", id.text, id.value());
            return Err(Diagnostic::new(id.span, message));
        }
        let mut job = Job { id: id.text.clone(), status: None };
        let mut timeout = None;
        for word in arguments {
            match word.key() {
                "timeout" if word.equals.is_some() => timeout = Some(parse_timeout(word)?),
                "status" if word.equals.is_some() => job.status = Some(parse_status(word)?),
                _ => {
                    let message = format!("expected `status=STATUS` or `timeout=SECONDS`, found `{}`", word.text);
                    return Err(Diagnostic::new(word.span, message));
                }
            }
        }
        Ok((job, timeout))
    }

    /// Returns the progress of a job that the server lists.
    fn progress_of_listed(&self, job: &Value, events: &EventLog) -> Progress {
        let status = text(job, "status").unwrap_or_default();
        if status == "concluded" {
            let reason = text(job, "error").map(str::to_owned);
            let trace = JobTrace { has_failed: reason.is_some(), reason, ..events.job_trace(&self.id) };
            return self.progress_of_ended(&trace);
        }
        if self.status.as_deref() == Some(status) {
            return Progress::Done;
        }
        let number = |member: &str| job.get(member).and_then(Value::as_u64);
        let (done, total) = (number("current-progress"), number("total-progress"));
        let mut state = State::new(status, RESTING_STATUSES).with_progress(done, total);
        state.needs = state.needs.map(|command| format!("{command} id={}", self.id));
        Progress::UnderWay(state)
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

    fn progress(&self, reply: &Value, events: &EventLog) -> Progress {
        let jobs = || reply.as_array().into_iter().flatten();
        if let Some(job) = jobs().find(|job| text(job, "id") == Some(&self.id)) {
            return self.progress_of_listed(job, events);
        }
        let trace = events.job_trace(&self.id);
        if trace.has_ended {
            return self.progress_of_ended(&trace);
        }
        let near = did_you_mean(&self.id, jobs().filter_map(|job| text(job, "id")));
        Progress::Failed(format!("unknown job `{}`{near}", self.id))
    }
}

fn parse_status(word: &Word) -> Result<String, Diagnostic> {
    let statuses = || RESTING_STATUSES.iter().map(|(status, _)| *status);
    match statuses().any(|status| status == word.value()) {
        true => Ok(word.value().to_owned()),
        false => {
            let names: Vec<String> = statuses().map(|status| format!("`{status}`")).collect();
            let message = format!("expected one of {}, found `{}`", names.join(", "), word.value());
            Err(Diagnostic::new(word.value_span(), message))
        }
    }
}

fn text<'a>(job: &'a Value, member: &str) -> Option<&'a str> {
    job.get(member)?.as_str()
}
