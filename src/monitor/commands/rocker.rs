//! Rocker switches, and their tables of flows and groups.

use serde_json::{Value, json};

use super::super::command::{Command, Invocation};
use super::super::parameter::{Parameter, integer, text};
use super::super::server::Failure;
use super::super::text::{integer as integer_member, is_true, items, plain, string, unsigned};

const NAME: Parameter = text("name");

pub(super) const COMMANDS: &[Command] = &[
    Command::new("info rocker", &[NAME], "a Rocker switch", info_switch),
    Command::new(
        "info rocker-of-dpa-flows",
        &[NAME, integer("tbl_id").optional()],
        "the flows of a switch",
        info_flows,
    ),
    Command::new(
        "info rocker-of-dpa-groups",
        &[NAME, integer("type").optional()],
        "the groups of a switch",
        info_groups,
    ),
    Command::new("info rocker-ports", &[NAME], "the ports of a switch", info_ports),
];

fn info_switch(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let name = call.arguments.text("name").to_owned();
    let reply = call.query("query-rocker", json!({ "name": name }))?;
    let (name, id) = (string(&reply, "name"), unsigned(&reply, "id"));
    Ok(format!("name: {name}\nid: {id:#x}\nports: {}\n", plain(&reply, "ports")))
}

fn info_ports(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let name = call.arguments.text("name").to_owned();
    let reply = call.query("query-rocker-ports", json!({ "name": name }))?;
    let mut text = "            ena/    speed/ auto\n      port  link    duplex neg?\n".to_owned();
    for port in items(&reply) {
        let link = match (is_true(port, "enabled"), is_true(port, "link-up")) {
            (false, _) => "!ena",
            (true, true) => "up",
            (true, false) => "down",
        };
        let speed = match integer_member(port, "speed") {
            0 => "??".to_owned(),
            megabits if megabits % 1000 == 0 => format!("{}G", megabits / 1000),
            megabits => format!("{megabits}M"),
        };
        let duplex = if string(port, "duplex") == "full" { "FD" } else { "HD" };
        let negotiation = if string(port, "autoneg") == "on" { "Yes" } else { "No" };
        text.push_str(&format!("{:>10}  {link:<4}   {speed:<3}  {duplex:>2}  {negotiation}\n", string(port, "name")));
    }
    Ok(text)
}

fn info_flows(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let arguments = json!({ "name": call.arguments.text("name"), "tbl-id": call.arguments.optional_integer("tbl_id") });
    let reply = call.query("query-rocker-of-dpa-flows", arguments)?;
    let mut text = "prio tbl hits key(mask) --> actions\n".to_owned();
    for flow in items(&reply) {
        let (key, hits) = (&flow["key"], integer_member(flow, "hits"));
        let hits = if hits > 0 { hits.to_string() } else { String::new() };
        let (priority, table) = (integer_member(key, "priority"), integer_member(key, "tbl-id"));
        text.push_str(&format!("{priority:<4} {table:<3} {hits:<4}{}{}\n", flow_key(flow), flow_action(flow)));
    }
    Ok(text)
}

/// Returns a packet's fields that a flow matches.
fn flow_key(flow: &Value) -> String {
    let (key, mask) = (&flow["key"], &flow["mask"]);
    let mut text = String::new();
    if key.get("in-pport").is_some() {
        text.push_str(&format!(" pport {}{}", plain(key, "in-pport"), masked(mask, "in-pport")));
    }
    if key.get("vlan-id").is_some() {
        text.push_str(&format!(" vlan {}{}", unsigned(key, "vlan-id") & 0x0fff, masked(mask, "vlan-id")));
    }
    if key.get("tunnel-id").is_some() {
        text.push_str(&format!(" tunnel {}{}", plain(key, "tunnel-id"), masked(mask, "tunnel-id")));
    }
    if key.get("eth-type").is_some() {
        let kind = match unsigned(key, "eth-type") {
            0x0800 => "IP".to_owned(),
            0x0806 => "ARP".to_owned(),
            0x86dd => "IPv6".to_owned(),
            0x8809 => "LACP".to_owned(),
            0x88cc => "LLDP".to_owned(),
            other => format!("eth type {other:#06x}"),
        };
        text.push_str(&format!(" {kind}"));
    }
    for (label, member) in [("src", "eth-src"), ("dst", "eth-dst")] {
        if key.get(member).is_some() {
            let (address, mask) = (string(key, member), string(mask, member));
            let is_any = address == "00:00:00:00:00:00" && mask == "00:00:00:00:00:00";
            let mask = if mask.is_empty() || mask == "ff:ff:ff:ff:ff:ff" { String::new() } else { format!("({mask})") };
            text.push_str(&if is_any { format!(" {label} <any>") } else { format!(" {label} {address}{mask}") });
        }
    }
    for (label, member) in [("proto", "ip-proto"), ("TOS", "ip-tos")] {
        if key.get(member).is_some() {
            text.push_str(&format!(" {label} {}{}", plain(key, member), masked(mask, member)));
        }
    }
    if key.get("ip-dst").is_some() {
        text.push_str(&format!(" dst {}", string(key, "ip-dst")));
    }
    text
}

