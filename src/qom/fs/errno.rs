//! What a program gets to hear that did something which cannot be: one of the system's few words for it.

use super::source::SourceError;

/// Why an operation failed, as programs are told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
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
    Lost,
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
pub(super) enum Doing {
    Reading,
    Writing,
}

/// What parts of a refusal's sentence mean. The server has one class for nearly all of them, so its words have to be
/// looked at; what is not found here is judged by what was being done.
const WORDS: &[(&str, Fault)] = &[
    ("is not readable", Fault::Denied),
    ("is not writable", Fault::Denied),
    ("' not found", Fault::NotFound),
    ("has no property", Fault::NotFound),
    ("after it was realized", Fault::NotPermitted),
    ("cannot be set now", Fault::NotPermitted),
    ("annot change", Fault::NotPermitted),
    ("already", Fault::NotPermitted),
];

impl Fault {
    /// The word for an error of the tree about `path`.
    pub(super) fn of(error: &SourceError, doing: Doing, path: &str) -> Fault {
        let (class, desc) = match error {
            SourceError::Lost(_) => return Fault::Lost,
            SourceError::NoValue(_) => return Fault::Invalid,
            SourceError::Refused { class, desc } => (class.as_str(), desc.as_str()),
        };
        match class {
            "CommandNotFound" => return Fault::NotSupported,
            // A link that is set to what is not there is a wrong value; the object itself is not.
            "DeviceNotFound" if doing == Doing::Writing && !desc.contains(&format!("'{path}'")) => {
                return Fault::Invalid;
            }
            "DeviceNotFound" => return Fault::NotFound,
            _ => {}
        }
        let by_words = WORDS.iter().find(|(words, _)| desc.contains(words)).map(|(_, fault)| *fault);
        by_words.unwrap_or(match doing {
            Doing::Reading => Fault::NoValue,
            Doing::Writing => Fault::Invalid,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart_by_their_words() {
        for (doing, class, desc, fault) in [
            (Doing::Reading, "GenericError", "Property 'cpu.legacy-memory' is not readable", Fault::Denied),
            (Doing::Reading, "GenericError", "No crash occurred", Fault::NoValue),
            (Doing::Reading, "GenericError", "Property 'machine.nope' not found", Fault::NotFound),
            (Doing::Reading, "DeviceNotFound", "Device '/o' not found", Fault::NotFound),
            (Doing::Writing, "DeviceNotFound", "Device '/o' not found", Fault::NotFound),
            (Doing::Writing, "DeviceNotFound", "Device 'zz' not found", Fault::Invalid),
            (Doing::Writing, "GenericError", "Property 'machine.type' is not writable", Fault::Denied),
            (
                Doing::Writing,
                "GenericError",
                "Attempt to set property 'MCFG' on anonymous device (type 'q35-pcihost') after it was realized",
                Fault::NotPermitted,
            ),
            (Doing::Writing, "GenericError", "property 'size' cannot be set now", Fault::NotPermitted),
            (
                Doing::Writing,
                "GenericError",
                "Invalid parameter type for 'graphics', expected: boolean",
                Fault::Invalid,
            ),
            (Doing::Writing, "CommandNotFound", "The command qom-set has not been found", Fault::NotSupported),
        ] {
            let error = SourceError::Refused { class: class.to_owned(), desc: desc.to_owned() };
            assert_eq!(Fault::of(&error, doing, "/o"), fault, "{desc}");
        }
    }
}
