//! `.show jobs`: the jobs of the server, with their progress, rates and times left.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use crate::monitor::text::{by_member, count, items, string};
use crate::monitor::{Failure, QmpServer, request};

use super::ask::ask_all;
use super::columns::{Column, Columns, Ink, Text};
use super::units::{duration, percent, size};
use super::{Medium, Picture};

/// The time between the two looks that tell the rate of a job.
const RATE_INTERVAL: Duration = Duration::from_millis(300);

const COLUMNS: &[Column] = &[
    Column::long("JOB"),
    Column::text("TYPE"),
    Column::text("STATUS"),
    Column::number("DONE"),
    Column::number("PROGRESS"),
    Column::number("RATE"),
    Column::number("LEFT"),
];

#[derive(Debug, Serialize)]
pub(super) struct Jobs {
    jobs: Vec<Job>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Job {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    status: String,
    current: u64,
    total: u64,
    /// Whether the progress is in bytes, as that of block jobs is.
    in_bytes: bool,
    /// The progress in a second, measured over a short time.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<u64>,
    /// In bytes per second; 0 for no limit.
    speed_limit: u64,
    io_status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Asks for the jobs, and once more after a short time if one is running.
pub(super) fn ask(server: &mut dyn QmpServer) -> Result<Jobs, Failure> {
    let mut replies = ask_all(server, &[("query-jobs", Value::Null), ("query-block-jobs", Value::Null)])?;
    let asked = Instant::now();
    let (jobs, block_jobs) = (replies.take_objects(0)?, replies.take_objects(1)?);
    let block_jobs = by_member(&block_jobs, "device");
    let mut jobs: Vec<Job> =
        items(&jobs).iter().map(|entry| job(entry, block_jobs.get(string(entry, "id")).copied())).collect();
    if jobs.iter().any(Job::is_moving) {
        server.pause(RATE_INTERVAL)?;
        let later = server.query(&request("query-jobs", Value::Null))?;
        let elapsed = asked.elapsed().max(RATE_INTERVAL);
        let later = by_member(&later, "id");
        jobs.iter_mut().for_each(|job| job.measure(later.get(job.id.as_str()).copied(), elapsed));
    }
    Ok(Jobs { jobs, missing: replies.missing })
}

fn job(entry: &Value, block_job: Option<&Value>) -> Job {
    Job {
        id: string(entry, "id").to_owned(),
        kind: string(entry, "type").to_owned(),
        status: string(entry, "status").to_owned(),
        current: count(entry, "current-progress"),
        total: count(entry, "total-progress"),
        in_bytes: block_job.is_some(),
        rate: None,
        seconds_left: None,
        speed_limit: block_job.map(|job| count(job, "speed")).unwrap_or_default(),
        io_status: block_job.map(|job| string(job, "io-status").to_owned()).unwrap_or_default(),
        error: entry["error"].as_str().map(str::to_owned),
    }
}

impl Job {
    fn is_moving(&self) -> bool {
        matches!(self.status.as_str(), "running" | "ready")
    }

    /// Takes the state from a later reply, and the rate from the progress since then.
    fn measure(&mut self, later: Option<&Value>, elapsed: Duration) {
        let was_moving = self.is_moving();
        let Some(entry) = later else { return };
        let current = count(entry, "current-progress");
        let progress = current.saturating_sub(self.current);
        string(entry, "status").clone_into(&mut self.status);
        (self.current, self.total) = (current, count(entry, "total-progress"));
        self.error = entry["error"].as_str().map(str::to_owned);
        if was_moving && self.is_moving() {
            let rate = (progress as f64 / elapsed.as_secs_f64()) as u64;
            let remaining = self.total.saturating_sub(current);
            // A mirror that is ready moves only when the guest writes.
            self.rate = Some(rate).filter(|rate| self.status == "running" || *rate > 0);
            self.seconds_left = remaining.checked_div(rate).filter(|_| self.status == "running");
        }
    }

    /// Returns an amount of progress, without a unit where that is not known.
    fn amount(&self, value: u64) -> String {
        if self.in_bytes { size(value) } else { value.to_string() }
    }

    /// Returns what the job waits for, with the command that goes on.
    fn advice(&self) -> Option<String> {
        let id = &self.id;
        match self.status.as_str() {
            "ready" => Some(format!("ready: `job-complete id={id}` completes it")),
            "paused" | "standby" => Some(format!("paused: `job-resume id={id}` goes on")),
            "pending" => Some(format!("pending: `job-finalize id={id}` ends it")),
            "concluded" => Some(format!("concluded: `job-dismiss id={id}` removes it")),
            _ => None,
        }
    }
}

impl Picture for Jobs {
    fn draw(&self, medium: &Medium<'_>) -> String {
        let mut columns = Columns::new(COLUMNS);
        for job in &self.jobs {
            let has_failed = job.error.is_some() || job.status == "aborting";
            let has_total = job.total > 0;
            let progress = format!("{} of {}", job.amount(job.current), job.amount(job.total));
            let rate = job.rate.map(|rate| job.amount(rate) + "/s");
            columns.push([
                Text::new(Ink::Name, &job.id),
                Text::plain(&job.kind),
                Text::new(if has_failed { Ink::Error } else { Ink::Plain }, &job.status),
                percent(job.current, job.total).unwrap_or_default().into(),
                Text::plain(if has_total { &progress } else { "" }),
                rate.unwrap_or_default().into(),
                job.seconds_left.map(duration).unwrap_or_default().into(),
            ]);
            let mut remark = |ink: Ink, text: &str| columns.push_across(Text::new(ink, &format!("    {text}")));
            if let Some(error) = &job.error {
                remark(Ink::Error, error);
            }
            if !matches!(job.io_status.as_str(), "" | "ok") {
                remark(Ink::Error, &format!("I/O status: {}", job.io_status));
            }
            if job.speed_limit > 0 {
                remark(Ink::Plain, &format!("limited to {}/s", size(job.speed_limit)));
            }
            if let Some(advice) = job.advice() {
                remark(Ink::Dim, &advice);
            }
        }
        if self.jobs.is_empty() {
            columns.push_across(Text::plain("The server has no jobs."));
        }
        columns.push_remarks(&self.missing);
        columns.draw(medium)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::ScriptedServer;

    #[test]
    fn rates_come_from_two_looks() {
        let jobs = |offset: u64| {
            json!([
                {"id": "backup0", "type": "backup", "status": "running",
                 "current-progress": (10_u64 << 30) + offset, "total-progress": 20_u64 << 30},
                {"id": "still", "type": "commit", "status": "running", "current-progress": 5, "total-progress": 4096},
                {"id": "save", "type": "snapshot-save", "status": "running",
                 "current-progress": offset / 1000, "total-progress": 1 << 20},
                {"id": "mirror\u{1b}", "type": "mirror", "status": "ready", "current-progress": 9, "total-progress": 9},
                {"id": "failed", "type": "stream", "status": "concluded", "current-progress": 1, "total-progress": 0,
                 "error": "No space left on device"},
            ])
        };
        let mut server = ScriptedServer::default()
            .reply("query-jobs", jobs(0))
            .reply("query-jobs", jobs(30 << 20))
            .reply("query-block-jobs", json!([
                {"device": "backup0", "speed": 1 << 20, "io-status": "nospace"}, {"device": "still"}, {"device": "mirror\u{1b}"},
            ]));
        expect_test::expect![[r#"
            JOB         TYPE           STATUS      DONE          PROGRESS       RATE        LEFT
            backup0     backup         running     50 %  10 GiB of 20 GiB  100 MiB/s  1 min 42 s
                I/O status: nospace
                limited to 1 MiB/s
            still       commit         running      0 %      5 B of 4 KiB      0 B/s
            save        snapshot-save  running      2 %  31457 of 1048576   104856/s         9 s
            mirror\x1b  mirror         ready      100 %        9 B of 9 B
                ready: `job-complete id=mirror\x1b` completes it
            failed      stream         concluded
                No space left on device
                concluded: `job-dismiss id=failed` removes it
        "#]]
        .assert_eq(&server.draw("jobs", None, 90));
        assert_eq!(server.pauses, 1);
    }

    #[test]
    fn negative_progress_is_none_and_more_than_all_is_all() {
        let job = |id: &str, current: i64, total: i64| json!({"id": id, "status": "paused", "current-progress": current, "total-progress": total});
        let jobs = json!([job("a", -5, 100), job("b", 5, -100), job("c", 1000, 10)]);
        let mut server = ScriptedServer::default().reply("query-jobs", jobs).reply("query-block-jobs", json!([]));
        expect_test::expect![[r#"
            JOB  STATUS   DONE    PROGRESS
            a    paused    0 %    0 of 100
                paused: `job-resume id=a` goes on
            b    paused
                paused: `job-resume id=b` goes on
            c    paused  100 %  1000 of 10
                paused: `job-resume id=c` goes on
        "#]]
        .assert_eq(&server.draw("jobs", None, 80));
    }

    #[test]
    fn no_job_needs_no_second_look() {
        let mut server = ScriptedServer::default().reply("query-jobs", json!([]));
        expect_test::expect![[r#"
            The server has no jobs.
            The server has no command `query-block-jobs`.
        "#]]
        .assert_eq(&server.draw("jobs", None, 80));
        assert_eq!(server.pauses, 0);
    }
}
