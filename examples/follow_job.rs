//! Follows a job until it ends: prints each state that it enters, and its progress in between. Fails if the job failed,
//! with the server's reason.
//!
//! ```text
//! cargo run --example follow_job -- vm.sock backup0
//! ```

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Duration;

use qmp_shell::{Client, Empty, ExecuteError, JobError};
use serde_json::json;

/// How often progress is printed while the job's state does not change.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(address), Some(id)) = (args.next(), args.next()) else {
        return Err("usage: follow_job ADDRESS JOB".into());
    };
    let qemu = Client::connect(&address)?;
    let ended = follow(&qemu, &id);
    // A job that was created with `auto-dismiss=false` stays until it is dismissed.
    match qemu.execute::<Empty>("job-dismiss", json!({"id": id})) {
        // The server has dismissed it, or it has not ended.
        Ok(Empty {}) | Err(ExecuteError::Refused { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    ended.map_err(|error| error.to_string().into())
}

/// Prints the job's progress until it has ended.
fn follow(qemu: &Client, id: &str) -> Result<(), JobError> {
    for progress in qemu.follow_job(id, PROGRESS_INTERVAL) {
        let progress = progress?;
        println!("{}: {} of {}", progress.status, progress.done, progress.total);
    }
    println!("completed");
    Ok(())
}
