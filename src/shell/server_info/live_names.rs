//! Names that live in the server: the question for each kind, and the names in its answer.

use serde_json::Value;

use crate::assist::NameKind;
use crate::wire::{Request, quote};

use super::Named;
use crate::shell::engine::hmp::monitor_request;

/// A request with one argument, a string.
pub(crate) fn one_argument(command: &str, key: &str, value: &str) -> Request {
    Request::new(command).with_public_arguments(format!("{{{}: {}}}", quote(key), quote(value)))
}

/// The question whose answer holds these names.
pub(crate) fn live_request(live: &NameKind) -> Request {
    match live {
        NameKind::Nodes | NameKind::Bitmaps(_) | NameKind::Snapshots => {
            Request::new("query-named-block-nodes").with_public_arguments("{\"flat\": true}")
        }
        NameKind::Drives => Request::new("query-block"),
        NameKind::Devices => one_argument("qom-list", "path", "/machine/peripheral"),
        NameKind::Objects => one_argument("qom-list", "path", "/objects"),
        NameKind::Chardevs => Request::new("query-chardev"),
        NameKind::Jobs => Request::new("query-jobs"),
        NameKind::Cpus => Request::new("query-cpus-fast"),
        NameKind::DeviceTypes => {
            Request::new("qom-list-types").with_public_arguments("{\"implements\": \"device\", \"abstract\": false}")
        }
        NameKind::DeviceProperties(driver) => one_argument("device-list-properties", "typename", driver),
        NameKind::MemoryBackends => Request::new("query-memdev"),
        NameKind::IoThreads => Request::new("query-iothreads"),
        NameKind::QomChildren(path) | NameKind::QomProperties(path) => {
            one_argument("qom-list", "path", if path.is_empty() { "/" } else { path })
        }
        NameKind::QomTypes => Request::new("qom-list-types"),
        NameKind::TraceEvents => one_argument("trace-event-get-state", "name", "*"),
        NameKind::ChardevBackends => Request::new("query-chardev-backends"),
        NameKind::ObjectTypes => Request::new("qom-list-types")
            .with_public_arguments("{\"implements\": \"user-creatable\", \"abstract\": false}"),
        // QMP has no list of these.
        NameKind::Buses => monitor_request("info qtree", None),
        NameKind::NetClients | NameKind::Netdevs => monitor_request("info network", None),
        NameKind::Exports => Request::new("query-block-exports"),
        NameKind::CpuModels => Request::new("query-cpu-definitions"),
    }
}

/// The names that an answer holds, each with a few words, in order; those that QEMU made up itself (`#block123`) last.
pub(crate) fn live_answer(live: &NameKind, answer: &Value) -> Vec<Named> {
    let mut names = names_in(live, answer);
    names.sort_by(|one, other| (one.0.starts_with('#'), one).cmp(&(other.0.starts_with('#'), other)));
    names.dedup();
    names
}

