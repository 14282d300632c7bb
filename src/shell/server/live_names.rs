//! Live names: the query for each kind, and the names in its reply.

use serde_json::Value;

use crate::assist::{Name, NameKind};
use crate::wire::{Request, quote};

/// Returns the query for names of a kind. `None` for files, which no server knows, and for names that take several
/// queries.
pub(super) fn name_query(kind: &NameKind) -> Option<Request> {
    Some(match kind {
        NameKind::Nodes | NameKind::Bitmaps(_) | NameKind::Snapshots => {
            Request::new("query-named-block-nodes").with_public_arguments("{\"flat\": true}")
        }
        NameKind::Drives => Request::new("query-block"),
        NameKind::Devices => with_argument("qom-list", "path", "/machine/peripheral"),
        NameKind::Objects | NameKind::ObjectsOfType(_) => with_argument("qom-list", "path", "/objects"),
        NameKind::Chardevs => Request::new("query-chardev"),
        NameKind::Jobs => Request::new("query-jobs"),
        NameKind::Cpus => Request::new("query-cpus-fast"),
        NameKind::DeviceTypes => {
            Request::new("qom-list-types").with_public_arguments("{\"implements\": \"device\", \"abstract\": false}")
        }
        NameKind::DeviceProperties(driver) => with_argument("device-list-properties", "typename", driver),
        NameKind::MemoryBackends => Request::new("query-memdev"),
        NameKind::IoThreads => Request::new("query-iothreads"),
        NameKind::QomChildren(path) | NameKind::QomProperties(path) | NameKind::QomParts(path) => {
            with_argument("qom-list", "path", if path.is_empty() { "/" } else { path })
        }
        NameKind::QomText { path, property } => Request::new("qom-get").with_public_arguments(format!(
            "{{\"path\": {}, \"property\": {}}}",
            quote(path),
            quote(property)
        )),
        NameKind::QomTypes => Request::new("qom-list-types"),
        NameKind::TraceEvents => with_argument("trace-event-get-state", "name", "*"),
        NameKind::ChardevBackends => Request::new("query-chardev-backends"),
        NameKind::ObjectTypes => Request::new("qom-list-types")
            .with_public_arguments("{\"implements\": \"user-creatable\", \"abstract\": false}"),
        NameKind::BusTypes => Request::new("qom-list-types").with_public_arguments("{\"implements\": \"bus\"}"),
        NameKind::FilteredNics => Request::new("query-rx-filter"),
        NameKind::Exports => Request::new("query-block-exports"),
        NameKind::CpuModels => Request::new("query-cpu-definitions"),
        NameKind::Buses | NameKind::NetClients | NameKind::Netdevs => return None,
        NameKind::Files(_) | NameKind::ServerFiles(_) | NameKind::Addresses(_) => return None,
    })
}

/// Returns a request for `command` with one argument, a string.
fn with_argument(command: &str, key: &str, value: &str) -> Request {
    Request::new(command).with_public_arguments(format!("{{{}: {}}}", quote(key), quote(value)))
}

/// Returns the names in a reply, sorted. Names that QEMU generated (`#block123`) come last.
pub(super) fn names_in_reply(kind: &NameKind, reply: &Value) -> Vec<Name> {
    let mut names = extract(kind, reply);
    names.sort_by(|a, b| (a.text.starts_with('#'), a).cmp(&(b.text.starts_with('#'), b)));
    names.dedup();
    names
}

