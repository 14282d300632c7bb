//! The declaration of a command's arguments.

use crate::schema::{Schema, member_type};

/// A declared argument of a command. Flags come where they are declared, as in QEMU's own monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: ParameterKind,
    pub(crate) is_optional: bool,
    /// A QMP command and one of its arguments. Servers that lack the argument lack the parameter too.
    pub(crate) mirrors: Option<(&'static str, &'static str)>,
}

/// The form of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParameterKind {
    /// A word, or text in double quotes.
    Text,
    /// The same, named "filename" in errors.
    FileName,
    /// The same, named "block device name" in errors.
    BlockDevice,
    /// Everything up to the end of the line.
    RestOfLine,
    /// `NAME=VALUE` pairs with commas in between, as one word.
    Options,
    /// An expression of 32 bits.
    Integer,
    /// `.` and an expression of 32 bits, attached to the argument before it.
    Index,
    /// An expression of 64 bits.
    LongInteger,
    /// An expression, in MiB.
    Mebibytes,
    /// A size with a fraction and a suffix, in MiB without one. The value is in bytes.
    Size,
    /// `on` or `off`.
    Switch,
    /// A flag without a value, such as `-f`.
    Flag(char),
    /// A flag with a value, such as `-d display`.
    FlagWithText(char),
    /// `/` with a count, a format and a size, attached to the command's name.
    Format,
}

use ParameterKind::{
    BlockDevice, FileName, Flag, FlagWithText, Format, Index, Integer, LongInteger, Mebibytes, Options, RestOfLine,
    Size, Switch, Text,
};

impl ParameterKind {
    /// Returns the letter of a flag.
    pub(crate) fn flag(self) -> Option<char> {
        match self {
            Flag(letter) | FlagWithText(letter) => Some(letter),
            _ => None,
        }
    }
}

impl Parameter {
    const fn new(name: &'static str, kind: ParameterKind) -> Parameter {
        let is_optional = matches!(kind, Flag(_) | FlagWithText(_) | Format | Index);
        Parameter { name, kind, is_optional, mirrors: None }
    }

    /// Declares that the argument may be left out.
    pub(crate) const fn optional(mut self) -> Parameter {
        self.is_optional = true;
        self
    }

    /// Declares that only servers whose QMP command takes this argument have the parameter.
    pub(crate) const fn mirroring(mut self, command: &'static str, argument: &'static str) -> Parameter {
        self.mirrors = Some((command, argument));
        self
    }

    /// Returns whether servers with this introspection have the parameter.
    pub(super) fn is_known_to(&self, schema: &Schema) -> bool {
        self.mirrors.is_none_or(|(command, argument)| {
            let command = schema.command(command);
            command.is_some_and(|command| member_type(schema, command.arguments, argument).is_some())
        })
    }

    /// Returns the argument as help shows it: `device`, `[size]`, `[-f]`.
    pub(crate) fn usage(&self) -> String {
        match self.kind {
            Flag(letter) => format!("[-{letter}]"),
            FlagWithText(letter) => format!("[-{letter} {}]", self.name),
            Format => "[/fmt]".to_owned(),
            Index => format!("[.{}]", self.name),
            Switch if self.is_optional => "[on|off]".to_owned(),
            Switch => "on|off".to_owned(),
            _ if self.is_optional => format!("[{}]", self.name),
            _ => self.name.to_owned(),
        }
    }
}

macro_rules! constructors {
    ($($function:ident $kind:ident),* $(,)?) => {
        $(pub(crate) const fn $function(name: &'static str) -> Parameter {
            Parameter::new(name, $kind)
        })*
    };
}

constructors! {
    text Text,
    file_name FileName,
    block_device BlockDevice,
    rest_of_line RestOfLine,
    options Options,
    integer Integer,
    index Index,
    long_integer LongInteger,
    mebibytes Mebibytes,
    size Size,
    switch Switch,
    format Format,
}

/// Declares a flag: `flag('f', "force")`.
pub(crate) const fn flag(letter: char, name: &'static str) -> Parameter {
    Parameter::new(name, Flag(letter))
}

/// Declares a flag with a value.
pub(crate) const fn flag_with_text(letter: char, name: &'static str) -> Parameter {
    Parameter::new(name, FlagWithText(letter))
}
