//! Errors of file operations, one for each errno value, and how the errors of QOM commands map to them.

use crate::qom::error::QomError;

/// The reason why an operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FsError {
    /// There is no such object or property (`ENOENT`).
    NotFound,
    /// The property is not readable, or not writable (`EACCES`).
    AccessDenied,
    /// The operation is not possible, or no longer possible (`EPERM`).
    NotPermitted,
    /// The text written is not a value of the property (`EINVAL`).
    InvalidValue,
    /// The property currently has no value (`ENODATA`).
    NoValue,
    /// The connection to the server is lost (`EIO`).
    Disconnected,
    /// A signal ended the wait for the server (`EINTR`).
    Interrupted,
    /// The file is a directory (`EISDIR`).
    IsDirectory,
    /// The file is not a directory (`ENOTDIR`).
    NotDirectory,
    /// The text written is longer than that of any property (`EFBIG`).
    TooLarge,
    /// The file system is mounted read-only (`EROFS`).
    ReadOnly,
    /// The handle is not open, or not open for this operation (`EBADF`).
    BadHandle,
    /// The server does not have the command (`ENOTSUP`).
    NotSupported,
    /// A link was set or unset after it was looked up (`ESTALE`); the kernel then looks it up again.
    Stale,
}

/// The operation during which the server refused a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Read,
    Write,
}

/// Parts of error descriptions and the errors that they mean. QEMU uses one error class for nearly all of them, so only
/// the text tells them apart.
const DESCRIPTION_PATTERNS: &[(&str, FsError)] = &[
    ("is not readable", FsError::AccessDenied),
    ("is not writable", FsError::AccessDenied),
    ("' not found", FsError::NotFound),
    ("has no property", FsError::NotFound),
    ("after it was realized", FsError::NotPermitted),
    ("cannot be set now", FsError::NotPermitted),
    ("annot change", FsError::NotPermitted),
    ("already", FsError::NotPermitted),
];

impl FsError {
    /// Maps the error of an operation on the object at `path`.
    pub(super) fn from_qom(error: &QomError, operation: Operation, path: &str) -> FsError {
        if error.is_disconnected() {
            return FsError::Disconnected;
        }
        let description = match error {
            QomError::Execute(_) => error.reason(),
            QomError::Interrupted => return FsError::Interrupted,
            QomError::Stalled => return FsError::Disconnected,
            QomError::InvalidValue { .. } | QomError::TooManyMembers { .. } => return FsError::InvalidValue,
        };
        match error.class() {
            Some("CommandNotFound") => return FsError::NotSupported,
            // A link was set to an object that does not exist.
            Some("DeviceNotFound") if operation == Operation::Write && !description.contains(&format!("'{path}'")) => {
                return FsError::InvalidValue;
            }
            Some("DeviceNotFound") => return FsError::NotFound,
            _ => {}
        }
        let known = DESCRIPTION_PATTERNS.iter().find(|(pattern, _)| description.contains(pattern));
        known.map(|(_, error)| *error).unwrap_or(match operation {
            Operation::Read => FsError::NoValue,
            Operation::Write => FsError::InvalidValue,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::refusal;
    use super::*;

    #[test]
    fn maps_refusals_by_class_and_description() {
        for (operation, class, description, expected) in [
            (Operation::Read, "GenericError", "Property 'cpu.legacy-memory' is not readable", FsError::AccessDenied),
            (Operation::Read, "GenericError", "No crash occurred", FsError::NoValue),
            (Operation::Read, "GenericError", "Property 'machine.nope' not found", FsError::NotFound),
            (Operation::Read, "DeviceNotFound", "Device '/o' not found", FsError::NotFound),
            (Operation::Write, "DeviceNotFound", "Device '/o' not found", FsError::NotFound),
            (Operation::Write, "DeviceNotFound", "Device 'zz' not found", FsError::InvalidValue),
            (Operation::Write, "GenericError", "Property 'machine.type' is not writable", FsError::AccessDenied),
            (
                Operation::Write,
                "GenericError",
                "Attempt to set property 'MCFG' on anonymous device (type 'q35-pcihost') after it was realized",
                FsError::NotPermitted,
            ),
            (Operation::Write, "GenericError", "property 'size' cannot be set now", FsError::NotPermitted),
            (
                Operation::Write,
                "GenericError",
                "Invalid parameter type for 'graphics', expected: boolean",
                FsError::InvalidValue,
            ),
            (Operation::Write, "CommandNotFound", "The command qom-set has not been found", FsError::NotSupported),
        ] {
            let error = refusal(class, description);
            assert_eq!(FsError::from_qom(&error, operation, "/o"), expected, "{description}");
        }
    }
}
