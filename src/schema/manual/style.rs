//! Styled lines: text with roles, which `render` shows in colours.

/// The role of a part of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    Plain,
    /// Names, values and options within prose.
    Strong,
    /// The name of another entry, or emphasis.
    Reference,
    Heading,
    /// The name of what is described.
    Name,
    /// A type, and whether the member is optional.
    Type,
    /// Versions, conditions, list marks.
    Secondary,
    /// A line of an example that the client sends, and any other preformatted line.
    Sent,
    /// A line of an example that the server sends.
    Received,
}

/// A part of a line with one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub role: Role,
    pub text: String,
}

impl Run {
    pub fn new(role: Role, text: impl Into<String>) -> Run {
        Run { role, text: text.into() }
    }
}

/// A line without its line end.
pub type Line = Vec<Run>;
