//! Errors of reading and setting properties.

use crate::client::ExecuteError;

#[derive(Debug, thiserror::Error)]
pub enum QomError {
    /// The server refused the command, or the connection was lost.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// The text does not denote a value of the property's type. Nothing was sent.
    #[error("`{property}` of `{path}`: {message}")]
    InvalidValue { path: String, property: String, message: String },
    /// The wait for the server was given up.
    #[error("interrupted")]
    Interrupted,
    /// The server answered none of several requests that were in flight.
    #[error("the server does not answer several requests at once")]
    Stalled,
    #[error("the tree has more than {max_members} objects and properties; limit it with `--depth`")]
    TooManyMembers { max_members: usize },
}

impl QomError {
    /// Returns the server's error description if there is one, otherwise this error's message without the names of
    /// command, object and property.
    pub fn reason(&self) -> String {
        match self {
            QomError::Execute(error) => error.desc().map_or_else(|| error.to_string(), str::to_owned),
            QomError::InvalidValue { message, .. } => message.clone(),
            QomError::Interrupted | QomError::Stalled | QomError::TooManyMembers { .. } => self.to_string(),
        }
    }

    /// Returns the class of the server's error, if the server refused the command.
    pub fn class(&self) -> Option<&str> {
        match self {
            QomError::Execute(error) => error.class(),
            QomError::InvalidValue { .. }
            | QomError::Interrupted
            | QomError::Stalled
            | QomError::TooManyMembers { .. } => None,
        }
    }

    /// Returns whether the connection is lost, so that every further call will fail too.
    pub fn is_disconnected(&self) -> bool {
        matches!(self, QomError::Execute(ExecuteError::NotSent { .. } | ExecuteError::Unanswered { .. }))
    }

    /// Returns whether further requests of the same reader would fail, too.
    pub(super) fn is_final(&self) -> bool {
        self.is_disconnected() || matches!(self, QomError::Interrupted | QomError::Stalled)
    }

    /// Returns whether the server does not have the command.
    pub(super) fn is_unknown_command(&self) -> bool {
        self.class() == Some("CommandNotFound")
    }
}
