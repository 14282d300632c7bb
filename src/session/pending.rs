//! Pending requests, and the one place that decides what an incoming message means.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};

use crate::wire::{Event, Greeting, Message, MessageError, Reply, Request};

use super::received::Unexpected;

/// The ids of the requests of one connection: the digits in turn, because QEMU before 10.2 takes some microseconds for
/// each byte of a request. If all are pending, longer numbers.
///
/// A server may owe replies to an earlier client, which may have used the same ids. It executes requests in order, so it
/// sends those replies before the one to `qmp_capabilities`. That request alone has a random id, and the others are sent
/// after its reply.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestIds {
    pending: BTreeSet<u64>,
    last_digit: u64,
}

impl RequestIds {
    /// Returns an id for a request of a command, which no pending one has. If a server replies twice, the second reply is
    /// not taken for that to the next request.
    fn take(&mut self, command: &str) -> u64 {
        if command == CAPABILITIES_COMMAND {
            return RequestIds::random();
        }
        let digits = (1..=10).map(|step| (self.last_digit + step) % 10);
        let id = match digits.into_iter().find(|digit| !self.pending.contains(digit)) {
            Some(digit) => {
                self.last_digit = digit;
                digit
            }
            None => self.pending.last().map_or(0, |last| last + 1),
        };
        self.pending.insert(id);
        id
    }

    /// Returns an id of nine digits, which an earlier client is unlikely to have used.
    pub(crate) fn random() -> u64 {
        100_000_000 + RandomState::new().hash_one(std::process::id()) % 900_000_000
    }

    /// Notes that a request with this id is answered.
    fn release(&mut self, id: u64) {
        self.pending.remove(&id);
    }
}

/// The command that ends negotiation.
const CAPABILITIES_COMMAND: &str = "qmp_capabilities";

/// The names of a request of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Registered {
    /// Its number, which increases and is not used again.
    pub(crate) number: u64,
    /// The `id` with which it is sent, which others may have after its reply.
    pub(crate) id: u64,
}

/// Requests that await their replies, by number. Each carries a value that its sender gets back with the reply.
#[derive(Debug)]
pub(crate) struct PendingRequests<T> {
    by_number: BTreeMap<u64, (u64, T)>,
    /// The numbers of the requests by id.
    numbers: BTreeMap<u64, u64>,
    last_number: u64,
    ids: RequestIds,
}

impl<T> Default for PendingRequests<T> {
    fn default() -> Self {
        PendingRequests::with_ids(RequestIds::default())
    }
}

impl<T> PendingRequests<T> {
    fn with_ids(ids: RequestIds) -> Self {
        PendingRequests { by_number: BTreeMap::new(), numbers: BTreeMap::new(), last_number: 0, ids }
    }

    /// Registers a request of a command, before it is sent.
    pub(crate) fn register(&mut self, command: &str, value: T) -> Registered {
        let registered = Registered { number: self.next_number(), id: self.ids.take(command) };
        self.last_number = registered.number;
        self.by_number.insert(registered.number, (registered.id, value));
        self.numbers.insert(registered.id, registered.number);
        registered
    }

    /// Returns the number that the next request gets.
    pub(crate) fn next_number(&self) -> u64 {
        self.last_number + 1
    }

    /// Removes and returns the request that `reply` answers, with its number.
    ///
    /// A server omits the id if it could not parse the request. It executes requests in order, so such a reply answers
    /// the oldest one.
    pub(crate) fn complete(&mut self, reply: &Reply) -> Option<(u64, T)> {
        let number = match reply.id() {
            Some(id) => *self.numbers.get(&id.parse().ok()?)?,
            None => *self.by_number.first_key_value()?.0,
        };
        Some((number, self.cancel(number)?))
    }

    /// Removes a request that gets no reply, because it is not sent or was answered.
    pub(crate) fn cancel(&mut self, number: u64) -> Option<T> {
        let (id, value) = self.by_number.remove(&number)?;
        self.numbers.remove(&id);
        self.ids.release(id);
        Some(value)
    }

    #[cfg(feature = "programs")]
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.by_number.get_mut(&number).map(|(_, value)| value)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.by_number.values().map(|(_, value)| value)
    }

    /// Removes all requests, oldest first: none will be answered any more.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> + use<T> {
        self.numbers.clear();
        std::mem::take(&mut self.by_number).into_values().map(|(_, value)| value)
    }
}

