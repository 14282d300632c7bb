//! Migrates a VM, and prints the progress until it runs at the destination. Fails if the migration fails, with the
//! server's reason.
//!
//! ```text
//! cargo run --example follow_migration -- vm.sock unix:/tmp/incoming.sock
//! ```

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Duration;

use qmp_shell::{Client, Empty};
use serde_json::json;

/// How often progress is printed.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(address), Some(uri)) = (args.next(), args.next()) else {
        return Err("usage: follow_migration ADDRESS URI".into());
    };
    let qemu = Client::connect(&address)?;
    qemu.execute::<Empty>("migrate", json!({"uri": uri}))?;
    for progress in qemu.follow_migration(PROGRESS_INTERVAL) {
        let progress = progress.map_err(|error| error.to_string())?;
        match progress.per_cent() {
            Some(per_cent) => println!("{}: {per_cent} %", progress.status),
            None => println!("{}", progress.status),
        }
    }
    println!("completed");
    Ok(())
}
