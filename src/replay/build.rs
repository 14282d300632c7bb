//! Building a recording from a log: which connections it has, and which messages belong to which request.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

use serde_json::value::RawValue;

use crate::session::{Direction, LogError, Record, RecordedLog};
use crate::wire::Message;

use super::recording::{Exchange, RecordedReply, Recording, RequestKey};
use super::request::SentRequest;

/// The greeting of a server whose log has none: it begins after the connection was opened.
const UNKNOWN_GREETING: &str = "{\"QMP\": {\"capabilities\": []}}";

/// The number of requests without a reply that may still get one.
const MAX_UNANSWERED: usize = 1000;

/// The part of a log that is replayed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    All,
    /// The server with this name, or the connection with this number, from 1.
    Named(&'a str),
}

/// A message from the server that the next events follow.
#[derive(Debug, Clone)]
struct Anchor {
    key: RequestKey,
    index: usize,
    is_reply: bool,
}

struct Builder {
    recording: Recording,
    /// The requests without a reply, by the text of their ids, in order.
    unanswered: Vec<(String, RequestKey, usize)>,
    last: Option<Anchor>,
    greeting: Option<String>,
    has_agent_commands: bool,
    /// The reply to `query-version`.
    version: Option<String>,
}

impl Recording {
    /// Reads the log at `path`.
    pub(super) fn read(path: &Path, part: Part<'_>) -> Result<Recording, String> {
        let name = path.display().to_string();
        let log = RecordedLog::read(path).map_err(|error| match error {
            LogError::Record { .. } => format!("{name}: {error}"),
            error => format!("cannot read `{name}`: {error}"),
        })?;
        Recording::new(log, name, part)
    }

    /// Returns what `part` of a log recorded.
    pub(super) fn new(log: RecordedLog, name: String, part: Part<'_>) -> Result<Recording, String> {
        let connections = connections_of(&log);
        let selected: Vec<Record> = select(&log, &connections, &name, part)?;
        let recording = Recording {
            log,
            name,
            greeting: None,
            exchanges: HashMap::new(),
            commands: HashSet::new(),
            first_events: Vec::new(),
        };
        let mut builder = Builder {
            recording,
            unanswered: Vec::new(),
            last: None,
            greeting: None,
            has_agent_commands: false,
            version: None,
        };
        for record in &selected {
            builder.add(record).map_err(|reason| {
                format!("{}: line {} is not a record of a message log: {reason}", builder.recording.name, record.line)
            })?;
        }
        Ok(builder.finish())
    }
}

/// Returns the number of the connection to which each record belongs, from 1 for each server.
fn connections_of(log: &RecordedLog) -> Vec<usize> {
    let mut current: HashMap<Option<&str>, (usize, bool)> = HashMap::new();
    let mut numbers = Vec::with_capacity(log.records.len());
    for record in &log.records {
        let (number, is_begun) = current.entry(record.server.as_deref()).or_insert((1, false));
        if is_greeting(record, log) && *is_begun {
            *number += 1;
        }
        *is_begun = true;
        numbers.push(*number);
    }
    numbers
}

fn is_greeting(record: &Record, log: &RecordedLog) -> bool {
    let message = log.message(record);
    record.direction == Direction::Received && message.trim_start_matches(['{', ' ']).starts_with("\"QMP\"")
}

