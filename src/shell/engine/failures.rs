//! Failures of jobs and of the migration that an event reports without their reason: the server is asked for it.

use serde_json::Value;

use crate::client::{JobState, MigrationState};
use crate::wire::{Reply, ReplyBody, Request, parse_value};

use super::super::events::advice::{UnexplainedFailure, unexplained_failure};
use super::super::line::InputLine;
use super::super::output::Output;
use super::Engine;

impl Engine {
    /// Asks the server at a prompt for the reason of the failure that the latest event reports, if it does not tell. The
    /// answer is shown when it arrives.
    pub(super) fn ask_for_reason(&mut self, out: &mut dyn Output) {
        if !self.options.interactive || !self.explains_failures {
            return;
        }
        let Some(failure) = unexplained_failure(&self.connection.record.events) else { return };
        let request = Request::new(match &failure {
            UnexplainedFailure::Job(_) => "query-jobs",
            UnexplainedFailure::PausedJob(..) => "query-block-jobs",
            UnexplainedFailure::Migration => "query-migrate",
        });
        let Some(server) = self.connection.server() else { return };
        // At the end of the connection this fails, and the next read reports it.
        let id = if server.session.can_send_now(&request) { server.session.send_query(&request).ok() } else { None };
        match id {
            Some(id) => drop(server.unexplained_failures.insert(id, failure)),
            None => show_failure(&failure, None, out),
        }
    }

    /// Shows the reason of a failure, if that is what was asked with this id. Returns whether it was.
    pub(super) fn explain_failure(&mut self, id: u64, reply: &Reply, out: &mut dyn Output) -> bool {
        let failure = self.connection.server().and_then(|server| server.unexplained_failures.remove(&id));
        let Some(failure) = failure else { return false };
        let value: Value = match reply.body() {
            ReplyBody::Return(raw) => parse_value(raw).unwrap_or_default(),
            ReplyBody::Error { .. } => Value::Null,
        };
        let reason = match &failure {
            UnexplainedFailure::Job(id) => match JobState::of(id, &value, self.connection.record.events.jobs()) {
                JobState::Ended(trace) => trace.reason,
                _ => None,
            },
            UnexplainedFailure::PausedJob(id, _) => {
                let mut jobs = value.as_array().into_iter().flatten();
                let job = jobs.find(|job| job["device"].as_str() == Some(id));
                let has_no_space = job.is_some_and(|job| job["io-status"].as_str() == Some("nospace"));
                has_no_space.then(|| "no space left".to_owned())
            }
            UnexplainedFailure::Migration => match MigrationState::of(&value) {
                MigrationState::Failed(reason) => reason,
                _ => None,
            },
        };
        show_failure(&failure, reason, out);
        true
    }
}

fn show_failure(failure: &UnexplainedFailure, reason: Option<String>, out: &mut dyn Output) {
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    out.report_failure(&format!("{failure}{reason}"), &InputLine::none(), None);
}
