//! Records for the log: who sent what, and what was answered, with secrets masked.

use std::borrow::Cow;

use crate::session::SentSecrets;
use crate::wire::{Message, Reply, single_line, to_valid_json};

use super::client::ClientId;
use super::reply::reply_with_id;
use super::request::ClientRequest;

/// One message for the log. Texts are JSON on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record {
    /// A request of a client.
    Sent(ClientId, String),
    /// A reply to a client.
    Received(ClientId, String),
    /// A message of a client that was not a request.
    Unreadable(ClientId),
    /// An event, for all clients.
    Event(String),
}

impl Record {
    /// Returns the record as members of a line of the log.
    pub(crate) fn to_members(&self) -> String {
        match self {
            Record::Sent(client, text) => format!("\"client\": {client}, \"sent\": {text}"),
            Record::Received(client, text) => format!("\"client\": {client}, \"received\": {text}"),
            Record::Unreadable(client) => format!("\"client\": {client}, \"unreadable\": true"),
            Record::Event(text) => format!("\"received\": {text}"),
        }
    }
}

/// The records since they were taken, if there is a log.
#[derive(Debug)]
pub(super) struct Records {
    secrets: Option<SentSecrets>,
    records: Vec<Record>,
}

impl Records {
    pub(super) fn new(has_log: bool) -> Records {
        Records { secrets: has_log.then(SentSecrets::default), records: Vec::new() }
    }

    pub(super) fn take(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    /// Records a request as the client sent it.
    pub(super) fn request(&mut self, client: ClientId, request: &ClientRequest) {
        if self.secrets.is_none() {
            return;
        }
        self.records.push(match &request.command {
            Ok(_) => Record::Sent(client, request.to_marked().to_masked_json(request.id.as_deref())),
            Err(_) => Record::Unreadable(client),
        });
    }

    /// Notes that a request is sent to the server with this id: a reply may contain its secrets.
    pub(super) fn sent(&mut self, upstream_id: u64, request: &ClientRequest) {
        if let Some(secrets) = &self.secrets {
            secrets.remember(upstream_id, &request.to_marked());
        }
    }

    /// Records a reply of the server.
    pub(super) fn reply(&mut self, client: ClientId, reply: &Reply, id: Option<&str>) {
        let Some(secrets) = &self.secrets else { return };
        let masked = secrets.redact(Cow::Borrowed(reply.text()));
        let with_id = match Message::parse(masked.into_owned().into_bytes()) {
            Ok(Message::Reply(masked)) => reply_with_id(&masked, id),
            _ => return,
        };
        self.records.push(Record::Received(client, json_line(&with_id)));
    }

    /// Records a reply of the share itself.
    pub(super) fn own_reply(&mut self, client: ClientId, text: &str) {
        if self.secrets.is_some() {
            self.records.push(Record::Received(client, text.to_owned()));
        }
    }

    pub(super) fn unreadable(&mut self, client: ClientId) {
        if self.secrets.is_some() {
            self.records.push(Record::Unreadable(client));
        }
    }

    pub(super) fn event(&mut self, text: &str) {
        if let Some(secrets) = &self.secrets {
            self.records.push(Record::Event(json_line(&secrets.redact(Cow::Borrowed(text)))));
        }
    }
}

fn json_line(text: &str) -> String {
    single_line(&to_valid_json(text)).into_owned()
}
