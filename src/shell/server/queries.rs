//! Queries that the shell sends for itself, between the user's commands.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::assist::{Name, NameKind};
use crate::schema::{PropertyType, Schema};
use crate::session::{Disconnected, Received, Taken, Waited};
use crate::wire::{ReplyBody, Request};

use super::super::hmp::hmp_request;
use super::Server;
use super::info::{MAX_QUERY_REPLY_BYTES, Query};
use super::live_names::{items, name_query, string_member};

/// The time that a line may wait for introspection. QEMU takes about 50 ms to produce it.
const SCHEMA_TIMEOUT: Duration = Duration::from_secs(5);

/// The time that a line may wait for the type of a property.
const PROPERTY_TYPE_TIMEOUT: Duration = Duration::from_millis(500);

/// The time that the closing of a session may wait for replies to queries.
const CLOSE_GRACE: Duration = Duration::from_millis(500);

/// The error for a wait for introspection that the user interrupted.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl Server {
    /// Sends the queries that completion and checking need, unless they have been sent. `include_hmp` adds the human
    /// monitor's commands.
    pub(crate) fn start_queries(&mut self, include_hmp: bool) {
        // At the end of the connection this fails, and the next read reports it.
        let _ = self.try_start_queries(include_hmp);
    }

    fn try_start_queries(&mut self, include_hmp: bool) -> Result<(), Disconnected> {
        if self.is_guest_agent {
            self.send_once(Query::Commands, &Request::new("guest-info"))?;
        } else {
            self.send_once(Query::Schema, &Request::new("query-qmp-schema"))?;
            if self.info.lacks_schema {
                self.send_once(Query::Commands, &Request::new("query-commands"))?;
            }
        }
        if include_hmp {
            self.send_once(Query::HmpHelp, &hmp_request("help", None))?;
            self.send_once(Query::HmpInfoHelp, &hmp_request("help info", None))?;
        }
        Ok(())
    }

    fn send_once(&mut self, query: Query, request: &Request) -> Result<(), Disconnected> {
        if !self.info.sent.contains(&query) && self.send_query(query.clone(), request)? {
            self.info.sent.insert(query);
        }
        Ok(())
    }

    /// Sends a query, unless the server is not reading at the moment: a line being typed must not wait for it. Returns
    /// whether the query was sent.
    fn send_query(&mut self, query: Query, request: &Request) -> Result<bool, Disconnected> {
        let can_send_now = self.session.can_send_now(request);
        if can_send_now {
            let id = self.session.send(request)?;
            self.info.pending.insert(id, query);
        }
        Ok(can_send_now)
    }

    /// Waits until `deadline` for the replies that completion and checking need.
    pub(crate) fn wait_for_queries(&mut self, include_hmp: bool, deadline: Instant) {
        // A server without introspection is queried a second time, for its command names.
        for _ in 0..2 {
            self.start_queries(include_hmp);
            self.wait_while(deadline, |server| server.info.awaits_basics());
        }
    }

    /// Returns the introspection, after waiting for it if necessary. `None` if the server has none.
    pub(crate) fn wait_for_schema(&mut self) -> Result<Option<Arc<Schema>>, Interrupted> {
        self.start_queries(false);
        let deadline = Instant::now() + SCHEMA_TIMEOUT;
        match self.wait_while(deadline, |server| server.info.awaits(&Query::Schema)) {
            Waited::Interrupted => Err(Interrupted),
            _ => Ok(self.info.schema()),
        }
    }

    /// Returns live names. If they are not known, queries them and waits until `deadline`. A reply that arrives later
    /// is kept.
    pub(crate) fn live_names(&mut self, kind: &NameKind, deadline: Instant) -> Vec<Name> {
        let query = Query::LiveNames(kind.clone());
        let Some(request) = name_query(kind) else { return Vec::new() };
        if self.info.live_names(kind).is_none()
            && !self.info.awaits(&query)
            && self.send_query(query.clone(), &request).is_err()
        {
            return Vec::new();
        }
        self.wait_while(deadline, |server| server.info.awaits(&query));
        self.info.live_names(kind).cloned().unwrap_or_default()
    }

    /// Returns the types of the properties of a device type, or of the object at a path.
    pub(crate) fn property_types(&mut self, kind: NameKind) -> HashMap<String, PropertyType> {
        if let Some(known) = self.info.property_types(&kind) {
            return known.clone();
        }
        let value = name_query(&kind).and_then(|request| self.query(&request, PROPERTY_TYPE_TIMEOUT));
        let Some(value) = value else { return HashMap::new() };
        let type_of = |item: &Value| {
            let kind = string_member(item, "type")?;
            Some(PropertyType::of(&kind, string_member(item, "description").as_deref()))
        };
        let types: HashMap<String, PropertyType> =
            items(&value).filter_map(|item| Some((string_member(item, "name")?, type_of(item)?))).collect();
        self.info.set_property_types(kind, types.clone());
        types
    }

    /// Sends a query and waits for its return value.
    fn query(&mut self, request: &Request, timeout: Duration) -> Option<Value> {
        if !self.session.can_send_now(request) {
            return None;
        }
        match self.session.query(request, Some(Instant::now() + timeout)).ok()? {
            Waited::Done(reply) => match reply.body() {
                ReplyBody::Return(raw) if raw.len() <= MAX_QUERY_REPLY_BYTES => serde_json::from_str(raw).ok(),
                _ => None,
            },
            _ => None,
        }
    }

    /// Forgets live names, because a command or an event may have changed them.
    pub(crate) fn forget_live_names(&mut self) {
        for id in self.info.forget_live_names() {
            self.session.discard_reply(id);
        }
    }

    /// Waits briefly for replies to queries before the session is closed: QEMU would send them to its next client.
    pub(crate) fn finish_queries(&mut self) {
        let deadline = Instant::now() + CLOSE_GRACE;
        self.wait_while(deadline, |server| !server.info.pending.is_empty() || server.session.awaits_discarded_reply());
    }

    /// Receives replies to queries while `is_needed`, until `deadline`. Keeps all other messages.
    fn wait_while(&mut self, deadline: Instant, is_needed: impl Fn(&Server) -> bool) -> Waited<()> {
        while is_needed(self) {
            let info = &mut self.info;
            let received = self.session.receive_until(Some(deadline), |received| match received {
                Received::DiscardedReply => Taken::Done(()),
                Received::Reply { id, reply } if info.take_reply(id, &reply) => Taken::Done(()),
                other => Taken::Kept(other),
            });
            match received {
                Ok(Waited::Done(())) => {}
                Ok(ended) => return ended,
                // The next read reports the end of the connection.
                Err(_) => return Waited::TimedOut,
            }
        }
        Waited::Done(())
    }
}
