//! Follows a job until it ends: prints each state that it enters, and its progress in between. Fails if the job failed.
//!
//! ```text
//! cargo run --example follow_job -- /tmp/q.sock backup0
//! ```

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Duration;

use qmp_shell::{Client, Empty, Events};
use serde::Deserialize;
use serde_json::json;

/// How often progress is printed while the job's state does not change.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Job {
    id: String,
    status: String,
    current_progress: u64,
    total_progress: u64,
    error: Option<String>,
}

#[derive(Deserialize)]
struct StatusChange {
    id: String,
    status: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(address), Some(id)) = (args.next(), args.next()) else {
        return Err("usage: follow_job ADDRESS JOB".into());
    };
    let qemu = Client::connect(&address)?;

    // First the listener, then the query: an event between the two is not lost.
    let mut events = qemu.listen(|event| event.name() == "JOB_STATUS_CHANGE");
    let mut status = find(&qemu, &id)?.ok_or_else(|| format!("there is no job `{id}`"))?.status;
    let mut failed = false;
    loop {
        println!("{status}");
        failed |= status == "aborting";
        let job = find(&qemu, &id)?;
        match (status.as_str(), job) {
            // A job that was created with `auto-dismiss=false` stays until it is dismissed.
            ("concluded", Some(job)) => {
                qemu.execute::<Empty>("job-dismiss", json!({"id": id}))?;
                return job.error.map_or(Ok(()), |error| Err(error.into()));
            }
            (_, None) if failed => return Err(format!("`{id}` failed").into()),
            (_, None) => return Ok(()),
            (_, Some(_)) => status = next_status(&qemu, &id, &mut events)?,
        }
    }
}

/// Waits for the job's next state; prints its progress meanwhile.
fn next_status(qemu: &Client, id: &str, events: &mut Events) -> Result<String, Box<dyn Error>> {
    loop {
        while let Some(event) = events.wait(PROGRESS_INTERVAL)? {
            let change: StatusChange = event.data_as()?;
            if change.id == id {
                return Ok(change.status);
            }
        }
        if let Some(job) = find(qemu, id)? {
            println!("{} of {}", job.current_progress, job.total_progress);
        }
    }
}

fn find(qemu: &Client, id: &str) -> Result<Option<Job>, Box<dyn Error>> {
    let jobs: Vec<Job> = qemu.execute("query-jobs", ())?;
    Ok(jobs.into_iter().find(|job| job.id == id))
}
