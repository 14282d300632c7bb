//! The machine as a whole: its run state, its version, its name, its signals.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::{file_name, text};
use super::super::server::Failure;
use super::super::text::{integer, is_true, plain, string};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("cont", &[], "let the guest run", |call| call.execute("cont", Value::Null)).aliases(&["c"]),
    Command::new("dump-skeys", &[file_name("filename")], "write the storage keys to a file (s390x)", dump_skeys)
        .with_counterpart("dump-skeys"),
    Command::new("dumpdtb", &[file_name("filename")], "write the device tree to a file", dumpdtb),
    Command::new("exit_preconfig", &[], "continue from the preconfig state", |call| {
        call.execute("x-exit-preconfig", Value::Null)
    }),
    Command::new("info dump", &[], "how far the latest dump of the guest's memory is", info_dump),
    Command::new("info kvm", &[], "whether KVM is used", info_kvm),
    Command::new("info name", &[], "the name of the machine", info_name),
    Command::new("info status", &[], "whether the guest runs, and why not", info_status),
    Command::new("info uuid", &[], "the UUID of the machine", |call| show_member(call, "query-uuid", "UUID")),
    Command::new("info version", &[], "the version of QEMU", info_version),
    Command::new("info vm-generation-id", &[], "the generation ID of the machine", |call| {
        show_member(call, "query-vm-generation-id", "guid")
    }),
    Command::new("nmi", &[], "inject a non-maskable interrupt", |call| call.execute("inject-nmi", Value::Null)),
    Command::new("quit", &[], "end QEMU", |call| call.execute("quit", Value::Null)).aliases(&["q"]),
    Command::new("stop", &[], "pause the guest", |call| call.execute("stop", Value::Null)).aliases(&["s"]),
    Command::new("system_powerdown", &[], "ask the guest to power down", |call| {
        call.execute("system_powerdown", Value::Null)
    }),
    Command::new("system_reset", &[], "reset the machine", |call| call.execute("system_reset", Value::Null)),
    Command::new("system_wakeup", &[], "wake up a suspended guest", |call| call.execute("system_wakeup", Value::Null)),
    Command::new("watchdog_action", &[text("action")], "choose what the watchdog does when it fires", watchdog_action),
];

fn info_name(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-name", json!({}))?;
    Ok(reply.get("name").and_then(Value::as_str).map(|name| format!("{name}\n")).unwrap_or_default())
}

fn info_status(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-status", json!({}))?;
    let (is_running, status) = (is_true(&reply, "running"), string(&reply, "status"));
    let state = if is_running { "running" } else { "paused" };
    // Up to QEMU 8.
    let mode = if is_true(&reply, "singlestep") { " (single step mode)" } else { "" };
    let reason = if is_running || status == "paused" { String::new() } else { format!(" ({status})") };
    Ok(format!("VM status: {state}{mode}{reason}\n"))
}

fn info_version(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-version", json!({}))?;
    let number = |part: &str| reply["qemu"][part].as_u64().unwrap_or_default();
    let (major, minor, micro) = (number("major"), number("minor"), number("micro"));
    Ok(format!("{major}.{minor}.{micro}{}\n", string(&reply, "package")))
}

/// Shows a member of a reply in a line of its own.
fn show_member(call: &mut Invocation<'_>, command: &str, key: &str) -> Result<String, Failure> {
    let reply = call.query(command, Value::Null)?;
    Ok(plain(&reply, key) + "\n")
}

fn info_kvm(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-kvm", Value::Null)?;
    let support = match (is_true(&reply, "present"), is_true(&reply, "enabled")) {
        (true, true) => "enabled",
        (true, false) => "disabled",
        (false, _) => "not compiled",
    };
    Ok(format!("kvm support: {support}\n"))
}

fn info_dump(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-dump", Value::Null)?;
    let status = string(&reply, "status");
    let mut text = format!("Status: {status}\n");
    if status == "active" {
        let percent = 100.0 * integer(&reply, "completed") as f64 / (integer(&reply, "total").max(1)) as f64;
        text.push_str(&format!("Finished: {percent:.2} %\n"));
    }
    Ok(text)
}

fn watchdog_action(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let action = call.arguments.text("action").to_owned();
    call.execute("watchdog-set-action", json!({ "action": action })).map_err(Failure::with_reworded_value)
}

fn dumpdtb(call: &mut Invocation<'_>) -> Result<String, Failure> {
    // The advice that QEMU's own monitor adds to the error, which QMP leaves out.
    const ADVICE: &str =
        "\n(Perhaps it doesn't support FDT at all, or perhaps you need to provide an FDT with the -fdt option?)";
    let filename = call.arguments.text("filename").to_owned();
    let with_advice = |desc: &str| (desc == "This machine doesn't have an FDT").then(|| desc.to_owned() + ADVICE);
    call.execute("dumpdtb", json!({ "filename": filename })).map_err(|failure| failure.map_error(with_advice))
}

fn dump_skeys(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let filename = call.arguments.text("filename").to_owned();
    call.execute("dump-skeys", json!({ "filename": filename }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::scripted_server::ScriptedServer;

    #[test]
    fn a_status_has_a_reason_and_a_mode() {
        for (reply, text) in [
            (json!({"running": true, "status": "running"}), "VM status: running\n"),
            (json!({"running": false, "status": "paused"}), "VM status: paused\n"),
            (
                json!({"running": false, "status": "prelaunch", "singlestep": true}),
                "VM status: paused (single step mode) (prelaunch)\n",
            ),
        ] {
            assert_eq!(ScriptedServer::default().reply("query-status", reply).text("info status"), text);
        }
    }

    #[test]
    fn the_progress_of_a_dump_is_a_percentage() {
        for (status, text) in [("none", "Status: none\n"), ("active", "Status: active\nFinished: 4.24 %\n")] {
            let reply = json!({"status": status, "completed": 424, "total": 10_000});
            assert_eq!(ScriptedServer::default().reply("query-dump", reply).text("info dump"), text);
        }
    }
}