fn names_in(live: &NameKind, answer: &Value) -> Vec<Named> {
    let is_link = |item: &&Value| {
        item.get("type")
            .and_then(Value::as_str)
            .is_some_and(|kind| kind.starts_with("child<") || kind.starts_with("link<"))
    };
    let named = |name: &str, about: &str| -> Vec<Named> {
        items(answer)
            .filter_map(|item| Some((text(item, name)?, text(item, about).unwrap_or_default())))
            .filter(|(name, _)| !name.is_empty())
            .collect()
    };
    match live {
        NameKind::Nodes => named("node-name", "drv"),
        NameKind::Drives => named("device", "type"),
        NameKind::Devices | NameKind::Objects => items(answer)
            .filter(is_link)
            .filter_map(|item| Some((text(item, "name")?, inner_type(&text(item, "type")?))))
            .collect(),
        NameKind::Chardevs => named("label", "filename"),
        NameKind::Jobs => named("id", "status"),
        NameKind::Bitmaps(node) => items(answer)
            .filter(|item| text(item, "node-name").as_deref() == Some(node))
            .filter_map(|item| item.get("dirty-bitmaps"))
            .flat_map(items)
            .filter_map(|bitmap| Some((text(bitmap, "name")?, "bitmap".to_owned())))
            .collect(),
        NameKind::Cpus => items(answer)
            .filter_map(|item| Some((item.get("cpu-index")?.to_string(), text(item, "qom-path").unwrap_or_default())))
            .collect(),
        NameKind::DeviceTypes | NameKind::QomTypes => named("name", "parent"),
        NameKind::DeviceProperties(_) => items(answer)
            .filter_map(|item| {
                let kind = text(item, "type")?;
                let about = text(item, "description").map(|words| format!("{kind}: {words}"));
                Some((text(item, "name")?, about.unwrap_or(kind)))
            })
            .collect(),
        NameKind::MemoryBackends => named("id", "policy"),
        NameKind::IoThreads => {
            items(answer).filter_map(|item| Some((text(item, "id")?, "iothread".to_owned()))).collect()
        }
        NameKind::CpuModels => named("name", "typename"),
        NameKind::QomChildren(path) => items(answer)
            .filter(is_link)
            .filter_map(|item| Some((format!("{path}/{}", text(item, "name")?), inner_type(&text(item, "type")?))))
            .collect(),
        NameKind::QomProperties(_) => items(answer)
            .filter(|item| text(item, "type").is_some_and(|kind| !kind.starts_with("child<")))
            .filter_map(|item| Some((text(item, "name")?, text(item, "type")?)))
            .collect(),
        NameKind::TraceEvents => named("name", "state"),
        NameKind::Exports => named("id", "node-name"),
        NameKind::Buses => buses(answer.as_str().unwrap_or_default()),
        NameKind::NetClients => net_clients(answer.as_str().unwrap_or_default()),
        NameKind::Netdevs => {
            let clients = net_clients(answer.as_str().unwrap_or_default());
            clients.into_iter().filter(|(_, kind)| kind != "nic").collect()
        }
        NameKind::ChardevBackends => named("name", ""),
        NameKind::ObjectTypes => named("name", "parent"),
        NameKind::Snapshots => items(answer)
            .filter_map(|item| item.get("image")?.get("snapshots"))
            .flat_map(items)
            .flat_map(|snapshot| [text(snapshot, "name"), text(snapshot, "id")])
            .flatten()
            .map(|name| (name, "snapshot".to_owned()))
            .collect(),
    }
}

/// The buses of `info qtree`: a line `bus: NAME`, the next with its type.
fn buses(tree: &str) -> Vec<Named> {
    let lines: Vec<&str> = tree.lines().map(str::trim).collect();
    let two = lines.windows(2).filter_map(|two| Some((two[0].strip_prefix("bus: ")?, two[1].strip_prefix("type ")?)));
    two.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

/// The network backends and devices of `info network`: `NAME: index=0,type=user,…`; below a hub, behind a `\\` and
/// perhaps bare.
fn net_clients(text: &str) -> Vec<Named> {
    let of_line = |line: &str| {
        let (name, rest) = line.split_once(": ").unwrap_or((line, ""));
        let name = name.trim();
        let bare = name.strip_prefix('\\').map(str::trim);
        let kind = rest.split(',').find_map(|part| part.trim().strip_prefix("type="));
        match (bare, kind) {
            (None, None) => None,
            (bare, kind) => Some((bare.unwrap_or(name).to_owned(), kind.unwrap_or("hub port").to_owned())),
        }
    };
    text.lines().filter_map(of_line).collect()
}

/// The items of an array; none of anything else.
pub(crate) fn items(answer: &Value) -> impl Iterator<Item = &Value> {
    answer.as_array().into_iter().flatten()
}

/// A member that is a string.
pub(crate) fn text(item: &Value, key: &str) -> Option<String> {
    item.get(key)?.as_str().map(str::to_owned)
}

/// `child<T>` and `link<T>` are told as T.
fn inner_type(kind: &str) -> String {
    let inner = kind.split_once('<').map_or(kind, |(_, inner)| inner);
    inner.trim_end_matches('>').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_people_gave_come_first() {
        let answer = serde_json::json!([
            {"node-name": "#block123", "drv": "file"},
            {"node-name": "top", "drv": "qcow2"},
            {"node-name": "base", "drv": "qcow2"},
        ]);
        let names: Vec<String> = live_answer(&NameKind::Nodes, &answer).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["base", "top", "#block123"]);
    }
}
