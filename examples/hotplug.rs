//! Plugs a device into a running VM, and unplugs it again. Unplugging may need the guest's cooperation, so it is waited
//! for with a timeout.
//!
//! ```text
//! cargo run --example hotplug -- vm.sock usb-kbd kbd0
//! ```

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Duration;

use qmp_shell::{Client, Empty, Event};
use serde_json::{Value, json};

/// How long a guest may take to release a device.
const UNPLUG_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns whether the event is about the device with this id.
fn is_about(event: &Event, id: &str) -> bool {
    event.data_as::<Value>().is_ok_and(|data| data["device"] == id)
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, driver, id, properties @ ..] = &args[..] else {
        return Err("usage: hotplug ADDRESS DRIVER ID [PROPERTY=VALUE]...".into());
    };
    let mut arguments = json!({"driver": driver, "id": id});
    for property in properties {
        let (name, value) = property.split_once('=').ok_or("expected PROPERTY=VALUE")?;
        arguments[name] = value.into();
    }
    let qemu = Client::connect(address)?;
    qemu.execute::<Empty>("device_add", arguments)?;
    println!("plugged {id}");

    // The reply to `device_del` only says that the request was made. The listener exists before that, so that it cannot miss
    // the event.
    let wanted = id.clone();
    let mut ends = qemu.listen(move |event| {
        matches!(event.name(), "DEVICE_DELETED" | "DEVICE_UNPLUG_GUEST_ERROR") && is_about(event, &wanted)
    });
    qemu.execute::<Empty>("device_del", json!({"id": id}))?;
    match ends.wait(UNPLUG_TIMEOUT)? {
        Some(event) if event.name() == "DEVICE_DELETED" => println!("unplugged {id}"),
        Some(_) => return Err(format!("the guest refused to release `{id}`").into()),
        None => return Err(format!("the guest did not release `{id}` within {} s", UNPLUG_TIMEOUT.as_secs()).into()),
    }
    Ok(())
}
