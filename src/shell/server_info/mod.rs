//! What the server has said of itself: its introspection, names for completion, and what lives in it.
//!
//! Introspection is asked for once, in the background; names of the human monitor when they are first wanted; what
//! lives in the server again and again, and forgotten as soon as a command or an event may have changed it.

pub(crate) mod live_names;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use crate::assist::NameKind;
use crate::schema::{Builtin, Schema};
use crate::session::{Disconnected, Session};
use crate::wire::{Reply, ReplyBody, Request};

use super::engine::hmp::monitor_request;
use super::server_info::live_names::live_answer;

/// The largest answer that is looked at. What servers say of themselves is a few hundred kilobytes; more is no list of
/// names, and to read it would take long, and many times its size in memory.
pub const LARGEST_ANSWER: usize = 16 << 20;

/// The most of an entry in the monitor's help that is looked at, and of the names that one command has there.
const LONGEST_HELP: usize = 1000;
const ALIASES: usize = 4;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Query {
    Schema,
    Commands,
    Monitor,
    Info,
    /// Names that live in the server; the answer is kept for the next Tab.
    NameKind(NameKind),
    /// Nobody waits for the answer any more.
    Cancelled,
}

/// A name and a few words about it.
pub type Named = (String, String);

/// What is known.
#[derive(Debug, Default)]
pub struct ServerInfo {
    schema: Option<Arc<Schema>>,
    commands: Vec<String>,
    monitor: Vec<Named>,
    info: Vec<Named>,
    live: HashMap<NameKind, Vec<Named>>,
    /// Types of properties, by device type or object path.
    properties: HashMap<NameKind, HashMap<String, Builtin>>,
    asked: HashMap<u64, Query>,
    asked_once: HashSet<Query>,
    /// The server has no introspection.
    refused: bool,
}

impl ServerInfo {
    /// The server's introspection, once it is here.
    pub fn schema(&self) -> Option<Arc<Schema>> {
        self.schema.clone()
    }

    /// QMP commands, sorted.
    pub fn command_names(&self) -> Vec<String> {
        match &self.schema {
            Some(schema) => schema.commands().iter().map(|command| command.name.clone()).collect(),
            None => self.commands.clone(),
        }
    }

    /// HMP commands, with their help.
    pub fn monitor(&self) -> &[Named] {
        &self.monitor
    }

    /// Subcommands of HMP's `info`, with their help.
    pub fn info(&self) -> &[Named] {
        &self.info
    }

    /// Names that live in the server, if they are known and not stale.
    pub(crate) fn live(&self, live: &NameKind) -> Option<&Vec<Named>> {
        self.live.get(live)
    }

    /// What lives in the server may have changed.
    pub(crate) fn forget_live(&mut self) {
        self.live.clear();
        // At a path another object may stand by now; a type of device stays what it is.
        self.properties.retain(|of, _| matches!(of, NameKind::DeviceProperties(_)));
        for question in self.asked.values_mut().filter(|question| matches!(question, Query::NameKind(_))) {
            *question = Query::Cancelled;
        }
    }

    /// Names that live in the server were asked for.
    pub(crate) fn ask_live(
        &mut self,
        session: &mut Session,
        request: &Request,
        live: &NameKind,
    ) -> Result<(), Disconnected> {
        self.ask(session, request, Query::NameKind(live.clone())).map(drop)
    }

    /// Whether these names are asked for and not here yet.
    pub(crate) fn awaits_live(&self, live: &NameKind) -> bool {
        self.asked.values().any(|question| matches!(question, Query::NameKind(asked) if asked == live))
    }

    /// Types of the properties of a device type or object path.
    pub(crate) fn properties(&self, of: &NameKind) -> Option<&HashMap<String, Builtin>> {
        self.properties.get(of)
    }

    /// Keeps them.
    pub(crate) fn keep_properties(&mut self, of: NameKind, types: HashMap<String, Builtin>) {
        self.properties.insert(of, types);
    }

    /// Asks, unless the server takes nothing at present: a line being typed is not to wait for that. Says whether it did.
    fn ask(&mut self, session: &mut Session, request: &Request, question: Query) -> Result<bool, Disconnected> {
        let asks = session.is_writable(request);
        if asks {
            self.asked.insert(session.send(request)?, question);
        }
        Ok(asks)
    }

    fn ask_once(&mut self, session: &mut Session, request: &Request, question: Query) -> Result<(), Disconnected> {
        if !self.asked_once.contains(&question) && self.ask(session, request, question.clone())? {
            self.asked_once.insert(question);
        }
        Ok(())
    }

