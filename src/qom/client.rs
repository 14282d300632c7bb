//! The objects of a server: one at a time.

use crate::client::{Client, ExecuteError, Pending};
use crate::schema::{nearest, property_value};
use crate::wire::{Reply, ReplyBody, Request, quote};

use super::error::QomError;
use super::path::{join, parent, splits};
use super::property::{Kind, Property};

/// The object tree of the server at the other end of a client.
#[derive(Debug, Clone)]
pub struct QomClient {
    client: Client,
    /// How many members a tree may have.
    pub(super) max_members: usize,
}

/// How many members a tree may have: as many as a machine with a thousand devices has several times over. A server may make
/// up more for ever.
const MOST: usize = 2_000_000;

impl QomClient {
    /// The tree of this client's server.
    pub fn new(client: &Client) -> QomClient {
        QomClient { client: client.clone(), max_members: MOST }
    }

    /// The same, where a tree may have no more than so many members.
    pub fn at_most(self, members: usize) -> QomClient {
        QomClient { max_members: members, ..self }
    }

    /// The properties of an object, in the server's order: children and links among them.
    pub fn list(&self, path: &str) -> Result<Vec<Property>, QomError> {
        Ok(self.begin_list(path)?.wait()?)
    }

    /// The value of a property: JSON text as the server spells it. A child and a link read as a path, which is empty
    /// where the link leads nowhere.
    pub fn get(&self, path: &str, property: &str) -> Result<String, QomError> {
        finish_get(self.begin_get(path, property)?)
    }

    /// Sets a property to what `word` means by the property's type; returns the JSON that was sent. The server is asked
    /// for the type first, and judges itself what it does not list.
    pub fn set(&self, path: &str, property: &str, word: &str) -> Result<String, QomError> {
        let properties = self.list(path)?;
        let json = value_of(path, property, properties.iter().find(|listed| listed.name == property), word)?;
        self.set_json(path, property, &json)?;
        Ok(json)
    }

    /// As [`QomClient::set`], for a property that was listed before.
    pub fn set_listed(&self, path: &str, property: &Property, word: &str) -> Result<String, QomError> {
        let json = value_of(path, &property.name, Some(property), word)?;
        self.set_json(path, &property.name, &json)?;
        Ok(json)
    }

    /// Sets a property to this JSON.
    pub fn set_json(&self, path: &str, property: &str, json: &str) -> Result<(), QomError> {
        let arguments = format!(r#"{{"path":{},"property":{},"value":{json}}}"#, quote(path), quote(property));
        finish(self.client.start(Request::new("qom-set").with_arguments(arguments))?)?;
        Ok(())
    }

    /// Which object and property `PATH.PROPERTY` means: where there are several ways to read it, the first that the server
    /// has, else the likeliest. `None` where it names no property.
    pub fn resolve<'a>(&self, text: &'a str) -> Result<Option<(&'a str, &'a str)>, QomError> {
        let ways = splits(text);
        let [likeliest, _, ..] = ways.as_slice() else { return Ok(ways.first().copied()) };
        for &(path, property) in &ways {
            match self.list(path) {
                Ok(properties) if properties.iter().any(|listed| listed.name == property) => {
                    return Ok(Some((path, property)));
                }
                Err(error) if error.is_lost() => return Err(error),
                _ => {}
            }
        }
        Ok(Some(*likeliest))
    }

    /// The path nearest to one that the server does not have: the first name in it that is wrong, mended.
    pub fn nearest_path(&self, path: &str) -> Option<String> {
        let mut rest = path;
        while let Some((above, name)) = parent(rest) {
            if let Ok(properties) = self.list(above) {
                let objects = properties.iter().filter(|property| !matches!(property.kind(), Kind::Value(_)));
                return nearest(name, objects.map(|property| property.name.as_str())).map(|near| join(above, near));
            }
            rest = above;
        }
        None
    }

