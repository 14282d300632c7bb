//! Advice on failures that an event reports without their reason.

use serde::Deserialize;

use super::log::EventLog;

/// Returns a sentence about the failure that the latest event reports, if the reason is only in the reply to a query.
pub(crate) fn advice_on_failure(log: &EventLog) -> Option<String> {
    #[derive(Deserialize)]
    struct Data {
        id: Option<String>,
        status: String,
    }
    let event = log.last(1).next().filter(|event| matches!(event.name(), "JOB_STATUS_CHANGE" | "MIGRATION"))?;
    match event.data_as().ok()? {
        // A block job has told its reason by now, and been dismissed unless it has to be dismissed by hand.
        Data { id: Some(id), status } if status == "concluded" => {
            let trace = log.job_trace(&id);
            let is_unexplained = trace.has_failed && !trace.is_cancelled && trace.reason.is_none();
            is_unexplained.then(|| format!("Job `{id}` failed; `.wait job {id}` says why."))
        }
        Data { id: None, status } if status == "failed" => {
            Some("The migration failed; `.wait migration` says why.".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Message;

    #[test]
    fn advises_on_failures_whose_reason_is_unknown() {
        let mut log = EventLog::default();
        let mut advice_after = |name: &str, data: &str| {
            match Message::parse(format!("{{\"event\": \"{name}\", \"data\": {data}}}").into_bytes()) {
                Ok(Message::Event(event)) => log.push(event),
                other => panic!("{other:?}"),
            }
            advice_on_failure(&log)
        };
        let status = |status: &str| format!(r#"{{"id": "s", "status": "{status}"}}"#);
        assert_eq!(advice_after("JOB_STATUS_CHANGE", &status("aborting")), None);
        let advice = advice_after("JOB_STATUS_CHANGE", &status("concluded"));
        assert_eq!(advice.as_deref(), Some("Job `s` failed; `.wait job s` says why."));
        assert_eq!(advice_after("JOB_STATUS_CHANGE", &status("created")), None);
        assert_eq!(advice_after("JOB_STATUS_CHANGE", &status("aborting")), None);
        assert_eq!(advice_after("BLOCK_JOB_COMPLETED", r#"{"device": "s", "error": "no space"}"#), None);
        assert_eq!(advice_after("JOB_STATUS_CHANGE", &status("concluded")), None);
        assert_eq!(advice_after("MIGRATION", r#"{"status": "completed"}"#), None);
        assert!(advice_after("MIGRATION", r#"{"status": "failed"}"#).is_some());
    }
}
