//! A recording: the requests of a log, and what the server sent for each of them.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use serde_json::Value;

use crate::session::RecordedLog;
use crate::wire::{MASKED_STRING, Request, quote};

/// The server of a log, as far as its messages tell.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) log: RecordedLog,
    /// The name of the log in errors.
    pub(super) name: String,
    /// The greeting. A guest agent has none.
    pub(super) greeting: Option<String>,
    /// The replies and events for each request, in order.
    pub(super) exchanges: HashMap<RequestKey, Exchanges>,
    /// The commands of the requests.
    pub(super) commands: HashSet<String>,
    /// The events before the first request.
    pub(super) first_events: Vec<Range<usize>>,
}

/// A request without its id. Requests with the same members in another order are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RequestKey {
    pub(super) command: String,
    /// The arguments with masked secrets, as JSON with sorted keys.
    arguments: String,
}

/// The replies and events for a request, each time that it was recorded.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    pub(super) list: Vec<Exchange>,
    /// The index of the next one.
    next: usize,
}

/// The reply and the events for a request, as places in the log.
#[derive(Debug, Clone, Default)]
pub(super) struct Exchange {
    /// Events between the request and its reply.
    pub(super) before: Vec<Range<usize>>,
    /// The reply; `None` if the log ends before it.
    pub(super) reply: Option<RecordedReply>,
    /// Events after the reply.
    pub(super) after: Vec<Range<usize>>,
}

#[derive(Debug, Clone)]
pub(super) struct RecordedReply {
    /// `return` or `error`.
    pub(super) member: &'static str,
    pub(super) value: Range<usize>,
}

impl RequestKey {
    /// Returns the key of a request. Secrets in the arguments are masked, as they are in a log.
    pub(super) fn new(command: &str, arguments: Option<&str>) -> RequestKey {
        let mut request = Request::new(command).with_arguments(arguments.unwrap_or("{}"));
        request.mark_secrets();
        let json = request.to_masked_json(None);
        let masked =
            serde_json::from_str(&json).ok().and_then(|mut value: Value| value.get_mut("arguments").map(Value::take));
        let arguments = match masked {
            Some(mut arguments) => {
                arguments.sort_all_objects();
                arguments.to_string()
            }
            // It is nested too deeply to be compared otherwise.
            None => json,
        };
        RequestKey { command: command.to_owned(), arguments }
    }

    /// Returns the key of a request whose arguments are masked as a whole.
    fn masked(command: &str) -> RequestKey {
        RequestKey { command: command.to_owned(), arguments: MASKED_STRING.to_owned() }
    }
}

impl Exchanges {
    /// Returns the next exchange, or the last one again, without the events that the client has received already.
    fn take_next(&mut self) -> Option<Exchange> {
        let last = self.list.len().checked_sub(1)?;
        let exchange = self.list.get_mut(self.next.min(last))?;
        self.next = self.next.saturating_add(1);
        let taken = exchange.clone();
        exchange.before.clear();
        exchange.after.clear();
        Some(taken)
    }
}

impl Recording {
    /// Returns the text that the server sends for a request; `id` is JSON text.
    pub(super) fn answer(&mut self, key: &RequestKey, id: Option<&str>) -> String {
        let masked = RequestKey::masked(&key.command);
        let found = if self.exchanges.contains_key(key) { key } else { &masked };
        let Some(exchange) = self.exchanges.get_mut(found).and_then(Exchanges::take_next) else {
            return error_reply(&self.not_recorded(&key.command), id);
        };
        let mut out = self.messages(&exchange.before);
        match &exchange.reply {
            Some(reply) => out.push_str(&reply_text(reply.member, self.log.text_at(&reply.value), id)),
            None => out.push_str(&error_reply(&self.unanswered(&key.command), id)),
        }
        out + &self.messages(&exchange.after)
    }

    /// Takes the events that followed the next request for `command`, whatever its arguments.
    pub(super) fn take_events_of(&mut self, command: &str) -> String {
        let exchanges = self.exchanges.iter_mut().find(|(key, _)| key.command == command);
        let exchange = exchanges.and_then(|(_, exchanges)| exchanges.take_next()).unwrap_or_default();
        self.messages(&exchange.before) + &self.messages(&exchange.after)
    }

    /// Returns messages of the log as the server sends them.
    pub(super) fn messages(&self, ranges: &[Range<usize>]) -> String {
        ranges.iter().map(|range| format!("{}\r\n", self.log.text_at(range))).collect()
    }

    fn not_recorded(&self, command: &str) -> String {
        let name = &self.name;
        match self.commands.contains(command) {
            true => format!("not recorded: `{name}` has no `{command}` with these arguments"),
            false => format!("not recorded: `{name}` has no `{command}`"),
        }
    }

    fn unanswered(&self, command: &str) -> String {
        format!("not recorded: `{}` ends before the reply to `{command}`", self.name)
    }
}

/// Returns a reply as the server sends it.
pub(super) fn reply_text(member: &str, value: &str, id: Option<&str>) -> String {
    let id = id.map(|id| format!(", \"id\": {id}")).unwrap_or_default();
    format!("{{\"{member}\": {value}{id}}}\r\n")
}

/// Returns an error of the recording itself.
pub(super) fn error_reply(desc: &str, id: Option<&str>) -> String {
    reply_text("error", &format!("{{\"class\": \"GenericError\", \"desc\": {}}}", quote(desc)), id)
}
