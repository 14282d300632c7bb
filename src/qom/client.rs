//! Commands on single objects: list, get and set properties, and resolve what a user typed.

use std::cell::Cell;
use std::time::Instant;

use serde::de::{DeserializeOwned, IgnoredAny};

use crate::client::{Client, ExecuteError, Pending, REPLY_ANNOUNCEMENT_DELAY, parse_return};
use crate::schema::{PropertyType, nearest, property_value};
use crate::wire::{Reply, ReplyBody, Request, quote};

use super::error::QomError;
use super::path::{join, property_splits, split_last};
use super::property::{Property, PropertyKind};

/// The maximum number of members of a tree, against a server that makes up members without end: several times as many
/// as a machine with 1,000 devices has.
const MAX_TREE_MEMBERS: usize = 2_000_000;

/// The number of requests of a probe. A server that takes one at a time may read the first by itself; it reads several of
/// the others together.
const PROBE_REQUESTS: usize = 4;

/// The object tree of the server that a client is connected to.
#[derive(Debug, Clone)]
pub struct QomClient {
    client: Client,
    pub(super) max_tree_members: usize,
    /// A function that returns whether to give up a wait for the server.
    is_interrupted: fn() -> bool,
    /// Whether a wait ends when the server answers none of several requests.
    detects_stalls: bool,
    /// Called with a sentence about each long wait for a reply.
    on_long_wait: fn(&str),
}

impl QomClient {
    pub fn new(client: &Client) -> QomClient {
        QomClient {
            client: client.clone(),
            max_tree_members: MAX_TREE_MEMBERS,
            is_interrupted: || false,
            detects_stalls: true,
            on_long_wait: |_| {},
        }
    }

    /// Has each long wait for a reply announced by `report`, which gets a sentence.
    pub fn announcing_waits(self, report: fn(&str)) -> QomClient {
        QomClient { on_long_wait: report, ..self }
    }

    /// Has each wait for the server end with [`QomError::Interrupted`] when `is_interrupted`, called in the thread that
    /// waits, returns true. Does not apply to [`QomClient::tree`].
    pub fn interrupted_by(self, is_interrupted: fn() -> bool) -> QomClient {
        QomClient { is_interrupted, ..self }
    }

    /// Sends several requests at once, to find out whether the server answers them. If not, the error is
    /// [`QomError::Stalled`], and only a new connection may work.
    pub fn probe(&self) -> Result<(), QomError> {
        let sent: Vec<_> = (0..PROBE_REQUESTS).map(|_| self.start_list("/")).collect();
        sent.into_iter().try_for_each(|pending| self.finish::<IgnoredAny>(pending?).map(drop))
    }

    /// Has no wait end with [`QomError::Stalled`]. For a server that has passed [`QomClient::probe`]: if it does not answer
    /// later, it is busy.
    pub fn without_stall_detection(self) -> QomClient {
        QomClient { detects_stalls: false, ..self }
    }

    /// Has the server get one request at a time.
    pub fn taking_turns(self) -> QomClient {
        self.client.take_turns();
        self
    }

    /// Limits the number of members that [`QomClient::tree`] reads.
    pub fn with_max_tree_members(self, max_tree_members: usize) -> QomClient {
        QomClient { max_tree_members, ..self }
    }

    /// Lists the properties of an object, including its children and links, in the server's order.
    pub fn list(&self, path: &str) -> Result<Vec<Property>, QomError> {
        self.finish(self.start_list(path)?)
    }

    /// Reads a property: the JSON text as the server wrote it. A child or a link reads as a path, an unset link as `""`.
    pub fn get(&self, path: &str, property: &str) -> Result<String, QomError> {
        self.finish_get(self.start_get(path, property)?)
    }

    /// Sets a property to the value that `text` denotes for the property's type. The type is looked up first; if the
    /// property is not listed, the server decides.
    pub fn set(&self, path: &str, property: &str, text: &str) -> Result<(), QomError> {
        let properties = self.list(path)?;
        let listed = properties.iter().find(|listed| listed.name == property);
        self.set_typed(path, property, listed.map_or(PropertyType::Unknown, Property::value_type), text)
    }

    /// Sets a property of a type to the value that `text` denotes for it.
    pub(super) fn set_typed(&self, path: &str, property: &str, kind: PropertyType, text: &str) -> Result<(), QomError> {
        let json = property_value(text, kind).map_err(|message| QomError::InvalidValue {
            path: path.to_owned(),
            property: property.to_owned(),
            message,
        })?;
        self.set_json(path, property, &json)
    }

    /// Sets a property to a JSON value.
    pub(super) fn set_json(&self, path: &str, property: &str, json: &str) -> Result<(), QomError> {
        let arguments = format!(r#"{{"path":{},"property":{},"value":{json}}}"#, quote(path), quote(property));
        self.finish::<IgnoredAny>(self.start("qom-set", arguments)?)?;
        Ok(())
    }

    /// Resolves `PATH.PROPERTY` into path and property. If there are several ways to split it, returns the first one
    /// that exists on the server, or the most likely one if none does. Returns `None` if there is no way.
    pub fn resolve<'a>(&self, text: &'a str) -> Result<Option<(&'a str, &'a str)>, QomError> {
        let splits = property_splits(text);
        let [most_likely, _, ..] = splits.as_slice() else { return Ok(splits.first().copied()) };
        for &(path, property) in &splits {
            match self.list(path) {
                Ok(properties) if properties.iter().any(|listed| listed.name == property) => {
                    return Ok(Some((path, property)));
                }
                Err(error) if error.is_disconnected() => return Err(error),
                _ => {}
            }
        }
        Ok(Some(*most_likely))
    }

