//! The state machine of a share: bytes of clients and messages of the server go in, bytes for both come out.
//!
//! It knows no sockets, so that tests can drive it in any order.

use std::collections::{BTreeMap, VecDeque};
use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bytes::{Buf, Bytes};

use crate::session::{Registered, RequestIds, Routed, Router, StreamItem, Unexpected};
use crate::wire::{Event, Greeting, Message, Reply};

use super::client::{Access, Client, ClientId, Input, QueuedRequest, Slot};
use super::events::EventBatch;
use super::read_only::check_that_it_only_asks;
use super::records::{Record, Records};
use super::reply::{empty_return, error, message_line, reply_with_id};
use super::request::{ClientCommand, ClientMessage, ClientRequest};
use super::turns::Turns;

/// The maximum number of in-band requests in flight. QEMU stops reading, and out-of-band requests with it, at more.
const MAX_IN_FLIGHT: usize = 8;

/// The maximum number of in-band requests of all read-only clients in flight, so that others do not wait for more of them.
const MAX_READ_ONLY_IN_FLIGHT: usize = 4;

/// The commands that take a descriptor which was sent with them, or before.
const FD_COMMANDS: &[&str] = &["add-fd", "getfd"];

const GENERIC_ERROR: &str = "GenericError";
const COMMAND_NOT_FOUND: &str = "CommandNotFound";

/// The properties of the connection to the server.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    pub(crate) greeting: Greeting,
    /// Whether descriptors can be passed to it.
    pub(crate) can_pass_fds: bool,
    /// The ids that requests may have.
    pub(crate) ids: RequestIds,
}

/// A request in flight.
#[derive(Debug)]
struct Pending {
    /// The client that awaits the reply; `None` if that is discarded.
    client: Option<ClientId>,
    /// The `id` of the client.
    id: Option<String>,
    /// Whether it was sent without waiting for a turn.
    overtakes: bool,
    has_fds: bool,
    access: Access,
}

/// Bytes for the server.
#[derive(Debug)]
struct Outgoing {
    bytes: Bytes,
    /// The descriptors that go with the first byte.
    fds: Vec<OwnedFd>,
}

/// One server and its clients.
#[derive(Debug)]
pub(crate) struct Share {
    upstream: Upstream,
    greeting: Bytes,
    max_in_flight: usize,
    router: Router<Pending>,
    clients: BTreeMap<ClientId, Client>,
    last_client: ClientId,
    /// The clients with queued requests, in the order in which they take turns.
    turns: Turns,
    /// The clients that may have requests that were not read.
    unread: VecDeque<ClientId>,
    in_flight: usize,
    /// Those of them that are of read-only clients.
    read_only_in_flight: usize,
    fd_is_in_flight: bool,
    outgoing: VecDeque<Outgoing>,
    events: EventBatch,
    records: Records,
    /// The clients that left too many events unread.
    cut_off: Vec<ClientId>,
    /// Data of the server that has no place in the protocol.
    unexpected: Vec<Unexpected>,
}

impl Share {
    /// Creates a share of a connection after negotiation. `last_client` is the number of the last client of an earlier
    /// share in the same log.
    pub(crate) fn new(upstream: Upstream, last_client: ClientId, has_log: bool) -> Share {
        let max_in_flight = if upstream.greeting.takes_one_request() { 1 } else { MAX_IN_FLIGHT };
        let mut router = Router::with_ids(upstream.ids.clone());
        // The greeting that negotiation has consumed; the next one is a second.
        let _ = router.route(StreamItem::Message(Message::Greeting(upstream.greeting.clone())));
        Share {
            greeting: message_line(upstream.greeting.to_json()),
            upstream,
            max_in_flight,
            router,
            clients: BTreeMap::new(),
            last_client,
            turns: Turns::default(),
            unread: VecDeque::new(),
            in_flight: 0,
            read_only_in_flight: 0,
            fd_is_in_flight: false,
            outgoing: VecDeque::new(),
            events: EventBatch::default(),
            records: Records::new(has_log),
            cut_off: Vec::new(),
            unexpected: Vec::new(),
        }
    }

    /// Adds a client, which gets the greeting.
    pub(crate) fn connect(&mut self, access: Access) -> ClientId {
        self.last_client += 1;
        let mut client = Client::new(access);
        client.output.push(self.greeting.clone());
        self.clients.insert(self.last_client, client);
        self.last_client
    }

    /// Removes a client. Its requests that were not sent are forgotten, the replies to the others are discarded, and its
    /// descriptors are closed.
    pub(crate) fn disconnect(&mut self, id: ClientId) {
        self.clients.remove(&id);
        self.turns.remove(id);
    }

