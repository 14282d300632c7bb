//! The state of virtio devices and of their queues.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::{Parameter, integer, text};
use super::super::server::Failure;
use super::super::text::{items, plain, string, unsigned};

const PATH: Parameter = text("path");
const QUEUE: Parameter = integer("queue");

pub(super) const COMMANDS: &[Command] = &[
    Command::new("info virtio", &[], "the virtio devices", info_virtio),
    Command::new(
        "info virtio-queue-element",
        &[PATH, QUEUE, integer("index").optional()],
        "an element of a queue",
        element,
    ),
    Command::new("info virtio-queue-status", &[PATH, QUEUE], "the state of a queue", queue_status),
    Command::new("info virtio-status", &[PATH], "the state of a virtio device", device_status),
    Command::new(
        "info virtio-vhost-queue-status",
        &[PATH, QUEUE],
        "the state of a queue of a vhost device",
        vhost_queue,
    ),
];

fn info_virtio(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("x-query-virtio", Value::Null)?;
    if items(&reply).is_empty() {
        return Ok("No VirtIO devices\n".to_owned());
    }
    let line = |device: &Value| format!("{} [{}]\n", string(device, "path"), string(device, "name"));
    Ok(items(&reply).iter().map(line).collect())
}

/// A number with 64 bits is shown as an address, others as they are.
#[derive(Debug, Clone, Copy)]
enum Form {
    Plain,
    Address,
}

use Form::{Address, Plain};

/// The lines of an object: indentation and label, the column of the values, the key, the form.
type Rows = &'static [(&'static str, &'static str, Form)];

/// Returns a line for each member that the object has, with the values in one column.
fn rows(object: &Value, rows: Rows, column: usize) -> String {
    let line = |(label, key, form): &(&str, &str, Form)| match form {
        Plain => format!("{label:column$}{}\n", plain(object, key)),
        Address => format!("{label:column$}{:#018x}\n", unsigned(object, key)),
    };
    rows.iter().filter(|(_, key, _)| object.get(*key).is_some()).map(line).collect()
}

const DEVICE: Rows = &[
    ("  device_id:", "device-id", Plain),
    ("  vhost_started:", "vhost-started", Plain),
    ("  bus_name:", "bus-name", Plain),
    ("  broken:", "broken", Plain),
    ("  disabled:", "disabled", Plain),
    ("  disable_legacy_check:", "disable-legacy-check", Plain),
    ("  started:", "started", Plain),
    ("  use_started:", "use-started", Plain),
    ("  start_on_kick:", "start-on-kick", Plain),
    ("  use_guest_notifier_mask:", "use-guest-notifier-mask", Plain),
    ("  vm_running:", "vm-running", Plain),
    ("  num_vqs:", "num-vqs", Plain),
    ("  queue_sel:", "queue-sel", Plain),
    ("  isr:", "isr", Plain),
    ("  endianness:", "device-endian", Plain),
];

const VHOST: Rows = &[
    ("    nvqs:", "nvqs", Plain),
    ("    vq_index:", "vq-index", Plain),
    ("    max_queues:", "max-queues", Plain),
    ("    n_mem_sections:", "n-mem-sections", Plain),
    ("    n_tmp_sections:", "n-tmp-sections", Plain),
    ("    backend_cap:", "backend-cap", Plain),
    ("    log_enabled:", "log-enabled", Plain),
    ("    log_size:", "log-size", Plain),
];

fn device_status(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let path = call.arguments.text("path").to_owned();
    let mut reply = call.query("x-query-virtio-status", json!({ "path": path }))?;
    if let Some(members) = reply.as_object_mut().filter(|members| members.get("bus-name") == Some(&json!(""))) {
        members.insert("bus-name".to_owned(), json!("(null)"));
    }
    let vhost = reply.get("vhost-dev");
    let kind = if vhost.is_some() { "(vhost)" } else { "" };
    let mut text = format!("{path}:\n  device_name:             {} {kind}\n", string(&reply, "name"));
    text.push_str(&rows(&reply, DEVICE, 27));
    text.push_str(&format!("  status:\n{}", described_bits(&reply["status"], "statuses")));
    push_unknown(&mut text, "  unknown-statuses", &reply["status"], "unknown-statuses");
    for (label, key) in [("Guest", "guest-features"), ("Host", "host-features"), ("Backend", "backend-features")] {
        text.push_str(&format!("  {label} features:\n{}", features(&reply[key], "  ")));
    }
    let Some(vhost) = vhost else { return Ok(text) };
    text.push_str(&format!("  VHost:\n{}", rows(vhost, VHOST, 20)));
    for (label, key) in
        [("Features", "features"), ("Acked features", "acked-features"), ("Backend features", "backend-features")]
    {
        text.push_str(&format!("    {label}:\n{}", features(&vhost[key], "    ")));
    }
    let protocols = &vhost["protocol-features"];
    text.push_str(&format!("    Protocol features:\n{}", described_bits(protocols, "protocols")));
    push_unknown(&mut text, "    unknown-protocols", protocols, "unknown-protocols");
    Ok(text)
}

