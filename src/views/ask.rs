//! Queries of which a server may lack some.

use serde_json::Value;

use crate::monitor::{Failure, QmpServer, request};

/// The replies to several queries, and sentences about those that the server lacks.
#[derive(Debug, Default)]
pub(super) struct Replies {
    values: Vec<Value>,
    pub(super) missing: Vec<String>,
}

impl Replies {
    /// Removes and returns the reply to a query, by its place; null if there is none.
    pub(super) fn take(&mut self, place: usize) -> Value {
        self.values.get_mut(place).map(Value::take).unwrap_or_default()
    }
}

/// Asks queries, with their arguments. Fails if the server refuses the first.
pub(super) fn ask_all(server: &mut dyn QmpServer, queries: &[(&'static str, Value)]) -> Result<Replies, Failure> {
    let mut replies = Replies { values: vec![Value::Null; queries.len()], missing: Vec::new() };
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
            Ok(value) => replies.values[place] = value,
            Err(error) if place == 0 => return Err(error.into()),
            Err(error) if error.class == "CommandNotFound" => {
                replies.missing.push(format!("The server has no command `{}`.", request.command));
            }
            Err(error) => replies.missing.push(format!("`{}` failed: {}", request.command, error.desc)),
        }
    }
    Ok(replies)
}