    /// Returns a correction of `path`, which does not exist: `path` up to and including its first unknown name, with
    /// that name replaced with the most similar one.
    pub fn nearest_path(&self, path: &str) -> Option<String> {
        let mut rest = path;
        while let Some((parent, name)) = split_last(rest) {
            if let Ok(properties) = self.list(parent) {
                let objects = properties.iter().filter(|property| !matches!(property.kind(), PropertyKind::Value(_)));
                return nearest(name, objects.map(|object| object.name.as_str())).map(|name| join(parent, name));
            }
            rest = parent;
        }
        None
    }

    /// Sends `qom-list` for one object.
    pub(super) fn start_list(&self, path: &str) -> Result<Pending, QomError> {
        self.start("qom-list", format!(r#"{{"path":{}}}"#, quote(path)))
    }

    /// Sends `qom-list-get` for several objects.
    pub(super) fn start_list_get<'a>(&self, paths: impl Iterator<Item = &'a str>) -> Result<Pending, QomError> {
        let paths: Vec<String> = paths.map(quote).collect();
        self.start("qom-list-get", format!(r#"{{"paths":[{}]}}"#, paths.join(",")))
    }

    /// Sends `qom-get`; [`finish_get`] takes the reply.
    pub(super) fn start_get(&self, path: &str, property: &str) -> Result<Pending, QomError> {
        self.start("qom-get", format!(r#"{{"path":{},"property":{}}}"#, quote(path), quote(property)))
    }

    fn start(&self, command: &str, arguments: String) -> Result<Pending, QomError> {
        let request = Request::new(command).with_arguments(arguments);
        self.client.start_unless(request, &|| self.must_give_up())?.ok_or_else(|| self.reason_to_give_up())
    }

    /// Waits for the return value of a command.
    pub(super) fn finish<T: DeserializeOwned>(&self, pending: Pending) -> Result<T, QomError> {
        let request = Box::new(pending.request().clone());
        Ok(parse_return(request, self.reply(pending)?)?)
    }

    /// Waits for the reply to `qom-get`. The value is not parsed, because QEMU writes some numbers as `inf`, which is not
    /// JSON.
    pub(super) fn finish_get(&self, pending: Pending) -> Result<String, QomError> {
        let request = Box::new(pending.request().clone());
        let reply = self.reply(pending)?;
        match reply.body() {
            ReplyBody::Return(json) => Ok(json.to_owned()),
            ReplyBody::Error { .. } => Err(ExecuteError::Refused { request, reply: Box::new(reply) }.into()),
        }
    }

    fn reply(&self, pending: Pending) -> Result<Reply, QomError> {
        let announcement = format!("Waiting for the reply to `{}`.", pending.request().command);
        let announce_at = Cell::new(Some(Instant::now() + REPLY_ANNOUNCEMENT_DELAY));
        let must_give_up = || {
            if announce_at.get().is_some_and(|at| Instant::now() >= at) {
                announce_at.set(None);
                (self.on_long_wait)(&announcement);
            }
            self.must_give_up()
        };
        pending.reply_unless(&must_give_up)?.ok_or_else(|| self.reason_to_give_up())
    }

    fn must_give_up(&self) -> bool {
        (self.is_interrupted)() || self.detects_stalls && self.client.is_stalled()
    }

    fn reason_to_give_up(&self) -> QomError {
        if (self.is_interrupted)() { QomError::Interrupted } else { QomError::Stalled }
    }
}

#[cfg(test)]
#[cfg(feature = "demo")]
mod tests {
    use super::*;

    fn demo() -> QomClient {
        QomClient::new(&Client::connect("demo:").unwrap())
    }

    #[test]
    fn lists_reads_and_sets_properties() {
        let qom = demo();
        let root = qom.list("/").unwrap();
        let is_child = |property: &Property| matches!(property.kind(), PropertyKind::Child(_));
        assert!(root.iter().any(|property| property.name == "machine" && is_child(property)));
        assert_eq!(qom.get("/machine", "type").unwrap(), r#""pc-q35-10.0-machine""#);
        qom.set("/objects/iothread0", "poll-max-ns", "0x10").unwrap();
        assert_eq!(qom.get("/objects/iothread0", "poll-max-ns").unwrap(), "16");

        let error = qom.set("/objects/iothread0", "poll-max-ns", "many").unwrap_err();
        assert!(matches!(error, QomError::InvalidValue { .. }) && !error.is_disconnected(), "{error}");
        let error = qom.get("/machine", "nope").unwrap_err();
        assert!(!error.is_disconnected() && error.to_string().starts_with("`qom-get`: GenericError: "), "{error}");
        assert!(!qom.list("/nowhere").unwrap_err().is_disconnected());
    }

    #[test]
    fn resolves_dots_by_asking_the_server() {
        let qom = demo();
        for (text, expected) in [
            ("/machine.type", Some(("/machine", "type"))),
            ("/machine", None),
            // Neither split exists, so the most likely one is returned.
            ("/machine/a.b.c", Some(("/machine/a.b", "c"))),
        ] {
            assert_eq!(qom.resolve(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn finds_the_nearest_path() {
        let qom = demo();
        for (path, expected) in [
            ("/machine/perpheral", Some("/machine/peripheral")),
            ("/mahcine/peripheral/net0", Some("/machine")),
            ("/machine/zzz", None),
            ("nonsense", None),
        ] {
            assert_eq!(qom.nearest_path(path).as_deref(), expected, "{path}");
        }
    }
}
