//! Why a property was not read or set.

use crate::client::ExecuteError;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum QomError {
    /// The server refused, or the connection is lost.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// The word is no value of the property's type. Nothing was sent.
    #[error("`{property}` of `{path}`: {message}")]
    Value {
        /// The object.
        path: String,
        /// The property.
        property: String,
        /// What is expected.
        message: String,
    },
}

impl QomError {
    /// The server's own sentence, where it refused; else ours.
    pub fn reason(&self) -> String {
        match self {
            QomError::Execute(error) => error.desc().map_or_else(|| error.to_string(), str::to_owned),
            QomError::Value { message, .. } => message.clone(),
        }
    }

    /// Whether the server refused: the connection is there, and another object may be read.
    pub fn is_refusal(&self) -> bool {
        matches!(self, QomError::Execute(ExecuteError::Refused { .. }) | QomError::Value { .. })
    }
}