/// One item cut out of the stream, before its meaning is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StreamItem {
    Message(Message),
    /// Bytes that are not JSON, or a JSON object that is not a QMP message.
    NotQmp(MessageError),
    /// Byte 0xFF, which tells the receiver to discard everything before it.
    SyncMarker,
}

impl StreamItem {
    /// Returns the approximate size of the item in memory, in bytes.
    pub(crate) fn mem_size(&self) -> usize {
        let heap = match self {
            StreamItem::Message(Message::Reply(reply)) => reply.text().len(),
            StreamItem::Message(Message::Event(event)) => event.text().len() + event.name().len(),
            StreamItem::NotQmp(error) => error.reason.len() + error.preview.len(),
            _ => 0,
        };
        heap + size_of::<StreamItem>()
    }
}

/// The meaning of one item.
#[derive(Debug)]
pub(crate) enum Routed<T> {
    /// The reply to a registered request, with its number.
    Reply {
        number: u64,
        entry: T,
        reply: Reply,
    },
    Event(Event),
    /// The first greeting of the connection.
    Greeting(Greeting),
    /// The request that must be sent after a second greeting, before the server accepts others.
    Renegotiate(Request),
    Unexpected(Unexpected),
    SyncMarker,
}

/// The number of greetings that a connection has received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Greetings {
    /// None. A guest agent never sends one.
    None,
    One,
    /// A server that is still starting when a client connects may greet twice. A third greeting is unexpected.
    Two,
}

/// A router that matches replies to requests and classifies everything else.
#[derive(Debug)]
pub(crate) struct Router<T> {
    pub(crate) pending: PendingRequests<T>,
    greetings: Greetings,
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Router { pending: PendingRequests::default(), greetings: Greetings::None }
    }
}

impl<T> Router<T> {
    /// Returns a router for another consumer of the same connection, without pending requests. It does not use the ids
    /// of those that are pending here.
    pub(crate) fn successor<U>(&self) -> Router<U> {
        Router { pending: PendingRequests::with_ids(self.pending.ids.clone()), greetings: self.greetings }
    }

    /// Returns a router for the connection whose ids these are, before its greeting.
    #[cfg(feature = "programs")]
    pub(crate) fn with_ids(ids: RequestIds) -> Router<T> {
        Router { pending: PendingRequests::with_ids(ids), greetings: Greetings::None }
    }

    #[cfg(feature = "programs")]
    pub(super) fn into_ids(self) -> RequestIds {
        self.pending.ids
    }

    pub(crate) fn route(&mut self, item: StreamItem) -> Routed<T> {
        match item {
            StreamItem::Message(Message::Reply(reply)) => match self.pending.complete(&reply) {
                Some((number, entry)) => Routed::Reply { number, entry, reply },
                None => Routed::Unexpected(Unexpected::Reply(reply)),
            },
            StreamItem::Message(Message::Event(event)) => Routed::Event(event),
            StreamItem::Message(Message::Greeting(greeting)) => match self.greetings {
                Greetings::None => {
                    self.greetings = Greetings::One;
                    Routed::Greeting(greeting)
                }
                Greetings::One => {
                    self.greetings = Greetings::Two;
                    Routed::Renegotiate(capabilities_request(&greeting))
                }
                Greetings::Two => Routed::Unexpected(Unexpected::Greeting),
            },
            StreamItem::NotQmp(error) => Routed::Unexpected(Unexpected::NotQmp(error)),
            StreamItem::SyncMarker => Routed::SyncMarker,
        }
    }
}