    /// Asks for the properties of an object; the answer is waited for later.
    pub(super) fn begin_list(&self, path: &str) -> Result<Pending, QomError> {
        let arguments = format!(r#"{{"path":{}}}"#, quote(path));
        Ok(self.client.start(Request::new("qom-list").with_arguments(arguments))?)
    }

    /// Asks for the properties and values of these objects; the answer is waited for later.
    pub(super) fn begin_bulk<'a>(&self, paths: impl Iterator<Item = &'a str>) -> Result<Pending, QomError> {
        let paths: Vec<String> = paths.map(quote).collect();
        let arguments = format!(r#"{{"paths":[{}]}}"#, paths.join(","));
        Ok(self.client.start(Request::new("qom-list-get").with_arguments(arguments))?)
    }

    /// Asks for a value; the answer is waited for later.
    pub(super) fn begin_get(&self, path: &str, property: &str) -> Result<Pending, QomError> {
        let arguments = format!(r#"{{"path":{},"property":{}}}"#, quote(path), quote(property));
        Ok(self.client.start(Request::new("qom-get").with_arguments(arguments))?)
    }
}

/// The JSON that `word` means for this property, by its type where it is listed.
fn value_of(path: &str, property: &str, listed: Option<&Property>, word: &str) -> Result<String, QomError> {
    property_value(word, listed.and_then(Property::builtin)).map_err(|message| QomError::Value {
        path: path.to_owned(),
        property: property.to_owned(),
        message,
    })
}

/// The value that was asked for.
pub(super) fn finish_get(pending: Pending) -> Result<String, QomError> {
    let reply = finish(pending)?;
    Ok(reply.member().1.to_owned())
}

/// Waits for success.
fn finish(pending: Pending) -> Result<Reply, ExecuteError> {
    let request = pending.request().clone();
    let reply = pending.reply()?;
    match reply.body() {
        ReplyBody::Return(_) => Ok(reply),
        ReplyBody::Error { .. } => Err(ExecuteError::Refused { request: Box::new(request), reply: Box::new(reply) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> QomClient {
        QomClient::new(&Client::connect("demo:").unwrap())
    }

    #[test]
    fn properties_are_listed_read_and_set() {
        let objects = demo();
        let root = objects.list("/").unwrap();
        assert!(root.iter().any(|property| property.name == "machine" && matches!(property.kind(), Kind::Child(_))));
        assert_eq!(objects.get("/machine", "type").unwrap(), r#""pc-q35-10.0-machine""#);
        assert_eq!(objects.set("/objects/iothread0", "poll-max-ns", "0x10").unwrap(), "16");
        assert_eq!(objects.get("/objects/iothread0", "poll-max-ns").unwrap(), "16");

        let error = objects.set("/objects/iothread0", "poll-max-ns", "many").unwrap_err();
        assert!(matches!(error, QomError::Value { .. }) && !error.is_lost(), "{error}");
        let error = objects.get("/machine", "nope").unwrap_err();
        assert!(!error.is_lost() && error.to_string().starts_with("`qom-get`: GenericError: "), "{error}");
        assert!(!objects.list("/nowhere").unwrap_err().is_lost());
    }

    #[test]
    fn the_server_tells_which_dot_parts_object_and_property() {
        let objects = demo();
        for (text, expected) in [
            ("/machine.type", Some(("/machine", "type"))),
            ("/machine", None),
            // Nobody has this, so it is the likeliest.
            ("/machine/a.b.c", Some(("/machine/a.b", "c"))),
        ] {
            assert_eq!(objects.resolve(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn the_nearest_path_is_known() {
        let objects = demo();
        for (path, expected) in [
            ("/machine/perpheral", Some("/machine/peripheral")),
            ("/mahcine/peripheral/net0", Some("/machine")),
            ("/machine/zzz", None),
            ("nonsense", None),
        ] {
            assert_eq!(objects.nearest_path(path).as_deref(), expected, "{path}");
        }
    }
}
