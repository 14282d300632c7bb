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
    /// A tree that goes on and on.
    #[error("the server tells of more than {0} objects and properties; `--depth` bounds what is asked for")]
    Endless(usize),
}

impl QomError {
    /// The server's own sentence, where it refused; else ours.
    pub fn reason(&self) -> String {
        match self {
            QomError::Execute(error) => error.desc().map_or_else(|| error.to_string(), str::to_owned),
            QomError::Value { message, .. } => message.clone(),
            QomError::Endless(_) => self.to_string(),
        }
    }

    /// The class of the server's error, where it refused.
    pub fn class(&self) -> Option<&str> {
        match self {
            QomError::Execute(error) => error.class(),
            QomError::Value { .. } | QomError::Endless(_) => None,
        }
    }

    /// Whether the connection is lost: nothing else can be read either.
    pub fn is_lost(&self) -> bool {
        matches!(self, QomError::Execute(ExecuteError::NotSent { .. } | ExecuteError::Unanswered { .. }))
    }

    /// Whether the server does not have the command at all.
    pub(super) fn is_unknown_command(&self) -> bool {
        self.class() == Some("CommandNotFound")
    }
}