/// Returns the names of a kind in a reply, in the reply's order.
fn extract(kind: &NameKind, reply: &Value) -> Vec<Name> {
    // Returns names and descriptions that are members of the reply's items.
    let members = |name: &str, description: &str| -> Vec<Name> {
        items(reply)
            .filter_map(|item| {
                Some(Name::new(string_member(item, name)?, string_member(item, description).unwrap_or_default()))
            })
            .filter(|name| !name.text.is_empty())
            .collect()
    };
    match kind {
        NameKind::Nodes => members("node-name", "drv"),
        NameKind::Drives => members("device", "type"),
        NameKind::Devices | NameKind::Objects => {
            qom_children(reply).map(|(name, qom_type)| Name::new(name, qom_type)).collect()
        }
        NameKind::ObjectsOfType(prefix) => qom_children(reply)
            .filter(|(_, qom_type)| qom_type.starts_with(prefix))
            .map(|(name, qom_type)| Name::new(name, qom_type))
            .collect(),
        NameKind::Chardevs => members("label", "filename"),
        NameKind::Jobs => members("id", "status"),
        NameKind::Bitmaps(node) => items(reply)
            .filter(|item| string_member(item, "node-name").as_deref() == Some(node))
            .filter_map(|item| item.get("dirty-bitmaps"))
            .flat_map(items)
            .filter_map(|bitmap| Some(Name::new(string_member(bitmap, "name")?, "bitmap")))
            .collect(),
        NameKind::Cpus => items(reply)
            .filter_map(|item| {
                let path = string_member(item, "qom-path").unwrap_or_default();
                Some(Name::new(item.get("cpu-index")?.to_string(), path))
            })
            .collect(),
        NameKind::DeviceTypes | NameKind::QomTypes | NameKind::ObjectTypes | NameKind::BusTypes => {
            members("name", "parent")
        }
        NameKind::FilteredNics => members("name", ""),
        NameKind::DeviceProperties(_) => items(reply)
            .filter_map(|item| {
                let qom_type = string_member(item, "type")?;
                let description = string_member(item, "description").map(|text| format!("{qom_type}: {text}"));
                Some(Name::new(string_member(item, "name")?, description.unwrap_or(qom_type)))
            })
            .collect(),
        NameKind::MemoryBackends => members("id", "policy"),
        NameKind::IoThreads => {
            items(reply).filter_map(|item| Some(Name::new(string_member(item, "id")?, "iothread"))).collect()
        }
        NameKind::CpuModels => members("name", "typename"),
        NameKind::QomChildren(path) => {
            qom_children(reply).map(|(name, qom_type)| Name::new(format!("{path}/{name}"), qom_type)).collect()
        }
        NameKind::QomParts(path) => {
            qom_members(reply, &[CHILD]).map(|(name, qom_type)| Name::new(format!("{path}/{name}"), qom_type)).collect()
        }
        NameKind::QomText { .. } => {
            reply.as_str().filter(|text| !text.is_empty()).map(|text| Name::new(text, "")).into_iter().collect()
        }
        NameKind::QomProperties(_) => {
            let mut properties = members("name", "type");
            properties.retain(|property| !property.description.starts_with(CHILD));
            properties
        }
        NameKind::TraceEvents => members("name", "state"),
        NameKind::Exports => members("id", "node-name"),
        NameKind::NetClients => net_clients(network_text(reply)),
        NameKind::Netdevs => {
            let mut clients = net_clients(network_text(reply));
            clients.retain(|client| client.description != "nic");
            clients
        }
        NameKind::ChardevBackends => members("name", ""),
        NameKind::Snapshots => items(reply)
            .filter_map(|item| item.get("image")?.get("snapshots"))
            .flat_map(items)
            .flat_map(|snapshot| [string_member(snapshot, "name"), string_member(snapshot, "id")])
            .flatten()
            .map(|name| Name::new(name, "snapshot"))
            .collect(),
        NameKind::Buses | NameKind::Files(_) | NameKind::ServerFiles(_) | NameKind::Addresses(_) => Vec::new(),
    }
}

/// Returns the text of `info network`: the reply itself, or the text in the reply to the query of the same name.
fn network_text(reply: &Value) -> &str {
    reply.get("human-readable-text").unwrap_or(reply).as_str().unwrap_or_default()
}

/// Returns the network backends and devices in `info network`, which has lines `NAME: index=0,type=user,…`. Below a hub
/// the name follows a `\`, and the type may be missing.
fn net_clients(text: &str) -> Vec<Name> {
    let of_line = |line: &str| {
        let (name, rest) = line.split_once(": ").unwrap_or((line, ""));
        let name = name.trim();
        let hub_port = name.strip_prefix('\\').map(str::trim);
        let kind = rest.split(',').find_map(|part| part.trim().strip_prefix("type="));
        match (hub_port, kind) {
            (None, None) => None,
            (hub_port, kind) => Some(Name::new(hub_port.unwrap_or(name), kind.unwrap_or("hub port"))),
        }
    };
    text.lines().filter_map(of_line).collect()
}

/// The beginnings of the types of children and links.
const CHILD: &str = "child<";
const LINK: &str = "link<";

/// Returns the name and the type of each child and link in a reply to `qom-list`.
fn qom_children(reply: &Value) -> impl Iterator<Item = (String, String)> {
    qom_members(reply, &[CHILD, LINK])
}

/// Returns the name and the type of each property in a reply to `qom-list` whose type begins with one of `wrappers`.
fn qom_members(reply: &Value, wrappers: &[&str]) -> impl Iterator<Item = (String, String)> {
    items(reply).filter_map(|item| {
        let typed = string_member(item, "type")?;
        let inner = wrappers.iter().find_map(|wrapper| typed.strip_prefix(wrapper))?.trim_end_matches('>');
        Some((string_member(item, "name")?, inner.to_owned()))
    })
}

/// Returns the items of an array, or none for any other value.
pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(super) fn string_member(item: &Value, key: &str) -> Option<String> {
    item.get(key)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_generated_names_last() {
        let reply = serde_json::json!([
            {"node-name": "#block123", "drv": "file"},
            {"node-name": "top", "drv": "qcow2"},
            {"node-name": "base", "drv": "qcow2"},
        ]);
        let names: Vec<String> = names_in_reply(&NameKind::Nodes, &reply).into_iter().map(|name| name.text).collect();
        assert_eq!(names, ["base", "top", "#block123"]);
    }

    #[test]
    fn reads_network_clients_below_a_hub() {
        let text = "hub 0\n \\ hub0port1: socket.0: index=0,type=socket,\n \\ nd\nnic0: index=0,type=nic,model=e1000\n";
        let names: Vec<(String, String)> =
            net_clients(text).into_iter().map(|name| (name.text, name.description)).collect();
        let expected = [("hub0port1", "socket"), ("nd", "hub port"), ("nic0", "nic")];
        assert_eq!(names, expected.map(|(name, kind)| (name.to_owned(), kind.to_owned())));
    }
}