/// Returns the features of the transport and of the device, and those that QEMU has no names for.
fn features(features: &Value, indentation: &str) -> String {
    let mut text = described_bits(features, "transports");
    if !items(&features["dev-features"]).is_empty() {
        text.push_str(&described_bits(features, "dev-features"));
    }
    push_unknown(&mut text, &format!("{indentation}unknown-features"), features, "unknown-dev-features");
    text
}

/// Returns a line for each text in a list, with commas in between; an empty line for an empty list.
fn described_bits(object: &Value, key: &str) -> String {
    let bits: Vec<String> =
        items(&object[key]).iter().filter_map(Value::as_str).map(|bit| format!("\t{bit}")).collect();
    bits.join(",\n") + "\n"
}

fn push_unknown(text: &mut String, label: &str, object: &Value, key: &str) {
    if object.get(key).is_some() {
        text.push_str(&format!("{label}({:#018x})\n", unsigned(object, key)));
    }
}

const QUEUE_STATE: Rows = &[
    ("  device_name:", "name", Plain),
    ("  queue_index:", "queue-index", Plain),
    ("  inuse:", "inuse", Plain),
    ("  used_idx:", "used-idx", Plain),
    ("  signalled_used:", "signalled-used", Plain),
    ("  signalled_used_valid:", "signalled-used-valid", Plain),
    ("  last_avail_idx:", "last-avail-idx", Plain),
    ("  shadow_avail_idx:", "shadow-avail-idx", Plain),
];

const RING: Rows = &[
    ("    num:", "vring-num", Plain),
    ("    num_default:", "vring-num-default", Plain),
    ("    align:", "vring-align", Plain),
    ("    desc:", "vring-desc", Address),
    ("    avail:", "vring-avail", Address),
    ("    used:", "vring-used", Address),
];

fn queue_status(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let (path, arguments) = queue_arguments(call);
    let reply = call.query("x-query-virtio-queue-status", arguments)?;
    Ok(format!("{path}:\n{}  VRing:\n{}", rows(&reply, QUEUE_STATE, 24), rows(&reply, RING, 18)))
}

const VHOST_QUEUE: Rows = &[("  kick:", "kick", Plain), ("  call:", "call", Plain)];

const VHOST_RING: Rows = &[
    ("    num:", "num", Plain),
    ("    desc:", "desc", Address),
    ("    desc_phys:", "desc-phys", Address),
    ("    desc_size:", "desc-size", Plain),
    ("    avail:", "avail", Address),
    ("    avail_phys:", "avail-phys", Address),
    ("    avail_size:", "avail-size", Plain),
    ("    used:", "used", Address),
    ("    used_phys:", "used-phys", Address),
    ("    used_size:", "used-size", Plain),
];

fn vhost_queue(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let (path, arguments) = queue_arguments(call);
    let reply = call.query("x-query-virtio-vhost-queue-status", arguments)?;
    let name = string(&reply, "name");
    let (queue, ring) = (rows(&reply, VHOST_QUEUE, 24), rows(&reply, VHOST_RING, 17));
    Ok(format!("{path}:\n  device_name:          {name} (vhost)\n{queue}  VRing:\n{ring}"))
}

fn element(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let (path, mut arguments) = queue_arguments(call);
    arguments["index"] = json!(call.arguments.optional_integer("index"));
    let reply = call.query("x-query-virtio-queue-element", arguments)?;
    let (available, used) = (&reply["avail"], &reply["used"]);
    let descriptors: Vec<String> = items(&reply["descs"]).iter().map(descriptor).collect();
    Ok([
        format!("{path}:\n  device_name: {}\n  index:   {}\n", string(&reply, "name"), plain(&reply, "index")),
        format!("  desc:\n    descs:\n{}\n", descriptors.join(",\n")),
        format!("  avail:\n    flags: {}\n", plain(available, "flags")),
        format!("    idx:   {}\n    ring:  {}\n", plain(available, "idx"), plain(available, "ring")),
        format!("  used:\n    flags: {}\n    idx:   {}\n", plain(used, "flags"), plain(used, "idx")),
    ]
    .concat())
}