    /// Returns the number of the last client.
    pub(crate) fn last_client(&self) -> ClientId {
        self.last_client
    }

    /// Returns whether bytes of a client should be read now.
    pub(crate) fn wants_input(&self, id: ClientId) -> bool {
        self.clients
            .get(&id)
            .is_some_and(|client| client.input.is_none() && !client.has_ended && !client.is_held_back())
    }

    /// Takes bytes of a client, and the descriptors that came with the first of them. Must be called only if it
    /// [wants](Share::wants_input) some.
    pub(crate) fn receive(&mut self, id: ClientId, bytes: Vec<u8>, fds: Vec<OwnedFd>) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.input = Some(Input { bytes, at: 0, fds });
        }
        self.read_requests(id);
    }

    /// Notes that a client sends nothing more.
    pub(crate) fn end_input(&mut self, id: ClientId) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.has_ended = true;
        }
    }

    /// Returns whether a client is connected and has not negotiated.
    pub(crate) fn awaits_negotiation(&self, id: ClientId) -> bool {
        self.clients.get(&id).is_some_and(|client| !client.is_negotiated)
    }

    /// Returns whether a client has sent all, has received all, and can be closed.
    pub(crate) fn is_done(&self, id: ClientId) -> bool {
        self.clients.get(&id).is_none_or(Client::is_done)
    }

    pub(crate) fn has_output(&self, id: ClientId) -> bool {
        self.clients.get(&id).is_some_and(|client| !client.output.is_empty())
    }

    /// Returns the next bytes for a client, as many as fit into `slices`, and the number of slices filled.
    pub(crate) fn output<'a>(&'a self, id: ClientId, slices: &mut [IoSlice<'a>]) -> usize {
        self.clients.get(&id).map_or(0, |client| client.output.slices(slices))
    }

    /// Notes that a client's socket has taken bytes.
    pub(crate) fn advance_output(&mut self, id: ClientId, len: usize) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let was_held_back = client.is_held_back();
        client.output.advance(len);
        if was_held_back {
            self.read_requests(id);
        }
    }

    /// Returns the clients that left too many events unread. They must be closed.
    pub(crate) fn take_cut_off(&mut self) -> Vec<ClientId> {
        std::mem::take(&mut self.cut_off)
    }

    /// Returns data of the server that has no place in the protocol. Nothing is done about it.
    pub(crate) fn take_unexpected(&mut self) -> Vec<Unexpected> {
        std::mem::take(&mut self.unexpected)
    }

    /// Returns the next bytes for the server, with the descriptors that go with the first of them.
    pub(crate) fn outgoing(&self) -> Option<(&[u8], Vec<BorrowedFd<'_>>)> {
        let Outgoing { bytes, fds } = self.outgoing.front()?;
        Some((bytes, fds.iter().map(AsFd::as_fd).collect()))
    }

    /// Notes that the server's socket has taken bytes.
    pub(crate) fn advance_outgoing(&mut self, len: usize) {
        let Some(first) = self.outgoing.front_mut() else { return };
        if len > 0 {
            // The server has its own now.
            first.fds.clear();
        }
        first.bytes.advance(len);
        if first.bytes.is_empty() {
            self.outgoing.pop_front();
        }
    }

    pub(crate) fn take_records(&mut self) -> Vec<Record> {
        self.records.take()
    }

    /// Takes an item from the server.
    pub(crate) fn receive_item(&mut self, item: StreamItem) {
        match self.router.route(item) {
            Routed::Reply { number, entry, reply } => self.receive_reply(number, entry, &reply),
            Routed::Event(event) => self.receive_event(&event),
            Routed::Renegotiate(request) => {
                let pending = Pending { client: None, id: None, overtakes: true, has_fds: false, access: Access::Full };
                let Registered { id, .. } = self.router.pending.register(&request.command, pending);
                self.outgoing.push_front(Outgoing { bytes: request.to_line(&id.to_string()).into(), fds: Vec::new() });
            }
            // It belongs to no client.
            Routed::Unexpected(unexpected) => self.unexpected.push(unexpected),
            Routed::Greeting(_) | Routed::SyncMarker => {}
        }
    }

    pub(crate) fn receive_event(&mut self, event: &Event) {
        self.records.event(event.text());
        self.events.push(event.text());
    }

    /// Hands the events that have arrived to the clients. Must be called after a batch of [`Share::receive_item`].
    pub(crate) fn deliver_events(&mut self) {
        let Some(events) = self.events.take() else { return };
        for (id, client) in self.clients.iter_mut().filter(|(_, client)| client.is_negotiated && !client.is_closing) {
            if !client.output.push_events(events.of(client.access)) {
                client.is_closing = true;
                self.cut_off.push(*id);
            }
        }
    }

    fn receive_reply(&mut self, number: u64, pending: Pending, reply: &Reply) {
        if !pending.overtakes {
            self.in_flight -= 1;
            self.read_only_in_flight -= usize::from(pending.access == Access::ReadOnly);
        }
        if pending.has_fds {
            self.fd_is_in_flight = false;
        }
        // Events that came before the reply reach the client before it.
        self.deliver_events();
        let Some(id) = pending.client else { return };
        self.records.reply(id, reply, pending.id.as_deref());
        if let Some(client) = self.clients.get_mut(&id) {
            let text = reply_with_id(reply, pending.id.as_deref());
            let text = match client.access {
                Access::Full => text,
                Access::ReadOnly => self.events.masked(text),
            };
            if pending.overtakes {
                client.oob_in_flight -= 1;
                client.output.push(message_line(text));
            } else {
                client.complete(number, text);
            }
            self.unread.push_back(id);
        }
        self.run();
    }

    /// Reads requests from what a client has sent, and sends those whose turn it is.
    fn read_requests(&mut self, id: ClientId) {
        self.unread.push_back(id);
        self.run();
    }

    /// Reads and sends requests until every client is held back or has sent nothing more.
    fn run(&mut self) {
        loop {
            if let Some(id) = self.unread.pop_front() {
                while let Some(message) = self.next_message(id) {
                    self.take_message(id, message);
                }
            } else if !self.send_next() {
                break;
            }
        }
    }

    /// Returns the next message of a client, unless it is held back.
    fn next_message(&mut self, id: ClientId) -> Option<ClientMessage> {
        let client = self.clients.get_mut(&id).filter(|client| !client.is_held_back())?;
        let input = client.input.as_mut()?;
        if !input.fds.is_empty() {
            // As in QEMU, where newer descriptors replace older ones that no command has taken.
            client.fds = std::mem::take(&mut input.fds);
        }
        let (read, message) = client.reader.feed(&input.bytes[input.at..]);
        input.at += read;
        if input.at == input.bytes.len() {
            client.input = None;
        }
        message
    }

    fn take_message(&mut self, id: ClientId, message: ClientMessage) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        match message {
            ClientMessage::Request(request) => self.take_request(id, request),
            ClientMessage::Unreadable(reason) => {
                self.records.unreadable(id);
                client.reply_in_order(error(GENERIC_ERROR, &format!("invalid JSON: {reason}"), None));
            }
            ClientMessage::TooLarge(reason) => {
                self.records.unreadable(id);
                client.reply_in_order(error(GENERIC_ERROR, &reason, None));
                client.is_closing = true;
                client.input = None;
            }
        }
    }

    fn take_request(&mut self, id: ClientId, request: ClientRequest) {
        self.records.request(id, &request);
        let Some(client) = self.clients.get_mut(&id) else { return };
        let own_reply = own_reply(client, &request, &self.upstream);
        if let Some(reply) = own_reply {
            self.records.own_reply(id, &reply);
            match request.is_oob {
                true => client.output.push(message_line(reply)),
                false => client.reply_in_order(reply),
            }
            return;
        }
        if request.is_oob && !self.upstream.greeting.takes_one_request() {
            client.oob_in_flight += 1;
            let access = client.access;
            self.send((id, access), request, Vec::new(), true);
            return;
        }
        let takes_fds = request.command.as_ref().is_ok_and(|command| is_fd_command(&command.name));
        let fds = if takes_fds { std::mem::take(&mut client.fds) } else { Vec::new() };
        client.slots.push_back(Slot::Queued(QueuedRequest { request, fds }));
        client.queued += 1;
        if !std::mem::replace(&mut client.waits_for_turn, true) {
            self.turns.push(id, client.access);
        }
    }

    /// Sends the next queued request, if the server takes one. Each client sends one, then it is the next one's turn.
    fn send_next(&mut self) -> bool {
        if self.in_flight >= self.max_in_flight {
            return false;
        }
        let is_alone = self.clients.len() == 1;
        for access in self.turns.order() {
            if access == Access::ReadOnly && self.read_only_in_flight >= MAX_READ_ONLY_IN_FLIGHT {
                continue;
            }
            for _ in 0..self.turns.len(access) {
                let Some(id) = self.turns.pop(access) else { break };
                let Some(client) = self.clients.get_mut(&id) else { continue };
                if client.queued == 0 {
                    client.waits_for_turn = false;
                    continue;
                }
                self.turns.push(id, access);
                if !client.may_send(self.fd_is_in_flight, is_alone) {
                    continue;
                }
                let number = self.router.pending.next_number();
                let Some(QueuedRequest { request, fds }) = client.take_queued(number) else { continue };
                if client.input.is_some() {
                    self.unread.push_back(id);
                }
                self.in_flight += 1;
                self.read_only_in_flight += usize::from(access == Access::ReadOnly);
                self.turns.note_sent(access);
                self.send((id, access), request, fds, false);
                return true;
            }
        }
        false
    }

    /// Sends a request. `overtakes` is set if it does not wait for its turn, and its reply does not either.
    fn send(
        &mut self,
        (client, access): (ClientId, Access),
        request: ClientRequest,
        fds: Vec<OwnedFd>,
        overtakes: bool,
    ) {
        let has_fds = !fds.is_empty();
        self.fd_is_in_flight |= has_fds;
        let command = request.command.as_ref().map_or("", |command| command.name.as_str());
        let pending = Pending { client: Some(client), id: request.id.clone(), overtakes, has_fds, access };
        let Registered { id, .. } = self.router.pending.register(command, pending);
        self.records.sent(id, &request);
        self.outgoing.push_back(Outgoing { bytes: request.to_line(id).into(), fds });
    }
}

