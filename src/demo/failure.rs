//! The failure of one command: error class and sentence. Knows neither commands nor how a reply is spelled.

use serde_json::Value;

/// What a command comes to.
pub type Outcome = Result<Value, Failure>;

/// The error classes of QMP that this server uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Everything that needs no class of its own.
    Generic,
    /// No such command, or none in this phase of the connection.
    CommandNotFound,
    /// A device or path that does not exist.
    DeviceNotFound,
    /// A device without the block job that was asked for.
    DeviceNotActive,
}

impl Class {
    /// The class as it stands in the reply.
    pub fn name(self) -> &'static str {
        match self {
            Class::Generic => "GenericError",
            Class::CommandNotFound => "CommandNotFound",
            Class::DeviceNotFound => "DeviceNotFound",
            Class::DeviceNotActive => "DeviceNotActive",
        }
    }
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The error class.
    pub class: Class,
    /// The sentence for people.
    pub desc: String,
}

impl Failure {
    /// A failure of class `GenericError`.
    pub fn new(desc: impl Into<String>) -> Self {
        Failure { class: Class::Generic, desc: desc.into() }
    }

    /// A failure of the given class.
    pub fn of(class: Class, desc: impl Into<String>) -> Self {
        Failure { class, desc: desc.into() }
    }
}
