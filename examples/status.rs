//! Prints a server's version, the state of its VM and its block devices.
//!
//! ```text
//! cargo run --example status -- vm.sock
//! ```

#![allow(clippy::print_stdout)]

use std::error::Error;

use qmp_shell::Client;
use serde::Deserialize;

#[derive(Deserialize)]
struct Status {
    status: String,
}

/// The part of `query-block`'s items that is of interest here. Other members are ignored.
#[derive(Deserialize)]
struct BlockDevice {
    device: String,
    qdev: Option<String>,
    inserted: Option<Inserted>,
}

#[derive(Deserialize)]
struct Inserted {
    file: String,
    drv: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("usage: status ADDRESS")?;
    let qemu = Client::connect(&address)?;

    // A guest agent has no greeting; QEMU's contains its version.
    if let Some(version) = qemu.greeting().and_then(|greeting| greeting.version.as_ref()) {
        println!("QEMU {version}");
    }
    let status: Status = qemu.execute("query-status", ())?;
    println!("status: {}", status.status);

    let devices: Vec<BlockDevice> = qemu.execute("query-block", ())?;
    for device in devices {
        let name = device.qdev.as_deref().unwrap_or(&device.device);
        match device.inserted {
            Some(medium) => println!("{name}: {} ({})", medium.file, medium.drv),
            None => println!("{name}: empty"),
        }
    }
    Ok(())
}