/// Returns the mask of a field in parentheses, if the field has one.
fn masked(mask: &Value, key: &str) -> String {
    mask.get(key).map(|_| format!("({:#x})", unsigned(mask, key))).unwrap_or_default()
}

/// Returns what a flow does with a packet.
fn flow_action(flow: &Value) -> String {
    let action = &flow["action"];
    let mut text = String::new();
    if action.get("group-id").is_some() {
        text.push_str(&format!(" write group {:#010x}", unsigned(action, "group-id")));
    }
    if action.get("tunnel-lport").is_some() {
        text.push_str(&format!(" set tunnel lport {}", plain(action, "tunnel-lport")));
    }
    if action.get("vlan-id").is_some() {
        text.push_str(&format!(" set vlan {}", plain(action, "vlan-id")));
    }
    if action.get("goto-tbl").is_some() {
        text.push_str(&format!(" goto tbl {}", plain(action, "goto-tbl")));
    }
    if text.is_empty() { text } else { format!(" -->{text}") }
}

/// The types of groups, by their number.
const GROUP_TYPES: &[&str] = &[
    "L2 interface",
    "L2 rewrite",
    "L3 unicast",
    "L2 multicast",
    "L2 flood",
    "L3 interface",
    "L3 multicast",
    "L3 ECMP",
    "L2 overlay",
];

/// The members of a group that are shown after its identity.
const GROUP_MEMBERS: &[(&str, &str)] = &[
    ("vlan", "vlan-id"),
    ("pport", "pport"),
    ("index", "index"),
    ("out pport", "out-pport"),
    ("group", "group-id"),
    ("set vlan", "set-vlan-id"),
    ("pop vlan", "pop-vlan"),
    ("set src", "set-eth-src"),
    ("set dst", "set-eth-dst"),
    ("TTL check", "ttl-check"),
];

fn info_groups(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let arguments = json!({ "name": call.arguments.text("name"), "type": call.arguments.optional_integer("type") });
    let reply = call.query("query-rocker-of-dpa-groups", arguments)?;
    let mut text = "id (decode) --> buckets\n".to_owned();
    for group in items(&reply) {
        let kind = usize::try_from(unsigned(group, "type")).ok().and_then(|kind| GROUP_TYPES.get(kind));
        text.push_str(&format!("{:#010x} ({})", unsigned(group, "id"), kind.unwrap_or(&"unknown")));
        for (label, key) in GROUP_MEMBERS.iter().filter(|(_, key)| group.get(key).is_some()) {
            text.push_str(&format!(" {label} {}", plain(group, key)));
        }
        let members: Vec<String> =
            items(&group["group-ids"]).iter().filter_map(Value::as_u64).map(|id| format!("{id:#010x}")).collect();
        if !members.is_empty() {
            text.push_str(&format!(" groups [{}]", members.join(",")));
        }
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::super::super::scripted_server::ScriptedServer;

    #[test]
    fn ports_have_links_and_speeds() {
        let port = |name: &str, enabled: bool| json!({"name": name, "enabled": enabled, "link-up": enabled, "speed": 10_000, "duplex": "full", "autoneg": "off"});
        let ports = json!([port("sw1.1", true), port("sw1.3", false)]);
        let lines = [
            "            ena/    speed/ auto",
            "      port  link    duplex neg?",
            "     sw1.1  up     10G  FD  No",
            "     sw1.3  !ena   10G  FD  No",
            "",
        ];
        let server = ScriptedServer::default().reply("query-rocker-ports", ports);
        assert_eq!(server.text("info rocker-ports sw1"), lines.join("\n"));
    }

    #[test]
    fn flows_have_keys_and_actions() {
        let flows = json!([
            {"hits": 0, "cookie": 1, "action": {}, "mask": {},
                "key": {"priority": 2, "tbl-id": 60, "in-pport": 1, "vlan-id": 1, "eth-type": 0x88cc,
                    "eth-src": "00:02:00:00:02:00", "eth-dst": "01:80:c2:00:00:0e"}},
            {"hits": 173, "cookie": 2, "action": {"group-id": 0x0200_0000},
                "mask": {"eth-src": "00:00:00:00:00:00"},
                "key": {"priority": 1, "tbl-id": 60, "in-pport": 2, "vlan-id": 2, "eth-type": 0x88cc,
                    "eth-src": "00:00:00:00:00:00", "eth-dst": "01:80:c2:00:00:0e"}},
            {"hits": 2, "cookie": 3, "action": {"group-id": 0x0100_0002, "goto-tbl": 60}, "mask": {},
                "key": {"priority": 3, "tbl-id": 50, "vlan-id": 1, "eth-dst": "00:02:00:00:03:00"}},
        ]);
        let server = ScriptedServer::default().reply("query-rocker-of-dpa-flows", flows);
        expect![[r#"
            prio tbl hits key(mask) --> actions
            2    60       pport 1 vlan 1 LLDP src 00:02:00:00:02:00 dst 01:80:c2:00:00:0e
            1    60  173  pport 2 vlan 2 LLDP src <any> dst 01:80:c2:00:00:0e --> write group 0x02000000
            3    50  2    vlan 1 dst 00:02:00:00:03:00 --> write group 0x01000002 goto tbl 60
        "#]]
        .assert_eq(&server.text("info rocker-of-dpa-flows sw1"));
    }
}