    /// Asks for introspection, unless that was done; where there is none, for the names of commands.
    pub(crate) fn ask_schema(&mut self, session: &mut Session, guest_agent: bool) -> Result<(), Disconnected> {
        if guest_agent {
            return self.ask_once(session, &Request::new("guest-info"), Query::Commands);
        }
        self.ask_once(session, &Request::new("query-qmp-schema"), Query::Schema)?;
        match self.refused {
            true => self.ask_once(session, &Request::new("query-commands"), Query::Commands),
            false => Ok(()),
        }
    }

    /// Asks for the names of HMP commands, unless that was done.
    pub(crate) fn ask_monitor(&mut self, session: &mut Session) -> Result<(), Disconnected> {
        self.ask_once(session, &monitor_request("help", None), Query::Monitor)?;
        self.ask_once(session, &monitor_request("help info", None), Query::Info)
    }

    /// Whether an answer is still to come.
    pub(crate) fn is_waiting(&self) -> bool {
        self.asked.values().any(|question| !matches!(question, Query::Cancelled | Query::NameKind(_)))
    }

    /// Whether the server still owes an answer, wanted or not.
    pub(crate) fn has_pending(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Whether introspection is still to come.
    pub(crate) fn awaits_schema(&self) -> bool {
        self.asked.values().any(|question| *question == Query::Schema)
    }

    /// Nobody waits for the reply to `id`; it is not to be shown when it comes.
    pub(crate) fn drop_answer(&mut self, id: u64) {
        self.asked.insert(id, Query::Cancelled);
    }

    /// Takes the reply to `id` if it answers a question of ours. A refusal leaves the names empty.
    pub(crate) fn take_reply(&mut self, id: u64, reply: &Reply) -> bool {
        let Some(question) = self.asked.remove(&id) else { return false };
        let answer = match reply.body() {
            ReplyBody::Return(raw) if raw.len() <= LARGEST_ANSWER => Some(raw),
            _ => None,
        };
        let words = || answer.and_then(|raw| serde_json::from_str::<String>(raw).ok()).unwrap_or_default();
        match (question, answer) {
            (Query::Schema, Some(raw)) => match Schema::parse(raw) {
                Ok(schema) => self.schema = Some(Arc::new(schema)),
                Err(_) => self.refused = true,
            },
            (Query::Schema, None) => self.refused = true,
            (Query::Commands, Some(raw)) => self.commands = command_names(raw),
            (Query::Monitor, _) => self.monitor = monitor_names(&words(), ""),
            (Query::Info, _) => self.info = monitor_names(&words(), "info "),
            (Query::NameKind(live), Some(raw)) => {
                let answer = serde_json::from_str(raw).unwrap_or_default();
                self.live.insert(live.clone(), live_answer(&live, &answer));
            }
            // Refused once, it is not asked again until something changes.
            (Query::NameKind(live), None) => drop(self.live.insert(live, Vec::new())),
            (Query::Commands | Query::Cancelled, _) => {}
        }
        true
    }
}

/// Names out of `query-commands` (a list) or `guest-info` (a list among its members; disabled commands are left out).
fn command_names(raw: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(raw).unwrap_or_default();
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

/// Names out of the monitor's own help: `name|alias args -- words`, behind `prefix`. Words that go on in a further
/// line are indented there; arguments that do begin it with `[`.
fn monitor_names(text: &str, prefix: &str) -> Vec<Named> {
    let mut names = Vec::new();
    let mut entry = String::new();
    for line in text.lines() {
        if !line.starts_with('[') {
            entry.clear();
        }
        let room = LONGEST_HELP.saturating_sub(entry.len());
        entry.push_str(&line[..line.floor_char_boundary(room)]);
        let Some((usage, words)) = entry.strip_prefix(prefix).and_then(|entry| entry.split_once(" -- ")) else {
            continue;
        };
        if usage.starts_with([' ', '\t', '[']) {
            continue;
        }
        let name = usage.split_whitespace().next().unwrap_or_default();
        let aliases = name.split('|').filter(|name| !name.is_empty()).take(ALIASES);
        names.extend(aliases.map(|name| (name.to_owned(), words.to_owned())));
    }
    names.sort();
    names.dedup_by(|a, b| a.0 == b.0);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_all_three_sources() {
        assert_eq!(command_names(r#"[{"name": "stop"}, {"name": "cont"}]"#), ["cont", "stop"]);
        assert_eq!(
            command_names(
                r#"{"version": "1", "supported_commands": [{"name": "guest-ping", "enabled": true}, {"name": "x", "enabled": false}]}"#
            ),
            ["guest-ping"]
        );
        let text = "cont|c  -- go on\ninfo [subcommand] -- show\n\t continued -- here\ndrive_add [-n] slot\n[file=f]\n[,x=on|off] -- add\nx /fmt addr -- dump\n";
        let names: Vec<String> = monitor_names(text, "").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["c", "cont", "drive_add", "info", "x"]);
        assert_eq!(monitor_names("info block [-n] -- show blocks\n", "info ")[0].0, "block");
    }
}
