//! Pending requests, and the one place that decides what an incoming message means.

use std::collections::BTreeMap;

use crate::wire::{Event, Greeting, Message, MessageError, Reply, Request};

use super::received::Unexpected;

/// Requests that await their replies, by id. Each carries a value that its sender gets back with the reply.
#[derive(Debug)]
pub(crate) struct PendingRequests<T> {
    by_id: BTreeMap<u64, T>,
}

impl<T> Default for PendingRequests<T> {
    fn default() -> Self {
        PendingRequests { by_id: BTreeMap::new() }
    }
}

impl<T> PendingRequests<T> {
    /// Registers a request, before it is sent. Ids must increase.
    pub(crate) fn register(&mut self, id: u64, value: T) {
        self.by_id.insert(id, value);
    }

    /// Removes and returns the request that `reply` answers.
    ///
    /// A server omits the id if it could not parse the request. It executes requests in order, so such a reply answers
    /// the oldest one.
    pub(crate) fn complete(&mut self, reply: &Reply) -> Option<(u64, T)> {
        match reply.id() {
            Some(id) => self.by_id.remove_entry(&id.parse().ok()?),
            None => self.by_id.pop_first(),
        }
    }

    /// Removes a request that needs no reply any more. If a reply comes anyway, it is unexpected.
    pub(crate) fn cancel(&mut self, id: u64) -> Option<T> {
        self.by_id.remove(&id)
    }

    #[cfg(feature = "programs")]
    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.by_id.values()
    }

    /// Removes all requests, oldest first: none will be answered any more.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> + use<T> {
        std::mem::take(&mut self.by_id).into_values()
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
    /// The reply to a registered request.
    Reply {
        id: u64,
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
    /// Returns a router for another consumer of the same connection, without pending requests.
    pub(crate) fn successor<U>(&self) -> Router<U> {
        Router { pending: PendingRequests::default(), greetings: self.greetings }
    }

    pub(crate) fn route(&mut self, item: StreamItem) -> Routed<T> {
        match item {
            StreamItem::Message(Message::Reply(reply)) => match self.pending.complete(&reply) {
                Some((id, entry)) => Routed::Reply { id, entry, reply },
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
    let request = Request { is_query: true, ..Request::new("qmp_capabilities") };
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
            Routed::Reply { id, entry, .. } => format!("reply {id} {entry}"),
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
        for (id, entry) in [(7, "a"), (8, "b"), (9, "c")] {
            router.pending.register(id, entry);
        }
        assert_eq!(routed(&mut router, r#"{"return": {}, "id": 8}"#), "reply 8 b");
        assert_eq!(routed(&mut router, r#"{"error": {"class": "GenericError", "desc": "x"}}"#), "reply 7 a");
        assert_eq!(router.pending.cancel(9), Some("c"));
        for reply in [r#"{"return": {}, "id": 9}"#, r#"{"return": {}, "id": "9"}"#, r#"{"return": {}}"#] {
            assert_eq!(routed(&mut router, reply), format!("the server sent a reply to no pending request: {reply}"));
        }
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
