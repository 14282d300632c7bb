//! The context that gives a line its types: knowledge about the server, and how strict to be.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::model::Schema;
use super::property::PropertyType;

/// Knowledge about the server, to give the values in a line their types and to check them.
#[derive(Debug, Clone, Copy)]
pub struct TypingContext<'a> {
    /// The server's introspection. Without it, types are inferred from the form of values and nothing is checked.
    pub schema: Option<&'a Schema>,
    /// The types of keys that introspection does not describe: the properties of the device of `device_add`, and the
    /// `value` of `qom-set`.
    pub undocumented_types: &'a HashMap<String, PropertyType>,
    /// Whether to accept what does not match introspection.
    pub allow_invalid: bool,
}

impl TypingContext<'static> {
    /// Returns the context in which nothing is known about the server.
    pub fn none() -> TypingContext<'static> {
        static EMPTY: LazyLock<HashMap<String, PropertyType>> = LazyLock::new(HashMap::new);
        TypingContext { schema: None, undocumented_types: &EMPTY, allow_invalid: false }
    }
}