/// Returns the records of a part. If the log has several servers, it must be one of them.
fn select(log: &RecordedLog, connections: &[usize], name: &str, part: Part<'_>) -> Result<Vec<Record>, String> {
    let mut servers: Vec<&str> = log.records.iter().filter_map(|record| record.server.as_deref()).collect();
    servers.sort_unstable();
    servers.dedup();
    let last = connections.iter().copied().max().unwrap_or(0);
    let of = |is_selected: &dyn Fn(&Record, usize) -> bool| -> Vec<Record> {
        let numbered = log.records.iter().zip(connections);
        numbered.filter(|(record, number)| is_selected(record, **number)).map(|(record, _)| record.clone()).collect()
    };
    match part {
        Part::Named(server) if servers.contains(&server) => {
            Ok(of(&|record, _| record.server.as_deref() == Some(server)))
        }
        Part::Named(number) => match number.parse::<usize>() {
            Ok(number) if servers.is_empty() && (1..=last).contains(&number) => Ok(of(&|_, other| other == number)),
            _ if servers.is_empty() => {
                Err(format!("{name} has no connection `{number}`; it has {last}, numbered from 1"))
            }
            _ => Err(format!("{name} has no server `{number}`, but {}", quoted(&servers))),
        },
        Part::All if servers.len() > 1 => Err(format!(
            "{name} has the messages of {}; choose one: `replay:{name}#{}`",
            quoted(&servers),
            servers.first().copied().unwrap_or_default()
        )),
        Part::All => {
            let greetings = log.records.iter().filter(|record| is_greeting(record, log));
            let mut versions = greetings.map(|record| (record.line, log.message(record)));
            let first = versions.next();
            match versions.find(|(_, text)| first.is_some_and(|(_, first)| first != *text)) {
                Some((line, _)) => Err(format!(
                    "{name}: another server begins at line {line}; choose one of the {last} connections: `replay:{name}#1`"
                )),
                None => Ok(log.records.clone()),
            }
        }
    }
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

impl Builder {
    fn add(&mut self, record: &Record) -> Result<(), String> {
        let message = self.recording.log.message(record).to_owned();
        match record.direction {
            Direction::Sent => self.add_request(&message),
            Direction::Received => {
                // A server may have sent what is no QMP, or no JSON, which was recorded as a string.
                if let Ok(parsed) = Message::parse(message.into_bytes()) {
                    self.add_message(record, &parsed);
                }
                Ok(())
            }
        }
    }

    fn add_request(&mut self, message: &str) -> Result<(), String> {
        let request: SentRequest<'_> =
            serde_json::from_str(message).map_err(|_| "expected a request with `execute`".to_owned())?;
        let arguments = request.arguments.map(RawValue::get);
        let key = RequestKey::new(&request.command, arguments);
        self.has_agent_commands |= request.command.starts_with("guest-");
        self.recording.commands.insert(request.command);
        let exchanges = self.recording.exchanges.entry(key.clone()).or_default();
        let index = exchanges.list.len();
        exchanges.list.push(Exchange::default());
        let id = request.id.map(|id| id.get().to_owned()).unwrap_or_default();
        self.unanswered.push((id, key.clone(), index));
        if self.unanswered.len() > MAX_UNANSWERED {
            self.unanswered.remove(0);
        }
        self.last = Some(Anchor { key, index, is_reply: false });
        Ok(())
    }

    fn add_message(&mut self, record: &Record, parsed: &Message) {
        match parsed {
            Message::Greeting(_) => {
                let text = self.recording.log.message(record).to_owned();
                self.greeting.get_or_insert(text);
            }
            Message::Event(_) => {
                let range = record.range();
                let Some(anchor) = &self.last else { return self.recording.first_events.push(range) };
                let list = self.recording.exchanges.get_mut(&anchor.key).map(|exchanges| &mut exchanges.list);
                let Some(exchange) = list.and_then(|list| list.get_mut(anchor.index)) else { return };
                if anchor.is_reply { exchange.after.push(range) } else { exchange.before.push(range) }
            }
            Message::Reply(reply) => {
                // A reply without an id answers the oldest request.
                let position = match reply.id() {
                    Some(id) => self.unanswered.iter().rposition(|(sent, _, _)| sent == id),
                    None => (!self.unanswered.is_empty()).then_some(0),
                };
                let Some(position) = position else { return };
                let (_, key, index) = self.unanswered.remove(position);
                let (member, value) = reply.member();
                let range = self.value_range(record, value);
                if key.command == "query-version" && member == "return" {
                    self.version = Some(value.to_owned());
                }
                let list = self.recording.exchanges.get_mut(&key).map(|exchanges| &mut exchanges.list);
                if let Some(exchange) = list.and_then(|list| list.get_mut(index)) {
                    exchange.reply = Some(RecordedReply { member, value: range });
                }
                self.last = Some(Anchor { key, index, is_reply: true });
            }
        }
    }

    /// Returns a place in the record with the text of a value, which the parsed reply has a copy of.
    fn value_range(&self, record: &Record, value: &str) -> Range<usize> {
        let message = self.recording.log.message(record);
        message.find(value).map_or(record.range(), |at| {
            let start = record.range().start + at;
            start..start + value.len()
        })
    }

    fn finish(self) -> Recording {
        let Builder { mut recording, greeting, has_agent_commands, version, .. } = self;
        recording.greeting = match (greeting, version) {
            (Some(greeting), _) => Some(greeting),
            (None, _) if has_agent_commands => None,
            (None, Some(version)) => Some(format!("{{\"QMP\": {{\"version\": {version}, \"capabilities\": []}}}}")),
            (None, None) => Some(UNKNOWN_GREETING.to_owned()),
        };
        recording
    }
}
