//! The error of a command: class and description. Must not know how a reply is written.

use serde_json::Value;

pub type CommandResult = Result<Value, CommandError>;

/// The QMP error classes that this server uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    Generic,
    /// The command does not exist, or is not available before negotiation.
    CommandNotFound,
    /// The device or QOM path does not exist.
    DeviceNotFound,
    /// The device has no block job.
    DeviceNotActive,
}

impl ErrorClass {
    /// Returns QMP's name for the class.
    pub fn name(self) -> &'static str {
        match self {
            ErrorClass::Generic => "GenericError",
            ErrorClass::CommandNotFound => "CommandNotFound",
            ErrorClass::DeviceNotFound => "DeviceNotFound",
            ErrorClass::DeviceNotActive => "DeviceNotActive",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError {
    pub class: ErrorClass,
    /// A human-readable description.
    pub desc: String,
}

impl CommandError {
    pub fn new(class: ErrorClass, desc: impl Into<String>) -> Self {
        CommandError { class, desc: desc.into() }
    }

    /// Creates an error of class `GenericError`.
    pub fn generic(desc: impl Into<String>) -> Self {
        CommandError::new(ErrorClass::Generic, desc)
    }
}
