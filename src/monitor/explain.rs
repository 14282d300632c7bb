//! Explanation of a line: the requests that it becomes, without sending those that act.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::schema::Schema;
use crate::wire::Request;

use super::line::run_line;
use super::server::{Failure, QmpServer};
use super::state::MonitorState;

/// The maximum number of times that an explained line may wait for what is not going to happen.
const MAX_PAUSES: usize = 3;

/// The steps of a line, and the reason why there are no more of them.
pub(crate) struct Explanation {
    pub(crate) steps: Vec<Step>,
    /// The text of a line that says something without acting, or the failure.
    pub(crate) result: Result<String, Failure>,
}

/// One step of a line.
pub(crate) enum Step {
    Request(Request),
    /// A wait until a job has a status, or has concluded.
    WaitForJob {
        id: String,
        status: String,
    },
}

/// Explains a line. Queries are sent, because the requests after them depend on their replies; requests that act are
/// assumed to succeed.
pub(crate) fn explain_line(line: &str, server: &mut dyn QmpServer, state: &MonitorState) -> Explanation {
    let mut recorder = Recorder { server, steps: Vec::new(), has_acted: false, pauses: 0 };
    let result = run_line(line, &mut recorder, &mut state.clone());
    // After a request that was not sent, a line may lack what the server would have written or returned.
    let result = if recorder.has_acted { Ok(String::new()) } else { result };
    Explanation { steps: recorder.steps, result }
}

/// A server that records the requests which act, and passes queries on.
struct Recorder<'a> {
    server: &'a mut dyn QmpServer,
    steps: Vec<Step>,
    has_acted: bool,
    pauses: usize,
}

impl QmpServer for Recorder<'_> {
    fn query(&mut self, request: &Request) -> Result<Value, Failure> {
        // A loop that waits repeats its query.
        if !matches!(self.steps.last(), Some(Step::Request(last)) if last == request) {
            self.steps.push(Step::Request(request.clone()));
        }
        self.server.query(request)
    }

    fn execute(&mut self, request: &Request) -> Result<Value, Failure> {
        self.has_acted = true;
        self.steps.push(Step::Request(request.clone()));
        Ok(json!({}))
    }

    fn can_receive_fds(&mut self) -> bool {
        self.server.can_receive_fds()
    }

    fn schema(&mut self) -> Option<Arc<Schema>> {
        self.server.schema()
    }

    fn version(&mut self) -> Result<Option<(u64, u64)>, Failure> {
        self.server.version()
    }

    fn pause(&mut self, _: Duration) -> Result<(), Failure> {
        self.pauses += 1;
        if self.pauses > MAX_PAUSES { Err(Failure::Interrupted) } else { Ok(()) }
    }

    fn wait_for_job(&mut self, id: &str, status: &str) -> Result<Value, Failure> {
        self.steps.push(Step::WaitForJob { id: id.to_owned(), status: status.to_owned() });
        Ok(json!({ "id": id, "status": status }))
    }

    fn ask_for_secret(&mut self, _: &str) -> Result<Option<String>, Failure> {
        Ok(Some("SECRET".to_owned()))
    }

    fn history(&mut self) -> Vec<String> {
        self.server.history()
    }
}
