//! The guest's memory as a resource: its size, its devices and back ends, the balloon, encryption.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::mebibytes;
use super::super::server::Failure;
use super::super::text::{integer, is_true, items, labelled_lines, number_ranges, on_off, plain, string, unsigned};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("balloon", &[mebibytes("target")], "set the memory that the balloon leaves to the guest", balloon),
    Command::new("info balloon", &[], "the memory that the balloon leaves to the guest", info_balloon),
    Command::new("info memdev", &[], "the memory back ends", info_memdev),
    Command::new("info memory-devices", &[], "the memory devices", info_memory_devices),
    Command::new("info memory_size_summary", &[], "the sizes of the base memory and of plugged memory", info_size),
    Command::new("info sev", &[], "the state of AMD's memory encryption", info_sev),
    Command::new("info sgx", &[], "the state of Intel's enclaves", info_sgx),
];

fn balloon(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let target = call.arguments.integer("target");
    call.execute("balloon", json!({ "value": target }))
}

fn info_balloon(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-balloon", Value::Null)?;
    Ok(format!("balloon: actual={}\n", integer(&reply, "actual") >> 20))
}

fn info_size(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-memory-size-summary", Value::Null)?;
    let labels = [("base memory: ", "base-memory"), ("plugged memory: ", "plugged-memory")];
    let present: Vec<_> = labels.into_iter().filter(|(_, key)| reply.get(*key).is_some()).collect();
    Ok(labelled_lines(&reply, &present))
}

fn info_memdev(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-memdev", Value::Null)?;
    let mut text = String::new();
    for backend in items(&reply) {
        text.push_str(&format!("memory backend: {}\n  size:  {}\n", plain(backend, "id"), plain(backend, "size")));
        // The last one is missing where the system cannot tell.
        for key in ["merge", "dump", "prealloc", "share", "reserve"].iter().filter(|key| backend.get(key).is_some()) {
            text.push_str(&format!("  {key}: {}\n", plain(backend, key)));
        }
        text.push_str(&format!("  policy: {}\n", plain(backend, "policy")));
        text.push_str(&format!("  host nodes: {}\n", number_ranges(&backend["host-nodes"])));
    }
    Ok(text + "\n")
}

/// The members of a memory device's data in the order of the text, those of all types together.
const DEVICE_MEMBERS: &[&str] = &[
    "addr",
    "memaddr",
    "slot",
    "node",
    "requested-size",
    "size",
    "max-size",
    "block-size",
    "memdev",
    "hotplugged",
    "hotpluggable",
];

fn info_memory_devices(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = call.query("query-memory-devices", Value::Null)?;
    let mut text = String::new();
    for device in items(&reply) {
        let (kind, data) = (string(device, "type"), &device["data"]);
        text.push_str(&format!("Memory device [{kind}]: \"{}\"\n", plain(data, "id")));
        for key in DEVICE_MEMBERS.iter().filter(|key| data.get(key).is_some()) {
            match key.ends_with("addr") {
                true => text.push_str(&format!("  {key}: {:#x}\n", unsigned(data, key))),
                false => text.push_str(&format!("  {key}: {}\n", plain(data, key))),
            }
        }
    }
    Ok(text)
}

fn info_sev(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = match call.query("query-sev", Value::Null) {
        Ok(reply) if is_true(&reply, "enabled") => reply,
        Ok(_) | Err(Failure::Error(_)) => return Ok("SEV is not enabled\n".to_owned()),
        Err(failure) => return Err(failure),
    };
    let mut text = labelled_lines(&reply, &[("state: ", "state"), ("build: ", "build-id")]);
    text.push_str(&format!("api version: {}.{}\n", plain(&reply, "api-major"), plain(&reply, "api-minor")));
    if string(&reply, "sev-type") == "sev-snp" {
        return Ok(text + &labelled_lines(&reply, &[("SNP policy: ", "snp-policy")]));
    }
    let policy = unsigned(&reply, "policy");
    text.push_str(&labelled_lines(&reply, &[("handle: ", "handle")]));
    text.push_str(&format!("debug: {}\nkey-sharing: {}\n", on_off(policy & 1 == 0), on_off(policy & 2 == 0)));
    Ok(text)
}

fn info_sgx(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let reply = match call.query("query-sgx", Value::Null) {
        Err(Failure::Error(error)) => return Ok(error.desc + "\n"),
        reply => reply?,
    };
    let mut text = String::new();
    for (label, key) in [("SGX", "sgx"), ("SGX1", "sgx1"), ("SGX2", "sgx2"), ("FLC", "flc")] {
        let state = if is_true(&reply, key) { "enabled" } else { "disabled" };
        text.push_str(&format!("{label} support: {state}\n"));
    }
    for section in items(&reply["sections"]) {
        text.push_str(&format!("NUMA node #{}: size={}\n", plain(section, "node"), plain(section, "size")));
    }
    Ok(text)
}
