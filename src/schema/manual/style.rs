//! Styled lines: what the setter makes and a terminal shows. Owns roles, not colours.

/// What a piece of a line is, for whoever colours it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Prose.
    Plain,
    /// What stands out within prose: names, values, options.
    Strong,
    /// The name of another entry, or stress.
    Reference,
    /// A title.
    Heading,
    /// The name of what is described.
    Name,
    /// A type, and whether it may be left out.
    Type,
    /// What is said beside: age, conditions, marks of a list.
    Secondary,
    /// A line of an example that a client sends, or any that stays as it is.
    Sent,
    /// A line of an example that the server sends.
    Received,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What it is.
    pub role: Role,
    /// Its characters.
    pub text: String,
}

/// A line, without its end.
pub type Line = Vec<Run>;

/// A run of that role.
pub(super) fn run(role: Role, text: impl Into<String>) -> Run {
    Run { role, text: text.into() }
}
