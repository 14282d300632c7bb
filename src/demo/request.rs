//! One message from a client, as far as every command shares it: name, arguments, id, and whether it is out-of-band.
//!
//! The id stays the client's own text, so that it goes back as it came.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::failure::Failure;

/// A request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// The command's name.
    pub command: String,
    /// Whether it came as `exec-oob`.
    pub oob: bool,
    /// The arguments; empty where there are none.
    pub arguments: Map<String, Value>,
}

/// The members of a JSON object in the order they came, each value still text.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut list: Vec<(String, &'de RawValue)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if list.iter().any(|(known, _)| *known == key) {
                        return Err(serde::de::Error::custom(format!("the key '{key}' is there twice")));
                    }
                    list.push((key, value));
                }
                Ok(Members(list))
            }
        }
        from.deserialize_map(MembersVisitor)
    }
}

impl Request {
    /// Reads a message. Beside the request, or the failure, stands the id as text, wherever one could be made out.
    /// `oob` tells whether out-of-band execution is enabled on the connection.
    pub fn parse(bytes: &[u8], oob: bool) -> (Option<String>, Result<Request, Failure>) {
        let unreadable = |error: &dyn fmt::Display| Failure::new(format!("this is no message in JSON: {error}"));
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return (None, Err(unreadable(&error))),
        };
        let Members(members) = match serde_json::from_str(text) {
            Ok(members) => members,
            Err(error) => return (None, Err(unreadable(&error))),
        };
        let id = members.iter().find(|(key, _)| key == "id").map(|(_, id)| id.get().to_owned());
        (id, Request::from_members(&members, oob))
    }

    fn from_members(members: &[(String, &RawValue)], oob: bool) -> Result<Request, Failure> {
        let mut request = Request::default();
        let mut command = None;
        for (key, value) in members {
            match key.as_str() {
                "execute" | "exec-oob" if command.is_some() => {
                    return Err(Failure::new("a message has either 'execute' or 'exec-oob'"));
                }
                "exec-oob" if !oob => {
                    return Err(Failure::new("'exec-oob' needs the capability 'oob', which has not been enabled"));
                }
                "execute" | "exec-oob" => {
                    request.oob = key == "exec-oob";
                    command = Some(serde_json::from_str::<String>(value.get()).map_err(|_| {
                        Failure::new(format!("the value of '{key}' must be a string, the name of a command"))
                    })?);
                }
                "arguments" => request.arguments = arguments(value)?,
                "id" => {}
                _ => return Err(Failure::new(format!("a message has no member '{key}'"))),
            }
        }
        request.command = command.ok_or_else(|| Failure::new("the message has no member 'execute'"))?;
        Ok(request)
    }
}

fn arguments(value: &RawValue) -> Result<Map<String, Value>, Failure> {
    match serde_json::from_str::<Value>(value.get()) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Failure::new("the value of 'arguments' must be an object")),
        Err(error) => Err(Failure::new(format!("the arguments cannot be read: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Option<String>, Result<Request, Failure>) {
        Request::parse(text.as_bytes(), false)
    }

    #[test]
    fn the_id_stays_as_it_is_spelled() {
        for id in ["1", "1.0", "1e400", "\"\\u0041\"", "null", "{\"a\":  [18446744073709551616]}"] {
            let (found, request) = parse(&format!("{{\"execute\": \"stop\", \"id\": {id}}}"));
            assert_eq!(found.as_deref(), Some(id));
            assert_eq!(request.unwrap().command, "stop");
        }
        let (found, failure) = parse("{\"id\": 7, \"wrong\": 1, \"execute\": \"stop\"}");
        assert_eq!((found.as_deref(), failure.is_err()), (Some("7"), true));
    }

    #[test]
    fn what_is_no_request_is_told_apart() {
        for (text, expected) in [
            ("{\"execute\": 1}", "the value of 'execute' must be a string, the name of a command"),
            ("{\"id\": 1}", "the message has no member 'execute'"),
            ("{\"execute\": \"a\", \"x\": 1}", "a message has no member 'x'"),
            ("{\"execute\": \"a\", \"arguments\": []}", "the value of 'arguments' must be an object"),
            ("{\"exec-oob\": \"a\"}", "'exec-oob' needs the capability 'oob', which has not been enabled"),
            (
                "{\"execute\": \"a\", \"execute\": \"b\"}",
                "this is no message in JSON: the key 'execute' is there twice",
            ),
        ] {
            let failure = parse(text).1.unwrap_err();
            assert!(failure.desc.starts_with(expected), "{text}: {}", failure.desc);
        }
        for text in ["{\"execute\"}", "{]", "{\"execute\": 'stop'}"] {
            assert_eq!(parse(text).0, None);
            assert!(parse(text).1.unwrap_err().desc.starts_with("this is no message in JSON: "), "{text}");
        }
        assert!(Request::parse(b"{\"execute\": \"\xff\"}", false).1.is_err());
    }

    #[test]
    fn nesting_beyond_measure_is_an_error_and_no_overflow() {
        let deep = "[".repeat(900) + &"]".repeat(900);
        assert!(parse(&format!("{{\"execute\": \"a\", \"arguments\": {{\"x\": {deep}}}}}")).1.is_err());
        assert_eq!(parse(&format!("{{\"execute\": \"a\", \"id\": {deep}}}")).0, Some(deep));
    }
}
