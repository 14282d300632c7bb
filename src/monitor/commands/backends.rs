//! Back ends of devices: threads, cryptography, trusted platform modules, Xen's event channels.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::integer;
use super::super::server::Failure;
use super::super::text::{items, labelled_lines, plain, string};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("info cryptodev", &[], "the cryptography back ends", info_cryptodev)
        .with_counterpart("query-cryptodev"),
    Command::new("info iothreads", &[], "the I/O threads", info_iothreads),
    Command::new("info tpm", &[], "the trusted platform modules", info_tpm),
    Command::new("xen-event-inject", &[integer("port")], "inject an event of a Xen event channel", inject_xen_event)
        .with_counterpart("xen-event-inject"),
    Command::new("xen-event-list", &[], "the Xen event channels", list_xen_events).with_counterpart("xen-event-list"),
];

fn info_iothreads(call: &mut Invocation<'_>) -> Result<String, Failure> {
    const MEMBERS: &[(&str, &str)] = &[
        ("  thread_id=", "thread-id"),
        ("  poll-max-ns=", "poll-max-ns"),
        ("  poll-grow=", "poll-grow"),
        ("  poll-shrink=", "poll-shrink"),
        ("  aio-max-batch=", "aio-max-batch"),
    ];
    let reply = call.query("query-iothreads", Value::Null)?;
    let thread = |thread: &Value| format!("{}:\n{}", string(thread, "id"), labelled_lines(thread, MEMBERS));
    Ok(items(&reply).iter().map(thread).collect())
}

fn info_cryptodev(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-cryptodev", json!({}))?;
    let mut text = String::new();
    for backend in items(&reply) {
        let services: Vec<&str> = items(&backend["service"]).iter().filter_map(Value::as_str).collect();
        text.push_str(&format!("{}: service=[{}]\n", string(backend, "id"), services.join("|")));
        for queue in items(&backend["client"]) {
            text.push_str(&format!("    queue {}: type={}\n", plain(queue, "queue"), string(queue, "type")));
        }
    }
    Ok(text)
}

fn info_tpm(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-tpm", Value::Null)?;
    if items(&reply).is_empty() {
        return Ok(String::new());
    }
    let mut text = "TPM device:\n".to_owned();
    for (index, device) in items(&reply).iter().enumerate() {
        let (id, backend) = (string(device, "id"), &device["options"]);
        let mut options = format!("type={}", string(backend, "type"));
        for (label, key) in [("path", "path"), ("cancel-path", "cancel-path"), ("chardev", "chardev")] {
            if let Some(value) = backend["data"].get(key).and_then(Value::as_str) {
                options.push_str(&format!(",{label}={value}"));
            }
        }
        text.push_str(&format!(" tpm{index}: model={}\n  \\ {id}: {options}\n", string(device, "model")));
    }
    Ok(text)
}

fn inject_xen_event(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let port = call.arguments.integer("port");
    call.execute("xen-event-inject", json!({ "port": port }))?;
    Ok(format!("Delivered port {port}\n"))
}

fn list_xen_events(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("xen-event-list", Value::Null)?;
    let line = |channel: &Value| {
        let [port, vcpu] = ["port", "vcpu"].map(|key| plain(channel, key));
        let mut line = format!("port {port:>4}: vcpu: {vcpu} {}", string(channel, "type"));
        if string(channel, "type") != "ipi" {
            line.push_str(&format!(" target: {}", plain(channel, "target")));
        }
        line + "\n"
    };
    Ok(items(&reply).iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::scripted_server::ScriptedServer;

    #[test]
    fn a_trusted_platform_module_has_a_model_and_a_back_end() {
        let options = json!({"type": "emulator", "data": {"chardev": "ct"}});
        let modules = json!([{"id": "tp0", "model": "tpm-crb", "options": options}]);
        let text = ScriptedServer::default().reply("query-tpm", modules).text("info tpm");
        assert_eq!(text, "TPM device:\n tpm0: model=tpm-crb\n  \\ tp0: type=emulator,chardev=ct\n");
    }
}
