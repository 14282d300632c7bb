//! What a program gets to hear that did something which cannot be: one of the system's few words for it.

use super::source::SourceError;

/// Why an operation failed, as programs are told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FsError {
    /// There is no such object or property (`ENOENT`).
    NotFound,
    /// It may not be read, or not be written (`EACCES`).
    Denied,
    /// It cannot be done here, or not any more (`EPERM`).
    NotPermitted,
    /// What was written is no value for the property (`EINVAL`).
    Invalid,
    /// The property has no value now (`ENODATA`).
    NoValue,
    /// The server is gone (`EIO`).
    Disconnected,
    /// It is a directory (`EISDIR`).
    IsDirectory,
    /// It is no directory (`ENOTDIR`).
    NotDirectory,
    /// More was written than any property takes (`EFBIG`).
    TooBig,
    /// The file system is read-only (`EROFS`).
    ReadOnly,
    /// The handle is not open for that (`EBADF`).
    BadHandle,
    /// The server does not know the command (`ENOTSUP`).
    NotSupported,
    /// It was another kind of thing when it was looked up (`ESTALE`); the system then looks again.
    Stale,
}

/// What was being done to a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Reading,
    Writing,
}

/// What parts of a refusal's sentence mean. The server has one class for nearly all of them, so its words have to be
/// looked at; what is not found here is judged by what was being done.
const WORDS: &[(&str, FsError)] = &[
    ("is not readable", FsError::Denied),
    ("is not writable", FsError::Denied),
    ("' not found", FsError::NotFound),
    ("has no property", FsError::NotFound),
    ("after it was realized", FsError::NotPermitted),
    ("cannot be set now", FsError::NotPermitted),
    ("annot change", FsError::NotPermitted),
    ("already", FsError::NotPermitted),
];

impl FsError {
    /// The word for an error of the tree about `path`.
    pub(super) fn of(error: &SourceError, doing: Operation, path: &str) -> FsError {
        let (class, desc) = match error {
            SourceError::Disconnected(_) => return FsError::Disconnected,
            SourceError::NoValue(_) => return FsError::Invalid,
            SourceError::Refused { class, desc } => (class.as_str(), desc.as_str()),
        };
        match class {
            "CommandNotFound" => return FsError::NotSupported,
            // A link that is set to what is not there is a wrong value; the object itself is not.
            "DeviceNotFound" if doing == Operation::Writing && !desc.contains(&format!("'{path}'")) => {
                return FsError::Invalid;
            }
            "DeviceNotFound" => return FsError::NotFound,
            _ => {}
        }
        let by_words = WORDS.iter().find(|(words, _)| desc.contains(words)).map(|(_, fault)| *fault);
        by_words.unwrap_or(match doing {
            Operation::Reading => FsError::NoValue,
            Operation::Writing => FsError::Invalid,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart_by_their_words() {
        for (doing, class, desc, fault) in [
            (Operation::Reading, "GenericError", "Property 'cpu.legacy-memory' is not readable", FsError::Denied),
            (Operation::Reading, "GenericError", "No crash occurred", FsError::NoValue),
            (Operation::Reading, "GenericError", "Property 'machine.nope' not found", FsError::NotFound),
            (Operation::Reading, "DeviceNotFound", "Device '/o' not found", FsError::NotFound),
            (Operation::Writing, "DeviceNotFound", "Device '/o' not found", FsError::NotFound),
            (Operation::Writing, "DeviceNotFound", "Device 'zz' not found", FsError::Invalid),
            (Operation::Writing, "GenericError", "Property 'machine.type' is not writable", FsError::Denied),
            (
                Operation::Writing,
                "GenericError",
                "Attempt to set property 'MCFG' on anonymous device (type 'q35-pcihost') after it was realized",
                FsError::NotPermitted,
            ),
            (Operation::Writing, "GenericError", "property 'size' cannot be set now", FsError::NotPermitted),
            (
                Operation::Writing,
                "GenericError",
                "Invalid parameter type for 'graphics', expected: boolean",
                FsError::Invalid,
            ),
            (Operation::Writing, "CommandNotFound", "The command qom-set has not been found", FsError::NotSupported),
        ] {
            let error = SourceError::Refused { class: class.to_owned(), desc: desc.to_owned() };
            assert_eq!(FsError::of(&error, doing, "/o"), fault, "{desc}");
        }
    }
}
