//! Queries that the shell sends for itself, between the user's commands.

use std::time::{Duration, Instant};

use crate::assist::{Name, NameKind};
use crate::session::{Disconnected, Received, Taken, Waited};
use crate::wire::Request;

use super::super::hmp::hmp_request;
use super::super::prompt_format::PromptFormat;
use super::Server;
use super::info::Query;
use super::live_names::name_query;

/// The time that the closing of a session may wait for replies to queries.
const CLOSE_GRACE: Duration = Duration::from_millis(500);

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

    /// Queries what a message log needs to be opened with `replay:` and has missed, since the connection is older.
    pub(crate) fn query_for_log(&mut self) {
        if self.is_guest_agent {
            return;
        }
        for command in ["query-version", "query-qmp-schema"] {
            // At the end of the connection this fails, and the next read reports it.
            let _ = self.send_query(Query::ForLog, &Request::new(command));
        }
    }

    /// Queries what a prompt of this format shows of the VM, unless it is known or awaited. Sent before the introspection,
    /// whose reply is long.
    pub(crate) fn query_vm(&mut self, format: &PromptFormat) {
        if self.is_guest_agent {
            return;
        }
        // At the end of the connection these fail, and the next read reports it.
        if format.shows_name() {
            let _ = self.send_once(Query::VmName, &Request::new("query-name"));
        }
        if format.shows_status() && self.info.run_state.is_none() && !self.info.awaits(&Query::RunState) {
            let _ = self.send_query(Query::RunState, &Request::new("query-status"));
        }
    }

    /// Waits until `deadline` for what the prompt shows of the VM.
    pub(crate) fn wait_for_vm(&mut self, deadline: Instant) {
        self.wait_while(deadline, |server| server.info.awaits(&Query::VmName) || server.info.awaits(&Query::RunState));
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
            let id = self.session.send_query(request)?;
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

    /// Queries the types of the properties of a device type, or of the object at a path, unless they are known or
    /// awaited, or the server is not reading at the moment.
    pub(crate) fn query_property_types(&mut self, kind: &NameKind) {
        let query = Query::PropertyTypes(kind.clone());
        if let Some(request) = name_query(kind)
            && self.info.property_types(kind).is_none()
            && !self.info.awaits(&query)
        {
            // At the end of the connection this fails, and the next read reports it.
            let _ = self.send_query(query, &request);
        }
    }

    /// Returns live names. If they are not known, queries them and waits until `deadline`. A reply that arrives later
    /// is kept. `asks_monitor` allows lines of the human monitor.
    pub(crate) fn live_names(&mut self, kind: &NameKind, asks_monitor: bool, deadline: Instant) -> Vec<Name> {
        match kind {
            NameKind::Buses => self.buses(deadline),
            NameKind::NetClients | NameKind::Netdevs => match self.network_query(asks_monitor) {
                Some(request) => self.queried_names(kind, &request, deadline),
                None => self.walked_network(kind, deadline),
            },
            _ => name_query(kind).map(|request| self.queried_names(kind, &request, deadline)).unwrap_or_default(),
        }
    }

    /// Returns the names in the reply to `request`, as [`Server::live_names`] does.
    fn queried_names(&mut self, kind: &NameKind, request: &Request, deadline: Instant) -> Vec<Name> {
        if self.request_names(kind, request).is_err() {
            return Vec::new();
        }
        let query = Query::LiveNames(kind.clone());
        self.wait_while(deadline, |server| server.info.awaits(&query));
        self.info.live_names(kind).cloned().unwrap_or_default()
    }

    /// Returns the names of several kinds, which are queried at the same time.
    pub(super) fn names_of_all(&mut self, kinds: &[NameKind], deadline: Instant) -> Vec<Name> {
        for kind in kinds {
            // At the end of the connection this fails, and the next read reports it.
            let _ = name_query(kind).map(|request| self.request_names(kind, &request));
        }
        let all = kinds.iter().filter_map(|kind| Some((kind, name_query(kind)?)));
        all.flat_map(|(kind, request)| self.queried_names(kind, &request, deadline)).collect()
    }

    /// Sends the query for names, unless they are known or awaited, or the server is not reading at the moment.
    fn request_names(&mut self, kind: &NameKind, request: &Request) -> Result<(), Disconnected> {
        let query = Query::LiveNames(kind.clone());
        if self.info.live_names(kind).is_none() && !self.info.awaits(&query) {
            self.send_query(query, request)?;
        }
        Ok(())
    }

    /// Forgets live names, because a command or an event may have changed them.
    pub(crate) fn forget_live_names(&mut self) {
        for id in self.info.forget_live_names() {
            self.session.discard_reply(id);
        }
    }

    /// Waits briefly for replies to queries before the session is closed: QEMU would send them to its next client.
    pub(crate) fn finish_queries(&mut self) {
        for id in std::mem::take(&mut self.unexplained_failures).into_keys() {
            self.session.discard_reply(id);
        }
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
