//! Queries of which a server may lack some.

use serde_json::Value;

use crate::monitor::{Failure, QmpServer, request};
use crate::render::capitalise;

/// The replies to several queries, and sentences about those that the server lacks.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// The queries, with the return values of those that succeeded.
    values: Vec<(&'static str, Option<Value>)>,
    pub(super) missing: Vec<String>,
}

impl Replies {
    /// Removes and returns the reply to a query, by its place; null if there is none.
    pub(super) fn take(&mut self, place: usize) -> Value {
        self.values.get_mut(place).and_then(|(_, value)| value.take()).unwrap_or_default()
    }

    /// Removes and returns the list of objects that a query returns, by its place; empty if the query failed. Other
    /// items and other values are left out and mentioned. Fails if the first query returns another value.
    pub(super) fn take_objects(&mut self, place: usize) -> Result<Value, Failure> {
        let Some((command, Some(value))) = self.values.get_mut(place).map(|(command, value)| (*command, value.take()))
        else {
            return Ok(Value::Array(Vec::new()));
        };
        let Value::Array(mut items) = value else {
            let message = format!("the reply to `{command}` is not a list");
            if place == 0 {
                return Err(Failure::error(message));
            }
            self.missing.push(capitalise(&message) + ".");
            return Ok(Value::Array(Vec::new()));
        };
        let count = items.len();
        items.retain(Value::is_object);
        match count - items.len() {
            0 => {}
            1 => self.missing.push(format!("An item of the reply to `{command}` is not an object.")),
            others => self.missing.push(format!("{others} items of the reply to `{command}` are not objects.")),
        }
        Ok(Value::Array(items))
    }

    /// Removes and returns the object that the first query returns. Fails if it returns another value.
    pub(super) fn take_first_object(&mut self) -> Result<Value, Failure> {
        match self.values.first_mut().and_then(|(command, value)| Some((*command, value.take()?))) {
            Some((command, value)) if !value.is_object() => {
                Err(Failure::error(format!("the reply to `{command}` is not an object")))
            }
            value => Ok(value.map(|(_, value)| value).unwrap_or_default()),
        }
    }
}

/// Asks queries, with their arguments. Fails if the server refuses the first.
pub(super) fn ask_all(server: &mut dyn QmpServer, queries: &[(&'static str, Value)]) -> Result<Replies, Failure> {
    let values = queries.iter().map(|(command, _)| (*command, None)).collect();
    let mut replies = Replies { values, missing: Vec::new() };
    let mut known = Vec::new();
    for (place, (command, arguments)) in queries.iter().enumerate() {
        match place == 0 || server.has_command(command) {
            true => known.push((place, request(command, arguments.clone()))),
            false => replies.missing.push(format!("The server has no command `{command}`.")),
        }
    }
    let requests: Vec<_> = known.iter().map(|(_, request)| request.clone()).collect();
    for ((place, request), reply) in known.into_iter().zip(server.query_all(&requests)?) {
        match reply {
            Ok(value) => replies.values[place].1 = Some(value),
            Err(error) if place == 0 => return Err(error.into()),
            Err(error) if error.class == "CommandNotFound" => {
                replies.missing.push(format!("The server has no command `{}`.", request.command));
            }
            Err(error) => replies.missing.push(format!("`{}` failed: {}", request.command, error.desc)),
        }
    }
    Ok(replies)
}
