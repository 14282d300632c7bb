//! The source of the files, which is the object tree, as a trait so that tests can replace the server.

use crate::qom::client::QomClient;
use crate::qom::error::QomError;
use crate::qom::property::Property;
use crate::schema::{Builtin, PropertyType};
use crate::wire::quote;

/// The maximum number of requests in flight: half of what QEMU queues for one connection, so that other operations get
/// their turn.
const MAX_IN_FLIGHT: usize = 4;

/// An object tree that can be listed, read and written.
pub trait ObjectSource: Send + Sync {
    /// Lists the properties of an object, including its children.
    fn list(&self, path: &str) -> Result<Vec<Property>, QomError>;

    /// Reads a property: the JSON text as the server wrote it.
    fn get(&self, path: &str, property: &str) -> Result<String, QomError>;

    /// Reads several properties of one object, and returns the values in the same order.
    fn get_all(&self, path: &str, properties: &[&str]) -> Vec<Result<String, QomError>> {
        properties.iter().map(|property| self.get(path, property)).collect()
    }

    /// Sets a property to the value that `text` denotes for its type.
    fn set(&self, path: &str, property: &Property, text: &str) -> Result<(), QomError>;
}

impl ObjectSource for QomClient {
    fn list(&self, path: &str) -> Result<Vec<Property>, QomError> {
        QomClient::list(self, path)
    }

    fn get(&self, path: &str, property: &str) -> Result<String, QomError> {
        QomClient::get(self, path, property)
    }

    fn get_all(&self, path: &str, properties: &[&str]) -> Vec<Result<String, QomError>> {
        let mut values = Vec::with_capacity(properties.len());
        for chunk in properties.chunks(MAX_IN_FLIGHT) {
            let sent: Vec<_> = chunk.iter().map(|property| self.start_get(path, property)).collect();
            values.extend(sent.into_iter().map(|pending| self.finish_get(pending?)));
        }
        values
    }

    fn set(&self, path: &str, property: &Property, text: &str) -> Result<(), QomError> {
        let kind = property.value_type();
        // The type name may not reveal the type, as with `PCIELinkSpeed`. Then a value that is a string now, such as
        // `"8"`, stays one.
        let is_string = || QomClient::get(self, path, &property.name).is_ok_and(|json| json.starts_with('"'));
        match kind {
            PropertyType::Builtin(Builtin::Str) => self.set_typed(path, &property.name, kind, text),
            PropertyType::Qapi | PropertyType::Unknown if is_string() => {
                self.set_json(path, &property.name, &quote(text))
            }
            _ => self.set_typed(path, &property.name, kind, text.trim()),
        }
    }
}
