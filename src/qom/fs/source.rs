//! Where the files come from: an object tree that can be listed, read and written.

use crate::client::{ExecuteError, Pending};
use crate::qom::client::{QomClient, finish_get};
use crate::qom::error::QomError;
use crate::qom::property::Property;
use crate::wire::{ReplyBody, quote};

/// What stands behind the files.
pub trait Source: Send + Sync {
    /// The properties of an object, its children among them.
    fn list(&self, path: &str) -> Result<Vec<Property>, SourceError>;

    /// The value of a property, as the JSON text that the server sent.
    fn get(&self, path: &str, property: &str) -> Result<String, SourceError>;

    /// The values of several properties of one object, in their order; sooner than one after the other where that can
    /// be had.
    fn get_all(&self, path: &str, properties: &[&str]) -> Vec<Result<String, SourceError>> {
        properties.iter().map(|property| self.get(path, property)).collect()
    }

    /// Sets a property to what `text` means for its type.
    fn set(&self, path: &str, property: &Property, text: &str) -> Result<(), SourceError>;
}

/// Why a tree did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The server cannot be asked any more.
    #[error("{0}")]
    Disconnected(String),
    /// The server said no.
    #[error("{desc}")]
    Refused {
        /// The class of its error.
        class: String,
        /// Its sentence.
        desc: String,
    },
    /// The text is no value of the property's type. Nothing was sent.
    #[error("{0}")]
    NoValue(String),
}

impl Source for QomClient {
    fn list(&self, path: &str) -> Result<Vec<Property>, SourceError> {
        Ok(QomClient::list(self, path)?)
    }

    fn get(&self, path: &str, property: &str) -> Result<String, SourceError> {
        Ok(QomClient::get(self, path, property)?)
    }

    fn get_all(&self, path: &str, properties: &[&str]) -> Vec<Result<String, SourceError>> {
        // So many as may be under way at once, by turns: others ask too.
        let mut values = Vec::with_capacity(properties.len());
        for some in properties.chunks(4) {
            let begun: Vec<Result<Pending, QomError>> =
                some.iter().map(|property| self.begin_get(path, property)).collect();
            values.extend(begun.into_iter().map(|begun| Ok(finish_get(begun?)?)));
        }
        values
    }

    fn set(&self, path: &str, property: &Property, text: &str) -> Result<(), SourceError> {
        let word = match property.builtin() {
            Some(crate::schema::Builtin::Str) => text,
            Some(_) => text.trim(),
            // A name such as `PCIELinkSpeed` tells nothing. What is a string now, such as `8`, is to stay one.
            None if QomClient::get(self, path, &property.name).is_ok_and(|json| json.starts_with('"')) => {
                return Ok(self.set_json(path, &property.name, &quote(text))?);
            }
            None => text.trim(),
        };
        self.set_listed(path, property, word)?;
        Ok(())
    }
}

impl From<QomError> for SourceError {
    fn from(error: QomError) -> SourceError {
        match error {
            QomError::Value { message, .. } => SourceError::NoValue(message),
            // Of a whole tree only, which is never read here.
            QomError::Endless(_) => SourceError::Refused { class: String::new(), desc: error.to_string() },
            QomError::Execute(error @ (ExecuteError::NotSent { .. } | ExecuteError::Unanswered { .. })) => {
                SourceError::Disconnected(error.to_string())
            }
            QomError::Execute(error) => match error.reply().map(crate::wire::Reply::body) {
                Some(ReplyBody::Error { class, desc }) => {
                    SourceError::Refused { class: class.to_string(), desc: desc.to_string() }
                }
                _ => SourceError::Refused { class: String::new(), desc: error.to_string() },
            },
        }
    }
}