fn descriptor(descriptor: &Value) -> String {
    let flags: Vec<&str> = items(&descriptor["flags"]).iter().filter_map(Value::as_str).collect();
    let flags = if flags.is_empty() { String::new() } else { format!(" ({})", flags.join(", ")) };
    format!("        addr {:#x} len {}{flags}", unsigned(descriptor, "addr"), plain(descriptor, "len"))
}

/// Returns the path in a line, and the arguments of the query about a queue.
fn queue_arguments(call: &Invocation<'_>) -> (String, Value) {
    let path = call.arguments.text("path");
    let queue = call.arguments.integer("queue");
    (path.to_owned(), json!({ "path": path, "queue": queue }))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::super::super::scripted_server::ScriptedServer;

    #[test]
    fn a_vhost_device_has_a_state_of_its_own() {
        let features =
            json!({"transports": ["A: a", "B: b"], "dev-features": ["C: c"], "unknown-dev-features": 1_u64 << 40});
        let none = json!({"transports": [], "dev-features": []});
        let vhost = json!({
            "nvqs": 1, "vq-index": 0, "max-queues": 1, "n-mem-sections": 1, "n-tmp-sections": 1, "backend-cap": 0,
            "log-enabled": false, "log-size": 0, "features": features, "acked-features": none,
            "backend-features": {"transports": [], "dev-features": ["C: c"]},
            "protocol-features": {"protocols": ["D: d"], "unknown-protocols": 2},
        });
        let device = json!({
            "name": "virtio-blk", "device-id": 2, "vhost-started": true, "bus-name": "", "broken": false,
            "status": {"statuses": ["S: s", "T: t"], "unknown-statuses": 64},
            "guest-features": none, "host-features": features, "backend-features": none, "vhost-dev": vhost,
        });
        let text = ScriptedServer::default().reply("x-query-virtio-status", device).text("info virtio-status /a");
        expect![[r#"
            /a:
              device_name:             virtio-blk (vhost)
              device_id:               2
              vhost_started:           true
              bus_name:                (null)
              broken:                  false
              status:
            \tS: s,
            \tT: t
              unknown-statuses(0x0000000000000040)
              Guest features:

              Host features:
            \tA: a,
            \tB: b
            \tC: c
              unknown-features(0x0000010000000000)
              Backend features:

              VHost:
                nvqs:           1
                vq_index:       0
                max_queues:     1
                n_mem_sections: 1
                n_tmp_sections: 1
                backend_cap:    0
                log_enabled:    false
                log_size:       0
                Features:
            \tA: a,
            \tB: b
            \tC: c
                unknown-features(0x0000010000000000)
                Acked features:

                Backend features:

            \tC: c
                Protocol features:
            \tD: d
                unknown-protocols(0x0000000000000002)
        "#]]
        .assert_eq(&text.replace('\t', "\\t"));
    }

    #[test]
    fn a_queue_of_a_vhost_device_has_addresses_of_both_sides() {
        let queue = json!({
            "name": "virtio-blk", "kick": 0, "call": 0, "num": 128, "desc": 140_130_824_077_312_u64,
            "desc-phys": 66_965_504, "desc-size": 2048, "avail": 1, "avail-phys": 2, "avail-size": 260,
            "used": u64::MAX, "used-phys": 4, "used-size": 1028,
        });
        let server = ScriptedServer::default().reply("x-query-virtio-vhost-queue-status", queue);
        expect![[r#"
            /a:
              device_name:          virtio-blk (vhost)
              kick:                 0
              call:                 0
              VRing:
                num:         128
                desc:        0x00007f72bffdc000
                desc_phys:   0x0000000003fdd000
                desc_size:   2048
                avail:       0x0000000000000001
                avail_phys:  0x0000000000000002
                avail_size:  260
                used:        0xffffffffffffffff
                used_phys:   0x0000000000000004
                used_size:   1028
        "#]]
        .assert_eq(&server.text("info virtio-vhost-queue-status /a 0"));
    }
}
