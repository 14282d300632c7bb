//! The course of jobs, according to their events. It is all that is left of a job that QEMU dismissed at its end.

use std::collections::{BTreeSet, VecDeque};

use serde::Deserialize;

use crate::wire::Event;

/// The maximum number of jobs whose course is kept.
const MAX_JOBS: usize = 256;

/// The maximum size of an event that is read. QEMU's events about jobs have a few hundred bytes.
const MAX_EVENT_BYTES: usize = 64 << 10;

/// The maximum number of statuses that are kept of one job. QEMU has eleven.
const MAX_STATUSES: usize = 32;

/// The course of the latest jobs, each id once.
#[derive(Debug, Default)]
pub(crate) struct JobLog {
    /// Ids and their course; the job with the latest event comes last.
    jobs: VecDeque<(String, JobTrace)>,
}

/// The course of the latest job with some id.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct JobTrace {
    /// The statuses that it has had.
    pub(crate) statuses: BTreeSet<String>,
    pub(crate) has_ended: bool,
    /// Whether it failed or was cancelled.
    pub(crate) has_failed: bool,
    pub(crate) is_cancelled: bool,
    /// The server's text about its failure.
    pub(crate) reason: Option<String>,
    /// The number of bytes that it handled, if the event about its end told.
    pub(crate) len: Option<u64>,
}

impl JobLog {
    /// Adds an event, if it is about a job.
    pub(crate) fn push(&mut self, event: &Event) {
        let Some(data) = JobEvent::of(event) else { return };
        let at = self.jobs.iter().position(|(id, _)| *id == data.id);
        let (id, mut trace) = match at.and_then(|at| self.jobs.remove(at)) {
            Some((id, trace)) if data.status.as_deref() != Some("created") => (id, trace),
            _ => (data.id.clone(), JobTrace::default()),
        };
        trace.add(event.name(), data);
        self.jobs.push_back((id, trace));
        if self.jobs.len() > MAX_JOBS {
            self.jobs.pop_front();
        }
    }

    /// Returns the course of the latest job with this id. It is empty if the job has had no event.
    pub(crate) fn trace(&self, id: &str) -> JobTrace {
        self.jobs.iter().find(|(known, _)| known == id).map(|(_, trace)| trace.clone()).unwrap_or_default()
    }
}

impl JobTrace {
    fn add(&mut self, name: &str, data: JobEvent) {
        match (name, data.status) {
            ("JOB_STATUS_CHANGE", Some(status)) => {
                self.has_failed |= status == "aborting";
                self.has_ended |= matches!(status.as_str(), "concluded" | "null");
                if self.statuses.len() < MAX_STATUSES {
                    self.statuses.insert(status);
                }
            }
            ("BLOCK_JOB_COMPLETED", _) => {
                self.has_failed |= data.error.is_some();
                self.reason = data.error;
                self.len = data.offset;
            }
            ("BLOCK_JOB_CANCELLED", _) => self.is_cancelled = true,
            _ => {}
        }
    }
}

/// Returns the id of the job that an event is about.
pub(crate) fn job_of_event(event: &Event) -> Option<String> {
    JobEvent::of(event).map(|data| data.id)
}

/// The data of an event about a job.
#[derive(Deserialize)]
struct JobEvent {
    /// Events about block jobs call it a device.
    #[serde(alias = "device")]
    id: String,
    status: Option<String>,
    error: Option<String>,
    offset: Option<u64>,
}

impl JobEvent {
    fn of(event: &Event) -> Option<JobEvent> {
        let is_about_job = event.name().contains("JOB_") && event.text().len() <= MAX_EVENT_BYTES;
        event.data().filter(|_| is_about_job).and_then(|data| serde_json::from_str(data).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Message;

    fn log(events: &[(&str, &str)]) -> JobLog {
        let mut log = JobLog::default();
        for (name, data) in events {
            match Message::parse(format!("{{\"event\": \"{name}\", \"data\": {data}}}").into()) {
                Ok(Message::Event(event)) => log.push(&event),
                other => panic!("{other:?}"),
            }
        }
        log
    }

    #[test]
    fn tells_how_the_latest_job_of_an_id_ended() {
        let events = [
            ("JOB_STATUS_CHANGE", r#"{"id": "j", "status": "created"}"#),
            ("JOB_STATUS_CHANGE", r#"{"id": "j", "status": "aborting"}"#),
            ("BLOCK_JOB_COMPLETED", r#"{"device": "j", "error": "Input/output error"}"#),
            ("JOB_STATUS_CHANGE", r#"{"id": "j", "status": "null"}"#),
            ("JOB_STATUS_CHANGE", r#"{"id": "j", "status": "created"}"#),
            ("BLOCK_JOB_CANCELLED", r#"{"device": "other"}"#),
            ("BLOCK_JOB_COMPLETED", r#"{"device": "j", "len": 9, "offset": 7}"#),
            ("JOB_STATUS_CHANGE", r#"{"id": "j", "status": "concluded"}"#),
        ];
        let failed = log(&events[..4]).trace("j");
        assert!(failed.has_ended && failed.has_failed && !failed.is_cancelled);
        assert_eq!(failed.reason.as_deref(), Some("Input/output error"));
        let succeeded = log(&events).trace("j");
        assert!(succeeded.has_ended && !succeeded.has_failed && succeeded.reason.is_none());
        assert_eq!(succeeded.len, Some(7));
        assert!(log(&events).trace("other").is_cancelled);
        assert_eq!(log(&events).trace("unknown"), JobTrace::default());
    }

    #[test]
    fn memory_is_bounded() {
        let data: Vec<String> =
            (0..2 * MAX_JOBS).map(|n| format!(r#"{{"id": "j{n}", "status": "running"}}"#)).collect();
        let events: Vec<(&str, &str)> = data.iter().map(|data| ("JOB_STATUS_CHANGE", data.as_str())).collect();
        let many = log(&events);
        assert_eq!(many.jobs.len(), MAX_JOBS);
        assert!(many.trace("j0").statuses.is_empty() && !many.trace("j511").statuses.is_empty());
        let data: Vec<String> = (0..100).map(|n| format!(r#"{{"id": "j", "status": "s{n}"}}"#)).collect();
        let events: Vec<(&str, &str)> = data.iter().map(|data| ("JOB_STATUS_CHANGE", data.as_str())).collect();
        assert_eq!(log(&events).trace("j").statuses.len(), MAX_STATUSES);
        let large = format!(r#"{{"id": "j", "status": "{}"}}"#, "x".repeat(MAX_EVENT_BYTES));
        assert_eq!(log(&[("JOB_STATUS_CHANGE", &large)]).trace("j"), JobTrace::default());
    }
}
