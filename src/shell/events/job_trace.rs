//! The course of a job, according to its events. It is all that is left of a job that QEMU dismissed at its end.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::wire::Event;

/// The course of the latest job with some id.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct JobTrace {
    /// The statuses that it has had.
    pub(crate) statuses: BTreeSet<String>,
    pub(crate) has_ended: bool,
    /// Whether it failed or was cancelled.
    pub(crate) has_failed: bool,
    pub(crate) is_cancelled: bool,
    /// The server's text about its failure.
    pub(crate) reason: Option<String>,
}

impl JobTrace {
    /// Reads the course of the job `id` from events, of which the latest come first.
    pub(super) fn of<'a>(id: &str, latest_first: impl Iterator<Item = &'a Event>) -> JobTrace {
        let mut trace = JobTrace::default();
        for event in latest_first.filter(|event| event.name().contains("JOB_")) {
            let Some(data) = event.data().and_then(|data| serde_json::from_str::<JobEvent>(data).ok()) else {
                continue;
            };
            if data.id == id && trace.add(event.name(), data) {
                break;
            }
        }
        trace
    }

    /// Adds an event. Returns whether it is the first event of the job.
    fn add(&mut self, name: &str, data: JobEvent) -> bool {
        match (name, data.status) {
            ("JOB_STATUS_CHANGE", Some(status)) => {
                self.has_failed |= status == "aborting";
                self.has_ended |= matches!(status.as_str(), "concluded" | "null");
                let is_first = status == "created";
                self.statuses.insert(status);
                return is_first;
            }
            ("BLOCK_JOB_COMPLETED", _) => {
                self.has_failed |= data.error.is_some();
                self.reason = data.error;
            }
            ("BLOCK_JOB_CANCELLED", _) => self.is_cancelled = true,
            _ => {}
        }
        false
    }
}

/// Returns the id of the job that an event is about.
pub(crate) fn job_of_event(event: &Event) -> Option<String> {
    let data = event.data().filter(|_| event.name().contains("JOB_"))?;
    serde_json::from_str::<JobEvent>(data).ok().map(|data| data.id)
}

/// The data of an event about a job.
#[derive(Deserialize)]
struct JobEvent {
    /// Events about block jobs call it a device.
    #[serde(alias = "device")]
    id: String,
    status: Option<String>,
    error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Message;

    fn trace(id: &str, events: &[(&str, &str)]) -> JobTrace {
        let events: Vec<Event> = events
            .iter()
            .map(|(name, data)| match Message::parse(format!("{{\"event\": \"{name}\", \"data\": {data}}}").into()) {
                Ok(Message::Event(event)) => event,
                other => panic!("{other:?}"),
            })
            .collect();
        JobTrace::of(id, events.iter().rev())
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
            ("BLOCK_JOB_COMPLETED", r#"{"device": "j"}"#),
            ("JOB_STATUS_CHANGE", r#"{"id": "j", "status": "concluded"}"#),
        ];
        let failed = trace("j", &events[..4]);
        assert!(failed.has_ended && failed.has_failed && !failed.is_cancelled);
        assert_eq!(failed.reason.as_deref(), Some("Input/output error"));
        let succeeded = trace("j", &events);
        assert!(succeeded.has_ended && !succeeded.has_failed && succeeded.reason.is_none());
        assert!(trace("other", &events).is_cancelled);
        assert_eq!(trace("unknown", &events), JobTrace::default());
    }
}
