//! The information that the server gives about itself: introspection, and names for completion.
//!
//! Introspection is queried once, in the background; the human monitor's commands when they are first needed. Live names
//! are queried when they are needed, and forgotten as soon as a command or an event may have changed them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use crate::assist::{Name, NameKind};
use crate::schema::{PropertyType, Schema};
use crate::wire::{Reply, ReplyBody, parse_value};

use super::live_names::{items, names_in_reply, string_member};

/// The maximum size of a reply to a query; a larger one is ignored. Introspection takes about 250 kB; to parse a huge
/// reply would take long, and many times its size in memory.
pub const MAX_QUERY_REPLY_BYTES: usize = 16 << 20;

/// Bounds on the human monitor's help: the bytes of an entry, and the names of one command.
const MAX_HELP_ENTRY_BYTES: usize = 1000;
const MAX_ALIASES: usize = 4;

/// The kind of a query, which decides how its reply is interpreted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Query {
    Schema,
    Commands,
    VmName,
    RunState,
    HmpHelp,
    HmpInfoHelp,
    LiveNames(NameKind),
    PropertyTypes(NameKind),
    /// A query whose reply only the message log needs.
    ForLog,
}

/// The introspection and the names of a server.
#[derive(Debug, Default)]
pub(crate) struct ServerInfo {
    schema: Option<Arc<Schema>>,
    /// Whether the server has no introspection that can be read.
    pub(super) lacks_schema: bool,
    commands: Vec<String>,
    /// The name of the VM, if it has one.
    pub(crate) vm_name: Option<String>,
    /// The run state, unless an event may have changed it; a question mark if the server has none.
    pub(crate) run_state: Option<String>,
    hmp_commands: Vec<Name>,
    hmp_info: Vec<Name>,
    live_names: HashMap<NameKind, Vec<Name>>,
    /// Types of properties, by device type or object path.
    property_types: HashMap<NameKind, HashMap<String, PropertyType>>,
    /// Queries in flight, by id.
    pub(super) pending: HashMap<u64, Query>,
    /// Queries that are not repeated.
    pub(super) sent: HashSet<Query>,
}

/// The events after which the VM may have another run state.
const RUN_STATE_EVENTS: &[&str] = &[
    "BLOCK_IO_ERROR",
    "GUEST_CRASHLOADED",
    "GUEST_PANICKED",
    "MIGRATION",
    "RESET",
    "RESUME",
    "SHUTDOWN",
    "STOP",
    "SUSPEND",
    "WAKEUP",
    "WATCHDOG",
];

impl ServerInfo {
    /// Notes an event, after which the run state may be another one.
    pub(crate) fn note_event(&mut self, name: &str) {
        if RUN_STATE_EVENTS.contains(&name) {
            self.run_state = None;
        }
    }

    /// Returns the introspection, if it has arrived.
    pub(crate) fn schema(&self) -> Option<Arc<Schema>> {
        self.schema.clone()
    }

    /// Returns the QMP commands, sorted.
    pub(crate) fn command_names(&self) -> Vec<String> {
        match &self.schema {
            Some(schema) => schema.commands().iter().map(|command| command.name.clone()).collect(),
            None => self.commands.clone(),
        }
    }

    /// Returns the human monitor's commands, with their help.
    pub(crate) fn hmp_commands(&self) -> &[Name] {
        &self.hmp_commands
    }

    /// Returns the subcommands of the human monitor's `info`, with their help.
    pub(crate) fn hmp_info(&self) -> &[Name] {
        &self.hmp_info
    }

    /// Returns live names, if they are known and not outdated.
    pub(super) fn live_names(&self, kind: &NameKind) -> Option<&Vec<Name>> {
        self.live_names.get(kind)
    }

    /// Forgets live names, because they may have changed. Returns the ids of queries whose replies are outdated.
    pub(super) fn forget_live_names(&mut self) -> Vec<u64> {
        self.live_names.clear();
        // There may be another object at a path; the properties of a device type do not change.
        self.property_types.retain(|kind, _| matches!(kind, NameKind::DeviceProperties(_)));
        let outdated = self.pending.iter().filter(|(_, query)| matches!(query, Query::LiveNames(_)));
        let outdated: Vec<u64> = outdated.map(|(id, _)| *id).collect();
        outdated.iter().for_each(|id| drop(self.pending.remove(id)));
        outdated
    }

    pub(super) fn awaits(&self, query: &Query) -> bool {
        self.pending.values().any(|pending| pending == query)
    }

    /// Returns whether a reply is awaited that every completion or check needs.
    pub(super) fn awaits_basics(&self) -> bool {
        let is_basic = |query: &Query| {
            !matches!(
                query,
                Query::LiveNames(_) | Query::PropertyTypes(_) | Query::VmName | Query::RunState | Query::ForLog
            )
        };
        self.pending.values().any(is_basic)
    }

    /// Returns whether introspection has arrived, or it is certain that none will.
    pub(crate) fn has_answered_introspection(&self) -> bool {
        self.schema.is_some() || self.lacks_schema
    }

    /// Returns the types of properties, once the server has returned them. They are empty after an error.
    pub(crate) fn property_types(&self, kind: &NameKind) -> Option<&HashMap<String, PropertyType>> {
        self.property_types.get(kind)
    }

