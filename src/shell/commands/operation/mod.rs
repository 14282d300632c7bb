//! Operations of the server that end by themselves, such as jobs, and their state.

pub(super) mod job;
pub(super) mod migration;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::per_cent;
use crate::wire::{ReplyBody, Request, parse_value};

use super::super::events::log::EventLog;

/// The time for which an operation that needs a command to go on is left alone: a command that was sent just before may
/// take effect late.
pub(super) const SETTLING_TIME: Duration = Duration::from_secs(1);

/// An operation that can be waited for.
pub(super) trait Operation {
    /// Returns its name in messages: "job `j0`".
    fn describe(&self) -> String;
    /// Returns its name at the beginning of a line about its progress.
    fn label(&self) -> &str;
    /// Returns the query whose reply has its state.
    fn query(&self) -> Request;
    /// Returns the maximum time between two questions.
    fn max_interval(&self) -> Duration;
    /// Returns whether it may have another state after an event with this name.
    fn is_changed_by(&self, event_name: &str) -> bool;
    /// Returns its progress, according to the state of the server and to the events so far.
    fn progress(&self, state: &ServerState, events: &EventLog) -> Progress;

    /// Returns its progress, according to the reply to its query, which may be an error.
    fn progress_of_reply(&self, reply: &Result<ServerState, String>, events: &EventLog) -> Progress {
        match reply {
            Ok(state) => self.progress(state, events),
            Err(error) => {
                let (name, query) = (self.describe(), self.query().command);
                Progress::Failed(format!("cannot wait for {name}: `{query}` failed: {error}"))
            }
        }
    }
}

/// A return value with the state of operations. It is read once for all of them, since a server may have very many jobs.
#[derive(Debug, Default)]
pub(super) struct ServerState {
    pub(super) value: Value,
    /// The places of jobs in the value by their ids; the first of several with the same id.
    places: HashMap<String, usize>,
}

impl ServerState {
    /// Reads the body of a reply. Returns the text of an error.
    pub(super) fn of(body: ReplyBody<'_>) -> Result<ServerState, String> {
        match body {
            ReplyBody::Return(raw) => {
                parse_value(raw).map(ServerState::from).map_err(|error| format!("the reply {error}"))
            }
            ReplyBody::Error { class, desc } => Err(format!("{class}: {desc}")),
        }
    }

    /// Returns the ids of jobs, in the order of the server, each once.
    pub(super) fn job_ids(&self) -> impl Iterator<Item = &str> {
        let ids = self.value.as_array().into_iter().flatten().map(job_id).enumerate();
        ids.filter_map(|(place, id)| id.filter(|id| self.places.get(*id) == Some(&place)))
    }

    /// Returns the entry of a job.
    pub(super) fn job(&self, id: &str) -> Option<&Value> {
        self.places.get(id).map(|place| &self.value[*place])
    }
}

impl From<Value> for ServerState {
    fn from(value: Value) -> ServerState {
        let mut places = HashMap::new();
        for (place, job) in value.as_array().into_iter().flatten().enumerate() {
            if let Some(id) = job_id(job) {
                places.entry(id.to_owned()).or_insert(place);
            }
        }
        ServerState { value, places }
    }
}

fn job_id(job: &Value) -> Option<&str> {
    job.get("id")?.as_str()
}

/// The progress of an operation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It has come as far as was awaited.
    Done,
    /// It has failed; the message says why.
    Failed(String),
    UnderWay(State),
}

/// The state of an operation that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// The kind of operation, such as `backup`; may be empty.
    pub(super) kind: String,
    /// The server's name for the state.
    pub(super) status: String,
    /// The parts that are done and in all, if they are known.
    pub(super) done: Option<u64>,
    pub(super) total: Option<u64>,
    /// Whether these are bytes, and not in a unit of the kind's own.
    pub(super) is_in_bytes: bool,
    pub(super) rest: Option<Rest>,
}

/// A status that lasts until a command is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rest {
    /// The command without which the operation goes no further.
    pub(super) command: String,
    pub(super) kind: RestKind,
}

/// The meaning of a status that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestKind {
    /// The work is done; a command is to confirm it.
    Finished,
    /// The work was interrupted.
    Paused,
    /// The work cannot go on.
    Stuck,
}

/// The statuses that last until a command is sent, with that command.
pub(super) type Rests = &'static [(&'static str, RestKind, &'static str)];

impl State {
    /// Creates a state without progress.
    pub(super) fn new(kind: &str, status: &str, rests: Rests) -> State {
        let rest = rests.iter().find(|(name, ..)| *name == status);
        let rest = rest.map(|(_, kind, command)| Rest { command: (*command).to_owned(), kind: *kind });
        let (kind, status) = (kind.to_owned(), status.to_owned());
        State { kind, status, done: None, total: None, is_in_bytes: false, rest }
    }

    /// Returns the done part in per cent. `None` if the whole is not known.
    pub(super) fn per_cent(&self) -> Option<u8> {
        per_cent(self.done?, self.total?)
    }

    pub(super) fn describe(&self) -> String {
        match self.per_cent() {
            Some(per_cent) => format!("{} ({per_cent} %)", self.status),
            None => self.status.clone(),
        }
    }

    /// Returns the end of a sentence about the command that it needs.
    pub(super) fn advice(&self) -> String {
        self.rest.as_ref().map(|rest| format!("; it needs `{}` to go on", rest.command)).unwrap_or_default()
    }
}

/// The time since when an operation has had its status.
#[derive(Debug, Default)]
pub(super) struct StatusClock {
    status: String,
    since: Option<Instant>,
}

impl StatusClock {
    /// Returns whether the operation has had this status, which needs a command, for so long that it will keep it.
    pub(super) fn rests(&mut self, state: &State) -> bool {
        if self.since.is_none() || self.status != state.status {
            *self = StatusClock { status: state.status.clone(), since: Some(Instant::now()) };
        }
        state.rest.is_some() && self.since.is_some_and(|since| since.elapsed() >= SETTLING_TIME)
    }
}