/// Returns the request that ends negotiation. It enables out-of-band execution if the server offers that.
pub(crate) fn capabilities_request(greeting: &Greeting) -> Request {
    let request = Request { is_query: true, ..Request::new(CAPABILITIES_COMMAND) };
    if greeting.offers_oob() { request.with_public_arguments("{\"enable\": [\"oob\"]}") } else { request }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: &str) -> StreamItem {
        Message::parse(text.as_bytes().to_vec()).map_or_else(StreamItem::NotQmp, StreamItem::Message)
    }

    fn routed(router: &mut Router<&'static str>, text: &str) -> String {
        match router.route(item(text)) {
            Routed::Reply { number, entry, .. } => format!("reply {number} {entry}"),
            Routed::Event(event) => format!("event {}", event.name()),
            Routed::Greeting(_) => "greeting".to_owned(),
            Routed::Renegotiate(request) => request.to_json(None),
            Routed::Unexpected(unexpected) => unexpected.to_string(),
            Routed::SyncMarker => "marker".to_owned(),
        }
    }

    #[test]
    fn matches_replies_by_id_and_those_without_one_by_age() {
        let mut router = Router::default();
        for entry in ["a", "b", "c"] {
            router.pending.register("x", entry);
        }
        assert_eq!(routed(&mut router, r#"{"return": {}, "id": 2}"#), "reply 2 b");
        assert_eq!(routed(&mut router, r#"{"error": {"class": "GenericError", "desc": "x"}}"#), "reply 1 a");
        assert_eq!(router.pending.cancel(3), Some("c"));
        for reply in [r#"{"return": {}, "id": 3}"#, r#"{"return": {}, "id": "3"}"#, r#"{"return": {}}"#] {
            assert_eq!(routed(&mut router, reply), format!("the server sent a reply to no pending request: {reply}"));
        }
    }

    #[test]
    fn an_id_is_used_again_after_its_reply_and_a_number_is_not() {
        let mut router = Router::default();
        let register = |router: &mut Router<&'static str>| {
            let Registered { number, id } = router.pending.register("x", "");
            (number, id)
        };
        let registered: Vec<_> = (0..12).map(|_| register(&mut router)).collect();
        assert_eq!(registered.iter().map(|(_, id)| *id).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 10, 11]);
        assert_eq!(routed(&mut router, r#"{"return": {}, "id": 3}"#), "reply 3 ");
        assert_eq!(router.pending.cancel(3), None);
        assert_eq!([(); 2].map(|()| register(&mut router)), [(13, 3), (14, 12)]);
        // One without an id answers the oldest request, whatever ids there are.
        assert_eq!(routed(&mut router, r#"{"return": {}}"#), "reply 1 ");
        assert_eq!(register(&mut router), (15, 1));
        assert_eq!(routed(&mut router, r#"{"return": {}}"#), "reply 2 ");
        let mut successor: Router<&str> = router.successor();
        assert_eq!(successor.pending.register("x", "").id, 2);
        assert_eq!(successor.pending.register("x", "").id, 13);
    }

    #[test]
    fn a_second_reply_does_not_answer_the_next_requests() {
        let mut router = Router::default();
        for _ in 0..30 {
            let Registered { number, id } = router.pending.register("x", "");
            let reply = format!(r#"{{"return": {{}}, "id": {id}}}"#);
            assert_eq!(routed(&mut router, &reply), format!("reply {number} "));
            let next = router.pending.register("x", "");
            assert!(routed(&mut router, &reply).ends_with(&reply), "{reply}");
            assert!(router.pending.cancel(next.number).is_some());
        }
    }

    #[test]
    fn negotiation_has_an_id_that_no_earlier_client_used() {
        let mut pending = PendingRequests::default();
        let ids = [(); 100].map(|()| pending.register(CAPABILITIES_COMMAND, ()).id);
        assert!(ids.iter().all(|id| (100_000_000..1_000_000_000).contains(id)));
        assert!(ids.windows(2).any(|pair| pair[0] != pair[1]));
        assert_eq!(pending.register("x", ()).id, 1);
    }

    #[test]
    fn renegotiates_once_after_a_second_greeting() {
        let mut router = Router::default();
        let greeting = r#"{"QMP": {"capabilities": ["oob"]}}"#;
        assert_eq!(routed(&mut router, greeting), "greeting");
        assert_eq!(
            routed(&mut router, greeting),
            r#"{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}"#
        );
        assert_eq!(routed(&mut router, greeting), "the server keeps sending greetings");
        let mut successor: Router<&str> = router.successor();
        assert_eq!(routed(&mut successor, greeting), "the server keeps sending greetings");
    }

    #[test]
    fn passes_events_and_reports_other_data() {
        let mut router = Router::default();
        assert_eq!(routed(&mut router, r#"{"event": "STOP"}"#), "event STOP");
        assert!(routed(&mut router, "{}").starts_with("the server sent "));
        assert!(matches!(router.route(StreamItem::SyncMarker), Routed::SyncMarker));
    }
}