    /// Takes the reply to a query. Returns false if `id` is not that of a query. An error leaves the names empty.
    pub(crate) fn take_reply(&mut self, id: u64, reply: &Reply) -> bool {
        let Some(query) = self.pending.remove(&id) else { return false };
        let raw = match reply.body() {
            ReplyBody::Return(raw) if raw.len() <= MAX_QUERY_REPLY_BYTES => Some(raw),
            _ => None,
        };
        let text = || raw.and_then(|raw| serde_json::from_str::<String>(raw).ok()).unwrap_or_default();
        let member = |name: &str| {
            let value = parse_value(raw?).ok()?;
            string_member(&value, name)
        };
        match (query, raw) {
            (Query::Schema, Some(raw)) => match Schema::parse(raw) {
                Ok(schema) => self.schema = Some(Arc::new(schema)),
                Err(_) => self.lacks_schema = true,
            },
            (Query::Schema, None) => self.lacks_schema = true,
            (Query::Commands, Some(raw)) => self.commands = command_names(raw),
            (Query::Commands, None) | (Query::ForLog, _) => {}
            (Query::VmName, _) => self.vm_name = member("name").filter(|name| !name.is_empty()),
            (Query::RunState, _) => self.run_state = Some(member("status").unwrap_or_else(|| "?".to_owned())),
            (Query::HmpHelp, _) => self.hmp_commands = hmp_names(&text(), ""),
            (Query::HmpInfoHelp, _) => self.hmp_info = hmp_names(&text(), "info "),
            (Query::LiveNames(kind), Some(raw)) => {
                let value = parse_value(raw).unwrap_or_default();
                let names = names_in_reply(&kind, &value);
                self.live_names.insert(kind, names);
            }
            // After an error, these names are not queried again until something changes.
            (Query::LiveNames(kind), None) => drop(self.live_names.insert(kind, Vec::new())),
            (Query::PropertyTypes(kind), _) => {
                let types = raw.map(property_types_in_reply).unwrap_or_default();
                self.property_types.insert(kind, types);
            }
        }
        true
    }
}

/// Returns the names in the reply to `query-commands` (an array) or `guest-info` (an object with an array; disabled
/// commands are left out), sorted.
pub fn command_names(raw: &str) -> Vec<String> {
    let value = parse_value(raw).unwrap_or_default();
    let list = value.as_array().or_else(|| value.get("supported_commands")?.as_array());
    let mut names: Vec<String> = list
        .into_iter()
        .flatten()
        .filter(|item| item.get("enabled") != Some(&Value::Bool(false)))
        .filter_map(|item| item.get("name")?.as_str().map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// Returns the types of the properties in a reply that lists them.
fn property_types_in_reply(raw: &str) -> HashMap<String, PropertyType> {
    let value = parse_value(raw).unwrap_or_default();
    let property = |item: &Value| {
        let kind = PropertyType::of(&string_member(item, "type")?, string_member(item, "description").as_deref());
        Some((string_member(item, "name")?, kind))
    };
    items(&value).filter_map(property).collect()
}

/// Returns the names in the human monitor's help, which has lines `PREFIXname|alias args -- help`. Continued help is
/// indented; continued arguments begin with `[`.
fn hmp_names(text: &str, prefix: &str) -> Vec<Name> {
    let mut names = Vec::new();
    let mut entry = String::new();
    for line in text.lines() {
        if !line.starts_with('[') {
            entry.clear();
        }
        let room = MAX_HELP_ENTRY_BYTES.saturating_sub(entry.len());
        entry.push_str(&line[..line.floor_char_boundary(room)]);
        let Some((usage, help)) = entry.strip_prefix(prefix).and_then(|entry| entry.split_once(" -- ")) else {
            continue;
        };
        if usage.starts_with([' ', '\t', '[']) {
            continue;
        }
        let name = usage.split_whitespace().next().unwrap_or_default();
        let aliases = name.split('|').filter(|name| !name.is_empty()).take(MAX_ALIASES);
        names.extend(aliases.map(|name| Name::new(name, help)));
    }
    names.sort();
    names.dedup_by(|a, b| a.text == b.text);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_command_names_of_monitor_and_guest_agent() {
        assert_eq!(command_names(r#"[{"name": "stop"}, {"name": "cont"}]"#), ["cont", "stop"]);
        assert_eq!(
            command_names(
                r#"{"version": "1", "supported_commands": [{"name": "guest-ping", "enabled": true}, {"name": "x", "enabled": false}]}"#
            ),
            ["guest-ping"]
        );
        assert!(command_names("nan").is_empty());
    }

    #[test]
    fn reads_names_of_the_human_monitor() {
        let text = "cont|c  -- go on\ninfo [subcommand] -- show\n\t continued -- here\ndrive_add [-n] slot\n[file=f]\n[,x=on|off] -- add\nx /fmt addr -- dump\n";
        let names: Vec<String> = hmp_names(text, "").into_iter().map(|name| name.text).collect();
        assert_eq!(names, ["c", "cont", "drive_add", "info", "x"]);
        assert_eq!(hmp_names("info block [-n] -- show blocks\n", "info ")[0].text, "block");
    }

    #[test]
    fn ignores_replies_to_outdated_queries() {
        let mut info = ServerInfo::default();
        info.pending.insert(1, Query::LiveNames(NameKind::Jobs));
        info.pending.insert(2, Query::Commands);
        assert_eq!(info.forget_live_names(), [1]);
        let crate::wire::Message::Reply(reply) =
            crate::wire::Message::parse(br#"{"return": [{"name": "stop"}]}"#.to_vec()).unwrap()
        else {
            panic!()
        };
        assert!(!info.take_reply(1, &reply));
        assert!(info.take_reply(2, &reply));
        assert_eq!(info.command_names(), ["stop"]);
    }
}
