//! Parsing of requests: command, arguments, id, and whether to execute out of band.
//!
//! The id stays JSON text, so that the reply repeats it exactly.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::error::CommandError;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    pub command: String,
    pub is_oob: bool,
    /// Empty if there are none.
    pub arguments: Map<String, Value>,
}

/// The members of a JSON object in order, with unparsed values. Duplicate keys are an error.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &'de RawValue)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if members.iter().any(|(known, _)| *known == key) {
                        return Err(serde::de::Error::custom(format!("duplicate key '{key}'")));
                    }
                    members.push((key, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

impl Request {
    /// Parses a message. Returns the id, even that of an invalid request, and the request.
    pub fn parse(bytes: &[u8], is_oob_enabled: bool) -> (Option<String>, Result<Request, CommandError>) {
        let invalid = |error: &dyn fmt::Display| CommandError::generic(format!("invalid JSON: {error}"));
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return (None, Err(invalid(&error))),
        };
        let Members(members) = match serde_json::from_str(text) {
            Ok(members) => members,
            Err(error) => return (None, Err(invalid(&error))),
        };
        let id = members.iter().find(|(key, _)| key == "id").map(|(_, id)| id.get().to_owned());
        (id, Request::from_members(&members, is_oob_enabled))
    }

    fn from_members(members: &[(String, &RawValue)], is_oob_enabled: bool) -> Result<Request, CommandError> {
        let mut request = Request::default();
        let mut command = None;
        for (key, value) in members {
            match key.as_str() {
                "execute" | "exec-oob" if command.is_some() => {
                    return Err(CommandError::generic("a request must have only one of 'execute' and 'exec-oob'"));
                }
                "exec-oob" if !is_oob_enabled => {
                    return Err(CommandError::generic("'exec-oob' needs the capability 'oob', which is not enabled"));
                }
                "execute" | "exec-oob" => {
                    request.is_oob = key == "exec-oob";
                    command = Some(
                        serde_json::from_str::<String>(value.get())
                            .map_err(|_| CommandError::generic(format!("member '{key}' must be a string")))?,
                    );
                }
                "arguments" => request.arguments = arguments(value)?,
                "id" => {}
                _ => return Err(CommandError::generic(format!("unknown member '{key}'"))),
            }
        }
        request.command = command.ok_or_else(|| CommandError::generic("missing member 'execute'"))?;
        Ok(request)
    }
}

fn arguments(value: &RawValue) -> Result<Map<String, Value>, CommandError> {
    match serde_json::from_str::<Value>(value.get()) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(CommandError::generic("member 'arguments' must be an object")),
        Err(error) => Err(CommandError::generic(format!("invalid arguments: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Option<String>, Result<Request, CommandError>) {
        Request::parse(text.as_bytes(), false)
    }

    #[test]
    fn keeps_the_text_of_the_id() {
        for id in ["1", "1.0", "1e400", "\"\\u0041\"", "null", "{\"a\":  [18446744073709551616]}"] {
            let (parsed, request) = parse(&format!("{{\"execute\": \"stop\", \"id\": {id}}}"));
            assert_eq!(parsed.as_deref(), Some(id));
            assert_eq!(request.unwrap().command, "stop");
        }
        let (id, request) = parse("{\"id\": 7, \"wrong\": 1, \"execute\": \"stop\"}");
        assert_eq!((id.as_deref(), request.is_err()), (Some("7"), true));
    }

    #[test]
    fn reports_what_is_wrong_with_a_request() {
        for (text, expected) in [
            ("{\"execute\": 1}", "member 'execute' must be a string"),
            ("{\"id\": 1}", "missing member 'execute'"),
            ("{\"execute\": \"a\", \"x\": 1}", "unknown member 'x'"),
            ("{\"execute\": \"a\", \"arguments\": []}", "member 'arguments' must be an object"),
            ("{\"exec-oob\": \"a\"}", "'exec-oob' needs the capability 'oob', which is not enabled"),
            ("{\"execute\": \"a\", \"execute\": \"b\"}", "invalid JSON: duplicate key 'execute'"),
        ] {
            let error = parse(text).1.unwrap_err();
            assert!(error.desc.starts_with(expected), "{text}: {}", error.desc);
        }
        for text in ["{\"execute\"}", "{]", "{\"execute\": 'stop'}"] {
            assert_eq!(parse(text).0, None);
            assert!(parse(text).1.unwrap_err().desc.starts_with("invalid JSON: "), "{text}");
        }
        assert!(Request::parse(b"{\"execute\": \"\xff\"}", false).1.is_err());
    }

    #[test]
    fn survives_deep_nesting() {
        let deep = "[".repeat(900) + &"]".repeat(900);
        assert!(parse(&format!("{{\"execute\": \"a\", \"arguments\": {{\"x\": {deep}}}}}")).1.is_err());
        assert_eq!(parse(&format!("{{\"execute\": \"a\", \"id\": {deep}}}")).0, Some(deep));
    }
}