fn is_fd_command(name: &str) -> bool {
    FD_COMMANDS.contains(&name)
}

/// Returns the reply to a request that the share answers itself: to the negotiation, and to what the client may not do.
fn own_reply(client: &mut Client, request: &ClientRequest, upstream: &Upstream) -> Option<String> {
    let id = request.id.as_deref();
    let refused = |class: &str, desc: &str| Some(error(class, desc, id));
    if request.is_oob && client.is_negotiated && !client.has_oob {
        return refused(GENERIC_ERROR, "the member 'exec-oob' is unexpected: this client did not enable `oob`");
    }
    let command = match &request.command {
        Ok(command) => command,
        Err(reason) => return refused(GENERIC_ERROR, reason),
    };
    let negotiates = command.name == "qmp_capabilities" && !request.is_oob;
    match (client.is_negotiated, negotiates) {
        (false, true) => {
            return Some(match requested_oob(command, &upstream.greeting) {
                Ok(has_oob) => {
                    client.is_negotiated = true;
                    client.has_oob = has_oob;
                    empty_return(id)
                }
                Err(reason) => error(GENERIC_ERROR, &reason, id),
            });
        }
        (false, false) => {
            return refused(COMMAND_NOT_FOUND, "`qmp_capabilities` must be executed before any other command");
        }
        (true, true) => {
            return Some(match requested_oob(command, &upstream.greeting) {
                Ok(_) => error(COMMAND_NOT_FOUND, "the capabilities are already negotiated", id),
                Err(reason) => error(GENERIC_ERROR, &reason, id),
            });
        }
        (true, false) => {}
    }
    if client.access == Access::ReadOnly
        && let Err(reason) = check_that_it_only_asks(command)
    {
        return refused(COMMAND_NOT_FOUND, &reason);
    }
    if client.access == Access::ReadOnly && request.is_oob {
        return refused(GENERIC_ERROR, "read-only clients cannot execute commands out of band");
    }
    if is_fd_command(&command.name) {
        if !upstream.can_pass_fds {
            return refused(GENERIC_ERROR, "file descriptors cannot be passed to this server");
        }
        // A descriptor that the server kept after an error of another client must not be taken.
        if client.fds.is_empty() {
            let desc = format!("no file descriptor was passed with `{}`", command.name);
            return refused(GENERIC_ERROR, &desc);
        }
    }
    None
}

/// Returns whether the arguments of `qmp_capabilities` enable out-of-band execution.
fn requested_oob(command: &ClientCommand, greeting: &Greeting) -> Result<bool, String> {
    #[derive(serde::Deserialize, Default)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        #[serde(default)]
        enable: Vec<String>,
    }
    let arguments: Arguments = match &command.arguments {
        Some(arguments) => serde_json::from_str(arguments)
            .map_err(|_| "the arguments of `qmp_capabilities` are not valid".to_owned())?,
        None => Arguments::default(),
    };
    for name in &arguments.enable {
        match name.as_str() {
            "oob" if greeting.offers_oob() => {}
            "oob" => return Err("the capability `oob` is not available".to_owned()),
            _ => return Err("unknown capability in `enable`".to_owned()),
        }
    }
    Ok(!arguments.enable.is_empty())
}

#[cfg(test)]
mod tests;
