//! Differences between servers, by their introspection and version.

use crate::schema::{Type, member_type};

use super::command::Invocation;
use super::server::Failure;

impl Invocation<'_> {
    /// Returns whether a command of the server takes an argument. False without introspection.
    pub(crate) fn takes_argument(&mut self, command: &str, argument: &str) -> bool {
        self.server.schema().is_some_and(|schema| {
            let info = schema.command(command);
            info.is_some_and(|info| member_type(&schema, info.arguments, argument).is_some())
        })
    }

    /// Returns whether an enumeration among a command's arguments has a value. `path` has the names of members, through
    /// arrays. True without introspection.
    pub(crate) fn accepts_value(&mut self, command: &str, path: &[&str], value: &str) -> bool {
        let Some(schema) = self.server.schema() else { return true };
        let Some(info) = schema.command(command) else { return true };
        let mut id = info.arguments;
        for name in path {
            while let Type::Array(element) = schema.definition(id) {
                id = *element;
            }
            match member_type(&schema, id, name) {
                Some(member) => id = member,
                None => return false,
            }
        }
        match schema.definition(id) {
            Type::Enum(values) => values.iter().any(|known| known.name == value),
            _ => true,
        }
    }

    /// Returns whether the server is older than a version, where nothing but the version tells.
    pub(crate) fn is_older_than(&mut self, major: u64, minor: u64) -> Result<bool, Failure> {
        Ok(self.server.version()?.is_some_and(|version| version < (major, minor)))
    }
}
