//! Prints the state of many VMs, each queried in a thread of its own and limited in time. A server that cannot be reached is
//! reported in its place.
//!
//! ```text
//! cargo run --example many_servers -- /run/vm/*.sock
//! ```

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::thread;
use std::time::Duration;

use qmp_shell::{Client, Options, Request};
use serde::Deserialize;

/// How long a server may take to accept the connection, to negotiate, and to reply.
const TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Status {
    status: String,
}

fn status(address: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut options = Options::default();
    options.timeout = TIMEOUT;
    let qemu = Client::connect_with(&address.parse()?, &options)?;
    let pending = qemu.start(Request::new("query-status"))?;
    // A reply that comes later is dropped along with the pending request.
    let reply = pending.reply_within(TIMEOUT)?.map_err(|_| "no reply")?;
    let qmp_shell::ReplyBody::Return(value) = reply.body() else {
        return Err(reply.text().into());
    };
    let status: Status = serde_json::from_str(value)?;
    Ok(status.status)
}

fn main() {
    let addresses: Vec<String> = std::env::args().skip(1).collect();
    thread::scope(|scope| {
        let queries: Vec<_> = addresses.iter().map(|address| (address, scope.spawn(move || status(address)))).collect();
        for (address, query) in queries {
            match query.join() {
                Ok(Ok(status)) => println!("{address}: {status}"),
                Ok(Err(error)) => println!("{address}: error: {error}"),
                Err(_) => println!("{address}: error: the query panicked"),
            }
        }
    });
}
