//! Advice on failures that an event reports without their reason, or that only its data tells.

use std::fmt;

use serde::Deserialize;

use crate::wire::Event;

use super::log::EventLog;

/// The members of an event's data that tell of failures.
#[derive(Deserialize)]
struct Data {
    #[serde(alias = "device")]
    id: Option<String>,
    status: Option<String>,
    error: Option<String>,
    /// The operation that failed, and the reaction to that.
    operation: Option<String>,
    action: Option<String>,
}

/// A failure that an event reports without its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UnexplainedFailure {
    /// The failure of the job with this id.
    Job(String),
    /// The job with this id has been paused, because this operation failed.
    PausedJob(String, String),
    Migration,
}

impl fmt::Display for UnexplainedFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnexplainedFailure::Job(id) => write!(f, "job `{id}` failed"),
            UnexplainedFailure::PausedJob(id, operation) => {
                write!(f, "job `{id}` is paused after a {operation} error; `job-resume id={id}` tries again")
            }
            UnexplainedFailure::Migration => f.write_str("the migration failed"),
        }
    }
}

/// The events that can report a failure without its reason.
const FAILURE_EVENTS: &[&str] = &["BLOCK_JOB_ERROR", "JOB_STATUS_CHANGE", "MIGRATION"];

/// Returns the failure that the latest event reports, if the reason is only in the reply to a query.
pub(crate) fn unexplained_failure(log: &EventLog) -> Option<UnexplainedFailure> {
    let event = log.last(1).next().filter(|event| FAILURE_EVENTS.contains(&event.name()))?;
    let data: Data = event.data_as().ok()?;
    match (data.id, data.status.as_deref()) {
        (Some(id), None) if data.action.as_deref() == Some("stop") => {
            Some(UnexplainedFailure::PausedJob(id, data.operation.unwrap_or_default()))
        }
        // A block job has told its reason by now.
        (Some(id), Some("concluded")) => {
            let trace = log.jobs().trace(&id);
            let is_unexplained = trace.has_failed && !trace.is_cancelled && trace.reason.is_none();
            is_unexplained.then_some(UnexplainedFailure::Job(id))
        }
        (None, Some("failed")) => Some(UnexplainedFailure::Migration),
        _ => None,
    }
}

/// Returns a warning about an event that a script waited for as a success, but that tells of a failure.
pub(crate) fn warning_about(event: &Event, log: &EventLog) -> Option<String> {
    let data: Data = event.data_as().ok()?;
    let failed_job = |id: &str, reason: Option<&str>| {
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("job `{id}` failed{reason}; `.wait job {id}` would fail")
    };
    match (event.name(), data) {
        ("JOB_STATUS_CHANGE", Data { id: Some(id), status: Some(status), .. })
            if matches!(status.as_str(), "concluded" | "null") =>
        {
            let trace = log.jobs().trace(&id);
            (trace.has_failed && !trace.is_cancelled).then(|| failed_job(&id, trace.reason.as_deref()))
        }
        ("BLOCK_JOB_COMPLETED", Data { id: Some(id), error: Some(error), .. }) => Some(failed_job(&id, Some(&error))),
        (name, Data { error: Some(error), .. }) => Some(format!("`{name}` reports an error: {error}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Message;

    #[test]
    fn finds_failures_whose_reason_is_unknown() {
        let mut log = EventLog::default();
        let mut failure_after = |name: &str, data: &str| {
            match Message::parse(format!("{{\"event\": \"{name}\", \"data\": {data}}}").into_bytes()) {
                Ok(Message::Event(event)) => log.push(event),
                other => panic!("{other:?}"),
            }
            unexplained_failure(&log)
        };
        let status = |status: &str| format!(r#"{{"id": "s", "status": "{status}"}}"#);
        assert_eq!(failure_after("JOB_STATUS_CHANGE", &status("aborting")), None);
        let failure = failure_after("JOB_STATUS_CHANGE", &status("concluded"));
        assert_eq!(failure, Some(UnexplainedFailure::Job("s".to_owned())));
        assert_eq!(failure_after("JOB_STATUS_CHANGE", &status("created")), None);
        assert_eq!(failure_after("JOB_STATUS_CHANGE", &status("aborting")), None);
        assert_eq!(failure_after("BLOCK_JOB_COMPLETED", r#"{"device": "s", "error": "no space"}"#), None);
        assert_eq!(failure_after("JOB_STATUS_CHANGE", &status("concluded")), None);
        let stopped = r#"{"device": "s", "operation": "write", "action": "stop"}"#;
        let paused = failure_after("BLOCK_JOB_ERROR", stopped).map(|failure| failure.to_string());
        assert_eq!(paused.as_deref(), Some("job `s` is paused after a write error; `job-resume id=s` tries again"));
        assert_eq!(failure_after("BLOCK_JOB_ERROR", &stopped.replace("stop", "report")), None);
        assert_eq!(failure_after("MIGRATION", r#"{"status": "completed"}"#), None);
        assert_eq!(failure_after("MIGRATION", r#"{"status": "failed"}"#), Some(UnexplainedFailure::Migration));
    }

    #[test]
    fn warns_of_ends_that_are_failures() {
        let warning = |name: &str, data: &str| match Message::parse(
            format!("{{\"event\": \"{name}\", \"data\": {data}}}").into_bytes(),
        ) {
            Ok(Message::Event(event)) => warning_about(&event, &EventLog::default()),
            other => panic!("{other:?}"),
        };
        let failed_dump = r#"{"result": {"status": "failed"}, "error": "no space"}"#;
        assert_eq!(
            warning("DUMP_COMPLETED", failed_dump).as_deref(),
            Some("`DUMP_COMPLETED` reports an error: no space")
        );
        assert_eq!(warning("BLOCK_JOB_COMPLETED", r#"{"device": "j"}"#), None);
        assert_eq!(warning("JOB_STATUS_CHANGE", r#"{"id": "j", "status": "null"}"#), None);
        assert_eq!(warning("STOP", "null"), None);
    }
}
