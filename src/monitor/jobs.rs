//! Jobs that a command starts in the server and waits for.

use std::time::Duration;

use serde_json::{Value, json};

use super::command::{Invocation, request};
use super::server::{Failure, QmpServer};
use super::text::{integer, items, string};

/// The pauses between two looks at a job: the first one, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const MAX_PAUSE: Duration = Duration::from_millis(200);

/// Waits until a job has a status, or has concluded, and returns it as `query-jobs` does.
pub(super) fn poll_job<S: QmpServer + ?Sized>(server: &mut S, id: &str, status: &str) -> Result<Value, Failure> {
    let mut pause = FIRST_PAUSE;
    loop {
        let jobs = server.query(&request("query-jobs", Value::Null))?;
        let Some(job) = items(&jobs).iter().find(|job| string(job, "id") == id) else {
            return Err(Failure::error(format!("job '{id}' is gone: another client dismissed it")));
        };
        if string(job, "status") == status || string(job, "status") == "concluded" {
            return Ok(job.clone());
        }
        if pause >= MAX_PAUSE {
            server.show_progress(&progress_of(job));
        }
        server.pause(pause)?;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

fn progress_of(job: &Value) -> String {
    let (current, total) = (integer(job, "current-progress"), integer(job, "total-progress"));
    let percent = (i128::from(current) * 100).checked_div(i128::from(total)).unwrap_or(0);
    format!("{}: {}, {percent} %", string(job, "id"), string(job, "status"))
}

impl Invocation<'_> {
    /// Returns an id for a job that the command starts. Each is used once.
    pub(crate) fn new_job_id(&mut self) -> String {
        self.state.jobs_started += 1;
        format!("{}-{}-{}", self.command.name, std::process::id(), self.state.jobs_started)
    }

    /// Executes a request that starts a job, and waits until the job has done its work.
    pub(crate) fn run_job(&mut self, command: &str, arguments: Value) -> Result<(), Failure> {
        let id = string(&arguments, "job-id").to_owned();
        self.with_job(&id, |call| {
            call.execute(command, arguments)?;
            call.finish_job(&id)
        })
    }

    /// Waits until a job has concluded, and dismisses it.
    pub(crate) fn finish_job(&mut self, id: &str) -> Result<(), Failure> {
        let job = self.server.wait_for_job(id, "concluded")?;
        self.execute("job-dismiss", json!({ "id": id }))?;
        job["error"].as_str().map_or(Ok(()), |error| Err(Failure::error(error)))
    }

    /// Calls `run`, which starts a job and finishes it. Hides the job's events, and tells what is still under way if the
    /// user or the server ends the wait.
    pub(crate) fn with_job(
        &mut self,
        id: &str,
        run: impl FnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.server.hide_job(Some(id));
        let result = run(self);
        self.server.hide_job(None);
        match result {
            Err(Failure::Interrupted) => self.server.show_notice(&format!(
                "The job `{id}` may go on in the server. `.wait job {id}` waits for it. In QMP mode, `query-jobs` shows \
                 it, `job-cancel id={id}` cancels it, and `job-dismiss id={id}` removes it after its end."
            )),
            Err(Failure::Ended) => self.server.show_notice(&format!(
                "The job `{id}` may go on in the server; `query-jobs` shows it after the next connection."
            )),
            _ => {}
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_a_share_of_any_total() {
        for (current, total, shown) in [(0, 0, 0), (1, 3, 33), (i64::MAX, i64::MAX, 100), (5, -1, -500)] {
            let job = json!({"id": "j", "status": "running", "current-progress": current, "total-progress": total});
            assert_eq!(progress_of(&job), format!("j: running, {shown} %"));
        }
    }
}
